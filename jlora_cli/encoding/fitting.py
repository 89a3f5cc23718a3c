"""Sequences at their full lengths -> rows that fit, counted and with their fingerprint."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from functools import partial
from itertools import groupby, islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from jlora_cli.audit import figures_of_tokens
from jlora_cli.cache import Draft
from jlora_cli.dataset import Example
from jlora_cli.encoding.pieces import Batch, Limits, Long, count_batch
from jlora_cli.prompt import Count, Encoded, origin_of, unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jlora_cli.cache import Sections
    from jlora_cli.encoding.pieces import Counted, Made, Work
    from jlora_cli.encoding.source import Source
    from jlora_cli.processes import Processes
    from jlora_cli.prompt import Prompter

_LONG_ROWS = 50  # a piece
_LARGE_ROWS = 5000  # that lose early turns: below, other processes take longer to start
_LARGE_TOKENS = 5 << 20  # the same, of those that are counted
_BATCH_ROWS = 1000


def make_fitted(  # noqa: PLR0913 - rows, how they are made, and where they are kept
    whole: Sections,
    source: Source,
    work: Work,
    limits: Limits,
    workers: Processes,
    *,
    key: str | None,
) -> Sections:
    """The rows of `whole` that did not fit, made anew, as `StoredRows` has them.

    Its facts: "dropped", "shortened" and "cut" of `EncodedRows`, the counts of its census, whose
    keys are the array "keys", "fingerprint", and "counted", the audit's figures of the tokens.
    `source` is read for the examples of those that may lose early turns.

    Raises:
        JloraError: the rows are needed once more and can no longer be used.
    """
    format = work.prompter.format
    ends = frozenset((format.eos_id, format.turn_end_id))
    turns = limits.truncate == "turns"
    with Draft(key) as draft:
        fitting = _Fitting(whole, draft, limits)
        many = turns and len(fitting.long) >= _LARGE_ROWS
        pieces = fitting.pieces(source if turns else None)
        made = (done for _, done in workers.in_order(work.fit, pieces, large=many))
        total = _Total()
        large = len(whole["tokens"]) >= _LARGE_TOKENS
        for _, counted in workers.in_order(
            partial(count_batch, ends), fitting.batches(made), large=large
        ):
            total.add(counted)
        facts = fitting.facts() | total.facts(work.prompter)
        return draft.finish(
            ("tokens", "i"), total.arrays() | fitting.index, facts, keep=source.is_as_hashed
        )


class _Total:
    """What all rows come to."""

    def __init__(self) -> None:
        self._count, self._tokens = Count(), Counter[int]()
        self._digest = hashlib.sha256()

    def add(self, counted: Counted) -> None:
        """Take in the rows that follow."""
        self._count.merge(counted.count)
        self._tokens.update(counted.tokens)
        self._digest.update(counted.text)

    def arrays(self) -> dict[str, array[int]]:
        """The key of each row."""
        return {"keys": self._count.keys}

    def facts(self, prompter: Prompter) -> dict[str, Any]:
        """The rest, for a directory."""
        census = self._count.census()
        return {
            "endless": census.endless,
            "endless_whole": census.endless_whole,
            "repeated": census.repeated,
            "fingerprint": self._digest.hexdigest(),
            "counted": figures_of_tokens(prompter, self._tokens),
        }


class _Row(NamedTuple):
    """A row to train on: the one that it comes from, and its place as `StoredRows` has it."""

    of: int
    start: int
    supervised: int
    tokens: array[int]


class _Fitting:
    """One pass over all rows, in which those that are too `long` are replaced.

    `index` holds the arrays of `StoredRows`, nothing where all rows fit.
    """

    def __init__(self, whole: Sections, draft: Draft, limits: Limits) -> None:
        self._whole, self._draft, self._limits = whole, draft, limits
        lengths = whole["lengths"]
        most = limits.max_length
        self.long = array("I", (at for at, length in enumerate(lengths) if length > most))
        codes = {"starts": "q", "lengths": "I", "supervised": "I", "of": "I"}
        self.index = {name: array(code) for name, code in codes.items()} if self.long else {}
        self._dropped: list[str] = []
        self._shortened = self._cut = 0

    def facts(self) -> dict[str, Any]:
        """What became of the rows."""
        return {
            "dropped": self._dropped,
            "shortened": self._shortened,
            "cut": self._cut,
        }

    def pieces(self, source: Source | None) -> Iterator[list[Long]]:
        """The rows that are too long, some at a time."""
        numbers = iter(self.long)
        while some := list(islice(numbers, _LONG_ROWS)):
            yield [self._long(number, source) for number in some]

    def _long(self, number: int, source: Source | None) -> Long:
        whole = self._whole
        end = whole["ends"][number]
        example = Example(text=None if end else "")
        if end and source is not None:
            example = source.spool[whole["of"][number]]
        return Long(number, end, example, Encoded(*unpack(self._tokens(number))))

    def _tokens(self, number: int) -> array[int]:
        start, length = self._whole["starts"][number], self._whole["lengths"][number]
        return array("i", self._whole["tokens"][start : start + length].tobytes())

    def batches(self, made: Iterable[Made]) -> Iterator[Batch]:
        """The rows that fit, in order; `made` are the long ones, piece by piece."""
        rows = self._rows(made)
        while batch := list(islice(rows, _BATCH_ROWS)):
            tokens, lengths, shortened = array("i"), array("I"), array("B")
            for row in batch:
                tokens.extend(row.tokens)
                lengths.append(len(row.tokens))
                shortened.append(row.start < 0)
                self._note(row)
            self._whole.release()
            yield Batch(tokens, lengths, shortened)

    def _note(self, row: _Row) -> None:
        if self.index:
            numbers = (row.start, len(row.tokens), row.supervised, row.of)
            for values, number in zip(self.index.values(), numbers, strict=True):
                values.append(number)

    def _rows(self, made: Iterable[Made]) -> Iterator[_Row]:
        anew = groupby(self._anew(made), key=attrgetter("of"))
        long = iter(self.long)
        following, group = next(long, None), next(anew, None)
        for number in range(len(self._whole["lengths"])):
            if number != following:
                yield self._of_whole(number)
                continue
            following, rows = next(long, None), 0
            if group is not None and group[0] == number:
                for new in group[1]:
                    rows += 1
                    yield new
                group = next(anew, None)
            self._judge(number, rows)

    def _of_whole(self, number: int) -> _Row:
        start = self._whole["starts"][number]
        return _Row(number, start, self._whole["supervised"][number], self._tokens(number))

    def _anew(self, made: Iterable[Made]) -> Iterator[_Row]:
        """The rows that were made anew."""
        begun = 0
        for piece in made:
            piece.check()
            self._draft.extend(piece.tokens)
            at = 0
            for of, length, supervised in zip(
                piece.of, piece.lengths, piece.supervised, strict=True
            ):
                tokens = piece.tokens[at : at + length]
                yield _Row(of, ~(begun + at), supervised, tokens)
                at += length
            begun += at

    def _judge(self, number: int, count: int) -> None:
        """What became of a long row of which `count` were made."""
        if not count:
            self._dropped.append(origin_of(self._whole, number))
        elif self._limits.truncate == "cut" and self._whole["ends"][number]:
            self._cut += 1
        else:
            self._shortened += 1
