"""Encoded rows in flat arrays, four bytes a token; an `Encoded` is made when a row is asked for.

A token is its id, or the complement `~id` where the loss looks at it: labels are the id or
IGNORED, so one number says both.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from jlora_cli.prompt.rows import IGNORED, Encoded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jlora_cli.cache import Sections

# Rows read one after the other, and here and there: each of these brings in the pages around it.
_RELEASED_EACH, _RELEASED_EACH_ALONE = 2000, 16


def pack(row: Encoded) -> array[int]:
    """The row's tokens, as they are stored."""
    pairs = zip(row.ids, row.labels, strict=True)
    return array("i", [id if label == IGNORED else ~id for id, label in pairs])


def unpack(tokens: Sequence[int]) -> tuple[list[int], list[int]]:
    """Ids and labels of stored tokens."""
    ids = [token if token >= 0 else ~token for token in tokens]
    return ids, [IGNORED if token >= 0 else ~token for token in tokens]


class StoredRows(Sequence[Encoded]):
    """Rows of `whole`, and those of `fitted` in place of the ones that did not fit.

    whole: "tokens" of all rows end to end, "starts", "lengths", "supervised" and "lines" of each;
        `files` of its facts are [first row, name] of each file that they came from.
    fitted: "tokens" of the rows made anew; of every row its "starts", negative where it is one of
        these (-1 is the first of their tokens), "lengths", "supervised", and "of", the row of
        `whole` that it comes from; without these where all rows fit. Also "keys" of every row.
    """

    def __init__(self, whole: Sections, fitted: Sections, numbers: range | None = None) -> None:
        self._whole, self._fitted = whole, fitted
        self._index = fitted if "starts" in fitted else whole
        self._numbers = range(len(self._index["lengths"])) if numbers is None else numbers
        self._read = 0

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, at: int) -> Encoded: ...
    @overload
    def __getitem__(self, at: slice) -> StoredRows: ...
    def __getitem__(self, at: int | slice) -> Encoded | StoredRows:
        if isinstance(at, slice):
            return StoredRows(self._whole, self._fitted, self._numbers[at])
        row = self._row(self._numbers[at])
        self._read += 1
        if self._read % _RELEASED_EACH_ALONE == 0:
            self.release()
        return row

    def __iter__(self) -> Iterator[Encoded]:
        for count, number in enumerate(self._numbers, start=1):
            yield self._row(number)
            if count % _RELEASED_EACH == 0:
                self.release()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(self) != len(other):
            return False
        return all(mine == its for mine, its in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    @property
    def lengths(self) -> Sequence[int]:
        """The tokens of each row."""
        return self._of_each(self._index["lengths"])

    @property
    def supervised(self) -> Sequence[int]:
        """How many tokens of each row the loss looks at."""
        return self._of_each(self._index["supervised"])

    @property
    def keys(self) -> Sequence[int]:
        """The key of each row."""
        return self._of_each(self._fitted["keys"])

    def release(self) -> None:
        """Give back the memory of rows that were read."""
        self._whole.release()
        self._fitted.release()

    def _of_each(self, values: memoryview) -> Sequence[int]:
        if self._numbers == range(len(values)):
            return values
        return [values[number] for number in self._numbers]

    def _row(self, number: int) -> Encoded:
        start, length = self._index["starts"][number], self._index["lengths"][number]
        anew = start < 0
        begin = ~start if anew else start
        tokens = (self._fitted if anew else self._whole)["tokens"][begin : begin + length]
        of = number if self._index is self._whole else self._fitted["of"][number]
        return Encoded(*unpack(tokens.tolist()), origin_of(self._whole, of), anew)


def origin_of(whole: Sections, number: int) -> str:
    """Where row `number` of `whole` came from."""
    files: list[tuple[int, str]] = whole.facts["files"]
    at = bisect_right(files, number, key=lambda file: file[0]) - 1
    return f"{files[at][1]}:{whole['lines'][number]}"
