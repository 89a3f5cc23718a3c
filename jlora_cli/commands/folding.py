"""Sentences folded to the width of the terminal; lines to be pasted stay whole."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.cells import cell_len

if TYPE_CHECKING:
    from jlora_cli.finding import Finding

# Latin words stay whole, Japanese may break after any character.
_PIECE = re.compile(r"[!-~]+\s*|\s+|[^!-~\s]\s*")
_NOT_FIRST = "、。，．・：；？！）」』】〕〉》ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ…"
_NOT_LAST = "（「『【〔〈《"
INDENT = 6
REMEDY = 8


def terminal_width() -> int | None:
    """The columns of the terminal; None for a file or a pipe, which want whole lines."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def folded(item: Finding, width: int) -> Finding:
    """The finding with its sentences broken to `width` cells, each line under the first.

    Of a remedy only the first line is a sentence; those behind it are pasted.
    """
    prose, *lines = item.remedy.split("\n")
    remedy = "\n".join([fold(prose, width - REMEDY), *lines])
    parts = (fold(text, width - INDENT) for text in (item.evidence, item.consequence))
    evidence, consequence = (part.replace("\n", "\n" + " " * INDENT) for part in parts)
    return replace(item, evidence=evidence, consequence=consequence, remedy=remedy)


def fold(text: str, width: int) -> str:
    """`text` in lines of at most `width` cells where its words allow it."""
    lines: list[str] = [""]
    for piece in _unbreakable(_PIECE.findall(text)):
        if lines[-1] and cell_len(lines[-1] + piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


def _unbreakable(pieces: list[str]) -> list[str]:
    """The pieces with those joined between which Japanese does not break (kinsoku)."""
    joined: list[str] = []
    for piece in pieces:
        if joined and (piece[0] in _NOT_FIRST or joined[-1][-1] in _NOT_LAST):
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined
