"""How long `jlora env-check` takes where torch works and where it cannot be imported.

    python benchmarks/env_check_speed.py [--runs 5]

The commands take turns; medians of wall and CPU time. "import" is a bare `import torch`, below
which a check that tries torch cannot get; "missing" hides torch behind a package that raises, with
the real one's version file, as an install that broke half-way looks. Ends with 1 where the check
without a torch that can be imported takes more CPU time than the limit.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT_S = 2.0
ROOT = Path(__file__).parents[1]


def main() -> int:
    """Measure, print a table, and say by the exit code whether the limit holds."""
    ask = argparse.ArgumentParser(description="the time of env-check, torch or no torch")
    ask.add_argument("--runs", type=int, default=5)
    runs = ask.parse_args().runs
    check = [sys.executable, "-m", "jlora_cli", "env-check", "--json"]
    with tempfile.TemporaryDirectory() as folder:
        hide_torch(Path(folder))
        lines = {
            "import torch": ([sys.executable, "-c", "import torch"], ""),
            "env-check": (check, ""),
            "env-check --try": ([*check, "--try"], ""),
            "env-check, torch broken": (check, folder),
        }
        taken = {name: measure(*line, runs) for name, line in lines.items()}
    for name, (wall, cpu) in taken.items():
        print(f"{name:<26}{wall:>7.2f} s wall{cpu:>7.2f} s CPU")
    held = taken["env-check, torch broken"][1] <= LIMIT_S
    print(f"limit {LIMIT_S} s without torch: {'held' if held else 'exceeded'}")
    return 0 if held else 1


def hide_torch(folder: Path) -> None:
    """A torch in `folder` whose import fails; its version file is the real one's."""
    real = importlib.util.find_spec("torch")
    places = real.submodule_search_locations if real else None
    version = Path(places[0], "version.py").read_text(encoding="utf-8") if places else ""
    (folder / "torch").mkdir()
    (folder / "torch" / "version.py").write_text(version, encoding="utf-8")
    text = "raise OSError('libcudart.so.13: cannot open shared object file')\n"
    (folder / "torch" / "__init__.py").write_text(text, encoding="utf-8")


def measure(line: list[str], first: str, runs: int) -> tuple[float, float]:
    """Median (wall, CPU) in seconds; the first run only warms up. `first` leads PYTHONPATH."""
    path = os.pathsep.join(part for part in (first, str(ROOT)) if part)
    environment = {**os.environ, "PYTHONPATH": path}
    wall, cpu = [], []
    for _ in range(runs + 1):
        begun, before = time.perf_counter(), children_seconds()
        subprocess.run(line, check=False, capture_output=True, env=environment)
        wall.append(time.perf_counter() - begun)
        cpu.append(children_seconds() - before)
    return statistics.median(wall[1:]), statistics.median(cpu[1:])


def children_seconds() -> float:
    """CPU seconds of all child processes so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
