"""The rows of one forward pass, as far as memory is concerned."""

from __future__ import annotations

from heapq import nlargest
from typing import TYPE_CHECKING, NamedTuple

from jlora_cli.prompt import lengths_of, supervised_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jlora_cli.prompt import Encoded


class MicroBatch(NamedTuple):
    """The rows of one forward pass, as far as memory is concerned.

    places: tokens and padding. span: how many places one attends over. scored: places that get
    logits; supervised: those of them in the loss. masked: whether attention needs a mask, which
    it does unless the rows stand alone or are all equally long.
    """

    places: int
    span: int
    scored: int
    supervised: int
    masked: bool


def micro_batch(lengths: Sequence[int], supervised: int, *, packing: bool) -> MicroBatch:
    """Rows of these lengths with so many supervised tokens together, packed or padded."""
    if not lengths:
        return MicroBatch(0, 0, 0, 0, masked=False)
    if packing:
        total = sum(lengths)
        return MicroBatch(total, total, supervised, supervised, masked=len(lengths) > 1)
    width = max(lengths)
    places = width * len(lengths)
    return MicroBatch(places, width, places, supervised, masked=width > min(lengths))


def longest_rows(rows: Sequence[Encoded], count: int) -> list[Encoded]:
    """The `count` longest rows: the largest micro-batch that a run could draw."""
    return [rows[number] for number in _longest(lengths_of(rows), count)]


def _longest(lengths: Sequence[int], count: int) -> list[int]:
    """The numbers of the `count` longest rows, the earlier first where they are equal."""
    return nlargest(count, range(len(lengths)), key=lengths.__getitem__)


def heaviest(
    rows: Sequence[Encoded], count: int, *, packing: bool, max_length: int | None = None
) -> MicroBatch:
    """The micro-batch of the `count` longest rows, each cut to `max_length`."""
    lengths, supervised = lengths_of(rows), supervised_of(rows)
    longest = _longest(lengths, count)
    cut = [min(lengths[row], max_length or lengths[row]) for row in longest]
    shares = zip(longest, cut, strict=True)
    kept = sum(supervised[row] * length // max(1, lengths[row]) for row, length in shares)
    return micro_batch(cut, kept, packing=packing)
