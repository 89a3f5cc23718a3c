"""A machine, its GPUs and its torch as plain frozen values, which tests can make up."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jlora_cli.machine.wheels import BUILD_OF_KIND, WHEELS, runs_on

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class GpuProcess:
    """A program that uses a GPU; `memory_gib` is None where the driver does not tell (Windows)."""

    name: str
    pid: int
    memory_gib: float | None = None


@dataclass(frozen=True)
class Gpu:
    """One accelerator; `kind` is cuda, rocm, mps or xpu, `capability` (0, 0) when unknown.

    `mig` says that the GPU is divided into instances (NVIDIA's Multi-Instance GPU).
    """

    name: str
    memory_gib: float
    free_gib: float
    capability: tuple[int, int]
    kind: str = "cuda"
    mig: bool = False
    processes: tuple[GpuProcess, ...] = ()


@dataclass(frozen=True)
class TorchBuild:
    """The installed torch: `build` is "cpu", "cu126", "rocm6.4", "xpu", ...

    `cuda_available` is what torch itself says of its accelerator (MPS and XPU too) and None
    where it was not asked; `architectures` are the kernels it names ("sm_90"), empty when not
    asked; `error` is why it cannot be imported, `cuda_error` why CUDA does not start.
    """

    version: str
    build: str
    cuda_available: bool | None = None
    architectures: tuple[str, ...] = ()
    error: str | None = None
    cuda_error: str | None = None

    @property
    def release(self) -> tuple[int, ...]:
        """Its version as numbers, (2, 13); () where it is written otherwise."""
        numbers = self.version.split("+")[0].split(".")[:2]
        return tuple(int(each) for each in numbers if each.isdecimal())


@dataclass(frozen=True)
class Trial:
    """Something that was tried on `device`: whether it worked, and how it failed."""

    name: str
    ok: bool
    device: str
    detail: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Conflict:
    """A need that is not met: `package` (of `version`) wants `need` + `specifier`, not `has`."""

    package: str
    version: str
    need: str
    specifier: str
    has: str

    def __str__(self) -> str:
        return f"{self.package} {self.version}: {self.need}{self.specifier} ({self.has})"


@dataclass(frozen=True)
class Hub:
    """How the model hub is reached; `token` says whether there is one, never which.

    `cache` has the home folder written as "~".
    """

    cache: str = "~/.cache/huggingface/hub"
    endpoint: str = "https://huggingface.co"
    offline: bool = False
    token: bool = False


@dataclass(frozen=True)
class Windows:
    """What Windows allows: paths over 260 characters, symbolic links; the console's code page."""

    long_paths: bool = True
    symlinks: bool = True
    code_page: int = 65001


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
    """A machine as a value; `driver_cuda` is the newest CUDA that the NVIDIA driver can run.

    `disk_free_gib` is the lesser of what is free for the hub's cache and for the output. `shell`
    is bash, powershell or cmd; `manager` is pip, uv, conda or poetry, and `installer` how it is
    called there. `adapters` are the NVIDIA and AMD cards that the system lists, with or without a
    driver; `driver_error` is what nvidia-smi said instead of an answer. `wsl_driver` is "windows"
    as it should be, "linux" where a driver was installed inside WSL, or "missing". `c_compiler` is
    whether there is one where Triton looks.
    """

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
    release: str = ""
    architecture: str = ""
    bits: int = 64
    shell: str = ""
    manager: str = "pip"
    installer: str = "pip"
    cache_free_gib: float | None = None
    output_free_gib: float | None = None
    hub: Hub = field(default_factory=Hub)
    adapters: tuple[str, ...] = ()
    driver_error: str = ""
    wsl_driver: str = ""
    windows: Windows | None = None
    conflicts: tuple[Conflict, ...] = ()
    trials: tuple[Trial, ...] = ()
    c_compiler: bool = True

    @property
    def speaks(self) -> str:
        """The shell that a remedy is written for."""
        return self.shell or ("powershell" if self.system == "Windows" else "bash")

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
