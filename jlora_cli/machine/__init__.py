"""What this machine is: system, memory, GPUs, driver, torch build, package versions.

The values are plain, so that tests can make up any machine. Torch is never imported here: its
build is read from the text of its files, and what it sees and can do is tried in a subprocess, so
that a missing or broken torch is a fact like any other. What the facts mean is not known here
(see diagnosis/), except which wheel of torch fits, which `install_line` needs.
"""

from jlora_cli.machine.applying import apply
from jlora_cli.machine.install import (
    companion_line,
    fitting_wheel,
    install_line,
    joined,
    plain_line,
    reinstall_line,
    repair_torch,
    requirements,
)
from jlora_cli.machine.nvidia import parse_nvidia_smi
from jlora_cli.machine.nvml import LoadMeter
from jlora_cli.machine.reading import read_machine
from jlora_cli.machine.required import require_logger_packages, require_training_packages
from jlora_cli.machine.shell import command_line
from jlora_cli.machine.surroundings import home_folder
from jlora_cli.machine.values import (
    Conflict,
    Gpu,
    GpuProcess,
    Hub,
    Machine,
    TorchBuild,
    Trial,
    Windows,
    has_kernels,
)

__all__ = [
    "Conflict",
    "Gpu",
    "GpuProcess",
    "Hub",
    "LoadMeter",
    "Machine",
    "TorchBuild",
    "Trial",
    "Windows",
    "apply",
    "command_line",
    "companion_line",
    "fitting_wheel",
    "has_kernels",
    "home_folder",
    "install_line",
    "joined",
    "parse_nvidia_smi",
    "plain_line",
    "read_machine",
    "reinstall_line",
    "repair_torch",
    "require_logger_packages",
    "require_training_packages",
    "requirements",
]
