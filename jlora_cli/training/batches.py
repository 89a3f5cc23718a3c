"""Encoded rows -> batches: packed end to end without padding, or padded to the longest row."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from jlora_cli.prompt import IGNORED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jlora_cli.prompt import Encoded


@dataclass(frozen=True)
class Batch:
    """Some rows as tensors.

    ids, positions: (rows, length); packed rows stand one after the other in a single row, and
        positions start anew at each. mask: the same shape, or None when packed (then transformers
        finds the borders in `positions` and lets attention cross none).
    look_at: (n,) flat positions whose next token is supervised; targets: (n,) those tokens.
    origins: where the rows came from.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor | None
    look_at: torch.Tensor
    targets: torch.Tensor
    origins: tuple[str, ...]
    tokens: int

    def to(self, device: torch.device) -> Batch:
        """The same on `device`."""
        return Batch(
            self.ids.to(device, non_blocking=True),
            self.positions.to(device, non_blocking=True),
            self.mask.to(device, non_blocking=True) if self.mask is not None else None,
            self.look_at.to(device, non_blocking=True),
            self.targets.to(device, non_blocking=True),
            self.origins,
            self.tokens,
        )


def pack(rows: Sequence[Encoded]) -> Batch:
    """The rows end to end in one: no padding, no token wasted."""
    ids = [id for row in rows for id in row.ids]
    positions = [position for row in rows for position in range(len(row.ids))]
    # The first token of a row is never predicted, least of all from the row before it.
    labels = [label for row in rows for label in [IGNORED, *row.labels[1:]]]
    look_at = [i - 1 for i, label in enumerate(labels) if label != IGNORED]
    return Batch(
        torch.tensor([ids]),
        torch.tensor([positions]),
        None,
        torch.tensor(look_at, dtype=torch.long),
        torch.tensor([label for label in labels if label != IGNORED], dtype=torch.long),
        tuple(row.origin for row in rows),
        len(ids),
    )


def pad(rows: Sequence[Encoded], pad_id: int) -> Batch:
    """The rows side by side, each filled up on the right to the longest of them."""
    width = max(len(row.ids) for row in rows)
    ids = [row.ids + [pad_id] * (width - len(row.ids)) for row in rows]
    mask = [[1] * len(row.ids) + [0] * (width - len(row.ids)) for row in rows]
    flat = [
        (width * r + c - 1, label)
        for r, row in enumerate(rows)
        for c, label in enumerate(row.labels)
        if c and label != IGNORED
    ]
    return Batch(
        torch.tensor(ids),
        torch.arange(width).expand(len(rows), -1),
        torch.tensor(mask),
        torch.tensor([at for at, _ in flat], dtype=torch.long),
        torch.tensor([label for _, label in flat], dtype=torch.long),
        tuple(row.origin for row in rows),
        sum(len(row.ids) for row in rows),
    )


def epoch_order(count: int, *, seed: int, epoch: int) -> list[int]:
    """The rows' order in an epoch: the same for the same seed and epoch, on every machine."""
    order = list(range(count))
    random.Random(f"{seed}-{epoch}").shuffle(order)
    return order


def steps(count: int, *, per_step: int, seed: int, total_steps: int) -> Iterator[list[int]]:
    """Row numbers of each optimizer step; the last step of an epoch may be short."""
    for epoch in range(math.ceil(total_steps * per_step / max(count, 1)) + 1):
        order = epoch_order(count, seed=seed, epoch=epoch)
        for start in range(0, count, per_step):
            if total_steps == 0:
                return
            total_steps -= 1
            yield order[start : start + per_step]
