"""A proposal -> a base with an adapter that trains, on its device."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from transformers.activations import FastGELUActivation, NewGELUActivation

from jlora_cli.errors import refuse
from jlora_cli.messages import say
from jlora_cli.model import (
    Placement,
    attach_adapter,
    choose_device,
    load_base,
    read_adapter,
    read_adapter_config,
)
from jlora_cli.recipe import ROWS_APART, attention_layers
from jlora_cli.run_folder import open_source
from jlora_cli.training.allocator import give_back_freed_tensors
from jlora_cli.training.attention import keep_rows_apart, keeps_rows_apart
from jlora_cli.training.compiling import compile_blocks, undo_compile
from jlora_cli.training.last_block import narrow_last_block, widen_last_block
from jlora_cli.training.lora import fuse
from jlora_cli.training.optimizer import add_noise, remove_noise
from jlora_cli.training.precision import Precision
from jlora_cli.training.rotary import rotate_as_stock, rotate_at_once

if TYPE_CHECKING:
    from pathlib import Path

    from peft import PeftModel
    from transformers import PreTrainedModel

    from jlora_cli.config import RunConfig
    from jlora_cli.proposal import Proposal
    from jlora_cli.run_folder import Artifact


class Loaded(NamedTuple):
    """A model that is ready to train, and how it computes."""

    adapted: PeftModel
    precision: Precision


class Shelf:
    """Where a base waits between runs that use it one after the other."""

    def __init__(self) -> None:
        self.base: PreTrainedModel | None = None

    def put_back(self, adapted: PeftModel) -> None:
        """Keep the base of a run that is over, without its adapter."""
        base: PreTrainedModel = adapted.unload()
        remove_noise(base)
        undo_compile(base)
        widen_last_block(base)
        rotate_as_stock(base)
        self.base = base


def load(
    proposal: Proposal, folder: Path, adapter: Path | None, base: PreTrainedModel | None = None
) -> Loaded:
    """The base in `folder` with a fresh adapter, or with the one in `adapter` to go on from.

    `base` is the one in `folder` where it is loaded already.

    Raises:
        JloraError: the base or the adapter cannot be used.
    """
    config = proposal.config
    device = choose_device("cpu" if proposal.machine.usable_gpu is None else None)
    if device == "cpu" and not proposal.plan.memory_gib.get("heap"):
        give_back_freed_tensors()
    stock = "eager" if config.attention == "eager" else "sdpa"
    placement = Placement(device, config.precision, config.quantization, stock)
    if base is None:
        tokenizer, dropout = proposal.tokenizer, config.base_dropout
        base = load_base(folder, placement, dropout=dropout, tokenizer=tokenizer)
    quicken(base, config.attention)
    adapted = _adapter(base, config, adapter)
    fuse(adapted)
    if base.config.model_type in ROWS_APART and config.compile is not True:
        # Compiled kernels want one shape, and how many places the loss looks at differs.
        narrow_last_block(base)
    if config.gradient_checkpointing is True:
        # After the adapter: PEFT would let the embeddings want a gradient, as transformers does.
        # Without reentry they need not: below the first adapter nothing is computed again.
        base.gradient_checkpointing_enable({"use_reentrant": False})
        base.disable_input_require_grads()
    if config.neftune_alpha:
        add_noise(base, config.neftune_alpha)
    if config.compile:
        compile_blocks(base)
    else:
        rotate_at_once(base)
    return Loaded(adapted, Precision(config.precision, device))


def quicken(base: PreTrainedModel, attention: str) -> None:
    """Let `base` compute the same with less: attention row by row, GELU and norms in one kernel."""
    keep_rows_apart(base, attention)
    for module in base.modules():
        if type(module) is torch.nn.LayerNorm and module.weight is not None:
            module.__class__ = _Norm
        for name, child in module.named_children():
            # Written out in Python, each of the formula's terms is a tensor that is kept.
            if type(child) in (NewGELUActivation, FastGELUActivation):
                setattr(module, name, torch.nn.GELU(approximate="tanh"))


class _Norm(torch.nn.LayerNorm):
    """A layer norm that gives what its weights are; its sums are in float32 all the same.

    Under autocast on CUDA it would be converted to float32 and give float32. The layers that read
    it convert that back, each for itself; but bitsandbytes' layers give what they are given, up to
    attention, whose kernel for all rows takes half precision only.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.to(self.weight.dtype))


