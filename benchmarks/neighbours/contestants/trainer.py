"""What stands between transformers' Trainer and a watch: a callback in every Trainer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback, trainer

if TYPE_CHECKING:
    from benchmarks.neighbours.contestants.watch import Watch


class Watching(TrainerCallback):
    """Tells `watch` of the loop, and keeps the rows that were trained on."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.rows: Any = ()

    def on_train_begin(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """All is loaded and prepared."""
        self.rows = parts["train_dataloader"].dataset
        self.watch.begin()

    def on_train_end(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """The last step is done, nothing is saved."""
        self.watch.end(state.global_step)


def watched(watch: Watch) -> Watching:
    """A callback that every Trainer made from now on has."""
    made = Watching(watch)
    trainer.DEFAULT_CALLBACKS.append(made)
    return made
