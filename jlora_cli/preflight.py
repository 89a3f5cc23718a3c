"""What would make this run a dead run? Pure checks over a settled config and its plan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jlora_cli.config import nearest
from jlora_cli.errors import JloraError, refuse
from jlora_cli.finding import ALLOWABLE, SEVERITIES, found
from jlora_cli.messages import say
from jlora_cli.prompt import count_shared, keys_of, take_census

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jlora_cli.config import Resolved, RunConfig
    from jlora_cli.finding import Finding
    from jlora_cli.plan import Plan
    from jlora_cli.prompt import Census, EncodedRows, PromptFormat
    from jlora_cli.shape import Shape

_FEW_ROWS, _FEW_STEPS = 20, 10
# Of a row: less than one token of answer besides its end.
_FEW_TOKENS = 2
_MUCH_PADDING = 0.3
# LoRA wants more than full fine-tuning: 1e-4 to 2e-3 are usual at rank 8.
USUAL_RATES = (1e-4, 5e-3)


@dataclass(frozen=True)
class Material:
    """What is trained on, what is only scored, and what is known of the base.

    `layers` are the linear layers of the architecture's blocks, empty where only loading tells;
    `longest` is the most tokens of a row before it was made to fit; `conversations` counts the
    rows that are no plain text; `weights_here` is false where a run would download them;
    `other_template` is true where the model's own chat template
    writes other prompts than the run's; `untrained_end` tells why the end token's embedding was
    never trained, empty where it was or where nothing tells.
    """

    train: EncodedRows
    validation: EncodedRows
    format: PromptFormat
    shape: Shape
    layers: Sequence[str] = ()
    longest: int = 0
    conversations: int = 1
    weights_here: bool = True
    other_template: bool = False
    untrained_end: str = ""


class FindingError(JloraError):
    """A finding that leaves nothing to plan: the run is refused before there is a plan."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(describe_refusal(finding), remedy=finding.remedy)
        self.finding = finding


def describe_refusal(finding: Finding) -> str:
    """The finding as the problem of a refusal."""
    return say("train.refused", id=finding.id, what=finding.evidence, why=finding.consequence)


def inspect(resolved: Resolved, plan: Plan, material: Material, *, in_use: bool) -> list[Finding]:
    """Everything worth saying before step 1 but the tokenizer's audit; empty for a healthy run."""
    config = resolved.config
    census = _census(material)
    return [
        *_of_base(config, material),
        *_of_supervision(config, plan, material, census),
        *_of_rows(plan, census, material),
        *_of_targets(config, material.layers),
        *_of_steps(config, plan),
        *_of_settings(resolved, plan, material),
        *_of_place(config, plan, in_use),
    ]


def _census(material: Material) -> Census:
    """What the rows come to, from when they were encoded where it was taken then."""
    train, format = material.train, material.format
    return train.census or take_census(train.rows, {format.eos_id, format.turn_end_id})


def allow(findings: Sequence[Finding], ids: Sequence[str]) -> list[Finding]:
    """`findings`, errors first, with those made warnings that their owner allows.

    Raises:
        JloraError: an id that does not exist, or one of what cannot be done at all.
    """
    for id in ids:
        if id not in SEVERITIES:
            near = nearest(id, SEVERITIES)
            raise refuse("allow.unknown", id=id, known=", ".join(ALLOWABLE), hint=near)
        if SEVERITIES[id] == "error" and id not in ALLOWABLE:
            raise refuse("allow.impossible", id=id, known=", ".join(ALLOWABLE))
    told = [
        replace(each, severity="warning") if each.id in ids and each.severity == "error" else each
        for each in findings
    ]
    return sorted(told, key=lambda each: each.severity != "error")


def _of_base(config: RunConfig, material: Material) -> Iterator[Finding]:
    if material.other_template:
        yield found("template-differs", template=config.template)
    if material.untrained_end:
        yield found("eos-untrained", token=material.format.turn_end_id, why=material.untrained_end)


