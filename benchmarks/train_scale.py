"""Whether a token costs the same and memory stays flat, from 1,500 to 150,000 rows.

    python -m benchmarks.neighbours --parts scale,table

`jlora train` in fresh processes, the demo's base, synthetic rows of about the same length, as many
steps at each size; sizes take turns. Of the loop: CPU seconds per token, and the most that was
resident at the end of a step. Besides: CPU seconds per row until the loop begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.neighbours.figures import spread
from benchmarks.neighbours.jobs import Job, copy_demo_base, write_job
from benchmarks.neighbours.rows import words
from benchmarks.neighbours.running import run

if TYPE_CHECKING:
    from pathlib import Path

NAME = "train_scale"
SIZES, SMALL = (1_500, 15_000, 150_000), (300, 1_500)
STEPS = 300
BATCH = 8


def measure(cache: Path, *, rounds: int, small: bool) -> dict[str, Any]:
    """Medians and spread at every size."""
    sizes = SMALL if small else SIZES
    jobs = {size: make_job(size, cache) for size in sizes}
    runs: dict[int, list[dict[str, float]]] = {size: [] for size in sizes}
    command = ""
    for _ in range(rounds):
        for size, job in jobs.items():
            print(f"scale: {size} rows", flush=True)
            options = ["--max-steps", str(STEPS)]
            figures = run("jlora", job, cache, threads=1, options=options)
            if figures["status"] != "done":
                raise SystemExit(figures["problem"])
            runs[size].append(told(figures))
            command = figures["command"]
    names = next(iter(runs.values()))[0]
    return {
        "command": command,
        "steps": STEPS,
        "sizes": {
            size: {name: spread([each[name] for each in made]) for name in names}
            for size, made in runs.items()
        },
    }


def make_job(size: int, cache: Path) -> Job:
    """A job of `size` synthetic rows on the demo's base."""
    job = Job(
        name=f"scale-{size}",
        shape="neox",
        template="chat-markdown",
        rows=size,
        epochs=1,
        base=str(copy_demo_base(cache)),
        folder=str(cache / "jobs" / f"scale-{size}"),
        lengths=(),
        targets="query_key_value",
        batch_size=BATCH,
    )
    write_job(job, words(size), end="</s>")
    return job


def told(figures: dict[str, Any]) -> dict[str, float]:
    """What one run says of its size."""
    tokens = figures["tokens"] / figures["plan_rows"] * BATCH * figures["steps"]
    before = figures["start_to_adapter_cpu_s"] - figures["training_cpu_s"]
    return {
        "cpu_us_per_token": figures["training_cpu_s"] / tokens * 1e6,
        "wall_us_per_token": figures["training_wall_s"] / tokens * 1e6,
        "resident_mib": figures["resident_mib_most"],
        "peak_mib": figures["peak_mib"],
        "outside_the_loop_cpu_s": before,
    }
