"""Run the package manager of this environment, without letting it move a torch that works."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jlora_cli.machine.values import Machine

STDERR = 2  # the tool's own talk must not stand between the JSON
CONSTRAINTS = ("PIP_CONSTRAINT", "UV_CONSTRAINT")


def apply(machine: Machine, arguments: Sequence[str]) -> int:
    """Run the package manager with `arguments`; its exit code.

    A torch that can be imported keeps its version, unless the arguments ask for another: a
    package that wants a newer one is then refused, and nothing is changed.
    """
    keep = machine.torch and not machine.torch.error and not _moves_torch(arguments)
    with tempfile.TemporaryDirectory() as folder:
        limits = Path(folder, "constraints.txt")
        version = machine.packages.get("torch")
        limits.write_text(f"torch=={version}\n" if keep and version else "", encoding="utf-8")
        environment = {**os.environ, **dict.fromkeys(CONSTRAINTS, str(limits))}
        tool = [*_tool(machine), *arguments, *_which_python(machine)]
        try:
            return subprocess.run(tool, stdout=STDERR, env=environment, check=False).returncode
        except OSError:  # the tool has gone since the environment was made
            return 127


def _moves_torch(arguments: Sequence[str]) -> bool:
    return any(word.startswith("torch") and not word[5:6].isalpha() for word in arguments)


def _tool(machine: Machine) -> list[str]:
    tools = {"uv": ["uv", "pip"], "poetry": ["poetry"]}
    return tools.get(machine.manager, [sys.executable, "-m", "pip"])


def _which_python(machine: Machine) -> list[str]:
    return ["--python", sys.executable] if machine.manager == "uv" else []
