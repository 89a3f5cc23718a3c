"""How time and memory of `train --dry-run` grow with the rows, new ones and ones encoded before.

    python benchmarks/encoding.py [--rows 1500,150000] [--runs 3] [--before TREE] [--json FILE]

Generates instruction rows like dolly's (Japanese, no two alike, 400 bytes and 93 tokens of the
demo base on average), and for every size runs the command with an empty cache ("made") and once
more ("cached"); with `--before`, also that of another checkout of jlora. Of each, the median of
the runs: seconds by the clock, CPU seconds of the process and of its own children together, and
the most memory resident in one process and in all of them at once.

For time per token, which the start of a process would hide, a child on one core proposes the same
runs after it has done all once with the demo's rows: all sizes in turns ("one core", CPU of the
proposal alone). The same child then reads every row in the order of an epoch, and tells what that
took of memory, by token. Ends with 1 where a promise is broken: CPU time per token at most 10 %
above that of the fewest rows, and resident memory, by row, at most 150 bytes more.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from big_inputs import watch
from prepare_scale import WORDS

ROOT = Path(__file__).parents[1]
MIB = 1 << 20
BYTES_PER_ROW = 150
ALONE = """
import gc, json, os, random, resource, sys, time
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from jlora_cli.machine import read_machine
from jlora_cli.proposal import propose

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

machine = read_machine()
propose("cpu-small", {"model": "demo", "data": "demo", "output": "none"}, machine)
begun = time.process_time()
options = {"model": "demo", "data": sys.argv[1], "output": "none"}
made = propose("cpu-small", options, machine)
used = time.process_time() - begun
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
rows = made.train.rows
gc.collect()
before = resident()
order = list(range(len(rows)))
random.Random(0).shuffle(order)
for number in order:
    rows[number]
