"""How probable each token of an answer was, and what else might have been said: to be drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jlora_cli.messages import say
from jlora_cli.token_view.pieces import MARKS, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jlora_cli.generation import Answer, TokenChoice

# From sure to surprising: (least probability, kind of piece).
BANDS = (
    (0.9, "sure"),
    (0.5, "likely"),
    (0.2, "open"),
    (0.05, "unlikely"),
    (0.0, "rare"),
)


def band_of(probability: float) -> str:
    """The kind of piece that a token of this probability is drawn as."""
    return next(kind for least, kind in BANDS if probability >= least)


def pieces(answer: Answer) -> list[tuple[str, str]]:
    """(text, kind) of every token of an answer; of one that completes a character, the character.

    What comes before it is less sure of that character than it: the least sure counts.
    """
    found = []
    least = 1.0
    for token in answer.tokens:
        least = min(least, token.probability)
        if token.text:
            found.append((_drawn(token.text), band_of(least)))
            least = 1.0
    return found


def _drawn(text: str) -> str:
    """The text with line ends and tabs visible, and lines as they are."""
    return "".join(MARKS.get(character) or visible(character) for character in text)


def legend() -> list[tuple[str, str]]:
    """(label, kind) of every band."""
    bounds = [1.0, *(least for least, _ in BANDS)]
    return [(f"{least:.0%}–{bounds[place]:.0%}", kind) for place, (least, kind) in enumerate(BANDS)]


def columns() -> list[str]:
    """The head of the table."""
    return [say(f"odds.column.{name}") for name in ("token", "probability", "others")]


def rows(tokens: Sequence[TokenChoice]) -> list[list[str]]:
    """Every token with its probability and what else was likely."""
    return [
        [
            visible(token.text) or say("odds.part"),
            f"{token.probability:.1%}",
            "  ".join(
                f"{visible(text)} {share:.1%}"
                for id, text, share in token.alternatives
                if id != token.id
            ),
        ]
        for token in tokens
    ]


def as_json(tokens: Sequence[TokenChoice]) -> list[dict[str, Any]]:
    """Every token as `--json` prints it."""
    return [
        {
            "id": token.id,
            "text": token.text,
            "probability": token.probability,
            "alternatives": [
                {"id": id, "text": text, "probability": share}
                for id, text, share in token.alternatives
            ],
        }
        for token in tokens
    ]
