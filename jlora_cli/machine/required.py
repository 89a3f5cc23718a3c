"""What training and answering need besides the core, and how to say that it is missing."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from jlora_cli.errors import refuse
from jlora_cli.machine.install import install_line, joined
from jlora_cli.machine.reading import read_machine

if TYPE_CHECKING:
    from collections.abc import Sequence

TRAINING = ("torch", "transformers", "peft", "accelerate")


def require_training_packages() -> None:
    """Refuse what needs torch where a package of the `train` extra is missing.

    Raises:
        JloraError: names the packages and the line that installs them on this machine.
    """
    missing = _missing(TRAINING)
    if missing:
        line = _install_line(missing)
        raise refuse("machine.packages_missing", names=", ".join(missing), line=line)


def require_logger_packages(names: Sequence[str]) -> None:
    """Refuse a run that would report to a package which is not installed.

    Raises:
        JloraError: names the packages and the line that installs them on this machine.
    """
    missing = _missing(names)
    if missing:
        line = _install_line(missing)
        raise refuse("logger.missing", names=", ".join(missing), line=line)


def _missing(names: Sequence[str]) -> list[str]:
    return [name for name in names if importlib.util.find_spec(name) is None]


def _install_line(names: Sequence[str]) -> str:
    machine = read_machine()
    return joined(machine, install_line(machine, names))
