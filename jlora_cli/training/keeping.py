"""What a run leaves in its folder, and what it says meanwhile: from one of its processes only."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jlora_cli.events import Sampled, Saved, Stage
from jlora_cli.report import write_report
from jlora_cli.run_folder import RECORD, append_json, write_json
from jlora_cli.training import checkpoints
from jlora_cli.training.loggers import shown_config
from jlora_cli.training.randomness import random_state
from jlora_cli.training.record import build_card, build_record
from jlora_cli.training.saving import keep_rows, last_step, sample_answers, save_adapter

if TYPE_CHECKING:
    import torch

    from jlora_cli.events import Evaluated, Notify, StepDone
    from jlora_cli.proposal import Proposal
    from jlora_cli.training.checkpoints import Trained
    from jlora_cli.training.loggers import Loggers
    from jlora_cli.training.processes import World
    from jlora_cli.training.record import Clock, Identity, Progress

METRICS, SAMPLES = "metrics.jsonl", "samples.jsonl"


@dataclass(frozen=True)
class Keeper:
    """Writes a run's folder; in all processes but the first it does nothing."""

    proposal: Proposal
    identity: Identity
    trained: Trained
    world: World
    notify: Notify
    clock: Clock
    loggers: Loggers

    @property
    def output(self) -> Path:
        """The run's folder."""
        return Path(self.proposal.config.output or "")

    def log(self, kind: str, event: StepDone | Evaluated, *, kept: bool = True) -> None:
        """Tell `event`, and keep it in the metrics and the curves."""
        self.notify(event)
        if kept and self.world.leads:
            append_json(self.output / METRICS, {"kind": kind, **asdict(event)})
            self.loggers.log(event)

    def open_loggers(self, step: int) -> None:
        """Begin the curves, or go on with them after `step`."""
        self.loggers.open(self.output, shown_config(self.proposal.resolved), step=step)

    def forget_after(self, step: int) -> None:
        """Take out of metrics and samples what a resumed run will do again."""
        if not self.world.leads:
            return
        self.loggers.known = last_step(self.output / METRICS)
        keep_rows(self.output / METRICS, lambda row: row["step"] <= step)
        # A run that begins anew answers anew; every run answers at its end.
        keep_rows(
            self.output / SAMPLES,
            lambda row: row["when"] != "after" and row["step"] <= step and step > 0,
        )

    def sample(self, when: str, step: int) -> None:
        """Answers to the sample prompts, greedy, beside those of other times."""
        prompts = self.proposal.prompts
        if not prompts or not self.world.leads:
            return
        if when != "during":
            self.notify(Stage(f"train.stage.sample_{when}", {"count": len(prompts)}))
        with self.trained.precision.autocast():
            for row in sample_answers(self.trained.adapted, self.proposal, self.notify):
                append_json(self.output / SAMPLES, {"when": when, "step": step, **row})
                if when == "during":
                    self.notify(Sampled(step, row["prompt"], row["answer"]))

    def checkpoint(self, progress: Progress, best: dict[str, torch.Tensor] | None) -> None:
        """The run as it stands now, to be resumed from; every process takes part.

        Raises:
            JloraError: it cannot be written; older checkpoints are untouched.
        """
        random = self.world.share(random_state())
        if not self.world.leads:
            return
        folder, step = self.output / "checkpoints", progress.step
        state = {"identity": self.identity.as_json(self.proposal), "progress": asdict(progress)}
        beside = checkpoints.Beside(best, random)
        path = checkpoints.save(folder, step, self.trained, state, beside)
        checkpoints.keep_newest(folder, self.proposal.config.keep_checkpoints, step=step)
        self.notify(Saved(step, str(path)))

    def adapter(self) -> None:
        """The adapter folder.

        Raises:
            JloraError: the adapter is no result.
        """
        if not self.world.leads:
            return
        card = build_card(self.proposal, self.identity)
        portable = save_adapter(self.output, self.trained.adapted, self.proposal, card)
        self.notify(portable.event())

    def end(self, progress: Progress, status: str, **how: object) -> dict[str, Any]:
        """Write run.json, the last file of a run folder, and the report; returns the record."""
        adapted = self.trained.adapted
        parts = build_record(self.proposal, self.identity, progress, adapted, self.clock)
        record = {"status": status, **how, **parts}
        if self.world.leads:
            if status == "finished":
                write_report(self.output, record)
            write_json(self.output / RECORD, record)
            self.loggers.close()
        return record
