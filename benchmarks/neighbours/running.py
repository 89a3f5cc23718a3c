"""One contestant trains one job in a process of its own; its figures, or why there are none."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.neighbours.contestants.watch import STARTED
from benchmarks.neighbours.environments import Environment, last_line, make
from benchmarks.neighbours.rows import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.neighbours.jobs import Job

DEFAULT_CACHE = "build/bench"
SCRIPTS = "benchmarks.neighbours.contestants"


class Contestant(NamedTuple):
    """Its script, the options and variables of that; without an environment in jlora's own."""

    script: str
    environment: str | None = None
    options: tuple[str, ...] = ()
    variables: Mapping[str, str] = MappingProxyType({})


# As if the CPU had no wider units: torch's own kernels, MKL's and oneDNN's.
AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
}
CONTESTANTS = {
    "seed": Contestant("seed", "trainer"),
    "plain": Contestant("plain", "trainer"),
    "trl": Contestant("trl_sft", "trl"),
    "trl-packed": Contestant("trl_sft", "trl", ("--packing", "True")),
    "llama-factory": Contestant("llama_factory", "llamafactory"),
    "jlora": Contestant("jlora"),
    "plain-avx2": Contestant("plain", "trainer", variables=AVX2),
    "jlora-avx2": Contestant("jlora", variables=AVX2),
}
# The long rows are there for the limit, which is measured beside these; other jobs have the others.
AT_THE_LIMIT = ("plain", "jlora", "plain-avx2", "jlora-avx2")
NEIGHBOURS = ("seed", "trl", "trl-packed", "llama-factory", "jlora")


def environment_of(name: str, cache: Path) -> Environment:
    """Where the contestant `name` runs."""
    wanted = CONTESTANTS[name].environment
    return Environment(Path(sys.executable)) if wanted is None else make(wanted, cache)


def run(
    name: str, job: Job, cache: Path, *, threads: int | None, options: Sequence[str] = ()
) -> dict[str, Any]:
    """The figures of one training run; without `threads` with as many as it takes by itself.

    `status` is "done", or "failed" with the last line that was said as `problem`.
    """
    contestant, environment = CONTESTANTS[name], environment_of(name, cache)
    if environment.problem:
        return {"status": "failed", "problem": environment.problem}
    output = cache / "runs" / f"{job.name}-{name}"
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    words = [str(environment.python), "-m", f"{SCRIPTS}.{contestant.script}"]
    words += [job.folder, str(output), *contestant.options, *options]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    with (output / "log.txt").open("w", encoding="utf-8") as log:
        given = {**surroundings(output, threads), **contestant.variables}
        started = given | {STARTED: str(time.time())}
        done = subprocess.run(words, cwd=ROOT, env=started, stdout=log, stderr=log, check=False)
    if done.returncode:
        said = (output / "log.txt").read_text(encoding="utf-8", errors="replace")
        return {"status": "failed", "problem": without_folders(last_line(said), cache)}
    figures: dict[str, Any] = json.loads((output / "figures.json").read_text(encoding="utf-8"))
    if "command" in figures:
        figures["command"] = without_folders(figures["command"], cache)
    variables = dict(contestant.variables)
    return {"status": "done", "load_before": load, "variables": variables, **figures}


def without_folders(text: str, cache: Path) -> str:
    """The text with the cache as it is called by default, and paths of the checkout relative."""
    return text.replace(str(cache), DEFAULT_CACHE).replace(f"{ROOT}/", "")


def surroundings(output: Path, threads: int | None) -> dict[str, str]:
    """The variables of a run: no network, no GPU, no cache of a run before, so many threads."""
    counts = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
    kept = {name: value for name, value in os.environ.items() if name not in counts}
    return {
        **kept,
        **({} if threads is None else dict.fromkeys(counts, str(threads))),
        "PYTHONPATH": str(ROOT),
        "PYTHONUTF8": "1",
        "HF_HOME": str(output / "hub"),
        "XDG_CACHE_HOME": str(output / "cache"),
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }


def validation_losses(job: Job, adapters: Sequence[str]) -> list[float]:
    """The loss of the base, and with each adapter."""
    words = [sys.executable, "-m", "benchmarks.neighbours.validation", job.folder, *adapters]
    done = subprocess.run(
        words, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return [float(line) for line in done.stdout.split()]


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": _memory_gib(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if not path.is_file():
        return platform.processor()
    lines = path.read_text(encoding="utf-8").splitlines()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    wide = [flag for flag in ("avx2", "avx512f", "amx_tile") if flag in flags]
    return f"{next(named, platform.processor())}, {', '.join(wide) or 'no AVX2'}"


def _memory_gib() -> int:
    import psutil  # noqa: PLC0415 - comes with the `train` extra

    return round(psutil.virtual_memory().total / 2**30)
