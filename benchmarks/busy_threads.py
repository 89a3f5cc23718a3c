"""Whether two cores are slower than one where another process keeps one of them busy.

    python -m benchmarks.neighbours --parts threads,table

`jlora train` on a few dolly-like rows with one thread, with two, and with as many as it takes where
nobody says how many; in turns, on a machine that is otherwise quiet and beside a process that never
waits. Seconds are those of the clock: CPU time would not see a thread that spins.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from benchmarks.neighbours.figures import spread
from benchmarks.neighbours.jobs import default_shared, prepare
from benchmarks.neighbours.running import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.neighbours.jobs import Job

NAME = "busy_threads"
ROWS, SMALL = 64, 12
BESIDE = ("nothing", "a busy process")
THREADS = {"1": 1, "2": 2, "own": None}


def measure(cache: Path, *, rounds: int, small: bool) -> dict[str, Any]:
    """Wall seconds of the loop, and the ratio of jlora's own choice to one thread in each round."""
    job = prepare("dolly", SMALL if small else ROWS, shared=default_shared(), cache=cache)
    seconds: dict[str, dict[str, list[float]]] = {
        name: {which: [] for which in THREADS} for name in BESIDE
    }
    for _ in range(rounds):
        for name in BESIDE:
            for which, threads in THREADS.items():
                print(f"threads: {which} beside {name}", flush=True)
                with busy(name == BESIDE[1]):
                    seconds[name][which].append(training_wall_s(job, cache, threads))
    return {
        "rows": job.rows,
        "wall_s": {
            name: {which: spread(runs) for which, runs in by_count.items()}
            for name, by_count in seconds.items()
        },
        "ratios": {
            name: [own / one for one, own in zip(runs["1"], runs["own"], strict=True)]
            for name, runs in seconds.items()
        },
    }


def training_wall_s(job: Job, cache: Path, threads: int | None) -> float:
    """Seconds of the loop with so many threads, or as many as jlora takes."""
    figures = run("jlora", job, cache, threads=threads)
    if figures["status"] != "done":
        raise SystemExit(figures["problem"])
    return float(figures["training_wall_s"])


@contextmanager
def busy(wanted: bool) -> Iterator[None]:
    """Beside a process that never waits, where that is wanted."""
    if not wanted:
        yield
        return
    child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        child.kill()
        child.wait()
