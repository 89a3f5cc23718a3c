"""One look at every row: which have no end, and which say the same."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jlora_cli.prompt.rows import Census

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence, Set

    from jlora_cli.prompt.rows import Encoded

# At 70 bytes a key in a set; a part of the keys after the other beyond it.
_KEYS_AT_ONCE = 1 << 15


@dataclass
class Count:
    """What rows come to so far: counts of parts add up. `whole` are keys of rows not shortened."""

    endless: int = 0
    endless_whole: int = 0
    keys: array[int] = field(default_factory=lambda: array("Q"))
    whole: array[int] = field(default_factory=lambda: array("Q"))

    @classmethod
    def of(cls, rows: Iterable[Encoded], ends: Set[int]) -> Count:
        """What `rows` come to, where `ends` are the ids that end an answer."""
        made = cls()
        for row in rows:
            key = row.key
            made.keys.append(key)
            if not row.shortened:  # windows of a text may well repeat each other
                made.whole.append(key)
            if ends.isdisjoint(row.labels):
                made.endless += 1
                made.endless_whole += not row.shortened
        return made

    def merge(self, later: Count) -> None:
        """Take in the count of the rows that follow."""
        self.endless += later.endless
        self.endless_whole += later.endless_whole
        self.keys.extend(later.keys)
        self.whole.extend(later.whole)

    def census(self) -> Census:
        """What all of them come to."""
        repeated = len(self.whole) - _different(self.whole)
        return Census(self.endless, self.endless_whole, repeated)


def take_census(rows: Iterable[Encoded], ends: Set[int]) -> Census:
    """What `rows` come to, where `ends` are the ids that end an answer."""
    return Count.of(rows, ends).census()


def count_shared(keys: Sequence[int], others: Sequence[int]) -> int:
    """How many of `others` stand among `keys`, a row as often as it is there."""
    wanted = set(others)
    found = {key for key in keys if key in wanted} if wanted else set()
    return sum(key in found for key in others)


def _different(keys: array[int]) -> int:
    parts = 1 + len(keys) // _KEYS_AT_ONCE
    return sum(len(set(_part(keys, part, parts))) for part in range(parts))


def _part(keys: array[int], part: int, parts: int) -> Iterator[int]:
    return (key for key in keys if key % parts == part)