def as_loaded(proposal: Proposal, adapted: PeftModel) -> Proposal:
    """`proposal` with the attention that the architecture has, where that is another."""
    attention = adapted.config._attn_implementation
    if keeps_rows_apart(adapted.get_base_model()) or attention == proposal.config.attention:
        return proposal
    reason = say("settle.attention_unfused", architecture=proposal.model_type)
    resolved = proposal.resolved.with_auto({"attention": (attention, reason)})
    return replace(proposal, resolved=resolved)


def _adapter(base: PreTrainedModel, config: RunConfig, folder: Path | None) -> PeftModel:
    if folder is None:
        return attach_adapter(base, config)
    adapted = read_adapter(base, folder, dropout=config.lora_dropout)
    for name, parameter in adapted.named_parameters():
        parameter.requires_grad = "lora_" in name
    return adapted


# -- going on from an adapter ------------------------------------------------------------------


def go_on_from(
    proposal: Proposal, source: str, base_fingerprint: str, *, folder: Path
) -> tuple[Proposal, Artifact]:
    """`proposal` with the settings of the adapter that `source` names, and that adapter.

    `folder` is the base's. What the adapter is made of beats profile and default; an option that
    says otherwise is refused.

    Raises:
        JloraError: no adapter, one of another base, or one that an option contradicts.
    """
    artifact = open_source(source)
    if artifact.adapter is None:
        raise refuse("train.not_an_adapter", source=source)
    remembered = ((artifact.card or {}).get("base") or {}).get("fingerprint")
    if remembered not in (None, base_fingerprint):
        raise refuse("train.other_base", source=source, base=folder)
    made = _settings_of(read_adapter_config(artifact.adapter))
    _check_options(proposal, made, source)
    reason = say("settle.from_adapter", source=source)
    taken = {
        name: (value, reason)
        for name, value in made.items()
        if proposal.resolved.sources[name].origin != "option"
    }
    return replace(proposal, resolved=proposal.resolved.with_auto(taken)), artifact


def _settings_of(config: dict[str, Any]) -> dict[str, Any]:
    """The settings that an adapter_config.json fixes."""
    targets = config.get("target_modules") or ()
    variant = "dora" if config.get("use_dora") else "lora"
    return {
        "lora_r": config.get("r"),
        "lora_alpha": float(config.get("lora_alpha") or 0),
        "lora_variant": "rslora" if config.get("use_rslora") else variant,
        "lora_targets": (targets,) if isinstance(targets, str) else tuple(sorted(targets)),
    }


def _check_options(proposal: Proposal, made: dict[str, Any], source: str) -> None:
    differing = [
        name
        for name, value in made.items()
        if proposal.resolved.sources[name].origin == "option"
        and not _agrees(name, getattr(proposal.config, name), value, proposal.model_type)
    ]
    if differing:
        named = ", ".join(f"{name} {_written(made[name])}" for name in differing)
        raise refuse("train.adapter_differs", source=source, settings=named)


def _agrees(name: str, asked: Any, made: Any, model_type: str) -> bool:
    if name != "lora_targets" or asked == ("auto",):
        return bool(name == "lora_targets" or asked == made)
    wanted = attention_layers(model_type) if asked == ("attention",) else asked
    return set(wanted) == set(made)


def _written(value: Any) -> str:
    return ",".join(value) if isinstance(value, tuple) else f"{value}"
