"""Read this machine: one value out of all that the other files of this room find out."""

from __future__ import annotations

import os
import platform
import struct
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from jlora_cli.machine import surroundings, system
from jlora_cli.machine.nvidia import read_nvidia
from jlora_cli.machine.packages import conflicts, installed_packages
from jlora_cli.machine.torch_build import read_torch
from jlora_cli.machine.trials import HEAVY, LIGHT, QUICK, SLOW, ask_imports, ask_torch
from jlora_cli.machine.values import Gpu, Machine

if TYPE_CHECKING:
    from jlora_cli.machine.nvidia import Smi
    from jlora_cli.machine.values import Hub


_UNTOLD = ("rocm", "xpu")


def read_machine(*, try_torch: bool = False, slow_trials: bool = False) -> Machine:
    """What this machine is, in well under a second (with an AMD or Intel GPU after torch's import).

    `try_torch` also asks torch what it sees and tries what training needs, in a process of its
    own, and holds the packages' needs against each other; `slow_trials` tries torch.compile and
    quantization on the CPU too.
    """
    named = platform.system()
    memory, free = system.read_memory(named)
    cpu, bfloat16 = system.read_cpu(named)
    smi = read_nvidia()
    gpus = smi.gpus
    if named == "Darwin" and platform.machine() == "arm64":
        gpus = (Gpu(cpu, memory, free, (0, 0), kind="mps"),)
    hub = surroundings.read_hub(os.environ)
    machine = Machine(
        system=named,
        python=platform.python_version(),
        in_virtual_environment=sys.prefix != sys.base_prefix or "CONDA_PREFIX" in os.environ,
        cpu=cpu,
        cores=system.cores(),
        memory_gib=memory,
        free_memory_gib=free,
        disk_free_gib=0.0,
        cpu_bfloat16=bfloat16,
        gpus=gpus,
        torch=read_torch(),
        packages=installed_packages(),
        container=system.in_container(),
        environment=surroundings.misleading_variables(os.environ),
        release=system.release(named),
        architecture=platform.machine(),
        bits=struct.calcsize("P") * 8,
        hub=hub,
        windows=surroundings.read_windows() if named == "Windows" else None,
        c_compiler=surroundings.has_c_compiler(os.environ),
    )
    machine = _with_disks(_with_installer(_with_driver(machine, smi)), hub)
    if not try_torch:
        return _with_untold_gpus(machine)
    imported = (*LIGHT, *HEAVY) if slow_trials else LIGHT
    imports = ask_imports([name for name in imported if name in machine.packages])
    machine = replace(machine, conflicts=conflicts(machine.packages), trials=imports)
    return _tried(machine, slow=slow_trials)


def _with_driver(machine: Machine, smi: Smi) -> Machine:
    driver = system.wsl_driver()
    return replace(
        machine,
        driver=smi.driver,
        driver_cuda=smi.cuda,
        driver_error=smi.error,
        adapters=system.graphics_cards(machine.system),
        wsl=bool(driver),
        wsl_driver=driver,
    )


def _with_installer(machine: Machine) -> Machine:
    shell = surroundings.read_shell(os.environ, machine.system)
    manager = surroundings.read_manager(os.environ)
    # With the home folder as it is: no shell expands "~" in quotes. --paste hides it.
    called = surroundings.installer(manager, shell)
    return replace(machine, shell=shell, manager=manager, installer=called)


def _with_disks(machine: Machine, hub: Hub) -> Machine:
    cache = system.free_disk(Path(hub.cache).expanduser())
    output = system.free_disk(Path())
    known = [free for free in (cache, output) if free is not None]
    return replace(
        machine,
        cache_free_gib=cache,
        output_free_gib=output,
        disk_free_gib=min(known, default=0.0),
    )


def _with_untold_gpus(machine: Machine) -> Machine:
    """The machine with the AMD or Intel GPUs of its torch, which no quick tool tells of."""
    torch = machine.torch
    if machine.gpus or torch is None or torch.error or not torch.build.startswith(_UNTOLD):
        return machine
    torch, seen, _ = ask_torch(torch, ())
    return replace(machine, torch=torch, gpus=seen)


def _tried(machine: Machine, *, slow: bool) -> Machine:
    """The machine with what torch says of itself, and what worked when it was tried."""
    if machine.torch is None or machine.torch.error:
        return machine
    names = (*QUICK, *SLOW) if slow else QUICK
    torch, seen, trials = ask_torch(machine.torch, names)
    divided = any(gpu.mig for gpu in machine.gpus)
    # Of a divided GPU the driver tells the whole, torch the instance that it was given.
    gpus = seen if seen and (divided or not machine.gpus) else machine.gpus
    return replace(machine, torch=torch, gpus=gpus, trials=(*machine.trials, *trials))
