"""`jlora prepare`: checked rows in the one form that training reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from jlora_cli.commands.options import Json
from jlora_cli.messages import say

if TYPE_CHECKING:
    from jlora_cli.preparing import FileRecord, Prepared

FORMATS = (
    "messages, sharegpt, alpaca, dolly, prompt_completion, question_answer, input_output, text, "
    "dialogue"
)
NEAR = "near"
SHOWN_FILES = 12
BAR_WIDTH = 30


def prepare(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE", help=say("help.prepare.sources"))
    ],
    output: Annotated[Path, typer.Option("--output", help=say("help.prepare.output"))],
    model: Annotated[str | None, typer.Option("--model", help=say("help.prepare.model"))] = None,
    format: Annotated[
        str | None, typer.Option("--format", help=say("help.prepare.format", formats=FORMATS))
    ] = None,
    map: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="NAME=FIELD", help=say("help.prepare.map")),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option("--encoding", help=say("help.prepare.encoding"))
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
    shuffle: Annotated[bool, typer.Option("--shuffle", help=say("help.prepare.shuffle"))] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help=say("help.prepare.limit"))
    ] = None,
    sample: Annotated[
        int | None, typer.Option("--sample", min=1, help=say("help.prepare.sample"))
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help=say("help.prepare.seed"))] = 0,
    parquet: Annotated[bool, typer.Option("--parquet", help=say("help.prepare.parquet"))] = False,
    stock_parity: Annotated[
        bool, typer.Option("--stock-parity", help=say("help.prepare.stock_parity"))
    ] = False,
    json: Json = False,
) -> None:
    """Check data and write it in the one form that training reads."""
    from jlora_cli import preparing, screen
    from jlora_cli.dataset import parse_mapping

    if max_length is not None and model is None:
        raise typer.BadParameter(say("prepare.needs_model"))
    if stock_parity and model is None:
        raise typer.BadParameter(say("audit.needs_model"))
    near = dedupe and NEAR in sources
    rules = preparing.Rules(
        format=format,
        on_bad_row=on_bad_row,
        mapping=parse_mapping(map or []),
        encoding=encoding,
        dedupe=("near" if near else "exact") if dedupe else None,
        validation=validation,
        shuffle=shuffle,
        limit=limit,
        sample=sample,
        parquet=parquet,
        seed=seed,
    )
    audit = preparing.Audit(model, template, max_length, stock_parity) if model else None
    with screen.Teller() as teller:
        made = preparing.prepare(
            _without_near(sources) if near else sources,
            output=output,
            rules=rules,
            audit=audit,
            notify=teller.notify,
        )
    if json:
        screen.json_out(made.as_json())
    else:
        _show(made)
    _tell(made, model, output)


def _without_near(sources: list[str]) -> list[str]:
    """The sources but for the word after `--dedupe`: a file of that name is given as ./near.

    Typer has no option whose value may be left out.
    """
    left = [source for source in sources if source != NEAR]
    if not left:
        raise typer.BadParameter(say("prepare.no_source"))
    return left


def _tell(made: Prepared, model: str | None, output: Path) -> None:
    """What a person should know of it, and what to type next, on stderr."""
    from jlora_cli import screen
    from jlora_cli.audit import stock_note
    from jlora_cli.machine import command_line

    if made.preview:
        screen.preview(made.preview, to_stderr=True)
    screen.findings(made.findings, to_stderr=True)
    if made.tokens and "stock_parity" in made.tokens:
        screen.note(stock_note(made.tokens["stock_parity"]))
    screen.note(
        say("prepare.next", model=command_line([model or "demo"]), path=command_line([str(output)]))
    )


def _show(made: Prepared) -> None:
    """What came of it, for a person."""
    from jlora_cli import screen

    columns = [say(f"prepare.column.{name}") for name in ("file", "kind", "rows")]
    screen.table(columns, _files(made.files))
    rows: list[tuple[str, object]] = [(say("prepare.row.read"), f"{made.rows_read:,}")]
    rows += [
        (say("prepare.row.dropped", reason=reason), f"{count:,}")
        for reason, count in made.dropped.items()
    ]
    if made.duplicates:
        rows.append((say("prepare.row.duplicates"), f"{made.duplicates:,}"))
    rows.append((say("prepare.row.train"), f"{made.train_rows:,}"))
    rows.append((say("prepare.row.validation"), f"{made.validation_rows:,}"))
    for role, counts in made.roles.items():
        turns, characters = counts["turns"], counts["characters"]
        told = say("prepare.role", turns=turns, mean=characters / max(turns, 1))
        rows.append((say("prepare.row.role", role=role), told))
    screen.table([say("prepare.column.what"), say("prepare.column.count")], rows)
    if made.tokens is not None:
        _show_tokens(made.tokens)
    screen.out(say("prepare.done", path=made.output, format=made.format))


def _files(files: list[FileRecord]) -> list[tuple[str, str, str]]:
    rows = [(file.name, _kind(file), f"{file.rows_read:,}") for file in files[:SHOWN_FILES]]
    if len(files) > SHOWN_FILES:
        rest = files[SHOWN_FILES:]
        count = sum(file.rows_read for file in rest)
        rows.append((say("prepare.more_files", count=len(rest)), "", f"{count:,}"))
    return rows


def _kind(file: FileRecord) -> str:
    """How a file was understood, and by what."""
    told = [say(f"prepare.layout.{file.layout}"), *filter(None, [file.encoding])]
    if file.evidence and file.layout != "passages":
        told.insert(0, say("prepare.format", format=file.format, columns=file.evidence))
    return say("audit.comma").join(told)


def _show_tokens(tokens: dict[str, Any]) -> None:
    """Sums, quantiles and a histogram of tokens, and what the tokenizer makes of the rows."""
    from jlora_cli import screen
    from jlora_cli.audit import describe

    screen.out(say("prepare.tokens", **tokens))
    screen.out(say("prepare.quantiles", **tokens["quantiles"]))
    most = max((each["rows"] for each in tokens["histogram"]), default=1)
    screen.table(
        [say("prepare.column.tokens"), say("prepare.column.count"), ""],
        [
            (f"{each['from']:,}-{each['to']:,}", f"{each['rows']:,}", _bar(each["rows"], most))
            for each in tokens["histogram"]
        ],
    )
    screen.out(say("prepare.audited", audited=tokens["audited_rows"]))
    columns = [say("audit.column.what"), say("audit.column.figure")]
    screen.table(columns, describe(tokens))


def _bar(rows: int, most: int) -> str:
    """A bar as long as the share of the fullest bin; any row at all shows."""
    return "█" * max(round(BAR_WIDTH * rows / most), 1 if rows else 0)
