"""The rows of `--input`: what each asks, and what it carries along."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jlora_cli.dataset import ROLES, Message
from jlora_cli.dataset.faults import Faults, RowError
from jlora_cli.dataset.mapping import NOTHING_MAPPED
from jlora_cli.dataset.rows import rows_of
from jlora_cli.errors import refuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from jlora_cli.dataset.faults import Row


@dataclass(frozen=True)
class PromptRow:
    """One row and what the model is asked; `line` as the file counts it."""

    line: int
    record: dict[str, Any]
    messages: tuple[Message, ...]

    @property
    def input(self) -> str:
        """What a prepared row of an instruction with an input keeps apart."""
        return str(self.record.get("input") or "")


def read_rows(path: Path, system: str | None = None) -> list[PromptRow]:
    """The rows of `{"prompt": ...}` or `{"messages": [...]}` in a JSONL, JSON, CSV or TSV file.

    `system`: said before the rows that have no system message.

    Raises:
        JloraError: the file cannot be read or holds no rows, or rows are at fault: all are named.
    """
    faults = Faults()
    rows = rows_of(path, NOTHING_MAPPED)
    found = list(_asked(rows, system, faults))
    if faults.count:
        raise faults.error(path, rows_read=len(found) + faults.count)
    if not found:
        raise refuse("data.no_rows", path=path)
    return found


def _asked(rows: Iterable[Row], system: str | None, faults: Faults) -> Iterator[PromptRow]:
    try:
        for row in rows:
            try:
                if isinstance(row.value, RowError):
                    raise row.value
                _check_carried(row.value)
                yield PromptRow(row.line, row.value, conversation(row.value, system))
            except RowError as fault:
                faults.add(row.line, fault)
    except RowError as fault:  # of the file: what follows cannot be told apart
        faults.add(fault.line or 1, fault)


def _check_carried(record: dict[str, Any]) -> None:
    """Nothing, where all of the row can be written beside its answer: which would be too late.

    Raises:
        RowError: it holds half a character.
    """
    for key, value in record.items():
        try:
            json.dumps([key, value], ensure_ascii=False, default=str).encode("utf-8")
        except UnicodeEncodeError as error:
            code = f"U+{ord(error.object[error.start]):04X}"
            raise RowError("lone_surrogate", key=key, code=code) from error


def conversation(record: dict[str, Any], system: str | None = None) -> tuple[Message, ...]:
    """The conversation up to its last question: an answer at its end is what is asked for.

    Raises:
        RowError: this is no conversation with a question.
    """
    said = record.get("messages", [{"role": "user", "content": record.get("prompt")}])
    turns = [_turn(turn) for turn in said] if isinstance(said, list) else []
    while turns and turns[-1].role == "assistant":
        turns.pop()
    if not turns or turns[-1].role != "user" or not turns[-1].content.strip():
        raise RowError("no_question")
    if system and turns[0].role != "system":
        turns.insert(0, Message("system", system))
    return tuple(turns)


def _turn(said: object) -> Message:
    role, content = (said.get("role"), said.get("content")) if isinstance(said, dict) else ("", "")
    if role not in ROLES or not isinstance(content, str):
        raise RowError("no_question")
    return Message(role, content)
