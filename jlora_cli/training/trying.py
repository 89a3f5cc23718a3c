"""One run for every combination of settings, over one loaded base; the best adapter is kept."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jlora_cli.errors import refuse
from jlora_cli.events import Stage, ignore
from jlora_cli.report import write_report
from jlora_cli.run_folder import RECORD, make_run_folder, write_json
from jlora_cli.training.loading import Shelf
from jlora_cli.training.session import train

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jlora_cli.events import Notify
    from jlora_cli.proposal import Trial

TABLE = "tries.json"


def try_all(
    output: Path,
    trials: Sequence[Trial],
    notify: Notify = ignore,
    *,
    from_adapter: str | None = None,
) -> dict[str, Any]:
    """Train each of `trials`; the record of the best, whose run folder `output` becomes.

    Each begins with the adapter that `from_adapter` names, where one is named. The best is the
    one with the lowest loss on the held-out rows. Of the others all stays but adapter and
    checkpoints. The record's `tries` say what each came to. An interruption ends all: then the
    record is that of the interrupted run.

    Raises:
        JloraError: a run cannot start or had to be stopped; those before it are kept whole.
    """
    shelf, records = Shelf(), []
    for number, trial in enumerate(trials, start=1):
        values = {"number": number, "of": len(trials), "settings": trial.name}
        notify(Stage("try.stage", values))
        record = train(trial.proposal, notify, from_adapter=from_adapter, shelf=shelf)
        if record["status"] != "finished":
            return record
        records.append(record)
        write_json(output / TABLE, _table(trials, records))
    table = _table(trials, records)
    best = min(range(len(records)), key=lambda at: table[at]["validation_loss"])
    return _keep(output, trials, records[best], table, best)


def _table(trials: Sequence[Trial], records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What each run came to, in order."""
    shown = ("validation_loss", "train_loss", "optimizer_steps", "seconds")
    return [
        {"settings": dict(trial.settings), **{name: record["result"][name] for name in shown}}
        for trial, record in zip(trials, records, strict=False)
    ]


def _keep(
    output: Path,
    trials: Sequence[Trial],
    record: dict[str, Any],
    table: list[dict[str, Any]],
    best: int,
) -> dict[str, Any]:
    """Make `output` the run folder of the best trial, its record last; the others lose weight."""
    folders = [Path(trial.proposal.config.output or "") for trial in trials]
    for at, folder in enumerate(folders):
        if at != best:
            for heavy in ("adapter", "checkpoints"):
                shutil.rmtree(folder / heavy, ignore_errors=True)
    make_run_folder(output)
    try:
        for item in sorted(folders[best].iterdir()):
            if item.name != RECORD:
                item.replace(output / item.name)
        shutil.rmtree(folders[best])
    except OSError as error:
        raise refuse("source.cannot_write", path=output, problem=error.strerror) from error
    config = record["config"] | {"output": record["config"]["output"] | {"value": str(output)}}
    whole = record | {"output": str(output), "config": config, "tries": table, "best_try": best + 1}
    write_report(output, whole)
    write_json(output / RECORD, whole)
    return whole
