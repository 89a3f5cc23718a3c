"""Conversations to ids and labels, ids to answers."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING

from jlora_cli.dataset import Example, Message
from jlora_cli.errors import JloraError, refuse
from jlora_cli.prompt.fitting import fit
from jlora_cli.prompt.format import PromptFormat
from jlora_cli.prompt.rows import IGNORED, Encoded, EncodedRows, Whole
from jlora_cli.prompt.rules import AnswerStream, rules_for
from jlora_cli.prompt.templates import RenderError, compile_template, with_fixed_day
from jlora_cli.recipe import TEMPLATES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from jlora_cli.tokenizer import Tokenizer

# A Unicode noncharacter: breaks up special literals in user text while the template is rendered.
_GUARD = "\ufdd0"
# An answer that no template writes by itself and none changes: not by strip, lower or tojson.
_PROBE = "jloraanswer"


@dataclass(frozen=True)
class _Span:
    """A run of text, or one special id, trained or not."""

    text: str
    id: int | None
    trained: bool


@dataclass(frozen=True)
class _Turn:
    """One answer and what stands before it, as text with special literals still in it.

    `end` counts the messages of the example through this answer.
    """

    prompt: str
    answer: str
    end: int


@dataclass
class _Sequence:
    """Turns that stand in one row: each one's prompt begins with all that was told before."""

    spans: list[_Span] = field(default_factory=list)
    told: str = ""
    end: int = 0


def format_for(tokenizer: Tokenizer, template: str, model: str) -> PromptFormat:
    """The format of a new run: `template` as `choose_template` gave it."""
    if tokenizer.eos_id is None:
        raise refuse("prompt.no_eos", folder=tokenizer.folder)
    own = template == "model" and tokenizer.chat_template
    text = with_fixed_day(own) if own else TEMPLATES.get(template)
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


def differs_from_own(prompter: Prompter) -> bool:
    """Whether the model brings a chat template that writes other prompts than `prompter` does."""
    tokenizer, format = prompter.tokenizer, prompter.format
    text = with_fixed_day(tokenizer.chat_template or "")
    if not text or format.chat_template == text:
        return False
    own = Prompter(tokenizer, replace(format, template="model", chat_template=text))
    probe = Example(messages=(Message("user", "あ"),))
    try:
        return own.render(probe, generation=True) != prompter.render(probe, generation=True)
    except JloraError:  # it cannot write a plain question at all
        return True


