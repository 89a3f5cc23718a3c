"""From an answer to what is written: a part of it, and a row or a line of a person's own."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from string import Formatter
from typing import TYPE_CHECKING, Any

from jlora_cli.errors import refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from jlora_cli.generation import Answer

KINDS = ("strip", "first-line", "json", "regex:PATTERN")
FIGURES = ("finish_reason", "prompt_tokens", "answer_tokens")


@dataclass(frozen=True)
class Said:
    """What of an answer is written: its text, why it ended, and its tokens."""

    text: str
    finish_reason: str
    prompt_tokens: int
    answer_tokens: int

    @property
    def figures(self) -> dict[str, Any]:
        """All but the text, as it stands beside that in every row."""
        return {name: getattr(self, name) for name in FIGURES}


def said_of(answer: Answer) -> Said:
    """What of an answer is written."""
    return Said(answer.text, answer.finish_reason, answer.prompt_tokens, answer.answer_tokens)


@dataclass(frozen=True)
class Shaping:
    """How answers are written.

    extract: one of KINDS; template: a line with `{answer}` and the row's own keys in braces.

    Raises:
        JloraError: no such extraction, no regular expression, or no template.
    """

    extract: str | None = None
    template: str | None = None

    def __post_init__(self) -> None:
        _extractor(self.extract)
        self.names()

    def names(self) -> set[str]:
        """What the template names."""
        try:
            parts = list(Formatter().parse(self.template or ""))
        except ValueError as error:
            raise refuse("infer.bad_template", template=self.template, problem=error) from error
        for _, name, spec, conversion in parts:
            if name is not None and (not name or spec or conversion or set(name) & set(".[]")):
                raise refuse("infer.bad_field", template=self.template, name=name)
        return {name for _, name, _, _ in parts if name is not None}

    def check(self, known: Iterable[str], where: object) -> None:
        """Nothing, where the template names only keys in `known`, figures and the answer.

        Raises:
            JloraError: it names another; `where` says of which row.
        """
        missing = self.names() - {*known, "answer", *FIGURES}
        if missing:
            raise refuse("infer.no_field", name=min(missing), where=where)

    def part(self, text: str) -> str | None:
        """The part of an answer that is asked for; None where it is not there."""
        return _extractor(self.extract)(text)

    def row(self, record: Mapping[str, Any], answers: Sequence[Said]) -> dict[str, Any]:
        """The answered row: the first answer and its figures, and all where there are several."""
        made = {**record, "answer": answers[0].text, **answers[0].figures}
        if self.extract is not None:
            made["extracted"] = self.part(answers[0].text)
        if len(answers) > 1:
            made["answers"] = [answer.text for answer in answers]
            if self.extract is not None:
                made["all_extracted"] = [self.part(answer.text) for answer in answers]
        return made

    def lines(self, record: Mapping[str, Any], answers: Sequence[Said]) -> list[str]:
        """What is written of a row: JSON, or the template filled, once an answer."""
        if self.template is None:
            return [_as_json(self.row(record, answers))]
        return [self.text(record, answer) for answer in answers]

    def text(self, record: Mapping[str, Any], answer: Said) -> str:
        """The template filled; without one, the part of the answer that is asked for."""
        said = self.part(answer.text) or ""
        if self.template is None:
            return said
        values = {**record, **answer.figures, "answer": said}
        return self.template.format(**{name: _written(values[name]) for name in self.names()})


def _written(value: object) -> str:
    return value if isinstance(value, str) else _as_json(value)


def _as_json(value: object) -> str:
    """JSON; what has none, such as a date in a Parquet file, as Python writes it."""
    return json.dumps(value, ensure_ascii=False, default=str)


def _extractor(kind: str | None) -> Callable[[str], str | None]:
    if kind is None:
        return lambda text: text
    if kind.startswith("regex:"):
        return _by_pattern(kind.removeprefix("regex:"))
    known: dict[str, Callable[[str], str | None]] = {
        "strip": str.strip,
        "first-line": _first_line,
        "json": first_json,
    }
    if kind not in known:
        raise refuse("infer.bad_extract", kind=kind, known=", ".join(KINDS))
    return known[kind]


def _by_pattern(pattern: str) -> Callable[[str], str | None]:
    """The first match; its first group where it has one."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise refuse("infer.bad_pattern", pattern=pattern, problem=error) from error
    group = min(compiled.groups, 1)
    return lambda text: found[group] if (found := compiled.search(text)) else None


def _first_line(text: str) -> str | None:
    """The first line that holds more than space."""
    return next((line.strip() for line in text.splitlines() if line.strip()), None)


def first_json(text: str) -> str | None:
    """The first JSON object or array in a text, as it stands there."""
    decoder = json.JSONDecoder()
    for found in re.finditer(r"[{\[]", text):
        try:
            _, end = decoder.raw_decode(text, found.start())
        except (ValueError, RecursionError):
            continue
        return text[found.start() : end]
    return None
