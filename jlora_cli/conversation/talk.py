"""Turns so far, what of them the model is shown, and its replies."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from jlora_cli.conversation.told import Compared, Note, Odds
from jlora_cli.dataset import Message
from jlora_cli.errors import refuse
from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from typing import Protocol

    from jlora_cli.conversation.told import Told
    from jlora_cli.generation import Answer, TokenChoice
    from jlora_cli.sampling import Sampling

    OnText = Callable[[str], None]

    class Answers(Protocol):
        """What a conversation needs of a model."""

        @property
        def adapted(self) -> bool: ...

        @property
        def context(self) -> int: ...

        def answer(
            self, messages: list[Message], sampling: Sampling, on_text: OnText | None = None
        ) -> Answer: ...

        def fits(self, messages: list[Message], sampling: Sampling) -> bool: ...

        def choices(
            self, messages: list[Message], ids: Sequence[int], count: int
        ) -> tuple[TokenChoice, ...]: ...

        def base(self) -> AbstractContextManager[Answers]: ...


ALTERNATIVES = 5
_FREED = 4


@dataclass(frozen=True)
class Exchange:
    """A question and its answer; one that was stopped is not `whole`."""

    question: str
    answer: str
    whole: bool = True


@dataclass
class Tally:
    """Figures of all replies so far."""

    answers: int = 0
    answer_tokens: int = 0
    prompt_tokens: int = 0
    reused_tokens: int = 0

    def add(self, answer: Answer) -> None:
        self.answers += 1
        self.answer_tokens += answer.answer_tokens
        self.prompt_tokens += answer.prompt_tokens
        self.reused_tokens += answer.reused_tokens


@dataclass
class _Last:
    """The last reply, what it answered, and how."""

    answer: Answer
    asked: list[Message]
    sampling: Sampling


@dataclass
class Conversation:
    """Turns so far, and a model that answers the next.

    `compare`: every turn is answered by the base as well, which sees the same turns.
    """

    answerer: Answers
    sampling: Sampling
    system: str | None = None
    compare: bool = False
    exchanges: list[Exchange] = field(default_factory=list)
    over: bool = False
    tally: Tally = field(default_factory=Tally)
    last: _Last | None = None
    # How many of the oldest exchanges the model is not shown, and how many a person knows of.
    _left_out: int = 0
    _told_left_out: int = 0
    _asked: int = 0

    # -- what there is -------------------------------------------------------------------------

    def messages(self) -> list[Message]:
        """The whole conversation, system message first."""
        return self._shown([*self.exchanges], "")[:-1]

    def forget(self, exchanges: Sequence[Exchange] = ()) -> None:
        """Begin anew, with `exchanges` as if they had been said; the system message stays."""
        self.exchanges = [*exchanges]
        self.last = None
        self._told_left_out = 0
        self.look_again()

    def take_back(self) -> Exchange | None:
        """The last exchange, which is no longer part of the conversation; None without one."""
        if not self.exchanges:
            return None
        taken = self.exchanges.pop()
        self.last = None
        self.look_again()
        return taken

    def look_again(self) -> None:
        """What must be left out may have changed."""
        self._left_out = 0

    # -- replies -------------------------------------------------------------------------------

    def reply(self, question: str, on_text: OnText) -> list[Told]:
        """Ask the model; its answer streams to `on_text` and becomes part of the conversation.

        One that is interrupted stays as far as it was heard.

        Raises:
            JloraError: it cannot be asked; the conversation is as it was before.
        """
        if self.compare:
            self._check_adapted()
        asked = self._fitting(question)
        sampling = self._next_sampling()
        heard: list[str] = []

        def hear(text: str) -> None:
            heard.append(text)
            on_text(text)

        try:
            answer = self.answerer.answer(asked, sampling, None if self.compare else hear)
            last = _Last(answer, asked, sampling)
            # Before it is kept: interrupted here, nothing of it has been shown.
            told: list[Told] = [self._beside_base(last)] if self.compare else []
            self._keep(question, answer, last)
            told += self._ending(answer)
        except KeyboardInterrupt:
            told = [Note(say("chat.stopped" if heard else "chat.stopped_early"))]
            if heard:
                self.last = None
                self.exchanges.append(Exchange(question, "".join(heard), whole=False))
        return [*self._left_out_told(), *told]

    def compared(self) -> list[Told]:
        """The last answer beside the base's to the same messages."""
        self._check_adapted()
        if self.last is None:
            return [Note(say("chat.no_answer"))]
        return [self._beside_base(self.last)]

    def compared_on(self, question: str) -> list[Told]:
        """What tuned model and base would say next to `question`, which is not remembered."""
        self._check_adapted()
        asked, sampling = self._fitting(question), self._next_sampling()
        tuned = self.answerer.answer(asked, sampling)
        compared = self._beside_base(_Last(tuned, asked, sampling))
        return [*self._left_out_told(), compared]

    def odds(self) -> list[Told]:
        """The last answer with the probability of each token."""
        if self.last is None:
            return [Note(say("chat.no_answer"))]
        answer = self.last.answer
        tokens = self.answerer.choices(self.last.asked, answer.ids, ALTERNATIVES)
        return [Odds(replace(answer, tokens=tokens))]

    def _beside_base(self, last: _Last) -> Compared:
        with self.answerer.base() as base:
            said = base.answer(last.asked, last.sampling)
        return Compared(said.text, last.answer.text)

    def _keep(self, question: str, answer: Answer, last: _Last) -> None:
        self.tally.add(answer)
        self.last = last
        self.exchanges.append(Exchange(question, answer.text))

    def _ending(self, answer: Answer) -> list[Told]:
        """What a person should know of how the answer ended."""
        if answer.finish_reason == "length":
            count = self.sampling.max_new_tokens
            return [Note(say("chat.cut_off", count=count, more=2 * count))]
        return [] if answer.text.strip() else [Note(say("chat.empty"))]

    def _next_sampling(self) -> Sampling:
        """Another seed each time, so that a question asked again is answered anew."""
        self._asked += 1
        return replace(self.sampling, seed=self.sampling.seed + self._asked - 1)

    def _check_adapted(self) -> None:
        if not self.answerer.adapted:
            raise refuse("chat.no_adapter")

    # -- what fits -----------------------------------------------------------------------------

    def _shown(self, exchanges: Sequence[Exchange], question: str) -> list[Message]:
        told = [Message("system", self.system)] if self.system else []
        for each in exchanges:
            told += [Message("user", each.question), Message("assistant", each.answer)]
        return [*told, Message("user", question)]

    def _fitting(self, question: str) -> list[Message]:
        """What the model is shown: without as many of the oldest exchanges as must go.

        Where one must, so many go that a quarter of the context is free again: what is left then
        begins alike for some turns, and is not computed anew in each.
        """
        asked = self._shown(self.exchanges[self._left_out :], question)
        if self.answerer.fits(asked, self.sampling):
            return asked
        room = self.sampling.max_new_tokens + self.answerer.context // _FREED
        for sampling in (replace(self.sampling, max_new_tokens=room), self.sampling):
            for count in range(self._left_out + 1, len(self.exchanges) + 1):
                asked = self._shown(self.exchanges[count:], question)
                if self.answerer.fits(asked, sampling):
                    self._left_out = count
                    return asked
        return self._shown(self.exchanges[self._left_out :], question)  # which the model refuses

    def _left_out_told(self) -> list[Told]:
        """How many exchanges are left out, where that has changed."""
        if self._left_out == self._told_left_out:
            return []
        self._told_left_out = self._left_out
        return [Note(say("chat.left_out", count=self._left_out))] if self._left_out else []
