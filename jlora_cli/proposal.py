"""From options to everything that a run needs to know before torch is imported.

`train --dry-run` shows a proposal; `train` shows it and hands it to the training session.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jlora_cli import preflight
from jlora_cli.audit import audit, describe_untrained, parity_texts, stock_parity
from jlora_cli.config import FIELDS, Resolved, parse_options, resolve, settle
from jlora_cli.errors import refuse
from jlora_cli.finding import found
from jlora_cli.hub import DEMO, find_model
from jlora_cli.messages import say
from jlora_cli.plan import (
    Plan,
    Shape,
    known_layers,
    make_plan,
    read_shape,
    settle_for_data,
    settle_max_length,
)
from jlora_cli.preparing import DEMO_VALIDATION, find_validation, load_data
from jlora_cli.profile import check_fit, choose_profile
from jlora_cli.prompt import Prompter, choose_template, differs_from_own, format_for
from jlora_cli.run_folder import (
    ADAPTER_CONFIG,
    RECORD,
    choose_output,
    in_use,
    open_adapter,
    read_model_config,
    read_record,
)
from jlora_cli.tokenizer import Tokenizer, load_tokenizer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jlora_cli.config import RunConfig
    from jlora_cli.dataset import Example, Loaded
    from jlora_cli.finding import Finding
    from jlora_cli.machine import Machine
    from jlora_cli.prompt import EncodedRows, PromptFormat

# Settings that change neither the loaded base nor the encoded rows.
VARIABLE = (
    *("learning_rate", "epochs", "max_steps", "batch_size", "gradient_accumulation_steps"),
    *("lr_scheduler", "warmup_steps", "warmup_ratio", "weight_decay", "max_grad_norm"),
    *("lora_r", "lora_alpha", "lora_dropout", "lora_targets", "lora_variant", "loraplus_ratio"),
    *("neftune_alpha", "seed", "early_stopping_patience", "output"),
)
_PREVIEW_OF, _PREVIEWED = 100, 3
# Packed rows equal padded ones, and a test proves it, for these architectures.
PACKING_PROVEN = ("gpt2", "gpt_neox", "llama", "mistral", "qwen2", "qwen3", "gemma2")


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
    is compared with the stock class on.
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
        resolved, plan, found = _judge(draft, self.material, self.machine)
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


def propose(
    profile: str, options: Mapping[str, object], machine: Machine, *, allowed: Sequence[str] = ()
) -> Proposal:
    """The run that `options` on top of `profile` ask for on `machine`.

    `allowed` are the ids of errors to let pass.

    Raises:
        JloraError: a profile, option, model or data file that cannot be used.
    """
    chosen, why = choose_profile(profile, machine)
    resolved = resolve(chosen.resolved_values(), parse_options(options))
    resolved, findings = settle(resolved, machine)
    findings += check_fit(chosen.name, machine)
    base = _open_base(resolved.config.model)
    resolved, data, held_out = _read_rows(resolved)
    template = choose_template(resolved.config.template, base.tokenizer, data.examples)
    format = format_for(base.tokenizer, template, base.model)
    prompter = Prompter(base.tokenizer, format)
    draft = _settle_rest(resolved, base.shape, template)
    draft, material = _encode(draft, base, prompter, (data.examples, held_out))
    audited = audit(
        prompter, data.examples, material.train.rows, embedding=base.shape.vocabulary or None
    )
    resolved, plan, found = _judge(draft, material, machine)
    standing = [*findings, *audited.findings]
    return Proposal(
        profile=chosen.name,
        profile_reason=why,
        draft=draft,
        resolved=resolved,
        machine=machine,
        model_folder=base.folder,
        tokenizer=base.tokenizer,
        material=material,
        prompts=_prompts(draft.config, [*held_out, *data.examples], prompter, base.shape.context),
        data_fingerprint=_fingerprint(material.train),
        plan=plan,
        findings=preflight.allow([*found, *standing], allowed),
        standing=standing,
        allowed=tuple(allowed),
        warnings=list(data.warnings),
        tokens=audited.figures,
        parity_texts=tuple(parity_texts(prompter, data.examples)),
    )


def _judge(
    draft: Resolved, material: preflight.Material, machine: Machine
) -> tuple[Resolved, Plan, list[Finding]]:
    """`draft` settled to the last setting, its plan, and what preflight finds in it."""
    held_out = len(material.validation.rows)
    resolved = settle_for_data(draft, rows=len(material.train.rows), validation_rows=held_out)
    config = resolved.config
    plan = make_plan(config, material.shape, machine, material.train, validation_rows=held_out)
    occupied = in_use(Path(config.output or ""))
    return resolved, plan, preflight.inspect(resolved, plan, material, in_use=occupied)


class _Base(NamedTuple):
    """A base as far as its small files tell."""

    model: str
    folder: Path
    shape: Shape
    tokenizer: Tokenizer


def _open_base(model: str | None) -> _Base:
    """The base's config and tokenizer; its weights are not asked for."""
    if model is None:
        raise refuse("train.no_model")
    folder = find_model(model, what="config")
    _check_no_adapter(model, folder)
    shape = read_shape(read_model_config(folder))
    tokenizer = load_tokenizer(folder)
    _check_vocabulary(folder, tokenizer, shape)
    return _Base(model, folder, shape, tokenizer)


