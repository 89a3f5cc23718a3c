"""What the facts about a machine mean for jlora, each with the line that mends it.

Pure: a machine is a value, and nothing is read, tried or changed here.
"""

from __future__ import annotations

import functools
import re
import shlex
from typing import TYPE_CHECKING

from jlora_cli.finding import Finding, Severity, finding
from jlora_cli.machine import (
    Gpu,
    Machine,
    fitting_wheel,
    has_kernels,
    install_line,
    requirements,
)
from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 14)  # torch 2.11 to 2.15 have wheels up to 3.14
OPTIONAL = frozenset({"bitsandbytes", "prompt-toolkit"})
# Model types whose own tokenizer code imports a package that jlora does not bring.
PACKAGES_OF_MODEL = {"qwen": "tiktoken", "phi3small": "tiktoken"}
LEAST_MEMORY_GIB = 8.0  # a 1B model in float32 and the imports
LEAST_DISK_GIB = 15.0  # a 3.6B model in float16 (7 GB), its merged copy, and checkpoints
# bitsandbytes 0.50, "Installation Guide": NF4 from 6.0, LLM.int8() from 7.5.
FOUR_BIT, EIGHT_BIT = (6, 0), (7, 5)
BFLOAT16 = (8, 0)
DRIVER_FOR_CUDA = {12: 525, 13: 580}
SINCE_CUDA_13 = (7, 5)
MOSTLY_FREE = 0.75  # a desktop takes about 1 GiB of 6


def diagnose(machine: Machine, *, model_type: str | None = None) -> list[Finding]:
    """Every finding about `machine`, in the order in which they should be mended.

    `model_type` is the config's word for the model that shall be trained ("gpt_neox").
    """
    checks: tuple[Callable[[Machine], Iterator[Finding]], ...] = (
        _python,
        _torch,
        _gpu,
        functools.partial(_missing, model_type=model_type),
        _versions,
        _memory,
        _disk,
        _bfloat16,
        _bitsandbytes,
    )
    return [item for check in checks for item in check(machine)]


def pip_commands(item: Finding) -> list[list[str]]:
    """The pip lines of a finding's remedy, as argument lists without the word "pip"."""
    lines = item.remedy.splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("pip ")]


def satisfies(version: str, specifier: str) -> bool:
    """Whether `version` lies in a range like ">=5.17,<6"; only >= and < are looked at."""
    own = _numbers(version)
    for sign, limit in re.findall(r"(>=|<(?!=))\s*([\d.]+)", specifier):
        if (own >= _numbers(limit)) != (sign == ">="):
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"\d+(\.\d+)*", version)
    numbers = [int(part) for part in found[0].split(".")] if found else []
    return tuple([*numbers, 0, 0, 0, 0][:4])


def _python(machine: Machine) -> Iterator[Finding]:
    version = _numbers(machine.python)[:2]
    severity: Severity = "warning" if version > NEWEST_PYTHON else "ok"
    severity = "error" if version < OLDEST_PYTHON else severity
    yield finding("python-version", severity, version=machine.python)
    apart = machine.in_virtual_environment or machine.container
    shell = "windows" if machine.system == "Windows" else "posix"
    lines = say(f"virtual-environment.lines.{shell}")
    yield finding("virtual-environment", "ok" if apart else "warning", lines=lines)


def _torch(machine: Machine) -> Iterator[Finding]:
    torch = machine.torch
    if torch is None:
        yield finding("torch-missing", "error", lines=install_line(machine, ["torch"]))
        return
    named = {"version": torch.version, "build": torch.build, "lines": _reinstall(machine)}
    if torch.error:
        yield finding("torch-broken", "error", error=torch.error, **named)
    elif machine.nvidia and torch.build == "cpu":
        yield finding("torch-cpu-only", "error", gpu=machine.nvidia.name, **named)
    else:
        yield finding("torch", "ok", **named)


def _reinstall(machine: Machine) -> str:
    return "pip uninstall -y torch\n" + install_line(machine, ["torch"])


def _gpu(machine: Machine) -> Iterator[Finding]:
    if not machine.gpus:
        place = "container" if machine.container else "wsl" if machine.wsl else "plain"
        yield finding("no-gpu", "warning", advice=say(f"no-gpu.advice.{place}"))
    elif machine.usable_gpu:
        yield from _usable(machine.usable_gpu)
    elif not machine.visible_gpus:
        yield _hidden(machine)
    elif machine.nvidia and fitting_wheel(machine, any_driver=True) is None:
        yield finding("gpu-too-old", "warning", **_facts(machine.nvidia))
    elif machine.nvidia:
        yield from _unusable(machine, machine.nvidia)


def _facts(gpu: Gpu) -> dict[str, object]:
    major, minor = gpu.capability
    return {"gpu": gpu.name, "capability": f"{major}.{minor}"}


def _usable(gpu: Gpu) -> Iterator[Finding]:
    facts = {"gpu": gpu.name, "memory": gpu.memory_gib, "free": gpu.free_gib}
    yield finding("gpu-ok", "ok", **facts)
    if gpu.kind == "cuda" and gpu.free_gib < MOSTLY_FREE * gpu.memory_gib:
        yield finding("gpu-memory", "warning", **facts)


