"""LoRA's forward and backward pass in one piece, for plain adapters.

PEFT adds the adapter's output to the base's in five operations, each of which writes a tensor as
wide as the layer's output or input and keeps some, dropout's mask as numbers among them. Here the
product is added as it is made, in place where the base's layer is plain too; what is kept is the
input, which the layers that read it share, and one byte a number for dropout. Same formula, same
gradients.
"""

from __future__ import annotations

from types import MethodType
from typing import TYPE_CHECKING, Any

import torch
from peft.tuners.lora import LoraLayer
from transformers.pytorch_utils import Conv1D

if TYPE_CHECKING:
    from peft import PeftModel

_NAME = "default"


def fuse(adapted: PeftModel) -> int:
    """Let every plain LoRA layer compute here; returns how many do.

    DoRA's and other variants stay as PEFT has them.
    """
    layers = [each for each in adapted.modules() if isinstance(each, LoraLayer)]
    plain = [each for each in layers if _NAME in each.lora_A and not each.lora_variant]
    for layer in plain:
        # A method, whose function torch.compile knows again in every block; of a partial it would
        # look at the object, and compile each block by itself.
        layer.forward = MethodType(_forward, layer)
    return len(plain)


def _forward(layer: Any, x: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
    """x: (..., width in) -> (..., width out)."""
    base = layer.base_layer
    if layer.disable_adapters:
        given: torch.Tensor = base(x)
        return given
    dropout = getattr(layer.lora_dropout[_NAME], "p", 0.0) if layer.training else 0.0
    a, b = layer.lora_A[_NAME].weight, layer.lora_B[_NAME].weight
    product = (a, b, layer.scaling[_NAME], dropout)
    made: torch.Tensor
    if type(base) in (torch.nn.Linear, Conv1D):
        weight = base.weight if type(base) is Conv1D else base.weight.t()
        made = _WholeLayer.apply(x, weight, base.bias, *product)  # type: ignore[no-untyped-call]
    else:
        made = _AddProduct.apply(base(x), x, *product)  # type: ignore[no-untyped-call]
    return made


class _WholeLayer(torch.autograd.Function):
    """x W + bias + scale * dropout(x) A' B' (Hu et al. 2021, eq. 3) with W and bias frozen.

    x: (..., in), weight: (in, out), bias: (out,) or None, a: (rank, in), b: (out, rank). Computed
    in the weight's precision, as autocast would.
    """

    @staticmethod
    def forward(  # noqa: PLR0913 - one layer, whole
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        a: torch.Tensor,
        b: torch.Tensor,
        scale: float,
        dropout: float,
    ) -> torch.Tensor:
        flat = x.reshape(-1, x.shape[-1])
        dtype, kept = weight.dtype, _drawn(flat, dropout)
        ctx.scale, ctx.x_shape = scale / (1.0 - dropout), x.shape
        with torch.autocast(x.device.type, enabled=False):
            narrow_x = flat.to(dtype)
            y = narrow_x @ weight if bias is None else torch.addmm(bias, narrow_x, weight)
            narrow = _dropped(narrow_x, kept) @ a.to(dtype).t()
            y.addmm_(narrow, b.to(dtype).t(), alpha=ctx.scale)
        ctx.save_for_backward(flat, kept, narrow, a, b, weight)
        return y.view(*x.shape[:-1], y.shape[-1])

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        flat, kept, narrow, a, b, weight = ctx.saved_tensors
        wide = grads[0].reshape(-1, grads[0].shape[-1])
        thin, of_a, of_b = _gradients(wide, flat, kept, narrow, a, b, ctx.scale)
        of_x = None
        if ctx.needs_input_grad[0]:
            of_x = wide @ weight.t()
            if kept is None:
                of_x.addmm_(thin, a.to(wide.dtype))
            else:
                of_x += _dropped(thin @ a.to(wide.dtype), kept)
            of_x = of_x.to(flat.dtype).view(ctx.x_shape)
        return of_x, None, None, of_a, of_b, None, None


class _AddProduct(torch.autograd.Function):
    """y + scale * dropout(x) A' B', where y is what a packed layer made of x.

    y: (..., out); see `_WholeLayer`. Computed in y's precision.
    """

    @staticmethod
    def forward(  # noqa: PLR0913 - one product, whole
        ctx: Any,
        y: torch.Tensor,
        x: torch.Tensor,
        a: torch.Tensor,
        b: torch.Tensor,
        scale: float,
        dropout: float,
    ) -> torch.Tensor:
        flat = x.reshape(-1, x.shape[-1])
        dtype, kept = y.dtype, _drawn(flat, dropout)
        ctx.scale, ctx.x_shape = scale / (1.0 - dropout), x.shape
        with torch.autocast(x.device.type, enabled=False):
            narrow = _dropped(flat.to(dtype), kept) @ a.to(dtype).t()
            wide = y.reshape(-1, y.shape[-1])
            # Not in place: y may be a view of what its own layer keeps.
            made = torch.addmm(wide, narrow, b.to(dtype).t(), alpha=ctx.scale)
        ctx.save_for_backward(flat, kept, narrow, a, b)
        return made.view_as(y)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        flat, kept, narrow, a, b = ctx.saved_tensors
        wide = grads[0].reshape(-1, grads[0].shape[-1])
        thin, of_a, of_b = _gradients(wide, flat, kept, narrow, a, b, ctx.scale)
        of_x = None
        if ctx.needs_input_grad[1]:
            of_x = _dropped(thin @ a.to(wide.dtype), kept).to(flat.dtype).view(ctx.x_shape)
        return grads[0], of_x, of_a, of_b, None, None


def _gradients(  # noqa: PLR0913 - the parts of one product
    wide: torch.Tensor,
    flat: torch.Tensor,
    kept: torch.Tensor | None,
    narrow: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor,
    scale: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The gradient between A and B, of A and of B; wide: (places, out), that of the output."""
    thin = (wide @ b.to(wide.dtype)).mul_(scale)
    # Not wide.t() @ narrow: a few columns take MKL eight times as long as a few rows.
    of_b = (narrow.t() @ wide).mul_(scale).t().to(b.dtype)
    of_a = (thin.t() @ _dropped(flat.to(wide.dtype), kept)).to(a.dtype)
    return thin, of_a, of_b


def _drawn(like: torch.Tensor, dropout: float) -> torch.Tensor | None:
    """Which numbers dropout keeps; None where it keeps all.

    A CPU draws 64 bits for four numbers, each kept by 16 of them, in a third of the time of a draw
    for each; the share is that asked for to 1/131,072.
    """
    if not dropout:
        return None
    if like.device.type == "cpu":
        # Not random_, which torch.compile does not know inside an autograd function.
        drawn = torch.randint(-(1 << 63), (1 << 63) - 1, (-(-like.numel() // 4),))
        bits = drawn.view(torch.int16)[: like.numel()].view(like.shape)
        dropped = min(round(dropout * (1 << 16)), (1 << 16) - 1)
        return bits >= dropped - (1 << 15)
    return torch.empty(like.shape, dtype=torch.bool, device=like.device).bernoulli_(1.0 - dropout)


def _dropped(x: torch.Tensor, kept: torch.Tensor | None) -> torch.Tensor:
    return x if kept is None else x * kept
