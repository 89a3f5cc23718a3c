"""One optimizer step: rows in micro-batches -> gradients of the whole step -> the move."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from jlora_cli.order import micro_batches
from jlora_cli.training.guard import GuardError
from jlora_cli.training.loss import make_batch, summed_loss
from jlora_cli.training.randomness import put_back, random_state

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

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
    """Takes optimizer steps, each watched by a guard and fitted into memory.

    `filled_to`: the tokens that packed micro-batches of so many rows are filled up to, where
    kernels are compiled for one shape.
    """

    def __init__(  # noqa: PLR0913 - the parts that a run has put together
        self,
        trained: Trained,
        config: RunConfig,
        *,
        pad_id: int,
        guard: Guard,
        micro_batch: MicroBatch,
        world: World,
        filled_to: Callable[[int], int] = lambda _: 0,
    ) -> None:
        self.trained = trained
        self.config = config
        self.pad_id = pad_id
        self.guard = guard
        self.micro_batch = micro_batch
        self.world = world
        self.filled_to = filled_to
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
        try:
            part = self.micro_batch.fit(
                lambda size: self._gradients(number, self._own(rows, size), supervised, size),
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

    def _own(self, rows: Sequence[Encoded], size: int) -> Sequence[list[Encoded]]:
        """This process's micro-batches of `size` rows at most."""
        lengths = [len(row.ids) for row in rows]
        parts = micro_batches(range(len(rows)), lengths, size, packing=self.config.packing is True)
        return self.world.part([[rows[at] for at in part] for part in parts])

    def _gradients(
        self, number: int, parts: Sequence[Sequence[Encoded]], supervised: int, size: int
    ) -> float:
        """Gradients of these micro-batches' share of the step's loss; returns that share.

        The losses are looked at when all are made: to ask a GPU for each would let it wait.
        """
        packing, filled_to = self.config.packing is True, self.filled_to(size)
        losses: list[tuple[torch.Tensor, tuple[str, ...]]] = []
        for rows in parts:
            batch = make_batch(rows, packing=packing, pad_id=self.pad_id, filled_to=filled_to)
            losses.append((self._learn(batch, supervised), batch.origins))
        for loss, origins in losses:
            self.guard.check_loss(float(loss), number, origins)
        return sum(float(loss) for loss, _ in losses)

    def _learn(self, batch: Batch, supervised: int) -> torch.Tensor:
        """Gradients of one micro-batch; returns its share of the step's loss."""
        adapted, precision = self.trained.adapted, self.trained.precision
        with precision.autocast():
            loss = summed_loss(adapted, batch.to(adapted.device)) / supervised
        precision.backward(loss)
        return loss.detach()

    def _clip(self, number: int, rows: Sequence[Encoded]) -> bool:
        """Clip the gradient; whether it had to be."""
        precision, limit = self.trained.precision, self.config.max_grad_norm
        scale = None if precision.scaler is None else float(precision.scaler.get_scale())
        norm = float(precision.clip(self.trained.optimizer, self.moved, limit))
        self.guard.check_gradient(norm, number, [row.origin for row in rows], scale=scale)
        return norm > limit

    def _move(self, number: int) -> None:
        self.trained.precision.move(self.trained.optimizer)
        self.guard.check_adapter(number)
        self.trained.scheduler.step()
