"""Ask a tool of the system something, with a time limit."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT_S = 10


def output(command: Sequence[str]) -> str:
    """What `command` prints; empty where it is missing, fails, or takes over 10 seconds."""
    done = _done(command)
    return done.stdout if done and done.returncode == 0 else ""


def answer(command: Sequence[str]) -> str:
    """What `command` prints, its complaints included where it fails."""
    done = _done(command)
    return done.stdout + (done.stderr if done.returncode else "") if done else ""


def _done(command: Sequence[str]) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
