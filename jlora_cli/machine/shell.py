"""A command line as a person can paste it into this machine's shell."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_PLAIN = re.compile(r"[\w\\/:.,=+@~-]+")


def command_line(words: Iterable[str], *, windows: bool = os.name == "nt") -> str:
    """The words with spaces between, in quotes where they need some.

    cmd.exe knows no single quotes, and PowerShell takes double ones too; in both a backslash is
    part of a path.
    """
    if not windows:
        return shlex.join(words)
    return " ".join(word if _PLAIN.fullmatch(word) else _quoted(word) for word in words)


def _quoted(word: str) -> str:
    escaped = word.replace('"', '\\"')
    return f'"{escaped}"'
