"""Options -> a proposal: open the base, read the rows, settle, judge."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jlora_cli import preflight
from jlora_cli.audit import audit, describe_untrained, parity_texts
from jlora_cli.config import Resolved, parse_options, resolve, settle
from jlora_cli.errors import refuse
from jlora_cli.finding import found
from jlora_cli.hub import DEMO, find_model, is_here
from jlora_cli.machine import require_logger_packages
from jlora_cli.memory import longest_that_fits
from jlora_cli.messages import say
from jlora_cli.plan import settle_max_length
from jlora_cli.preparing import DEMO_VALIDATION, find_validation, load_data
from jlora_cli.profile import check_fit, choose_profile, load_profile
from jlora_cli.prompt import Prompter, choose_template, differs_from_own, format_for
from jlora_cli.proposal.values import Proposal, judge
from jlora_cli.recipe import ATTENTION_LAYERS, ROWS_APART, attention_layers
from jlora_cli.run_folder import (
    ADAPTER_CONFIG,
    choose_output,
    open_adapter,
    read_model_config,
)
from jlora_cli.shape import Shape, known_layers, read_shape
from jlora_cli.tokenizer import Tokenizer, load_tokenizer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jlora_cli.config import RunConfig
    from jlora_cli.dataset import Example, Loaded
    from jlora_cli.machine import Machine
    from jlora_cli.profile import Profile
    from jlora_cli.prompt import EncodedRows


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
    require_logger_packages(resolved.config.report_to)
    resolved, findings = settle(resolved, machine)
    findings += check_fit(chosen.name, machine)
    base = _open_base(resolved.config.model)
    resolved, data, held_out = _read_rows(resolved)
    template = choose_template(resolved.config.template, base.tokenizer, data.examples)
    format = format_for(base.tokenizer, template, base.model)
    prompter = Prompter(base.tokenizer, format)
    draft = _settle_rest(resolved, base.shape, template, chosen)
    draft, material = _encode(draft, base, prompter, (data.examples, held_out), machine)
    audited = audit(
        prompter, data.examples, material.train.rows, embedding=base.shape.vocabulary or None
    )
    resolved, plan, found = judge(draft, material, machine)
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


def _settle_rest(resolved: Resolved, shape: Shape, template: str, profile: Profile) -> Resolved:
    """Settings whose "auto" depends on the model: packing, template, output."""
    config = resolved.config
    reasons: dict[str, tuple[object, str]] = {}
    if config.packing == "auto":
        proven = shape.model_type in ROWS_APART
        key = "settle.packing_on" if proven else "settle.packing_off"
        reasons["packing"] = proven, say(key, architecture=shape.model_type)
    reasons |= _settle_kernel(config.attention, shape)
    reasons |= _settle_targets(resolved, shape.model_type, profile)
    if config.template == "auto":
        key = "settle.template_model" if template == "model" else "settle.template_rows"
        reasons["template"] = template, say(key)
    if config.output is None:
        output = choose_output(None, config.model or "")
        reasons["output"] = str(output), say("settle.output")
    return resolved.with_auto(reasons)


def _settle_kernel(attention: str, shape: Shape) -> dict[str, tuple[object, str]]:
    """The attention that the architecture has, where that is not what the machine would have."""
    named = {"architecture": shape.model_type}
    if shape.soft_capped and attention != "eager":
        return {"attention": ("eager", say("settle.attention_eager", **named))}
    if shape.model_type not in ROWS_APART and attention == "varlen":
        return {"attention": ("sdpa", say("settle.attention_masked", **named))}
    return {}


def _settle_targets(
    resolved: Resolved, architecture: str, profile: Profile
) -> dict[str, tuple[object, str]]:
    """`auto` by name, and a packaged profile's attention layers as this architecture names them.

    A file of one's own means the names that it writes: those that match nothing are refused.
    """
    layers, asked = known_layers(architecture), resolved.config.lora_targets
    if not layers:
        return {}
    if asked == ("auto",):
        return {"lora_targets": (layers, say("settle.targets", architecture=architecture))}
    taken = resolved.sources["lora_targets"].origin == "profile" and profile.packaged is not None
    packaged = taken and load_profile(profile.packaged or "").values.get("lora_targets") == asked
    if packaged and asked in ATTENTION_LAYERS.values() and not set(asked) & set(layers):
        named = {"architecture": architecture, "asked": ", ".join(asked)}
        return {
            "lora_targets": (attention_layers(architecture), say("settle.targets_renamed", **named))
        }
    return {}


def _encode(
    draft: Resolved,
    base: _Base,
    prompter: Prompter,
    examples: tuple[list[Example], list[Example]],
    machine: Machine,
) -> tuple[Resolved, preflight.Material]:
    """The rows to train on and those held out as ids, none longer than `max_length` says."""
    config = draft.config
    wholes, held_out = (prompter.encode_whole(each, config.train_on) for each in examples)
    lengths = [len(whole.encoded.ids) for whole in wholes]
    room = None
    if config.max_length == "auto":
        # Where not even one token fits, the plan says so; a length would be no remedy.
        size = config.batch_size
        room = longest_that_fits(config, base.shape, machine, rows_per_batch=size) or None
    draft = settle_max_length(draft, base.shape.context, lengths, room)
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
        weights_here=base.weights_here,
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
