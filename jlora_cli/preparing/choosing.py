"""Which rows stay, on which side, in what order: by their keys alone, so no row is read again."""

from __future__ import annotations

import heapq
from array import array
from hashlib import blake2b
from typing import TYPE_CHECKING

from jlora_cli.errors import refuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TRAIN, VALIDATION, DROPPED = 0, 1, 2
# Keys that are looked at together: a set of so many takes some 200 MB.
KEYS_AT_ONCE = 2_000_000
FULL = 2**64


def place_of(key: int, seed: int, purpose: str) -> int:
    """Where a row stands between 0 and 2**64, by what it says: for one purpose and one seed."""
    given = key.to_bytes(8, "big") + seed.to_bytes(8, "big") + purpose.encode()
    return int.from_bytes(blake2b(given, digest_size=8).digest(), "big")


def repeated(keys: Sequence[int]) -> bytearray:
    """A 1 for every row whose key an earlier row has."""
    marks = bytearray(len(keys))
    parts = 1 + len(keys) // KEYS_AT_ONCE
    for part in range(parts):
        seen: set[int] = set()
        for at, key in enumerate(keys):
            if parts == 1 or key % parts == part:
                if key in seen:
                    marks[at] = 1
                else:
                    seen.add(key)
    return marks


def standing_in(keys: Sequence[int], others: Iterable[int]) -> bytearray:
    """A 1 for every row whose key is among `others`."""
    wanted = set(keys)
    shared = {key for key in others if key in wanted}
    return bytearray(key in shared for key in keys)


def staying(fates: bytearray) -> array[int]:
    """The numbers of the rows that are trained on."""
    return array("I", (at for at, fate in enumerate(fates) if fate == TRAIN))


def set_aside(fates: bytearray, keys: Sequence[int], share: float, seed: int) -> None:
    """Send about `share` of the rows that stay to validation, by the hash of what they say.

    A row's side depends on nothing else, so it stays when other rows are added, and copies of a
    row stay together. Both sides get a row at least.

    Raises:
        JloraError: no two of the rows differ.
    """
    left = staying(fates)
    places = array("Q", (place_of(keys[at], seed, "side") for at in left))
    lowest, highest = min(places, default=0), max(places, default=0)
    if lowest == highest:
        raise refuse("prepare.too_few_rows", count=min(len(left), 1))
    border = min(max(int(share * FULL), lowest + 1), highest)
    for at, place in zip(left, places, strict=True):
        if place < border:
            fates[at] = VALIDATION


def draw(fates: bytearray, keys: Sequence[int], count: int, seed: int) -> int:
    """Keep `count` of the rows, drawn by the hash of what they say; how many fell away."""
    left = staying(fates)
    drawn = heapq.nsmallest(count, ((place_of(keys[at], seed, "draw"), at) for at in left))
    for at in left:
        fates[at] = DROPPED
    for _, at in drawn:
        fates[at] = TRAIN
    return len(left) - len(drawn)


def shuffled(fates: bytearray, keys: Sequence[int], seed: int) -> array[int]:
    """The training rows in an order that the seed decides, and what they say."""
    left = staying(fates)
    return array("I", sorted(left, key=lambda at: (place_of(keys[at], seed, "order"), at)))
