"""The whole benchmark of training: neighbours, start, scale, threads; then its pages.

    python -m benchmarks.neighbours [--rounds 3] [--rows 1500] [--jobs chat,dolly] [--append]
    python -m benchmarks.neighbours --parts table      # only write the pages anew

Every contestant trains the same jobs, each in an environment that is made under `--cache`; they
take turns round by round, and what is compared was measured in the same round. The results stand
in benchmarks/results/, one JSON a part, written after every run; the pages docs/benchmarks.md and
docs/benchmarks.ja.md are made of them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import busy_threads, first_step, train_scale
from benchmarks.neighbours.contestants.watch import FLOOR
from benchmarks.neighbours.jobs import KINDS, Job, default_shared, prepare
from benchmarks.neighbours.page import write_pages
from benchmarks.neighbours.rows import ROOT
from benchmarks.neighbours.running import (
    AT_THE_LIMIT,
    CONTESTANTS,
    DEFAULT_CACHE,
    NEIGHBOURS,
    machine,
    run,
    validation_losses,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTS = ("neighbours", "start", "scale", "threads", "table")
CHAT_ROWS = 55
# The seed recipe computes ten times what others do on these rows; a tenth tells its speed.
SHARES = {"dolly:seed": 0.1}


def main() -> None:
    """Measure what was asked for, and write the pages."""
    asked = parse(sys.argv[1:])
    os.chdir(ROOT)
    asked.results.mkdir(parents=True, exist_ok=True)
    if "neighbours" in asked.parts:
        measure_neighbours(asked)
    rest = {"start": first_step, "scale": train_scale, "threads": busy_threads}
    for part, script in rest.items():
        if part in asked.parts:
            told = script.measure(asked.cache, rounds=asked.rounds, small=asked.small)
            save(asked.results / f"{script.NAME}.json", told | {"machine": machine()})
    if "table" in asked.parts:
        write_pages(asked.results, ROOT / "docs")


def parse(words: list[str]) -> argparse.Namespace:
    """What is asked for."""
    ask = argparse.ArgumentParser(
        prog="python -m benchmarks.neighbours",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    ask.add_argument("--parts", type=_names(PARTS), default=PARTS)
    ask.add_argument("--jobs", type=_names(tuple(KINDS)), default=tuple(KINDS))
    ask.add_argument("--contestants", type=_names(tuple(CONTESTANTS)), default=tuple(CONTESTANTS))
    ask.add_argument("--rounds", type=int, default=3)
    ask.add_argument("--rows", type=int, default=1500, help="of the dolly-like job")
    ask.add_argument("--long-rows", type=int, default=48, help="of the jobs of 512 tokens a row")
    ask.add_argument("--share", action="append", default=[], metavar="JOB:CONTESTANT=SHARE",
                     help="train on a part of the rows only (default: dolly:seed=0.1)")  # fmt: skip
    ask.add_argument("--threads", type=int, default=1)
    ask.add_argument("--shared", type=Path, default=default_shared(), help="vocabularies and rows")
    ask.add_argument("--cache", type=Path, default=Path(DEFAULT_CACHE))
    ask.add_argument("--results", type=Path, default=Path("benchmarks/results"))
    ask.add_argument("--append", action="store_true", help="keep the runs that are there")
    ask.add_argument("--small", action="store_true", help="little of everything, to try it out")
    asked = ask.parse_args(words)
    asked.words = words
    return asked


def _names(known: tuple[str, ...]) -> Any:
    """A parser of names with commas between."""

    def names(text: str) -> tuple[str, ...]:
        found = tuple(text.split(","))
        unknown = [name for name in found if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{unknown[0]} is none of {', '.join(known)}")
        return found

    return names


def shares_of(texts: list[str]) -> dict[str, float]:
    """{JOB:CONTESTANT: share of the rows}."""
    pairs = (text.rpartition("=") for text in texts)
    return SHARES | {name: float(share) for name, _, share in pairs}


# -- the neighbours ----------------------------------------------------------------------------


def measure_neighbours(asked: argparse.Namespace) -> None:
    """Rounds of all contestants on all jobs, kept after every run."""
    path = asked.results / "neighbours.json"
    document = read(path) if asked.append and path.is_file() else {"jobs": {}, "runs": []}
    commands = dict.fromkeys([*document.get("commands", ()), command(asked.words)])
    document |= {"commands": list(commands), "machine": machine()}
    first = 1 + max((made["round"] for made in document["runs"]), default=0)
    for number in range(first, first + asked.rounds):
        for name in asked.jobs:
            for run_of_it in one_round(asked, name, number, document["jobs"]):
                document["runs"].append(run_of_it)
                save(path, document)


def one_round(
    asked: argparse.Namespace, name: str, number: int, jobs: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Every contestant trains the job once, and its adapter is judged; `jobs` gains its facts."""
    job = prepare(name, rows_of(asked, name), shared=asked.shared, cache=asked.cache)
    if jobs.get(name, {"rows": job.rows})["rows"] != job.rows:
        raise SystemExit(f"the runs that are there trained {name} on other rows: leave --append")
    for contestant in turn(contestants_of(asked, name), number):
        part = job_of(asked, job, contestant)
        print(f"round {number}: {name}, {contestant}, {part.rows} rows", flush=True)
        options = [FLOOR] if contestant in AT_THE_LIMIT else []
        figures = run(contestant, part, asked.cache, threads=asked.threads, options=options)
        adapters = [figures.pop("adapter")] if figures["status"] == "done" else []
        base, *loss = validation_losses(job, adapters)
        jobs[name] = facts(job, base, demo=asked.shared is None)
        which = {"job": name, "contestant": contestant, "round": number, "rows": part.rows}
        judged = {"validation_loss": loss[0]} if loss else {}
        yield {**which, "threads": asked.threads, **figures, **judged}


