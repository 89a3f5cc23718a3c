"""Rows -> stored tokens, a piece at a time: the work that other processes take over."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from jlora_cli.audit import Texts
from jlora_cli.errors import JloraError
from jlora_cli.prompt import Count, Encoded, Prompter, Whole, fitted, pack, unpack
from jlora_cli.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from jlora_cli.dataset import Example
    from jlora_cli.encoding.spool import Rows
    from jlora_cli.prompt import PromptFormat


def _numbers() -> array[int]:
    return array("I")


@dataclass
class Made:
    """Rows as they are stored: all tokens end to end, and of each row its numbers.

    `of` is the example or the longer row that it comes from, `ends` how many messages stand in
    it, 0 for plain text. `refusal` is why there are none.
    """

    tokens: array[int] = field(default_factory=lambda: array("i"))
    lengths: array[int] = field(default_factory=_numbers)
    supervised: array[int] = field(default_factory=_numbers)
    of: array[int] = field(default_factory=_numbers)
    ends: array[int] = field(default_factory=_numbers)
    texts: Texts | None = None
    refusal: tuple[str, str] | None = None

    def add(self, row: Encoded, *, of: int, end: int) -> None:
        """Store one more row."""
        self.tokens.extend(pack(row))
        self.lengths.append(len(row.ids))
        self.supervised.append(row.supervised)
        self.of.append(of)
        self.ends.append(end)

    def check(self) -> None:
        """Nothing, where the rows were made.

        Raises:
            JloraError: why they were not.
        """
        if self.refusal is not None:
            problem, remedy = self.refusal
            raise JloraError(problem, remedy=remedy)


@dataclass(frozen=True)
class Long:
    """A row that does not fit; `example` is there where it may lose early turns, else empty."""

    number: int
    end: int
    example: Example
    encoded: Encoded


@dataclass(frozen=True)
class Limits:
    """How long rows may be, and what becomes of those that are longer."""

    max_length: int
    truncate: str


@dataclass(frozen=True)
class Batch:
    """Rows that fit, as they are stored; of each, its length and whether it was shortened."""

    tokens: array[int]
    lengths: array[int]
    shortened: array[int]

    def rows(self) -> Iterator[Encoded]:
        """The rows one by one."""
        at = 0
        for length, shortened in zip(self.lengths, self.shortened, strict=True):
            tokens = self.tokens[at : at + length].tolist()
            yield Encoded(*unpack(tokens), shortened=bool(shortened))
            at += length


@dataclass(frozen=True)
class Counted:
    """What a batch comes to: its census, how often each token occurs, and the text it is known by.

    The tokens are as they are stored; the text is one list of ids and labels after the other, as
    JSON.
    """

    count: Count
    tokens: Counter[int]
    text: bytes


def count_batch(ends: frozenset[int], batch: Batch) -> Counted:
    """What `batch` comes to, where `ends` are the ids that end an answer."""
    rows = list(batch.rows())
    text = "".join(json.dumps([row.ids, row.labels]) for row in rows)
    return Counted(Count.of(rows, ends), Counter(batch.tokens), text.encode())


class Work:
    """What makes rows; another process loads the tokenizer itself, once."""

    def __init__(self, prompter: Prompter, train_on: str, limits: Limits | None = None) -> None:
        self._prompter: Prompter | None = prompter
        self._folder: Path = prompter.tokenizer.folder
        self._format = prompter.format
        self._train_on, self._limits = train_on, limits

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_prompter": None}

    @property
    def prompter(self) -> Prompter:
        """The tokenizer with its format."""
        return self._prompter or _loaded(self._folder, self._format)

    def encode(self, rows: Rows) -> Made:
        """The sequences of `rows` at their full lengths."""

        def make(made: Made) -> None:
            examples = rows.examples()
            for at, end, row in self.prompter.encode_turns(examples, self._train_on):
                made.add(row, of=rows.first + at, end=end)
            made.texts = Texts.of(examples, self.prompter.tokenizer.special_ids)

        return _made(make)

    def fit(self, rows: list[Long]) -> Made:
        """What of `rows` can be trained on."""

        def last(example: Example) -> Encoded:
            return self.prompter.encode_last(example, self._train_on)

        def make(made: Made) -> None:
            for long in rows:
                example = replace(long.example, messages=long.example.messages[: long.end])
                whole = Whole(example, long.encoded)
                for row in fitted(whole, last, **vars(self._limits)):
                    made.add(row, of=long.number, end=long.end)

        return _made(make)


def _made(make: Callable[[Made], None]) -> Made:
    """What `make` stores, or its refusal: as text, because that crosses to another process."""
    made = Made()
    try:
        make(made)
    except JloraError as error:
        return Made(refusal=(error.problem, error.remedy))
    return made


@cache
def _loaded(folder: Path, format: PromptFormat) -> Prompter:
    return Prompter(load_tokenizer(folder), format)
