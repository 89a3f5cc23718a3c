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
from jlora_cli.audit import audit, parity_texts, stock_parity
from jlora_cli.config import Resolved, parse_options, resolve, settle
from jlora_cli.errors import refuse
from jlora_cli.hub import DEMO, find_model, is_here
from jlora_cli.messages import say
from jlora_cli.plan import Plan, make_plan, settle_for_data, settle_max_length
from jlora_cli.preparing import DEMO_VALIDATION, find_validation, load_data
from jlora_cli.profile import choose_profile
from jlora_cli.prompt import EncodedRows, Prompter, PromptFormat, choose_template, format_for
from jlora_cli.run_folder import RECORD, choose_output, in_use, read_model_config, read_record
from jlora_cli.shape import Shape, known_layers, read_shape
from jlora_cli.tokenizer import Tokenizer, load_tokenizer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jlora_cli.config import RunConfig
    from jlora_cli.dataset import Example, Loaded
    from jlora_cli.finding import Finding
    from jlora_cli.machine import Machine

# Packed rows equal padded ones, and a test proves it, for these architectures.
PACKING_PROVEN = ("gpt2", "gpt_neox", "llama", "mistral", "qwen2", "qwen3", "gemma2")


@dataclass(frozen=True)
class Proposal:
    """A run, settled and encoded; `findings` say what is wrong with it.

    `tokens` are the figures of the tokenizer's audit; `parity_texts` what it is compared with the
    stock class on.
    """

    profile: str
    profile_reason: str
    resolved: Resolved
    machine: Machine
    model_folder: Path
    model_type: str
    tokenizer: Tokenizer
    format: PromptFormat
    train: EncodedRows
    validation: EncodedRows
    prompts: tuple[str, ...]
    data_fingerprint: str
    plan: Plan
    findings: list[Finding]
    warnings: list[str]
    tokens: dict[str, Any]
    parity_texts: tuple[str, ...]

    @property
    def config(self) -> RunConfig:
        return self.resolved.config

    @property
    def refused(self) -> bool:
        """True when a finding forbids the run."""
        return any(item.severity == "error" for item in self.findings)

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
        plan = self.plan.with_measured(peak_gib=peak_gib, tokens_per_second=tokens_per_second)
        return replace(self, plan=plan)

    def as_json(self) -> dict[str, object]:
        """`train --dry-run --json`."""
        return {
            "profile": {"name": self.profile, "reason": self.profile_reason},
            "config": self.resolved.as_json(),
            "plan": self.plan.as_json(),
            "tokens": self.tokens,
            "findings": [item.as_json() for item in self.findings],
        }


def propose(profile: str, options: Mapping[str, object], machine: Machine) -> Proposal:
    """The run that `options` on top of `profile` ask for on `machine`.

    Raises:
        JloraError: a profile, option, model or data file that cannot be used.
    """
    chosen, why = choose_profile(profile, machine)
    resolved = resolve(chosen.resolved_values(), parse_options(options))
    resolved, findings = settle(resolved, machine)
    base = _open_base(resolved.config.model)
    resolved, data, held_out = _read_rows(resolved)
    template = choose_template(resolved.config.template, base.tokenizer, data.examples)
    format = format_for(base.tokenizer, template, base.model)
    prompter = Prompter(base.tokenizer, format)
    resolved = settle_max_length(_settle_rest(resolved, base.shape, template), base.shape.context)
    train, validation = _encode(resolved.config, prompter, data, held_out)
    resolved = settle_for_data(resolved, rows=len(train.rows), validation_rows=len(validation.rows))
    config = resolved.config
    plan = make_plan(
        config,
        base.shape,
        machine,
        train,
        validation_rows=len(validation.rows),
        weights_here=base.weights_here,
    )
    layers = known_layers(base.shape.model_type)
    material = preflight.Material(train.rows, validation.rows, layers)
    occupied = in_use(Path(config.output or ""))
    findings += preflight.inspect(config, plan, format, material, in_use=occupied)
    audited = audit(prompter, data.examples, train.rows, embedding=base.shape.vocabulary or None)
    return Proposal(
        profile=chosen.name,
        profile_reason=why,
        resolved=resolved,
        machine=machine,
        model_folder=base.folder,
        model_type=base.shape.model_type,
        tokenizer=base.tokenizer,
        format=format,
        train=train,
        validation=validation,
        prompts=_prompts(config, [*held_out, *data.examples], prompter, base.shape.context),
        data_fingerprint=_fingerprint(train),
        plan=plan,
        findings=[*findings, *audited.findings],
        warnings=list(data.warnings),
        tokens=audited.figures,
        parity_texts=tuple(parity_texts(prompter, data.examples)),
    )


class _Base(NamedTuple):
    """A base as far as its small files tell."""

    model: str
    folder: Path
    shape: Shape
    tokenizer: Tokenizer

    @property
    def weights_here(self) -> bool:
        """False where a run would download them; a folder of one's own is not looked up."""
        return is_here(Path(self.model).expanduser()) or any(self.folder.glob("*.safetensors"))


def _open_base(model: str | None) -> _Base:
    """The base's config and tokenizer; its weights are not asked for."""
    if model is None:
        raise refuse("train.no_model")
    folder = find_model(model, what="config")
    shape = read_shape(read_model_config(folder))
    tokenizer = load_tokenizer(folder)
    _check_vocabulary(folder, tokenizer, shape)
    return _Base(model, folder, shape, tokenizer)


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
    config: RunConfig, prompter: Prompter, data: Loaded, held_out: list[Example]
) -> tuple[EncodedRows, EncodedRows]:
    train, validation = (
        prompter.encode_examples(
            examples,
            max_length=int(config.max_length),
            train_on=config.train_on,
            truncate=config.truncate,
        )
        for examples in (data.examples, held_out)
    )
    return train, validation


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
