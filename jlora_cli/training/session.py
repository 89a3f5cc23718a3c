"""The one place where a run is told from start to end: a proposal -> a finished run folder."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from jlora_cli.errors import JloraError, refuse
from jlora_cli.events import Evaluated, Notify, Stage, StepDone, Warned, ignore
from jlora_cli.hub import find_model
from jlora_cli.messages import say
from jlora_cli.model import adapter_state, fingerprint
from jlora_cli.order import steps
from jlora_cli.plan import rows_per_step
from jlora_cli.run_folder import make_run_folder
from jlora_cli.training import checkpoints
from jlora_cli.training.checkpoints import Trained
from jlora_cli.training.compiling import tokens_of_pack, uncompiled
from jlora_cli.training.fitting import MicroBatch
from jlora_cli.training.gauge import Gauge
from jlora_cli.training.guard import Guard, GuardError, check_result
from jlora_cli.training.interruption import Interruption
from jlora_cli.training.keeping import Keeper
from jlora_cli.training.launch import Task
from jlora_cli.training.loading import Shelf, as_loaded, go_on_from, load
from jlora_cli.training.loggers import Loggers, require_access
from jlora_cli.training.loss import total_loss
from jlora_cli.training.optimizer import make_optimizer, make_scheduler
from jlora_cli.training.processes import gathered
from jlora_cli.training.record import Clock, Identity, Progress
from jlora_cli.training.step import Stepper
from jlora_cli.training.threads import watch_threads
from jlora_cli.training.trend import Trend

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from jlora_cli.config import RunConfig
    from jlora_cli.finding import Finding
    from jlora_cli.proposal import Proposal
    from jlora_cli.training.processes import World


def train(
    proposal: Proposal,
    notify: Notify = ignore,
    *,
    resume: bool = False,
    from_adapter: str | None = None,
    shelf: Shelf | None = None,
) -> dict[str, Any]:
    """Run `proposal` and return its record, which also stands in the run folder's run.json.

    The base is taken from `shelf` where a run before left it there, and put back after this one.

    Raises:
        JloraError: the run cannot start, and nothing was written; or it had to be stopped, and
            what was reached is saved.
    """
    require_access(proposal.config.report_to)
    task, clock = Task(proposal, resume, from_adapter), Clock()
    count = int(proposal.config.processes)
    if count > 1:
        notify(Stage("train.stage.processes", {"count": count}))
    with gathered(task) as world:
        return take_part(task, world, notify, clock, shelf)


def take_part(
    task: Task,
    world: World,
    notify: Notify = ignore,
    clock: Clock | None = None,
    shelf: Shelf | None = None,
) -> dict[str, Any]:
    """Run `task` as one of the processes of `world`, of which only the first tells and writes.

    `shelf`: see `train`.

    Raises:
        JloraError: see `train`.
    """
    with world.together():
        base = shelf.base if shelf else None
        run = prepare(task, world, notify if world.leads else ignore, clock or Clock(), base)
    world.align(run.stepper.moved)
    with Interruption() as interruption:
        try:
            record = run.tell(interruption)
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
            raise refuse("source.cannot_write", path=run.keeper.output, problem=problem) from error
        finally:
            if run.threads is not None:
                run.threads.put_back()
    if shelf is not None:
        shelf.put_back(run.trained.adapted)
    return record


def prepare(
    task: Task,
    world: World,
    notify: Notify,
    clock: Clock,
    base: PreTrainedModel | None = None,
) -> Run:
    """Load all that a run needs, as it begins or as its newest checkpoint left it.

    `base`: the model where it is loaded already, by a run that gave it back.

    Raises:
        JloraError: the base, the adapter to go on from or the checkpoint cannot be used; the run
            folder is as it was.
    """
    proposal, resume, from_adapter = task
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
    adapted, precision = load(proposal, folder, adapter, base)
    if not world.leads:  # the same adapter, but dropout of its own
        torch.manual_seed(proposal.config.seed + world.rank)
    config = proposal.config
    optimizer = make_optimizer(adapted, config)
    scheduler = make_scheduler(optimizer, config, proposal.plan.optimizer_steps)
    trained = Trained(adapted, optimizer, scheduler, precision)
    proposal = as_loaded(proposal, adapted)
    loggers = Loggers(config.report_to if world.leads else (), notify)
    run = Run(Keeper(proposal, identity, trained, world, notify, clock, loggers))
    if world.leads:
        make_run_folder(output)
    if checkpoint is not None:
        run.restore(checkpoint)
    return run


class Run:
    """One training run over one run folder, which `keeper` writes."""

    def __init__(self, keeper: Keeper) -> None:
        self.keeper = keeper
        self.proposal, self.trained = keeper.proposal, keeper.trained
        self.world, self.notify = keeper.world, keeper.notify
        self.config: RunConfig = self.proposal.config
        self.total_steps = self.proposal.plan.optimizer_steps
        self.progress = Progress()
        self.best: dict[str, torch.Tensor] | None = None
        self.micro_batch = MicroBatch(self.config.batch_size, self.world, self._find)
        self.stepper = Stepper(
            self.trained,
            self.config,
            pad_id=self.proposal.format.pad_id or 0,
            guard=Guard(self.trained.adapted, steps=self.total_steps),
            micro_batch=self.micro_batch,
            world=self.world,
            filled_to=cache(partial(tokens_of_pack, self.config, self.proposal.train)),
        )
        self.per_epoch = math.ceil(len(self.proposal.train.rows) / rows_per_step(self.config))
        self.trend = Trend(self.config, per_epoch=self.per_epoch, total=self.total_steps)
        device = self.trained.adapted.device
        self.gauge = Gauge(device)
        self.threads = watch_threads(device, self.world, self.notify)

    def restore(self, checkpoint: Path) -> None:
        """Put everything back as `checkpoint` has it; what was logged after it is forgotten."""
        self.best = checkpoints.restore(checkpoint, self.trained, rank=self.world.rank)
        self.progress = Progress(**checkpoints.read_progress(checkpoint)["progress"])
        step = self.progress.step
        self.micro_batch.rows = self.progress.micro_batch_size or self.config.batch_size
        self.stepper.guard = Guard(self.trained.adapted, steps=self.total_steps - step)
        self.keeper.forget_after(step)
        self.notify(Stage("train.stage.resumed", {"step": step, "path": checkpoint}))

    def tell(self, interruption: Interruption) -> dict[str, Any]:
        """From the first answers to the finished record."""
        self.keeper.open_loggers(self.progress.step)
        if self.progress.step == 0 and interruption.signal is None:
            self.keeper.sample("before", 0)
        self.notify(Stage("train.stage.training", {"steps": self.total_steps}))
        signal = self._loop(interruption)
        if signal:
            self.keeper.checkpoint(self.progress, self.best)
            return self.end("interrupted", signal=signal)
        self._take_best()
        self.keeper.adapter()
        self.keeper.sample("after", self.progress.step)
        return self.end("finished")

    def end_stopped(self, stop: GuardError) -> None:
        """Keep the state before the step that was given up, and write how the run ended."""
        with suppress(JloraError):
            if self.progress.step > 0:
                check_result(adapter_state(self.trained.adapted))
                self.keeper.checkpoint(self.progress, self.best)
        self.end("failed", problem=stop.problem, step=stop.step, rows=list(stop.rows))

    def end(self, status: str, **how: object) -> dict[str, Any]:
        """The record of the run, which ended so."""
        return self.keeper.end(self.progress, status, **how)

    # -- the loop ----------------------------------------------------------------------------

    def _loop(self, interruption: Interruption) -> int:
        """Optimizer steps until the end, an early stop or a signal, whose number it returns."""
        order = steps(
            self.proposal.train.lengths,
            per_step=rows_per_step(self.config),
            seed=self.config.seed,
            total_steps=self.total_steps,
        )
        self.trained.adapted.train()
        signal = self._signal(interruption)
        for number, chosen in islice(enumerate(order, start=1), self.progress.step, None):
            if signal:
                return signal
            self._advance(number, chosen)
            if self._is_due(number, self.config.evaluation_steps, at_end=True) and self._evaluate():
                self.notify(Warned(say("train.stopped_early", step=number)))
                break
            if self._is_due(number, self.config.sample_steps):
                self.keeper.sample("during", number)
            signal = self._signal(interruption)
            # An interrupted run saves itself in a moment.
            if number % int(self.config.checkpoint_steps) == 0 and not signal:
                self.keeper.checkpoint(self.progress, self.best)
        return 0

    def _signal(self, interruption: Interruption) -> int:
        """The signal that any of the processes has been sent, or 0."""
        return self.world.highest(interruption.signal or 0)

    def _is_due(self, number: int, every: int | str | None, *, at_end: bool = False) -> bool:
        """Whether something happens after this step; at the last one only where that is said."""
        if number == self.total_steps:
            return at_end
        return every is not None and number % int(every) == 0

    def _advance(self, number: int, chosen: list[int]) -> None:
        """One optimizer step, told to whoever listens."""
        progress = self.progress
        if self.threads is not None:
            self.threads.settle()
        rows = [self.proposal.train.rows[i] for i in chosen]
        before = time.monotonic()
        rate = float(self.trained.scheduler.get_last_lr()[0])
        taken = self.stepper.take(number, rows)
        seconds, tokens = time.monotonic() - before, sum(len(row.ids) for row in rows)
        progress.note(number, taken, rows=len(rows), tokens=tokens, seconds=seconds)
        self.micro_batch.watch(number, seconds=seconds, tokens=tokens)
        event = self._told(taken.loss, rate)
        self.keeper.log("step", event, kept=number % self.config.logging_steps == 0)
        self._judge()

    def _told(self, loss: float, rate: float) -> StepDone:
        """The step that was just taken, with how fast the run goes and what it takes."""
        progress, total = self.progress, self.total_steps
        spent = max(progress.seconds, 1e-9)
        return StepDone(
            progress.step,
            total,
            loss,
            rate,
            tokens_per_second=progress.tokens / spent,
            seconds_left=spent / progress.step * (total - progress.step),
            seconds=spent,
            epoch=round(progress.step / self.per_epoch, 4),
            rows_per_second=progress.rows / spent,
            **self.gauge.read(),
        )

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

    # -- evaluation --------------------------------------------------------------------------

    def _evaluate(self) -> bool:
        """Score the validation rows; True when the run should stop early."""
        rows, progress = self.proposal.validation.rows, self.progress
        if not rows:
            return False
        parts = self.micro_batch.fit(self._score, rows, step=progress.step)
        total, count = self.world.add(*parts)
        progress.validation_loss = loss = total / max(count, 1)
        self.keeper.log("evaluation", Evaluated(progress.step, loss))
        if progress.best_loss is None or loss < progress.best_loss:
            progress.best_loss, progress.worse = loss, 0
            self._remember_best()
        else:
            progress.worse += 1
        return progress.worse > (self.config.early_stopping_patience or math.inf)

    def _score(self, size: int) -> tuple[float, int]:
        """This process's share of the validation loss and tokens, `size` rows at a time."""
        base = self.trained.adapted.get_base_model()
        with self.trained.precision.autocast(), uncompiled(base):
            return total_loss(
                self.trained.adapted,
                self.world.part(self.proposal.validation.rows),
                batch_size=size,
                packing=self.config.packing is True,
                pad_id=self.proposal.format.pad_id or 0,
            )

    def _remember_best(self) -> None:
        if self.config.early_stopping_patience is not None:
            state = adapter_state(self.trained.adapted)
            self.best = {name: tensor.detach().clone() for name, tensor in state.items()}

    def _take_best(self) -> None:
        """The best adapter where the run watched for it, in place of the last."""
        from peft import set_peft_model_state_dict  # noqa: PLC0415

        if self.best is not None:
            set_peft_model_state_dict(self.trained.adapted, self.best)
            self.progress.validation_loss = self.progress.best_loss
