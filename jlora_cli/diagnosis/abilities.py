"""What the device can compute: by its kind, and as it went when it was tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jlora_cli.diagnosis.accelerator import facts
from jlora_cli.finding import Finding, finding
from jlora_cli.machine import Machine, reinstall_line, repair_torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jlora_cli.machine import Trial

# bitsandbytes 0.50, "Installation Guide": NF4 from 6.0, LLM.int8() from 7.5.
FOUR_BIT, EIGHT_BIT = (6, 0), (7, 5)
BFLOAT16 = (8, 0)
VARIABLE_LENGTH = (8, 0)  # FlashAttention 2, which torch.nn.attention.varlen calls
BITSANDBYTES = frozenset({"4bit", "8bit", "cpu-4bit", "cpu-8bit"})
ESSENTIAL = ("matmul-float32", "attention")


def trials(machine: Machine) -> Iterator[Finding]:
    """What worked and what failed when it was tried.

    float16 and bfloat16 are not needed: jlora settles on them only where the hardware has them.
    """
    made = [trial for trial in machine.trials if not trial.name.startswith("import ")]
    failed = {trial.name: trial for trial in made if not trial.ok}
    worked = [trial for trial in made if trial.ok]
    if worked and not any(name in failed for name in ESSENTIAL):
        names = ", ".join(trial.name for trial in worked)
        yield finding("trials", "ok", names=names, device=worked[0].device)
    basic = next((failed[name] for name in ESSENTIAL if name in failed), None)
    if basic:
        yield finding("compute-fails", "error", lines=repair_torch(machine), **_of(basic))
    if "compile" in failed:
        yield finding("compile-fails", "warning", **_of(failed["compile"]))
    if "varlen" in failed:
        yield finding("varlen-fails", "warning", **_of(failed["varlen"]))


def _of(trial: Trial) -> dict[str, object]:
    return {"trial": trial.name, "device": trial.device, "detail": trial.detail}


def bfloat16(machine: Machine) -> Iterator[Finding]:
    """Whether the device that will be used multiplies bfloat16 in hardware."""
    gpu = machine.usable_gpu
    if gpu is None and machine.gpus:
        return  # the finding that says why comes first; then this one speaks of the GPU
    if gpu and gpu.kind != "cuda":
        return
    has = gpu.capability >= BFLOAT16 if gpu else machine.cpu_bfloat16
    device = gpu.name if gpu else machine.cpu
    instead = "float32" if gpu is None or gpu.capability < (7, 0) else "float16"
    yield finding("bfloat16", "ok" if has else "warning", device=device, instead=instead)


def variable_length(machine: Machine) -> Iterator[Finding]:
    """Whether the GPU is too old for attention over rows of different lengths."""
    gpu = machine.usable_gpu
    if gpu and gpu.kind == "cuda" and (0, 0) < gpu.capability < VARIABLE_LENGTH:
        yield finding("variable-length", "warning", **facts(gpu))


def bitsandbytes(machine: Machine) -> Iterator[Finding]:
    """Whether 4-bit and 8-bit training can run on the GPU, and do."""
    version = machine.packages.get("bitsandbytes")
    failed = [trial for trial in machine.trials if trial.name in BITSANDBYTES and not trial.ok]
    gpu = machine.usable_gpu
    if version is None or gpu is None or gpu.kind != "cuda" or gpu.capability == (0, 0):
        if version and failed:
            yield _broken(machine, version, failed)
        return
    if gpu.capability < FOUR_BIT:
        yield finding("bitsandbytes", "warning", **facts(gpu))
        return
    if gpu.capability < EIGHT_BIT:
        failed = [trial for trial in failed if trial.name != "8bit"]
        yield finding("bitsandbytes-8bit", "warning", **facts(gpu))
    if failed:
        yield _broken(machine, version, failed)
    elif gpu.capability >= EIGHT_BIT:
        yield finding("bitsandbytes", "ok", version=version, gpu=gpu.name)


def _broken(machine: Machine, version: str, failed: list[Trial]) -> Finding:
    names = ", ".join(trial.name for trial in failed)
    line = reinstall_line(machine, ["bitsandbytes"])
    told = {"trials": names, "detail": failed[0].detail, "lines": line}
    return finding("bitsandbytes-broken", "error", version=version, **told)