class Prompter:
    """A tokenizer and a format: conversations to ids, ids to answers.

    `also_ends`: ids besides the format's own that end an answer.
    """

    def __init__(
        self, tokenizer: Tokenizer, format: PromptFormat, *, also_ends: Iterable[int] = ()
    ) -> None:
        self.tokenizer = tokenizer
        self.format = format
        self.also_ends = frozenset(also_ends)
        self.rules = format.rules
        # One character could not be guarded in user text.
        literals = [literal for literal in tokenizer.special_ids if len(literal) > 1]
        literals.sort(key=len, reverse=True)
        pattern = "|".join(map(re.escape, literals)) or r"(?!)"
        self._special = re.compile(f"({pattern})")

    @property
    def stop_ids(self) -> set[int]:
        """The ids that end an answer."""
        return {self.format.eos_id, self.format.turn_end_id, *self.also_ends}

    # -- conversations to text ---------------------------------------------------------------

    @cached_property
    def _template(self) -> Callable[..., str]:
        return compile_template(self.format.chat_template)

    def _literal(self, id: int | None) -> str:
        return self._first_literals.get(id, "")

    @cached_property
    def _first_literals(self) -> dict[int | None, str]:
        return {id: text for text, id in reversed([*self.tokenizer.special_ids.items()])}

    def _guard(self, text: str) -> str:
        """User text whose special literals and newline literals are only text."""
        return self._special.sub(lambda found: _GUARD.join(found[0]), self.rules.escape(text))

    def render(self, example: Example, *, generation: bool) -> str:
        """The text of the conversation so far; special tokens still stand in it as literals."""
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
            return self._template(
                messages=messages,
                add_generation_prompt=generation,
                eos_token=self._literal(self.format.eos_id),
                bos_token=self._literal(self.tokenizer.bos_id),
                pad_token=self._literal(self.format.pad_id),
            )
        except RenderError as error:
            raise refuse(
                "prompt.template_failed",
                name=self.format.template,
                problem=error,
                origin=example.origin or self.tokenizer.folder,
            ) from error

    def find_turn_end(self) -> int:
        """The id that the template writes after an answer; EOS where it writes none."""
        found = self._special.search(self._tail)
        return self.tokenizer.special_ids[found[0]] if found else self.format.eos_id

    @cached_property
    def _tail(self) -> str:
        """What the template writes after the last answer."""
        probe = Example(messages=(Message("user", "あ"), Message("assistant", _PROBE)))
        _, told, tail = self.render(probe, generation=False).rpartition(_PROBE)
        return tail if told else ""

    @cached_property
    def writes_system(self) -> bool:
        """Whether a system message stands in the prompt; one that is refused is not passed over."""
        probe = Example(messages=(Message("system", _PROBE), Message("user", "あ")))
        try:
            return _PROBE in self.render(probe, generation=True)
        except JloraError:
            return True

    @cached_property
    def _head(self) -> str:
        """What the template writes of an answer before its content, control tokens aside.

        The model learns it, and writes it: Qwen3's empty thought, Llama 2's space.
        """
        question = Message("user", "あ")
        prompt = self.render(Example(messages=(question,)), generation=True)
        probe = Example(messages=(question, Message("assistant", _PROBE)))
        told, found, _ = self.render(probe, generation=False).rpartition(_PROBE)
        begun = told[len(prompt) :] if found and told.startswith(prompt) else ""
        return self._special.sub("", begun)

    # -- text to ids -------------------------------------------------------------------------

    def _spans(self, text: str, trained: bool) -> Iterator[_Span]:
        for index, part in enumerate(self._special.split(text)):
            if index % 2:
                yield _Span("", self.tokenizer.special_ids[part], trained)
            elif part:
                yield _Span(self.rules.apply(part.replace(_GUARD, "")), None, trained)

    def prompt_ids(self, messages: Sequence[Message], *, input: str = "") -> list[int]:
        """The ids that the model continues with its answer: shape (length,).

        Earlier answers are cut at the same places as in training, so that these ids begin the
        training sequence of the same conversation.

        Raises:
            JloraError: the template cannot render these messages.
        """
        example = Example(messages=tuple(messages), input=input)
        turns = [*self._turns(example), _Turn(self.render(example, generation=True), "", 0)]
        spans = self._nest(turns)[-1].spans[:-1]  # without the end of the answer to come
        return self._assemble([spans])[0].ids

    def _turns(self, example: Example) -> Iterator[_Turn]:
        """Every answer of a conversation with its prompt, in order."""
        for at, message in enumerate(example.messages):
            if message.role != "assistant":
                continue
            prompt = self.render(_first(example, at), generation=True)
            full = self.render(_first(example, at + 1), generation=False)
            nests = full.startswith(prompt)
            answer = full[len(prompt) :] if nests else self._guard(message.content)
            yield _Turn(prompt, self._until_turn_end(answer), at + 1)

    def _until_turn_end(self, answer: str) -> str:
        """The answer up to the token that ends it."""
        end = self._literal(self.format.turn_end_id)
        content, found, _ = answer.rpartition(end) if end else ("", "", "")
        return content if found else answer.removesuffix(self._tail)

    def _nest(self, turns: Iterable[_Turn], trained_from: int = 0) -> list[_Sequence]:
        """The turns in one sequence where they nest, else in one each.

        An answer is trained where its `end` is at least `trained_from`.
        """
        sequences: list[_Sequence] = []
        turn_end = self.format.turn_end_id
        for turn in turns:
            if not sequences or not turn.prompt.startswith(sequences[-1].told):
                sequences.append(_Sequence())
            sequence, trained = sequences[-1], turn.end >= trained_from
            sequence.spans += self._spans(turn.prompt[len(sequence.told) :], trained=False)
            sequence.spans += self._spans(turn.answer, trained=trained)
            sequence.spans.append(_Span("", turn_end, trained))
            sequence.told = turn.prompt + turn.answer + self._literal(turn_end)
            sequence.end = turn.end
        return sequences

    def _sequences(self, example: Example, train_on: str) -> list[_Sequence]:
        """The training sequences of one example."""
        if example.text is not None:
            text = self.rules.apply(self.rules.escape(example.text))
            end = _Span("", self.format.eos_id, True)
            return [_Sequence([_Span(text, None, True), end])]
        turns = list(self._turns(example))
        if train_on == "all" or not turns:
            return self._nest(turns)
        return self._nest(turns, trained_from=turns[-1].end)[-1:]

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
        """The training sequences of `examples`, none longer than `max_length` tokens; see `fit`."""
        return self.fit(
            self.encode_whole(examples, train_on),
            max_length=max_length,
            train_on=train_on,
            truncate=truncate,
        )

    def fit(
        self, wholes: Sequence[Whole], *, max_length: int, train_on: str, truncate: str
    ) -> EncodedRows:
        """`wholes`, none longer than `max_length` tokens; see `jlora_cli.prompt.fitting`."""

        def last(example: Example) -> Encoded:
            return self.encode_last(example, train_on)

        return fit(wholes, last, max_length=max_length, truncate=truncate)

    def encode_last(self, example: Example, train_on: str) -> Encoded:
        """The last training sequence of `example`."""
        return self._assemble([self._sequences(example, train_on)[-1].spans])[0]

    def encode_whole(self, examples: Sequence[Example], train_on: str) -> list[Whole]:
        """The training sequences of `examples` at their full lengths."""
        return [
            Whole(_first(examples[at], end), made)
            for at, end, made in self.encode_turns(examples, train_on)
        ]

    def encode_turns(
        self, examples: Sequence[Example], train_on: str
    ) -> list[tuple[int, int, Encoded]]:
        """The same as (which of `examples`, how many of its messages, sequence); 0 for text."""
        sequences = [
            (at, told) for at, e in enumerate(examples) for told in self._sequences(e, train_on)
        ]
        assembled = self._assemble([told.spans for _, told in sequences])
        return [
            (at, told.end, replace(made, origin=examples[at].origin))
            for (at, told), made in zip(sequences, assembled, strict=True)
        ]

    # -- ids to text -------------------------------------------------------------------------

    def spans(self, row: Encoded) -> list[tuple[str, bool]]:
        """The row's text as the model sees it, in runs that the loss looks at (True) or not."""
        runs = groupby(
            zip(row.ids, row.labels, strict=True),
            key=lambda pair: (pair[1] != IGNORED, pair[0] in self._literals),
        )
        told: list[tuple[str, bool]] = []
        for (trained, special), pairs in runs:
            ids = [id for id, _ in pairs]
            text = "".join(self._literals[id] for id in ids) if special else self._decode(ids, told)
            if told and told[-1][1] == trained:
                told[-1] = (told[-1][0] + text, trained)
            else:
                told.append((text, trained))
        return told

    def _decode(self, ids: list[int], before: list[tuple[str, bool]]) -> str:
        decode = self.tokenizer.decode_continuation if before else self.tokenizer.decode
        return decode(ids)

    @cached_property
    def _literals(self) -> dict[int, str]:
        return {id: text for text, id in self.tokenizer.special_ids.items()}

    def answer(self, ids: Sequence[int]) -> str:
        """What a person reads of generated ids (the ending token may stand among them)."""
        text = self.rules.restore(self.tokenizer.decode_continuation(list(ids)))
        return text.removeprefix(self._head)

    def stream(self) -> AnswerStream:
        """A reader of one answer, id by id."""
        return AnswerStream(self.tokenizer.stream(), self.rules, self._head)


def _first(example: Example, count: int) -> Example:
    """The example with its first `count` messages only."""
    return replace(example, messages=example.messages[:count])


def _split_input(message: Message, input: str) -> tuple[str, str]:
    """A user turn's instruction and its input, which `prepare` had joined by an empty line."""
    tail = "\n\n" + input
    if input and message.role == "user" and message.content.endswith(tail):
        return message.content[: -len(tail)], input
    return message.content, ""
