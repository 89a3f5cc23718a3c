"""From the start of a command to its first optimizer step: `jlora train` beside `trl sft`.

    python -m benchmarks.neighbours --parts start,table

Both train the demo's base on the demo's rows, batch and rank as the profile cpu-small says; TRL
gets a copy of the base with a tokenizer that it reads to the same ids, float32 and no gradient
checkpointing. The clock starts before the process and stops when its first step is told: jlora's
in its metrics, TRL's in its log. CPU time is that of all processes of the command by then.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.neighbours.environments import make
from benchmarks.neighbours.figures import spread
from benchmarks.neighbours.jobs import copy_demo_base
from benchmarks.neighbours.rows import DEMO, ROOT
from benchmarks.neighbours.running import surroundings, without_folders

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = "first_step"
LONGEST_S = 600
POLLED_EVERY_S = 0.01


def measure(cache: Path, *, rounds: int, small: bool) -> dict[str, Any]:
    """Both in turns; seconds, and jlora's share of TRL's in each round."""
    environment = make("trl", cache)
    if environment.problem:
        raise SystemExit(environment.problem)
    base, rows = copy_demo_base(cache), cache / "jobs" / "demo"
    rows.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(DEMO / "train.jsonl", rows / "train.jsonl")
    output = cache / "runs" / "first-step"
    commands = {
        "jlora": [sys.executable, "-m", "jlora_cli", *jlora_words(output)],
        "trl": [str(environment.python.with_name("trl")), *trl_words(base, rows, output)],
    }
    told: dict[str, list[dict[str, float]]] = {"jlora": [], "trl": []}
    for _ in range(1 if small else max(3, rounds)):
        for name, words in commands.items():
            told[name].append(first_step(words, output, CLOCKS[name]))
    return {
        "commands": {
            "jlora": without_folders(" ".join(["jlora", *jlora_words(output)]), cache),
            "trl": without_folders(" ".join(["trl", *trl_words(base, rows, output)]), cache),
        },
        "seconds": {
            name: {clock: spread([run[clock] for run in runs]) for clock in ("wall", "cpu")}
            for name, runs in told.items()
        },
        "ratios": {
            clock: [
                ours[clock] / theirs[clock] for ours, theirs in zip(*told.values(), strict=True)
            ]
            for clock in ("wall", "cpu")
        },
    }


def jlora_words(output: Path) -> list[str]:
    """The demo job for jlora."""
    words = ["train", "--profile", "cpu-small", "--model", "demo", "--data", "demo"]
    return [*words, "--output", str(output)]


def trl_words(base: Path, rows: Path, output: Path) -> list[str]:
    """The same for TRL."""
    named = {
        "model_name_or_path": base,
        "dataset_name": rows,
        "output_dir": output,
        "use_peft": True,
        "lora_r": 8,
        "lora_alpha": 32,
        "lora_dropout": 0.0,
        "lora_target_modules": "all-linear",
        "per_device_train_batch_size": 8,
        "learning_rate": 2e-3,
        "num_train_epochs": 8,
        "bf16": False,
        "gradient_checkpointing": False,
        "use_cpu": True,
        "save_strategy": "no",
        "report_to": "none",
        "logging_steps": 1,
    }
    return ["sft", *(word for name, value in named.items() for word in (f"--{name}", f"{value}"))]


def _in_metrics(output: Path, _: Path) -> bool:
    metrics = output / "metrics.jsonl"
    return metrics.is_file() and '"step"' in metrics.read_text(encoding="utf-8")


def _in_log(_: Path, log: Path) -> bool:
    return "'loss'" in log.read_text(encoding="utf-8", errors="replace")


CLOCKS: dict[str, Callable[[Path, Path], bool]] = {"jlora": _in_metrics, "trl": _in_log}


def first_step(
    words: list[str], output: Path, is_done: Callable[[Path, Path], bool]
) -> dict[str, float]:
    """Seconds until `is_done(run folder, log)`; then the command is ended."""
    shutil.rmtree(output, ignore_errors=True)
    hub = output.with_name("first-step-hub")
    hub.mkdir(parents=True, exist_ok=True)
    path = hub / "log.txt"
    said = surroundings(hub, threads=1) | {"PYTHONUNBUFFERED": "1"}
    with path.open("w", encoding="utf-8") as log:
        begun = time.perf_counter()
        child = subprocess.Popen(words, cwd=ROOT, env=said, stdout=log, stderr=log)
        process = psutil.Process(child.pid)
        while not is_done(output, path):
            if child.poll() is not None or time.perf_counter() - begun > LONGEST_S:
                end(process)
                raise SystemExit(f"no first step: {path.read_text(encoding='utf-8')[-2000:]}")
            time.sleep(POLLED_EVERY_S)
        wall = time.perf_counter() - begun
    cpu = sum(_cpu_s(each) for each in [process, *process.children(recursive=True)])
    end(process)
    child.wait()
    return {"wall": wall, "cpu": cpu}


def _cpu_s(process: psutil.Process) -> float:
    """Its own, and of those that it started and that are over."""
    times = process.cpu_times()
    own = times.user + times.system
    return float(own + getattr(times, "children_user", 0) + getattr(times, "children_system", 0))


def end(process: psutil.Process) -> None:
    """End a process and those that it started."""
    for each in [*process.children(recursive=True), process]:
        try:
            each.kill()
        except psutil.NoSuchProcess:
            continue
