"""Work on many pieces by all cores, with the results in the order of the pieces.

The workers are spawned, as Windows and macOS do, so that they share nothing with this process.
They end with it, however it ends, and leave Ctrl-C to it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, TypeVar

from jlora_cli import messages
from jlora_cli.errors import refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

Given = TypeVar("Given")
Made = TypeVar("Made")
WAITING_EACH = 2  # pieces a process, so that none waits for the writing


def core_count() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Processes:
    """Up to `count` worker processes, started when the first large work comes."""

    def __init__(self, count: int | None = None) -> None:
        self.count = count or core_count()
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def in_order(
        self, work: Callable[[Given], Made], pieces: Iterator[Given], *, large: bool
    ) -> Iterator[tuple[Given, Made]]:
        """Each piece with what `work` made of it; by other processes where there is much to do.

        An error that comes from `pieces` is raised after the results of those before it.

        Raises:
            JloraError: the system ended a worker, for want of memory as a rule.
        """
        if not large or self.count == 1:
            for piece in pieces:
                yield piece, work(piece)
            return
        self._pool = self._pool or self._started()
        try:
            yield from _spread(self._pool, work, pieces, self.count * WAITING_EACH)
        except BrokenProcessPool as error:
            raise refuse("prepare.worker_died") from error

    def _started(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self.count,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=begin_worker,
            initargs=(messages.language(),),
        )


def _spread(
    pool: ProcessPoolExecutor,
    work: Callable[[Given], Made],
    pieces: Iterator[Given],
    waiting: int,
) -> Iterator[tuple[Given, Made]]:
    sent = deque()  # type: ignore[var-annotated]
    failure: Exception | None = None
    more = True
    while more or sent:
        while more and len(sent) < waiting:
            try:
                piece = next(pieces)
            except StopIteration:
                more = False
            except Exception as error:  # noqa: BLE001 - raised below, in its place
                failure, more = error, False
            else:
                sent.append((piece, pool.submit(work, piece)))
        if sent:
            piece, future = sent.popleft()
            yield piece, future.result()
    if failure is not None:
        raise failure


def begin_worker(language: str) -> None:
    """What a worker does first: speak the user's language, and end when its parent does."""
    messages.use_language(language)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A pool's worker holds its own end of the queue, so it would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
