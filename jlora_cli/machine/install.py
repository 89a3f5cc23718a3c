"""The lines that install what is missing here, and never trade a GPU torch for a CPU one.

Nothing is uninstalled first: pip and uv fetch everything a line asks for, and put the new in the
place of the old only then (and pip puts the old back if that fails). So a download that breaks
off leaves what worked.
"""

from __future__ import annotations

import functools
import importlib.metadata
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from jlora_cli.machine.wheels import ROCM_TAG, ROCM_VERSIONS, WHEELS, Wheel, runs_on

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jlora_cli.machine.values import Machine

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


_TRAIN_EXTRA = re.compile(r"extra\s*==\s*['\"]train['\"]")


@functools.cache
def requirements() -> Mapping[str, str]:
    """The packages of the core and of training, with their versions.

    {"transformers": ">=5.17,<6"}. What single options need (the `dedupe` extra) they name.
    """
    try:
        lines = importlib.metadata.requires("jlora") or []
    except importlib.metadata.PackageNotFoundError:  # a checkout that was never installed
        path = Path(__file__).parents[2] / "pyproject.toml"
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        lines = project["dependencies"] + project["optional-dependencies"]["train"]
    lines = [line for line in lines if "extra" not in line or re.search(_TRAIN_EXTRA, line)]
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
    """The lines that install `packages` here, by this environment's own package manager.

    Torch comes first, from the index that fits the GPU, whenever another package would otherwise
    bring one along: on Windows the package index holds only CPU builds.
    """
    brings_torch = machine.torch is None and not NEEDS_TORCH.isdisjoint(packages)
    rest = [name for name in packages if name != "torch"]
    lines = _torch_lines(machine) if "torch" in packages or brings_torch else []
    if rest:
        lines.append(plain_line(machine, map(_quoted, rest)))
    return "\n".join(lines)


def plain_line(machine: Machine, asked: Iterable[str]) -> str:
    """The line that installs what is asked for ('"fsspec<2026"') from the package index."""
    verb = "add" if machine.manager == "poetry" else "install"
    return f"{machine.installer} {verb} {' '.join(asked)}"


def reinstall_line(machine: Machine, names: Sequence[str]) -> str:
    """The line that installs the files of packages anew, and moves nothing that they need."""
    asked = " ".join(map(_quoted, names))
    if machine.manager == "poetry":
        return f"poetry run python -m pip install --force-reinstall --no-deps {asked}"
    if machine.manager == "uv":
        which = " ".join(f"--reinstall-package {name}" for name in names)
        return f"{machine.installer} install {which} {asked}"
    return f"{machine.installer} install --force-reinstall --no-deps {asked}"


def companion_line(machine: Machine, names: Sequence[str]) -> str:
    """The line that brings what is built for one torch alone (torchvision) to the torch there is.

    Torch stands in the line with its own version, so that it is the others that move.
    """
    version = machine.packages.get("torch", "")
    asked = " ".join([f'"torch=={version}"', *names])
    if machine.manager == "poetry":
        return f"poetry add {asked}"
    build = version.partition("+")[2]
    index = f" --index-url {PYTORCH_INDEX}/{build}" if build else ""
    return f"{machine.installer} install --upgrade {asked}{index}"


def joined(machine: Machine, lines: str) -> str:
    """Lines as one, each run only where the one before it worked; PowerShell 5.1 knows no `&&`."""
    if machine.speaks != "powershell":
        return lines.replace("\n", " && ")
    first, *rest = lines.split("\n")
    return first + "".join(f"; if ($?) {{ {line} }}" for line in rest)


def repair_torch(machine: Machine) -> str:
    """The lines for a torch that can be imported and yet does not work: another build, or anew."""
    tag, _, index = _torch_source(machine)
    version = machine.packages.get("torch")
    own = machine.torch
    if own is None or own.error or own.build != tag or not version or machine.manager == "poetry":
        return "\n".join(_torch_lines(machine))
    how = "--force-reinstall --no-deps"  # the version stays, and so do its needs
    how = "--reinstall-package torch" if machine.manager == "uv" else how
    return f'{machine.installer} install {how} "torch=={version}"{_from(index)}'


def _torch_source(machine: Machine) -> tuple[str, str, str]:
    """(tag, limit of versions, index) of the torch that fits; no index means the package index."""
    wheel = fitting_wheel(machine) or fitting_wheel(machine, any_driver=True)
    tag = wheel.tag if wheel else _index_without_nvidia(machine)
    limit = wheel.versions if wheel else ROCM_VERSIONS if tag == ROCM_TAG else ""
    default = tag in ("", "cu130", "cu132") and machine.system == "Linux"
    index = "" if default or not tag or machine.system == "Darwin" else f"{PYTORCH_INDEX}/{tag}"
    return tag, limit, index


def _from(index: str) -> str:
    return f" --index-url {index}" if index else ""


def _torch_lines(machine: Machine) -> list[str]:
    """How torch gets here, or another in its place; a broken one's files first, then its needs."""
    tag, limit, index = _torch_source(machine)
    asked, uv = _quoted("torch", limit), machine.manager == "uv"
    if machine.manager == "poetry":
        return _poetry_lines(tag, index, asked)
    begin, end = f"{machine.installer} install", _from(index)
    if machine.torch is None:
        return [f"{begin} {asked}{end}"]
    if not machine.torch.error:
        how = "--upgrade-package torch" if uv else "--upgrade"
        return [f"{begin} {how} {_quoted('torch', limit, _not_this_one(machine))}{end}"]
    if uv:
        return [f"{begin} --reinstall-package torch {asked}{end}"]
    return [f"{begin} --force-reinstall --no-deps {asked}{end}", f"{begin} {asked}{end}"]


def _poetry_lines(tag: str, index: str, asked: str) -> list[str]:
    if not index:
        return [f"poetry add {asked}"]
    source = f"pytorch-{tag}"
    return [
        f"poetry source add --priority=explicit {source} {index}",
        f"poetry add --source {source} {asked}",
    ]


def _not_this_one(machine: Machine) -> str:
    """Leaves out the installed build: 2.14.1+cu130 counts as newer than 2.14.1+cu126.

    A build from the package index has no "+" in its version and counts as older than any that
    has; nothing needs to leave it out, and `!=2.14.1` would leave out 2.14.1+cu126 too (PEP 440).
    """
    version = machine.packages.get("torch", "")
    return f"!={version}" if "+" in version else ""


def _index_without_nvidia(machine: Machine) -> str:
    """The index of the GPU build that is there, else the CPU's; a container may yet get a GPU."""
    build = machine.torch.build if machine.torch else ""
    if build == "xpu" or build in (wheel.tag for wheel in WHEELS):
        return build
    if build.startswith("rocm"):
        return ROCM_TAG
    if build.startswith("cu"):  # of an index that holds no torch new enough for jlora
        return ""
    if machine.system == "Linux" and any(card.startswith("AMD") for card in machine.adapters):
        return ROCM_TAG
    return "" if machine.gpus or machine.container or machine.wsl else "cpu"


def _quoted(name: str, *limits: str) -> str:
    parts = [requirements().get(canonical(name), ""), *limits]
    specifier = ",".join(part for part in parts if part)
    return f'"{name}{specifier}"' if specifier else name
