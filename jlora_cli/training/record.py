"""What a run remembers: how far it is, what makes it the same run, and its record."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jlora_cli import __version__, order
from jlora_cli.model import device_memory_gib, trainable_parameters
from jlora_cli.run_folder import ADAPTER_WEIGHTS

if TYPE_CHECKING:
    from peft import PeftModel

    from jlora_cli.proposal import Proposal
    from jlora_cli.training.step import Taken

_PACKAGES = ("torch", "transformers", "peft", "tokenizers", "sentencepiece", "bitsandbytes")
# Settings that decide what is learned. What only decides where and how fast may change between
# an interruption and its end: packing, attention, compile, checkpoints.
_WATCHED = (
    "learning_rate",
    "lr_scheduler",
    "warmup_steps",
    "weight_decay",
    "max_grad_norm",
    "optimizer",
    "batch_size",
    "gradient_accumulation_steps",
    "processes",
    "max_length",
    "precision",
    "quantization",
    "lora_r",
    "lora_alpha",
    "lora_dropout",
    "lora_targets",
    "lora_variant",
    "seed",
    "neftune_alpha",
    "loraplus_ratio",
    "base_dropout",
)
_SHOWN_LOSSES = 10


@dataclass
class Progress:
    """How far a run is; what a checkpoint must remember besides tensors."""

    step: int = 0
    rows: int = 0
    tokens: int = 0
    seconds: float = 0.0
    best_loss: float | None = None
    worse: int = 0
    validation_loss: float | None = None
    # Of each step: its loss, and how many supervised tokens that is the mean of.
    losses: list[float] = field(default_factory=list)
    supervised: list[int] = field(default_factory=list)
    clipped: int = 0
    # Rows that fit into memory at once, where they are fewer than were asked for.
    micro_batch_size: int | None = None
    findings: list[dict[str, str]] = field(default_factory=list)

    def note(self, step: int, taken: Taken, *, rows: int, tokens: int, seconds: float) -> None:
        """A step was taken over so many rows and tokens in so many seconds."""
        self.step = step
        self.rows += rows
        self.tokens += tokens
        self.seconds += seconds
        self.losses.append(taken.loss)
        self.supervised.append(taken.supervised)
        self.clipped += taken.clipped


@dataclass(frozen=True)
class Identity:
    """What a run stands on besides its proposal: the base's weights, and the adapter it goes on."""

    base_fingerprint: str
    from_adapter: str | None = None

    def as_json(self, proposal: Proposal) -> dict[str, Any]:
        """What must be the same for a run to be resumed."""
        settings = proposal.resolved.as_json()
        return {
            "total_steps": proposal.plan.optimizer_steps,
            "row_order": order.VERSION,
            "data": proposal.data_fingerprint,
            "base": self.base_fingerprint,
            "from_adapter": self.from_adapter,
            **{name: settings[name]["value"] for name in _WATCHED},
        }


class Clock:
    """When a run began, for its record."""

    def __init__(self) -> None:
        self.begun_at = datetime.now(UTC).isoformat(timespec="seconds")
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since then, to a hundredth."""
        return round(time.monotonic() - self._started, 2)


def build_record(
    proposal: Proposal,
    identity: Identity,
    progress: Progress,
    adapted: PeftModel,
    clock: Clock,
) -> dict[str, Any]:
    """All of run.json but how the run ended."""
    return {
        "output": proposal.config.output,
        "jlora": __version__,
        "begun_at": clock.begun_at,
        "profile": {"name": proposal.profile, "reason": proposal.profile_reason},
        "config": proposal.resolved.as_json(),
        "plan": proposal.plan.as_json(),
        "tokens": proposal.tokens,
        "findings": [*(item.as_json() for item in proposal.findings), *progress.findings],
        "allowed": list(proposal.allowed),
        "data_fingerprint": proposal.data_fingerprint,
        **asdict(identity),
        "versions": {name: _version(name) for name in _PACKAGES},
        "result": {
            **_result(progress, adapted, clock.seconds, output=proposal.config.output),
            "micro_batch_size": progress.micro_batch_size or proposal.config.batch_size,
        },
    }


def _result(
    progress: Progress, adapted: PeftModel, seconds: float, *, output: str | None
) -> dict[str, Any]:
    last = progress.losses[-_SHOWN_LOSSES:]
    trained = trainable_parameters(adapted)
    return {
        "optimizer_steps": progress.step,
        "train_loss": sum(last) / len(last) if last else None,
        "first_loss": progress.losses[0] if last else None,
        "validation_loss": progress.validation_loss,
        "tokens_per_second": round(progress.tokens / max(progress.seconds, 1e-9), 1),
        "seconds": seconds,
        "peak_memory_gib": device_memory_gib(str(adapted.device)),
        "trainable_parameters": trained,
        "trainable_share": trained / adapted.get_nb_trainable_parameters()[1],
        "adapter_mib": _size_mib(Path(output or "") / "adapter" / ADAPTER_WEIGHTS),
    }


def _size_mib(path: Path) -> float | None:
    """A file's size; None for a run that ended before it wrote it."""
    return round(path.stat().st_size / 2**20, 2) if path.is_file() else None


def build_card(proposal: Proposal, identity: Identity) -> dict[str, Any]:
    """jlora.json: all that inference and merging need to know of the training."""
    config, tokenizer = proposal.config, proposal.tokenizer
    return {
        "jlora": __version__,
        "base": {"model": config.model, "fingerprint": identity.base_fingerprint},
        "prompt": proposal.format.as_json(),
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


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
