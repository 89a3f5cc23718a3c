"""The rows of one forward pass, as far as memory is concerned."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from jlora_cli.order import micro_batches, steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jlora_cli.config import RunConfig

# Rows of the run's steps that are looked at for the heaviest; later ones are as well balanced.
_LOOKED_AT = 100_000


class MicroBatch(NamedTuple):
    """The rows of one forward pass, as far as memory is concerned.

    places: tokens and padding. pairs: of places where one may attend to the other, those of each
    row by itself, and longest the most places of a row. scored: places that get logits;
    supervised: those of them in the loss. rows: how many stand side by side or, `packed`, end to
    end.
    """

    places: int
    pairs: int
    longest: int
    scored: int
    supervised: int
    rows: int
    packed: bool


def micro_batch(lengths: Sequence[int], supervised: int, *, packing: bool) -> MicroBatch:
    """Rows of these lengths with so many supervised tokens together, packed or padded."""
    if not lengths:
        return MicroBatch(0, 0, 0, 0, 0, 0, packing)
    count, longest = len(lengths), max(lengths)
    if packing:
        pairs = sum(length * length for length in lengths)
        return MicroBatch(sum(lengths), pairs, longest, supervised, supervised, count, packing)
    places = longest * count
    return MicroBatch(places, places * longest, longest, places, supervised, count, packing)


def heaviest(
    lengths: Sequence[int],
    supervised: Sequence[int],
    config: RunConfig,
    *,
    max_length: int | None = None,
) -> MicroBatch:
    """What the micro-batches of a run's steps come to at most, each row cut to `max_length`.

    lengths, supervised: of each row, in tokens. What is largest of one micro-batch and of another
    is taken together.
    """
    if max_length is not None:
        shares = zip(lengths, supervised, strict=True)
        supervised = [most * min(n, max_length) // max(1, n) for n, most in shares]
        lengths = [min(length, max_length) for length in lengths]
    packing = config.packing is True
    made = [
        micro_batch(
            [lengths[at] for at in part], sum(supervised[at] for at in part), packing=packing
        )
        for part in _parts(lengths, config)
    ]
    if not made:
        return micro_batch((), 0, packing=packing)
    return MicroBatch(*(max(values) for values in zip(*made, strict=True)))


def heaviest_part(lengths: Sequence[int], config: RunConfig) -> list[int]:
    """The rows of the micro-batch with the most places; none where there are no rows."""

    def places(part: list[int]) -> int:
        longest = max(lengths[at] for at in part)
        return sum(lengths[at] for at in part) if config.packing is True else longest * len(part)

    return max(_parts(lengths, config), key=places, default=[])


def _parts(lengths: Sequence[int], config: RunConfig) -> Iterable[list[int]]:
    """The micro-batches of the run's steps, up to so many rows."""
    size = config.batch_size
    per_step = size * config.gradient_accumulation_steps
    total = config.max_steps or len(lengths)
    made = steps(lengths, per_step=per_step, seed=config.seed, total_steps=total)
    for step in islice(made, max(1, _LOOKED_AT // per_step)):
        yield from micro_batches(step, lengths, size, packing=config.packing is True)
