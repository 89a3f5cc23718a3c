"""Whether the loss falls, and what most likely holds it up where it does not. Pure."""

from __future__ import annotations

import math
from statistics import fmean, variance
from typing import TYPE_CHECKING

from jlora_cli.finding import found
from jlora_cli.messages import say
from jlora_cli.preflight import USUAL_RATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jlora_cli.config import RunConfig
    from jlora_cli.finding import Finding
    from jlora_cli.training.record import Progress

_LEAST_STEPS = 5  # of a window
_FALL = 0.01  # a run that learns loses more than this share of its loss
_BEGINNING = 10  # steps: a long window would hold most of a quick fall
# What is little in an optimizer step or a run.
_FEW_TOKENS, _FEW_STEPS = 16, 50
_NEARLY_ALWAYS = 0.9


class Trend:
    """Compares the newest steps of a run with its first ones.

    A window is made of whole epochs where the run has two of them: they hold the same rows, so
    that only what was learned can move their mean loss. Of a run that sees its rows once, a third
    is compared with another, and what the rows' difference may do is allowed for.

    Args:
        config: the settled settings of the run.
        per_epoch: optimizer steps of an epoch.
        total: optimizer steps of the run.
    """

    def __init__(self, config: RunConfig, *, per_epoch: int, total: int) -> None:
        self._config = config
        self._total = total
        whole = per_epoch * math.ceil(_LEAST_STEPS / per_epoch)
        self._same_rows = 2 * whole <= total
        self.window = whole if self._same_rows else total // 3

    def judge(self, progress: Progress) -> Finding | None:
        """The finding `loss-not-falling` about the run so far, from its middle on."""
        step, window = progress.step, self.window
        if window < _LEAST_STEPS or step % window or step < max(2 * window, self._total / 2):
            return None
        first = _mean(progress.losses[:window], progress.supervised[:window])
        last = _mean(
            progress.losses[step - window : step], progress.supervised[step - window : step]
        )
        if self._begin(progress, first) - last + self._noise(progress) > _FALL * first:
            return None
        cause = self._cause(progress, rose=last > (1 + _FALL) * first)
        return found(
            "loss-not-falling",
            first=f"{first:.3f}",
            last=f"{last:.3f}",
            window=window,
            step=step,
            cause=say(f"loss-not-falling.cause.{cause}", **self._figures(progress)),
            advice=say(f"loss-not-falling.advice.{cause}"),
        )

    def _begin(self, progress: Progress, first: float) -> float:
        """The loss that the run began with: its first window's, or its very first steps'."""
        if self.window < _LEAST_STEPS * _BEGINNING:
            return first
        begin = progress.losses[:_BEGINNING]
        return max(first, fmean(begin) - _error(begin))

    def _noise(self, progress: Progress) -> float:
        """How far the two windows may differ by their rows alone (a standard error), in nats."""
        if self._same_rows:
            return 0.0
        parts = (progress.losses[: self.window], progress.losses[-self.window :])
        return math.hypot(*map(_error, parts))

    def _cause(self, progress: Progress, *, rose: bool) -> str:
        config, step = self._config, progress.step
        tokens = fmean(progress.supervised)
        low, high = USUAL_RATES
        causes = {
            "warmup": int(config.warmup_steps) > step / 2,
            "rate_low": config.learning_rate < low,
            "rate_high": rose or config.learning_rate > high,
            "few_tokens": tokens < _FEW_TOKENS,
            "few_steps": self._total < _FEW_STEPS,
            "clipped": progress.clipped > _NEARLY_ALWAYS * step,
        }
        return next((cause for cause, is_it in causes.items() if is_it), "unknown")

    def _figures(self, progress: Progress) -> dict[str, object]:
        return {
            "rate": f"{self._config.learning_rate:g}",
            "warmup": self._config.warmup_steps,
            "tokens": round(fmean(progress.supervised)),
            "steps": self._total,
            "clipped": f"{progress.clipped / progress.step:.0%}",
            "limit": f"{self._config.max_grad_norm:g}",
        }


def _mean(losses: Sequence[float], weights: Sequence[int]) -> float:
    """The loss per supervised token over some steps."""
    total = sum(loss * weight for loss, weight in zip(losses, weights, strict=True))
    return total / max(sum(weights), 1)


def _error(losses: Sequence[float]) -> float:
    """The standard error of the mean of these losses."""
    return math.sqrt(variance(losses) / len(losses))
