"""What the facts about a machine mean for jlora, each with the line that mends it.

Pure: a machine is a value, and nothing is read, tried or changed here.
"""

from __future__ import annotations

import functools
import shlex
from typing import TYPE_CHECKING

from jlora_cli.diagnosis.abilities import bfloat16, bitsandbytes, trials, variable_length
from jlora_cli.diagnosis.accelerator import gpu, torch
from jlora_cli.diagnosis.packages import broken, conflicts, missing, python, satisfies, versions
from jlora_cli.diagnosis.paste import anonymous, markdown
from jlora_cli.diagnosis.room import disk, memory
from jlora_cli.diagnosis.surroundings import hub, variables, windows
from jlora_cli.diagnosis.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jlora_cli.finding import Finding
    from jlora_cli.machine import Machine

__all__ = ["Wanted", "anonymous", "commands", "diagnose", "markdown", "satisfies"]


def diagnose(machine: Machine, wanted: Wanted | None = None) -> list[Finding]:
    """Every finding about `machine`, in the order in which they should be mended.

    `wanted` is what a model that shall be trained asks for.
    """
    checks: tuple[Callable[[Machine], Iterator[Finding]], ...] = (
        python,
        torch,
        gpu,
        functools.partial(missing, wanted=wanted),
        broken,
        versions,
        conflicts,
        trials,
        memory,
        functools.partial(disk, wanted=wanted),
        bfloat16,
        variable_length,
        bitsandbytes,
        variables,
        functools.partial(hub, wanted=wanted),
        windows,
    )
    return [item for check in checks for item in check(machine)]


def commands(item: Finding, machine: Machine) -> dict[str, list[str]]:
    """What a remedy asks of the package manager: each line as it is pasted -> its arguments."""
    begin = f"{machine.installer} "
    lines = [line for line in item.remedy.splitlines() if line.startswith(begin)]
    return {line: shlex.split(line.removeprefix(begin)) for line in lines}
