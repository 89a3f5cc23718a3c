"""What a started process does from its first line on; imports nothing heavy before it has to."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import warnings
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple

from jlora_cli.errors import JloraError
from jlora_cli.lean_imports import settle_libraries
from jlora_cli.messages import use_language

if TYPE_CHECKING:
    from pathlib import Path

    from jlora_cli.proposal import Proposal


class Task(NamedTuple):
    """What is to be trained: all that the processes of a run must know alike."""

    proposal: Proposal
    resume: bool = False
    from_adapter: str | None = None


def follow(task: Task, rank: int, meeting: Path, language: str) -> None:
    """Take part in `task` as process `rank` of those that meet in the folder `meeting`.

    What goes wrong is told by the first process.
    """
    # Ctrl-C reaches every process of a terminal; the first decides what comes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=end_with_the_first, daemon=True).start()
    warnings.filterwarnings("ignore")
    settle_libraries()
    use_language(language)
    from jlora_cli.training.processes import meet  # noqa: PLC0415 - imports torch
    from jlora_cli.training.session import take_part  # noqa: PLC0415

    try:
        with meet(task, rank, meeting) as world:
            take_part(task, world)
    except JloraError:
        sys.exit(1)


def end_with_the_first() -> None:
    """End this process when the one that started it is gone, killed perhaps, whatever it does."""
    first = multiprocessing.parent_process()
    if first is not None:
        first.join()
        os._exit(1)
