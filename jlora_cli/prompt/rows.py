"""Training sequences as values: ids and labels, and what became of a data set."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jlora_cli.dataset import Example

IGNORED = -100
"""The label of a position where the loss looks away (PyTorch's cross-entropy default)."""

_KEY_BYTES = 8


@dataclass(frozen=True)
class Encoded:
    """One training sequence. `labels` is as long as `ids`, IGNORED where the loss looks away."""

    ids: list[int]
    labels: list[int]
    origin: str = ""
    shortened: bool = False

    @property
    def supervised(self) -> int:
        """How many tokens the loss looks at (the first position is never predicted)."""
        predicted = self.labels[1:]
        return len(predicted) - predicted.count(IGNORED)

    @property
    def key(self) -> int:
        """64 bits that rows of the same ids share.

        Of five million different rows, two share theirs by chance once in 1.5 million data sets.
        """
        digest = blake2b(array("i", self.ids), digest_size=_KEY_BYTES).digest()
        return int.from_bytes(digest, "little")


class Whole(NamedTuple):
    """A sequence of a conversation before it is made to fit, and the turns that stand in it."""

    example: Example
    encoded: Encoded


class Census(NamedTuple):
    """What rows come to, all of them looked at.

    endless: rows without a supervised end of answer; endless_whole: those of them that were not
    shortened. repeated: rows, not shortened, whose ids stand in an earlier one.
    """

    endless: int
    endless_whole: int
    repeated: int


@dataclass(frozen=True)
class EncodedRows:
    """The sequences of a data set, and what did not fit.

    `shortened` counts the rows that lost early turns or stand in windows, `cut` those that lost
    the end of an answer. `census` is there where it was taken when they were encoded.
    """

    rows: Sequence[Encoded]
    dropped: list[str]
    shortened: int
    cut: int = 0
    census: Census | None = None

    @property
    def lengths(self) -> Sequence[int]:
        """Of each row, in tokens."""
        return lengths_of(self.rows)

    @property
    def supervised(self) -> Sequence[int]:
        """Of each row, how many tokens the loss looks at."""
        return supervised_of(self.rows)


def lengths_of(rows: Sequence[Encoded]) -> Sequence[int]:
    """The tokens of each row; those that lie in a file are not read for it."""
    known: Sequence[int] | None = getattr(rows, "lengths", None)
    return [len(row.ids) for row in rows] if known is None else known


def keys_of(rows: Sequence[Encoded]) -> Sequence[int]:
    """The key of each row; see `lengths_of`."""
    known: Sequence[int] | None = getattr(rows, "keys", None)
    return [row.key for row in rows] if known is None else known


def supervised_of(rows: Sequence[Encoded]) -> Sequence[int]:
    """How many tokens of each row the loss looks at; see `lengths_of`."""
    known: Sequence[int] | None = getattr(rows, "supervised", None)
    return [row.supervised for row in rows] if known is None else known
