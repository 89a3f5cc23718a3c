"""`jlora tokens`: what the model's own tokenizer makes of a text."""

from __future__ import annotations

import json as jsonlib
import sys
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jlora_cli.errors import refuse
from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jlora_cli.tokenizer import Tokenizer

Row = dict[str, Any]


def tokens(
    model: Annotated[str, typer.Argument(help=say("help.tokens.model"))],
    text: Annotated[str | None, typer.Argument(help=say("help.tokens.text"))] = None,
    input: Annotated[Path | None, typer.Option("--input", help=say("help.tokens.input"))] = None,
    as_trained: Annotated[
        bool, typer.Option("--as-trained", help=say("help.tokens.as_trained"))
    ] = False,
    against_stock: Annotated[
        bool, typer.Option("--against-stock", help=say("help.tokens.against_stock"))
    ] = False,
    json: Annotated[bool, typer.Option("--json", help=say("help.tokens.json"))] = False,
) -> None:
    """What the model's own tokenizer makes of a text."""
    from jlora_cli import screen
    from jlora_cli.hub import fetch_tokenizer_files
    from jlora_cli.tokenizer import load_tokenizer

    texts = _texts(text, input)
    folder = fetch_tokenizer_files(model)
    tokenizer = load_tokenizer(folder)
    rules = _rules(folder) if as_trained else None
    rows = [_row(tokenizer, each, rules) for each in texts]
    if against_stock:
        _add_stock(rows, folder)
    if input is not None:
        for row in rows:
            screen.json_line(row)
    elif json:
        screen.json_out(rows[0])
    else:
        _show(rows[0], tokenizer)


def _texts(text: str | None, file: Path | None) -> list[str]:
    """The texts asked for: the argument, the rows of the file, or standard input."""
    if text is not None and file is not None:
        raise typer.BadParameter(say("tokens.two_texts"))
    if text is not None:
        return [text]
    if file is not None:
        return _rows_of(file)
    if sys.stdin.isatty():
        raise refuse("tokens.no_text")
    return [_decoded(sys.stdin.buffer.read(), "stdin").removesuffix("\n").removesuffix("\r")]


def _rows_of(file: Path) -> list[str]:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise refuse("tokens.bad_input", file=file, reason=error.strerror or error) from error
    lines = enumerate(_decoded(content, file).split("\n"), 1)
    return [_text_of(file, number, line) for number, line in lines if line.strip()]


def _decoded(content: bytes, source: object) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse("tokens.bad_input", file=source, reason=error) from error


def _text_of(file: Path, number: int, line: str) -> str:
    try:
        text = jsonlib.loads(line)["text"]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise refuse("tokens.bad_line", file=file, line=number) from error
    if not isinstance(text, str):
        raise refuse("tokens.bad_line", file=file, line=number)
    return text


def _rules(folder: Path) -> Callable[[str], str]:
    """The text rules of the adapter in `folder`, as a function from text to text."""
    if not (folder / "jlora.json").is_file():
        raise refuse("tokens.no_rules", folder=folder)
    from jlora_cli.prompt import read_rules

    rules = read_rules(folder)
    return lambda text: rules.apply(rules.escape(text))


def _row(tokenizer: Tokenizer, text: str, rules: Callable[[str], str] | None) -> Row:
    trained = text if rules is None else rules(text)
    ids = tokenizer.encode(trained)
    row: Row = {"text": text, "ids": ids, "pieces": tokenizer.pieces(ids)}
    row["decoded"] = tokenizer.decode(ids)
    return row if rules is None else row | {"as_trained": trained}


def _encoded_text(row: Row) -> str:
    return str(row["as_trained"] if "as_trained" in row else row["text"])


def _add_stock(rows: Sequence[Row], folder: Path) -> None:
    """Put beside each row what transformers' AutoTokenizer makes of the same text."""
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise refuse("tokens.needs_train") from error
    try:
        stock = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ImportError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise refuse("tokens.stock_failed", folder=folder, reason=reason) from error
    for row in rows:
        ids = stock(_encoded_text(row), add_special_tokens=False)["input_ids"]
        pieces = stock.convert_ids_to_tokens(ids)
        row["stock"] = {"ids": ids, "pieces": pieces, "decoded": stock.decode(ids)}
        row["stock"]["same"] = ids == row["ids"]


def _show(row: Row, tokenizer: Tokenizer) -> None:
    """The row for a person: the table to stdout, what it means to stderr."""
    from jlora_cli import screen

    columns = [say(f"tokens.column.{name}") for name in ("id", "piece", "text")]
    stream = tokenizer.stream()
    texts = [stream.push(id_) for id_ in row["ids"]]
    cells = _cells(row["ids"], row["pieces"], texts)
    stock = row.get("stock")
    if stock:
        columns += [say("tokens.column.stock_id"), say("tokens.column.stock_piece")]
        pairs = zip_longest(cells, _cells(stock["ids"], stock["pieces"]))
        cells = [(mine or ["", "", ""]) + (theirs or ["", ""]) for mine, theirs in pairs]
    screen.table(columns, cells)
    for sentence in _remarks(row, tokenizer):
        screen.note(sentence)


def _cells(*columns: Sequence[object]) -> list[list[str]]:
    """The rows of a table, what cannot be printed (a newline, a tab) shown as its escape."""
    return [[_visible(str(cell)) for cell in row] for row in zip(*columns, strict=True)]


def _visible(text: str) -> str:
    shown = (c if c.isprintable() or c == "\u3000" else repr(c)[1:-1] for c in text)
    return "".join(shown)


def _remarks(row: Row, tokenizer: Tokenizer) -> list[str]:
    text = _encoded_text(row)
    same = row["decoded"] == text
    unknown = row["ids"].count(tokenizer.unk_id)
    remarks = [say("tokens.summary", count=len(row["ids"]), characters=len(text))]
    remarks.append(say(f"tokens.decoded_{'same' if same else 'differs'}", decoded=row["decoded"]))
    if unknown:
        remarks.append(say("tokens.unknown", count=unknown))
    if "stock" in row:
        stock = row["stock"]
        key = "tokens.stock_same" if stock["same"] else "tokens.stock_differs"
        remarks.append(say(key, count=len(stock["ids"]), decoded=stock["decoded"]))
    return remarks
