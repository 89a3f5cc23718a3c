"""A command line as a person can paste it into this machine's shell."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Letters of all scripts among them, which shlex would quote.
_PLAIN = re.compile(r"[\w/:.,=+@%-]+")
_PLAIN_ON_WINDOWS = re.compile(r"[\w/:.,=+@~\\-]+")


def command_line(words: Iterable[str], *, windows: bool = os.name == "nt") -> str:
    """The words with spaces between, in quotes where they need some.

    cmd.exe knows no single quotes, and PowerShell takes double ones too; in both a backslash is
    part of a path.
    """
    plain, quoted = (_PLAIN_ON_WINDOWS, _quoted) if windows else (_PLAIN, shlex.quote)
    return " ".join(word if plain.fullmatch(word) else quoted(word) for word in words)


def _quoted(word: str) -> str:
    """Quoted for Windows."""
    escaped = word.replace('"', '\\"')
    return f'"{escaped}"'
