"""What a line leads to, beside the text that streams: values, to be drawn by whoever listens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jlora_cli.generation import Answer


@dataclass(frozen=True)
class Note:
    """A finished sentence, or several lines of them."""

    text: str


@dataclass(frozen=True)
class Compared:
    """What base and tuned model say to the same messages."""

    base: str
    tuned: str


@dataclass(frozen=True)
class Odds:
    """An answer whose tokens know how probable they were."""

    answer: Answer


@dataclass(frozen=True)
class Edit:
    """A message to be typed anew, from `text`; what is typed goes behind `/edit`."""

    text: str


Told = Note | Compared | Odds | Edit
