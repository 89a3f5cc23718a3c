"""A run as it was proposed: settled, encoded and judged; nothing of it is loaded yet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jlora_cli import preflight
from jlora_cli.audit import stock_parity
from jlora_cli.config import FIELDS, Resolved, parse_options, training_gpu
from jlora_cli.errors import refuse
from jlora_cli.plan import Plan, epochs_of, make_plan, settle_compile, settle_for_data
from jlora_cli.prompt import Prompter
from jlora_cli.recipe import ROWS_APART
from jlora_cli.run_folder import RECORD, in_use, read_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jlora_cli.config import RunConfig
    from jlora_cli.finding import Finding
    from jlora_cli.machine import Machine
    from jlora_cli.prompt import EncodedRows, PromptFormat
    from jlora_cli.tokenizer import Tokenizer

# Settings that change neither the loaded base nor the encoded rows.
VARIABLE = (
    *("learning_rate", "epochs", "max_steps", "batch_size", "gradient_accumulation_steps"),
    *("lr_scheduler", "warmup_steps", "warmup_ratio", "weight_decay", "max_grad_norm"),
    *("lora_r", "lora_alpha", "lora_dropout", "lora_targets", "lora_variant", "loraplus_ratio"),
    *("neftune_alpha", "seed", "early_stopping_patience", "output"),
)
_PREVIEW_OF, _PREVIEWED = 100, 3


class Preview(NamedTuple):
    """A row as the model sees it: runs of text that the loss looks at (True) or not."""

    origin: str
    spans: list[tuple[str, bool]]

    def as_json(self) -> dict[str, object]:
        spans = [{"text": text, "trained": trained} for text, trained in self.spans]
        return {"origin": self.origin, "spans": spans}


@dataclass(frozen=True)
class Proposal:
    """A run, settled and encoded; `findings` say what is wrong with it.

    `draft` is the config before anything was settled that depends on the number of steps;
    `standing` are the findings that no such setting changes; `allowed` the ids of errors that
    the owner overrides. `tokens` are the figures of the tokenizer's audit; `parity_texts` what it
    is compared with the stock class on. `from_cache`: the rows had been encoded before.
    """

    profile: str
    profile_reason: str
    draft: Resolved
    resolved: Resolved
    machine: Machine
    model_folder: Path
    tokenizer: Tokenizer
    material: preflight.Material
    prompts: tuple[str, ...]
    data_fingerprint: str
    plan: Plan
    findings: list[Finding]
    standing: list[Finding]
    allowed: tuple[str, ...]
    warnings: list[str]
    tokens: dict[str, Any]
    parity_texts: tuple[str, ...]
    from_cache: bool = False

    @property
    def config(self) -> RunConfig:
        return self.resolved.config

    @property
    def format(self) -> PromptFormat:
        return self.material.format

    @property
    def train(self) -> EncodedRows:
        return self.material.train

    @property
    def validation(self) -> EncodedRows:
        return self.material.validation

    @property
    def model_type(self) -> str:
        """The architecture, as config.json names it."""
        return self.material.shape.model_type

    @property
    def refused(self) -> bool:
        """True when a finding forbids the run."""
        return any(item.severity == "error" for item in self.findings)

    def varied(self, options: Mapping[str, object]) -> Proposal:
        """The same run with other settings of its optimizer or adapter, judged anew.

        Raises:
            JloraError: an option that cannot be used, or one that changes the base or the rows.
        """
        fixed = [name for name in options if name in FIELDS and name not in VARIABLE]
        if fixed:
            raise refuse("try.fixed", names=", ".join(fixed), variable=", ".join(VARIABLE))
        draft = self.draft.with_options(parse_options(options))
        resolved, plan, found = judge(draft, self.material, self.machine)
        findings = preflight.allow([*found, *self.standing], self.allowed)
        return replace(self, draft=draft, resolved=resolved, plan=plan, findings=findings)

    def for_resume(self) -> Proposal:
        """The same for a run folder that holds an unfinished run: it may be in use.

        Raises:
            JloraError: no output was named, its run is finished, or it has no checkpoint.
        """
        if self.resolved.sources["output"].origin == "auto":
            raise refuse("resume.no_output")
        run = Path(self.config.output or "")
        if (run / RECORD).is_file() and read_record(run).get("status") == "finished":
            raise refuse("resume.finished", path=run)
        if not any(run.glob("checkpoints/step-*")):
            raise refuse("resume.nothing", path=run)
        found = [item for item in self.findings if item.id != "output-in-use"]
        return replace(self, findings=found)

    def with_stock_parity(self) -> Proposal:
        """The same with what transformers' stock class makes of the rows; imports transformers."""
        measured = stock_parity(self.tokenizer, self.parity_texts)
        return replace(self, tokens=self.tokens | {"stock_parity": measured})

    def with_measured(self, *, peak_gib: float, tokens_per_second: float) -> Proposal:
        """The same, its plan with the memory and speed of real steps."""
        plan = self.plan.with_measured(
            peak_gib=peak_gib,
            tokens_per_second=tokens_per_second,
            processes=int(self.config.processes),
        )
        return replace(self, plan=plan)

    def preview(self) -> list[Preview]:
        """A few rows as they are trained, the shortest of the first hundred."""
        prompter = Prompter(self.tokenizer, self.format)
        first = sorted(self.train.rows[:_PREVIEW_OF], key=lambda row: len(row.ids))[:_PREVIEWED]
        return [Preview(row.origin, prompter.spans(row)) for row in first]

    def as_json(self) -> dict[str, object]:
        """`train --dry-run --json`."""
        return {
            "profile": {"name": self.profile, "reason": self.profile_reason},
            "config": self.resolved.as_json(),
            "plan": self.plan.as_json(),
            "tokens": self.tokens,
            "findings": [item.as_json() for item in self.findings],
            "allowed": list(self.allowed),
            "preview": [row.as_json() for row in self.preview()],
        }


def judge(
    draft: Resolved, material: preflight.Material, machine: Machine
) -> tuple[Resolved, Plan, list[Finding]]:
    """`draft` settled to the last setting, its plan, and what preflight finds in it."""
    held_out = len(material.validation.rows)
    resolved = settle_for_data(draft, rows=len(material.train.rows), validation_rows=held_out)
    config, shape = resolved.config, material.shape
    tokens = sum(material.train.lengths) * epochs_of(config, len(material.train.rows))
    resolved = settle_compile(
        resolved,
        parameters=shape.parameters,
        tokens=round(tokens / int(config.processes)),
        apart=shape.model_type in ROWS_APART,
        possible=training_gpu(machine) is not None,
    )
    config = resolved.config
    plan = make_plan(
        config,
        material.shape,
        machine,
        material.train,
        validation_rows=held_out,
        weights_here=material.weights_here,
    )
    occupied = in_use(Path(config.output or ""))
    return resolved, plan, preflight.inspect(resolved, plan, material, in_use=occupied)
