"""What is wrong with a row, and how the faults of one file become one error.

Every fault names its line and its own remedy; ten are shown, the rest counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

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
        self.values = {key: shown(value) for key, value in values.items()}

    @property
    def problem(self) -> str:
        return say(f"data.row.{self.reason}", **self.values)

    @property
    def remedy(self) -> str:
        return say(f"data.row.{self.reason}.fix", **self.values)


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

    path: Path | str
    first: list[tuple[int, RowError]] = field(default_factory=list)
    count: int = 0

    def add(self, line: int, fault: RowError) -> None:
        self.count += 1
        if len(self.first) < SHOWN_FAULTS:
            self.first.append((line, fault))

    def error(self, rows_read: int = 0) -> JloraError:
        """The one error that names them all; `rows_read` of them make it a fault of the file."""
        line, fault = self.first[0]
        alike = len({each.problem for _, each in self.first}) == 1
        if self.count == 1 or (alike and self.count == rows_read):
            key = "data.fault" if self.count == 1 else "data.fault.every_row"
            values = {"path": self.path, "line": line, "problem": fault.problem}
            return JloraError(say(key, count=self.count, **values), remedy=fault.remedy)
        lines = [
            say("data.faults.line", line=line, problem=fault.problem, remedy=fault.remedy)
            for line, fault in self.first
        ]
        if self.count > len(lines):
            lines.append(say("data.faults.rest", count=self.count - len(lines)))
        return refuse("data.faults", path=self.path, count=self.count, lines="\n".join(lines))
