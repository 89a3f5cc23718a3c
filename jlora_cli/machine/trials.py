"""What torch sees and what works, asked in a child process: a crash there is a fact here."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jlora_cli.machine.surroundings import without_home
from jlora_cli.machine.trial_child import MARK
from jlora_cli.machine.values import Gpu, TorchBuild, Trial
from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CHILD = Path(__file__).with_name("trial_child.py")
GIB = 1024**3
# A cold import of torch from a slow disk takes tens of seconds.
TIMEOUT_S = 120.0
# Measured on two cores: the import 1.3 s, all four of these 0.15 s. bitsandbytes (1.3 s more to
# import) and variable-length attention (1.2 s) are passed over by the child without a CUDA GPU.
QUICK = (
    *("matmul-float32", "matmul-float16", "matmul-bfloat16", "attention"),
    *("varlen", "4bit", "8bit"),
)
# A package's module, where its name is another. Imported in a child too: half-installed, its
# metadata is there and its import fails (two busy cores: all of LIGHT 0.3-0.6 s, HEAVY 21-26 s).
MODULES = {"pyyaml": "yaml", "protobuf": "google.protobuf"}
LIGHT = (
    *("pyyaml", "jinja2", "sentencepiece", "protobuf", "tokenizers", "safetensors"),
    *("huggingface-hub", "typer", "rich"),
)
HEAVY = ("transformers", "accelerate", "peft", "datasets")
# torch.compile takes 16 s the first time, 3 s once its cache is warm.
SLOW = ("cpu-4bit", "cpu-8bit", "compile")


@dataclass
class _Told:
    """What a child has told so far."""

    torch: dict[str, Any] | None = None
    begun: str = ""
    trials: list[Trial] = field(default_factory=list)


def ask_torch(
    torch: TorchBuild, names: Sequence[str]
) -> tuple[TorchBuild, tuple[Gpu, ...], tuple[Trial, ...]]:
    """`torch` with what it says of itself, the GPUs it sees, and how each of the trials went.

    A trial that ends the child is a failed one, and a new child goes on behind it.
    """
    left = list(names)
    trials: list[Trial] = []
    about: dict[str, Any] | None = None
    deadline = time.monotonic() + TIMEOUT_S
    while left or about is None:
        told, end = _run(left, deadline - time.monotonic())
        if told.torch is None:
            if about is None:
                return replace(torch, error=end or say("machine.torch-silent")), (), ()
            break
        about = about or told.torch
        trials += told.trials
        if not end or not told.begun:
            break
        trials.append(Trial(told.begun, ok=False, device=about["device"], detail=end))
        left = left[left.index(told.begun) + 1 :]
    return _with_answer(torch, about or {}), _gpus(about or {}), tuple(trials)


def ask_imports(packages: Iterable[str]) -> tuple[Trial, ...]:
    """How the import of each of these installed packages went; `name` is the package's."""
    left = [MODULES.get(name, name.replace("-", "_")) for name in packages]
    names = dict(zip(left, packages, strict=True))
    trials: list[Trial] = []
    deadline = time.monotonic() + TIMEOUT_S
    while left:
        told, end = _run(["import", *left], deadline - time.monotonic())
        trials += told.trials
        if not end or not told.begun:
            break
        trials.append(Trial(told.begun, ok=False, device="cpu", detail=end))
        left = left[left.index(told.begun) + 1 :]
    return tuple(replace(trial, name=f"import {names[trial.name]}") for trial in trials)


def _with_answer(torch: TorchBuild, about: dict[str, Any]) -> TorchBuild:
    return replace(
        torch,
        cuda_available=about["available"],
        architectures=tuple(about["architectures"]),
        cuda_error=about["cuda_error"] and without_home(about["cuda_error"]),
    )


def _gpus(about: dict[str, Any]) -> tuple[Gpu, ...]:
    return tuple(
        Gpu(name, total / GIB, free / GIB, (capability[0], capability[1]), kind)
        for name, total, free, capability, kind in about["gpus"]
    )


def _run(names: Sequence[str], seconds: float) -> tuple[_Told, str]:
    """What a child that tries `names` told, and how it ended: "" when all went its way."""
    # Into files: a grandchild that outlives a kill would hold a pipe open.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        end = ""
        try:
            done = subprocess.run(
                [sys.executable, "-P", str(CHILD), *names], stdout=out, stderr=err,
                stdin=subprocess.DEVNULL, timeout=max(seconds, 1.0), check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            end = say("machine.torch-slow", seconds=round(TIMEOUT_S))
        except OSError as error:
            end = str(error)
        else:
            err.seek(0)
            end = _ending(done.returncode, err.read().decode(errors="replace"))
        out.seek(0)
        return _read(out.read().decode(errors="replace")), end


def _ending(code: int, complaint: str) -> str:
    """Why the child ended: its last complaint, or the signal that killed it."""
    if code == 0:
        return ""
    if code < 0:
        with suppress(ValueError):
            return signal.Signals(-code).name
    lines = complaint.strip().splitlines()
    return without_home(lines[-1]) if lines and code == 1 else f"exit {code}"


def _read(text: str) -> _Told:
    told = _Told()
    for line in text.splitlines():
        mark, _, content = line.partition(MARK)
        if mark or not content:
            continue
        with suppress(ValueError):  # a line that a kill cut short
            _take(json.loads(content), told)
    return told


def _take(said: dict[str, Any], told: _Told) -> None:
    if "torch" in said:
        told.torch = said["torch"]
    elif "begin" in said:
        told.begun = said["begin"]
    else:
        told.begun = ""
        told.trials.append(Trial(**{**said, "detail": without_home(said["detail"])}))
