"""Encoded rows -> batches: packed end to end without padding, or padded to the longest row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from jlora_cli.prompt import IGNORED
from jlora_cli.training.attention import Rows, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jlora_cli.prompt import Encoded


@dataclass(frozen=True)
class Batch:
    """Some rows as tensors.

    ids, positions: (rows, length); packed rows stand one after the other in a single row, and
        positions start anew at each. mask: the same shape, or None when packed.
    rows: the lengths of packed rows, else None.
    look_at: (n,) flat positions whose next token is supervised; targets: (n,) those tokens.
    origins: where the rows came from.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor | None
    rows: Rows | None
    look_at: torch.Tensor
    targets: torch.Tensor
    origins: tuple[str, ...]
    tokens: int

    def to(self, device: torch.device) -> Batch:
        """The same on `device`."""
        rows = self.rows
        return Batch(
            _sent(self.ids, device),
            _sent(self.positions, device),
            _sent(self.mask, device) if self.mask is not None else None,
            rows._replace(borders=_sent(rows.borders, device)) if rows is not None else None,
            _sent(self.look_at, device),
            _sent(self.targets, device),
            self.origins,
            self.tokens,
        )


def _sent(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """`tensor` on `device`, without waiting for what the device has still to do.

    A copy to a GPU from memory that is not pinned may wait for the micro-batch before (CUDA Runtime
    API, "API synchronization behavior"); one that does not wait for it may read memory that has
    another owner by then, as on Apple's GPUs with torch before 2.13.
    """
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def pack(rows: Sequence[Encoded], *, filled_to: int = 0, pad_id: int = 0) -> Batch:
    """The rows end to end in one: no padding, no token wasted.

    With `filled_to`, a last row of padding that nothing is learned from makes so many tokens of
    them: compiled kernels want one shape. Its positions stay 0, for it may be longer than what the
    model has positions for.
    """
    lengths = [len(row.ids) for row in rows]
    tokens = sum(lengths)
    positions = [position for length in lengths for position in range(length)]
    filler = max(0, filled_to - tokens)
    if filler:
        lengths.append(filler)
        positions += [0] * filler
    ids = [id for row in rows for id in row.ids] + [pad_id] * filler
    # The first token of a row is never predicted, least of all from the row before it.
    labels = [label for row in rows for label in [IGNORED, *row.labels[1:]]]
    look_at = [i - 1 for i, label in enumerate(labels) if label != IGNORED]
    return Batch(
        torch.tensor([ids]),
        torch.tensor([positions]),
        None,
        rows_of(tuple(lengths), longest=filled_to),
        torch.tensor(look_at, dtype=torch.long),
        torch.tensor([label for label in labels if label != IGNORED], dtype=torch.long),
        tuple(row.origin for row in rows),
        tokens,
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
        torch.arange(width).repeat(len(rows), 1),  # memory that is shared cannot be pinned
        torch.tensor(mask),
        None,
        torch.tensor([at for at, _ in flat], dtype=torch.long),
        torch.tensor([label for _, label in flat], dtype=torch.long),
        tuple(row.origin for row in rows),
        sum(len(row.ids) for row in rows),
    )
