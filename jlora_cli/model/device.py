"""Which device there is, and how much of its memory was used."""

from __future__ import annotations

import torch

from jlora_cli.errors import refuse


def device_memory_gib(device: str) -> float:
    """Peak memory so far, GiB: the GPU's allocations on CUDA, else the process's resident set."""
    if device.startswith("cuda"):
        return round(torch.cuda.max_memory_allocated() / 2**30, 3)
    import sys  # noqa: PLC0415

    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        # accelerate brings it
        import psutil  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415

        return round(float(psutil.Process().memory_info().peak_wset) / 2**30, 3)

    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2): bytes on macOS, else KiB
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30, 3)


def choose_device(asked: str | None) -> str:
    """One of "cuda", "mps" and "cpu": as asked, else the best that torch can use here.

    Raises:
        JloraError: asked for one that torch cannot use.
    """
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if asked is None:
        return next(name for name in ("cuda", "mps", "cpu") if there[name])
    if not there.get(asked, False):
        raise refuse("model.no_device", device=asked, known=", ".join(n for n in there if there[n]))
    return asked