def _of_supervision(
    config: RunConfig, plan: Plan, material: Material, census: Census
) -> Iterator[Finding]:
    if plan.supervised_tokens == 0:
        numbers = {"rows": plan.rows, "dropped": plan.dropped_rows}
        yield found("no-supervised-tokens", data=config.data, **numbers)
        return
    if plan.supervised_tokens < _FEW_TOKENS * plan.rows:
        yield found("few-supervised-tokens", supervised=plan.supervised_tokens, rows=plan.rows)
    # Where a text is cut into windows the last one has the end; where every row is cut, none has.
    without, endless = census.endless_whole, census.endless
    if without or endless == len(material.train.rows):
        yield found("eos-not-supervised", rows=without or endless, total=plan.rows)
    if plan.cut_answers:
        yield found(
            "answers-truncated",
            count=plan.cut_answers,
            rows=plan.rows,
            length=config.max_length,
            longest=material.longest,
        )


def _of_rows(plan: Plan, census: Census, material: Material) -> Iterator[Finding]:
    if plan.dropped_rows:
        yield found("rows-dropped", count=plan.dropped_rows, longest=plan.longest_row)
    if 0 < plan.rows < _FEW_ROWS:
        yield found("few-rows", rows=plan.rows)
    if census.repeated:
        yield found("duplicate-rows", count=census.repeated, rows=plan.rows)
    others = material.validation.rows
    both = count_shared(keys_of(material.train.rows), keys_of(others)) if others else 0
    if both:
        yield found("validation-in-training", count=both, total=len(others))


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
    low, high = USUAL_RATES
    if not low <= config.learning_rate <= high:
        yield found("learning-rate-unusual", rate=f"{config.learning_rate:g}")


def _of_settings(resolved: Resolved, plan: Plan, material: Material) -> Iterator[Finding]:
    unread = list(_unread(resolved, plan, material))
    if unread:
        names, reasons = zip(*unread, strict=True)
        yield found("unused-setting", names=", ".join(names), reasons=" / ".join(reasons))
    if resolved.config.packing is False and plan.padding_share > _MUCH_PADDING:
        yield found("padding-wasted", share=f"{plan.padding_share:.0%}")


def _unread(resolved: Resolved, plan: Plan, material: Material) -> Iterator[tuple[str, str]]:
    """(setting, why) of those that somebody wrote and this run does not read."""
    config, sources = resolved.config, resolved.sources
    yield from _overridden(resolved)
    for name in ("early_stopping_patience", "evaluation_steps"):
        asked = sources[name].origin in ("option", "profile") and getattr(config, name) is not None
        if asked and not plan.validation_rows:
            yield name, say("unused-setting.no_validation", name=name)
    for name in ("template", "train_on", "truncate"):
        # A profile names a template for the rows that its users most likely bring.
        if sources[name].origin == "option" and not material.conversations:
            yield name, say("unused-setting.text", name=name)


def _overridden(resolved: Resolved) -> Iterator[tuple[str, str]]:
    """Settings that another one of the same hand makes void.

    An option may override what a profile holds, and a profile what it extends: that is what they
    are for.
    """
    for name, other in (("epochs", "max_steps"), ("warmup_ratio", "warmup_steps")):
        source, over = resolved.sources[name], resolved.sources[other]
        both_options = source.origin == over.origin == "option"
        in_one_file = source.origin == "profile" and source == over
        if (both_options or in_one_file) and getattr(resolved.config, other) is not None:
            yield name, say("unused-setting.by", name=name, other=other)


def _of_place(config: RunConfig, plan: Plan, in_use: bool) -> Iterator[Finding]:
    if in_use:
        yield found("output-in-use", path=config.output)
    # A machine that does not tell its free memory is read as 0. On a CPU every process of a run
    # takes its own share of the one memory.
    shares = int(config.processes) if plan.device == "cpu" else 1
    needed, free = shares * plan.memory_gib["total"], plan.available_gib
    if 0 < free < needed:
        values = {"needed": f"{needed:.1f}", "free": f"{free:.1f}", "ways": _ways(plan)}
        yield found("memory-exceeded", **values)


def _ways(plan: Plan) -> str:
    """The options that alone would make the run fit, or what to combine where none does."""
    if not plan.would_fit:
        return say("memory-exceeded.nothing")
    ways = [" ".join(map(_option, change.items())) for change in plan.would_fit]
    return say("memory-exceeded.enough", ways=say("memory-exceeded.or").join(ways))


def _option(setting: tuple[str, object]) -> str:
    name, value = setting
    return f"--{name.replace('_', '-')} {str(value).lower()}"
