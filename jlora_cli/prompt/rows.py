"""Training sequences as values: ids and labels, and what became of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from jlora_cli.dataset import Example

IGNORED = -100
"""The label of a position where the loss looks away (PyTorch's cross-entropy default)."""


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
        return sum(label != IGNORED for label in self.labels[1:])


class Whole(NamedTuple):
    """A sequence of a conversation before it is made to fit, and the turns that stand in it."""

    example: Example
    encoded: Encoded


@dataclass(frozen=True)
class EncodedRows:
    """The sequences of a data set, and what did not fit.

    `shortened` counts the rows that lost early turns or stand in windows, `cut` those that lost
    the end of an answer.
    """

    rows: list[Encoded]
    dropped: list[str]
    shortened: int
    cut: int = 0

    @cached_property
    def lengths(self) -> list[int]:
        """Of each row, in tokens."""
        return [len(row.ids) for row in self.rows]

    @cached_property
    def supervised(self) -> list[int]:
        """Of each row, how many tokens the loss looks at."""
        return [row.supervised for row in self.rows]
