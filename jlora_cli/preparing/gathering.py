"""Files -> one spool of canonical lines on disk, with a key and a length of each in memory.

12 bytes a row are held, so ten million rows take 120 MB.
"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from jlora_cli.dataset import Asked, FileReading, Job, Sifted, Tally, sift, worked
from jlora_cli.dataset.faults import RowError
from jlora_cli.dataset.files import encoding_name
from jlora_cli.errors import JloraError
from jlora_cli.finding import Finding, finding
from jlora_cli.preparing.sources import (
    STDIN,
    files_for,
    is_editable,
    of_folder,
    sha256_of,
    shown_as_stdin,
    spool_stdin,
)
from jlora_cli.preparing.values import FileRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jlora_cli.processes import Processes

LARGE_BYTES = 32 << 20  # below, other processes take longer to start than they save
PACKED_LARGE = LARGE_BYTES // 8


@dataclass
class Spool:
    """Checked rows on disk, one a line: of each, its key and its length in bytes."""

    path: Path
    keys: array[int] = field(default_factory=lambda: array("Q"))
    sizes: array[int] = field(default_factory=lambda: array("I"))

    def __len__(self) -> int:
        return len(self.keys)


@dataclass
class Gathered:
    """The rows of one side on their way, and all that happened to them."""

    spool: Spool
    rows_read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    sources: list[tuple[str, list[FileRecord]]] = field(default_factory=list)
    turns: Counter[str] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)

    @property
    def formats(self) -> set[str]:
        return {file.format for _, files in self.sources for file in files}

    def account(self, tally: Tally) -> None:
        """Take over what a file's tally says."""
        self.rows_read += tally.rows_read
        self.dropped.update(tally.dropped)
        self.turns.update(tally.turns)
        self.characters.update(tally.characters)
        if tally.dropped:
            reasons = ", ".join(f"{reason} {count}" for reason, count in tally.dropped.items())
            values = {"count": tally.dropped.total(), "rows": tally.rows_read, "reasons": reasons}
            self.findings.append(finding("prepare.skipped", "warning", **values))


@dataclass(frozen=True)
class Gatherer:
    """Adds rows to `into`, as they were asked for.

    With `limit`, no more than bring its spool to that length.
    """

    asked: Asked
    into: Gathered
    processes: Processes
    limit: int | None = None

    def source(self, source: str) -> None:
        """Add the rows of a source.

        Raises:
            JloraError: it cannot be used as it was asked.
        """
        spool = self.into.spool
        files = [spool_stdin(spool.path.parent)] if source == STDIN else files_for(source)
        before, records = len(spool), []
        for path in files:
            if self.is_full:
                break
            try:
                records.append(self._file(path, is_editable(source), alone=len(files) == 1))
            except JloraError as error:
                if source != STDIN:
                    raise
                raise shown_as_stdin(error, path) from error
        if len(spool) == before and not self.is_full:
            self._file(files[0], is_editable(source), alone=True)  # which says why
        self.into.findings.extend(of_folder(source, files))
        self.into.sources.append((source, records))

    @property
    def is_full(self) -> bool:
        return self.limit is not None and len(self.into.spool) >= self.limit

    def _file(self, path: Path, editable: bool, *, alone: bool) -> FileRecord:
        reading = FileReading.of(path, replace(self.asked, editable=editable))
        spool = self.into.spool
        try:
            with spool.path.open("ab") as lines:
                for done in self._sifted(reading):
                    reading.tally.merge(done.tally)
                    spool.keys.extend(done.keys)
                    spool.sizes.extend(done.sizes)
                    lines.write(done.lines)
        except RowError as fault:
            raise reading.ended_by(fault) from fault
        self.into.findings.extend(reading.finish(alone=alone))
        self.into.account(reading.tally)
        return _record_of(path, reading)

    def _sifted(self, reading: FileReading) -> Iterator[Sifted]:
        """The file's pieces in order, up to the row that fills the spool."""
        large = _is_large(reading.opened.path)
        for job, done in worked(reading, sift, self.processes, large=large):
            yield self._within(job, done)
            if self.is_full:
                return

    def _within(self, job: Job, done: Sifted) -> Sifted:
        """What was made of a piece; of its first rows only, where all would be too many."""
        left = None if self.limit is None else self.limit - len(self.into.spool)
        if left is None or done.tally.kept < left:
            return done
        return sift(replace(job, limit=left))


def _record_of(path: Path, reading: FileReading) -> FileRecord:
    return FileRecord(
        name=path.name,
        sha256=sha256_of(path),
        layout=reading.opened.layout,
        encoding=encoding_name(reading.opened.encoding.name),
        format=reading.format,
        evidence=reading.tally.evidence,
        rows_read=reading.tally.rows_read,
        rows_kept=reading.tally.kept,
    )


def _is_large(path: Path) -> bool:
    packed = path.suffix.lower() == ".gz"
    return path.stat().st_size >= (PACKED_LARGE if packed else LARGE_BYTES)
