"""One optimizer step: rows in micro-batches -> gradients of the whole step -> the move."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from jlora_cli.training.guard import GuardError
from jlora_cli.training.loss import make_batch, summed_loss
from jlora_cli.training.randomness import put_back, random_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accelerate import Accelerator

    from jlora_cli.config import RunConfig
    from jlora_cli.prompt import Encoded
    from jlora_cli.training.batches import Batch
    from jlora_cli.training.checkpoints import Trained
    from jlora_cli.training.fitting import MicroBatch
    from jlora_cli.training.guard import Guard
    from jlora_cli.training.processes import World


class Taken(NamedTuple):
    """A step that was taken: its loss is the mean in nats over `supervised` tokens of its rows."""

    loss: float
    supervised: int
    clipped: bool


class Stepper:
    """Takes optimizer steps, each watched by a guard and fitted into memory."""

    def __init__(  # noqa: PLR0913 - the parts that a run has put together
        self,
        trained: Trained,
        accelerator: Accelerator,
        config: RunConfig,
        *,
        pad_id: int,
        guard: Guard,
        micro_batch: MicroBatch,
        world: World,
    ) -> None:
        self.trained = trained
        self.accelerator = accelerator
        self.config = config
        self.pad_id = pad_id
        self.guard = guard
        self.micro_batch = micro_batch
        self.world = world
        self.moved = [p for p in trained.adapted.parameters() if p.requires_grad]

    def take(self, number: int, rows: Sequence[Encoded]) -> Taken:
        """Step `number` over `rows`, which the processes of the run share out.

        Raises:
            GuardError: the guard stops the run; if before the optimizer moved, weights and random
                numbers are those before the step.
        """
        drawn = random_state()

        def undo() -> None:
            self.trained.optimizer.zero_grad(set_to_none=True)
            put_back(drawn)

        supervised = max(1, sum(row.supervised for row in rows))
        own = self.world.part(rows)
        try:
            part = self.micro_batch.fit(
                lambda size: self._gradients(number, own, size, supervised),
                rows,
                step=number,
                again=undo,
            )
            (loss,) = self.world.add(part)
            self.world.add_gradients(self.moved)
            clipped = self._clip(number, rows)
        except GuardError:
            undo()
            raise
        self._move(number)
        return Taken(loss, supervised, clipped)

    def _gradients(self, number: int, rows: Sequence[Encoded], size: int, supervised: int) -> float:
        """Gradients of these rows' share of the step's loss; returns that share."""
        packing = self.config.packing is True
        total = 0.0
        for start in range(0, len(rows), size):
            chosen = rows[start : start + size]
            batch = make_batch(chosen, packing=packing, pad_id=self.pad_id)
            total += self._learn(number, batch, supervised)
        return total

    def _learn(self, number: int, batch: Batch, supervised: int) -> float:
        """Gradients of one micro-batch; returns its share of the step's loss."""
        adapted = self.trained.adapted
        with self.accelerator.autocast():
            loss = summed_loss(adapted, batch.to(adapted.device)) / supervised
        value = float(loss.detach())
        self.guard.check_loss(value, number, batch.origins)
        self.accelerator.backward(loss)
        return value

    def _clip(self, number: int, rows: Sequence[Encoded]) -> bool:
        """Clip the gradient; whether it had to be."""
        scaler = self.accelerator.scaler
        scale = None if scaler is None else float(scaler.get_scale())
        limit = self.config.max_grad_norm
        norm = float(self.accelerator.clip_grad_norm_(self.moved, limit))
        self.guard.check_gradient(norm, number, [row.origin for row in rows], scale=scale)
        return norm > limit

    def _move(self, number: int) -> None:
        self.trained.optimizer.step()
        self.trained.optimizer.zero_grad(set_to_none=True)
        self.guard.check_adapter(number)
        self.trained.scheduler.step()
