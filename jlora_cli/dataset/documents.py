"""One JSON document -> its rows, one decoded at a time: an array, an object with one, or one row.

No more of the document than a row and a MiB is held, so its size does not matter.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from jlora_cli.dataset.faults import Row, RowError, as_row
from jlora_cli.dataset.files import LONGEST_LINE
from jlora_cli.dataset.strict_json import decode_at

if TYPE_CHECKING:
    from collections.abc import Iterator

SPACE = re.compile(r"[ \t\n\r]*")
CONVERSATIONS = {"messages", "conversations", "utterances"}


def document_rows(texts: Iterator[str]) -> Iterator[Row]:
    """The rows of a document that comes in pieces.

    Raises:
        RowError: it is not JSON, with the line; nothing after it can be told apart.
    """
    window = _Window(texts)
    if window.sign() == "[":
        yield from _array(window)
    else:
        yield from _object(window)
    if window.sign():
        raise window.fault("after_array")


class _Window:
    """The part of the text that is being read; `at` is the place in it."""

    def __init__(self, texts: Iterator[str]) -> None:
        self._texts = texts
        self.text, self.at, self.ended = "", 0, False
        self._line, self._column = 1, 0  # of the first character of `text`
        self._counted, self._counted_line = 0, 1
        self._let_go = 0

    def grow(self) -> bool:
        """Take in about as much again, and let go of what is passed; False where that is all."""
        self._line, self._column = self.line, self.column - 1
        self._let_go += self.at
        self.text, self.at = self.text[self.at :], 0
        self._counted, self._counted_line = 0, self._line
        pieces, wanted = [self.text], 2 * len(self.text)
        while not self.ended and sum(map(len, pieces)) <= wanted:
            piece = next(self._texts, None)
            self.ended = piece is None
            pieces.append(piece or "")
        grown = len(pieces) > 1 and any(pieces[1:])
        self.text = "".join(pieces)
        return grown

    @property
    def passed(self) -> int:
        """How many characters lie behind."""
        return self._let_go + self.at

    @property
    def line(self) -> int:
        self._counted_line += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._counted_line

    @property
    def column(self) -> int:
        start = self.text.rfind("\n", 0, self.at)
        return self.at - start + (self._column if start < 0 else 0)

    def back_to(self, at: int, line: int) -> None:
        """Read again from an earlier place, which is still here."""
        self.at = self._counted = at
        self._counted_line = line

    def sign(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            found = SPACE.match(self.text, self.at)
            self.at = found.end() if found else self.at
            if self.at < len(self.text) or not self.grow():
                return self.text[self.at : self.at + 1]

    def value(self) -> object:
        """The JSON value that stands here; the place is then behind it."""
        while True:
            try:
                value, end = decode_at(self.text, self.at)
            except RowError as fault:
                placed = self._placed(fault)  # before the window moves
                if not isinstance(fault.__cause__, json.JSONDecodeError) or self.ended:
                    raise placed from fault.__cause__
                if len(self.text) - self.at > LONGEST_LINE:
                    raise self._too_long() from fault.__cause__
                self.grow()
                continue
            if end < len(self.text) or not self.grow():
                self.at = end
                return value

    def _too_long(self) -> RowError:
        return RowError("long_row", line=self.line, mib=LONGEST_LINE >> 20)

    def _placed(self, fault: RowError) -> RowError:
        """The fault with its line and column in the document, not in the window."""
        within = fault.line or 1
        if within == 1 and isinstance(fault.values.get("column"), int):
            fault.values["column"] += self._column
        fault.line = self._line + within - 1
        return fault

    def fault(self, reason: str) -> RowError:
        return RowError(reason, line=self.line, column=self.column)

    def whole(self) -> bool:
        """Whether all that is left is here now, and no longer than one row may be."""
        while not self.ended and len(self.text) <= LONGEST_LINE:
            self.grow()
        return self.ended and len(self.text) <= LONGEST_LINE


def _array(window: _Window) -> Iterator[Row]:
    """The rows of the array that begins here."""
    window.at += 1
    if window.sign() == "]":
        window.at += 1
        return
    while True:
        if window.sign() == "]":
            raise window.fault("trailing_comma")
        line, passed = window.line, window.passed
        value = window.value()
        yield as_row(line, value, window.passed - passed)
        sign = window.sign()
        if sign not in {"]", ","}:
            raise window.fault("missing_comma" if sign else "cut_off")
        window.at += 1
        if sign == "]":
            return


def _object(window: _Window) -> Iterator[Row]:
    """The rows of the one list in the object that begins here, or the object as a row."""
    if not window.whole():
        yield from _list_in(window, "")
        return
    line, start = window.line, window.at
    value = window.value()
    lists = _lists(value)
    if len(lists) != 1:
        yield as_row(line, value)
        return
    window.back_to(start, line)
    yield from _list_in(window, lists[0])


def _lists(value: object) -> list[str]:
    """The keys of a wrapping object that hold rows; none where the object is itself a row."""
    if not isinstance(value, dict) or CONVERSATIONS & value.keys():
        return []
    return [
        key
        for key, held in value.items()
        if isinstance(held, list) and held and isinstance(held[0], dict)
    ]


def _list_in(window: _Window, wanted: str) -> Iterator[Row]:
    """The rows of the list under the key `wanted`; where that is empty, of the one list there."""
    entered = False
    window.at += 1
    while window.sign() != "}":
        key = window.value()
        if window.sign() != ":":
            raise window.fault("missing_comma" if window.sign() else "cut_off")
        window.at += 1
        if window.sign() == "[" and (key == wanted or (not wanted and _begins_rows(window))):
            if entered:
                raise window.fault("second_list")
            entered = True
            yield from _array(window)
        else:
            window.value()
        sign = window.sign()
        if sign not in {"}", ","}:
            raise window.fault("missing_comma" if sign else "cut_off")
        window.at += sign == ","
    window.at += 1


HEAD = 1000


def _begins_rows(window: _Window) -> bool:
    """Whether the list that begins here holds objects."""
    if len(window.text) - window.at < HEAD:
        window.grow()
    return SPACE.sub("", window.text[window.at + 1 : window.at + HEAD])[:1] == "{"
