"""Steps that are waited for: how long each took, and what it learned from."""

from __future__ import annotations

import gc
import statistics
import time
from typing import TYPE_CHECKING, NamedTuple

import torch

from benchmarks.gpu.shapes import Work

if TYPE_CHECKING:
    from collections.abc import Callable


class Pace(NamedTuple):
    """How many steps warm up, how many are timed, and the seconds after which no other begins.

    limit_s: from the end of the first step on, which may compile.
    """

    warm: int = 10
    timed: int = 20
    limit_s: float = 45.0


class Timed(NamedTuple):
    """first_s: the first step, in which kernels are compiled; seconds: of each timed step."""

    first_s: float
    seconds: list[float]
    work: Work

    def as_json(self) -> dict[str, object]:
        total = sum(self.seconds)
        low, middle, high = _quartiles(self.seconds)
        return {
            "steps": len(self.seconds),
            "step_s": round(middle, 4),
            "step_s_quartiles": [round(low, 4), round(high, 4)],
            "first_step_s": round(self.first_s, 2),
            "tokens": self.work.tokens,
            "seconds": round(total, 3),
            "tokens_per_s": round(self.work.tokens / total, 1),
            "rows_per_s": round(self.work.rows / total, 2),
        }


def _quartiles(seconds: list[float]) -> tuple[float, float, float]:
    if len(seconds) < 2:
        return seconds[0], seconds[0], seconds[0]
    low, middle, high = statistics.quantiles(seconds, n=4, method="inclusive")
    return low, middle, high


def take_steps(step: Callable[[], Work], pace: Pace, device: str) -> Timed:
    """Take steps until there are enough or the time is over; at least two."""
    begun, first_s, seconds, work = 0.0, 0.0, list[float](), Work()
    for number in range(pace.warm + pace.timed):
        before = time.perf_counter()
        done = step()
        if device == "cuda":
            torch.cuda.synchronize()
        now = time.perf_counter()
        if number == 0:
            begun, first_s = now, now - before
        over = now - begun > pace.limit_s
        if number >= pace.warm or (over and number > 0):
            seconds.append(now - before)
            work = work.plus(done)
        if over and seconds:
            break
    return Timed(first_s, seconds, work)


def reset_peak(device: str) -> None:
    """Forget what memory was taken so far, and give back what is only kept."""
    gc.collect()  # models are in circles
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
