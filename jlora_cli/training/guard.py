"""Watches the live run and stops it when it can no longer end well."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from jlora_cli.errors import refuse

if TYPE_CHECKING:
    from peft import PeftModel

_PATIENCE = 3
_SKIPPED_IN_A_ROW = 8


class Guard:
    """Raises as soon as a loss is not finite, or the adapter turns out not to learn.

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

    def check_loss(self, loss: float, step: int, origins: tuple[str, ...]) -> None:
        """Before the optimizer moves.

        Raises:
            JloraError: the loss is infinite or not a number; names the rows of the batch.
        """
        if not math.isfinite(loss):
            raise refuse("guard.loss_not_finite", step=step, rows=", ".join(origins[:8]))

    def check_gradient(self, norm: float, step: int, *, scaled: bool) -> None:
        """Before the optimizer moves; in float16 the loss scaler skips a step now and then.

        Raises:
            JloraError: the gradient is not finite (in float16: several times in a row).
        """
        finite = math.isfinite(norm)
        self._moves += finite
        self._skipped = 0 if finite else self._skipped + 1
        if self._skipped > (_SKIPPED_IN_A_ROW if scaled else 0):
            raise refuse("guard.gradient_not_finite", step=step)

    def check_adapter(self, step: int) -> None:
        """After the optimizer moved.

        Raises:
            JloraError: after a few moves no lora_B tensor has changed.
        """
        if self._moves < self._patience or not self._before:
            return
        pairs = zip(self._watched, self._before, strict=True)
        if all(torch.equal(now, before) for now, before in pairs):
            raise refuse("guard.adapter_dead", step=step)
        self._before = []


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch says that memory ran out; only CUDA has a class of its own for it."""
    said = str(error).lower()
    return (
        isinstance(error, torch.OutOfMemoryError)
        or "out of memory" in said
        or "can't allocate memory" in said
    )
