"""The pip line that installs what is missing here, and never trades a GPU torch for a CPU one."""

from __future__ import annotations

import functools
import importlib.metadata
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from jlora_cli.machine.values import WHEELS, Machine, Wheel, runs_on

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PYTORCH_INDEX = "https://download.pytorch.org/whl"
NEEDS_TORCH = frozenset({"accelerate", "peft", "bitsandbytes"})


def fitting_wheel(machine: Machine, *, any_driver: bool = False) -> Wheel | None:
    """The torch wheel that the first NVIDIA GPU and its driver can run; None if there is none.

    With `any_driver`, as if the driver were up to date.
    """
    gpu = machine.nvidia
    if gpu is None:
        return None
    # No CUDA version known: the oldest driver that any wheel of today runs on.
    driver = (99, 0) if any_driver else machine.driver_cuda or (12, 0)
    for wheel in WHEELS:
        known = gpu.capability != (0, 0)
        fits = runs_on(wheel.architectures, gpu.capability) if known else wheel.tag == "cu126"
        if fits and wheel.driver_cuda <= driver:
            return wheel
    return None


@functools.cache
def requirements() -> Mapping[str, str]:
    """Every package that jlora names, with its versions: {"transformers": ">=5.17,<6"}."""
    try:
        lines = importlib.metadata.requires("jlora") or []
    except importlib.metadata.PackageNotFoundError:  # a checkout that was never installed
        path = Path(__file__).parents[2] / "pyproject.toml"
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        lines = project["dependencies"] + project["optional-dependencies"]["train"]
    parts = (re.match(r"([\w.-]+)(?:\[[^]]*\])?\s*([^;]*)", line) for line in lines)
    return {
        canonical(part[1]): ",".join(sorted(part[2].strip().split(","), reverse=True))
        for part in parts
        if part
    }


def canonical(name: str) -> str:
    """A package's name as metadata spells it: "prompt-toolkit" for "prompt_toolkit"."""
    return re.sub(r"[-_.]+", "-", name).lower()


def install_line(machine: Machine, packages: Sequence[str]) -> str:
    """The pip line (two where torch needs an index of its own) that installs `packages` here.

    Torch comes first, from the index that fits the GPU, whenever pip would otherwise bring one
    along: on Windows the package index holds only CPU builds.
    """
    brings_torch = machine.torch is None and not NEEDS_TORCH.isdisjoint(packages)
    rest = [name for name in packages if name != "torch"]
    lines = [_torch_line(machine)] if "torch" in packages or brings_torch else []
    if rest:
        lines.append("pip install " + " ".join(_quoted(name) for name in rest))
    return "\n".join(lines)


def _torch_line(machine: Machine) -> str:
    wheel = fitting_wheel(machine) or fitting_wheel(machine, any_driver=True)
    line = "pip install " + _quoted("torch", f",{wheel.versions}" if wheel else "")
    index = wheel.tag if wheel else _index_without_nvidia(machine)
    default = index in ("", "cu130", "cu132") and machine.system == "Linux"
    if default or not index or machine.system == "Darwin":
        return line
    return f"{line} --index-url {PYTORCH_INDEX}/{index}"


def _index_without_nvidia(machine: Machine) -> str:
    """The index of the GPU build that is there, else the CPU's; a container may yet get a GPU."""
    build = machine.torch.build if machine.torch else ""
    if re.match(r"cu\d|rocm|xpu", build):
        return build
    return "" if machine.gpus or machine.container or machine.wsl else "cpu"


def _quoted(name: str, limit: str = "") -> str:
    specifier = requirements().get(canonical(name), "") + limit.rstrip(",")
    return f'"{name}{specifier}"' if specifier else name
