"""Which wheels of torch there are, which kernels they hold, and which GPUs these run on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Wheel:
    """One index of torch wheels: the CUDA its driver needs, its kernels, the versions it holds."""

    tag: str
    driver_cuda: tuple[int, int]
    architectures: tuple[str, ...]
    versions: str = ""


# As of November 2026, the one to prefer first. Kernels: pytorch/pytorch RELEASE.md, "PyTorch CUDA
# Support Matrix" (2.11: PR #175253; 2.12 to 2.14: PR #182849, #197555); sm_110 on aarch64 only.
# Ends of cu128 (2.12) and cu126 (2.15): issues #178665 and #190385. Drivers: NVIDIA, "Minor
# Version Compatibility" (CUDA 12 from 525, CUDA 13 from 580).
_SINCE_TURING = ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_110", "sm_120")
WHEELS = (
    Wheel("cu130", (13, 0), _SINCE_TURING),
    Wheel("cu132", (13, 0), _SINCE_TURING),
    Wheel(
        "cu126",
        (12, 0),
        ("sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90"),
        "<2.15",
    ),
    Wheel("cu128", (12, 0), ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"), "<2.12"),
)
# ROCm's wheels are for Linux alone; that of torch 2.13: pytorch/pytorch PR #187075.
ROCM_TAG, ROCM_VERSIONS = "rocm7.2", "<2.14"
DRIVERS = ((580, (13, 0)), (525, (12, 0)), (450, (11, 0)))  # first driver of each CUDA major
BUILD_OF_KIND = {"cuda": "cu", "rocm": "rocm", "xpu": "xpu", "mps": "cpu"}


def cuda_of_driver(driver: str | None) -> tuple[int, int] | None:
    """The first CUDA of the major that this driver runs ("535.183.01" -> (12, 0))."""
    found = re.match(r"\d+", driver or "")
    major = int(found[0]) if found else 0
    return next((cuda for first, cuda in DRIVERS if major >= first), None)


def runs_on(architectures: Iterable[str], capability: tuple[int, int]) -> bool:
    """Whether one of these kernels runs there: same major and no newer minor, or PTX to compile."""
    major, minor = capability
    for name in architectures:
        parts = re.fullmatch(r"(sm|compute)_(\d+)(\d)([af]?)", name)
        if not parts:
            continue
        own = (int(parts[2]), int(parts[3]))
        if own == capability or (parts[1] == "compute" and not parts[4] and own < capability):
            return True
        if parts[4] != "a" and own[0] == major and own[1] <= minor:
            return True
    return False
