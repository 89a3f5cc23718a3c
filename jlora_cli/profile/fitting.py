"""Which packaged profiles fit a machine, which one to take, and why. Pure: a machine is a value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jlora_cli.config import (
    best_precision,
    bitsandbytes_lack,
    cuda_lack,
    has_precision,
    training_gpu,
    training_gpus,
)
from jlora_cli.finding import Finding, found
from jlora_cli.messages import say
from jlora_cli.profile.files import Profile, load_profile

if TYPE_CHECKING:
    from jlora_cli.machine import Gpu, Machine

_CUDA_LIKE = ("cuda", "rocm")


@dataclass(frozen=True)
class Needs:
    """What a profile needs; `kinds` of GPU, none of them for a CPU's.

    `memory_gib`: of every GPU, or of the machine for a CPU's, as drivers report it, which is less
    than what is on the box: 7.6 to 8.0 for 8 GB, 22.5 (L4, A10) to 24.0 for 24 GB, 39.4 for 40.
    `precision` and `quantization` are those that the profile fixes.
    """

    memory_gib: float
    kinds: tuple[str, ...] = _CUDA_LIKE
    precision: str = "auto"
    quantization: str = "none"
    gpus: int = 1
    cores: int = 1


# Preferred first: the first one that fits, and that fixes no precision worse than the GPU's best,
# is recommended. The precision and quantization of a line are those of the file (a test holds it).
NEEDS: dict[str, Needs] = {
    "multi-gpu": Needs(14, gpus=2),
    "h200": Needs(120, precision="bfloat16"),
    "a100": Needs(38, precision="bfloat16"),
    "rtx-24gb": Needs(21.5, precision="bfloat16"),
    "t4": Needs(14, precision="float16"),
    "rtx-12gb-4bit": Needs(11.5, quantization="4bit"),
    "rtx-8gb-4bit": Needs(7.4, quantization="4bit"),
    "a100-4bit": Needs(21.5, precision="bfloat16", quantization="4bit"),
    "a100-8bit": Needs(21.5, precision="float16", quantization="8bit"),
    "surface-cuda": Needs(1.9),
    "apple-mps": Needs(7, kinds=("mps",)),
    "cpu": Needs(24, kinds=(), precision="float32", cores=8),
    "cpu-small": Needs(0, kinds=(), precision="float32"),
}
# A GPU whose memory the driver does not tell (a MIG slice, memory shared with the CPU) counts as
# a small one.
_UNTOLD_GIB = 2.0


@dataclass(frozen=True)
class Fitting:
    """Which packaged profiles fit a machine, and the one to take."""

    recommended: str
    reason: str
    names: list[str]


def fitting_profiles(machine: Machine) -> Fitting:
    """The profiles that fit `machine`, the preferred ones first, and why to take the one."""
    names = _fitting_names(machine)
    recommended = _preferred(names, machine)
    return Fitting(recommended, _reason(recommended, machine), names)


def _fitting_names(machine: Machine) -> list[str]:
    return [name for name, needs in NEEDS.items() if not _lack(needs, machine)]


def _preferred(names: list[str], machine: Machine) -> str:
    """The first of `names`, all of which fit, that makes the best of a GPU's arithmetic."""
    best, _ = best_precision(machine)
    lines = ((name, NEEDS[name]) for name in names)
    return next(name for name, it in lines if not it.kinds or it.precision in ("auto", best))


def choose_profile(name: str, machine: Machine) -> tuple[Profile, str]:
    """The profile `name` ("auto" picks by the machine), and why."""
    if name != "auto":
        return load_profile(name), say("profile.reason.asked")
    fitting = fitting_profiles(machine)
    return load_profile(fitting.recommended), fitting.reason


def check_fit(name: str, machine: Machine) -> list[Finding]:
    """A warning where the profile `name`, or the packaged one that it extends, does not fit.

    A file of one's own that extends none is held against nothing.
    """
    packaged = load_profile(name).packaged
    lack = _lack(NEEDS[packaged], machine) if packaged else ""
    if not lack:
        return []
    other = fitting_profiles(machine).recommended
    return [found("profile-does-not-fit", name=name, lack=lack, other=other)]


