"""Memory and disks: whether there is room for what will be loaded and written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jlora_cli.finding import Finding, Severity, finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jlora_cli.diagnosis.wanted import Wanted
    from jlora_cli.machine import Machine

LEAST_MEMORY_GIB = 8.0  # a 1B model in float32 and the imports
LEAST_DISK_GIB = 15.0  # a 3.6B model in float16 (7 GB), its merged copy, and checkpoints
CHECKPOINTS_GIB = 0.5  # two adapters with their optimizers' state


def memory(machine: Machine) -> Iterator[Finding]:
    """The memory beside the GPU's, through which every model is loaded."""
    low = 0 < machine.memory_gib < LEAST_MEMORY_GIB or 0 < machine.free_memory_gib < 2
    yield finding(
        "memory",
        "warning" if low else "ok",
        memory=machine.memory_gib,
        free=machine.free_memory_gib,
    )


def disk(machine: Machine, *, wanted: Wanted | None) -> Iterator[Finding]:
    """Room for the wanted model, its checkpoints and its merged copy; else for one of 3.6B."""
    if wanted is None or not wanted.weights_gib:
        low = machine.disk_free_gib < LEAST_DISK_GIB
        named = {"free": machine.disk_free_gib, "needed": LEAST_DISK_GIB}
        yield finding("disk", "warning" if low else "ok", **named)
        return
    cache = machine.disk_free_gib if machine.cache_free_gib is None else machine.cache_free_gib
    output = machine.disk_free_gib if machine.output_free_gib is None else machine.output_free_gib
    download = 0.0 if wanted.cached else wanted.weights_gib
    run = wanted.weights_gib + CHECKPOINTS_GIB
    # The same figure twice is most likely one disk, which then has to hold both.
    needed = download + run
    low = cache < download or output < run or (cache == output and cache < needed)
    free = min(cache, output)
    severity: Severity = "error" if low else "ok"
    yield finding("disk-for-model", severity, free=free, needed=needed, model=wanted.name)
