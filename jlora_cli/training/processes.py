"""Processes that train together on one machine: how they are started, meet and agree.

Each holds the whole model and the same adapter. They share out the rows of a step, add up their
gradients and move alike; the first of them tells, scores aloud and writes. No wrapper stands
around the model: an adapter is small enough to be added up in one piece.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import torch
from torch import distributed

from jlora_cli.errors import JloraError, refuse
from jlora_cli.messages import language
from jlora_cli.training.guard import GuardError
from jlora_cli.training.launch import follow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.process import BaseProcess

    from jlora_cli.training.launch import Task

T = TypeVar("T")

# A process whose peer has ended knows at once, so that this is only waited for where one hangs:
# longer than the first process answers samples or writes a checkpoint.
_PATIENCE = timedelta(hours=1)
_LEAVING_S = 10.0
_LOOPBACK = {"linux": "lo", "darwin": "lo0"}


class World(NamedTuple):
    """The processes of a run as one of them sees them; `rank` counts from 0, the first.

    Every method must be called by all of them, in the same order. `nccl`: gradients are added up
    between the GPUs and not through the processor's memory.
    """

    rank: int = 0
    size: int = 1
    nccl: bool = False

    @property
    def leads(self) -> bool:
        """Whether this is the process that tells and writes."""
        return self.rank == 0

    def part(self, rows: Sequence[T]) -> Sequence[T]:
        """The rows that fall to this process, as many as to any other or one fewer."""
        return rows[self.rank :: self.size]

    def highest(self, number: int) -> int:
        """The highest of the processes' numbers."""
        if self.size == 1:
            return number
        told = torch.tensor([number])
        with _heard():
            distributed.all_reduce(told, distributed.ReduceOp.MAX)
        return int(told)

    def add(self, *numbers: float) -> list[float]:
        """The sums of the processes' numbers."""
        if self.size == 1:
            return list(numbers)
        told = torch.tensor(numbers, dtype=torch.float64)
        with _heard():
            distributed.all_reduce(told)
        return [float(number) for number in told]

    def share(self, value: T) -> list[T]:
        """Each process's value, in the order of their ranks."""
        if self.size == 1:
            return [value]
        told: list[Any] = [None] * self.size
        with _heard():
            distributed.all_gather_object(told, value)
        return told

    def agree(self, error: JloraError | None) -> None:
        """Go on where all can.

        Raises:
            JloraError: that of the first process which has one, in all of them.
        """
        if self.size == 1 and error is not None:
            raise error
        if not self.highest(error is not None):
            return
        told = self.share(None if error is None else _plain(error))
        first, *_ = [each for each in told if each is not None]
        raise _error(*first) from error

    @contextmanager
    def together(self) -> Iterator[None]:
        """Leave the block in all processes or, with the first one's error, in none."""
        try:
            yield
        except JloraError as error:
            self.agree(error)
        else:
            self.agree(None)

    def add_gradients(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        """Give every process the sum of the processes' gradients."""
        if self.size == 1:
            return
        # A process without a row in this step has no gradients.
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = torch.cat([grad.flatten() for grad in grads])
        total = flat if self.nccl else flat.cpu()
        with _heard():
            distributed.all_reduce(total)
        parts = torch.split(total.to(flat.device), [grad.numel() for grad in grads])
        for parameter, grad, part in zip(parameters, grads, parts, strict=True):
            parameter.grad = part.view_as(grad)

    def align(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        """Give every process the first one's weights."""
        if self.size == 1:
            return
        for parameter in parameters:
            value = parameter.data if self.nccl else parameter.data.cpu()
            with _heard():
                distributed.broadcast(value, src=0)
            parameter.data.copy_(value)


@contextmanager
def _heard() -> Iterator[None]:
    """Tell a process that no longer answers from a bug: torch has no class for it."""
    try:
        yield
    except RuntimeError as error:
        raise refuse("processes.lost", problem=str(error).split("\n")[0][:200]) from error


def _plain(error: JloraError) -> tuple[str, str, int | None, tuple[str, ...]]:
    """An error as values that travel between processes."""
    if isinstance(error, GuardError):
        return error.problem, error.remedy, error.step, error.rows
    return error.problem, error.remedy, None, ()


def _error(problem: str, remedy: str, step: int | None, rows: tuple[str, ...]) -> JloraError:
    error = JloraError(problem, remedy=remedy)
    return error if step is None else GuardError(error, step=step, rows=rows)


# -- starting and meeting ----------------------------------------------------------------------


@contextmanager
def gathered(task: Task) -> Iterator[World]:
    """The processes that `task` asks for, with this one among them; the others end with it.

    Where a launcher such as torchrun has started them, they only meet.

    Raises:
        JloraError: there are others than were asked for, or they cannot be started.
    """
    size = int(task.proposal.config.processes)
    launched = os.environ.get("WORLD_SIZE") if "RANK" in os.environ else None
    if launched is not None and int(launched) != size:
        raise refuse("processes.differ", asked=size, started=launched)
    if size == 1:
        yield World()
    elif not distributed.is_available():
        raise refuse("processes.unavailable", asked=size)
    elif launched is not None:
        with meet(task, int(os.environ["RANK"]), None) as world:
            yield world
    else:
        with _started(task, size) as meeting, meet(task, 0, meeting) as world:
            yield world


@contextmanager
def _started(task: Task, size: int) -> Iterator[Path]:
    """All processes but this one, and the folder in which they wait for it."""
    with tempfile.TemporaryDirectory(prefix="jlora-", ignore_cleanup_errors=True) as folder:
        meeting = Path(folder)
        # A name of this machine may lead to no address that is up, on a laptop for one.
        if sys.platform in _LOOPBACK:
            os.environ.setdefault("GLOO_SOCKET_IFNAME", _LOOPBACK[sys.platform])
        start = get_context("spawn").Process
        others = [
            start(target=follow, args=(task, rank, meeting, language()), daemon=True)
            for rank in range(1, size)
        ]
        try:
            for other in others:
                other.start()
            _await(others, meeting)
            yield meeting
            _leave(others, _LEAVING_S)
        except JloraError:
            _leave(others, _LEAVING_S)
            raise
        finally:
            _leave(others, 0.0)


def _await(others: Sequence[BaseProcess], meeting: Path) -> None:
    """Wait until the others have imported what they need and stand at the meeting."""
    while len(list(meeting.glob("ready-*"))) < len(others):
        ended = next((other.exitcode for other in others if other.exitcode is not None), None)
        if ended is not None:
            raise refuse("processes.not_started", code=ended)
        time.sleep(0.05)


def _leave(others: Sequence[BaseProcess], patience_s: float) -> None:
    """Wait so long for the others to end, then end them."""
    until = time.monotonic() + patience_s
    for other in others:
        if other.pid is not None:
            other.join(max(0.0, until - time.monotonic()))
            if other.exitcode is None:
                other.kill()
                other.join()


@contextmanager
def meet(task: Task, rank: int, meeting: Path | None) -> Iterator[World]:
    """The world of process `rank`, joined in the folder `meeting` or as a launcher says."""
    gpu = task.proposal.machine.usable_gpu
    size = int(task.proposal.config.processes)
    nccl = False
    if gpu is not None and gpu.kind in ("cuda", "rocm"):  # torch.cuda is the name of both
        count = torch.cuda.device_count()
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", rank)) % count)
        # NCCL refuses two processes on one GPU.
        nccl = distributed.is_nccl_available() and count >= size
    store = None
    if meeting is not None:
        from torch.distributed import (  # type: ignore[attr-defined,unused-ignore]  # noqa: PLC0415
            FileStore,  # a torch without torch.distributed has none
        )

        (meeting / f"ready-{rank}").touch()
        store = FileStore(str(meeting / "store"), size)
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads // size))
    try:
        backend = "cpu:gloo,cuda:nccl" if nccl else "gloo"
        with _heard():
            distributed.init_process_group(
                backend, store=store, rank=rank, world_size=size, timeout=_PATIENCE
            )
        if distributed.get_world_size() != size:
            raise refuse("processes.differ", asked=size, started=distributed.get_world_size())
        yield World(rank, size, nccl)
    finally:
        torch.set_num_threads(threads)
        if distributed.is_initialized():
            distributed.destroy_process_group()
