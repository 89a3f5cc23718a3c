"""What training and answering need besides the core, and how to say that it is missing."""

from __future__ import annotations

import importlib.util

from jlora_cli.errors import refuse
from jlora_cli.machine.install import install_line, joined
from jlora_cli.machine.reading import read_machine

TRAINING = ("torch", "transformers", "peft", "accelerate")


def require_training_packages() -> None:
    """Refuse what needs torch where a package of the `train` extra is missing.

    Raises:
        JloraError: names the packages and the line that installs them on this machine.
    """
    missing = [name for name in TRAINING if importlib.util.find_spec(name) is None]
    if missing:
        machine = read_machine()
        line = joined(machine, install_line(machine, missing))
        raise refuse("machine.packages_missing", names=", ".join(missing), line=line)
