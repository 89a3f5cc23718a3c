"""The rows of one forward pass, as far as memory is concerned."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

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
    return sorted(rows, key=lambda row: len(row.ids), reverse=True)[:count]


def heaviest(
    rows: Sequence[Encoded], count: int, *, packing: bool, max_length: int | None = None
) -> MicroBatch:
    """The micro-batch of the `count` longest rows, each cut to `max_length`."""
    longest = longest_rows(rows, count)
    lengths = [min(len(row.ids), max_length or len(row.ids)) for row in longest]
    shares = zip(longest, lengths, strict=True)
    supervised = sum(row.supervised * length // max(1, len(row.ids)) for row, length in shares)
    return micro_batch(lengths, supervised, packing=packing)
