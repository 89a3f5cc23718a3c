"""Mixed precision: what is computed in half precision, and float16's loss scaling."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import torch

from jlora_cli.model import DTYPES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from torch.optim import Optimizer


class Precision:
    """How a run on `device` computes; `scaler` is there in float16 only."""

    def __init__(self, name: str, device: str) -> None:
        self._dtype, self._device = DTYPES[name], device
        self.scaler = torch.amp.GradScaler(device) if name == "float16" else None

    def autocast(self) -> AbstractContextManager[object]:
        """What the forward pass runs in."""
        if self._dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self._device, self._dtype)

    def backward(self, loss: torch.Tensor) -> None:
        """Add the gradients of `loss`."""
        (loss if self.scaler is None else self.scaler.scale(loss)).backward()  # type: ignore[no-untyped-call]

    def clip(
        self, optimizer: Optimizer, moved: Sequence[torch.nn.Parameter], limit: float
    ) -> torch.Tensor:
        """Clip the gradients of `moved` to `limit`; returns their norm before, unscaled."""
        if self.scaler is not None:
            self.scaler.unscale_(optimizer)
        return torch.nn.utils.clip_grad_norm_(moved, limit)

    def move(self, optimizer: Optimizer) -> None:
        """Take the optimizer's step; in float16 not where a gradient has overflowed."""
        if self.scaler is None:
            optimizer.step()
        else:
            self.scaler.step(optimizer)
            self.scaler.update()
        optimizer.zero_grad(set_to_none=True)
