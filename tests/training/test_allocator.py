"""Freed tensors go back to the system where glibc would keep them."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from jlora_cli.training import allocator

# Sixteen blocks of 24 MiB between small ones that stay: as a forward pass frees what a step keeps.
CODE = """
import ctypes, sys
from jlora_cli.training.allocator import give_back_freed_tensors
if sys.argv[1] == "asked":
    assert give_back_freed_tensors()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
libc.free(libc.malloc(30 << 20))  # the first to be freed raises glibc's own limit
blocks, kept = [], []
for _ in range(16):
    blocks.append(libc.malloc(24 << 20))
    ctypes.memset(ctypes.c_void_p(blocks[-1]), 1, 24 << 20)
    kept.append(libc.malloc(4096))
for block in blocks:
    libc.free(block)
pages = int(open("/proc/self/statm").read().split()[1])
print(pages * 4096 >> 20)
"""


def resident_mib(asked):
    command = [sys.executable, "-c", CODE, asked]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc")
def test_what_is_freed_goes_back_to_the_system():
    assert resident_mib("not asked") > 16 * 24  # all of it is still there
    assert resident_mib("asked") < 100


def test_other_systems_and_other_c_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert allocator.give_back_freed_tensors() is False
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda _: SimpleNamespace())  # musl
    assert allocator.give_back_freed_tensors() is False
