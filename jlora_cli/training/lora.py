"""LoRA's forward and backward pass in one piece, for plain adapters.

PEFT adds the adapter's output to the base's in five operations, each of which writes a tensor as
wide as the layer's output or input and keeps some, dropout's mask as numbers among them. Here the
product is added as it is made, and what is kept is the input, which the layers that read it share,
and one byte a number for dropout. Same formula, same gradients.
"""

from __future__ import annotations

from types import MethodType
from typing import TYPE_CHECKING, Any

import torch
from peft.tuners.lora import LoraLayer

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
    y: torch.Tensor = layer.base_layer(x)
    if layer.disable_adapters:
        return y
    dropout = getattr(layer.lora_dropout[_NAME], "p", 0.0) if layer.training else 0.0
    a, b = layer.lora_A[_NAME].weight, layer.lora_B[_NAME].weight
    added: torch.Tensor = _AddProduct.apply(  # type: ignore[no-untyped-call]
        y, x, a, b, layer.scaling[_NAME], dropout
    )
    return added


class _AddProduct(torch.autograd.Function):
    """y + scale * dropout(x) A' B' (Hu et al. 2021, eq. 3).

    y: (..., out), x: (..., in), a: (rank, in), b: (out, rank). Computed in y's precision, as
    autocast would.
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
        kept = _drawn(flat, dropout)
        ctx.scale = scale / (1.0 - dropout)
        dtype = y.dtype
        narrow = _dropped(flat.to(dtype), kept) @ a.to(dtype).t()
        wide = y.reshape(-1, y.shape[-1])
        ctx.save_for_backward(flat, kept, narrow, a, b)
        ctx.x_dtype, ctx.x_shape = x.dtype, x.shape
        return torch.addmm(wide, narrow, b.to(dtype).t(), alpha=ctx.scale).view_as(y)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (grad,) = grads
        flat, kept, narrow, a, b = ctx.saved_tensors
        wide = grad.reshape(-1, grad.shape[-1])
        thin = (wide @ b.to(wide.dtype)).mul_(ctx.scale)
        of_b = (wide.t() @ narrow).mul_(ctx.scale).to(b.dtype)
        of_a = (thin.t() @ _dropped(flat.to(wide.dtype), kept)).to(a.dtype)
        of_x = None
        if ctx.needs_input_grad[1]:
            of_x = _dropped(thin @ a.to(wide.dtype), kept).to(ctx.x_dtype).view(ctx.x_shape)
        return grad, of_x, of_a, of_b, None, None


def _drawn(like: torch.Tensor, dropout: float) -> torch.Tensor | None:
    """Which numbers dropout keeps; None where it keeps all."""
    if not dropout:
        return None
    return torch.empty(like.shape, dtype=torch.bool, device=like.device).bernoulli_(1.0 - dropout)


def _dropped(x: torch.Tensor, kept: torch.Tensor | None) -> torch.Tensor:
    return x if kept is None else x * kept
