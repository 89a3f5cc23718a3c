"""Conversations to ids and labels, ids to answers."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from jlora_cli.dataset import Example, Message
from jlora_cli.errors import refuse
from jlora_cli.prompt.format import PromptFormat
from jlora_cli.prompt.rules import AnswerStream, rules_for
from jlora_cli.prompt.templates import choose_template, compile_template
from jlora_cli.recipe import TEMPLATES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from jinja2 import Template

    from jlora_cli.tokenizer import Tokenizer

IGNORED = -100
"""The label of a position where the loss looks away (PyTorch's cross-entropy default)."""

# A Unicode noncharacter: breaks a special literal inside user text while the template is rendered.
_GUARD = "\ufdd0"


@dataclass(frozen=True)
class Encoded:
    """One training sequence. `labels` is as long as `ids`, IGNORED where the loss looks away."""

    ids: list[int]
    labels: list[int]
    origin: str = ""
    shortened: bool = False

    @property
    def supervised(self) -> int:
        """How many tokens the loss looks at (the first position is never predicted)."""
        return sum(label != IGNORED for label in self.labels[1:])


@dataclass(frozen=True)
class EncodedRows:
    """The sequences of a data set, and what did not fit."""

    rows: list[Encoded]
    dropped: list[str]
    shortened: int


@dataclass(frozen=True)
class _Span:
    """A run of text, or one special id, trained or not."""

    text: str
    id: int | None
    trained: bool


def format_for(tokenizer: Tokenizer, template: str, model: str) -> PromptFormat:
    """The format of a new run: `template` as `choose_template` gave it."""
    if tokenizer.eos_id is None:
        raise refuse("prompt.no_eos", folder=tokenizer.folder)
    text = tokenizer.chat_template if template == "model" else TEMPLATES[template]
    rules = rules_for(tokenizer, model)
    pad = tokenizer.pad_id
    made = PromptFormat(
        template,
        text or "",
        rules.newline,
        rules.lower_case,
        tokenizer.eos_id,
        tokenizer.eos_id,
        pad,
    )
    turn_end = Prompter(tokenizer, made).find_turn_end()
    return PromptFormat(**{**asdict(made), "turn_end_id": turn_end})


class Prompter:
    """A tokenizer and a format: conversations to ids, ids to answers."""

    def __init__(self, tokenizer: Tokenizer, format: PromptFormat) -> None:
        self.tokenizer = tokenizer
        self.format = format
        self.rules = format.rules
        literals = sorted(tokenizer.special_ids, key=len, reverse=True)
        pattern = "|".join(map(re.escape, literals)) or r"(?!)"
        self._special = re.compile(f"({pattern})")

    @property
    def stop_ids(self) -> set[int]:
        """The ids that end an answer."""
        return {self.format.eos_id, self.format.turn_end_id}

    # -- conversations to text ---------------------------------------------------------------

    @cached_property
    def _template(self) -> Template:
        return compile_template(self.format.chat_template)

    def _literal(self, id: int | None) -> str:
        return next((text for text, known in self.tokenizer.special_ids.items() if known == id), "")

    def _guard(self, text: str) -> str:
        """User text whose special literals and newline literals are only text."""
        return self._special.sub(
            lambda found: found[0][0] + _GUARD + found[0][1:], self.rules.escape(text)
        )

    def render(self, example: Example, *, generation: bool) -> str:
        """The text of the conversation so far; special tokens still stand in it as literals."""
        import jinja2  # noqa: PLC0415 - `--help` need not pay for it

        messages = []
        for message in example.messages:
            instruction, extra = _split_input(message, example.input)
            messages.append(
                {
                    "role": message.role,
                    "content": self._guard(message.content),
                    "instruction": self._guard(instruction),
                    "input": self._guard(extra),
                }
            )
        try:
            return self._template.render(
                messages=messages,
                add_generation_prompt=generation,
                eos_token=self._literal(self.format.eos_id),
                bos_token=self._literal(self.tokenizer.bos_id),
                pad_token=self._literal(self.format.pad_id),
            )
        except (jinja2.TemplateError, TypeError, OverflowError) as error:
            raise refuse(
                "prompt.template_failed",
                name=self.format.template,
                problem=error,
                origin=example.origin or self.tokenizer.folder,
            ) from error

    def find_turn_end(self) -> int:
        """The id that the template writes after an answer; EOS where it writes none."""
        probe = Example(messages=(Message("user", "あ"), Message("assistant", "い")))
        tail = self.render(probe, generation=False).rpartition("い")[2]
        found = self._special.search(tail)
        return self.tokenizer.special_ids[found[0]] if found else self.format.eos_id

    # -- text to ids -------------------------------------------------------------------------

    def _spans(self, text: str, trained: bool) -> Iterator[_Span]:
        for index, part in enumerate(self._special.split(text)):
            if index % 2:
                yield _Span("", self.tokenizer.special_ids[part], trained)
            elif part:
                yield _Span(self.rules.apply(part.replace(_GUARD, "")), None, trained)

    def prompt_ids(self, messages: Sequence[Message], *, input: str = "") -> list[int]:
        """The ids that the model continues with its answer: shape (length,).

        Raises:
            JloraError: the template cannot render these messages.
        """
        text = self.render(Example(messages=tuple(messages), input=input), generation=True)
        return self._assemble([list(self._spans(text, trained=False))])[0].ids

    def _turns(self, example: Example, train_on: str) -> list[tuple[str, str]]:
        """(prompt, answer) texts of each trained turn, special literals still in them."""
        at = [i for i, message in enumerate(example.messages) if message.role == "assistant"]
        turns = []
        for i in at if train_on == "all" else at[-1:]:
            before = Example(
                messages=example.messages[:i], input=example.input, origin=example.origin
            )
            through = Example(
                messages=example.messages[: i + 1], input=example.input, origin=example.origin
            )
            prompt = self.render(before, generation=True)
            full = self.render(through, generation=False)
            answer = self._guard(example.messages[i].content)
            if full.startswith(prompt):
                answer = full[len(prompt) :]
            turns.append((prompt, self._until_turn_end(answer)))
        return turns

    def _until_turn_end(self, answer: str) -> str:
        """The answer up to and with the token that ends it."""
        end = self._literal(self.format.turn_end_id)
        content, found, _ = answer.rpartition(end)
        return content + end if found else answer.rstrip("\n") + end

    def _sequences(self, example: Example, train_on: str) -> list[list[_Span]]:
        """The sequences of one example: one where the turns nest, else one a turn."""
        if example.text is not None:
            text = self.rules.apply(self.rules.escape(example.text))
            return [[_Span(text, None, True), _Span("", self.format.eos_id, True)]]
        sequences: list[list[_Span]] = []
        told = ""
        for prompt, answer in self._turns(example, train_on):
            if not sequences or not prompt.startswith(told):
                sequences.append([])
                told = ""
            sequences[-1] += self._spans(prompt[len(told) :], trained=False)
            sequences[-1] += self._spans(answer, trained=True)
            told = prompt + answer
        return sequences

    def _assemble(self, sequences: list[list[_Span]]) -> list[Encoded]:
        """Spans to ids, every tokenizer call of all sequences in two batches."""
        pairs: list[tuple[str, str]] = []
        for spans in sequences:
            for before, span in zip([None, *spans], spans, strict=False):
                if span.id is None:
                    pairs.append((before.text if before and before.id is None else "", span.text))
        encoded = iter(self._encode_pairs(pairs))
        return [self._join(spans, encoded) for spans in sequences]

    def _encode_pairs(self, pairs: list[tuple[str, str]]) -> list[list[int]]:
        alone = self.tokenizer.encode_batch([text for before, text in pairs if not before])
        following = self.tokenizer.continue_batch([pair for pair in pairs if pair[0]])
        first, second = iter(alone), iter(following)
        return [next(second) if before else next(first) for before, _ in pairs]

    def _join(self, spans: list[_Span], encoded: Iterator[list[int]]) -> Encoded:
        ids: list[int] = []
        labels: list[int] = []
        bos = self.tokenizer.bos_id
        if self.tokenizer.adds_bos and bos is not None and (not spans or spans[0].id != bos):
            ids, labels = [bos], [IGNORED]
        for span in spans:
            new = [span.id] if span.id is not None else next(encoded)
            ids += new
            labels += new if span.trained else [IGNORED] * len(new)
        return Encoded(ids, labels)

    # -- data sets ---------------------------------------------------------------------------

    def encode_examples(
        self,
        examples: Sequence[Example],
        *,
        max_length: int,
        train_on: str = "all",
        truncate: str = "turns",
    ) -> EncodedRows:
        """The training sequences of `examples`, none longer than `max_length` tokens.

        A conversation that is too long loses its earliest turns first (`truncate` "turns"); one
        that is still too long is dropped and named: its answer is never cut. Plain text is cut
        into windows instead.
        """
        sequences = [(e, spans) for e in examples for spans in self._sequences(e, train_on)]
        rows: list[Encoded] = []
        dropped: list[str] = []
        shortened = 0
        assembled = self._assemble([spans for _, spans in sequences])
        for (example, _), made in zip(sequences, assembled, strict=True):
            fitted = self._fit(example, made, max_length, train_on, truncate)
            rows += [Encoded(r.ids, r.labels, example.origin, r.shortened) for r in fitted]
            shortened += any(row.shortened for row in fitted)
            if not fitted:
                dropped.append(example.origin)
        return EncodedRows(rows, dropped, shortened)

    def _fit(
        self, example: Example, made: Encoded, max_length: int, train_on: str, truncate: str
    ) -> list[Encoded]:
        if len(made.ids) <= max_length:
            return [made]
        if example.text is not None:
            return list(_windows(made, max_length))
        if truncate == "drop":
            return []
        for shorter in _without_early_turns(example):
            spans = self._sequences(shorter, train_on)
            encoded = self._assemble(spans[-1:])[0]
            if len(encoded.ids) <= max_length:
                return [Encoded(encoded.ids, encoded.labels, shortened=True)]
        return []

    # -- ids to text -------------------------------------------------------------------------

    def answer(self, ids: Sequence[int]) -> str:
        """What a person reads of generated ids (the ending token may stand among them)."""
        return self.rules.restore(self.tokenizer.decode_continuation(list(ids)))

    def stream(self) -> AnswerStream:
        """A reader of one answer, id by id."""
        return AnswerStream(self.tokenizer.stream(), self.rules)


def _split_input(message: Message, input: str) -> tuple[str, str]:
    """A user turn's instruction and its input, which `prepare` had joined by an empty line."""
    tail = "\n\n" + input
    if input and message.role == "user" and message.content.endswith(tail):
        return message.content[: -len(tail)], input
    return message.content, ""


def _without_early_turns(example: Example) -> Iterator[Example]:
    """The example without its first exchange, without its first two, ...; the system line stays."""
    system = tuple(m for m in example.messages[:1] if m.role == "system")
    rest = list(example.messages[len(system) :])
    starts = [i for i, message in enumerate(rest) if message.role == "user"][1:]
    for start in starts:
        yield Example(messages=(*system, *rest[start:]), origin=example.origin)


def _windows(made: Encoded, max_length: int) -> Iterator[Encoded]:
    for start in range(0, len(made.ids), max_length):
        end = start + max_length
        yield Encoded(made.ids[start:end], made.labels[start:end], shortened=True)


def count_tokens(
    model_folder: Path, examples: Sequence[Example], template: str
) -> dict[str, float]:
    """Tokens of `examples` under a model's tokenizer: total, supervised, longest and mean a row."""
    from jlora_cli.tokenizer import load_tokenizer  # noqa: PLC0415 - sentencepiece takes 0.1 s

    tokenizer = load_tokenizer(model_folder)
    chosen = choose_template(template, tokenizer, examples)
    prompter = Prompter(tokenizer, format_for(tokenizer, chosen, str(model_folder)))
    rows = prompter.encode_examples(examples, max_length=10**9).rows
    lengths = [len(row.ids) for row in rows]
    return {
        "total": sum(lengths),
        "supervised": sum(row.supervised for row in rows),
        "longest": max(lengths, default=0),
        "mean": round(sum(lengths) / len(lengths), 1) if lengths else 0.0,
    }
