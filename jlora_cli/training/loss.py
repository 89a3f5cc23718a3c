"""Cross-entropy at the supervised positions, and nowhere else."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import cross_entropy

from jlora_cli.memory import words_at_once
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

    Logits are made for supervised positions only, of some words at a time, so that memory does not
    grow with vocabulary times length.
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
    gradient is made beside the loss, while the logits of a part of the vocabulary are there: so
    they are made once, and no more than a part of them lives (as Liger Kernel's fused linear
    cross-entropy, Hsu et al. 2024, which goes by places). A part's weights are read once for both.
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
        read = _Read(hidden.to(dtype), targets, cap, learns=ctx.needs_input_grad[0])
        with torch.autocast(device, enabled=False):
            for part in torch.split(weight, words_at_once(len(hidden), device)):
                read.more(part.to(dtype))
            ctx.save_for_backward(read.gradient(weight.index_select(0, targets)))
        ctx.dtype = hidden.dtype
        return read.loss()

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return (gradient * grads[0]).to(ctx.dtype), None, None, None


class _Read:
    """What the words read so far say of n places, in float32 or wider.

    highest: (n, 1), of a place's logits; sums: (n, 1), of exp(logit - highest); summed: (n, width),
    of the output layer's rows by these weights; wanted: (n, 1), the logit of the place's target.
    A higher logit shrinks what was summed before it (Milakov & Gimelshein 2018, section 3).
    """

    def __init__(
        self, hidden: torch.Tensor, targets: torch.Tensor, cap: float | None, *, learns: bool
    ) -> None:
        self.hidden, self.cap = hidden, cap
        self.ahead = targets.unsqueeze(1)  # of the next word: how far the target lies behind it
        column = partial(hidden.new_full, (len(hidden), 1), dtype=_wide(hidden.dtype))
        self.highest, self.sums, self.wanted = column(-math.inf), column(0.0), column(0.0)
        self.summed = torch.zeros_like(hidden, dtype=_wide(hidden.dtype)) if learns else None

    def more(self, part: torch.Tensor) -> None:
        """Read the next words; part: (words, width), their rows of the output layer."""
        logits = (self.hidden @ part.t()).to(self.sums.dtype)
        if self.cap:
            logits = logits.div_(self.cap).tanh_().mul_(self.cap)
        here = (self.ahead >= 0) & (self.ahead < len(part))
        found = logits.gather(1, self.ahead.clamp(0, len(part) - 1))
        self.wanted = torch.where(here, found, self.wanted)
        self.ahead = self.ahead - len(part)
        highest = torch.maximum(self.highest, logits.amax(1, keepdim=True))
        shrunk = (self.highest - highest).exp_()
        slope = _slope(logits, self.cap) if self.cap and self.summed is not None else None
        # The one tensor as wide as the part is changed in place.
        shares = logits.sub_(highest).exp_()
        added = shares.sum(1, keepdim=True)
        self.highest, self.sums = highest, self.sums.mul_(shrunk).add_(added)
        if self.summed is not None:
            weights = shares if slope is None else shares.mul_(slope)
            _add_product(self.summed.mul_(shrunk), weights, part, added)

    def loss(self) -> torch.Tensor:
        """Of all places, in nats."""
        return (self.sums.log() + self.highest - self.wanted).sum()

    def gradient(self, own: torch.Tensor) -> torch.Tensor | None:
        """By the hidden states, where they learn; own: (n, width), the rows of the targets."""
        if self.summed is None:
            return None
        own = own.to(self.sums.dtype)
        if self.cap:
            own = own * _slope(self.wanted, self.cap)
        return (self.summed / self.sums).sub_(own)


def _slope(capped: torch.Tensor, cap: float) -> torch.Tensor:
    """The derivative of capped logits by those before the cap."""
    return 1 - (capped / cap).square_()


def _add_product(
    summed: torch.Tensor, weights: torch.Tensor, part: torch.Tensor, sums: torch.Tensor
) -> None:
    """Add weights @ part to `summed`, in part's precision; sums: those of the weights' rows."""
    if part.dtype == summed.dtype:
        summed.addmm_(weights, part)
    elif part.dtype is torch.float16:
        # The sums of a large vocabulary exceed its range.
        sums = sums.clamp(min=torch.finfo(sums.dtype).tiny)
        summed += (weights.div_(sums).to(part.dtype) @ part) * sums
    else:
        summed += weights.to(part.dtype) @ part


def _wide(dtype: torch.dtype) -> torch.dtype:
    """What sums over the vocabulary are made in."""
    return torch.promote_types(dtype, torch.float32)


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
    try:
        with torch.inference_mode():
            for chosen in parts:
                batch = make_batch([rows[at] for at in chosen], packing=packing, pad_id=pad_id)
                losses.append(summed_loss(model, batch.to(model.device)))
                count += len(batch.targets)
    finally:
        model.train(training)  # where memory ran out, it is tried again in smaller parts
    # Looked at when all are made: to ask a GPU for each would let it wait.
    return sum(float(loss) for loss in losses), count
