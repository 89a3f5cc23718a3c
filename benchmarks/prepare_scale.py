"""How the time of `prepare` grows with the rows, beside `load_dataset(...).map(...)`.

    python benchmarks/prepare_scale.py [--rows 10000,100000] [--runs 3] [--near] [--json FILE]

Generates instruction rows (Japanese, no two alike, 240 bytes on average), and for every size lets
two children take turns: `prepare` by all cores, and `datasets` by as many, which loads the same
file, checks and converts each row in a `map`, folds and hashes it for duplicates, and writes JSON
Lines. The time counts from when the packages are imported. A third does what `prepare` does in one
process, all sizes in turns, for the time per row. Of each, the median of the runs: seconds by the
clock, CPU seconds of the child and of its own children together, and the most memory resident in
all of them at once. Sizes above 200,000 rows are run once.

The clock depends on what else the machine does; CPU time and the turns make up for most of that.
`--near` adds `--dedupe near` at each size. Ends with 1 where a promise is broken: a million rows in
a GiB, CPU time per row flat within 10 %, at least as fast as `datasets`.
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
from pathlib import Path

from big_inputs import GIB, watch_all

WORDS = [
    *("日本", "東京", "機械学習", "とは", "何", "です", "か", "猫", "が", "好き", "説明", "して"),
    *(
        "ください",
        "次の",
        "文章",
        "を",
        "要約",
        "英語",
        "に",
        "翻訳",
        "歴史",
        "文化",
        "料理",
        "これは",
    ),
    *(
        "それは",
        "について",
        "教えて",
        "一覧",
        "表に",
        "まとめて",
        "理由",
        "例えば",
        "、",
        "。",
        "「",
        "」",
    ),
]
LARGE = 200_000
WORK = ("prepare", "datasets", "near")
ALONE, ALONE_RUNS = "one process", 5

# What a child has used itself and by its own children, finer than the 10 ms of os.times.
CPU = """
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

