"""What a checked row is: messages or a text, and where it came from. Knows no file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jlora_cli.messages import say

if TYPE_CHECKING:
    from jlora_cli.finding import Finding

ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Message:
    """One turn; `role` is "system", "user" or "assistant"."""

    role: str
    content: str


@dataclass(frozen=True)
class Example:
    """A checked row: either `messages` or `text`.

    `input` is the part of the user turn that an instruction row kept apart; the turn's content
    then ends with a blank line and `input`. `origin` ("train.jsonl:12") is for error messages only.
    """

    messages: tuple[Message, ...] = ()
    text: str | None = None
    input: str = ""
    origin: str = ""

    def as_record(self) -> dict[str, object]:
        """The canonical row, as a prepared file holds it."""
        if self.text is not None:
            return {"text": self.text}
        turns = [{"role": turn.role, "content": turn.content} for turn in self.messages]
        record: dict[str, object] = {"messages": turns}
        if self.input:
            record["input"] = self.input
        return record


@dataclass(frozen=True)
class Loaded:
    """The examples of a source; `dropped` counts the rows left out, by reason."""

    examples: list[Example]
    format: str
    rows_read: int
    dropped: dict[str, int]
    findings: list[Finding] = field(default_factory=list)

    @property
    def warnings(self) -> list[str]:
        """What was noticed, as finished sentences."""
        return [
            say("data.warning", evidence=each.evidence, remedy=each.remedy)
            for each in self.findings
        ]
