"""Plain text -> one row a passage: what stands between blank lines.

Aozora Bunko's notation is taken away, as its own guide describes it
(https://www.aozora.gr.jp/annotation/): ruby 《》 with its mark ｜, notes ［＃…］, the legend
between two rules at the top and the colophon at the end.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jlora_cli.dataset.faults import Row, RowError
from jlora_cli.dataset.files import LONGEST_LINE

if TYPE_CHECKING:
    from collections.abc import Iterator

AOZORA_LEGEND = "【テキスト中に現れる記号について】"
RULE = re.compile(r"-{20,}\s*")
COLOPHON = re.compile(r"底本[：:「]")
NOTATION = re.compile(r"《[^》\n]*》|［＃[^］\n]*］|｜")


def passage_rows(lines: Iterator[tuple[int, str | RowError]], *, aozora: bool) -> Iterator[Row]:
    """A row {"text": ...} for each passage, with the line that it begins on.

    Raises:
        RowError: a passage is longer than 64 Mi characters.
    """
    held: list[str] = []
    first = length = 0
    for number, line in _without_frame(lines) if aozora else lines:
        if isinstance(line, RowError):
            yield Row(number, line)
            continue
        text = NOTATION.sub("", line).rstrip() if aozora else line.rstrip()
        if not text and not (aozora and line.strip()):
            yield from _passage(first, held)
            held, length = [], 0
        elif text:
            first = number if not held else first
            length += len(text)
            held.append(text)
        if length > LONGEST_LINE:
            raise RowError("long_passage", line=first, mib=LONGEST_LINE >> 20)
    yield from _passage(first, held)


def _passage(first: int, held: list[str]) -> Iterator[Row]:
    if held:
        text = "\n".join(held)
        yield Row(first, {"text": text}, len(text))


def _without_frame(
    lines: Iterator[tuple[int, str | RowError]],
) -> Iterator[tuple[int, str | RowError]]:
    """The lines but for the legend between two rules and the colophon."""
    rules = 0
    for number, line in lines:
        text = "" if isinstance(line, RowError) else line
        if COLOPHON.match(text):
            return
        if RULE.fullmatch(text) and rules < 2:
            rules += 1
            yield number, ""
        elif rules != 1:
            yield number, line
