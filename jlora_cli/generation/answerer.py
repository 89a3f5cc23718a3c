"""Conversations in, answers out: one streamed, or many in batches of like length."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from jlora_cli.events import Answered, Notify, ignore
from jlora_cli.generation.answer import TokenChoice
from jlora_cli.generation.draft import Draft
from jlora_cli.generation.engine import Engine, check_length, context_length

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from transformers import PreTrainedModel

    from jlora_cli.dataset import Message
    from jlora_cli.generation.answer import Answer
    from jlora_cli.generation.engine import Step
    from jlora_cli.prompt import Prompter
    from jlora_cli.sampling import Sampling


class Answerer:
    """A loaded model and its prompter.

    One that `remembers` computes a single prompt only from where it differs from the last: for
    conversations, as long as nobody changes the model.
    """

    def __init__(
        self, model: PreTrainedModel, prompter: Prompter, *, remembers: bool = False
    ) -> None:
        self.model = model
        self.prompter = prompter
        self._engine = Engine(model, prompter.format.pad_id or 0, remembers=remembers)

    @property
    def adapted(self) -> bool:
        """Whether an adapter lies on the base."""
        return hasattr(self.model, "disable_adapter")

    @property
    def context(self) -> int:
        """The most tokens that the model's positions reach."""
        return context_length(self.model)

    @contextmanager
    def base(self) -> Iterator[Answerer]:
        """The same model with its adapter switched off, which remembers apart."""
        with self.model.disable_adapter():
            yield self._base

    @cached_property
    def _base(self) -> Answerer:
        return Answerer(self.model, self.prompter, remembers=self._engine.remembers)

    def fits(self, messages: Sequence[Message], sampling: Sampling, *, input: str = "") -> bool:
        """Whether this prompt and an answer of full length fit into the model's context."""
        prompt = self.prompter.prompt_ids(messages, input=input)
        return len(prompt) + sampling.max_new_tokens <= self.context

    def answer(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        on_text: Callable[[str], None] | None = None,
        *,
        input: str = "",
    ) -> Answer:
        """One answer; `on_text` gets its text piece by piece, as soon as each is certain."""
        prompt = self.prompter.prompt_ids(messages, input=input)
        self._check([prompt], sampling)
        return self._write([prompt], [sampling.seed], sampling, on_text)[0]

    def choices(
        self, messages: Sequence[Message], ids: Sequence[int], count: int
    ) -> tuple[TokenChoice, ...]:
        """How probable each token of an answer was, with `count` alternatives, in one pass."""
        if not ids:
            return ()
        prompt = self.prompter.prompt_ids(messages)
        with torch.inference_mode():
            told = torch.tensor([[*prompt, *ids]], device=self.model.device)
            result = self.model(input_ids=told, use_cache=False, logits_to_keep=len(ids) + 1)
        stream = self.prompter.stream()
        shares = result.logits[0, :-1].float().softmax(-1)
        made = [
            self._chooser(row, count)(id, stream.push(id))
            for row, id in zip(shares, ids, strict=True)
        ]
        return (*made[:-1], replace(made[-1], text=made[-1].text + stream.finish()))

    def answer_many(
        self,
        conversations: Sequence[Sequence[Message]],
        sampling: Sampling,
        *,
        inputs: Sequence[str] = (),
        batch_size: int = 8,
        notify: Notify = ignore,
    ) -> list[Answer]:
        """Answers in the order of `conversations`, made in batches of like length.

        `inputs`: each conversation's, where rows keep an instruction's input apart.
        """
        answers: dict[int, Answer] = {}
        made = self.answer_each(conversations, sampling, inputs=inputs, batch_size=batch_size)
        for place, answer in made:
            answers[place] = answer
            if len(answers) % batch_size == 0 or len(answers) == len(conversations):
                notify(Answered(len(answers), len(conversations)))
        return [answers[place] for place in range(len(conversations))]

    def answer_each(
        self,
        conversations: Sequence[Sequence[Message]],
        sampling: Sampling,
        *,
        inputs: Sequence[str] = (),
        seeds: Sequence[int] = (),
        batch_size: int = 8,
    ) -> Iterator[tuple[int, Answer]]:
        """(place, answer) of every conversation as its batch is done, the longest prompts first.

        `seeds`: each conversation's own; without them they count up from `sampling.seed`.

        Raises:
            JloraError: a prompt is empty or too long, before the first answer.
        """
        count = len(conversations)
        prompts = [
            self.prompter.prompt_ids(messages, input=input)
            for messages, input in zip(conversations, inputs or [""] * count, strict=True)
        ]
        self._check(prompts, sampling)
        seeds = seeds or range(sampling.seed, sampling.seed + count)
        order = sorted(range(count), key=lambda place: len(prompts[place]), reverse=True)
        for start in range(0, count, batch_size):
            chosen = order[start : start + batch_size]
            rows, own = [prompts[i] for i in chosen], [seeds[i] for i in chosen]
            yield from zip(chosen, self._write(rows, own, sampling), strict=True)

    def _check(self, prompts: list[list[int]], sampling: Sampling) -> None:
        check_length(prompts, sampling.max_new_tokens, self.context)

    def _write(
        self,
        prompts: list[list[int]],
        seeds: list[int],
        sampling: Sampling,
        on_text: Callable[[str], None] | None = None,
    ) -> list[Answer]:
        drafts = [Draft(self.prompter, sampling.stop, len(p), on_text) for p in prompts]
        with torch.inference_mode():
            for step in self._engine.steps(prompts, seeds, sampling):
                choices = self._choices(step, sampling.alternatives)
                for draft, token, choice in zip(drafts, step.tokens, choices, strict=True):
                    if draft.reason is None:
                        draft.push(token, choice)
                if all(draft.reason for draft in drafts):
                    break
        return [draft.finish(self._engine.reused) for draft in drafts]

    def _choices(
        self, step: Step, count: int
    ) -> Sequence[Callable[[int, str], TokenChoice] | None]:
        """What makes a TokenChoice of each row's token; nothing where no alternatives are asked."""
        if not count:
            return [None] * len(step.tokens)
        return [self._chooser(row, count) for row in step.logits.softmax(-1)]

    def _chooser(self, row: torch.Tensor, count: int) -> Callable[[int, str], TokenChoice]:
        likeliest = row.topk(min(count, len(row)))
        ids, shares = likeliest.indices.tolist(), likeliest.values.tolist()
        others = tuple(
            (id, self._spelled(id), share) for id, share in zip(ids, shares, strict=True)
        )
        return lambda id, text: TokenChoice(id, text, row[id].item(), others)

    def _spelled(self, id: int) -> str:
        """A token as a person reads it alone: its text, else the vocabulary's own spelling."""
        written = self.prompter.tokenizer.piece_bytes(id)
        try:
            text = self.prompter.rules.restore(written.decode("utf-8"))
        except UnicodeDecodeError:
            return "".join(f"<0x{byte:02X}>" for byte in written)
        return text or self.prompter.tokenizer.pieces([id])[0]
