"""Python, its environment, and the packages in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jlora_cli.finding import Finding, Severity, finding
from jlora_cli.machine import (
    Machine,
    companion_line,
    install_line,
    plain_line,
    reinstall_line,
    requirements,
)
from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jlora_cli.diagnosis.wanted import Wanted

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 14)  # torch 2.11 to 2.15 have wheels up to 3.14
OPTIONAL = frozenset({"bitsandbytes", "prompt-toolkit"})


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


def without_wheels(machine: Machine) -> bool:
    """Whether there is no torch for this Python: 32 bits, or a Mac that is no M-series one."""
    return machine.bits == 32 or (machine.system, machine.architecture) == ("Darwin", "x86_64")


def python(machine: Machine) -> Iterator[Finding]:
    """Its version, whether torch has wheels for it at all, and whether it stands apart."""
    version = _numbers(machine.python)[:2]
    severity: Severity = "warning" if version > NEWEST_PYTHON else "ok"
    severity = "error" if version < OLDEST_PYTHON else severity
    yield finding("python-version", severity, version=machine.python)
    if machine.bits == 32:
        yield finding("python-32bit", "error", version=machine.python)
    elif without_wheels(machine):
        yield finding("intel-mac", "error", cpu=machine.cpu)
    apart = machine.in_virtual_environment or machine.container
    lines = say(f"virtual-environment.lines.{machine.speaks}")
    yield finding("virtual-environment", "ok" if apart else "warning", lines=lines)


def missing(machine: Machine, *, wanted: Wanted | None) -> Iterator[Finding]:
    """Packages that are not there, those of the wanted model's tokenizer included."""
    extra = wanted.packages if wanted else ()
    named = dict.fromkeys([*requirements(), *extra])
    absent = [name for name in named if name not in machine.packages and name != "torch"]
    needed = [name for name in absent if name not in OPTIONAL]
    for_model = [name for name in extra if name in absent]
    if not absent:
        yield finding("package-missing", "ok", count=len(named) - 1)
        return
    yield finding(
        "package-missing",
        "error" if needed else "warning",
        names=", ".join(absent),
        model=say("package-missing.model", names=", ".join(for_model)) if for_model else "",
        lines=install_line(machine, absent),
    )


def broken(machine: Machine) -> Iterator[Finding]:
    """Packages that are installed and cannot be imported: half-installed, or for another Python."""
    failed = [each for each in machine.trials if each.name.startswith("import ") and not each.ok]
    if not failed:
        return
    names = [trial.name.removeprefix("import ") for trial in failed]
    yield finding(
        "package-broken",
        "error",
        names=", ".join(f"{name} {machine.packages.get(name, '?')}" for name in names),
        detail=failed[0].detail,
        lines=reinstall_line(machine, names),
    )


def versions(machine: Machine) -> Iterator[Finding]:
    """Packages outside the ranges that jlora is tested with."""
    installed = dict(machine.packages)
    if machine.torch and machine.torch.version != "?":
        installed["torch"] = machine.torch.version
    known = {name: part for name, part in requirements().items() if name in installed}
    wrong = [name for name, part in known.items() if not satisfies(installed[name], part)]
    if not wrong:
        yield finding("package-version", "ok", count=len(known))
        return
    yield finding(
        "package-version",
        "error",
        names=", ".join(f"{name} {installed[name]} ({known[name]})" for name in wrong),
        lines=install_line(machine, wrong),
    )


def conflicts(machine: Machine) -> Iterator[Finding]:
    """Packages that do not fit each other, put right without moving torch."""
    if not machine.conflicts:
        return
    for_torch = [each.package for each in machine.conflicts if each.need == "torch"]
    rest = [each for each in machine.conflicts if each.need != "torch"]
    lines = [companion_line(machine, list(dict.fromkeys(for_torch)))] if for_torch else []
    if rest:
        lines.append(plain_line(machine, (f'"{each.need}{each.specifier}"' for each in rest)))
    told = "; ".join(map(str, machine.conflicts))
    yield finding("package-conflict", "warning", conflicts=told, lines="\n".join(lines))
