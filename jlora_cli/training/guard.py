"""Watches the live run and stops it when it can no longer end well."""

from __future__ import annotations

import math
from collections import deque
from statistics import median
from typing import TYPE_CHECKING

import torch

from jlora_cli.errors import JloraError, refuse
from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from peft import PeftModel

_PATIENCE = 3
_SKIPPED_IN_A_ROW = 8
# At 1 the loss is not scaled at all, so that an overflow is the gradient's own: the default of
# DeepSpeed's `min_loss_scale` and of Megatron-LM's `--min-loss-scale`. torch's scaler has no floor.
_LEAST_SCALE = 1.0
_NAMED_ROWS = 8


class GuardError(JloraError):
    """The run must not go on. `step` is the one that was given up, `rows` are where it looked."""

    def __init__(self, refusal: JloraError, *, step: int, rows: Sequence[str] = ()) -> None:
        super().__init__(refusal.problem, remedy=refusal.remedy)
        self.step = step
        self.rows = tuple(rows)


class Guard:
    """Raises as soon as a loss or a gradient is not finite, or the adapter turns out not to learn.

    `steps`: how many optimizer steps the run has; a short one is judged at its end.
    """

    def __init__(self, adapted: PeftModel, *, steps: int = _PATIENCE) -> None:
        self._watched = [
            p for n, p in adapted.named_parameters() if "lora_B" in n and p.requires_grad
        ]
        self._before = [p.detach().clone() for p in self._watched]
        self._patience = min(_PATIENCE, steps)
        self._moves = 0
        self._skipped = 0

    def check_loss(self, loss: float, step: int, rows: Sequence[str]) -> None:
        """Before the optimizer moves.

        Raises:
            GuardError: the loss of these rows is infinite or not a number.
        """
        if not math.isfinite(loss):
            refusal = refuse("guard.loss_not_finite", step=step, rows=_named(rows))
            raise GuardError(refusal, step=step, rows=rows)

    def check_gradient(
        self, norm: float, step: int, rows: Sequence[str], *, scale: float | None = None
    ) -> None:
        """Before the optimizer moves.

        `scale` is the loss scaler's in float16, which skips a step now and then by design.

        Raises:
            GuardError: the gradient is not finite; in float16 several times in a row, or at a scale
                that cannot fall any further.
        """
        finite = math.isfinite(norm)
        self._moves += finite
        self._skipped = 0 if finite else self._skipped + 1
        if finite:
            return
        if scale is None:
            refusal = refuse("guard.gradient_not_finite", step=step, rows=_named(rows))
        elif scale <= _LEAST_SCALE:
            refusal = refuse("guard.scale_at_floor", step=step, scale=scale, rows=_named(rows))
        elif self._skipped > _SKIPPED_IN_A_ROW:
            count = self._skipped
            refusal = refuse("guard.steps_skipped", step=step, count=count, rows=_named(rows))
        else:
            return
        raise GuardError(refusal, step=step, rows=rows)

    def check_adapter(self, step: int) -> None:
        """After the optimizer moved.

        Raises:
            GuardError: after a few moves no lora_B tensor has changed.
        """
        if self._moves < self._patience or not self._before:
            return
        pairs = zip(self._watched, self._before, strict=True)
        if all(torch.equal(now, before) for now, before in pairs):
            raise GuardError(refuse("guard.adapter_dead", step=step), step=step)
        self._before = []


def _named(rows: Sequence[str]) -> str:
    """The first rows by name, and how many more there are."""
    named, more = ", ".join(rows[:_NAMED_ROWS]), len(rows) - _NAMED_ROWS
    return say("guard.rows", named=named, more=more) if more > 0 else named


def check_result(tensors: Mapping[str, torch.Tensor]) -> None:
    """Refuse an adapter that is no result.

    Raises:
        JloraError: a tensor is not finite, or every lora_B tensor is zero.
    """
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise refuse("guard.result_not_finite", name=name)
    if not any(bool(tensor.any()) for name, tensor in tensors.items() if "lora_B" in name):
        raise refuse("guard.result_zero")


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch says that memory ran out; only CUDA has a class of its own for it."""
    said = str(error).lower()
    return (
        isinstance(error, torch.OutOfMemoryError)
        or "out of memory" in said
        or "can't allocate memory" in said
    )


class Spill:
    """Tells from outside that Windows has begun to put a GPU's tensors into shared memory.

    Its driver does so instead of failing, and a step then takes many times as long. Full memory
    alone is no sign, because torch keeps what it has freed; nor is one slow step.
    """

    _FULL = 0.05  # less than this share of dedicated memory is free
    _SLOW = 3.0  # times the median of the steps before
    _KNOWN, _KEPT, _IN_A_ROW = 5, 32, 2

    def __init__(self) -> None:
        self._usual: deque[float] = deque(maxlen=self._KEPT)
        self._slow = 0

    def note(self, seconds_per_token: float, free_share: float) -> bool:
        """True when the step just done and the one before it were spilled."""
        known = len(self._usual) >= self._KNOWN
        slow = known and seconds_per_token > self._SLOW * median(self._usual)
        if not slow or free_share >= self._FULL:
            self._usual.append(seconds_per_token)
            self._slow = 0
            return False
        self._slow += 1
        return self._slow >= self._IN_A_ROW

    def begin_anew(self) -> None:
        """Forget how long steps took: micro-batches have another size now."""
        self._usual.clear()
        self._slow = 0
