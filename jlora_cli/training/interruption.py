"""Turns the signals that end a process into a wish that the run can grant."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType


class Interruption:
    """Turns SIGINT, SIGTERM and SIGHUP into a wish to stop after the current step.

    A signal that is ignored stays ignored: that is how `nohup` keeps a run alive.
    """

    NAMES = ("SIGINT", "SIGTERM", "SIGHUP")

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        for name in self.NAMES:
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            # None was set by C code, which alone could put it back.
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.signal is not None:  # the second time it is meant
            raise KeyboardInterrupt
        self.signal = number
