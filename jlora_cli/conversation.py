"""The REPL's state and slash commands, without a terminal."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from jlora_cli.dataset import Message
from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from jlora_cli.generation import Answer
    from jlora_cli.sampling import Sampling

    class Answers(Protocol):
        """What a conversation needs of a model."""

        def answer(
            self,
            messages: list[Message],
            sampling: Sampling,
            on_text: Callable[[str], None] | None = None,
        ) -> Answer: ...

        def fits(self, messages: list[Message], sampling: Sampling) -> bool: ...


COMMANDS = ("/help", "/reset", "/undo", "/exit")


@dataclass
class Conversation:
    """Turns so far, and what a line typed by a person does to them."""

    answerer: Answers
    sampling: Sampling
    system: str | None = None
    messages: list[Message] = field(default_factory=list)
    over: bool = False
    shortened: bool = False
    asked: int = 0

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget every turn; the system line stays."""
        self.messages = [Message("system", self.system)] if self.system else []
        self.shortened = False

    def say(self, line: str, on_text: Callable[[str], None]) -> str | None:
        """Take one typed line: a slash command returns what to tell, a turn streams its answer.

        Where the conversation outgrows the model's context, its oldest exchanges are forgotten. A
        turn that ends otherwise than with an answer leaves the conversation as it was before it.
        """
        if line.startswith("/"):
            return self._command(line.split()[0])
        asked = self._fitting([*self.messages, Message("user", line)])
        # Another seed each time, so that a question taken back and asked again is answered anew.
        sampling = replace(self.sampling, seed=self.sampling.seed + self.asked)
        self.asked += 1
        answer = self.answerer.answer(asked, sampling, on_text)
        forgot = len(asked) <= len(self.messages) and not self.shortened
        self.shortened = self.shortened or forgot
        self.messages = [*asked, Message("assistant", answer.text)]
        cut = answer.finish_reason == "length"
        told = [say("chat.shortened")] * forgot + [say("chat.cut_off")] * cut
        return "\n".join(told) or None

    def _fitting(self, messages: list[Message]) -> list[Message]:
        """`messages` without as many of the oldest exchanges as must go; system line, last stay."""
        first = 1 if self.system else 0
        while len(messages) > first + 1 and not self.answerer.fits(messages, self.sampling):
            messages = [*messages[:first], *messages[first + 2 :]]
        return messages

    def _command(self, command: str) -> str:
        if command == "/help":
            return say("chat.help")
        if command == "/exit":
            self.over = True
            return ""
        if command == "/reset":
            self.reset()
            return say("chat.reset")
        if command == "/undo":
            return say("chat.undone" if self._undo() else "chat.nothing_to_undo")
        return say("chat.unknown", command=command, commands=" ".join(COMMANDS))

    def _undo(self) -> bool:
        """Take the last exchange back; False where there is none."""
        if not self.messages or self.messages[-1].role != "assistant":
            return False
        del self.messages[-2:]
        return True
