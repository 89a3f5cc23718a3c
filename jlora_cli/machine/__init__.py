"""What this machine is: system, memory, GPUs, driver, torch build, package versions.

The values are plain, so that tests can make up any machine. Torch is never imported here: its
build is read from the text of its files, and what it really sees is asked in a subprocess, so
that a missing or broken torch is a fact like any other. What the facts mean is not known here
(see diagnosis.py), except which wheel of torch fits, which `install_line` needs.
"""

from jlora_cli.machine.install import fitting_wheel, install_line, requirements
from jlora_cli.machine.nvidia import parse_nvidia_smi
from jlora_cli.machine.reading import read_machine
from jlora_cli.machine.required import require_training_packages
from jlora_cli.machine.values import Gpu, Machine, TorchBuild, has_kernels

__all__ = [
    "Gpu",
    "Machine",
    "TorchBuild",
    "fitting_wheel",
    "has_kernels",
    "install_line",
    "parse_nvidia_smi",
    "read_machine",
    "require_training_packages",
    "requirements",
]
