"""CSV and TSV -> rows; the first line names the columns, or `--map` their numbers."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from jlora_cli.dataset.faults import Row, RowError, shown
from jlora_cli.dataset.files import LONGEST_LINE
from jlora_cli.errors import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jlora_cli.dataset.mapping import Mapping

SEPARATORS = (",", "\t", ";")
SAMPLE_COLUMNS = 8


def table_rows(
    path: Path, lines: Iterator[tuple[int, str | RowError]], separator: str, mapping: Mapping
) -> Iterator[Row]:
    """The rows of a table, whose columns are known by their names or by their numbers.

    Raises:
        JloraError: the first line names no columns that mean anything.
        RowError: a quote is never closed; nothing after it can be told apart.
    """
    csv.field_size_limit(LONGEST_LINE)
    reader = csv.reader(_whole_lines(lines), delimiter=separator, strict=True)
    line = 1
    try:
        first = next(reader, [])
        if not first:
            raise refuse("data.no_rows", path=path)
        header = mapping.header(first) or [name.strip() for name in first]
        if mapping.by_number:
            yield _row(line, header, first)
        else:
            _check_header(path, header, mapping)
        line = reader.line_num + 1
        for cells in reader:
            if cells:
                yield _row(line, header, cells)
            line = reader.line_num + 1
    except csv.Error as error:
        raise RowError("unclosed_quote", line=line) from error


def _whole_lines(lines: Iterator[tuple[int, str | RowError]]) -> Iterator[str]:
    for number, line in lines:
        if isinstance(line, RowError):
            line.line = number
            raise line
        yield line + "\n"


def _check_header(path: Path, header: list[str], mapping: Mapping) -> None:
    if missing := mapping.missing(header):
        seen = shown(" | ".join(header))
        raise refuse("data.no_mapped_column", path=path, column=shown(missing), seen=seen)
    if not mapping.knows(header):
        for sign in SEPARATORS:
            if len(header) == 1 and mapping.knows(header[0].split(sign)):
                seen = shown(header[0])
                raise refuse("data.separator", path=path, line=1, sign=shown(sign), seen=seen)
        listed = [f"{at} = {shown(name)}" for at, name in enumerate(header, 1)]
        more = ["…"] if len(listed) > SAMPLE_COLUMNS else []
        seen = " | ".join([*listed[:SAMPLE_COLUMNS], *more])
        last = len(header)
        raise refuse("data.no_header", path=path, line=1, seen=seen, last=last)
    doubled = [name for name in header if header.count(name) > 1]
    if doubled:
        raise RowError("duplicate_key", line=1, key=doubled[0])


def _row(line: int, header: list[str], cells: list[str]) -> Row:
    if len(cells) != len(header):
        return Row(line, RowError("ragged", expected=len(header), found=len(cells)))
    return Row(line, dict(zip(header, cells, strict=True)), sum(map(len, cells)))
