"""Options -> a proposal: open the base, read the rows, settle, judge."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jlora_cli import preflight
from jlora_cli.audit import conclude, describe_untrained
from jlora_cli.config import Resolved, parse_options, resolve, settle
from jlora_cli.encoding import Encoder, Wanted
from jlora_cli.errors import refuse
from jlora_cli.finding import found
from jlora_cli.hub import DEMO, find_model, is_here
from jlora_cli.machine import require_logger_packages
from jlora_cli.memory import longest_that_fits
from jlora_cli.messages import say
from jlora_cli.plan import settle_max_length
from jlora_cli.preparing import DEMO_VALIDATION, find_validation
from jlora_cli.profile import check_fit, choose_profile, load_profile
from jlora_cli.prompt import differs_from_own
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
    from jlora_cli.encoding import Fitted
    from jlora_cli.machine import Machine
    from jlora_cli.profile import Profile


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
    resolved = _settle_validation(resolved)
    with _encoder(resolved.config, base) as encoder:
        format = encoder.prompter.format
        draft = _settle_rest(resolved, base.shape, format.template, chosen)
        draft, material, train = _encode(draft, base, encoder, machine)
        told = encoder.told
    audited = conclude(
        encoder.prompter,
        told.texts,
        train.counted | told.round_trips,
        embedding=base.shape.vocabulary or None,
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
        prompts=draft.config.sample_prompts or tuple(told.prompts),
        data_fingerprint=train.fingerprint,
        plan=plan,
        findings=preflight.allow([*found, *standing], allowed),
        standing=standing,
        allowed=tuple(allowed),
        warnings=told.warnings,
        tokens=audited.figures,
        parity_texts=tuple(told.parity),
        from_cache=encoder.from_cache,
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


def _encoder(config: RunConfig, base: _Base) -> Encoder:
    """What makes the training rows, and those held out: named, or beside the data."""
    wanted = Wanted(
        base.tokenizer, base.model, config.template, config.train_on, base.shape.context
    )
    return Encoder(config.data or "", config.validation, wanted)


def _check_vocabulary(folder: Path, tokenizer: Tokenizer, shape: Shape) -> None:
    if shape.vocabulary and tokenizer.rows > shape.vocabulary:
        raise refuse(
            "model.tokenizer_larger", folder=folder, ids=tokenizer.rows, rows=shape.vocabulary
        )


def _settle_validation(resolved: Resolved) -> Resolved:
    """The validation rows that lie beside the data, where none are named."""
    config = resolved.config
    if config.data is None:
        raise refuse("train.no_data")
    beside = find_validation(config.data) if config.validation is None else None
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
    draft: Resolved, base: _Base, encoder: Encoder, machine: Machine
) -> tuple[Resolved, preflight.Material, Fitted]:
    """The rows to train on and those held out, none longer than `max_length` says."""
    config = draft.config
    lengths = encoder.encode()
    room = None
    if config.max_length == "auto":
        # Where not even one token fits, the plan says so; a length would be no remedy.
        size = config.batch_size
        room = longest_that_fits(config, base.shape, machine, rows_per_batch=size) or None
    draft = settle_max_length(draft, base.shape.context, lengths, room)
    train, held_out = encoder.fit(int(draft.config.max_length), config.truncate)
    prompter = encoder.prompter
    material = preflight.Material(
        train=train.rows,
        validation=held_out.rows,
        format=prompter.format,
        shape=base.shape,
        layers=known_layers(base.shape.model_type),
        longest=max(lengths, default=0),
        conversations=encoder.told.conversations,
        other_template=differs_from_own(prompter),
        weights_here=base.weights_here,
        untrained_end=describe_untrained(
            base.folder, prompter.format.turn_end_id, base.tokenizer.special_ids.values()
        ),
    )
    return draft, material, train
