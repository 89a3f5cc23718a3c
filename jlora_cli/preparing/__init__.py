"""Sources -> a prepared folder: checked rows in one form, and a record of how they came about.

The folder appears whole or not at all, and the same input gives the same bytes. Rows pass through
by the piece, so a million take no more memory than ten thousand but for 12 bytes each. Training
reads its data through `load_data`, so a raw file and a prepared folder are checked alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jlora_cli.dataset import TRAIN_FILE, VALIDATION_FILE, Asked
from jlora_cli.errors import refuse
from jlora_cli.events import Notify, Stage, ignore
from jlora_cli.preparing.choosing import TRAIN, VALIDATION
from jlora_cli.preparing.command import skip_command
from jlora_cli.preparing.deciding import Decision, decide
from jlora_cli.preparing.gathering import Gathered, Gatherer, Spool
from jlora_cli.preparing.near import check_near
from jlora_cli.preparing.record import made_of, manifest_of
from jlora_cli.preparing.sources import (
    DEMO_DATA,
    DEMO_VALIDATION,
    files_for,
    find_validation,
    load_data,
)
from jlora_cli.preparing.values import Audit, FileRecord, Prepared, Rules
from jlora_cli.preparing.writing import (
    SCRATCH,
    check_output,
    draft_of,
    write_chosen,
    write_manifest,
    write_ordered,
    write_parquet,
)
from jlora_cli.processes import Processes

if TYPE_CHECKING:
    from pathlib import Path

    from jlora_cli.preparing.counting import Counted

__all__ = [
    "DEMO_DATA",
    "DEMO_VALIDATION",
    "Audit",
    "FileRecord",
    "Prepared",
    "Rules",
    "files_for",
    "find_validation",
    "load_data",
    "prepare",
]


def prepare(  # noqa: PLR0913 - the whole of the work
    sources: list[str],
    *,
    output: Path,
    rules: Rules | None = None,
    audit: Audit | None = None,
    notify: Notify = ignore,
    processes: int | None = None,
) -> Prepared:
    """Check the rows of `sources` and write them as a prepared folder.

    `processes` is how many may work at once, all cores as a rule; the bytes are the same.

    Raises:
        JloraError: a source cannot be used, or the folder cannot be written. Nothing is left.
    """
    rules = rules or Rules()
    share = _share(rules.validation)
    check_output(output)
    if rules.dedupe == "near":
        check_near()
    asked = _asked(rules, skip_command(sources, output, rules, audit))
    with draft_of(output) as draft, Processes(processes) as workers:
        read = _Reader(draft, asked, workers, notify)
        train = read.all(sources, "train", rules.limit)
        held_out = None
        if share is None and rules.validation is not None:
            held_out = read.all([rules.validation], "validation", None)
        decision = decide(train, held_out, rules, share=share, processes=workers)
        notify(Stage("prepare.writing", {"path": str(output)}))
        names = _write(draft, train, held_out, decision, rules)
        counted = _count(draft, decision, audit, workers, notify)
        sides = [train, *([held_out] if held_out else [])]
        made = made_of(output, sides, decision, counted)
        write_manifest(draft, manifest_of(made, sides, rules, audit), names)
    return made


def _share(validation: str | None) -> float | None:
    """The share that `validation` is; None where it names a source, or nothing."""
    try:
        share = float(validation or "")
    except ValueError:
        return None
    if not 0 < share < 1:
        raise refuse("prepare.bad_validation", value=validation)
    return share


def _asked(rules: Rules, command: str) -> Asked:
    return Asked(
        format=rules.format,
        on_bad_row=rules.on_bad_row,
        mapping=rules.mapping,
        encoding=rules.encoding,
        rerun=command,
    )


@dataclass(frozen=True)
class _Reader:
    """How sources are read, whichever side they are for."""

    draft: Path
    asked: Asked
    workers: Processes
    notify: Notify

    def all(self, sources: list[str], side: str, limit: int | None) -> Gathered:
        """The checked rows of these sources in one spool."""
        gathered = Gathered(Spool(self.draft / SCRATCH / side))
        gathered.spool.path.touch()
        gatherer = Gatherer(self.asked, gathered, self.workers, limit)
        for source in sources:
            if not gatherer.is_full:
                self.notify(Stage("prepare.reading", {"source": source}))
                gatherer.source(source)
        return gathered


def _write(
    draft: Path, train: Gathered, held_out: Gathered | None, decision: Decision, rules: Rules
) -> list[str]:
    """Write the chosen rows; the names of the files."""
    target = draft / TRAIN_FILE
    if decision.validation_rows:
        side = draft / VALIDATION_FILE
        if held_out is not None:
            write_chosen(held_out.spool, decision.held_out, VALIDATION, side)
        else:
            write_chosen(train.spool, decision.fates, VALIDATION, side)
    if decision.order is not None:
        write_ordered(train.spool, decision.order, target)
    elif decision.train_rows == len(decision.fates):
        train.spool.path.replace(target)
    else:
        write_chosen(train.spool, decision.fates, TRAIN, target)
    lines = [target, *([draft / VALIDATION_FILE] if decision.validation_rows else [])]
    tables = [path.with_suffix(".parquet") for path in lines] if rules.parquet else []
    for path, table in zip(lines, tables, strict=False):
        write_parquet(path, table)
    return [path.name for path in (*lines, *tables)]


def _count(
    draft: Path, decision: Decision, audit: Audit | None, workers: Processes, notify: Notify
) -> Counted | None:
    if audit is None:
        return None
    from jlora_cli.preparing.counting import count  # noqa: PLC0415 - sentencepiece takes 0.1 s

    notify(Stage("prepare.counting", {"model": audit.model}))
    return count(draft / TRAIN_FILE, decision.train_rows, audit, workers)
