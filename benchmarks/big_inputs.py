"""What `jlora prepare` does with inputs that are too big or never end, and the memory it takes.

    python benchmarks/big_inputs.py [--only KIND,...] [--shrink N] [--json FILE]

Makes each input in a temporary folder (2 GB of disk at most), runs the command once on it in a
child process, and measures that child and its own: resident memory at its highest point (of the
largest process, and of all together, sampled twenty times a second) and seconds. Ends with 1 where
one took more than a GiB, was not told clearly, or left something behind. `--shrink` divides every
size, to try the script itself.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable

GIB = 1 << 30
MIB_OF_TEXT = "あ" * 349_525
ROW = {"instruction": "日本の首都は？", "input": "", "output": "東京"}
SAMPLED_EVERY = 0.05
LONGEST_S = 900


@dataclass(frozen=True)
class Case:
    """An input: its file name, how it is made, and how `prepare` should end."""

    kind: str
    name: str
    make: Callable[[Path, int], Path]
    said: str = ""
    ends_with: int = 1


def line(path: Path, mib: int, *, closed: bool) -> Path:
    """A file with one line of `mib` MiB, which may never end."""
    with path.open("w", encoding="utf-8") as file:
        if closed:
            file.write(json.dumps(ROW, ensure_ascii=False) + "\n")
        file.write('{"instruction": "')
        for _ in range(mib):
            file.write(MIB_OF_TEXT)
        if closed:
            file.write('", "input": "", "output": "y"}\n' + json.dumps(ROW) + "\n")
    return path


def rows(path: Path, count: int, *, alike: bool, array: bool = False) -> Path:
    """A file with `count` rows, all the same or all different."""
    between = "\n" if not array else ",\n"
    with path.open("w", encoding="utf-8") as file:
        file.write("[\n" if array else "")
        for number in range(count):
            row = ROW if alike else ROW | {"output": f"東京 {number}"}
            file.write((between if number else "") + json.dumps(row, ensure_ascii=False))
        file.write("\n]\n" if array else "\n")
    return path


def bomb(path: Path, mib: int) -> Path:
    """A gzip file of a MiB that unpacks to `mib` MiB of zeros."""
    with gzip.open(path, "wb", 9) as file:
        for _ in range(mib):
            file.write(b"0" * (1 << 20))
    return path


def fifo(path: Path, _: int) -> Path:
    """A named pipe into which nobody writes."""
    os.mkfifo(path)
    return path


def long_path(path: Path, _: int) -> Path:
    """A folder under a path of 700 bytes, with one file of one row."""
    folder = path.joinpath(*(["とても長いフォルダ名" * 2] * 12))
    folder.mkdir(parents=True)
    (folder / "a.jsonl").write_text(json.dumps(ROW) + "\n", encoding="utf-8")
    return folder


CASES = [
    Case("longline", "long.jsonl", lambda p, n: line(p, 1024 // n, closed=True), "line 2"),
    Case("longline_nobreak", "open.jsonl", lambda p, n: line(p, 1024 // n, closed=False), "line 1"),
    Case("longline_json", "open.json", lambda p, n: line(p, 1024 // n, closed=False), "line 1"),
    Case("manyrows", "same.jsonl", lambda p, n: rows(p, 5_000_000 // n, alike=True), ends_with=0),
    Case("manyrows_differ", "many.jsonl", lambda p, n: rows(p, 5_000_000 // n, alike=False),
         ends_with=0),
    Case("manyrows_array", "many.json",
         lambda p, n: rows(p, 2_000_000 // n, alike=False, array=True), ends_with=0),
    Case("gzbomb", "bomb.jsonl.gz", lambda p, n: bomb(p, 1024 // n), "line 1"),
    Case("fifo", "pipe.jsonl", fifo, "pipe"),
    Case("longname", "deep", long_path, ends_with=0),
]  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """How one input ended."""

    kind: str
    input_mib: float
    exit_code: int
    seconds: float
    largest_process_mib: float
    all_processes_mib: float
    told: str
    left_behind: list[str]
    holds: bool


def main() -> int:
    """Run the cases, print a line each, and say by the exit code whether all hold."""
    ask = argparse.ArgumentParser(description="jlora prepare on inputs that are too big")
    ask.add_argument("--only", default="")
    ask.add_argument("--shrink", type=int, default=1)
    ask.add_argument("--json", type=Path)
    given = ask.parse_args()
    only = set(filter(None, given.only.split(",")))
    done = [run(case, given.shrink) for case in CASES if not only or case.kind in only]
    for each in done:
        print(
            f"{each.kind:<18}{each.input_mib:>8.0f} MiB in {each.seconds:>6.1f} s, exit"
            f" {each.exit_code}, {each.largest_process_mib:>5.0f} MiB (all:"
            f" {each.all_processes_mib:.0f}) {'holds' if each.holds else 'FALLS SHORT'}"
        )
        print(f"    {each.told}")
    if given.json:
        text = json.dumps([asdict(each) for each in done], ensure_ascii=False, indent=2)
        given.json.write_text(text + "\n", encoding="utf-8")
    return 0 if all(each.holds for each in done) else 1


def run(case: Case, shrink: int) -> Measured:
    """Make the input, prepare it, and look at what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        source = case.make(Path(folder) / case.name, shrink)
        out = Path(folder) / "results" / "out"
        out.parent.mkdir()
        size = source.stat().st_size / (1 << 20)
        words = [sys.executable, "-m", "jlora_cli", "prepare", str(source), "--output", str(out)]
        begun = time.perf_counter()
        child = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
        largest, together = watch(child, begun)
        told = (child.stderr.read() if child.stderr else "").strip()
        seconds = time.perf_counter() - begun
        left = [path.name for path in out.parent.iterdir() if path != out]
        whole = (out / "dataset.json").is_file()
        error = [text for text in told.splitlines() if text.startswith("Error:")]
        holds = (
            child.returncode == case.ends_with
            and whole == (case.ends_with == 0)
            and out.exists() == whole
            and not left
            and "Traceback" not in told
            and (not case.said or (bool(error) and case.said in error[0]))
            and together <= GIB
        )
        shown = error[0] if error else told.splitlines()[-1] if told else ""
        return Measured(
            case.kind,
            round(size, 1),
            child.returncode,
            round(seconds, 1),
            round(largest / (1 << 20), 1),
            round(together / (1 << 20), 1),
            shown.replace(folder, "")[:300],
            left,
            holds,
        )


def watch(
    child: subprocess.Popen[str], begun: float, longest_s: float = LONGEST_S
) -> tuple[int, int]:
    """The most bytes resident in one process and in all of them, until the child ends."""
    largest = together = 0
    while child.poll() is None:
        if time.perf_counter() - begun > longest_s:
            child.kill()
        sizes = resident(child)
        largest, together = max([largest, *sizes]), max(together, sum(sizes))
        time.sleep(SAMPLED_EVERY)
    return largest, together


def watch_all(child: subprocess.Popen[str]) -> int:
    """The most bytes resident in a child and its own together, until it ends."""
    return watch(child, time.perf_counter(), longest_s=3600)[1]


def resident(child: subprocess.Popen[str]) -> list[int]:
    """The bytes resident in a child and in each of its own."""
    sizes = []
    try:
        process = psutil.Process(child.pid)
    except psutil.Error:
        return []
    for each in [process, *children(process)]:
        try:
            sizes.append(each.memory_info().rss)
        except psutil.Error:
            continue
    return sizes


def children(process: psutil.Process) -> list[psutil.Process]:
    """The processes that a process started, as far as they still live."""
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


if __name__ == "__main__":
    sys.exit(main())
