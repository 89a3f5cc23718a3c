"""The checked rows of a source in canonical form, out of memory: 12 bytes a row stay in it."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, overload

from jlora_cli.cache import Scratch
from jlora_cli.dataset import Example, example_of

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE_BYTES = 256 << 10


@dataclass(frozen=True)
class Rows:
    """Consecutive rows of the file `name`; `first` is the number of the first in the spool."""

    name: str
    first: int
    lines: bytes
    numbers: array[int]

    def examples(self) -> list[Example]:
        """What the rows are."""
        lines = self.lines.split(b"\n")[:-1]
        pairs = zip(lines, self.numbers, strict=True)
        return [example_of(line, f"{self.name}:{number}") for line, number in pairs]


class Spool(Sequence[Example]):
    """Examples that lie on disk; `files` are (first row, name) of those that they came from.

    `told` is what their source remembers of each file.
    """

    def __init__(self) -> None:
        self._scratch = Scratch()
        self._starts = array("Q", [0])
        self._numbers = array("I")
        self.files: list[tuple[int, str]] = []
        self.told: list[dict[str, Any]] = []
        self.has_input = False

    def begin(self, name: str) -> None:
        """The rows that follow come from the file `name`."""
        self.files.append((len(self), name))

    def extend(self, lines: bytes, sizes: array[int], numbers: array[int]) -> None:
        """Add rows: each one's size in bytes, and the line of the file where it begins."""
        at = self._starts[-1]
        for size in sizes:
            at += size
            self._starts.append(at)
        self._numbers.extend(numbers)
        self._scratch.append(lines)

    @property
    def size(self) -> int:
        """In bytes."""
        return self._scratch.size

    def line(self, number: int) -> int:
        """The line of its file where row `number` begins."""
        return self._numbers[number]

    def close(self) -> None:
        """Leave nothing behind."""
        self._scratch.close()

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, at: int) -> Example: ...
    @overload
    def __getitem__(self, at: slice) -> list[Example]: ...
    def __getitem__(self, at: int | slice) -> Example | list[Example]:
        if isinstance(at, slice):
            return [self[number] for number in range(*at.indices(len(self)))]
        number = range(len(self))[at]
        return self._rows(number, number + 1, self.files[self._file_of(number)][1]).examples()[0]

    def __iter__(self) -> Iterator[Example]:
        for rows in self.pieces():
            yield from rows.examples()

    def pieces(self) -> Iterator[Rows]:
        """All rows in order, some hundred at a time."""
        for (first, name), (last, _) in pairwise([*self.files, (len(self), "")]):
            while first < last:
                end = bisect_right(self._starts, self._starts[first] + PIECE_BYTES) - 1
                end = min(max(end, first + 1), last)
                yield self._rows(first, end, name)
                first = end

    def _file_of(self, number: int) -> int:
        return bisect_right(self.files, number, key=lambda file: file[0]) - 1

    def _rows(self, first: int, end: int, name: str) -> Rows:
        start = self._starts[first]
        lines = self._scratch.read(start, self._starts[end] - start)
        return Rows(name, first, lines, self._numbers[first:end])
