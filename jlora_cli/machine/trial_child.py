"""The child of trials.py: imports torch and tries things, one JSON line for each.

It runs as a script of its own, so nothing of jlora is imported here; what it cannot survive (a
segmentation fault, a hang) is told by the line that is missing.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MARK = "@jlora "  # libraries print too
SIZE = 64
VARLEN_FROM = (8, 0)  # FlashAttention 2, which torch's varlen_attn calls


def tell(**said: Any) -> None:
    """One line for the parent; begun anew, for others may not end theirs."""
    sys.stdout.write("\n" + MARK + json.dumps(said) + "\n")
    sys.stdout.flush()


def about_torch() -> dict[str, Any]:
    """What torch says of itself: its accelerator, its kernels, its GPUs, why CUDA fails."""
    import torch

    mps = torch.backends.mps.is_available()
    xpu = hasattr(torch, "xpu") and torch.xpu.is_available()
    cuda = torch.cuda.is_available()
    gpus: list[Any] = []
    for i in range(torch.cuda.device_count() if cuda else 0):
        free, total = torch.cuda.mem_get_info(i)
        kind = "rocm" if torch.version.hip else "cuda"
        name, capability = torch.cuda.get_device_name(i), torch.cuda.get_device_capability(i)
        gpus.append([name, total, free, capability, kind])
    for i in range(torch.xpu.device_count() if xpu else 0):
        about = torch.xpu.get_device_properties(i)
        gpus.append([about.name, about.total_memory, about.total_memory, [0, 0], "xpu"])
    return {
        "available": bool(cuda or mps or xpu),
        "architectures": torch.cuda.get_arch_list() if cuda else [],
        "gpus": gpus,
        "device": "cuda" if cuda else "mps" if mps else "xpu" if xpu else "cpu",
        "cuda_error": None if cuda else _why_no_cuda(),
    }


def _why_no_cuda() -> str | None:
    """What CUDA says when it is made to start; None where torch was built without it."""
    import torch

    if torch.version.cuda is None:
        return None
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except (RuntimeError, AssertionError) as error:
        return str(error).splitlines()[0]
    return None


def matmul(device: str, dtype: str) -> None:
    """Ones times ones: every cell is the width, exactly, in each number format."""
    import torch

    ones = torch.ones(SIZE, SIZE, device=device, dtype=getattr(torch, dtype))
    product = (ones @ ones).float()
    if not bool((product == SIZE).all()):
        raise ArithmeticError(f"{float(product[0, 0])} != {SIZE}")


def attention(device: str) -> None:
    """Causal attention, forward and backward."""
    import torch

    query = torch.randn(1, 2, 16, 32, device=device, requires_grad=True)
    attend = torch.nn.functional.scaled_dot_product_attention
    attend(query, query, query, is_causal=True).sum().backward()  # type: ignore[no-untyped-call]
    _check_gradient(query)


def varlen(device: str) -> None:
    """Attention over rows of different lengths without padding."""
    import torch
    from torch.nn.attention.varlen import varlen_attn

    query = torch.randn(16, 2, 64, device=device, dtype=torch.bfloat16, requires_grad=True)
    borders = torch.tensor([0, 6, 16], device=device, dtype=torch.int32)
    found = varlen_attn(query, query, query, borders, borders, 10, 10)
    answer = found[0] if isinstance(found, tuple) else found
    answer.sum().backward()  # type: ignore[no-untyped-call]
    _check_gradient(query)


def quantized(device: str, bits: int) -> None:
    """A layer of bitsandbytes, forward and backward."""
    import bitsandbytes as bnb
    import torch

    if bits == 4:
        layer = bnb.nn.Linear4bit(SIZE, SIZE, bias=False, quant_type="nf4")
    else:
        layer = bnb.nn.Linear8bitLt(SIZE, SIZE, bias=False, has_fp16_weights=False)
    layer = layer.to(device)
    dtype = torch.float16 if device == "cuda" else torch.float32
    rows = torch.randn(4, SIZE, device=device, dtype=dtype, requires_grad=True)
    layer(rows).float().sum().backward()
    _check_gradient(rows)


def compiled(device: str) -> None:
    """A function through torch.compile; it needs a C++ compiler, on a GPU triton."""
    import torch

    double = torch.compile(lambda x: (x * 2).relu())
    answer = double(torch.ones(8, device=device))
    if float(answer.sum()) != 16.0:
        raise ArithmeticError(f"{float(answer.sum())} != 16")


def _check_gradient(leaf: Any) -> None:
    import torch

    gradient = leaf.grad
    if gradient is None or not bool(torch.isfinite(gradient).all()) or not bool(gradient.any()):
        raise ArithmeticError("no gradient")


TRIALS: dict[str, Callable[[str], None]] = {
    "matmul-float32": lambda device: matmul(device, "float32"),
    "matmul-float16": lambda device: matmul(device, "float16"),
    "matmul-bfloat16": lambda device: matmul(device, "bfloat16"),
    "attention": attention,
    "varlen": varlen,
    "4bit": lambda device: quantized(device, 4),
    "8bit": lambda device: quantized(device, 8),
    "cpu-4bit": lambda _: quantized("cpu", 4),
    "cpu-8bit": lambda _: quantized("cpu", 8),
    "compile": compiled,
}


def applies(name: str, about: dict[str, Any]) -> bool:
    """Whether a trial has a place on this machine."""
    on_cuda = about["device"] == "cuda"
    if name == "varlen":
        return on_cuda and tuple(about["gpus"][0][3]) >= VARLEN_FROM
    if "bit" in name:
        here = on_cuda != name.startswith("cpu-")
        return here and importlib.util.find_spec("bitsandbytes") is not None
    return True


def attempt(name: str, device: str, action: Callable[[], object]) -> None:
    """Tell that `action` begins, do it, and tell how it went."""
    tell(begin=name)
    begun, detail = time.perf_counter(), ""
    try:
        action()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        detail = (str(error) or type(error).__name__).strip().splitlines()[0]
        detail = f"{type(error).__name__}: {detail}"
    seconds = round(time.perf_counter() - begun, 3)
    tell(name=name, ok=not detail, device=device, detail=detail, seconds=seconds)


def main(names: list[str]) -> None:
    """Import each of `names` after "import"; else tell about torch and try each that applies."""
    if names[:1] == ["import"]:
        for name in names[1:]:
            attempt(name, "cpu", functools.partial(importlib.import_module, name))
        return
    about = about_torch()
    tell(torch=about)
    for name in names:
        if applies(name, about):
            device = "cpu" if name.startswith("cpu-") else about["device"]
            attempt(name, device, functools.partial(TRIALS[name], device))


if __name__ == "__main__":
    main(sys.argv[1:])
