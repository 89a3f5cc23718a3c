"""A path -> checked examples, or one error that names every fault.

Stops at bad rows or drops and counts them, as asked; says what it noticed as findings.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from jlora_cli.dataset.examples import Example, Loaded
from jlora_cli.dataset.faults import Faults, RowError, shown
from jlora_cli.dataset.files import is_folder
from jlora_cli.dataset.formats import (
    FORMATS,
    convert,
    detect,
    means_something,
    missing_key,
    nearest,
)
from jlora_cli.dataset.rows import LINE_SUFFIXES, SUFFIXES, Row, data_suffix, rows_of
from jlora_cli.errors import refuse
from jlora_cli.finding import Finding, finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OnBadRow = Literal["stop", "skip"]
MANIFEST = "dataset.json"
TRAIN_FILE = "train.jsonl"
VALIDATION_FILE = "validation.jsonl"
# Words that some vocabulary takes as a control id; NFKC first, as SentencePiece models do.
SPECIAL = re.compile(
    r"</?s>|<\|\w+\|>|<(?:pad|unk|mask|eos|bos|nl|start_of_turn|end_of_turn)>"
    r"|\[(?:pad|unk|cls|sep|mask|/?inst)\]|<</?sys>>",
    re.IGNORECASE,
)
OPENING = re.compile(r"[<\[＜［]")


@dataclass
class _Sieve:
    """What is known of one file so far: its format, its faults, what to warn of."""

    path: Path
    format: str
    on_bad_row: OnBadRow
    faults: Faults
    rows_read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    special: list[tuple[int, str]] = field(default_factory=list)

    def take(self, row: Row) -> Example | None:
        """The row's example; None where it is at fault, which is then on record."""
        self.rows_read += 1
        try:
            example = self._convert(row)
        except RowError as fault:
            self.dropped[fault.reason] += 1
            self.faults.add(row.line, fault)
            return None
        if word := special_word(example):
            self.special.append((row.line, word))
        return example

    def _convert(self, row: Row) -> Example:
        if isinstance(row.value, RowError):
            raise row.value
        if not self.format:
            self.format = self._detect(row.line, row.value)
        return convert(row.value, self.format, f"{self.path.name}:{row.line}")

    def _detect(self, line: int, record: dict[str, object]) -> str:
        found = detect(record)
        if found:
            return found
        near = nearest(record)
        if near is not None:
            raise missing_key(near, record)
        seen = shown(", ".join(record) or "-")
        key = "data.service_error" if _looks_like_an_answer(record) else "data.unknown_format"
        raise refuse(key, path=self.path, line=line, seen=seen, formats=", ".join(FORMATS))

    def finish(self) -> None:
        """Nothing, where the rows may be used.

        Raises:
            JloraError: there are faults and they are not to be skipped, or no row is left.
        """
        if self.rows_read == 0:
            raise refuse("data.no_rows", path=self.path)
        nothing_left = self.rows_read == self.faults.count
        if self.faults.count and (self.on_bad_row == "stop" or nothing_left):
            raise self.faults.error(self.rows_read)


def _looks_like_an_answer(record: dict[str, object]) -> bool:
    """Whether this is what a web service says when it has no data to give."""
    return bool({"error", "errors", "detail", "message"} & record.keys()) and len(record) <= 4


def special_word(example: Example) -> str:
    """The first word in the example that a vocabulary may take as a control id; empty if none."""
    texts = [example.text or "", *(turn.content for turn in example.messages)]
    for text in texts:
        if OPENING.search(text) and (hit := SPECIAL.search(unicodedata.normalize("NFKC", text))):
            return hit.group()
    return ""


def read_examples(
    path: Path, *, format: str | None = None, on_bad_row: OnBadRow = "stop"
) -> Loaded:
    """The checked examples of a file, or of the files of a folder.

    A prepared folder gives its training rows. `format` is one of FORMATS; None detects it.

    Raises:
        JloraError: nothing there, not data, or faulty rows with `on_bad_row="stop"`.
    """
    check_format(format)
    if is_folder(path):
        files = files_of(path)
        return join([_read_file(file, format, on_bad_row) for file in files])
    return _read_file(path, format, on_bad_row)


def check_format(format: str | None) -> None:
    """Nothing, where `format` is known or None.

    Raises:
        JloraError: it is neither.
    """
    if format is not None and format not in FORMATS:
        raise refuse("data.no_such_format", format=format, formats=", ".join(FORMATS))


def is_prepared(folder: Path) -> bool:
    """Whether `folder` is what `jlora prepare` left when it finished."""
    return is_folder(folder) and (folder / MANIFEST).is_file() and (folder / TRAIN_FILE).is_file()


def files_of(folder: Path) -> list[Path]:
    """The data files of a folder, by name: those of a prepared one are its training rows.

    Raises:
        JloraError: it holds none.
    """
    if is_prepared(folder):
        return [folder / TRAIN_FILE]
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise refuse("data.cannot_open", path=folder, why=error.strerror) from error
    files = [entry for entry in entries if data_suffix(entry) in SUFFIXES and entry.is_file()]
    if not files:
        raise refuse("data.empty_folder", path=folder, suffixes=", ".join(SUFFIXES))
    return files


def join(parts: list[Loaded]) -> Loaded:
    """Several sources as one; formats that differ make "mixed"."""
    dropped: Counter[str] = Counter()
    for part in parts:
        dropped.update(part.dropped)
    formats = {part.format for part in parts}
    return Loaded(
        examples=[example for part in parts for example in part.examples],
        format=formats.pop() if len(formats) == 1 else "mixed",
        rows_read=sum(part.rows_read for part in parts),
        dropped=dict(sorted(dropped.items())),
        findings=[found for part in parts for found in part.findings],
    )


def _read_file(path: Path, format: str | None, on_bad_row: OnBadRow) -> Loaded:
    layout, rows = rows_of(path, means_something)
    sieve = _Sieve(path, format or "", on_bad_row, Faults(path))
    examples = list(_sifted(rows, sieve))
    sieve.finish()
    return Loaded(
        examples=examples,
        format=sieve.format,
        rows_read=sieve.rows_read,
        dropped=dict(sorted(sieve.dropped.items())),
        findings=_findings(sieve, layout),
    )


def _sifted(rows: Iterator[Row], sieve: _Sieve) -> Iterator[Example]:
    try:
        for row in rows:
            example = sieve.take(row)
            if example is not None:
                yield example
    except RowError as fault:
        # A fault of the file, not of one row: what follows it cannot be told apart.
        sieve.faults.add(fault.line or sieve.rows_read + 1, fault)
        raise sieve.faults.error() from fault


def _findings(sieve: _Sieve, layout: str) -> list[Finding]:
    found = []
    if layout == "array" and data_suffix(sieve.path) in LINE_SUFFIXES:
        found.append(finding("data.array_in_lines", "warning", path=sieve.path, line=1))
    if sieve.special:
        line, word = sieve.special[0]
        count = len(sieve.special)
        found.append(
            finding(
                "data.special_tokens", "warning", path=sieve.path, line=line, word=word, count=count
            )
        )
    return found