def rows_of(asked: argparse.Namespace, name: str) -> int:
    """How many rows the job has."""
    if name == "chat":
        return CHAT_ROWS
    return asked.rows if name == "dolly" else asked.long_rows


def contestants_of(asked: argparse.Namespace, name: str) -> list[str]:
    """Who trains the job."""
    here = AT_THE_LIMIT if name.startswith("long") else NEIGHBOURS
    return [each for each in asked.contestants if each in here]


def turn(names: list[str], number: int) -> list[str]:
    """Each begins a round in turn."""
    at = number % max(1, len(names))
    return names[at:] + names[:at]


def job_of(asked: argparse.Namespace, job: Job, contestant: str) -> Job:
    """The job, or the part of it that this contestant trains."""
    share = shares_of(asked.share).get(f"{job.name}:{contestant}", 1.0)
    if share == 1.0:
        return job
    rows = max(job.batch_size, round(job.rows * share))
    return prepare(job.name, rows, shared=asked.shared, cache=asked.cache)


def facts(job: Job, base_loss: float, *, demo: bool) -> dict[str, Any]:
    """What a reader must know of a job."""
    tokens, supervised = (sum(pair[at] for pair in job.lengths) for at in (0, 1))
    told = {"rows": job.rows, "epochs": job.epochs, "shape": job.shape, "template": job.template}
    return told | {
        "tokens": tokens,
        "supervised": supervised,
        "base_validation_loss": base_loss,
        "rows_from": "demo" if demo else "shared",
    }


def command(words: list[str]) -> str:
    """The command line without the folders of this machine."""
    kept, left = [], iter(words)
    for word in left:
        if word in ("--shared", "--cache", "--results"):
            next(left)
        elif not word.startswith(("--shared=", "--cache=", "--results=")):
            kept.append(word)
    return " ".join(["python -m benchmarks.neighbours", *kept])


def read(path: Path) -> dict[str, Any]:
    """A document of results."""
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return told


def save(path: Path, document: dict[str, Any]) -> None:
    """Write a document of results."""
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
