"""What a person is told of a file: why it is refused, or what was noticed in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jlora_cli.dataset.faults import shown
from jlora_cli.dataset.files import encoding_name
from jlora_cli.dataset.formats import FORMATS, closest_formats
from jlora_cli.dataset.mapping import propose, samples
from jlora_cli.dataset.rows import LINE_SUFFIXES, data_suffix
from jlora_cli.errors import refuse
from jlora_cli.finding import Finding, finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jlora_cli.dataset.rows import Opened
    from jlora_cli.dataset.sieve import Asked, Tally
    from jlora_cli.errors import JloraError

CLOSEST = 3


def refusal_of(opened: Opened, tally: Tally, asked: Asked) -> JloraError | None:
    """Why the rows may not be used; None where they may."""
    if tally.rows_read == 0:
        return refuse("data.no_rows", path=opened.path)
    only_unknown = {"missing_key", "unknown_columns"} >= tally.dropped.keys()
    if tally.unknown is not None and not tally.kept and only_unknown:
        return _unknown_format(opened.path, *tally.unknown)
    nothing_left = not tally.kept
    if tally.faults.count and (asked.on_bad_row == "stop" or nothing_left):
        rerun = "" if nothing_left else asked.rerun
        return tally.faults.error(
            opened.path, rerun=rerun, editable=asked.editable, rows_read=tally.rows_read
        )
    return None


def _unknown_format(path: Path, line: int, record: dict[str, object]) -> JloraError:
    if _looks_like_an_answer(record):
        seen = shown(", ".join(record) or "-")
        return refuse("data.service_error", path=path, line=line, seen=seen)
    closest = closest_formats(record)[:CLOSEST] or [FORMATS["alpaca"], FORMATS["messages"]]
    needs = "; ".join(
        f"{each.name} ({', '.join(names[0] for names in each.needs)})" for each in closest
    )
    values = {"path": path, "line": line, "samples": samples(record), "closest": needs}
    if words := propose(record):
        return refuse("data.unknown_columns_map", words=words, **values)
    return refuse("data.unknown_columns", formats=", ".join(FORMATS), **values)


def _looks_like_an_answer(record: dict[str, object]) -> bool:
    """Whether this is what a web service says when it has no data to give."""
    return bool({"error", "errors", "detail", "message"} & record.keys()) and len(record) <= 4


def findings_of(opened: Opened, tally: Tally, asked: Asked) -> list[Finding]:
    """What was noticed in a file whose rows are used."""
    return [*_of_container(opened, asked), *_of_rows(opened.path, tally)]


def _of_container(opened: Opened, asked: Asked) -> Iterator[Finding]:
    path, encoding = opened.path, opened.encoding
    if opened.layout == "array" and data_suffix(path) in LINE_SUFFIXES:
        yield finding("data.array_in_lines", "warning", path=path, line=1)
    if encoding.name not in {"", "utf-8"} and asked.encoding is None:
        name = encoding_name(encoding.name)
        if encoding.share is None:
            yield finding("data.encoding", "note", path=path, encoding=name)
        else:
            share = f"{100 * encoding.share:.0f}"
            yield finding("data.encoding_guessed", "note", path=path, encoding=name, share=share)
    if opened.aozora:
        yield finding("data.aozora", "note", path=path)


def _of_rows(path: Path, tally: Tally) -> Iterator[Finding]:
    if tally.first_special is not None:
        line, word = tally.first_special
        values = {"path": path, "line": line, "word": word, "count": tally.special}
        yield finding("data.special_tokens", "warning", **values)
    for name in ("tools", "repaired"):
        if count := tally.noticed[name]:
            yield finding(f"data.{name}", "warning", path=path, count=count)