print(json.dumps([used, peak, resident() - before, made.plan.tokens]))
"""


def main() -> int:
    """Measure, print a line each, and say by the exit code whether the promises hold."""
    ask = argparse.ArgumentParser(description="train --dry-run on many rows")
    ask.add_argument("--rows", default="1500,15000,150000")
    ask.add_argument("--runs", type=int, default=3)
    ask.add_argument("--before", type=Path)
    ask.add_argument("--json", type=Path)
    given = ask.parse_args()
    sizes = [int(word) for word in given.rows.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        sources = {rows: Path(folder) / f"{rows}.jsonl" for rows in sizes}
        for rows, source in sources.items():
            write_rows(source, rows)
        figures = [
            figure
            for each in sources.items()
            for figure in measure(*each, given.runs, given.before)
        ]
        alone = measure_alone(sources, given.runs)
    promises = judge(alone)
    for promise, held in promises.items():
        print(f"{'holds' if held else 'BROKEN':<7} {promise}")
    if given.json:
        facts = {"cores": len(os.sched_getaffinity(0)), "runs": given.runs}
        facts |= {"figures": figures, "one core": alone, "promises": promises}
        text = json.dumps(facts, ensure_ascii=False, indent=2)
        given.json.write_text(text + "\n", encoding="utf-8")
    return 0 if all(promises.values()) else 1


def write_rows(path: Path, count: int) -> None:
    """`count` rows, the same for every run of this script."""
    draw = random.Random(0)

    def text(words: int) -> str:
        return "".join(draw.choices(WORDS, k=words))

    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            row = {
                "instruction": f"{number}番：{text(12)}",
                "input": text(40) if number % 3 == 0 else "",
                "output": f"{text(30)}{number}。",
            }
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def measure(
    rows: int, source: Path, runs: int, before: Path | None
) -> list[dict[str, float | str]]:
    """The figures of one size."""
    taken: dict[str, list[tuple[float, float, int, int]]] = {}
    for _ in range(runs):
        if before is not None:
            taken.setdefault("before", []).append(run(source, before, source.parent))
        with tempfile.TemporaryDirectory() as cache:
            for name in ("made", "cached"):
                taken.setdefault(name, []).append(run(source, ROOT, Path(cache)))
    return [shown(rows, name, each) for name, each in taken.items()]


def run(source: Path, tree: Path, cache: Path) -> tuple[float, float, int, int]:
    """Seconds by the clock and of CPU, and the most bytes resident in one process and in all."""
    words = [sys.executable, "-m", "jlora_cli", "train", "--dry-run", "--json"]
    words += ["--profile", "cpu-small", "--model", "demo", "--data", str(source)]
    before, begun = os.times(), time.perf_counter()
    child = subprocess.Popen(
        words,
        cwd=source.parent,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(tree), "JLORA_CACHE": str(cache)},
    )
    largest, together = watch(child, begun)
    if child.returncode:
        raise SystemExit(f"train ended with {child.returncode}")
    after = os.times()
    used = sum(getattr(after, kind) - getattr(before, kind) for kind in CPU)
    return time.perf_counter() - begun, used, largest, together


CPU = ("children_user", "children_system")


def shown(
    rows: int, name: str, each: list[tuple[float, float, int, int]]
) -> dict[str, float | str]:
    """The figures of one command, which are printed too."""
    clock, cpu, largest, together = (statistics.median(one[at] for one in each) for at in range(4))
    figure: dict[str, float | str] = {
        "rows": rows,
        "run": name,
        "clock_s": round(clock, 2),
        "cpu_s": round(cpu, 2),
        "largest_process_mib": round(largest / MIB, 1),
        "all_processes_mib": round(together / MIB, 1),
    }
    print(
        f"{rows:>9} {name:<9}{clock:>8.2f} s, CPU {cpu:>7.2f} s, {largest / MIB:>7.0f} MiB in one"
        f" process, {together / MIB:>7.0f} in all",
        flush=True,
    )
    return figure


def measure_alone(sources: dict[int, Path], runs: int) -> list[dict[str, float]]:
    """Of each size: CPU time by token, the peak of resident memory, and what reading adds."""
    taken: dict[int, list[list[float]]] = {rows: [] for rows in sources}
    for _ in range(runs):  # the sizes in turns, so that a busy minute slows all alike
        for rows, source in sources.items():
            with tempfile.TemporaryDirectory() as cache:
                words = [sys.executable, "-c", ALONE, str(source)]
                env = {**os.environ, "PYTHONPATH": str(ROOT), "JLORA_CACHE": cache}
                done = subprocess.run(
                    words, env=env, stdout=subprocess.PIPE, text=True, check=True, cwd=cache
                )
                taken[rows].append(json.loads(done.stdout))
    return [told(rows, each) for rows, each in taken.items()]


def told(rows: int, each: list[list[float]]) -> dict[str, float]:
    """The figures of one size on one core, which are printed too."""
    used, peak, read, tokens = (statistics.median(one[at] for one in each) for at in range(4))
    figure = {
        "rows": rows,
        "tokens": tokens,
        "cpu_s": round(used, 3),
        "cpu_us_per_token": round(1e6 * used / tokens, 3),
        "peak_mib": round(peak / MIB, 1),
        "read_bytes_per_token": round(read / tokens, 2),
    }
    print(
        f"{rows:>9} one core, CPU {used:.2f} s, {figure['cpu_us_per_token']} µs a token,"
        f" peak {figure['peak_mib']} MiB; read, {figure['read_bytes_per_token']} bytes a token",
        flush=True,
    )
    return figure


def judge(alone: list[dict[str, float]]) -> dict[str, bool]:
    """Whether what is promised holds."""
    first, last = alone[0], alone[-1]
    flat = [each["cpu_us_per_token"] for each in alone]
    more = (last["peak_mib"] - first["peak_mib"]) * MIB
    return {
        "CPU time per token at most 10 % above that of the fewest rows": max(flat) <= 1.1 * flat[0],
        f"at most {BYTES_PER_ROW} bytes more resident, by row": more
        <= BYTES_PER_ROW * (last["rows"] - first["rows"]),
    }


if __name__ == "__main__":
    sys.exit(main())
