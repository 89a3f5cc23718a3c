"""What would make this run a dead run? Pure checks over a settled config and its plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jlora_cli.finding import finding, found
from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jlora_cli.config import RunConfig
    from jlora_cli.finding import Finding, Severity
    from jlora_cli.plan import Plan
    from jlora_cli.prompt import Encoded, PromptFormat

_FEW_ROWS, _FEW_STEPS = 20, 10
# LoRA wants more than full fine-tuning: 1e-4 to 2e-3 are usual at rank 8.
_USUAL_RATES = (2e-5, 5e-3)


@dataclass(frozen=True)
class Material:
    """What is trained on, and what is only scored: encoded rows."""

    rows: Sequence[Encoded]
    validation: Sequence[Encoded]
    # The linear layers of the architecture's blocks; empty where only loading tells.
    layers: Sequence[str] = ()


def inspect(
    config: RunConfig, plan: Plan, format: PromptFormat, material: Material, *, in_use: bool
) -> list[Finding]:
    """Everything worth saying before step 1 but the tokenizer's audit; empty for a healthy run."""
    return [
        *_of_supervision(config, plan, format, material.rows),
        *_of_rows(plan, material.rows, material.validation),
        *_of_targets(config, material.layers),
        *_of_steps(config, plan),
        *_of_place(config, plan, in_use),
    ]


def _of_supervision(
    config: RunConfig, plan: Plan, format: PromptFormat, rows: Sequence[Encoded]
) -> Iterator[Finding]:
    if plan.supervised_tokens == 0:
        numbers = {"rows": plan.rows, "dropped": plan.dropped_rows}
        yield found("no-supervised-tokens", data=config.data, **numbers)
        return
    ends = {format.eos_id, format.turn_end_id}
    without = sum(not ends.intersection(row.labels) and not row.shortened for row in rows)
    if without:
        yield found("eos-not-supervised", rows=without, total=plan.rows)


def _of_rows(
    plan: Plan, rows: Sequence[Encoded], validation: Sequence[Encoded]
) -> Iterator[Finding]:
    if plan.dropped_rows:
        yield found("rows-dropped", count=plan.dropped_rows, longest=plan.longest_row)
    if 0 < plan.rows < _FEW_ROWS:
        yield found("few-rows", rows=plan.rows)
    known = {tuple(row.ids) for row in rows}
    if len(known) < len(rows):
        yield found("duplicate-rows", count=len(rows) - len(known), rows=len(rows))
    both = sum(tuple(row.ids) in known for row in validation)
    if both:
        yield found("validation-in-training", count=both, total=len(validation))


def _of_targets(config: RunConfig, layers: Sequence[str]) -> Iterator[Finding]:
    missing = [name for name in config.lora_targets if name not in (*layers, "auto", "attention")]
    if layers and missing:
        yield found("targets-match-nothing", names=", ".join(missing), known=", ".join(layers))


def _of_steps(config: RunConfig, plan: Plan) -> Iterator[Finding]:
    if plan.optimizer_steps and plan.warmup_steps >= plan.optimizer_steps:
        yield found(
            "warmup-exceeds-run",
            warmup=plan.warmup_steps,
            steps=plan.optimizer_steps,
            rate=f"{plan.peak_learning_rate:.2e}",
            asked=f"{config.learning_rate:.2e}",
            room=max(0, plan.optimizer_steps // 10),
        )
    elif 0 < plan.optimizer_steps < _FEW_STEPS:
        yield found("too-few-steps", steps=plan.optimizer_steps)
    low, high = _USUAL_RATES
    if not low <= config.learning_rate <= high:
        yield found("learning-rate-unusual", rate=f"{config.learning_rate:g}")


def _of_place(config: RunConfig, plan: Plan, in_use: bool) -> Iterator[Finding]:
    if in_use:
        yield found("output-in-use", path=config.output)
    # A machine that does not tell its free memory is read as 0.
    needed, free = plan.memory_gib["total"], plan.available_gib
    if 0 < free < needed:
        # On GPUs the estimate is not measured yet: a run is not refused over it.
        severity: Severity = "error" if plan.device == "cpu" else "warning"
        values = {"needed": f"{needed:.1f}", "free": f"{free:.1f}", "ways": _ways(plan)}
        yield finding("memory-exceeded", severity, **values)


def _ways(plan: Plan) -> str:
    """The options that alone would make the run fit, or what to combine where none does."""
    if not plan.would_fit:
        return say("memory-exceeded.nothing")
    ways = [" ".join(map(_option, change.items())) for change in plan.would_fit]
    return say("memory-exceeded.enough", ways=say("memory-exceeded.or").join(ways))


def _option(setting: tuple[str, object]) -> str:
    name, value = setting
    return f"--{name.replace('_', '-')} {str(value).lower()}"
