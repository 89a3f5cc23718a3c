"""`jlora tokens`: what the model's own tokenizer makes of a text."""

from __future__ import annotations

import json as jsonlib
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jlora_cli.errors import JloraError, refuse
from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jlora_cli.token_view import View
    from jlora_cli.tokenizer import Tokenizer
    from jlora_cli.tokenizer.origin import Origin

PLAIN_TEXT = (".txt", ".md")
PICTURE_WIDTH = 100


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
    svg: Annotated[Path | None, typer.Option("--svg", help=say("help.tokens.svg"))] = None,
    html: Annotated[Path | None, typer.Option("--html", help=say("help.tokens.html"))] = None,
    json: Annotated[bool, typer.Option("--json", help=say("help.tokens.json"))] = False,
) -> None:
    """What the model's own tokenizer makes of a text."""
    from jlora_cli import screen
    from jlora_cli.token_view import View

    many = input is not None and not _is_plain(input)
    if many and (svg or html):
        raise typer.BadParameter(say("tokens.one_picture"))
    texts = _texts(text, input)
    origin, tokenizer = _open(model)
    rules = _rules(origin.folder) if as_trained else None
    views = [View(tokenizer, each, rules) for each in texts]
    if against_stock:
        stock = _Stock(tokenizer.folder)
        for view in views:
            view.add_stock(stock)
    if many:
        for view in views:
            screen.json_line(view.as_json())
        _tell_all(views)
        return
    if json:
        screen.json_out(views[0].as_json())
    else:
        _show(views[0], origin)
    _save(views[0], svg, html, name=_short(model))


def _open(model: str) -> tuple[Origin, Tokenizer]:
    """Whose tokenizer it is, and the tokenizer: an adapter without one has its base's."""
    from jlora_cli.hub import fetch_tokenizer_files
    from jlora_cli.tokenizer import load_tokenizer
    from jlora_cli.tokenizer.origin import read_origin

    origin = read_origin(fetch_tokenizer_files(model))
    if not origin.adapter or origin.complete or origin.base is None:
        return origin, load_tokenizer(origin.folder)
    try:
        folder = fetch_tokenizer_files(origin.base)
    except JloraError as error:
        raise refuse(
            "tokens.no_base", folder=origin.folder, base=origin.base, reason=error.problem
        ) from error
    return origin, load_tokenizer(folder)


def _is_plain(file: Path) -> bool:
    return file.suffix.lower() in PLAIN_TEXT


def _short(model: str) -> str:
    """The model's name without the machine's path."""
    return Path(model).resolve().name if Path(model).exists() else model


def _texts(text: str | None, file: Path | None) -> list[str]:
    """The texts asked for: the argument, the rows of the file, or standard input."""
    if text is not None and file is not None:
        raise typer.BadParameter(say("tokens.two_texts"))
    if text is not None:
        return [text]
    if file is not None:
        return [_text_in(file)] if _is_plain(file) else _rows_of(file)
    if sys.stdin.isatty():
        raise refuse("tokens.no_text")
    return [_without_last_break(_decoded(sys.stdin.buffer.read(), "stdin"))]


def _text_in(file: Path) -> str:
    return _without_last_break(_decoded(_content(file), file))


def _without_last_break(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise refuse("tokens.bad_input", file=file, reason=error.strerror or error) from error


def _rows_of(file: Path) -> list[str]:
    lines = enumerate(_decoded(_content(file), file).split("\n"), 1)
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


class _Stock:
    """transformers' AutoTokenizer for the same files."""

    def __init__(self, folder: Path) -> None:
        try:
            from transformers import AutoTokenizer
        except ImportError as error:
            raise refuse("tokens.needs_train") from error
        logging.getLogger("transformers").setLevel(logging.ERROR)
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, ImportError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise refuse("tokens.stock_failed", folder=folder, reason=reason) from error
        self.name = type(self._tokenizer).__name__

    def encode(self, texts: list[str]) -> list[list[int]]:
        ids: list[list[int]] = self._tokenizer(texts, add_special_tokens=False)["input_ids"]
        return ids

    def pieces(self, ids: list[int]) -> list[str]:
        return list(self._tokenizer.convert_ids_to_tokens(ids))

    def decode(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids))


def _show(view: View, origin: Origin) -> None:
    """The text for a person: pieces and figures to stdout, what they mean to stderr."""
    from jlora_cli import screen
    from jlora_cli.token_view import origin_sentences

    terminal, colours = screen.draws_pieces()
    if terminal:
        screen.draw(screen.build_pieces(view.blocks(), view.legend(), borders=not colours))
    if view.is_long:
        screen.table([say("tokens.column.figure"), say("tokens.column.value")], view.summary())
    else:
        screen.table(view.columns(), view.rows())
    for sentence in [*origin_sentences(origin, view.tokenizer), *view.sentences()]:
        screen.note(sentence)


def _tell_all(views: Sequence[View]) -> None:
    """What stock does to all the texts together, for a person."""
    from jlora_cli import screen
    from jlora_cli.token_view import stock_sentences

    for sentence in stock_sentences([view.stock for view in views if view.stock]):
        screen.note(sentence)


def _save(view: View, svg: Path | None, html: Path | None, *, name: str) -> None:
    """The picture, with its sentences, into the files that were asked for."""
    from jlora_cli import screen

    title = f"jlora tokens {name}"
    for file, save in ((svg, screen.save_svg), (html, screen.save_html)):
        if file is None:
            continue
        drawing = screen.build_pieces(view.blocks(), view.legend(), view.sentences())
        try:
            save(drawing, str(file), title=title, width=PICTURE_WIDTH)
        except OSError as error:
            raise refuse("tokens.cannot_write", file=file, reason=error.strerror) from error
        screen.note(say("tokens.written", file=file))
