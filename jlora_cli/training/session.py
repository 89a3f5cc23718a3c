"""The one place where a run is told from start to end: a proposal -> a finished run folder."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from jlora_cli.errors import JloraError, refuse
from jlora_cli.events import Evaluated, Notify, Sampled, Saved, Stage, StepDone, Warned, ignore
from jlora_cli.hub import find_model
from jlora_cli.messages import say
from jlora_cli.model import adapter_state, fingerprint
from jlora_cli.report import write_report
from jlora_cli.run_folder import RECORD, append_json, make_run_folder, write_json
from jlora_cli.training import checkpoints
from jlora_cli.training.batches import steps
from jlora_cli.training.checkpoints import Trained
from jlora_cli.training.fitting import MicroBatch
from jlora_cli.training.guard import Guard, GuardError, check_result
from jlora_cli.training.interruption import Interruption
from jlora_cli.training.loading import as_loaded, go_on_from, load
from jlora_cli.training.loss import mean_loss
from jlora_cli.training.optimizer import make_optimizer, make_scheduler, remove_noise
from jlora_cli.training.record import Clock, Identity, Progress, build_card, build_record
from jlora_cli.training.saving import keep_rows, sample_answers, save_adapter
from jlora_cli.training.step import Stepper
from jlora_cli.training.trend import Trend

if TYPE_CHECKING:
    from accelerate import Accelerator
    from transformers import PreTrainedModel

    from jlora_cli.config import RunConfig
    from jlora_cli.finding import Finding
    from jlora_cli.proposal import Proposal


def train(
    proposal: Proposal,
    notify: Notify = ignore,
    *,
    resume: bool = False,
    from_adapter: str | None = None,
) -> dict[str, Any]:
    """Run `proposal` and return its record, which also stands in the run folder's run.json.

    Raises:
        JloraError: the run cannot start, and nothing was written; or it had to be stopped, and
            what was reached is saved.
    """
    return tell(prepare(proposal, notify, Clock(), resume=resume, from_adapter=from_adapter))


def tell(run: Run) -> dict[str, Any]:
    """From the first answers of a prepared run to its record; see `train`."""
    with Interruption() as interruption:
        try:
            return run.tell(interruption)
        except GuardError as stop:
            run.end_stopped(stop)
            raise
        except JloraError as error:
            run.end("failed", problem=error.problem)
            raise
        except OSError as error:  # only files of the run folder are touched in there
            with suppress(OSError):
                run.end("failed", problem=str(error))
            problem = error.strerror or error
            raise refuse("source.cannot_write", path=run.output, problem=problem) from error


def prepare(  # noqa: PLR0913 - a run's ways to begin
    proposal: Proposal,
    notify: Notify,
    clock: Clock,
    *,
    resume: bool = False,
    from_adapter: str | None = None,
    base: PreTrainedModel | None = None,
) -> Run:
    """Load all that a run needs, as it begins or as its newest checkpoint left it.

    `base`: the model where it is loaded already, by a run that gave it back.

    Raises:
        JloraError: the base, the adapter to go on from or the checkpoint cannot be used; the run
            folder is as it was.
    """
    notify(Stage("train.stage.loading", {"model": proposal.config.model}))
    folder = find_model(proposal.config.model or "", what="weights")
    identity = Identity(fingerprint(folder), from_adapter)
    adapter = None
    if from_adapter is not None:
        proposal, artifact = go_on_from(
            proposal, from_adapter, identity.base_fingerprint, folder=folder
        )
        adapter = artifact.adapter
        if (artifact.card or {}).get("prompt") not in (None, proposal.format.as_json()):
            notify(Warned(say("train.other_prompt", source=from_adapter)))
    output = Path(proposal.config.output or "")
    wanted = identity.as_json(proposal)
    checkpoint = checkpoints.find_to_resume(output, wanted, notify) if resume else None
    torch.manual_seed(proposal.config.seed)
    adapted, accelerator = load(proposal, folder, adapter, base)
    config = proposal.config
    optimizer = accelerator.prepare_optimizer(make_optimizer(adapted, config))
    scheduler = make_scheduler(optimizer, config, proposal.plan.optimizer_steps)
    trained = Trained(adapted, optimizer, scheduler)
    run = Run(as_loaded(proposal, adapted), identity, trained, accelerator, notify, clock)
    make_run_folder(run.output)
    if checkpoint is not None:
        run.restore(checkpoint)
    return run


class Run:
    """One training run over one run folder."""

    def __init__(  # noqa: PLR0913 - the parts that `prepare` has put together
        self,
        proposal: Proposal,
        identity: Identity,
        trained: Trained,
        accelerator: Accelerator,
        notify: Notify,
        clock: Clock,
    ) -> None:
        self.proposal = proposal
        self.config: RunConfig = proposal.config
        self.identity = identity
        self.trained = trained
        self.accelerator = accelerator
        self.notify = notify
        self.clock = clock
        self.output = Path(self.config.output or "")
        self.total_steps = proposal.plan.optimizer_steps
        self.progress = Progress()
        self.best: dict[str, torch.Tensor] | None = None
        self.micro_batch = MicroBatch(self.config.batch_size, self._find)
        self.stepper = Stepper(
            trained,
            accelerator,
            self.config,
            pad_id=proposal.format.pad_id or 0,
            guard=Guard(trained.adapted, steps=self.total_steps),
            micro_batch=self.micro_batch,
        )
        per_epoch = math.ceil(len(proposal.train.rows) / self._rows_per_step)
        self.trend = Trend(self.config, per_epoch=per_epoch, total=self.total_steps)

    @property
    def _rows_per_step(self) -> int:
        return self.config.batch_size * self.config.gradient_accumulation_steps

    def restore(self, checkpoint: Path) -> None:
        """Put everything back as `checkpoint` has it; what was logged after it is forgotten."""
        self.best = checkpoints.restore(checkpoint, self.trained)
        self.progress = Progress(**checkpoints.read_progress(checkpoint)["progress"])
        step = self.progress.step
        self.micro_batch.rows = self.progress.micro_batch_size or self.config.batch_size
        self.stepper.guard = Guard(self.trained.adapted, steps=self.total_steps - step)
        keep_rows(self.output / "metrics.jsonl", lambda row: row["step"] <= step)
        # A run that begins anew answers anew; every run answers at its end.
        keep_rows(
            self.output / "samples.jsonl",
            lambda row: row["when"] != "after" and row["step"] <= step and step > 0,
        )
        self.notify(Stage("train.stage.resumed", {"step": step, "path": checkpoint}))

    def tell(self, interruption: Interruption) -> dict[str, Any]:
        """From the first answers to the finished record."""
        if self.progress.step == 0 and interruption.signal is None:
            self._sample("before")
        self.notify(Stage("train.stage.training", {"steps": self.total_steps}))
        if self._loop(interruption):
            self._checkpoint()
            return self.end("interrupted", signal=interruption.signal)
        self._save_adapter()
        self._sample("after")
        return self.end("finished")

    # -- the loop ----------------------------------------------------------------------------

    def _loop(self, interruption: Interruption) -> bool:
        """Optimizer steps until the end, an early stop or an interruption; True for the last."""
        order = steps(
            len(self.proposal.train.rows),
            per_step=self._rows_per_step,
            seed=self.config.seed,
            total_steps=self.total_steps,
        )
        self.trained.adapted.train()
        for number, chosen in enumerate(order, start=1):
            if number <= self.progress.step:
                continue
            if interruption.signal is not None:
                return True
            self._advance(number, chosen)
            if self._is_due(number, self.config.evaluation_steps, at_end=True) and self._evaluate():
                self.notify(Warned(say("train.stopped_early", step=number)))
                break
            if self._is_due(number, self.config.sample_steps):
                self._sample("during")
            # An interrupted run saves itself in a moment.
            if number % int(self.config.checkpoint_steps) == 0 and interruption.signal is None:
                self._checkpoint()
        return False

    def _is_due(self, number: int, every: int | str | None, *, at_end: bool = False) -> bool:
        """Whether something happens after this step; at the last one only where that is said."""
        if number == self.total_steps:
            return at_end
        return every is not None and number % int(every) == 0

    def _advance(self, number: int, chosen: list[int]) -> None:
        """One optimizer step, told to whoever listens."""
        progress = self.progress
        rows = [self.proposal.train.rows[i] for i in chosen]
        before = time.monotonic()
        rate = float(self.trained.scheduler.get_last_lr()[0])
        taken = self.stepper.take(number, rows)
        seconds, tokens = time.monotonic() - before, sum(len(row.ids) for row in rows)
        progress.note(number, taken, tokens=tokens, seconds=seconds)
        self.micro_batch.watch(number, seconds=seconds, tokens=tokens)
        speed = progress.tokens / max(progress.seconds, 1e-9)
        left = progress.seconds / number * (self.total_steps - number)
        event = StepDone(number, self.total_steps, taken.loss, rate, speed, left)
        self.notify(event)
        if number % self.config.logging_steps == 0:
            append_json(self.output / "metrics.jsonl", {"kind": "step", **asdict(event)})
        self._judge()

    def _judge(self) -> None:
        """Say once where the loss does not fall."""
        if any(item["id"] == "loss-not-falling" for item in self.progress.findings):
            return
        finding = self.trend.judge(self.progress)
        if finding is not None:
            self._find(finding)

    def _find(self, finding: Finding) -> None:
        """A finding of the live run: told at once, and kept for the record."""
        self.progress.findings.append(finding.as_json())
        self.progress.micro_batch_size = self.micro_batch.rows
        text = {"evidence": finding.evidence, "consequence": finding.consequence}
        self.notify(Warned(say("train.found", **text, remedy=finding.remedy)))

    def _evaluate(self) -> bool:
        """Score the validation rows; True when the run should stop early."""
        rows, config, progress = self.proposal.validation.rows, self.config, self.progress
        if not rows:
            return False
        loss = self.micro_batch.fit(self._score, rows, step=progress.step)
        progress.validation_loss = loss
        event = Evaluated(progress.step, loss)
        self.notify(event)
        append_json(self.output / "metrics.jsonl", {"kind": "evaluation", **asdict(event)})
        if progress.best_loss is None or loss < progress.best_loss:
            progress.best_loss, progress.worse = loss, 0
            self._remember_best()
        else:
            progress.worse += 1
        return progress.worse > (config.early_stopping_patience or math.inf)

    def _score(self, size: int) -> float:
        """The mean loss over the validation rows, `size` of them at a time."""
        with self.accelerator.autocast():
            return mean_loss(
                self.trained.adapted,
                self.proposal.validation.rows,
                batch_size=size,
                packing=self.config.packing is True,
                pad_id=self.proposal.format.pad_id or 0,
            )

    def give_back_base(self) -> PreTrainedModel:
        """The base without the adapter, for another run; this one is over."""
        base: PreTrainedModel = self.trained.adapted.unload()
        remove_noise(base)
        return base

    # -- what stays --------------------------------------------------------------------------

    def _remember_best(self) -> None:
        if self.config.early_stopping_patience is not None:
            state = adapter_state(self.trained.adapted)
            self.best = {name: tensor.detach().clone() for name, tensor in state.items()}

    def _checkpoint(self) -> None:
        folder, step = self.output / "checkpoints", self.progress.step
        state = {
            "identity": self.identity.as_json(self.proposal),
            "progress": asdict(self.progress),
        }
        path = checkpoints.save(folder, step, self.trained, state, best=self.best)
        checkpoints.keep_newest(folder, self.config.keep_checkpoints, step=step)
        self.notify(Saved(step, str(path)))

    def _save_adapter(self) -> None:
        """The adapter folder: the best adapter where the run watched for it, else the last."""
        from peft import set_peft_model_state_dict  # noqa: PLC0415

        adapted = self.trained.adapted
        if self.best is not None:
            set_peft_model_state_dict(adapted, self.best)
            self.progress.validation_loss = self.progress.best_loss
        card = build_card(self.proposal, self.identity)
        portable = save_adapter(self.output, adapted, self.proposal, card)
        self.notify(portable.event())

    def _sample(self, when: str) -> None:
        """Answers to the sample prompts, greedy, beside those of other times."""
        prompts, step = self.proposal.prompts, self.progress.step
        if not prompts:
            return
        if when != "during":
            self.notify(Stage(f"train.stage.sample_{when}", {"count": len(prompts)}))
        with self.accelerator.autocast():
            for row in sample_answers(self.trained.adapted, self.proposal, self.notify):
                append_json(self.output / "samples.jsonl", {"when": when, "step": step, **row})
                if when == "during":
                    self.notify(Sampled(step, row["prompt"], row["answer"]))

    def end_stopped(self, stop: GuardError) -> None:
        """Keep the state before the step that was given up, and write how the run ended."""
        with suppress(JloraError):
            if self.progress.step > 0:
                check_result(adapter_state(self.trained.adapted))
                self._checkpoint()
        self.end("failed", problem=stop.problem, step=stop.step, rows=list(stop.rows))

    def end(self, status: str, **how: object) -> dict[str, Any]:
        """Write run.json, the last file of a run folder, and the report; returns the record."""
        parts = build_record(
            self.proposal, self.identity, self.progress, self.trained.adapted, self.clock
        )
        record = {"status": status, **how, **parts}
        if status == "finished":
            write_report(self.output, record)
        write_json(self.output / RECORD, record)
        return record
