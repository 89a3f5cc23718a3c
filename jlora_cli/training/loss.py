"""Cross-entropy at the supervised positions, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import cross_entropy

from jlora_cli.memory import places_at_once
from jlora_cli.order import micro_batches
from jlora_cli.recipe import ROWS_APART
from jlora_cli.training.attention import keeps_rows_apart
from jlora_cli.training.batches import pack, pad
from jlora_cli.training.compiling import is_compiled, let_length_vary
from jlora_cli.training.last_block import focus_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedModel

    from jlora_cli.prompt import Encoded
    from jlora_cli.training.batches import Batch


def summed_loss(model: PreTrainedModel, batch: Batch) -> torch.Tensor:
    """The sum of the supervised tokens' losses in nats: a scalar in float32 or wider.

    Logits are made for supervised positions only, some at a time, so that memory does not grow
    with vocabulary times length.
    """
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    arguments: dict[str, Any] = {
        "input_ids": batch.ids,
        "position_ids": batch.positions,
        # With a cache, or with a mask of ones, transformers would let packed rows see each other.
        "use_cache": False,
    }
    if keeps_rows_apart(base):
        arguments["rows"] = batch.rows
        if batch.rows is not None and is_compiled(base):
            # An epoch's last step may have fewer rows.
            let_length_vary(batch.rows.borders)
    else:
        arguments["attention_mask"] = batch.mask
    if base.config.model_type not in ROWS_APART:
        return _stock(model, batch, arguments)
    focus_on(base, batch.look_at)
    hidden = base.base_model(**arguments).last_hidden_state.flatten(0, 1)
    cap = getattr(base.config, "final_logit_softcapping", None)
    weight = base.get_output_embeddings().weight
    chosen = hidden.index_select(0, batch.look_at)
    loss: torch.Tensor = _CrossEntropy.apply(chosen, weight, batch.targets, cap)  # type: ignore[no-untyped-call]
    return loss


def _stock(model: PreTrainedModel, batch: Batch, arguments: dict[str, Any]) -> torch.Tensor:
    """The same through the architecture's own output layer, which may do more than multiply."""
    packed = batch.rows is not None
    result = model(**arguments, logits_to_keep=batch.look_at if packed else 0)
    logits = result.logits[0] if packed else result.logits.flatten(0, 1)[batch.look_at]
    return cross_entropy(logits.to(_wide(logits.dtype)), batch.targets, reduction="sum")


class _CrossEntropy(torch.autograd.Function):
    """The summed cross-entropy of hidden states behind a frozen output layer.

    hidden: (n, width), weight: (vocabulary, width), targets: (n,); cap: of Gemma 2's logits. The
    gradient is made beside the loss, while the logits of a part are there: so they are made once,
    and no more than a part of them lives (as Liger Kernel's fused linear cross-entropy, Hsu et
    al. 2024).
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        targets: torch.Tensor,
        cap: float | None,
    ) -> torch.Tensor:
        device = hidden.device.type
        mixed = torch.is_autocast_enabled(device)
        dtype = torch.get_autocast_dtype(device) if mixed else hidden.dtype
        size = places_at_once(weight.shape[0], device)
        needed = ctx.needs_input_grad[0]
        total = torch.zeros((), dtype=_wide(dtype), device=hidden.device)
        gradient = torch.empty_like(hidden) if needed else None
        with torch.autocast(device, enabled=False):
            weight = weight.to(dtype)
            for start in range(0, len(hidden), size):
                part = slice(start, start + size)
                loss, changed, sums = _one_part(hidden[part].to(dtype), weight, targets[part], cap)
                total += loss
                if gradient is not None and dtype is torch.float16:
                    # The sums of a large vocabulary exceed its range.
                    gradient[part] = (changed / sums).to(dtype) @ weight
                elif gradient is not None:
                    gradient[part] = (changed.to(dtype) @ weight) / sums
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * grads[0].to(gradient.dtype), None, None, None


def _wide(dtype: torch.dtype) -> torch.dtype:
    """What sums over the vocabulary are made in."""
    return torch.promote_types(dtype, torch.float32)


def _one_part(
    hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, cap: float | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The loss; its derivative by the logits, (n, vocabulary), times the sums; the sums, (n, 1).

    One tensor as wide as the vocabulary is changed in place, and never divided: what the output
    layer makes of it is narrower.
    """
    logits = (hidden @ weight.t()).to(_wide(hidden.dtype))
    slope = None
    if cap:
        logits = torch.tanh(logits / cap).mul_(cap)
        slope = 1 - (logits / cap).square_()
    at = targets.unsqueeze(1)
    highest = logits.amax(1, keepdim=True)
    wanted = logits.gather(1, at) - highest
    shares = logits.sub_(highest).exp_()
    sums = shares.sum(1, keepdim=True)
    loss = (sums.log() - wanted).sum()
    shares.scatter_add_(1, at, -sums)
    return loss, shares if slope is None else shares.mul_(slope), sums


def make_batch(rows: Sequence[Encoded], *, packing: bool, pad_id: int, filled_to: int = 0) -> Batch:
    """`rows` as one batch, packed or padded."""
    return pack(rows, filled_to=filled_to, pad_id=pad_id) if packing else pad(rows, pad_id)


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
    losses: list[torch.Tensor] = []
    count = 0
    lengths = [len(row.ids) for row in rows]
    parts = micro_batches(range(len(rows)), lengths, batch_size, packing=packing)
    with torch.inference_mode():
        for chosen in parts:
            batch = make_batch([rows[at] for at in chosen], packing=packing, pad_id=pad_id)
            losses.append(summed_loss(model, batch.to(model.device)))
            count += len(batch.targets)
    model.train(training)
    # Looked at when all are made: to ask a GPU for each would let it wait.
    return sum(float(loss) for loss in losses), count
