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
from jlora_cli.events import Evaluated, Notify, Saved, Stage, StepDone, Warned, ignore
from jlora_cli.hub import find_model
from jlora_cli.messages import say
from jlora_cli.model import adapter_state, fingerprint
from jlora_cli.report import write_report
from jlora_cli.run_folder import RECORD, append_json, make_run_folder, write_json
from jlora_cli.training import checkpoints
from jlora_cli.training.batches import steps
from jlora_cli.training.checkpoints import Trained
from jlora_cli.training.guard import Guard, is_out_of_memory
from jlora_cli.training.interruption import Interruption
from jlora_cli.training.loading import as_loaded, go_on_from, load
from jlora_cli.training.loss import make_batch, mean_loss, summed_loss
from jlora_cli.training.optimizer import make_optimizer, make_scheduler
from jlora_cli.training.record import Clock, Identity, Progress, build_card, build_record
from jlora_cli.training.saving import keep_rows, sample_answers, save_adapter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accelerate import Accelerator

    from jlora_cli.config import RunConfig
    from jlora_cli.prompt import Encoded
    from jlora_cli.proposal import Proposal
    from jlora_cli.training.batches import Batch


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
    run = prepare(proposal, notify, Clock(), resume=resume, from_adapter=from_adapter)
    with Interruption() as interruption:
        try:
            return run.tell(interruption)
        except JloraError as error:
            run.end("failed", problem=error.problem)
            raise
        except OSError as error:  # only files of the run folder are touched in there
            with suppress(OSError):
                run.end("failed", problem=str(error))
            problem = error.strerror or error
            raise refuse("source.cannot_write", path=run.output, problem=problem) from error


def prepare(
    proposal: Proposal, notify: Notify, clock: Clock, *, resume: bool, from_adapter: str | None
) -> Run:
    """Load all that a run needs, as it begins or as its newest checkpoint left it.

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
    adapted, accelerator = load(proposal, folder, adapter)
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
        self.guard = Guard(trained.adapted, steps=self.total_steps)

    def restore(self, checkpoint: Path) -> None:
        """Put everything back as `checkpoint` has it; what was logged after it is forgotten."""
        self.best = checkpoints.restore(checkpoint, self.trained)
        self.progress = Progress(**checkpoints.read_progress(checkpoint)["progress"])
        step = self.progress.step
        self.guard = Guard(self.trained.adapted, steps=self.total_steps - step)
        keep_rows(self.output / "metrics.jsonl", lambda row: row["step"] <= step)
        keep_rows(self.output / "samples.jsonl", lambda row: row["when"] == "before" and step > 0)
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
        config, progress = self.config, self.progress
        order = steps(
            len(self.proposal.train.rows),
            batch_size=config.batch_size,
            accumulation=config.gradient_accumulation_steps,
            seed=config.seed,
            total_steps=self.total_steps,
        )
        self.trained.adapted.train()
        for number, micro_batches in enumerate(order, start=1):
            if number <= progress.step:
                continue
            if interruption.signal is not None:
                return True
            self._advance(number, micro_batches)
            due = number % int(config.evaluation_steps) == 0 or number == self.total_steps
            if due and self._evaluate():
                self.notify(Warned(say("train.stopped_early", step=number)))
                break
            # An interrupted run saves itself in a moment.
            if number % int(config.checkpoint_steps) == 0 and interruption.signal is None:
                self._checkpoint()
        return False

    def _advance(self, number: int, micro_batches: list[list[int]]) -> None:
        """One optimizer step, told to whoever listens."""
        progress, rows = self.progress, self.proposal.train.rows
        before = time.monotonic()
        batches = [self._batch([rows[i] for i in chosen]) for chosen in micro_batches]
        rate = float(self.trained.scheduler.get_last_lr()[0])
        loss = self._step(number, batches)
        self.trained.scheduler.step()
        progress.step = number
        progress.tokens += sum(batch.tokens for batch in batches)
        progress.losses.append(loss)
        progress.seconds += time.monotonic() - before
        speed = progress.tokens / max(progress.seconds, 1e-9)
        left = progress.seconds / number * (self.total_steps - number)
        event = StepDone(number, self.total_steps, loss, rate, speed, left)
        self.notify(event)
        if number % self.config.logging_steps == 0:
            append_json(self.output / "metrics.jsonl", {"kind": "step", **asdict(event)})

    def _batch(self, rows: Sequence[Encoded]) -> Batch:
        pad_id = self.proposal.format.pad_id or 0
        return make_batch(rows, packing=self.config.packing is True, pad_id=pad_id)

    def _step(self, number: int, batches: list[Batch]) -> float:
        """One optimizer step; returns the mean loss in nats per supervised token of all batches."""
        supervised = max(1, sum(len(batch.targets) for batch in batches))
        total = sum(self._learn(number, batch, supervised) for batch in batches)
        adapted, optimizer, _ = self.trained
        moved = [p for p in adapted.parameters() if p.requires_grad]
        norm = float(self.accelerator.clip_grad_norm_(moved, self.config.max_grad_norm))
        self.guard.check_gradient(norm, number, scaled=self.config.precision == "float16")
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        self.guard.check_adapter(number)
        return total

    def _learn(self, number: int, batch: Batch, supervised: int) -> float:
        """Gradients of one micro-batch; returns its share of the step's loss."""
        adapted = self.trained.adapted
        try:
            with self.accelerator.autocast():
                loss = summed_loss(adapted, batch.to(adapted.device)) / supervised
            value = float(loss.detach())
            self.guard.check_loss(value, number, batch.origins)
            self.accelerator.backward(loss)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            rows, tokens = len(batch.origins), batch.tokens
            raise refuse("guard.out_of_memory", step=number, rows=rows, tokens=tokens) from error
        return value

    def _evaluate(self) -> bool:
        """Score the validation rows; True when the run should stop early."""
        rows, config, progress = self.proposal.validation.rows, self.config, self.progress
        if not rows:
            return False
        with self.accelerator.autocast():
            loss = mean_loss(
                self.trained.adapted,
                rows,
                batch_size=config.batch_size,
                packing=config.packing is True,
                pad_id=self.proposal.format.pad_id or 0,
            )
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
        """Answers to the sample prompts, greedy, beside those of the other end of the run."""
        prompts = self.proposal.prompts
        if not prompts:
            return
        self.notify(Stage(f"train.stage.sample_{when}", {"count": len(prompts)}))
        with self.accelerator.autocast():
            for row in sample_answers(self.trained.adapted, self.proposal):
                told = {"when": when, "step": self.progress.step, **row}
                append_json(self.output / "samples.jsonl", told)

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
