"""Torch, the GPU and the driver between them: what keeps a GPU from being used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jlora_cli.diagnosis.packages import without_wheels
from jlora_cli.finding import Finding, finding
from jlora_cli.machine import (
    Gpu,
    Machine,
    fitting_wheel,
    has_kernels,
    install_line,
    repair_torch,
)
from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Iterator

DRIVER_FOR_CUDA = {12: 525, 13: 580}
SINCE_CUDA_13 = (7, 5)
MOSTLY_FREE = 0.75  # a desktop takes about 1 GiB of 6
SHOWN_PROCESSES = 3


def torch(machine: Machine) -> Iterator[Finding]:
    """Whether torch is there, can be imported, and is a build for this machine's GPU."""
    own = machine.torch
    if own is None and without_wheels(machine):
        return  # said with Python's own findings, and no line would help
    if own is None:
        yield finding("torch-missing", "error", lines=install_line(machine, ["torch"]))
        return
    named = {"version": own.version, "build": own.build, "lines": install_line(machine, ["torch"])}
    if own.error:
        yield finding("torch-broken", "error", error=own.error, **named)
    elif own.build == "cpu" and machine.nvidia:
        yield finding("torch-cpu-only", "error", gpu=machine.nvidia.name, **named)
    elif own.build == "cpu" and _amd(machine):
        yield finding("torch-without-rocm", "warning", gpu=_amd(machine), **named)
    else:
        yield finding("torch", "ok", **named)


def _amd(machine: Machine) -> str:
    """The AMD card of a Linux machine without an NVIDIA one; AMD's wheels are for Linux alone."""
    if machine.system != "Linux" or machine.gpus or machine.container or machine.wsl:
        return ""
    return next((card for card in machine.adapters if card.startswith("AMD")), "")


def gpu(machine: Machine) -> Iterator[Finding]:
    """The GPU that will be used, or why none is."""
    if not machine.gpus:
        yield _no_gpu(machine)
    elif machine.usable_gpu:
        yield from _usable(machine, machine.usable_gpu)
    elif not machine.visible_gpus:
        yield _hidden(machine)
    elif machine.nvidia and fitting_wheel(machine, any_driver=True) is None:
        yield finding("gpu-too-old", "warning", **facts(machine.nvidia))
    elif machine.nvidia:
        yield from _unusable(machine, machine.nvidia)


def facts(gpu: Gpu) -> dict[str, object]:
    """How sentences name a GPU and its compute capability."""
    major, minor = gpu.capability
    return {"gpu": gpu.name, "capability": f"{major}.{minor}"}


def _no_gpu(machine: Machine) -> Finding:
    """No GPU that a driver answers for, and the likeliest reason."""
    card = next((name for name in machine.adapters if name.startswith("NVIDIA")), "")
    if machine.driver_error:
        kind = "mismatch" if "mismatch" in machine.driver_error else "silent"
        advice = say(f"driver-fails.advice.{kind}")
        return finding("driver-fails", "error", error=machine.driver_error, advice=advice)
    if machine.wsl_driver == "linux":
        return finding("wsl-driver", "error")
    if card and machine.container:
        return finding("container-without-gpu", "error", gpu=card)
    if card and not machine.wsl:
        return finding("driver-missing", "error", gpu=card)
    place = "container" if machine.container else "wsl" if machine.wsl else "plain"
    return finding("no-gpu", "warning", advice=say(f"no-gpu.advice.{place}"))


def _usable(machine: Machine, gpu: Gpu) -> Iterator[Finding]:
    named = {"gpu": gpu.name, "memory": gpu.memory_gib, "free": gpu.free_gib}
    more = len(machine.visible_gpus) - 1
    also = say("gpu-ok.more", count=more) if more > 0 else ""
    yield finding("gpu-ok", "ok", also=also, **named)
    if gpu.kind == "cuda" and 0 < gpu.free_gib < MOSTLY_FREE * gpu.memory_gib:
        users = sorted(gpu.processes, key=lambda each: -(each.memory_gib or 0))[:SHOWN_PROCESSES]
        shown = ", ".join(
            say("gpu-memory.user", name=each.name, pid=each.pid, size=each.memory_gib)
            if each.memory_gib is not None
            else say("gpu-memory.unmeasured", name=each.name, pid=each.pid)
            for each in users
        )
        taken = say("gpu-memory.users", users=shown) if shown else ""
        yield finding("gpu-memory", "warning", users=taken, **named)


def _hidden(machine: Machine) -> Finding:
    value = machine.environment["CUDA_VISIBLE_DEVICES"]
    lines = unset(machine, "CUDA_VISIBLE_DEVICES")
    return finding("gpu-hidden", "error", value=value, gpu=machine.gpus[0].name, lines=lines)


def unset(machine: Machine, name: str) -> str:
    """The line that takes a variable out of this shell."""
    lines = {"powershell": f"Remove-Item Env:{name}", "cmd": f"set {name}="}
    return lines.get(machine.speaks, f"unset {name}")


def _unusable(machine: Machine, gpu: Gpu) -> Iterator[Finding]:
    """Why torch cannot use this NVIDIA GPU; nothing where torch itself is at fault."""
    own = machine.torch
    named = {"version": own.version, "build": own.build} if own and not own.error else {}
    # A newer driver would not help a build that has no kernels for this GPU.
    would_help = own is not None and machine.driver_too_old and has_kernels(own, gpu)
    if would_help or fitting_wheel(machine) is None:
        yield _old_driver(machine, gpu)
    if not own or not named or not own.build.startswith("cu"):
        return
    if not has_kernels(own, gpu):
        lines = install_line(machine, ["torch"])
        yield finding("architecture-missing", "error", lines=lines, **named, **facts(gpu))
    elif gpu.mig:
        yield finding("mig-empty", "error", gpu=gpu.name)
    elif not machine.driver_too_old:
        said = say("gpu-unusable.said", error=own.cuda_error) if own.cuda_error else ""
        lines = repair_torch(machine)
        yield finding("gpu-unusable", "error", lines=lines, said=said, **named, **facts(gpu))


def _old_driver(machine: Machine, gpu: Gpu) -> Finding:
    major = 12 if gpu.capability < SINCE_CUDA_13 else 13
    newest = f"{machine.driver_cuda[0]}.{machine.driver_cuda[1]}" if machine.driver_cuda else "?"
    build = machine.torch.build if machine.torch else "cu126"
    lines = install_line(machine, ["torch"])
    other = say("driver-too-old.or", lines=lines) if fitting_wheel(machine) else ""
    return finding(
        "driver-too-old",
        "error",
        driver=machine.driver,
        cuda=newest,
        build=build,
        needed=DRIVER_FOR_CUDA[major],
        other=other,
    )
