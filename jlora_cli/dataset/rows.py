"""A file -> its rows, each with the line it begins on. Knows containers, not what a row means.

JSON Lines, one JSON document (an array, an object with one array, or one row), CSV and TSV,
Parquet, and plain text in passages. Rows come in pieces of about a MiB, so that other processes
can take them over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from jlora_cli.dataset.documents import document_rows
from jlora_cli.dataset.encodings import Encoding, check_encoding, encoding_of
from jlora_cli.dataset.faults import Row, RowError, as_row
from jlora_cli.dataset.files import (
    CHUNK_BYTES,
    Lines,
    byte_chunks,
    check_file,
    decoded,
    encoding_name,
    head_of,
    line_blocks,
)
from jlora_cli.dataset.passages import AOZORA_LEGEND, passage_rows
from jlora_cli.dataset.strict_json import decode
from jlora_cli.dataset.tables import table_rows
from jlora_cli.errors import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jlora_cli.dataset.mapping import Mapping

ROW_SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
TEXT_SUFFIXES = (".txt", ".text")
SUFFIXES = (*ROW_SUFFIXES, *TEXT_SUFFIXES)
LINE_SUFFIXES = (".jsonl", ".ndjson")
TABLES = {".csv": ",", ".tsv": "\t"}
PIECE_ROWS = 2000
PARQUET_ROWS = 500

Layout = Literal["lines", "array", "table", "parquet", "passages"]
Piece = Lines | list[Row]
"""A part of a file, in order: lines that are still to be decoded, or rows."""


@dataclass(frozen=True)
class Opened:
    """A file whose kind is known, and its rows in pieces.

    Reading the pieces may raise a RowError with a line: nothing after it can be told apart.
    """

    path: Path
    layout: Layout
    encoding: Encoding
    aozora: bool
    pieces: Iterator[Piece]


def open_rows(path: Path, *, encoding: str | None, mapping: Mapping, as_text: bool) -> Opened:
    """What `path` is, by its content first, and its rows.

    `encoding` is one to be believed; with `as_text`, text without rows is read in passages.

    Raises:
        JloraError: it is no data file. Reading on may raise it too.
    """
    check_file(path)
    head = head_of(path)
    if data_suffix(path) == ".parquet" or head.startswith(b"PAR1"):
        return Opened(path, "parquet", Encoding(""), False, _batches(_parquet(path)))
    known = Encoding(check_encoding(encoding)) if encoding else encoding_of(path)
    text = head.decode(known.name, errors="replace").lstrip("\ufeff \t\r\n")
    layout, separator = _layout(path, text, mapping, as_text)
    aozora = layout == "passages" and AOZORA_LEGEND in text
    if layout == "lines":
        return Opened(path, layout, known, aozora, line_blocks(path, known.name))
    if layout == "array":
        rows = document_rows(_with_plain_ends(decoded(byte_chunks(path), known.name, path)))
        return Opened(path, layout, known, aozora, _batches(rows))
    lines = _text_lines(path, known.name)
    if layout == "table":
        rows = table_rows(path, lines, separator, mapping)
    else:
        rows = passage_rows(lines, aozora=aozora)
    return Opened(path, layout, known, aozora, _batches(rows))


def rows_of(path: Path, mapping: Mapping) -> Iterator[Row]:
    """The rows of `path` one by one, whatever they mean.

    Raises:
        JloraError, RowError: as `open_rows` and `Opened` have it.
    """
    opened = open_rows(path, encoding=None, mapping=mapping, as_text=False)
    for piece in opened.pieces:
        yield from rows_in(piece)


def data_suffix(path: Path) -> str:
    """The suffix that tells the kind of file, ".gz" aside, in lower case."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return next((suffix for suffix in reversed(suffixes) if suffix != ".gz"), "")


def _layout(path: Path, head: str, mapping: Mapping, as_text: bool) -> tuple[Layout, str]:
    """How the rows lie in the file, and the sign between columns where it is a table."""
    suffix = data_suffix(path)
    if suffix in TABLES and not head.startswith(("{", "[")):
        return "table", TABLES[suffix]
    if suffix in LINE_SUFFIXES or not head or _begins_json(head, suffix):
        whole = not head.startswith("[") and _first_line_is_whole(head, suffix)
        return ("lines" if whole else "array"), ""
    if separator := _separator_in(head.split("\n", 1)[0], suffix, mapping):
        return "table", separator
    if suffix in TEXT_SUFFIXES or as_text:
        return "passages", ""
    raise refuse("data.plain_text", path=path)


