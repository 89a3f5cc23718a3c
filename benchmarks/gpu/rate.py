"""How fast this GPU multiplies matrices in bfloat16: what a training step is held against."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from jlora_cli.shape import Shape

SQUARE = 8192


def matrix_rates(shape: Shape, tokens: int, device: str, *, tiny: bool) -> dict[str, object]:
    """FLOPs a second of torch.mm: at the run's own shapes, and of one large square.

    Own shapes: `tokens` of a micro-batch by each linear layer of a block, forward and backward,
    weighed as a step has them.
    """
    dtype = torch.float32 if tiny else torch.bfloat16
    side, seconds = (64, 0.001) if tiny else (SQUARE, 0.3)
    done = taken = 0.0
    layers = {}
    for before, after in _widths(shape):
        forward = _rate(tokens, before, after, device, dtype, seconds)
        backward = _rate(tokens, after, before, device, dtype, seconds)
        flops = 2.0 * tokens * before * after
        done, taken = done + 2 * flops, taken + flops / forward + flops / backward
        layers[f"{tokens} x {before} x {after}"] = [round(forward, -9), round(backward, -9)]
    square = _rate(side, side, side, device, dtype, seconds)
    return {"own": done / taken, "square": square, "tokens": tokens, "layers": layers}


def _widths(shape: Shape) -> list[tuple[int, int]]:
    """(width in, width out) of a block's linear layers."""
    hidden, inner = shape.hidden, shape.intermediate
    if shape.family == "gpt_neox":
        return [(hidden, 3 * hidden), (hidden, hidden), (hidden, inner), (inner, hidden)]
    keys = [(hidden, shape.keys)] * 2
    inward, outward = [(hidden, shape.queries), *keys], [(shape.queries, hidden)]
    return [*inward, *outward, (hidden, inner), (hidden, inner), (inner, hidden)]


def _rate(  # noqa: PLR0913 - a product, where and how long
    rows: int, inner: int, columns: int, device: str, dtype: torch.dtype, enough_s: float
) -> float:
    """FLOPs a second of (rows, inner) by (inner, columns), the weight stored as a layer's is."""
    x = torch.randn(rows, inner, device=device, dtype=dtype)
    weight = torch.randn(columns, inner, device=device, dtype=dtype).t()
    for _ in range(3):
        torch.mm(x, weight)
    times, begun = 0, _now(device)
    while True:
        for _ in range(10):
            torch.mm(x, weight)
        times += 10
        taken = _now(device) - begun
        if taken > enough_s:
            return 2.0 * rows * inner * columns * times / taken


def _now(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
