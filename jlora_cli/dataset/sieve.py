"""Rows -> checked examples one by one, with a tally of all that happened to them on the way.

Tallies of consecutive parts of a file add up, so that parts can be sifted by other processes.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from jlora_cli.dataset.faults import Faults, RowError
from jlora_cli.dataset.formats import convert, evidence, missing_key, nearest
from jlora_cli.dataset.mapping import NOTHING_MAPPED, Mapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jlora_cli.dataset.examples import Example
    from jlora_cli.dataset.faults import Row

OnBadRow = Literal["stop", "skip"]
LOST_AFTER = 100  # rows without one whose format is known: no more are tried
# Words that some vocabulary takes as a control id; NFKC first, as SentencePiece models do.
SPECIAL = re.compile(
    r"</?s>|<\|\w+\|>|<(?:pad|unk|mask|eos|bos|nl|start_of_turn|end_of_turn)>"
    r"|\[(?:pad|unk|cls|sep|mask|/?inst)\]|<</?sys>>",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Asked:
    """How a source is to be read, as far as a person said.

    `rerun` is the whole command that drops faulty rows; rows of a hub are not `editable`.
    """

    format: str | None = None
    on_bad_row: OnBadRow = "stop"
    mapping: Mapping = NOTHING_MAPPED
    encoding: str | None = None
    rerun: str = ""
    editable: bool = True


@dataclass
class Tally:
    """What became of the rows of a file so far.

    `unknown` is the first row of no known format. `turns` and `characters` count by role, those
    of a text under "text".
    """

    rows_read: int = 0
    kept: int = 0
    format: str = ""
    evidence: str = ""
    faults: Faults = field(default_factory=Faults)
    dropped: Counter[str] = field(default_factory=Counter)
    special: int = 0
    first_special: tuple[int, str] | None = None
    noticed: Counter[str] = field(default_factory=Counter)
    turns: Counter[str] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)
    unknown: tuple[int, dict[str, object]] | None = None

    def merge(self, later: Tally) -> None:
        """Take in the tally of a later part of the file."""
        self.rows_read += later.rows_read
        self.kept += later.kept
        self.format = self.format or later.format
        self.evidence = self.evidence or later.evidence
        self.faults.merge(later.faults)
        self.special += later.special
        self.first_special = self.first_special or later.first_special
        self.unknown = self.unknown or later.unknown
        for mine, its in (
            (self.dropped, later.dropped),
            (self.noticed, later.noticed),
            (self.turns, later.turns),
            (self.characters, later.characters),
        ):
            mine.update(its)


class Sieve:
    """Takes the rows of one file and tallies them; `name` is the file's in an example's origin."""

    def __init__(self, name: str, asked: Asked, tally: Tally) -> None:
        self.name, self.asked, self.tally = name, asked, tally
        self._speakers = asked.mapping.turns
        self._maps = bool(asked.mapping.columns)

    def sifted(self, rows: Iterable[Row], limit: int | None = None) -> Iterator[Example]:
        """The good ones as examples, no more than `limit`; the others are on record then."""
        if limit is not None and limit <= 0:
            return
        for row in rows:
            example = self.take(row)
            if example is not None:
                yield example
                limit = limit and limit - 1
                if limit == 0:
                    return

    def take(self, row: Row) -> Example | None:
        """The row's example; None where it is at fault, which is then on record."""
        tally = self.tally
        tally.rows_read += 1
        try:
            example = self._convert(row)
        except RowError as fault:
            tally.dropped[fault.reason] += 1
            tally.faults.add(row.line, fault)
            return None
        tally.kept += 1
        self._count(row.line, example)
        return example

    def _convert(self, row: Row) -> Example:
        if isinstance(row.value, RowError):
            raise row.value
        record = self.asked.mapping.apply(row.value) if self._maps else row.value
        format = self.asked.format or self.tally.format or self._detect(row.line, record)
        return convert(record, format, f"{self.name}:{row.line}", self._speakers)

    def _detect(self, line: int, record: dict[str, object]) -> str:
        found = self.asked.mapping.detect(record)
        if not found:
            self.tally.unknown = self.tally.unknown or (line, record)
            near = nearest(record)
            if near is not None:
                raise missing_key(near, record)
            raise RowError("unknown_columns", seen=", ".join(record) or "-")
        self.tally.format = found
        self.tally.evidence = evidence(found, record)
        return found

    def _count(self, line: int, example: Example) -> None:
        tally = self.tally
        if word := special_word(example):
            tally.special += 1
            tally.first_special = tally.first_special or (line, word)
        if example.tools:
            tally.noticed["tools"] += example.tools
        if example.repaired:
            tally.noticed["repaired"] += example.repaired
        for turn in example.messages:
            tally.turns[turn.role] += 1
            tally.characters[turn.role] += len(turn.content)
        if example.text is not None:
            tally.turns["text"] += 1
            tally.characters["text"] += len(example.text)


def special_word(example: Example) -> str:
    """The first word in the example that a vocabulary may take as a control id; empty if none."""
    for turn in example.messages:
        if word := _special_in(turn.content):
            return word
    return _special_in(example.text) if example.text is not None else ""


def _special_in(text: str) -> str:
    # Four searches for a letter take a fifth of one for a class of them.
    if "<" in text or "[" in text or "＜" in text or "［" in text:
        hit = SPECIAL.search(unicodedata.normalize("NFKC", text))
        return hit.group() if hit else ""
    return ""
