"""How many rows go through the model at once: fewer when memory runs out, learning the same."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, TypeVar

import torch

from jlora_cli.errors import refuse
from jlora_cli.finding import found
from jlora_cli.training.guard import GuardError, Spill, is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jlora_cli.finding import Finding
    from jlora_cli.prompt import Encoded
    from jlora_cli.training.processes import World

T = TypeVar("T")


class MicroBatch:
    """The size of micro-batches, in rows, which is halved where memory does not hold them.

    A step is still made of the same rows, so that it learns the same. The processes of a run have
    the same size; `tell` hears of each change.
    """

    def __init__(self, rows: int, world: World, tell: Callable[[Finding], None]) -> None:
        self.rows = rows
        self._world = world
        self._tell = tell
        self._spill = Spill() if _may_spill() else None

    def fit(
        self,
        work: Callable[[int], T],
        rows: Sequence[Encoded],
        *,
        step: int,
        again: Callable[[], None] = lambda: None,
    ) -> T:
        """What `work` makes of `rows` in micro-batches of the size that it is given.

        Where memory runs out in any process, `again` undoes in all what was half done, and `work`
        begins anew.

        Raises:
            GuardError: that of `work`, or not even one row fits.
        """
        while True:
            made, stop = self._try(work)
            if stop is None and made is None and self.rows == 1:
                tokens = max(len(row.ids) for row in rows)
                refusal = refuse("guard.out_of_memory", step=step, tokens=tokens)
                stop = GuardError(refusal, step=step)
            self._world.agree(stop)
            if not self._world.highest(made is None) and made is not None:
                return made
            again()
            self._halve("out-of-memory", step)

    def _try(self, work: Callable[[int], T]) -> tuple[T | None, GuardError | None]:
        """What `work` makes, or why the run must stop; neither where memory ran out.

        An error that is not caught here holds the tensors that filled the memory.
        """
        try:
            return work(self.rows), None
        except GuardError as stop:
            return None, stop
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return None, None

    def watch(self, step: int, *, seconds: float, tokens: int) -> None:
        """Halve from the next step on where this one shows that Windows has begun to spill."""
        if self._spill is None:
            return
        spilled = self._spill.note(seconds / max(tokens, 1), free_share())
        if not self._world.highest(spilled):
            return
        self._spill.begin_anew()
        if self.rows > 1:
            self._halve("memory-spilled", step)

    def _halve(self, why: str, step: int) -> None:
        release_memory()
        before, self.rows = self.rows, math.ceil(self.rows / 2)
        self._tell(found(why, step=step, before=before, after=self.rows))


def _may_spill() -> bool:
    return sys.platform == "win32" and torch.cuda.is_available()


def free_share() -> float:
    """The share of the GPU's own memory that is free."""
    free, total = torch.cuda.mem_get_info()
    return free / total


def release_memory() -> None:
    """Give back what torch keeps of freed memory, which may be in pieces too small to use."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
