"""A machine, its GPUs and its torch as plain frozen values, and which wheel holds which kernels."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class Gpu:
    """One accelerator; `kind` is cuda, rocm, mps or xpu, `capability` (0, 0) when unknown."""

    name: str
    memory_gib: float
    free_gib: float
    capability: tuple[int, int]
    kind: str = "cuda"


@dataclass(frozen=True)
class TorchBuild:
    """The installed torch: `build` is "cpu", "cu126", "rocm6.4", "xpu", ...

    `cuda_available` is what torch itself says of its accelerator (MPS and XPU too) and None
    where it was not asked; `architectures` are the kernels it names ("sm_90"), empty when not
    asked; `error` is why it cannot be imported.
    """

    version: str
    build: str
    cuda_available: bool | None = None
    architectures: tuple[str, ...] = ()
    error: str | None = None


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
BUILD_OF_KIND = {"cuda": "cu", "rocm": "rocm", "xpu": "xpu", "mps": "cpu"}


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


def has_kernels(torch: TorchBuild, gpu: Gpu) -> bool:
    """Whether this torch is of the GPU's kind and compiled for it; the unknown is trusted."""
    if not torch.build.startswith(BUILD_OF_KIND[gpu.kind]):
        return False
    known = next((wheel.architectures for wheel in WHEELS if wheel.tag == torch.build), ())
    architectures = torch.architectures or known
    if gpu.kind != "cuda" or gpu.capability == (0, 0) or not architectures:
        return True
    return runs_on(architectures, gpu.capability)


@dataclass(frozen=True)
class Machine:
    """A machine as a value; `driver_cuda` is the newest CUDA that the NVIDIA driver can run."""

    system: str
    python: str
    in_virtual_environment: bool
    cpu: str
    cores: int
    memory_gib: float
    free_memory_gib: float
    disk_free_gib: float
    cpu_bfloat16: bool = False
    driver: str | None = None
    driver_cuda: tuple[int, int] | None = None
    gpus: tuple[Gpu, ...] = ()
    torch: TorchBuild | None = None
    packages: Mapping[str, str] = field(default_factory=dict)
    wsl: bool = False
    container: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def nvidia(self) -> Gpu | None:
        """The first NVIDIA GPU, usable or not."""
        return next((gpu for gpu in self.gpus if gpu.kind == "cuda"), None)

    @property
    def visible_gpus(self) -> tuple[Gpu, ...]:
        """The GPUs that CUDA_VISIBLE_DEVICES leaves, in its order; CUDA stops at a bad index."""
        variable = self.environment.get("CUDA_VISIBLE_DEVICES")
        if variable is None or not all(gpu.kind == "cuda" for gpu in self.gpus):
            return self.gpus
        chosen = []
        for word in (part.strip() for part in variable.split(",")):
            if word.startswith(("GPU-", "MIG-")):
                return self.gpus
            if not word.isdigit() or int(word) >= len(self.gpus):
                break
            chosen.append(self.gpus[int(word)])
        return tuple(chosen)

    @property
    def usable_gpus(self) -> tuple[Gpu, ...]:
        """The GPUs that the installed torch can use."""
        torch = self.torch
        if torch is None or torch.error or torch.cuda_available is False or self.driver_too_old:
            return ()
        return tuple(gpu for gpu in self.visible_gpus if has_kernels(torch, gpu))

    @property
    def usable_gpu(self) -> Gpu | None:
        """The first of them."""
        return next(iter(self.usable_gpus), None)

    @property
    def driver_too_old(self) -> bool:
        """Whether torch was built for a newer CUDA major than the driver runs.

        Within one major a driver runs every build: docs.nvidia.com/deploy/cuda-compatibility.
        """
        wanted = re.match(r"cu(\d\d)\d", self.torch.build) if self.torch else None
        return bool(wanted and self.driver_cuda and int(wanted[1]) > self.driver_cuda[0])
