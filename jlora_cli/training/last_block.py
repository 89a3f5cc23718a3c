"""The last block, computed only where the loss looks.

What comes behind a block's attention concerns each place by itself, and of the last block only the
places are wanted whose next token is supervised: in instructions that is a third of them, or a
tenth. Its output projection and feed-forward layer skip the others, forward and backward.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch
    from transformers import PreTrainedModel

# The projections behind attention, as architectures name them.
_PROJECTIONS = ("c_proj", "dense", "o_proj")


class Focus:
    """Where the loss looks in the batch at hand: flat places, or None for everywhere.

    It stays until the next batch: gradient checkpointing computes a block again in the backward
    pass.
    """

    places: torch.Tensor | None = None


def narrow_last_block(base: PreTrainedModel) -> Focus:
    """Let the last block of `base` compute only where the returned focus says."""
    focus = Focus()
    for module in _parts_behind_attention(base):
        module.forward = partial(_focused, module.forward, focus)
    base._jlora_focus = focus
    return focus


def widen_last_block(base: PreTrainedModel) -> None:
    """Take back what `narrow_last_block` did, where it did."""
    if base.__dict__.pop("_jlora_focus", None) is not None:
        for module in _parts_behind_attention(base):
            vars(module).pop("forward", None)


def focus_on(base: PreTrainedModel, places: torch.Tensor | None) -> None:
    """Where the loss looks in the next batch; nothing where `narrow_last_block` was not asked."""
    focus = getattr(base, "_jlora_focus", None)
    if focus is not None:
        focus.places = places


def _parts_behind_attention(base: PreTrainedModel) -> Iterator[Any]:
    decoder = base.base_model
    block = (decoder.h if hasattr(decoder, "h") else decoder.layers)[-1]
    yield block.mlp
    for name in ("attn", "attention", "self_attn"):
        attention = getattr(block, name, None)
        for projection in _PROJECTIONS:
            if attention is not None and hasattr(attention, projection):
                yield getattr(attention, projection)


def _focused(
    forward: Callable[[torch.Tensor], torch.Tensor], focus: Focus, x: torch.Tensor
) -> torch.Tensor:
    """x: (rows, length, width); zero where nobody looks."""
    if focus.places is None:
        return forward(x)
    flat = x.flatten(0, 1)
    made = forward(flat.index_select(0, focus.places))
    whole = made.new_zeros(flat.shape[0], made.shape[-1])
    return whole.index_copy(0, focus.places, made).view(*x.shape[:-1], made.shape[-1])
