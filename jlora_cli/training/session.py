"""The one place where a run is told from start to end: a proposal -> a finished run folder."""

from __future__ import annotations

import math
import shutil
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate import Accelerator

from jlora_cli import __version__
from jlora_cli.dataset import Message
from jlora_cli.errors import JloraError, refuse
from jlora_cli.events import Evaluated, Notify, Saved, Stage, StepDone, Warned, ignore
from jlora_cli.generation import Answerer, Sampling
from jlora_cli.hub import find_model
from jlora_cli.messages import say
from jlora_cli.model import (
    Placement,
    adapter_state,
    attach_adapter,
    choose_device,
    device_memory_gib,
    fingerprint,
    load_base,
    read_adapter,
    trainable_parameters,
)
from jlora_cli.prompt import CARD_NAME, Prompter
from jlora_cli.report import write_report
from jlora_cli.run_folder import RECORD, append_json, make_run_folder, open_source, write_json
from jlora_cli.training import checkpoints
from jlora_cli.training.batches import steps
from jlora_cli.training.checkpoints import Trained
from jlora_cli.training.guard import Guard
from jlora_cli.training.interruption import Interruption
from jlora_cli.training.loss import make_batch, mean_loss, summed_loss
from jlora_cli.training.optimizer import add_noise, make_optimizer, make_scheduler

if TYPE_CHECKING:
    from peft import PeftModel
    from torch.optim import Optimizer
    from transformers import PreTrainedModel

    from jlora_cli.config import RunConfig
    from jlora_cli.proposal import Proposal

_SAMPLE_TOKENS = 64
_PACKAGES = ("torch", "transformers", "peft", "tokenizers", "sentencepiece", "bitsandbytes")


@dataclass
class Progress:
    """How far a run is; what a checkpoint must remember besides tensors."""

    step: int = 0
    loss_sum: float = 0.0
    tokens: int = 0
    seconds: float = 0.0
    best_loss: float | None = None
    worse: int = 0
    validation_loss: float | None = None
    losses: list[float] = field(default_factory=list)


def train(
    proposal: Proposal,
    notify: Notify = ignore,
    *,
    resume: bool = False,
    from_adapter: str | None = None,
) -> dict[str, Any]:
    """Run `proposal` and return its record, which also stands in the run folder's run.json.

    Raises:
        JloraError: the run cannot start, or had to be stopped; what was reached is saved.
    """
    run = Run(proposal, notify, resume=resume, from_adapter=from_adapter)
    with Interruption() as interruption:
        try:
            return run.tell(interruption)
        except JloraError as error:
            run.end("failed", problem=error.problem)
            raise


