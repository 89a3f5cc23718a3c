"""Medians, spreads and ratios of runs, and whether the goals are reached. Arithmetic only.

Ratios are of two runs of one round, so that a machine that is slower in one round slows both. Where
a contestant trained on a part of the rows, CPU time counts per real token.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

OURS = "jlora"
# As equal as two runs with other random numbers come out: a thousandth of the loss.
EQUAL = 1.001
FLAT = 1.10
Run = dict[str, Any]


class Goal(NamedTuple):
    """What is to be reached: a figure at most `limit`; `measured` is None where there is none."""

    key: str
    job: str
    against: str
    limit: float
    measured: float | None

    @property
    def reached(self) -> bool | None:
        """Whether it is; None where nothing was measured."""
        return None if self.measured is None else self.measured <= self.limit


def spread(values: Iterable[float]) -> dict[str, float]:
    """The median of some values, the least and the most of them, and how many they are."""
    found = list(values)
    middle = statistics.median(found)
    return {"median": middle, "least": min(found), "most": max(found), "runs": len(found)}


def done(runs: Sequence[Run], job: str, contestant: str) -> list[Run]:
    """The contestant's runs of the job that came to their end."""
    wanted = (run for run in runs if run["job"] == job and run["contestant"] == contestant)
    return [run for run in wanted if run["status"] == "done"]


def figure(run: Run, name: str) -> float:
    """A figure of a run: one that was measured, or one that follows."""
    if name == "tokens_per_s":
        return seen(run, "tokens") / float(run["training_cpu_s"])
    if name == "supervised_per_s":
        return seen(run, "supervised") / float(run["training_cpu_s"])
    if name == "cpu_per_token":
        return float(run["training_cpu_s"]) / seen(run, "tokens")
    if name == "floor_ratio":
        return float(run["training_cpu_s"] / run["floor"]["cpu_s"])
    return float(run[name])


def seen(run: Run, kind: str) -> float:
    """How many tokens of that kind the loop saw in all its epochs."""
    return float(run[kind] * run["epochs"])


def with_epochs(document: dict[str, Any]) -> list[Run]:
    """The runs of a document, each with the epochs of its job."""
    return [run | {"epochs": document["jobs"][run["job"]]["epochs"]} for run in document["runs"]]


def ratios(runs: Sequence[Run], job: str, against: str, name: str) -> list[float]:
    """The ratio of jlora's figure to that of another, in each round that has both."""
    theirs = {run["round"]: figure(run, name) for run in done(runs, job, against)}
    ours = ((run["round"], figure(run, name)) for run in done(runs, job, OURS))
    return [value / theirs[number] for number, value in ours if number in theirs]


def middle(values: Sequence[float]) -> float | None:
    """The median, None of none."""
    return statistics.median(values) if values else None


def goals(results: dict[str, dict[str, Any]]) -> list[Goal]:
    """Every goal beside what was measured for it; `results`: documents by file name."""
    document = results.get("neighbours")
    runs = with_epochs(document) if document else []
    return [*_speed(runs), *_floor(runs), *_memory(runs), *_quality(runs), *_others(results)]


def _speed(runs: Sequence[Run]) -> Iterator[Goal]:
    wanted = (
        ("chat", "seed", 1 / 25),
        ("chat", "trl", 1 / 3),
        ("dolly", "trl", 1 / 4),
        ("dolly", "trl-packed", 1 / 3.5),
    )
    for job, against, limit in wanted:
        found = middle(ratios(runs, job, against, "cpu_per_token"))
        yield Goal("training_cpu", job, against, limit, found)


def _floor(runs: Sequence[Run]) -> Iterator[Goal]:
    for job in ("long-gpt2", "long-neox"):
        found = [figure(run, "floor_ratio") for run in done(runs, job, OURS)]
        yield Goal("floor", job, "", 1.15, middle(found))


def _memory(runs: Sequence[Run]) -> Iterator[Goal]:
    for against, limit in (("trl", 1 / 3), ("trl-packed", 1 / 1.4)):
        found = middle(ratios(runs, "dolly", against, "peak_mib"))
        yield Goal("peak_memory", "dolly", against, limit, found)


def _quality(runs: Sequence[Run]) -> Iterator[Goal]:
    """Beside everyone that trained on as many rows."""
    for job in ("chat", "dolly"):
        rows = {run["rows"] for run in done(runs, job, OURS)}
        for against in ("seed", "trl", "trl-packed", "llama-factory"):
            same = [run for run in done(runs, job, against) if run["rows"] in rows]
            if same:
                kept = [*same, *done(runs, job, OURS)]
                found = middle(ratios(kept, job, against, "validation_loss"))
                yield Goal("validation_loss", job, against, EQUAL, found)


def _others(results: dict[str, dict[str, Any]]) -> Iterator[Goal]:
    start, scale = results.get("first_step"), results.get("train_scale")
    for clock in ("wall", "cpu"):
        found = middle(start["ratios"][clock]) if start else None
        yield Goal(f"first_step_{clock}", "", "trl", 1 / 2, found)
    for name in ("cpu_us_per_token", "resident_mib"):
        yield Goal(f"scale_{name}", "", "", FLAT, growth(scale, name) if scale else None)
    threads = results.get("busy_threads")
    found = middle(threads["ratios"]["a busy process"]) if threads else None
    yield Goal("busy_threads", "", "", 1.0, found)


def growth(scale: dict[str, Any], name: str) -> float:
    """The median of the largest size to that of the smallest."""
    sizes = sorted(scale["sizes"], key=int)
    first, last = (scale["sizes"][size][name]["median"] for size in (sizes[0], sizes[-1]))
    return float(last / first)
