"""A source of rows: its files, what they are by their content, and the rows, checked when needed.

Checking is what `load_data` does, by the piece.
"""

from __future__ import annotations

import stat
from array import array
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from jlora_cli.dataset import Asked, FileReading, Job, Loaded, Sieve, Tally, rows_in, worked
from jlora_cli.dataset.encodings import Encoding
from jlora_cli.dataset.faults import RowError
from jlora_cli.dataset.rows import Opened
from jlora_cli.dataset.telling import findings_of
from jlora_cli.encoding.spool import Spool
from jlora_cli.preparing.sources import files_for, is_editable, of_folder, sha256_of

if TYPE_CHECKING:
    from pathlib import Path

    from jlora_cli.processes import Processes

LARGE_BYTES = 8 << 20  # below, other processes take longer to start than they save


@dataclass(frozen=True)
class _Checked:
    """The good rows of a piece as one UTF-8 text; of each, its bytes and the line it begins on."""

    tally: Tally
    lines: bytes = b""
    sizes: array[int] = field(default_factory=lambda: array("I"))
    numbers: array[int] = field(default_factory=lambda: array("I"))
    has_input: bool = False


def check_piece(job: Job) -> _Checked:
    """The rows of one piece, checked and written in canonical form."""
    tally = Tally()
    sieve = Sieve(job.name, job.asked, tally)
    sizes, numbers, lines = array("I"), array("I"), []
    has_input = False
    for example in sieve.sifted(rows_in(job.piece)):
        line = f"{example.as_line()}\n".encode()
        sizes.append(len(line))
        numbers.append(int(example.origin.rpartition(":")[2]))
        lines.append(line)
        has_input = has_input or bool(example.input)
    return _Checked(tally, b"".join(lines), sizes, numbers, has_input)


class Source:
    """The rows that `name` stands for, read by `workers` where there are many."""

    def __init__(self, name: str, workers: Processes) -> None:
        self.name = name
        self._workers = workers
        self._asked = Asked(editable=is_editable(name))

    @cached_property
    def files(self) -> list[Path]:
        """The files of the source, fetched where it is a hub id.

        Raises:
            JloraError: there are none.
        """
        return files_for(self.name)

    @cached_property
    def content(self) -> list[tuple[str, str]] | None:
        """The name and the sha256 of each file; None where one cannot be read."""
        self._before = self._stamps()
        try:
            return [(file.name, sha256_of(file)) for file in self.files if _is_regular(file)]
        except OSError:
            return None

    @property
    def is_as_hashed(self) -> bool:
        """Whether no file was written to since `content` was asked for."""
        return self.content is not None and self._before == self._stamps()

    @cached_property
    def spool(self) -> Spool:
        """The checked rows.

        Raises:
            JloraError: nothing there, not data, or faulty rows.
        """
        spool, alone = Spool(), len(self.files) == 1
        try:
            spool.told = [self._read(file, spool, alone=alone) for file in self.files]
            if not spool:
                self._read(self.files[0], spool, alone=True)  # which says why
        except BaseException:
            spool.close()
            raise
        return spool

    def warnings(self, told: list[dict[str, Any]]) -> list[str]:
        """What was noticed in the files, as sentences; `told` is what their spool remembers."""
        found = []
        for path, facts in zip(self.files, told, strict=True):
            opened, tally = _opened(path, facts), _tally(facts)
            found += findings_of(opened, tally, self._asked)
        found += of_folder(self.name, self.files)
        return Loaded([], "", 0, {}, found).warnings

    def close(self) -> None:
        """Leave nothing behind of rows that were read."""
        if "spool" in vars(self):
            self.spool.close()

    def _read(self, path: Path, spool: Spool, *, alone: bool) -> dict[str, Any]:
        reading = FileReading.of(path, self._asked)
        spool.begin(path.name)
        large = path.stat().st_size >= LARGE_BYTES
        try:
            for _, done in worked(reading, check_piece, self._workers, large=large):
                reading.tally.merge(done.tally)
                spool.extend(done.lines, done.sizes, done.numbers)
                spool.has_input |= done.has_input
        except RowError as fault:
            raise reading.ended_by(fault) from fault
        reading.finish(alone=alone)
        return _facts(reading)

    def _stamps(self) -> list[tuple[int, int]]:
        try:
            return [(s.st_mtime_ns, s.st_size) for s in (file.stat() for file in self.files)]
        except OSError:
            return []


def _is_regular(file: Path) -> bool:
    """Nothing else is read to its end, which a pipe might not have."""
    if not stat.S_ISREG(file.stat().st_mode):
        raise OSError
    return True


def _facts(reading: FileReading) -> dict[str, Any]:
    opened, tally = reading.opened, reading.tally
    return {
        "layout": opened.layout,
        "encoding": [opened.encoding.name, opened.encoding.marked, opened.encoding.share],
        "aozora": opened.aozora,
        "special": tally.special,
        "first_special": tally.first_special,
        "noticed": tally.noticed,
    }


def _opened(path: Path, facts: dict[str, Any]) -> Opened:
    encoding = Encoding(*facts["encoding"])
    return Opened(path, facts["layout"], encoding, facts["aozora"], iter(()))


def _tally(facts: dict[str, Any]) -> Tally:
    first = facts["first_special"]
    return Tally(
        special=facts["special"],
        first_special=None if first is None else (first[0], first[1]),
        noticed=Counter(facts["noticed"]),
    )
