"""How long `jlora --help` and `jlora train --help` take beside a bare Typer program of that size.

    python benchmarks/help_startup.py [--runs 15]

The bare program is written anew each time: as many commands, and for `train` as many options, as
jlora has, with texts of the same length and no work behind them. The programs take turns, so that a
busy machine slows all of them alike. Prints medians of wall and CPU time and their ratio; ends
with 1 where a ratio of CPU times is above the limit.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import typer

from jlora_cli.cli import build_app

LIMIT = 1.5


def main() -> int:
    """Measure, print a table, and say by the exit code whether the limit holds."""
    ask = argparse.ArgumentParser(description="start-up of --help, beside a bare Typer program")
    ask.add_argument("--runs", type=int, default=15)
    runs = ask.parse_args().runs
    held = True
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.py"
        bare.write_text(bare_program(), encoding="utf-8")
        print(f"{'':<20}{'jlora':>16}{'bare Typer':>18}{'ratio':>8}   (wall / CPU, ms)")
        for words in (["--help"], ["train", "--help"]):
            lines = {
                "jlora": [sys.executable, "-m", "jlora_cli", *words],
                "bare": [sys.executable, str(bare), *words],
            }
            taken = measure(lines, runs)
            ratio = taken["jlora"][1] / taken["bare"][1]
            shown = [f"{wall:.0f} / {cpu:.0f}" for wall, cpu in taken.values()]
            print(f"{' '.join(words):<20}{shown[0]:>16}{shown[1]:>18}{ratio:>8.2f}")
            held = held and ratio <= LIMIT
    print(f"limit {LIMIT}: {'held' if held else 'exceeded'}")
    return 0 if held else 1


def measure(lines: dict[str, list[str]], runs: int) -> dict[str, tuple[float, float]]:
    """Median (wall, CPU) in milliseconds of each command line; the first round only warms up."""
    wall: dict[str, list[float]] = {name: [] for name in lines}
    cpu: dict[str, list[float]] = {name: [] for name in lines}
    for _ in range(runs + 1):
        for name, line in lines.items():
            begun, before = time.perf_counter(), children_seconds()
            subprocess.run(line, check=True, capture_output=True)
            wall[name].append(1000 * (time.perf_counter() - begun))
            cpu[name].append(1000 * (children_seconds() - before))
    return {
        name: (statistics.median(wall[name][1:]), statistics.median(cpu[name][1:]))
        for name in lines
    }


def children_seconds() -> float:
    """CPU seconds of all child processes so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def bare_program() -> str:
    """A Typer program with jlora's commands and their options, which do nothing."""
    group = typer.main.get_command(build_app())
    context = group.make_context("jlora", [], resilient_parsing=True)
    lines = ["from typing import Annotated", "", "import typer", "", "app = typer.Typer()"]
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inner = command.make_context(name, [], parent=context, resilient_parsing=True)
        options = [item for item in command.get_params(inner) if item.name != "help"]
        lines += ["", "", f"@app.command({name!r}, help={command.help!r})"]
        lines.append(f"def command_{name.replace('-', '_')}(")
        for item in options:
            kind = "bool" if getattr(item, "is_flag", False) else "str"
            panel = f"rich_help_panel={item.rich_help_panel!r}"
            about = f"typer.{item.param_type_name.title()}(help={item.help!r}, {panel})"
            lines.append(f"    {item.name.rstrip('_')}_: Annotated[{kind} | None, {about}] = None,")
        lines += [") -> None:", "    pass"]
    return "\n".join([*lines, "", "", "app()", ""])


if __name__ == "__main__":
    sys.exit(main())
