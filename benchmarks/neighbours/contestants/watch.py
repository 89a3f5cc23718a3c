"""What a run takes: CPU time, wall time and memory of its loop, and of all up to its adapter.

Standard library only, so that every environment can import it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FLOOR = "--floor"  # measure the matrix products alone after the run, in its process
STARTED = "BENCH_STARTED"  # the clock of whoever started this process, when it did
KIB_PER_MIB, BYTES_PER_MIB = 2**10, 2**20
PACKAGES = (
    *("torch", "transformers", "peft", "accelerate", "datasets", "tokenizers"),
    *("trl", "llamafactory", "jlora"),
)


class Seen(NamedTuple):
    """What the loop was given: real tokens and those that the loss looks at, of one epoch."""

    tokens: int
    supervised: int


class Watch:
    """Told when the training loop begins and ends, and when the adapter is saved."""

    def __init__(self) -> None:
        self.figures: dict[str, Any] = {}
        self._cpu = self._wall = 0.0

    def begin(self) -> None:
        """The first step is next."""
        self.figures["resident_mib_before"] = resident_mib()
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def end(self, steps: int) -> None:
        """The last step is done."""
        self.figures["training_cpu_s"] = time.process_time() - self._cpu
        self.figures["training_wall_s"] = time.perf_counter() - self._wall
        self.figures["peak_mib"] = peak_mib()
        self.figures["resident_mib_after"] = resident_mib()
        self.figures["steps"] = steps

    def saved(self, adapter: Path) -> None:
        """The adapter lies in its folder."""
        self.figures["start_to_adapter_wall_s"] = time.time() - float(os.environ[STARTED])
        self.figures["start_to_adapter_cpu_s"] = time.process_time()
        self.figures["adapter"] = str(adapter)

    def write(self, path: Path, seen: Seen, **more: Any) -> None:
        """Everything as JSON."""
        told = {**self.figures, **seen._asdict(), **more, "versions": versions()}
        path.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def count(rows: Iterable[dict[str, Any]], *, pad_id: int | None = None) -> Seen:
    """The tokens of Trainer rows; the first label of a row is never predicted.

    `pad_id`: what rows are filled up with, which neither counts nor is trained.
    """
    tokens = supervised = 0
    for row in rows:
        ids = row["input_ids"]
        labels = row.get("labels", ids)
        real = [id_ != pad_id for id_ in ids]
        tokens += sum(real)
        kept = zip(labels[1:], real[1:], strict=True)
        supervised += sum(label != -100 and here for label, here in kept)
    return Seen(tokens, supervised)


def arguments(words: Sequence[str]) -> tuple[dict[str, Any], Path, list[str]]:
    """The job, the folder for what is made of it, and what else was said."""
    folder, output, *rest = words
    job: dict[str, Any] = json.loads(Path(folder, "job.json").read_text(encoding="utf-8"))
    return job, Path(output), rest


def versions() -> dict[str, str]:
    """The packages that decide, as far as they are installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def resident_mib() -> float:
    """What is resident of this process now; 0 where the system does not tell."""
    return _status("VmRSS") or 0.0


def peak_mib() -> float:
    """The most that was resident of this process.

    Not `ru_maxrss` on Linux: that a child may inherit from whoever started it.
    """
    told = _status("VmHWM")
    if told is not None:
        return told
    if sys.platform == "win32":
        import psutil  # noqa: PLC0415 - every contestant brings it

        return float(psutil.Process().memory_info().peak_wset / BYTES_PER_MIB)
    import resource  # noqa: PLC0415 - not on Windows

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(most / (BYTES_PER_MIB if sys.platform == "darwin" else KIB_PER_MIB))


def _status(name: str) -> float | None:
    """A figure of /proc/self/status in MiB."""
    path = Path("/proc/self/status")
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / KIB_PER_MIB for line in lines if line.startswith(name))