def _begins_json(head: str, suffix: str) -> bool:
    if suffix not in TEXT_SUFFIXES:
        return head.startswith(("{", "[", '"'))
    # Prose may begin with a bracket too.
    return re.match(r'\{\s*"|\[\s*\{', head) is not None


def _separator_in(line: str, suffix: str, mapping: Mapping) -> str:
    """The sign that makes the first line the header of a table; empty where none does."""
    for sign in ("\t",) if suffix in TEXT_SUFFIXES else ("\t", ","):
        header = [name.strip() for name in line.split(sign)]
        if len(header) > 1 and (mapping.by_number or mapping.knows(header)):
            return sign
    return ""


def _first_line_is_whole(head: str, suffix: str) -> bool:
    """Whether the rows stand one on a line, rather than spread over several."""
    first, _, rest = head.partition("\n")
    if suffix in LINE_SUFFIXES:
        return first.strip() not in {"{", "["}
    try:
        decode(first)
    except RowError:
        # A first line that ends where a row may end is a damaged row among lines.
        return bool(rest.strip()) and first.rstrip().endswith("}")
    return True


def rows_in(piece: Piece) -> Iterator[Row]:
    """The rows of a piece; those of lines are decoded here."""
    if isinstance(piece, list):
        yield from piece
        return
    for number, line in _lines_in(piece):
        if isinstance(line, RowError):
            yield Row(number, line)
        elif line and not line.isspace():
            try:
                value = decode(line)
            except RowError as fault:
                yield Row(number, fault)
            else:
                yield as_row(number, value)


def _lines_in(block: Lines) -> Iterator[tuple[int, str | RowError]]:
    """Each line of the block as text; a damaged line as its fault."""
    end = block.end.decode("ascii")
    try:
        text = block.data.decode(block.encoding)
    except UnicodeDecodeError:
        yield from _damaged_lines_in(block)
        return
    lines = text.split(end)
    if not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, block.first):
        yield number, line.removesuffix("\r")


def _damaged_lines_in(block: Lines) -> Iterator[tuple[int, str | RowError]]:
    for number, raw in enumerate(block.data.removesuffix(block.end).split(block.end), block.first):
        try:
            yield number, raw.decode(block.encoding).removesuffix("\r")
        except UnicodeDecodeError as error:
            byte, name = f"0x{raw[error.start]:02X}", encoding_name(block.encoding)
            fault = RowError("not_decodable", encoding=name, column=error.start + 1, byte=byte)
            yield number, fault


def _text_lines(path: Path, encoding: str) -> Iterator[tuple[int, str | RowError]]:
    for block in line_blocks(path, encoding):
        yield from _lines_in(block)


def _with_plain_ends(texts: Iterator[str]) -> Iterator[str]:
    """The texts with every line end as LF."""
    held = ""
    for piece in texts:
        text = held + piece
        held = "\r" if text.endswith("\r") else ""
        yield text.removesuffix("\r").replace("\r\n", "\n").replace("\r", "\n")
    yield held and "\n"


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """The rows in lists of some thousand, or of a MiB where they are long."""
    held: list[Row] = []
    size = 0
    try:
        for row in rows:
            held.append(row)
            size += row.size
            if len(held) == PIECE_ROWS or size > CHUNK_BYTES:
                yield held
                held, size = [], 0
    except RowError:
        yield held  # what could still be read comes before the fault
        raise
    if held:
        yield held


def _parquet(path: Path) -> Iterator[Row]:
    try:
        parquet = import_module("pyarrow.parquet")
        arrow = import_module("pyarrow")
    except ModuleNotFoundError as error:
        raise refuse("data.no_pyarrow", path=path) from error
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=PARQUET_ROWS):
                size = batch.nbytes // max(batch.num_rows, 1)
                for value in batch.to_pylist():
                    number += 1
                    # A column that a row does not have is null in it.
                    there = {key: held for key, held in value.items() if held is not None}
                    yield Row(number, there, size)
    except (arrow.ArrowException, OSError) as error:
        raise refuse("data.broken_parquet", path=path) from error
