"""Whether two threads are slower than one where another process keeps a core busy.

    python -m benchmarks.neighbours --parts threads,table

`jlora train` on a few dolly-like rows with one thread and with two, in turns, on a machine that is
otherwise quiet and beside a process that never waits. Seconds are those of the clock: CPU time
would not see a thread that spins.
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


def measure(cache: Path, *, rounds: int, small: bool) -> dict[str, Any]:
    """Wall seconds of the loop, and the ratio of two threads to one in each round."""
    job = prepare("dolly", SMALL if small else ROWS, shared=default_shared(), cache=cache)
    seconds: dict[str, dict[int, list[float]]] = {name: {1: [], 2: []} for name in BESIDE}
    for _ in range(rounds):
        for name in BESIDE:
            for threads in (1, 2):
                print(f"threads: {threads} beside {name}", flush=True)
                with busy(name == BESIDE[1]):
                    seconds[name][threads].append(training_wall_s(job, cache, threads))
    return {
        "rows": job.rows,
        "wall_s": {
            name: {str(count): spread(runs) for count, runs in by_count.items()}
            for name, by_count in seconds.items()
        },
        "ratios": {
            name: [two / one for one, two in zip(runs[1], runs[2], strict=True)]
            for name, runs in seconds.items()
        },
    }


def training_wall_s(job: Job, cache: Path, threads: int) -> float:
    """Seconds of the loop with so many threads."""
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
