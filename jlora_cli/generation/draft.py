"""One answer while it is written: what of its text is certain, and where it ends."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from jlora_cli.generation.answer import Answer, TokenChoice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jlora_cli.generation.answer import FinishReason
    from jlora_cli.prompt import Prompter


class Draft:
    """Tokens in, text out as soon as it is certain; `reason` says why the answer ended.

    Text that may begin a stop string is held back until the tokens behind it decide.
    """

    def __init__(
        self,
        prompter: Prompter,
        stop: Sequence[str],
        prompt_tokens: int,
        on_text: Callable[[str], None] | None = None,
    ) -> None:
        self.reason: FinishReason | None = None
        self._ending = prompter.stop_ids
        self._stream = prompter.stream()
        self._stop = [text for text in stop if text]
        self._prompt_tokens = prompt_tokens
        self._on_text = on_text
        self._ids: list[int] = []
        self._tokens: list[TokenChoice] = []
        self._told: list[str] = []
        self._held = ""
        self._begun = time.perf_counter()
        self._times: list[float] = []

    def push(self, token: int, choice: Callable[[int, str], TokenChoice] | None = None) -> None:
        """Take the next token; `choice` makes of it and its text what stands in the answer."""
        self._times.append(time.perf_counter())
        if token in self._ending:
            self.reason = "eos"
            return
        self._ids.append(token)
        text = self._stream.push(token)
        if choice is not None:
            self._tokens.append(choice(token, text))
        self._take(text)

    def finish(self, reused: int = 0) -> Answer:
        """The answer; its last text is told first. `reused`: tokens of the prompt."""
        rest = self._stream.finish()
        if self._tokens:
            last = self._tokens[-1]
            self._tokens[-1] = replace(last, text=last.text + rest)
        if self.reason != "stop":
            self._take(rest)
        if self.reason != "stop":
            self._tell(self._held)
        first = self._times[0] - self._begun if self._times else 0.0
        return Answer(
            "".join(self._told),
            self._ids,
            self.reason or "length",
            self._prompt_tokens,
            tuple(self._tokens),
            first,
            self._speed(),
            reused,
        )

    def _speed(self) -> float:
        """Tokens a second behind the first; of one token, with what came before it."""
        if len(self._times) < 2:
            return 1 / (self._times[0] - self._begun) if self._times else 0.0
        return (len(self._times) - 1) / (self._times[-1] - self._times[0])

    def _take(self, text: str) -> None:
        if not text:
            return
        text = self._held + text
        found = [place for stop in self._stop if (place := text.find(stop)) >= 0]
        if found:
            self.reason = "stop"
            self._held = ""
            self._tell(text[: min(found)])
            return
        certain = len(text) - self._may_begin(text)
        self._held = text[certain:]
        self._tell(text[:certain])

    def _may_begin(self, text: str) -> int:
        """How many characters at the end of `text` may be the beginning of a stop string."""
        longest = max(map(len, self._stop), default=1) - 1
        for count in range(min(longest, len(text)), 0, -1):
            if any(stop.startswith(text[-count:]) for stop in self._stop):
                return count
        return 0

    def _tell(self, text: str) -> None:
        if not text:
            return
        self._told.append(text)
        if self._on_text is not None:
            self._on_text(text)
