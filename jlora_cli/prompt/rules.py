"""How text is written before the tokenizer and read back after it: newlines and case."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from jlora_cli.recipe import wants_lower_case

if TYPE_CHECKING:
    from jlora_cli.tokenizer import StreamDecoder, Tokenizer

NewlineRule = Literal["keep", "nl", "space"]

_NEWLINE = "<NL>"
# NFKC, which SentencePiece models apply, turns full-width forms into the literal as well.
_LITERAL_NEWLINE = re.compile(r"([<＜])(\\*)([NＮ][LＬ][>＞])")
_ESCAPED_NEWLINE = re.compile(r"([<＜])\\(\\*[NＮ][LＬ][>＞])")
_HELD_BACK = re.compile(r"[<＜]\\*(?:[NＮ]?|[NＮ][LＬ]?)$")


@dataclass(frozen=True)
class TextRules:
    """How text is written before the tokenizer and read back after it.

    newline: "keep" (the tokenizer keeps newlines), "nl" (written as the piece <NL>) or "space"
        (the tokenizer turns them into spaces, and nothing can be done).
    lower_case: letters are lower-cased, in training and at inference alike.
    """

    newline: NewlineRule = "keep"
    lower_case: bool = False

    def escape(self, text: str) -> str:
        """User text with a literal <NL> made distinguishable from a newline."""
        if self.newline != "nl":
            return text
        text = text.lower() if self.lower_case else text
        return _LITERAL_NEWLINE.sub(r"\1\\\2\3", text.replace("\r\n", "\n"))

    def apply(self, text: str) -> str:
        """The text as the tokenizer gets it (user text already escaped)."""
        if self.newline != "nl":
            return text.lower() if self.lower_case else text
        if self.lower_case:  # but not the <NL> that a template writes itself
            text = _NEWLINE.join(part.lower() for part in text.split(_NEWLINE))
        return text.replace("\n", _NEWLINE)

    def restore(self, text: str) -> str:
        """What a person reads of decoded text: newlines back, literals unescaped."""
        if self.newline != "nl":
            return text
        return _ESCAPED_NEWLINE.sub(r"\1\2", text.replace(_NEWLINE, "\n"))


def rules_for(tokenizer: Tokenizer, model: str) -> TextRules:
    """What `tokenizer` needs: newlines kept where they survive, else <NL> where that is a piece."""
    newline: NewlineRule = "space"
    if tokenizer.keeps_newlines:
        newline = "keep"
    elif tokenizer.newline_piece is not None:
        newline = "nl"
    return TextRules(newline, tokenizer.lower_case_hint or wants_lower_case(model))


class AnswerStream:
    """Text as soon as it is certain; what `push` and `finish` return adds up to `answer(ids)`.

    `head`: left out where an answer begins with it.
    """

    def __init__(self, decoder: StreamDecoder, rules: TextRules, head: str = "") -> None:
        self._decoder = decoder
        self._rules = rules
        self._head, self._begun = head, ""
        self._held = ""

    def push(self, id: int) -> str:
        """The text that has become certain with this id; may be empty."""
        return self._behind_head(self._certain(self._decoder.push(id)))

    def _behind_head(self, text: str) -> str:
        """`text` where the head is passed, or turns out to be none; it is held back until then."""
        if not self._head:
            return text
        self._begun += text
        if self._head.startswith(self._begun) and self._begun != self._head:
            return ""
        told, self._head = self._begun.removeprefix(self._head), ""
        return told

    def _certain(self, text: str) -> str:
        text = self._held + text
        held = _HELD_BACK.search(text) if self._rules.newline == "nl" else None
        cut = held.start() if held else len(text)
        self._held = text[cut:]
        return self._rules.restore(text[:cut])

    def finish(self) -> str:
        """The rest."""
        text = self._held + self._decoder.finish()
        self._held = ""
        told = self._behind_head(self._rules.restore(text))
        if self._head:  # it was begun and never came
            told, self._head = self._begun, ""
        return told
