"""The command: measure each contestant in a process of its own, write after each, tell."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.gpu.contestants import CONTESTANTS, Contestant, lack_of, measure, named, rows_for
from benchmarks.gpu.judging import judge, with_shares
from benchmarks.gpu.page import RESULTS, line, write_pages

LEAST_S = 25  # in which no contestant gets as far as a figure
OFFLINE = {"HF_HUB_OFFLINE": "1", "UNSLOTH_DISABLE_STATISTICS": "1"}
PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "triton", "trl", "unsloth")


def main(arguments: list[str]) -> int:
    """Measure what was asked for; the exit code."""
    asked = _parse(arguments)
    if asked.page:
        write_pages()
        return 0
    if asked.one:
        figures = measure(named(asked.one), tiny=asked.tiny)
        asked.output.write_text(json.dumps(figures), encoding="utf-8", newline="\n")
        return 0
    if not asked.tiny and _no_gpu():
        print("no CUDA GPU that torch can use: nothing measured (--tiny tries this on a CPU)")
        return 1
    output = asked.output or (None if asked.tiny else RESULTS)
    document = _run(asked.only or [each.name for each in CONTESTANTS], asked, output)
    for verdict in [] if asked.tiny else document["targets"]:
        print(f"{verdict['reached']:12} {verdict['target']}: {verdict['found']}")
    if output == RESULTS:
        write_pages()
    return 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    ask = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    ask.add_argument("--output", type=Path, help=f"JSON, by default {RESULTS}; with --tiny none")
    ask.add_argument("--minutes", type=float, default=7.5, help="in which no other one begins")
    ask.add_argument("--only", action="append", help="a contestant; may be given again")
    ask.add_argument("--tiny", action="store_true", help="a tiny model on the CPU")
    ask.add_argument("--page", action="store_true", help="only write the pages anew")
    ask.add_argument("--one", help=argparse.SUPPRESS)
    return ask.parse_args(arguments)


def _no_gpu() -> bool:
    import torch  # noqa: PLC0415 - not for --page

    return not torch.cuda.is_available()


def _run(names: list[str], asked: argparse.Namespace, output: Path | None) -> dict[str, Any]:
    """Measure one after the other; what is known is in `output` after each."""
    begun, document = time.monotonic(), _document(tiny=asked.tiny)
    for name in names:
        left = asked.minutes * 60 - (time.monotonic() - begun)
        before = time.monotonic()
        found = _measured(named(name), left, tiny=asked.tiny)
        found["process_s"] = round(time.monotonic() - before, 1)
        document["results"][name] = found
        with_shares(document["results"], document["rows"])
        document["targets"] = judge(document["results"])
        if output is not None:
            output.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
            output.write_text(text, encoding="utf-8", newline="\n")
        print(line(name, document["results"][name]), flush=True)
    return document


def _document(*, tiny: bool) -> dict[str, Any]:
    return {
        "command": "python -m benchmarks.gpu" + (" --tiny" if tiny else ""),
        "machine": _machine(tiny=tiny),
        "rows": len(rows_for(tiny=tiny).lengths),
        "results": {},
        "targets": [],
    }


def _machine(*, tiny: bool) -> dict[str, Any]:
    import torch  # noqa: PLC0415 - not for --page

    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    device = "CPU" if tiny else torch.cuda.get_device_name()
    return {"device": device, "cuda": torch.version.cuda, "packages": versions}


def _measured(contestant: Contestant, left_s: float, *, tiny: bool) -> dict[str, Any]:
    """Its figures, or why there are none."""
    lack = lack_of(contestant, tiny=tiny)
    if lack:
        return {"status": "skipped", "reason": lack}
    if tiny:  # imports would take longer than all the rest
        return {"status": "measured", **measure(contestant, tiny=True)}
    if left_s < LEAST_S:
        return {"status": "skipped", "reason": "no time left"}
    limit = min(float(contestant.box_s), left_s)
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder) / "figures.json"
        command = [sys.executable, "-m", "benchmarks.gpu", "--one", contestant.name]
        try:
            done = subprocess.run(
                [*command, "--output", str(into)],
                capture_output=True,
                text=True,
                check=False,
                timeout=limit,
                env=os.environ | OFFLINE,
            )
        except subprocess.TimeoutExpired:
            return {"status": "failed", "reason": f"not through after {limit:.0f} s"}
        if done.returncode or not into.is_file():
            return {"status": "failed", "reason": done.stderr.strip()[-600:]}
        return {"status": "measured", **json.loads(into.read_text(encoding="utf-8"))}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
