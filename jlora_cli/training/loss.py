"""Cross-entropy at the supervised positions, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy

from jlora_cli.training.batches import pack, pad

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedModel

    from jlora_cli.prompt import Encoded
    from jlora_cli.training.batches import Batch


def summed_loss(model: PreTrainedModel, batch: Batch) -> torch.Tensor:
    """The sum of the supervised tokens' losses in nats: a scalar, differentiable.

    Packed rows ask the model for logits at the supervised positions only, so that memory does
    not grow with vocabulary times length.
    """
    packed = batch.mask is None
    result = model(
        input_ids=batch.ids,
        position_ids=batch.positions,
        attention_mask=batch.mask,
        # With a cache, or with a mask of ones, packed rows would see each other.
        use_cache=False,
        logits_to_keep=batch.look_at if packed else 0,
    )
    logits = result.logits[0] if packed else result.logits.flatten(0, 1)[batch.look_at]
    return cross_entropy(logits.float(), batch.targets, reduction="sum")


def make_batch(rows: Sequence[Encoded], *, packing: bool, pad_id: int) -> Batch:
    """`rows` as one batch, packed or padded."""
    return pack(rows) if packing else pad(rows, pad_id)


def mean_loss(
    model: PreTrainedModel, rows: Sequence[Encoded], *, batch_size: int, packing: bool, pad_id: int
) -> float:
    """The mean loss in nats per supervised token over `rows`, dropout off, nothing learned."""
    total, count = total_loss(model, rows, batch_size=batch_size, packing=packing, pad_id=pad_id)
    return total / max(count, 1)


def total_loss(
    model: PreTrainedModel, rows: Sequence[Encoded], *, batch_size: int, packing: bool, pad_id: int
) -> tuple[float, int]:
    """The summed loss in nats over `rows`, and over how many supervised tokens; dropout off."""
    training = model.training
    model.eval()
    total, count = 0.0, 0
    by_length = sorted(rows, key=lambda row: len(row.ids))
    with torch.inference_mode():
        for start in range(0, len(by_length), batch_size):
            batch = make_batch(
                by_length[start : start + batch_size], packing=packing, pad_id=pad_id
            )
            total += float(summed_loss(model, batch.to(model.device)))
            count += len(batch.targets)
    model.train(training)
    return total, count