def _hidden(machine: Machine) -> Finding:
    shell = "windows" if machine.system == "Windows" else "posix"
    value = machine.environment["CUDA_VISIBLE_DEVICES"]
    lines = say(f"gpu-hidden.lines.{shell}")
    return finding("gpu-hidden", "error", value=value, gpu=machine.gpus[0].name, lines=lines)


def _unusable(machine: Machine, gpu: Gpu) -> Iterator[Finding]:
    """Why torch cannot use this NVIDIA GPU; nothing where torch itself is at fault."""
    torch = machine.torch
    named = {"version": torch.version, "build": torch.build} if torch and not torch.error else {}
    # A newer driver would not help a build that has no kernels for this GPU.
    would_help = torch is not None and machine.driver_too_old and has_kernels(torch, gpu)
    if would_help or fitting_wheel(machine) is None:
        yield _old_driver(machine, gpu)
    if not torch or not named or not torch.build.startswith("cu"):
        return
    lines = _reinstall(machine)
    if not has_kernels(torch, gpu):
        yield finding("architecture-missing", "error", lines=lines, **named, **_facts(gpu))
    elif not machine.driver_too_old:
        yield finding("gpu-unusable", "error", lines=lines, **named, **_facts(gpu))


def _old_driver(machine: Machine, gpu: Gpu) -> Finding:
    major = 12 if gpu.capability < SINCE_CUDA_13 else 13
    newest = f"{machine.driver_cuda[0]}.{machine.driver_cuda[1]}" if machine.driver_cuda else "?"
    build = machine.torch.build if machine.torch else "cu126"
    other = say("driver-too-old.or", lines=_reinstall(machine)) if fitting_wheel(machine) else ""
    return finding(
        "driver-too-old",
        "error",
        driver=machine.driver,
        cuda=newest,
        build=build,
        needed=DRIVER_FOR_CUDA[major],
        other=other,
    )


def _missing(machine: Machine, *, model_type: str | None) -> Iterator[Finding]:
    extra = PACKAGES_OF_MODEL.get(model_type or "")
    named = [*requirements(), *([extra] if extra else [])]
    missing = [name for name in named if name not in machine.packages and name != "torch"]
    needed = [name for name in missing if name not in OPTIONAL]
    if not missing:
        yield finding("package-missing", "ok", count=len(named) - 1)
        return
    yield finding(
        "package-missing",
        "error" if needed else "warning",
        names=", ".join(missing),
        lines=install_line(machine, missing),
    )


def _versions(machine: Machine) -> Iterator[Finding]:
    installed = dict(machine.packages)
    if machine.torch and machine.torch.version != "?":
        installed["torch"] = machine.torch.version
    wrong = [
        name
        for name, specifier in requirements().items()
        if name in installed and not satisfies(installed[name], specifier)
    ]
    if not wrong:
        yield finding("package-version", "ok", count=len(installed))
        return
    yield finding(
        "package-version",
        "error",
        names=", ".join(f"{name} {installed[name]} ({requirements()[name]})" for name in wrong),
        lines=install_line(machine, wrong),
    )


def _memory(machine: Machine) -> Iterator[Finding]:
    low = 0 < machine.memory_gib < LEAST_MEMORY_GIB or 0 < machine.free_memory_gib < 2
    yield finding(
        "memory",
        "warning" if low else "ok",
        memory=machine.memory_gib,
        free=machine.free_memory_gib,
    )


def _disk(machine: Machine) -> Iterator[Finding]:
    low = machine.disk_free_gib < LEAST_DISK_GIB
    yield finding(
        "disk", "warning" if low else "ok", free=machine.disk_free_gib, needed=LEAST_DISK_GIB
    )


def _bfloat16(machine: Machine) -> Iterator[Finding]:
    gpu = machine.usable_gpu
    if gpu is None and machine.gpus:
        return  # the finding that says why comes first; then this one speaks of the GPU
    if gpu and gpu.kind != "cuda":
        return
    has = gpu.capability >= BFLOAT16 if gpu else machine.cpu_bfloat16
    device = gpu.name if gpu else machine.cpu
    instead = "float16" if gpu else "float32"
    yield finding("bfloat16", "ok" if has else "warning", device=device, instead=instead)


def _bitsandbytes(machine: Machine) -> Iterator[Finding]:
    gpu = machine.usable_gpu
    version = machine.packages.get("bitsandbytes")
    if version is None or gpu is None or gpu.kind != "cuda" or gpu.capability == (0, 0):
        return
    capability = f"{gpu.capability[0]}.{gpu.capability[1]}"
    if gpu.capability < FOUR_BIT:
        yield finding("bitsandbytes", "warning", gpu=gpu.name, capability=capability)
    elif gpu.capability < EIGHT_BIT:
        yield finding("bitsandbytes-8bit", "warning", gpu=gpu.name, capability=capability)
    else:
        yield finding("bitsandbytes", "ok", version=version, gpu=gpu.name)
