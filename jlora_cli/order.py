"""Which rows make an optimizer step, and which of them go through the model together.

Pure: a step is made of row numbers, and their lengths are all that is known of the rows. How a
step's rows are split never changes what the step learns; which rows make it depends on the seed
and on how many they are, not on packing, batch size or processes.
"""

from __future__ import annotations

import heapq
import math
import random
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Which way of ordering this is: a run is not resumed in another, which would give its steps other
# rows. 1 shuffled them and no more.
VERSION = 2
# Rows among which lengths are balanced. The whole of most data sets, so that all steps have nearly
# the same tokens; a bound, so that the order of a larger one is made in passing.
WINDOW = 1 << 16
# Rows whose lengths are within a quarter of an octave change places from epoch to epoch.
_OCTAVE = 4


def epoch_order(count: int, *, seed: int, epoch: int) -> list[int]:
    """The rows' order in an epoch: the same for the same seed and epoch, on every machine."""
    order = list(range(count))
    random.Random(f"{seed}-{epoch}").shuffle(order)
    return order


def steps(
    lengths: Sequence[int], *, per_step: int, seed: int, total_steps: int
) -> Iterator[list[int]]:
    """Row numbers of each optimizer step, `per_step` at most; every row comes once an epoch.

    lengths: of each row, in tokens. The steps of a window have as nearly the same tokens as its
    rows allow.
    """
    for epoch in count() if lengths else ():
        for step in _epoch(lengths, per_step, seed, epoch):
            if total_steps == 0:
                return
            total_steps -= 1
            yield step


def _epoch(lengths: Sequence[int], per_step: int, seed: int, epoch: int) -> Iterator[list[int]]:
    order = epoch_order(len(lengths), seed=seed, epoch=epoch)
    window = per_step * max(1, WINDOW // per_step)
    draw = random.Random(f"{seed}-{epoch}-steps")
    for start in range(0, len(order), window):
        rows = order[start : start + window]
        # Sorting keeps the shuffled order of rows that are alike.
        rows.sort(key=lambda row: -int(_OCTAVE * math.log2(max(1, lengths[row]))))
        made = _share_out(rows, lengths, per_step)
        draw.shuffle(made)
        yield from made


def micro_batches(
    rows: Sequence[int], lengths: Sequence[int], size: int, *, packing: bool
) -> list[list[int]]:
    """`rows` in parts of `size` at most that go through the model one after the other.

    Packed, they have nearly the same tokens, so that none takes more memory than needed; padded,
    rows of like length stand together, so that little is filled up.
    """
    longest_first = sorted(rows, key=lambda row: lengths[row], reverse=True)
    if packing:
        return _share_out(longest_first, lengths, size)
    return [longest_first[at : at + size] for at in range(0, len(rows), size)]


def _share_out(rows: Sequence[int], lengths: Sequence[int], size: int) -> list[list[int]]:
    """As few parts as hold `rows`, each row put where the fewest tokens are and room is left.

    Graham's longest-processing-time rule (1969) with a limit to the rows of a part. Not first-fit
    by tokens: that fills as well, but then `batch_size` would no longer say how many rows a step
    learns from.
    """
    parts: list[list[int]] = [[] for _ in range(math.ceil(len(rows) / size))]
    open_parts = [(0, at) for at in range(len(parts))]
    for row in rows:
        tokens, at = heapq.heappop(open_parts)
        parts[at].append(row)
        if len(parts[at]) < size:
            heapq.heappush(open_parts, (tokens + lengths[row], at))
    return parts
