"""Attach an adapter to a base, or read one from its folder, every tensor checked."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError

from jlora_cli.errors import refuse
from jlora_cli.model.base import UNLOADABLE
from jlora_cli.recipe import attention_layers
from jlora_cli.run_folder import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from jlora_cli.weights import check_adapter_rank, read_adapter_config, reason_of

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from peft import PeftModel
    from transformers import PreTrainedModel

    from jlora_cli.config import RunConfig
    from jlora_cli.errors import JloraError


def find_targets(model: PreTrainedModel, asked: tuple[str, ...]) -> list[str]:
    """The names of the linear layers of the text model that get an adapter.

    `asked`: ("auto",) = every linear layer but the output's, ("attention",) = the attention's,
    else the last parts of module names.

    Raises:
        JloraError: a name matches nothing; the names that the architecture has are listed.
    """
    linear = {name.rpartition(".")[2] for name in _linear_layers(_text_model(model))}
    if asked == ("auto",):
        return sorted(linear)
    wanted = attention_layers(model.config.model_type) if asked == ("attention",) else asked
    missing = [name for name in wanted if name not in linear]
    if missing:
        raise refuse(
            "targets-match-nothing.refused",
            names=", ".join(missing),
            known=", ".join(sorted(linear)),
        )
    return list(wanted)


_LINEAR = {"Linear", "Conv1D", "Linear4bit", "Linear8bitLt"}


def _text_model(model: PreTrainedModel) -> torch.nn.Module:
    """What lies below the output layer and reads text; all below it where nothing tells."""
    decoder: torch.nn.Module | None = model.get_decoder()
    whole: torch.nn.Module = model.base_model
    return whole if decoder is model or decoder is None else decoder


def _linear_layers(model: torch.nn.Module) -> list[str]:
    return [name for name, module in model.named_modules() if type(module).__name__ in _LINEAR]


def _elsewhere(model: PreTrainedModel) -> str | None:
    """A pattern for the parts of `model` beside its text model that hold linear layers; or None.

    A tower that sees pictures never runs over text: its part of an adapter would stay zero.
    """
    decoder, output = _text_model(model), model.get_output_embeddings()
    inside = next((name for name, module in model.named_modules() if module is decoder), "")
    if not inside:  # an architecture without a part for text alone
        return None
    depth = len(inside.split("."))
    parts = {
        ".".join(name.split(".")[:depth])
        for name in _linear_layers(model)
        if not name.startswith(f"{inside}.") and model.get_submodule(name) is not output
    }
    return rf"({'|'.join(map(re.escape, sorted(parts)))})(\..*)?" if parts else None


def attach_adapter(model: PreTrainedModel, config: RunConfig) -> PeftModel:
    """A fresh LoRA adapter on `model`; its tensors alone are trainable, in float32."""
    from peft import LoraConfig, get_peft_model  # noqa: PLC0415

    targets = find_targets(model, config.lora_targets)
    # Not PEFT's prepare_model_for_kbit_training, which takes all that is not packed to float32: the
    # output layer would be converted back at every step, and every block's input twice as wide.
    made: PeftModel = get_peft_model(
        model,
        LoraConfig(
            r=config.lora_r,
            lora_alpha=config.lora_alpha,
            lora_dropout=config.lora_dropout,
            target_modules=targets,
            exclude_modules=_elsewhere(model),
            task_type="CAUSAL_LM",
            use_rslora=config.lora_variant == "rslora",
            use_dora=config.lora_variant == "dora",
            # GPT-2 stores its linear layers transposed (Conv1D); PEFT would find out and warn.
            fan_in_fan_out=model.config.model_type == "gpt2",
        ),
    )
    return made


def read_adapter(
    model: PreTrainedModel, folder: Path, *, dropout: float | None = None
) -> PeftModel:
    """`model` with the adapter in `folder`, every tensor of which was checked, in eval mode.

    `dropout` replaces the one that the adapter was trained with.

    Raises:
        JloraError: damaged, no LoRA, of another rank or base, with tensors that are missing,
            unexpected or not finite.
    """
    from peft import PeftConfig, PeftModel  # noqa: PLC0415 - takes 2 s

    check_adapter_rank(folder, read_adapter_config(folder))
    tensors = _adapter_tensors(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT warns of missing keys; they are refused below
        try:
            config = PeftConfig.from_pretrained(str(folder))
            if dropout is not None:
                config.lora_dropout = dropout
            adapted = PeftModel(model, config)
        except UNLOADABLE as error:
            if "not found in the base model" in str(error):
                raise _tensors_differ(folder, set(), tensors.keys()) from error
            path = folder / ADAPTER_CONFIG
            raise refuse("source.bad_json", path=path, problem=reason_of(error)) from error
        _check_tensors(folder, adapted, tensors)
        _fill(adapted, tensors)
    return adapted.eval()


def _adapter_tensors(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file  # noqa: PLC0415

    try:
        return load_file(folder / ADAPTER_WEIGHTS)
    except (SafetensorError, OSError) as error:
        path = folder / ADAPTER_WEIGHTS
        raise refuse("model.damaged", path=path, problem=reason_of(error)) from error


def _check_tensors(folder: Path, adapted: PeftModel, tensors: dict[str, torch.Tensor]) -> None:
    path = folder / ADAPTER_WEIGHTS
    wanted = adapter_state(adapted)
    if wanted.keys() != tensors.keys():
        raise _tensors_differ(folder, wanted.keys(), tensors.keys())
    for name, tensor in tensors.items():
        if tensor.shape != wanted[name].shape:
            raise refuse(
                "adapter.shape_differs",
                path=path,
                name=name,
                shape=list(tensor.shape),
                wanted=list(wanted[name].shape),
            )
        if not torch.isfinite(tensor).all():
            raise refuse("adapter.not_finite", path=path, name=name)


def _tensors_differ(folder: Path, wanted: AbstractSet[str], found: AbstractSet[str]) -> JloraError:
    return refuse(
        "adapter.tensors_differ",
        path=folder / ADAPTER_WEIGHTS,
        matched=len(wanted & found),
        total=len(found),
        missing=len(wanted - found),
        unexpected=len(found - wanted),
    )


def _fill(adapted: PeftModel, tensors: dict[str, torch.Tensor]) -> None:
    from peft import set_peft_model_state_dict  # noqa: PLC0415

    set_peft_model_state_dict(adapted, tensors)


def adapter_state(adapted: PeftModel) -> dict[str, torch.Tensor]:
    """The adapter's tensors under the names that its file gives them."""
    from peft import get_peft_model_state_dict  # noqa: PLC0415

    # "auto" would look the base up on the hub to learn whether the embedding was resized.
    state: dict[str, torch.Tensor] = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    return state


def trainable_parameters(adapted: PeftModel) -> int:
    """How many numbers the optimizer moves."""
    return sum(p.numel() for p in adapted.parameters() if p.requires_grad)
