"""A file -> its rows, each with the line it begins on. Knows containers, not what a row means.

JSON Lines, one JSON document (an array, an object with one array, or one row), CSV and TSV
with a header, and Parquet.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from jlora_cli.dataset.faults import RowError, kind_of, shown
from jlora_cli.dataset.files import LONGEST_LINE, check_file, head_of, text_lines, whole_text
from jlora_cli.dataset.strict_json import decode, decode_at
from jlora_cli.errors import refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
LINE_SUFFIXES = (".jsonl", ".ndjson")
TABLES = {".csv": ",", ".tsv": "\t"}


@dataclass(frozen=True)
class Row:
    """One row: its columns, or why it has none. `line` counts from 1 (Parquet: the row)."""

    line: int
    value: dict[str, object] | RowError


Rows = tuple[str, "Iterator[Row]"]
"""How the file is laid out ("lines", "array", "table", "parquet"), and its rows."""


def rows_of(path: Path, knows: Callable[[list[str]], bool]) -> Rows:
    """The layout and the rows of `path`; `knows` says whether a table's header means anything.

    Raises:
        JloraError: it is no data file. Reading on may raise it too, or a RowError with a line
            where nothing after that line can be told apart.
    """
    suffix = data_suffix(path)
    check_file(path)
    if suffix == ".parquet":
        return "parquet", _parquet(path)
    head = head_of(path).decode("utf-8", errors="replace").lstrip("\ufeff \t\r\n")
    if suffix in TABLES and not head.startswith(("{", "[")):
        return "table", _table(path, TABLES[suffix], knows)
    if suffix not in LINE_SUFFIXES and head and not head.startswith(("{", "[", '"')):
        raise refuse("data.plain_text", path=path)
    if head.startswith("[") or not _first_line_is_whole(head, suffix):
        return "array", _document(path)
    return "lines", _lines(path)


def data_suffix(path: Path) -> str:
    """The suffix that tells the kind of file, ".gz" aside, in lower case."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return next((suffix for suffix in reversed(suffixes) if suffix != ".gz"), "")


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


def as_row(line: int, value: object) -> Row:
    """`value` as a row; anything but an object is a fault."""
    if isinstance(value, dict):
        return Row(line, value)
    return Row(line, RowError("not_an_object", kind=kind_of(value)))


def _lines(path: Path) -> Iterator[Row]:
    for number, line in text_lines(path):
        if isinstance(line, RowError):
            yield Row(number, line)
        elif line.strip():
            try:
                value = decode(line)
            except RowError as fault:
                yield Row(number, fault)
            else:
                yield as_row(number, value)


def _document(path: Path) -> Iterator[Row]:
    text = whole_text(path)
    start = _skip_space(text, 0)
    if text[start : start + 1] == "[":
        end = yield from _array(text, start)
        end = _skip_space(text, end)
        if end < len(text):
            raise RowError("after_array", line=text.count("\n", 0, end) + 1)
        return
    value, _ = decode_at(text, start)
    lists = _lists(value)
    if len(lists) == 1:
        yield from _array(text, _start_of(text, start, lists[0]))
    else:
        yield as_row(text.count("\n", 0, start) + 1, value)


def _lists(value: object) -> list[str]:
    """The keys of a wrapping object that hold rows; none where the object is itself a row."""
    if not isinstance(value, dict) or {"messages", "conversations", "utterances"} & value.keys():
        return []
    return [
        key
        for key, held in value.items()
        if isinstance(held, list) and held and isinstance(held[0], dict)
    ]


def _start_of(text: str, start: int, wanted: str) -> int:
    """Where the value of the key `wanted` begins, in the object that begins at `start`."""
    at = _skip_space(text, start + 1)
    while True:
        key, at = decode_at(text, at)
        at = _skip_space(text, _skip_space(text, at) + 1)
        if key == wanted:
            return at
        _, at = decode_at(text, at)
        at = _skip_space(text, _skip_space(text, at) + 1)


def _array(text: str, start: int) -> Generator[Row, None, int]:
    """The rows of the array at `start`, one decoded at a time; returns where it ends."""
    at, line, counted = _skip_space(text, start + 1), text.count("\n", 0, start) + 1, start
    if text[at : at + 1] == "]":
        return at + 1
    while True:
        line, counted = line + text.count("\n", counted, at), at
        if text[at : at + 1] == "]":
            raise RowError("trailing_comma", line=line, column=_column(text, at))
        value, at = decode_at(text, at)
        yield as_row(line, value)
        at = _skip_space(text, at)
        sign = text[at : at + 1]
        if sign == "]":
            return at + 1
        if sign != ",":
            line += text.count("\n", counted, at)
            reason = "missing_comma" if sign else "cut_off"
            raise RowError(reason, line=line, column=_column(text, at))
        at = _skip_space(text, at + 1)


def _skip_space(text: str, at: int) -> int:
    while text[at : at + 1] in {" ", "\t", "\n", "\r"}:
        at += 1
    return at


def _column(text: str, at: int) -> int:
    return at - text.rfind("\n", 0, at)


def _table(path: Path, separator: str, knows: Callable[[list[str]], bool]) -> Iterator[Row]:
    csv.field_size_limit(LONGEST_LINE)
    reader = csv.reader(_table_lines(path), delimiter=separator, strict=True)
    line = 1
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(path, header, knows)
        line = reader.line_num + 1
        for cells in reader:
            if cells:
                yield _table_row(line, header, cells)
            line = reader.line_num + 1
    except csv.Error as error:
        raise RowError("unclosed_quote", line=line) from error


def _table_lines(path: Path) -> Iterator[str]:
    for number, line in text_lines(path):
        if isinstance(line, RowError):
            line.line = number
            raise line
        yield line + "\n"


def _check_header(path: Path, header: list[str], knows: Callable[[list[str]], bool]) -> None:
    if not header:
        raise refuse("data.no_rows", path=path)
    seen = shown(" | ".join(header))
    if not knows(header):
        for sign in (";", "\t", ","):
            if len(header) == 1 and knows(header[0].split(sign)):
                raise refuse("data.separator", path=path, line=1, sign=shown(sign), seen=seen)
        raise refuse("data.no_header", path=path, line=1, seen=seen)
    doubled = [name for name in header if header.count(name) > 1]
    if doubled:
        raise RowError("duplicate_key", line=1, key=doubled[0])


def _table_row(line: int, header: list[str], cells: list[str]) -> Row:
    if len(cells) != len(header):
        fault = RowError("ragged", expected=len(header), found=len(cells))
        return Row(line, fault)
    return Row(line, dict(zip(header, cells, strict=True)))


def _parquet(path: Path) -> Iterator[Row]:
    try:
        parquet = import_module("pyarrow.parquet")
        arrow = import_module("pyarrow")
    except ModuleNotFoundError as error:
        raise refuse("data.no_pyarrow", path=path) from error
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1000):
                for value in batch.to_pylist():
                    number += 1
                    yield as_row(number, value)
    except (arrow.ArrowException, OSError) as error:
        raise refuse("data.broken_parquet", path=path) from error