class Run:
    """One training run over one run folder."""

    def __init__(
        self, proposal: Proposal, notify: Notify, *, resume: bool, from_adapter: str | None
    ) -> None:
        self.proposal = proposal
        self.config: RunConfig = proposal.config
        self.notify = notify
        self.resume = resume
        self.from_adapter = from_adapter
        self.output = Path(self.config.output or "")
        self.progress = Progress()
        self.total_steps = proposal.plan.optimizer_steps
        self.started = time.monotonic()
        self.begun_at = datetime.now(UTC).isoformat(timespec="seconds")
        self.adapted: PeftModel | None = None

    def tell(self, interruption: Interruption) -> dict[str, Any]:
        """From loading the base to the finished record."""
        torch.manual_seed(self.config.seed)
        adapted = self._load()
        optimizer = self.accelerator.prepare_optimizer(make_optimizer(adapted, self.config))
        scheduler = make_scheduler(optimizer, self.config, self.total_steps)
        make_run_folder(self.output)
        trained = Trained(adapted, optimizer, scheduler)
        if self.resume:
            self._restore(trained)
        else:
            self._sample("before")
        self.notify(Stage("train.stage.training", {"steps": self.total_steps}))
        interrupted = self._loop(trained, interruption)
        if interrupted:
            self._checkpoint(trained)
            return self.end("interrupted", signal=interruption.signal)
        self._save_adapter(adapted)
        self._sample("after")
        return self.end("finished")

    # -- loading -----------------------------------------------------------------------------

    def _load(self) -> PeftModel:
        config = self.config
        self.notify(Stage("train.stage.loading", {"model": config.model}))
        folder = find_model(config.model or "", what="weights")
        mixed = {"bfloat16": "bf16", "float16": "fp16"}.get(config.precision, "no")
        device = choose_device("cpu" if self.proposal.machine.usable_gpu is None else None)
        self.accelerator = Accelerator(cpu=device == "cpu", mixed_precision=mixed)
        placement = Placement(device, config.precision, config.quantization, config.attention)
        base = load_base(
            folder, placement, dropout=config.base_dropout, tokenizer=self.proposal.tokenizer
        )
        self.base_fingerprint = fingerprint(folder)
        if config.gradient_checkpointing is True:
            base.gradient_checkpointing_enable({"use_reentrant": False})
            base.enable_input_require_grads()
        self.adapted = adapted = self._adapter(base)
        if config.neftune_alpha:
            add_noise(base, config.neftune_alpha)
        if config.compile:
            adapted.compile()
        return adapted

    def _adapter(self, base: PreTrainedModel) -> PeftModel:
        if self.from_adapter is None:
            return attach_adapter(base, self.config)
        source = open_source(self.from_adapter)
        if source.adapter is None:
            raise refuse("train.not_an_adapter", source=self.from_adapter)
        adapted = read_adapter(base, source.adapter)
        for name, parameter in adapted.named_parameters():
            parameter.requires_grad = "lora_" in name
        return adapted

    def _identity(self) -> dict[str, Any]:
        """What must be the same for a run to be resumed."""
        settings = self.proposal.resolved.as_json()
        watched = (
            "learning_rate",
            "batch_size",
            "gradient_accumulation_steps",
            "lr_scheduler",
            "warmup_steps",
            "seed",
            "lora_r",
            "lora_alpha",
            "precision",
            "max_length",
        )
        return {
            "total_steps": self.total_steps,
            "data": self.proposal.data_fingerprint,
            "base": self.base_fingerprint,
            **{name: settings[name]["value"] for name in watched},
        }

    def _restore(self, trained: Trained) -> None:
        path, damaged = checkpoints.newest(self.output / "checkpoints")
        for broken in damaged:
            self.notify(Warned(say("resume.damaged", path=broken)))
        if path is None:
            raise refuse("resume.nothing", path=self.output)
        saved = checkpoints.restore(path, trained)
        checkpoints.check_same_run(saved["identity"], self._identity(), path)
        self.progress = Progress(**saved["progress"])
        self.notify(Stage("train.stage.resumed", {"step": self.progress.step, "path": path}))

    # -- the loop ----------------------------------------------------------------------------

    def _loop(self, trained: Trained, interruption: Interruption) -> bool:
        """Optimizer steps until the end, an early stop or an interruption; True for the last."""
        config, progress, rows = self.config, self.progress, self.proposal.train.rows
        adapted, optimizer, scheduler = trained
        guard = Guard(adapted)
        order = steps(
            len(rows),
            batch_size=config.batch_size,
            accumulation=config.gradient_accumulation_steps,
            seed=config.seed,
            total_steps=self.total_steps,
        )
        adapted.train()
        for number, micro_batches in enumerate(order, start=1):
            if number <= progress.step:
                continue
            before = time.monotonic()
            loss, tokens = self._step(adapted, optimizer, guard, number, micro_batches)
            scheduler.step()
            progress.step = number
            progress.tokens += tokens
            progress.losses.append(loss)
            progress.seconds += time.monotonic() - before
            self._tell_step(loss, scheduler)
            due = number % int(config.evaluation_steps) == 0 or number == self.total_steps
            if due and self._evaluate(adapted):
                self.notify(Warned(say("train.stopped_early", step=number)))
                break
            if interruption.signal is not None:
                return True
            if number % int(config.checkpoint_steps) == 0 and number < self.total_steps:
                self._checkpoint(trained)
        return False

    def _step(
        self,
        adapted: PeftModel,
        optimizer: Optimizer,
        guard: Guard,
        number: int,
        micro_batches: list[list[int]],
    ) -> tuple[float, int]:
        """One optimizer step: (mean loss in nats per supervised token, tokens read)."""
        config, rows = self.config, self.proposal.train.rows
        batches = [self._batch([rows[i] for i in chosen]) for chosen in micro_batches]
        supervised = max(1, sum(len(batch.targets) for batch in batches))
        total = 0.0
        for batch in batches:
            with self.accelerator.autocast():
                loss = summed_loss(adapted, batch.to(adapted.device)) / supervised
            guard.check_loss(float(loss.detach()), number, batch.origins)
            self.accelerator.backward(loss)
            total += float(loss.detach())
        trained = [p for p in adapted.parameters() if p.requires_grad]
        norm = float(self.accelerator.clip_grad_norm_(trained, config.max_grad_norm))
        guard.check_gradient(norm, number, scaled=config.precision == "float16")
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        guard.check_adapter(number)
        return total, sum(batch.tokens for batch in batches)

    def _batch(self, rows: list[Any]) -> Any:
        pad_id = self.proposal.format.pad_id or 0
        return make_batch(rows, packing=self.config.packing is True, pad_id=pad_id)

    def _tell_step(self, loss: float, scheduler: Any) -> None:
        progress = self.progress
        speed = progress.tokens / max(progress.seconds, 1e-9)
        left = progress.seconds / progress.step * (self.total_steps - progress.step)
        rate = float(scheduler.get_last_lr()[0])
        event = StepDone(progress.step, self.total_steps, loss, rate, speed, left)
        self.notify(event)
        if progress.step % self.config.logging_steps == 0:
            append_json(self.output / "metrics.jsonl", {"kind": "step", **asdict(event)})

    def _evaluate(self, adapted: PeftModel) -> bool:
        """Score the validation rows; True when the run should stop early."""
        rows, config, progress = self.proposal.validation.rows, self.config, self.progress
        if not rows:
            return False
        with self.accelerator.autocast():
            loss = mean_loss(
                adapted,
                rows,
                batch_size=config.batch_size,
                packing=config.packing is True,
                pad_id=self.proposal.format.pad_id or 0,
            )
        progress.validation_loss = loss
        event = Evaluated(progress.step, loss)
        self.notify(event)
        append_json(self.output / "metrics.jsonl", {"kind": "evaluation", **asdict(event)})
        better = progress.best_loss is None or loss < progress.best_loss
        progress.best_loss = loss if better else progress.best_loss
        progress.worse = 0 if better else progress.worse + 1
        if better and config.early_stopping_patience is not None:
            self._best = {n: t.detach().clone() for n, t in adapter_state(adapted).items()}
        return progress.worse > (config.early_stopping_patience or math.inf)

    # -- what stays --------------------------------------------------------------------------

    def _checkpoint(self, trained: Trained) -> None:
        folder = self.output / "checkpoints"
        state = {"identity": self._identity(), "progress": asdict(self.progress)}
        path = checkpoints.save(folder, self.progress.step, trained, state)
        checkpoints.keep_newest(folder, self.config.keep_checkpoints)
        self.notify(Saved(self.progress.step, str(path)))

    def _save_adapter(self, adapted: PeftModel) -> None:
        """The adapter folder, under another name until it is whole."""
        best = getattr(self, "_best", None)
        if best is not None:
            from peft import set_peft_model_state_dict  # noqa: PLC0415

            set_peft_model_state_dict(adapted, best)
        draft = self.output / ".adapter.part"
        shutil.rmtree(draft, ignore_errors=True)
        config = adapted.peft_config["default"]
        config.base_model_name_or_path = self.config.model
        config.inference_mode = True
        adapted.save_pretrained(str(draft), save_embedding_layers=False)
        (draft / "README.md").unlink(missing_ok=True)  # PEFT's empty model card
        for file in self.proposal.tokenizer.files:
            shutil.copyfile(file, draft / file.name)
        write_json(draft / CARD_NAME, self._card())
        draft.replace(self.output / "adapter")

    def _card(self) -> dict[str, Any]:
        """jlora.json: all that inference and merging need to know of the training."""
        config, tokenizer = self.config, self.proposal.tokenizer
        return {
            "jlora": __version__,
            "base": {"model": config.model, "fingerprint": self.base_fingerprint},
            "prompt": self.proposal.format.as_json(),
            "tokenizer": {
                "family": tokenizer.family,
                "fingerprint": tokenizer.fingerprint,
                "sentencepiece": _version("sentencepiece"),
            },
            "training": {
                "precision": config.precision,
                "quantization": config.quantization,
                "max_length": config.max_length,
            },
        }

    def _sample(self, when: str) -> None:
        """Answers to the sample prompts, greedy, beside those of the other end of the run."""
        if not self.proposal.prompts or self.adapted is None:
            return
        self.notify(Stage(f"train.stage.sample_{when}", {"count": len(self.proposal.prompts)}))
        self.adapted.eval()
        answerer = Answerer(
            self.adapted,
            Prompter(self.proposal.tokenizer, self.proposal.format),
        )
        sampling = Sampling(max_new_tokens=_SAMPLE_TOKENS, temperature=0.0)
        for prompt in self.proposal.prompts:
            with self.accelerator.autocast():
                answer = answerer.answer([Message("user", prompt)], sampling)
            row = {
                "when": when,
                "step": self.progress.step,
                "prompt": prompt,
                "answer": answer.text,
                "finish_reason": answer.finish_reason,
            }
            append_json(self.output / "samples.jsonl", row)

    def end(self, status: str, **how: object) -> dict[str, Any]:
        """Write run.json, the last file of a run folder, and the report; returns the record."""
        record = self._record(status, how)
        if self.output.is_dir():
            if status == "finished":
                write_report(self.output, record)
            write_json(self.output / RECORD, record)
        return record

    def _record(self, status: str, how: dict[str, object]) -> dict[str, Any]:
        proposal, progress = self.proposal, self.progress
        losses = progress.losses
        adapted = self.adapted
        return {
            "status": status,
            **how,
            "output": str(self.output),
            "jlora": __version__,
            "begun_at": self.begun_at,
            "profile": {"name": proposal.profile, "reason": proposal.profile_reason},
            "config": proposal.resolved.as_json(),
            "plan": proposal.plan.as_json(),
            "findings": [item.as_json() for item in proposal.findings],
            "data_fingerprint": proposal.data_fingerprint,
            "base_fingerprint": getattr(self, "base_fingerprint", None),
            "versions": {name: _version(name) for name in _PACKAGES},
            "result": {
                "optimizer_steps": progress.step,
                "train_loss": sum(losses[-10:]) / len(losses[-10:]) if losses else None,
                "first_loss": losses[0] if losses else None,
                "validation_loss": progress.validation_loss,
                "tokens_per_second": round(progress.tokens / max(progress.seconds, 1e-9), 1),
                "seconds": round(time.monotonic() - self.started, 2),
                "peak_memory_gib": device_memory_gib(str(adapted.device) if adapted else "cpu"),
                "trainable_parameters": trainable_parameters(adapted) if adapted else 0,
            },
        }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