def _check_no_adapter(model: str, folder: Path) -> None:
    """Refuse an adapter, or a run folder that holds one, in a base's place."""
    if (folder / "config.json").is_file():
        return
    for place in (folder, folder / "adapter"):
        if (place / ADAPTER_CONFIG).is_file():
            base = open_adapter(place).base
            raise preflight.FindingError(found("base-is-adapter", model=model, base=base))


def _read_rows(resolved: Resolved) -> tuple[Resolved, Loaded, list[Example]]:
    """The training rows, and those held out: named, or beside the data."""
    if resolved.config.data is None:
        raise refuse("train.no_data")
    data = load_data(resolved.config.data)
    resolved = _settle_validation(resolved)
    named = resolved.config.validation
    return resolved, data, load_data(named).examples if named else []


def _check_vocabulary(folder: Path, tokenizer: Tokenizer, shape: Shape) -> None:
    if shape.vocabulary and tokenizer.size > shape.vocabulary:
        raise refuse(
            "model.tokenizer_larger", folder=folder, ids=tokenizer.size, rows=shape.vocabulary
        )


def _settle_validation(resolved: Resolved) -> Resolved:
    """The validation rows that lie beside the data, where none are named."""
    config = resolved.config
    beside = find_validation(config.data or "") if config.validation is None else None
    if beside is None:
        return resolved
    name = DEMO_VALIDATION if config.data == DEMO else str(beside)
    return resolved.with_auto({"validation": (name, say("settle.validation"))})


def _settle_rest(resolved: Resolved, shape: Shape, template: str) -> Resolved:
    """Settings whose "auto" depends on the model: packing, template, output."""
    config = resolved.config
    reasons: dict[str, tuple[object, str]] = {}
    if config.packing == "auto":
        proven = shape.model_type in PACKING_PROVEN
        key = "settle.packing_on" if proven else "settle.packing_off"
        reasons["packing"] = proven, say(key, architecture=shape.model_type)
    layers = known_layers(shape.model_type)
    if config.lora_targets == ("auto",) and layers:
        reasons["lora_targets"] = layers, say("settle.targets", architecture=shape.model_type)
    if config.template == "auto":
        key = "settle.template_model" if template == "model" else "settle.template_rows"
        reasons["template"] = template, say(key)
    if config.output is None:
        output = choose_output(None, config.model or "")
        reasons["output"] = str(output), say("settle.output")
    return resolved.with_auto(reasons)


def _encode(
    draft: Resolved,
    base: _Base,
    prompter: Prompter,
    examples: tuple[list[Example], list[Example]],
) -> tuple[Resolved, preflight.Material]:
    """The rows to train on and those held out as ids, none longer than `max_length` says."""
    config = draft.config
    wholes, held_out = (prompter.encode_whole(each, config.train_on) for each in examples)
    lengths = [len(whole.encoded.ids) for whole in wholes]
    draft = settle_max_length(draft, base.shape.context, lengths)
    how: dict[str, Any] = {
        "max_length": int(draft.config.max_length),
        "train_on": config.train_on,
        "truncate": config.truncate,
    }
    material = preflight.Material(
        train=prompter.fit(wholes, **how),
        validation=prompter.fit(held_out, **how),
        format=prompter.format,
        shape=base.shape,
        layers=known_layers(base.shape.model_type),
        longest=max(lengths, default=0),
        conversations=sum(whole.example.text is None for whole in wholes),
        other_template=differs_from_own(prompter),
        untrained_end=describe_untrained(
            base.folder, prompter.format.turn_end_id, base.tokenizer.special_ids.values()
        ),
    )
    return draft, material


def _prompts(
    config: RunConfig, examples: list[Example], prompter: Prompter, context: int
) -> tuple[str, ...]:
    """The prompts answered before and after: as asked, else of the first rows, held-out ones first.

    One that fills half the model's context is passed over: its answer might not fit behind it.
    """
    if config.sample_prompts:
        return config.sample_prompts
    shown: dict[str, None] = {}
    for example in examples:
        first = example.messages[:1]
        if first and first[0].role == "user" and len(prompter.prompt_ids(first)) <= context // 2:
            shown[first[0].content] = None
        if len(shown) == 3:
            break
    return tuple(shown)


def _fingerprint(train: EncodedRows) -> str:
    digest = hashlib.sha256()
    for row in train.rows:
        digest.update(json.dumps([row.ids, row.labels]).encode())
    return digest.hexdigest()
