"""What is wrong with a row, and how the faults of one file become one error.

Every fault names its line and its own remedy; ten are shown, the rest counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jlora_cli.errors import JloraError, refuse
from jlora_cli.messages import say

if TYPE_CHECKING:
    from pathlib import Path

SHOWN_FAULTS = 10
SHOWN_CHARACTERS = 60


class RowError(Exception):
    """One row cannot be used; `reason` is the catalogue key after "data.row.".

    With a `line` of its own, the fault also ends the reading of its file: nothing after it can
    be told apart.
    """

    def __init__(self, reason: str, /, *, line: int | None = None, **values: object) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line
        self.values: dict[str, Any] = {key: shown(value) for key, value in values.items()}

    @property
    def problem(self) -> str:
        return say(f"data.row.{self.reason}", **self.values)

    @property
    def remedy(self) -> str:
        return say(f"data.row.{self.reason}.fix", **self.values)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its columns, or why it has none.

    `line` counts from 1 (Parquet: the row); `size` is about its length in characters.
    """

    line: int
    value: dict[str, object] | RowError
    size: int = 0


def as_row(line: int, value: object, size: int = 0) -> Row:
    """`value` as a row; anything but an object is a fault."""
    if isinstance(value, dict):
        return Row(line, value, size)
    return Row(line, RowError("not_an_object", kind=kind_of(value)), size)


def shown(value: object) -> object:
    """`value` as an error may print it: short, and nothing in it that steers a terminal."""
    if not isinstance(value, str):
        return value
    cut = value if len(value) <= SHOWN_CHARACTERS else value[:SHOWN_CHARACTERS] + "…"
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in cut)


def kind_of(value: object) -> str:
    """What sort of JSON value this is, in the user's language."""
    if value is None:
        return say("data.kind.null")
    if isinstance(value, bool):
        return say("data.kind.boolean")
    if isinstance(value, (int, float)):
        return say("data.kind.number")
    if isinstance(value, str):
        return say("data.kind.text")
    return say("data.kind.list" if isinstance(value, list) else "data.kind.object")


@dataclass
class Faults:
    """The faults of one file so far."""

    first: list[tuple[int, RowError]] = field(default_factory=list)
    count: int = 0

    def add(self, line: int, fault: RowError) -> None:
        self.count += 1
        if len(self.first) < SHOWN_FAULTS:
            self.first.append((line, fault))

    def merge(self, later: Faults) -> None:
        """Take in the faults of a later part of the file."""
        self.count += later.count
        self.first = [*self.first, *later.first][:SHOWN_FAULTS]

    def error(
        self, path: Path, *, rerun: str = "", editable: bool = True, rows_read: int = 0
    ) -> JloraError:
        """The one error that names them all; `rows_read` of them make it a fault of the file.

        `rerun` is the command that drops the rows: it stands by every fault of rows that are not
        `editable`.
        """
        line, fault = self.first[0]
        alike = len({each.problem for _, each in self.first}) == 1
        if self.count == 1 or (alike and self.count == rows_read):
            key = "data.fault" if self.count == 1 else "data.fault.every_row"
            values = {"path": path, "line": line, "problem": fault.problem}
            remedy = fault.remedy
            if rerun and not editable and self.count == 1:
                remedy = say("data.fault.rerun", remedy=remedy, command=rerun)
            return JloraError(say(key, count=self.count, **values), remedy=remedy)
        lines = [
            say("data.faults.line", line=line, problem=fault.problem, remedy=fault.remedy)
            for line, fault in self.first
        ]
        if self.count > len(lines):
            lines.append(say("data.faults.rest", count=self.count - len(lines)))
        command = rerun or say("data.faults.command", path=path)
        values = {"path": path, "count": self.count, "lines": "\n".join(lines)}
        return refuse("data.faults", command=command, **values)
