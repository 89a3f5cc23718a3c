"""Rotary position embeddings (Su et al. 2021, section 3.2) written once instead of five times.

transformers writes out each term of the formula, two halves put together and a copy behind that;
going back, each half of the gradient is a tensor of zeros besides. On a CPU that was 6 % of a
step of GPT-NeoX. Here a head's numbers are multiplied into the result and each half's other half is
added in place; the result lies head by head, as attention on a CPU wants it. Compiled blocks need
none of this: the compiler fuses the formula as it stands.
"""

from __future__ import annotations

from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

import torch

from jlora_cli.recipe import ROWS_APART

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformers import PreTrainedModel

# What transformers' attention layers call, in every architecture of ROWS_APART that has it; in
# each it is the same formula.
_CALLED = "apply_rotary_pos_emb"


def rotate_at_once(base: PreTrainedModel) -> int:
    """Let the attention layers of `base` turn queries and keys here; returns how many do.

    Only in this model: their methods are the architecture's own, with another function under the
    name that they call.
    """
    layers = list(_layers(base))
    for layer in layers:
        layer.forward = MethodType(_calling(type(layer).forward), layer)
    return len(layers)


def rotate_as_stock(base: PreTrainedModel) -> None:
    """Take back what `rotate_at_once` did, where it did."""
    for layer in _layers(base):
        vars(layer).pop("forward", None)


def _layers(base: PreTrainedModel) -> Iterator[Any]:
    if base.config.model_type in ROWS_APART:
        for module in base.modules():
            code = getattr(type(module).forward, "__code__", None)
            if code is not None and _CALLED in code.co_names:
                yield module


def _calling(forward: FunctionType) -> FunctionType:
    known = {**forward.__globals__, _CALLED: _turn_both}
    made = FunctionType(
        forward.__code__, known, forward.__name__, forward.__defaults__, forward.__closure__
    )
    made.__kwdefaults__ = forward.__kwdefaults__
    return made


def _turn_both(
    q: torch.Tensor, k: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, unsqueeze_dim: int = 1
) -> tuple[torch.Tensor, torch.Tensor]:
    """q, k: (batch, heads, length, width); cos, sin: (batch, length, turned width)."""
    cos, sin = cos.unsqueeze(unsqueeze_dim), sin.unsqueeze(unsqueeze_dim)
    return _Turned.apply(q, cos, sin), _Turned.apply(k, cos, sin)  # type: ignore[no-untyped-call]


class _Turned(torch.autograd.Function):
    """x cos + (-x2, x1) sin, x1 and x2 the halves of x; what is wider than cos stays as it is.

    In the wider of the precisions of x and cos, as by the rules of torch.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(cos, sin)
        ctx.dtype = x.dtype
        lower, upper = sin.chunk(2, -1)
        return _crossed(x, cos, -lower, upper)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        cos, sin = ctx.saved_tensors
        lower, upper = sin.chunk(2, -1)
        return _crossed(grads[0], cos, upper, -lower).to(ctx.dtype), None, None


def _crossed(
    x: torch.Tensor, cos: torch.Tensor, to_lower: torch.Tensor, to_upper: torch.Tensor
) -> torch.Tensor:
    """Returns x cos; `to_lower` of the upper half is added to the lower one, and so crosswise."""
    turned = cos.shape[-1]
    half = turned // 2
    made = torch.empty(x.shape, dtype=torch.promote_types(x.dtype, cos.dtype), device=x.device)
    torch.mul(x[..., :turned], cos, out=made[..., :turned])
    made[..., :half].addcmul_(x[..., half:turned], to_lower)
    made[..., half:turned].addcmul_(x[..., :half], to_upper)
    made[..., turned:] = x[..., turned:]
    return made