def cpu():
    used = [getrusage(who) for who in (RUSAGE_SELF, RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
"""
PREPARE = """
import sys, time
from pathlib import Path
from jlora_cli.preparing import Rules, prepare
if __name__ == "__main__":
    near, processes = sys.argv[3] == "near", 1 if sys.argv[3] == "one process" else None
    begun, before = time.perf_counter(), cpu()
    prepare([sys.argv[1]], output=Path(sys.argv[2]), processes=processes,
            rules=Rules(dedupe="near" if near else "exact"))
    print(time.perf_counter() - begun, cpu() - before)
"""
DATASETS = """
import hashlib, sys, time, unicodedata
import datasets
from datasets import load_dataset
datasets.disable_progress_bars()

def text_of(value):
    if not isinstance(value, str) or not value.strip():
        raise ValueError("no text")
    value.encode("utf-8")
    return value

def fold(text):
    return " ".join(unicodedata.normalize("NFKC", text).split())

def convert(row):
    question = text_of(row["instruction"])
    if row["input"].strip():
        question = question + "\\n\\n" + row["input"]
    answer = text_of(row["output"])
    said = fold(question) + "\\0" + fold(answer)
    key = hashlib.blake2b(said.encode(), digest_size=8).hexdigest()
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"messages": turns, "key": key}

if __name__ == "__main__":
    processes = int(sys.argv[4])
    cache = sys.argv[2] + "-cache"
    begun, before = time.perf_counter(), cpu()
    rows = load_dataset("json", data_files=sys.argv[1], split="train", cache_dir=cache)
    rows = rows.map(convert, remove_columns=rows.column_names, num_proc=processes)
    seen = set()
    keys = rows["key"]
    kept = [at for at, key in enumerate(keys) if not (key in seen or seen.add(key))]
    if len(kept) < len(rows):
        rows = rows.select(kept)
    rows.remove_columns("key").to_json(sys.argv[2], force_ascii=False, num_proc=processes)
    print(time.perf_counter() - begun, cpu() - before)
"""


def main() -> int:
    """Measure every size, print a line each, and say by the exit code whether the promises hold."""
    ask = argparse.ArgumentParser(description="prepare beside datasets.map")
    ask.add_argument("--rows", default="10000,100000,1000000")
    ask.add_argument("--runs", type=int, default=3)
    ask.add_argument("--near", action="store_true")
    ask.add_argument("--json", type=Path)
    given = ask.parse_args()
    work = WORK if given.near else WORK[:-1]
    sizes = [int(word) for word in given.rows.split(",")]
    print(f"{'rows':>9} {'':<12}{'clock, s':>9}{'CPU, s':>9}{'CPU µs/row':>12}{'MiB':>7}")
    with tempfile.TemporaryDirectory() as folder:
        sources = {rows: Path(folder) / f"{rows}.jsonl" for rows in sizes}
        for rows, source in sources.items():
            write_rows(source, rows)
        figures = [
            figure
            for rows, source in sources.items()
            for figure in measure({(rows, name): source for name in work}, given.runs)
        ]
        # The sizes in turns, so that a busy minute slows all alike.
        figures += measure({(rows, ALONE): source for rows, source in sources.items()}, ALONE_RUNS)
    promises = judge(figures)
    for promise, held in promises.items():
        print(f"{'holds' if held else 'BROKEN':<7} {promise}")
    if given.json:
        facts = {"cores": len(os.sched_getaffinity(0)), "runs": given.runs, "figures": figures}
        text = json.dumps(facts | {"promises": promises}, ensure_ascii=False, indent=2)
        given.json.write_text(text + "\n", encoding="utf-8")
    return 0 if all(promises.values()) else 1


def write_rows(path: Path, count: int) -> None:
    """`count` rows, the same for every run of this script."""
    draw = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            row = {
                "instruction": "".join(draw.choices(WORDS, k=12)) + str(number),
                "input": "".join(draw.choices(WORDS, k=12)) if number % 3 == 0 else "",
                "output": "".join(draw.choices(WORDS, k=18)),
            }
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def measure(jobs: dict[tuple[int, str], Path], runs: int) -> list[dict[str, float | str]]:
    """Medians of each job, (rows, kind of work), which take turns."""
    taken: dict[tuple[int, str], list[tuple[float, float, int]]] = {job: [] for job in jobs}
    for turn in range(runs):
        for (rows, name), source in jobs.items():
            if not turn or rows <= LARGE or name == ALONE:
                taken[rows, name].append(run(source, name))
    return [shown(rows, name, each) for (rows, name), each in taken.items()]


def shown(rows: int, name: str, each: list[tuple[float, float, int]]) -> dict[str, float | str]:
    """The figures of one job, which are printed too."""
    clock, cpu = (statistics.median(one[at] for one in each) for at in (0, 1))
    figure: dict[str, float | str] = {
        "rows": rows,
        "work": name,
        "clock_s": round(clock, 2),
        "cpu_s": round(cpu, 2),
        "cpu_us_per_row": round(1e6 * cpu / rows, 1),
        "resident_mib": round(max(one[2] for one in each) / (1 << 20), 1),
    }
    print(
        f"{rows:>9} {name:<12}{clock:>9.2f}{cpu:>9.2f}{figure['cpu_us_per_row']:>12}"
        f"{figure['resident_mib']:>7.0f}",
        flush=True,
    )
    return figure


def run(source: Path, name: str) -> tuple[float, float, int]:
    """Seconds by the clock and of CPU, and the most bytes resident, of one child."""
    code = DATASETS if name == "datasets" else PREPARE
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "work.py"
        script.write_text(CPU + code, encoding="utf-8")
        cores = str(len(os.sched_getaffinity(0)))
        words = [sys.executable, str(script), str(source), str(Path(folder) / "out"), name, cores]
        child = subprocess.Popen(
            words,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "HF_HOME": folder,
                "HF_HUB_OFFLINE": "1",
                "TOKENIZERS_PARALLELISM": "0",
            },
        )
        resident = watch_all(child)
        told = child.stdout.read() if child.stdout else ""
        if child.returncode:
            raise SystemExit(f"{name} ended with {child.returncode}")
        clock, cpu = map(float, told.split())
        return clock, cpu, resident


def judge(figures: list[dict[str, float | str]]) -> dict[str, bool]:
    """Whether what is promised of `prepare` holds."""
    by = {(each["work"], each["rows"]): each for each in figures}
    sizes = sorted({each["rows"] for each in figures})
    flat = [float(by["one process", rows]["cpu_us_per_row"]) for rows in sizes]
    first = float(by["one process", sizes[0]]["cpu_us_per_row"])
    return {
        "at most a GiB resident": all(
            float(by["prepare", rows]["resident_mib"]) <= GIB >> 20 for rows in sizes
        ),
        "CPU time per row at most 10 % above that of the fewest rows": max(flat) <= 1.1 * first,
        "by the clock at least as fast as datasets": all(
            by["prepare", rows]["clock_s"] <= by["datasets", rows]["clock_s"] for rows in sizes
        ),
        "in CPU time at least as fast as datasets": all(
            by["prepare", rows]["cpu_s"] <= by["datasets", rows]["cpu_s"] for rows in sizes
        ),
    }


if __name__ == "__main__":
    sys.exit(main())
