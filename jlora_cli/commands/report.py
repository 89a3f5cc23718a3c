"""`jlora report`: rebuild a run's page, or compare runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from jlora_cli import screen
from jlora_cli.commands.options import Json
from jlora_cli.messages import say


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help=say("help.report.runs"))],
    json: Json = False,
) -> None:
    """Rebuild each page; with several runs, one table beside."""
    from jlora_cli.report import write_report
    from jlora_cli.run_folder import read_record

    records = [(run, read_record(run)) for run in runs]
    pages = [write_report(run, record) for run, record in records]
    if json:
        screen.json_out(
            [
                {
                    "run": str(run),
                    "page": str(page),
                    "status": record["status"],
                    "result": record["result"],
                }
                for (run, record), page in zip(records, pages, strict=True)
            ]
        )
        return
    for page in pages:
        screen.out(str(page))
    if len(records) > 1:
        _compare(records)


def _compare(records: list[tuple[Path, dict[str, Any]]]) -> None:
    names = ["optimizer_steps", "train_loss", "validation_loss", "tokens_per_second", "seconds"]
    rows = [[name, *(_shown(record["result"][name]) for _, record in records)] for name in names]
    screen.table([say("report.figure"), *(str(run) for run, _ in records)], rows)


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.5g}" if isinstance(value, float) else str(value)
