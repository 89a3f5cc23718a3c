"""Rows whose lengths are spread like those of databricks-dolly-15k-ja: 15,015, of 150 tokens."""

from __future__ import annotations

import random
from typing import NamedTuple

from jlora_cli.prompt import IGNORED, Encoded

ROWS, MEAN, LONGEST, SHORTEST = 15_015, 150, 512, 12
# Of the logarithm: a few times longer, a few times shorter. Lengths are said to be like dolly's,
# not to be dolly's.
_SPREAD = 0.75


class Lengths(NamedTuple):
    """Of each row, in tokens; `supervised`: how many of them the loss looks at."""

    lengths: list[int]
    supervised: list[int]


def make_lengths(count: int = ROWS, *, mean: float = MEAN, longest: int = LONGEST) -> Lengths:
    """The same lengths everywhere, `mean` tokens on average; about half of a row is an answer."""
    drawn = random.Random("lengths")
    spread = [drawn.lognormvariate(0.0, _SPREAD) for _ in range(count)]
    low, high = 0.0, float(longest)
    while high - low > 1e-3:
        middle = (low + high) / 2
        made = _scaled(spread, middle, longest)
        low, high = (middle, high) if sum(made) < mean * count else (low, middle)
    lengths = _scaled(spread, high, longest)
    return Lengths(lengths, [max(1, round(n * drawn.uniform(0.25, 0.75))) for n in lengths])


def _scaled(spread: list[float], scale: float, longest: int) -> list[int]:
    return [min(longest, max(SHORTEST, round(scale * one))) for one in spread]


def make_row(number: int, lengths: Lengths, vocabulary: int) -> Encoded:
    """Row `number` of `lengths` with random ids, the same everywhere."""
    drawn, length = random.Random(f"row-{number}"), lengths.lengths[number]
    ids = [drawn.randrange(4, vocabulary) for _ in range(length)]
    prompt = length - lengths.supervised[number]
    return Encoded(ids, [IGNORED] * prompt + ids[prompt:], f"row {number}")