def _lack(needs: Needs, machine: Machine) -> str:
    """What the machine lacks, as a sentence goes on after "needs"; empty where nothing."""
    if not needs.kinds:
        return _lack_of_cpu(needs, machine)
    gpu = training_gpu(machine)
    if gpu is None or gpu.kind not in needs.kinds:
        return _lack_of_gpu(needs, machine)
    return (
        _lack_of_gpus(needs, machine)
        or _lack_of_memory(needs, _smallest(needs, machine, gpu))
        or _lack_of_precision(needs, machine, gpu)
        or bitsandbytes_lack(machine, needs.quantization)
    )


def _lack_of_cpu(needs: Needs, machine: Machine) -> str:
    if machine.cores >= needs.cores and machine.memory_gib >= needs.memory_gib:
        return ""
    has = {"has_cores": machine.cores, "has_memory": f"{machine.memory_gib:.0f}"}
    return say("profile.needs.cpu", cores=needs.cores, memory=f"{needs.memory_gib:g}", **has)


def _lack_of_gpu(needs: Needs, machine: Machine) -> str:
    if "mps" in needs.kinds:
        return say("profile.needs.mps")
    return cuda_lack(machine)


def _lack_of_gpus(needs: Needs, machine: Machine) -> str:
    if needs.gpus == 1:
        return ""
    if machine.system == "Windows":
        return say("profile.needs.not_windows", count=needs.gpus)
    there = len(training_gpus(machine))
    return say("profile.needs.gpus", count=needs.gpus, has=there) if there < needs.gpus else ""


def _smallest(needs: Needs, machine: Machine, gpu: Gpu) -> Gpu:
    """The GPU with the least memory of those that the profile would use."""
    used = training_gpus(machine) if needs.gpus > 1 else (gpu,)
    return min(used, key=lambda each: each.memory_gib)


def _lack_of_memory(needs: Needs, gpu: Gpu) -> str:
    has = gpu.memory_gib or _UNTOLD_GIB
    if has >= needs.memory_gib:
        return ""
    asked = f"{needs.memory_gib:g}"
    if not gpu.memory_gib:
        return say("profile.needs.memory_told", memory=asked, gpu=gpu.name)
    has_gib = f"{gpu.memory_gib:.1f}"
    return say("profile.needs.memory", memory=asked, gpu=gpu.name, has=has_gib)


def _lack_of_precision(needs: Needs, machine: Machine, gpu: Gpu) -> str:
    if needs.precision == "auto" or has_precision(machine, needs.precision):
        return ""
    return say("profile.needs.precision", precision=needs.precision, gpu=gpu.name)


def _reason(name: str, machine: Machine) -> str:
    """Why `name` is the one to take: the device, what fits there, and what stood in the way."""
    gpu = training_gpu(machine)
    if not NEEDS[name].kinds:
        numbers = {"cores": machine.cores, "memory": f"{machine.memory_gib:.0f}"}
        start = _why_no_gpu(machine)
        return start if name == "cpu-small" else say("profile.why.cpu", start=start, **numbers)
    assert gpu is not None  # only a profile for CPUs fits without one
    if not gpu.memory_gib:
        return say("profile.why.untold", gpu=gpu.name)
    numbers = {"memory": f"{gpu.memory_gib:.0f}", "count": len(training_gpus(machine))}
    return say(f"profile.why.{name}", gpu=gpu.name, **numbers) + _but(name, machine, gpu)


def _but(name: str, machine: Machine, gpu: Gpu) -> str:
    if gpu.kind == "rocm":
        return say("profile.why.but_amd")
    complete = replace(machine, packages={})  # packages that are not known are trusted
    blocked = _preferred(_fitting_names(complete), complete) != name
    return say("profile.why.but_bitsandbytes") if blocked else ""


def _why_no_gpu(machine: Machine) -> str:
    gpu, usable = training_gpu(machine), machine.usable_gpu
    if gpu:
        return say("profile.why.gpu_too_small", gpu=gpu.name, memory=f"{gpu.memory_gib:.1f}")
    if usable:
        return say("profile.why.xpu", gpu=usable.name)
    if machine.nvidia and machine.torch:
        version = machine.torch.version
        return say("profile.why.gpu_unusable", gpu=machine.nvidia.name, version=version)
    return say("profile.why.cpu-small")
