"""What becomes of output that nobody reads: behind `| head`, an ended `| tee`, a closed terminal.

A run must not end with its reader: what it says is lost, and it goes on. A command whose result
nobody reads has no more to do, and ends like any other filter, having cleared away what it began.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import TextIO

CLOSED_PIPE = 141  # as a shell tells the end by SIGPIPE, which Python ignores


def outlive_readers() -> None:
    """From now on, no write to stderr fails; one to a stdout that nobody reads ends the process."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)  # None without a console, as under pythonw
        if stream is None or isinstance(stream, _Pipe):
            continue
        # A console of Windows is there as long as its processes are.
        if not stream.isatty() or (name == "stderr" and os.name != "nt"):
            setattr(sys, name, _Pipe(stream, ends=name == "stdout"))


class _Pipe:
    """A stream; `ends` says whether its reader's end is the process's."""

    def __init__(self, stream: TextIO, *, ends: bool) -> None:
        self._stream, self._ends = stream, ends

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            self._lose(error)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        """Let the rest vanish, what is still to be flushed with it.

        A full disk behind a redirected stdout is an error like any other.
        """
        # Windows says EINVAL of a pipe without a reader.
        gone = error.errno == errno.EPIPE or (os.name == "nt" and error.errno == errno.EINVAL)
        if self._ends and not gone:
            raise error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
        if self._ends:
            raise SystemExit(CLOSED_PIPE)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
