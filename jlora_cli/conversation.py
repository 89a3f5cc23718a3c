"""The REPL's state and slash commands, without a terminal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jlora_cli.dataset import Message
from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from jlora_cli.generation import Answer, Sampling

    class Answers(Protocol):
        """What a conversation needs of a model."""

        def answer(
            self,
            messages: list[Message],
            sampling: Sampling,
            on_text: Callable[[str], None] | None = None,
        ) -> Answer: ...


COMMANDS = ("/help", "/reset", "/undo", "/exit")


@dataclass
class Conversation:
    """Turns so far, and what a line typed by a person does to them."""

    answerer: Answers
    sampling: Sampling
    system: str | None = None
    messages: list[Message] = field(default_factory=list)
    over: bool = False

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget every turn; the system line stays."""
        self.messages = [Message("system", self.system)] if self.system else []

    def say(self, line: str, on_text: Callable[[str], None]) -> str | None:
        """Take one typed line: a slash command returns what to tell, a turn streams its answer.

        An interrupted turn (KeyboardInterrupt) leaves the conversation as it was before it.
        """
        if line.startswith("/"):
            return self._command(line.strip())
        self.messages.append(Message("user", line))
        try:
            answer = self.answerer.answer(list(self.messages), self.sampling, on_text)
        except BaseException:
            self.messages.pop()
            raise
        self.messages.append(Message("assistant", answer.text))
        return say("chat.cut_off") if answer.finish_reason == "length" else None

    def _command(self, line: str) -> str:
        if line == "/help":
            return say("chat.help")
        if line == "/exit":
            self.over = True
            return ""
        if line == "/reset":
            self.reset()
            return say("chat.reset")
        if line == "/undo":
            self._undo()
            return say("chat.undone")
        return say("chat.unknown", command=line.split()[0], commands=" ".join(COMMANDS))

    def _undo(self) -> None:
        while self.messages and self.messages[-1].role == "assistant":
            self.messages.pop()
        if self.messages and self.messages[-1].role == "user":
            self.messages.pop()
