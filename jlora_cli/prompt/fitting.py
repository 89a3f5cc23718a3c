"""Sequences that are too long -> rows that fit, and what was left out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from jlora_cli.prompt.rows import Encoded, EncodedRows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from jlora_cli.dataset import Example
    from jlora_cli.prompt.rows import Whole


def fit(
    wholes: Sequence[Whole],
    encode_last: Callable[[Example], Encoded],
    *,
    max_length: int,
    truncate: str = "turns",
) -> EncodedRows:
    """`wholes` as rows of at most `max_length` tokens.

    A conversation that is too long loses its earliest turns first (`truncate` "turns"), encoded
    again by `encode_last`; one that is still too long is dropped and named: its answer is never
    cut. "drop" drops it at once; "cut" cuts off its end, as many scripts do, and with it what it
    teaches of ending. Plain text is cut into windows instead.
    """
    rows: list[Encoded] = []
    dropped: list[str] = []
    shortened = cut = 0
    for whole in wholes:
        if len(whole.encoded.ids) <= max_length:
            rows.append(whole.encoded)
            continue
        made = list(fitted(whole, encode_last, max_length=max_length, truncate=truncate))
        rows += made
        if not made:
            dropped.append(whole.encoded.origin)
        elif truncate == "cut" and whole.example.text is None:
            cut += 1
        else:
            shortened += 1
    return EncodedRows(rows, dropped, shortened, cut)


def fitted(
    whole: Whole, encode_last: Callable[[Example], Encoded], *, max_length: int, truncate: str
) -> Iterator[Encoded]:
    """What of a sequence that is too long can be trained on."""
    example, made = whole
    if example.text is not None:
        yield from _windows(made, max_length)
    elif truncate == "cut":
        kept = _part(made, 0, max_length)
        if kept.supervised:
            yield kept
    elif truncate == "turns":
        for fewer in _without_early_turns(example):
            encoded = encode_last(fewer)
            if len(encoded.ids) <= max_length:
                yield replace(encoded, origin=made.origin, shortened=True)
                return


def _without_early_turns(example: Example) -> Iterator[Example]:
    """The example without its first exchange, without its first two, ...; the system line stays."""
    system = tuple(m for m in example.messages[:1] if m.role == "system")
    rest = list(example.messages[len(system) :])
    starts = [i for i, message in enumerate(rest) if message.role == "user"][1:]
    for start in starts:
        yield replace(example, messages=(*system, *rest[start:]))


def _windows(made: Encoded, max_length: int) -> Iterator[Encoded]:
    """Windows that share one token: the first of a row is never predicted, so none is lost."""
    for start in range(0, len(made.ids) - 1, max_length - 1):
        yield _part(made, start, start + max_length)


def _part(made: Encoded, start: int, end: int) -> Encoded:
    return Encoded(made.ids[start:end], made.labels[start:end], made.origin, shortened=True)
