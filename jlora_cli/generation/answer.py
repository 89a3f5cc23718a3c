"""One answer, and what else the model would have said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

FinishReason = Literal["eos", "stop", "length"]


@dataclass(frozen=True)
class TokenChoice:
    """A token of an answer, how probable it was, and what else was.

    Probabilities are the model's own, before temperature, filters and penalties. `text` is what
    the token adds to the answer: empty while a character lacks bytes. `alternatives`: (id, text,
    probability) of the most probable tokens, likeliest first; the chosen one may be among them,
    and bytes of a character are spelled as <0xE3>.
    """

    id: int
    text: str
    probability: float
    alternatives: tuple[tuple[int, str, float], ...] = ()


@dataclass(frozen=True)
class Answer:
    """One answer: its ids without the ending token, its text, and why it ended.

    `text` ends before a stop string, `ids` with the token that completed it. `tokens`: one for
    each of `ids` where alternatives were asked for, else none. Times are of the whole batch that
    the answer was made in; `tokens_per_second` looks at the tokens behind the first.
    `reused_tokens` of the prompt had been computed for the answer before.
    """

    text: str
    ids: list[int]
    finish_reason: FinishReason
    prompt_tokens: int
    tokens: tuple[TokenChoice, ...] = ()
    seconds_to_first_token: float = field(default=0.0, compare=False)
    tokens_per_second: float = field(default=0.0, compare=False)
    reused_tokens: int = field(default=0, compare=False)

    @property
    def answer_tokens(self) -> int:
        return len(self.ids)
