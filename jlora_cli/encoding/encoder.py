"""Training rows and held-out ones -> encoded rows: from the cache, else made and kept there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from typing import TYPE_CHECKING, Any, NamedTuple

from jlora_cli.audit import Texts
from jlora_cli.cache import find, key_of
from jlora_cli.encoding.fitting import make_fitted
from jlora_cli.encoding.pieces import Limits, Work
from jlora_cli.encoding.source import Source
from jlora_cli.encoding.wholes import PROMPTS, make_whole
from jlora_cli.processes import Processes
from jlora_cli.prompt import (
    Census,
    EncodedRows,
    Prompter,
    StoredRows,
    format_for,
    rules_for,
    template_for,
)
from jlora_cli.recipe import TEMPLATES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from jlora_cli.cache import Sections
    from jlora_cli.tokenizer import Tokenizer

_PACKAGES = ("sentencepiece", "tokenizers", "jinja2")


@dataclass(frozen=True)
class Wanted:
    """How rows become tokens. `template` is the one asked for; `context` that of the model."""

    tokenizer: Tokenizer
    model: str
    template: str
    train_on: str
    context: int

    def key(self, content: object, template: str) -> str:
        """A name for rows of this content, in that template, at their full lengths."""
        tokenizer = self.tokenizer
        rules = rules_for(tokenizer, self.model)
        roles = ("unk", "bos", "eos", "pad")
        return key_of(
            {
                "content": content,
                "versions": [_version(package) for package in _PACKAGES],
                "vocabulary": [tokenizer.family, tokenizer.fingerprint, tokenizer.size],
                "special": dict(tokenizer.special_ids),
                "roles": [getattr(tokenizer, f"{role}_id") for role in roles],
                "adds_bos": tokenizer.adds_bos,
                "rules": [rules.newline, rules.lower_case],
                "templates": [template, TEMPLATES, tokenizer.chat_template],
                "train_on": self.train_on,
                "context": self.context,
            }
        )


class Fitted(NamedTuple):
    """Rows to train on or to score; `counted` is for the audit, `fingerprint` of all of them."""

    rows: EncodedRows
    counted: dict[str, Any]
    fingerprint: str


NOTHING = Fitted(EncodedRows([], [], 0), {}, "")


class Told(NamedTuple):
    """What is known of the training rows besides their tokens.

    `texts` and `round_trips` are for the audit, `parity` are the texts for the stock class;
    `prompts` the first questions, held-out ones first; `conversations` counts the rows that are no
    plain text; `warnings` are what was noticed in the files.
    """

    texts: Texts
    round_trips: dict[str, Any]
    parity: list[str]
    prompts: list[str]
    conversations: int
    warnings: list[str]


class _Side:
    """A source and its rows, from the cache or made; `is_made` where any had to be."""

    def __init__(self, source: Source, workers: Processes) -> None:
        self.source = source
        self.is_made = False
        self.found: Sections | None = None
        self._workers = workers
        self._key: str | None = None

    def look_up(self, wanted: Wanted, template: str) -> None:
        """Take the rows at their full lengths from the cache, where they are."""
        content = self.source.content
        self._key = None if content is None else wanted.key(content, template)
        self.found = find(self._key)

    def encode(self, work: Work, context: int) -> None:
        """Make them, where they are not."""
        if self.found is None:
            self.is_made = True
            self.found = make_whole(
                self.source, work, self._workers, key=self._key, context=context
            )

    @property
    def whole(self) -> Sections:
        """The rows at their full lengths; there after `encode`."""
        if self.found is None:
            raise RuntimeError
        return self.found

    def fit(self, work: Work, limits: Limits) -> Fitted:
        """The rows, none longer than `limits` say."""
        key = key_of({"whole": self._key, **vars(limits)}) if self._key else None
        made = find(key)
        if made is None:
            self.is_made = True
            made = make_fitted(self.whole, self.source, work, limits, self._workers, key=key)
        facts = made.facts
        census = Census(facts["endless"], facts["endless_whole"], facts["repeated"])
        rows = StoredRows(self.whole, made)
        what = EncodedRows(rows, facts["dropped"], facts["shortened"], facts["cut"], census)
        return Fitted(what, facts["counted"], facts["fingerprint"])


class Encoder:
    """Encodes the sources `train` and `held_out`, or takes them from the cache.

    To be asked in this order: `prompter`, `encode`, `fit` and the rest. Temporary files are gone
    when the context ends; the encoded rows stay.
    """

    def __init__(
        self, train: str, held_out: str | None, wanted: Wanted, processes: int | None = None
    ) -> None:
        self._wanted = wanted
        self._workers = Processes(processes)
        names = [train] if held_out is None else [train, held_out]
        self._sides = [_Side(Source(name, self._workers), self._workers) for name in names]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._workers.__exit__()
        for side in self._sides:
            side.source.close()

    @cached_property
    def prompter(self) -> Prompter:
        """The tokenizer with the format of the rows; new ones are read and checked for it.

        Raises:
            JloraError: the rows cannot be used, or not in the template that was asked for.
        """
        wanted, train = self._wanted, self._sides[0]
        train.look_up(wanted, wanted.template)
        if train.found is None:
            spools = [side.source.spool for side in self._sides]
            given = spools[0].has_input
            template = template_for(wanted.template, wanted.tokenizer, has_input=given)
        else:
            template = train.found.facts["template"]
        return Prompter(wanted.tokenizer, format_for(wanted.tokenizer, template, wanted.model))

    def encode(self) -> Sequence[int]:
        """The lengths of the training rows, before they are made to fit.

        Raises:
            JloraError: the template refuses a row.
        """
        prompter, wanted = self.prompter, self._wanted
        for side in self._sides[1:]:
            side.look_up(wanted, prompter.format.template)
        for side in self._sides:
            side.encode(Work(prompter, wanted.train_on), wanted.context)
        return self._sides[0].whole["lengths"]

    def fit(self, max_length: int, truncate: str) -> tuple[Fitted, Fitted]:
        """The training rows and the held-out ones, none longer than `max_length` tokens."""
        limits = Limits(max_length, truncate)
        work = Work(self.prompter, self._wanted.train_on, limits)
        train, *others = [side.fit(work, limits) for side in self._sides]
        return train, others[0] if others else NOTHING

    @property
    def told(self) -> Told:
        """What is known of the training rows besides their tokens."""
        source, facts = self._sides[0].source, self._sides[0].whole.facts
        prompts = [text for side in self._sides[::-1] for text in side.whole.facts["prompts"]]
        return Told(
            texts=Texts.of_json(facts["texts"]),
            round_trips=facts["round_trips"],
            parity=facts["parity"],
            prompts=list(dict.fromkeys(prompts))[:PROMPTS],
            conversations=facts["conversations"],
            warnings=source.warnings(facts["told"]),
        )

    @property
    def from_cache(self) -> bool:
        """Whether all rows were there already."""
        return not any(side.is_made for side in self._sides)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
