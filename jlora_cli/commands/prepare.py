"""`jlora prepare`: checked rows in the one form that training reads."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from jlora_cli.commands.options import Json
from jlora_cli.messages import say

if TYPE_CHECKING:
    from jlora_cli.preparing import Prepared

FORMATS = (
    "messages, sharegpt, alpaca, dolly, prompt_completion, question_answer, input_output, text"
)


def prepare(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE", help=say("help.prepare.sources"))
    ],
    output: Annotated[Path, typer.Option("--output", help=say("help.prepare.output"))],
    model: Annotated[str | None, typer.Option("--model", help=say("help.prepare.model"))] = None,
    format: Annotated[
        str | None, typer.Option("--format", help=say("help.prepare.format", formats=FORMATS))
    ] = None,
    template: Annotated[
        str, typer.Option("--template", help=say("help.prepare.template"))
    ] = "auto",
    validation: Annotated[
        str | None,
        typer.Option("--validation", metavar="FRACTION|FILE", help=say("help.prepare.validation")),
    ] = None,
    max_length: Annotated[
        int | None, typer.Option("--max-length", min=1, help=say("help.prepare.max_length"))
    ] = None,
    on_bad_row: Annotated[
        Literal["stop", "skip"], typer.Option("--on-bad-row", help=say("help.prepare.on_bad_row"))
    ] = "stop",
    dedupe: Annotated[bool, typer.Option("--dedupe", help=say("help.prepare.dedupe"))] = False,
    stock_parity: Annotated[
        bool, typer.Option("--stock-parity", help=say("help.prepare.stock_parity"))
    ] = False,
    json: Json = False,
) -> None:
    """Check data and write it in the one form that training reads."""
    from jlora_cli import preparing, screen
    from jlora_cli.audit import stock_note

    if max_length is not None and model is None:
        raise typer.BadParameter(say("prepare.needs_model"))
    if stock_parity and model is None:
        raise typer.BadParameter(say("audit.needs_model"))
    rules = preparing.Rules(
        format=format, on_bad_row=on_bad_row, dedupe=dedupe, validation=validation
    )
    audit = preparing.Audit(model, template, max_length, stock_parity) if model else None
    with screen.Teller() as teller:
        made = preparing.prepare(
            sources, output=output, rules=rules, audit=audit, notify=teller.notify
        )
    if json:
        screen.json_out(made.as_json())
    else:
        _show(made)
    screen.findings(made.findings, to_stderr=True)
    if made.tokens and "stock_parity" in made.tokens:
        screen.note(stock_note(made.tokens["stock_parity"]))
    next_line = {"model": shlex.quote(model or "demo"), "path": shlex.quote(str(output))}
    screen.note(say("prepare.next", **next_line))


def _show(made: Prepared) -> None:
    """What came of it, for a person."""
    from jlora_cli import screen
    from jlora_cli.audit import describe

    rows: list[tuple[str, object]] = [(say("prepare.row.read"), made.rows_read)]
    rows += [
        (say("prepare.row.dropped", reason=reason), count) for reason, count in made.dropped.items()
    ]
    rows.append((say("prepare.row.train"), made.train_rows))
    rows.append((say("prepare.row.validation"), made.validation_rows))
    screen.table([say("prepare.column.what"), say("prepare.column.count")], rows)
    if made.tokens is not None:
        screen.out(say("prepare.tokens", **made.tokens))
        columns = [say("audit.column.what"), say("audit.column.figure")]
        screen.table(columns, describe(made.tokens))
    screen.out(say("prepare.done", path=made.output, format=made.format))
