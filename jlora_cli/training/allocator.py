"""The C library's heap, kept from holding on to freed tensors."""

from __future__ import annotations

import ctypes
import sys

_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of glibc's malloc.h
_LARGE = 1 << 20


def give_back_freed_tensors() -> bool:
    """Give tensors of 1 MiB and more a mapping each, which goes back when they are freed.

    glibc by itself raises that size to 32 MiB with the first tensor that is freed, and keeps
    activations in a heap that falls to pieces: steps of GPT-2 with 110 M weights over 2,100 tokens
    peaked at 2.19 GiB, and at 1.74 with this, in a quarter more time for fresh pages. Only glibc is
    asked; returns whether it was there.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    return bool(mallopt and mallopt(_MMAP_THRESHOLD, _LARGE))
