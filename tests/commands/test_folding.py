"""Sentences folded to the terminal: English words whole, Japanese by its own rules."""

from __future__ import annotations

import sys

import pytest
from rich.cells import cell_len

from jlora_cli.commands import folding
from jlora_cli.finding import Finding

SENTENCE = (
    "NVIDIA の GPU（NVIDIA GeForce GTX 1060）があるのに、torch 2.14.1+cpu は CPU 専用の版です。"
)


@pytest.mark.parametrize("width", [20, 33, 54, 80])
def test_no_line_is_wider_than_asked_and_no_character_is_lost(width):
    lines = folding.fold(SENTENCE, width).split("\n")

    assert max(map(cell_len, lines)) <= width
    assert "".join(lines).replace(" ", "") == SENTENCE.replace(" ", "")
    assert not any(line[0] in "、。）" or line[-1] == "（" for line in lines)


def test_english_words_and_what_is_longer_than_a_line_stay_whole():
    text = "read https://www.nvidia.com/drivers and restart"

    assert folding.fold(text, 12).split("\n") == [
        "read", "https://www.nvidia.com/drivers", "and restart",
    ]  # fmt: skip
    assert folding.fold("", 12) == ""


def test_of_a_finding_the_lines_to_paste_stay_whole():
    line = 'pip install --upgrade "torch>=2.11,<2.15" --index-url https://download.pytorch.org/whl'
    item = Finding("x", "error", "a b c d", "e f g h", f"one two three four:\n{line}")
    folded = folding.folded(item, 14)

    assert folded.evidence == "a b c d"
    assert folded.remedy == f"one\ntwo\nthree\nfour:\n{line}"
    assert folding.folded(item, 10).consequence == "e f\n      g h"


def test_a_file_or_a_pipe_gets_whole_lines(monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False, raising=False)
    assert folding.terminal_width() is None

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "91")
    assert folding.terminal_width() == 91
