"""Command lines that can be pasted as they are shown."""

from __future__ import annotations

import shlex

import pytest

from jlora_cli.machine import command_line

WORDS = ["jlora", "prepare", "猫 と 犬.jsonl", "--map", "answer=a&b", "C:\\rows\\髙﨑.jsonl"]


def test_a_posix_shell_reads_the_words_back():
    assert shlex.split(command_line(WORDS, windows=False)) == WORDS
    assert command_line(["行/髙﨑🐈.jsonl", "50%"], windows=False) == "'行/髙﨑🐈.jsonl' 50%"
    assert command_line(["行/髙﨑.jsonl"], windows=False) == "行/髙﨑.jsonl"


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("C:\\rows\\髙﨑.jsonl", "C:\\rows\\髙﨑.jsonl"),
        ("org/tiny@v1", "org/tiny@v1"),
        ("猫 と 犬.jsonl", '"猫 と 犬.jsonl"'),
        ("answer=a&b", '"answer=a&b"'),
        ("it's", '"it\'s"'),
        ('say "猫"', '"say \\"猫\\""'),
        ("", '""'),
    ],
)
def test_windows_shells_get_double_quotes_where_they_are_needed(word, shown):
    assert command_line([word], windows=True) == shown
