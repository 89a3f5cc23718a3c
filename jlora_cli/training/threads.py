"""As many threads as there are cores that other processes leave.

torch shares out a product in equal parts and waits for the last: two threads beside a process that
keeps one of two cores busy take longer than one by itself.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

import torch

from jlora_cli.events import Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from jlora_cli.training.processes import World

# Whoever sets one of these has decided.
_ASKED = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
_EVERY, _SHORTEST = 10.0, 0.25  # seconds; of fewer the system's counters say little


class Seen(NamedTuple):
    """The clocks at one moment, in seconds.

    worked: by all cores that this process may use; own: by this process.
    """

    clock: float
    worked: float
    own: float


class Threads:
    """How many threads torch computes with on a CPU, looked at again while a run goes on.

    The numbers of threads and of cores are those that torch and the system give at first.
    """

    def __init__(self, notify: Callable[[Stage], None]) -> None:
        self._notify = notify
        self._most = self._now = torch.get_num_threads()
        self._cores = _own_cores()
        self._seen = look(self._cores)
        self._wait = _SHORTEST

    def settle(self) -> None:
        """Take more or fewer threads where other processes have left or taken cores."""
        if time.monotonic() - self._seen.clock < self._wait:
            return
        before, self._seen, self._wait = self._seen, look(self._cores), _EVERY
        others = busy_cores(before, self._seen)
        wanted = threads_beside(others, cores=len(self._cores), most=self._most)
        if wanted != self._now:
            torch.set_num_threads(wanted)
            self._now = wanted
            told = {"count": wanted, "most": self._most, "busy": f"{others:.1f}"}
            self._notify(Stage("train.stage.threads", told))

    def put_back(self) -> None:
        """As many as at first."""
        torch.set_num_threads(self._most)


def watch_threads(
    device: torch.device, world: World, notify: Callable[[Stage], None]
) -> Threads | None:
    """What settles the threads of a run on `device`; None where there is nothing to settle.

    That is on a GPU, with one thread, with several processes of this run, and where the environment
    says how many.
    """
    alone = device.type == "cpu" and world.size == 1 and torch.get_num_threads() > 1
    return None if not alone or any(map(os.environ.get, _ASKED)) else Threads(notify)


def threads_beside(others: float, *, cores: int, most: int) -> int:
    """How many of at most `most` threads find a core of their own where `others` are busy.

    Where there are more cores than threads, as with two to a physical one, each thread wants its
    share of them.
    """
    return max(1, min(most, round((cores - others) * most / cores)))


def busy_cores(before: Seen, after: Seen) -> float:
    """How many cores other processes kept busy between two looks."""
    others = (after.worked - before.worked) - (after.own - before.own)
    return max(0.0, others / max(after.clock - before.clock, 1e-9))


def look(cores: list[int]) -> Seen:
    """At the clocks now. Niced processes give way, and are not counted."""
    import psutil  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415

    times = psutil.cpu_times(percpu=True)
    worked = sum(_worked(times[core]) for core in cores if core < len(times))
    return Seen(time.monotonic(), worked, time.process_time())


def _worked(times: object) -> float:
    """Seconds of a core; guests' are part of the user's."""
    return sum(getattr(times, name, 0.0) for name in ("user", "system", "irq", "softirq", "steal"))


def _own_cores() -> list[int]:
    """The numbers of the cores that this process may use."""
    import psutil  # noqa: PLC0415

    process = psutil.Process()
    if hasattr(process, "cpu_affinity"):  # not on macOS
        return list(process.cpu_affinity())
    return list(range(psutil.cpu_count() or 1))
