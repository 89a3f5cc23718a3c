"""A path -> checked examples, or one error that names every fault.

Stops at bad rows or drops and counts them, as asked; says what it noticed as findings.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jlora_cli.dataset.examples import Loaded
from jlora_cli.dataset.faults import RowError
from jlora_cli.dataset.files import is_folder
from jlora_cli.dataset.formats import FORMATS
from jlora_cli.dataset.rows import (
    ROW_SUFFIXES,
    SUFFIXES,
    TEXT_SUFFIXES,
    Opened,
    data_suffix,
    open_rows,
    rows_in,
)
from jlora_cli.dataset.sieve import LOST_AFTER, Asked, Sieve, Tally
from jlora_cli.dataset.telling import findings_of, refusal_of
from jlora_cli.errors import refuse

if TYPE_CHECKING:
    from pathlib import Path

    from jlora_cli.dataset.examples import Example
    from jlora_cli.errors import JloraError
    from jlora_cli.finding import Finding

MANIFEST = "dataset.json"
TRAIN_FILE = "train.jsonl"
VALIDATION_FILE = "validation.jsonl"


@dataclass
class FileReading:
    """One file on its way: what it is, and what is known of its rows so far."""

    opened: Opened
    asked: Asked
    tally: Tally = field(default_factory=Tally)

    @classmethod
    def of(cls, path: Path, asked: Asked) -> FileReading:
        """The file at `path`, ready to be read.

        Raises:
            JloraError: it is no data file, or `asked` names no known format.
        """
        check_format(asked.format)
        opened = open_rows(
            path,
            encoding=asked.encoding,
            mapping=asked.mapping,
            as_text=asked.format == "text",
        )
        return cls(opened, asked)

    @property
    def format(self) -> str:
        return self.asked.format or self.tally.format

    @property
    def is_lost(self) -> bool:
        """Whether so many rows were of no known format that no more need be tried."""
        tally = self.tally
        return tally.rows_read >= LOST_AFTER and tally.unknown is not None and not tally.kept

    def ended_by(self, fault: RowError) -> JloraError:
        """The error of a file that cannot be read past a fault."""
        self.tally.faults.add(fault.line or self.tally.rows_read + 1, fault)
        return self.tally.faults.error(self.opened.path)

    def finish(self, *, alone: bool = True) -> list[Finding]:
        """What was noticed; a file that is not `alone` may have no row left.

        Raises:
            JloraError: there are faults and they are not to be skipped, or no row is left.
        """
        skipped = self.asked.on_bad_row == "skip" and self.tally.faults.count and not self.is_lost
        error = refusal_of(self.opened, self.tally, self.asked)
        if error is not None and (alone or not skipped):
            raise error
        return findings_of(self.opened, self.tally, self.asked)


def read_examples(path: Path, asked: Asked | None = None) -> Loaded:
    """The checked examples of a file, or of the files of a folder.

    A prepared folder gives its training rows.

    Raises:
        JloraError: nothing there, not data, or faulty rows that are not to be skipped.
    """
    files = files_of(path) if is_folder(path) else [path]
    return read_files(files, asked or Asked())


def read_files(files: list[Path], asked: Asked) -> Loaded:
    """The checked examples of several files together.

    Raises:
        JloraError: as `read_examples`.
    """
    check_format(asked.format)
    alone = len(files) == 1
    loaded = join([_read_file(file, asked, alone=alone) for file in files])
    if not loaded.examples:
        _read_file(files[0], asked, alone=True)  # which says why
    return loaded


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

    Plain text counts only where nothing else is there: beside rows it is a licence or a note.

    Raises:
        JloraError: it holds none.
    """
    if is_prepared(folder):
        return [folder / TRAIN_FILE]
    try:
        entries = sorted(folder.iterdir())
        files = [entry for entry in entries if entry.is_file()]
    except OSError as error:
        raise refuse("data.cannot_open", path=folder, why=error.strerror) from error
    for suffixes in (ROW_SUFFIXES, TEXT_SUFFIXES):
        if found := [file for file in files if data_suffix(file) in suffixes]:
            return found
    raise refuse("data.empty_folder", path=folder, suffixes=", ".join(SUFFIXES))


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


def _read_file(path: Path, asked: Asked, *, alone: bool) -> Loaded:
    reading = FileReading.of(path, asked)
    sieve = Sieve(path.name, asked, reading.tally)
    examples: list[Example] = []
    try:
        for piece in reading.opened.pieces:
            examples += sieve.sifted(rows_in(piece))
            if reading.is_lost:
                break
    except RowError as fault:
        raise reading.ended_by(fault) from fault
    findings = reading.finish(alone=alone)
    tally = reading.tally
    return Loaded(
        examples=examples,
        format=reading.format,
        rows_read=tally.rows_read,
        dropped=dict(sorted(tally.dropped.items())),
        findings=findings,
    )
