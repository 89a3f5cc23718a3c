"""Load a base and quantise it, checked before it is trusted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from torch.overrides import TorchFunctionMode
from transformers.utils import logging as transformers_logging

from jlora_cli.errors import refuse
from jlora_cli.weights import check_base, reason_of

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PretrainedConfig, PreTrainedModel

    from jlora_cli.tokenizer import Tokenizer

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

# What transformers raises, itself or from below, over a config.json that it cannot follow.
UNLOADABLE = (
    ArithmeticError,
    AttributeError,
    ImportError,
    KeyError,
    OSError,
    RuntimeError,
    SafetensorError,
    StrictDataclassError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True)
class Placement:
    """Where and how a base is loaded. `device`: "cpu", "cuda" or "mps"."""

    device: str = "cpu"
    precision: str = "float32"
    quantization: str = "none"
    attention: str = "sdpa"


def load_base(
    folder: Path, placement: Placement, *, dropout: float = 0.0, tokenizer: Tokenizer | None = None
) -> PreTrainedModel:
    """The causal LM in `folder`, in eval mode on its device.

    `dropout` replaces every dropout of the architecture (it acts in training only).

    Raises:
        JloraError: needs code of its own, has no safetensors, does not fit its config, or has
            fewer embedding rows than the tokenizer has ids.
    """
    from transformers import AutoModelForCausalLM  # noqa: PLC0415 - with a model, not before

    check_base(folder)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    model: PreTrainedModel
    try:
        with _DrawNothing():
            model, told = AutoModelForCausalLM.from_pretrained(
                folder,
                config=_config_with(folder, dropout),
                dtype=DTYPES[placement.precision],
                local_files_only=True,
                use_safetensors=True,
                # None is SDPA where the architecture has it: Gemma 2's soft-capping has no kernel.
                attn_implementation=None if placement.attention == "sdpa" else placement.attention,
                quantization_config=_quantization(placement),
                device_map={"": _exactly(placement.device)} if placement.device != "cpu" else None,
                # transformers would fill what is missing or misshapen with random numbers, and
                # only log it: both are refused below.
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
    except UNLOADABLE as error:
        raise refuse("model.cannot_load", folder=folder, problem=reason_of(error)) from error
    _check_loaded(folder, model, told)
    rows = model.get_input_embeddings().weight.shape[0]
    if tokenizer is not None and tokenizer.rows > rows:
        raise refuse("model.tokenizer_larger", folder=folder, ids=tokenizer.rows, rows=rows)
    return model.eval()


def _exactly(device: str) -> torch.device:
    """The device, and of several GPUs the one that this process was told to use.

    transformers reads weights in threads of its own, to each of which "cuda" is the first GPU.
    """
    if device == "cuda":
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device(device)


class _DrawNothing(TorchFunctionMode):
    """Random numbers for tensors without data are not drawn, and ranges are never without data.

    transformers builds a model on the "meta" device before it reads the weights. There torch
    imports sympy, for 0.4 s, to draw nothing.
    """

    def __torch_function__(
        self, func: Any, _: Any, args: tuple[Any, ...] = (), given: dict[str, Any] | None = None
    ) -> Any:
        kwargs = given or {}
        if getattr(func, "__module__", "") == "torch.nn.init":
            tensor = args[0] if args else kwargs["tensor"]
            if tensor.is_meta:
                return tensor
        if func is torch.arange and kwargs.get("device") == _NO_DEVICE:
            kwargs = {**kwargs, "device": "cpu"}
        return func(*args, **kwargs)


_NO_DEVICE = torch.device("meta")


def _config_with(folder: Path, dropout: float) -> PretrainedConfig:
    from transformers import AutoConfig  # noqa: PLC0415 - with a model, not before

    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    for name, value in config.to_dict().items():
        if is_dropout(name) and isinstance(value, int | float) and not isinstance(value, bool):
            setattr(config, name, dropout)
    return config


def _check_loaded(folder: Path, model: PreTrainedModel, told: dict[str, Any]) -> None:
    """Refuse weights that fill the architecture of config.json only in part, or overflow it.

    Tensors outside the language model's layers may be left over: a vision tower, old buffers.
    """
    layer = re.compile(rf"({model.base_model_prefix}\.)?(h|layers)\.\d+\..*weight")
    misshapen = {name for name, *_ in told["mismatched_keys"]}
    surplus = {name for name in told["unexpected_keys"] if layer.fullmatch(name)}
    missing = set(told["missing_keys"])
    if missing or misshapen or surplus:
        raise refuse(
            "model.tensors_differ",
            folder=folder,
            missing=len(missing),
            misshapen=len(misshapen),
            unexpected=len(surplus),
            name=min(missing | misshapen | surplus),
        )


def is_dropout(name: str) -> bool:
    """Whether a key of a model's config.json is the share of something that training drops."""
    return "dropout" in name or name.endswith("pdrop")


def _quantization(placement: Placement) -> Any:
    if placement.quantization == "none":
        return None
    from transformers import BitsAndBytesConfig  # noqa: PLC0415 - bitsandbytes takes 1.5 s

    if placement.quantization == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=DTYPES[placement.precision],
    )
