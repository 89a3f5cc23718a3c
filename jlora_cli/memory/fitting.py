"""What fits into the memory that is free, and what would."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from jlora_cli.config import SHORTEST, bitsandbytes_lack, training_gpu
from jlora_cli.memory.batch import heaviest, micro_batch
from jlora_cli.memory.estimate import memory_terms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jlora_cli.config import RunConfig
    from jlora_cli.machine import Machine
    from jlora_cli.shape import Shape


def device_of(machine: Machine) -> str:
    """Where a run on `machine` computes: "cpu", or the kind of its GPU."""
    gpu = training_gpu(machine)
    return gpu.kind if gpu else "cpu"


def available_gib(machine: Machine) -> float:
    """What is free where a run on `machine` computes; 0.0 where the machine does not tell."""
    gpu = training_gpu(machine)
    return gpu.free_gib if gpu else machine.free_memory_gib


def longest_that_fits(
    config: RunConfig, shape: Shape, machine: Machine, *, rows_per_batch: int
) -> int | None:
    """The most tokens each of `rows_per_batch` rows may have for the run to fit what is free.

    None where the machine does not tell what is free; 0 where not even one token fits; at most
    the model's context. The data's own rows in memory are not counted.
    """
    free, device = available_gib(machine), device_of(machine)
    if not free:
        return None

    def fits(length: int) -> bool:
        rows = [length] * rows_per_batch
        batch = micro_batch(rows, sum(rows), packing=config.packing is True)
        return memory_terms(config, shape, batch, device)["total"] <= free

    return _most(shape.context, fits)


def _most(high: int, fits: Callable[[int], bool]) -> int:
    """The largest number up to `high` that fits, where every smaller one fits too; else 0."""
    low = 0
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def changes_that_fit(
    config: RunConfig,
    shape: Shape,
    machine: Machine,
    lengths: Sequence[int],
    supervised: Sequence[int],
) -> list[dict[str, object]]:
    """Settings that alone would make a run fit that does not, those first that learn the same.

    lengths, supervised: of each row, in tokens.
    """
    free, device = available_gib(machine), device_of(machine)
    tokens = sum(lengths)

    def fits(changed: Mapping[str, Any], length: int | None = None) -> bool:
        tried = replace(config, **changed)
        batch = heaviest(lengths, supervised, tried, max_length=length)
        return memory_terms(tried, shape, batch, device, row_tokens=tokens)["total"] <= free

    changes = [*_smaller_batches(config), *_other_settings(config, machine)]
    found: list[dict[str, object]] = []
    for change in changes:
        if not any(change.keys() == known.keys() for known in found) and fits(change):
            found.append(change)
    longest = _most(max(lengths), partial(fits, {}))
    # A length that leaves out most of the rows is no help.
    if longest >= max(SHORTEST, sorted(lengths)[len(lengths) // 2]):
        found.append({"max_length": longest})
    return found


def _smaller_batches(config: RunConfig) -> list[dict[str, object]]:
    """Smaller batches with as many more to an optimizer step, the largest first."""
    size, steps = config.batch_size, config.gradient_accumulation_steps
    return [
        {"batch_size": less, "gradient_accumulation_steps": steps * size // less}
        for less in range(size - 1, 0, -1)
        if size % less == 0
    ]


def _other_settings(config: RunConfig, machine: Machine) -> list[dict[str, object]]:
    changes: list[dict[str, object]] = []
    if config.gradient_checkpointing is not True:
        changes.append({"gradient_checkpointing": True})
    if config.quantization == "none":
        possible = [kind for kind in ("8bit", "4bit") if not bitsandbytes_lack(machine, kind)]
        changes += [{"quantization": kind} for kind in possible]
    return changes
