"""Bases with random weights, made where they are used: no file, and no copy on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from jlora_cli.model import DTYPES

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def random_base(
    shape: dict[str, Any], device: str, *, precision: str, quantization: str = "none"
) -> PreTrainedModel:
    """A causal LM of `shape` on `device`, as its architecture is initialised, in eval mode."""
    torch.manual_seed(0)
    dtype = DTYPES[precision]
    with torch.device(device):
        base: PreTrainedModel = AutoModelForCausalLM.from_config(
            AutoConfig.for_model(**shape), dtype=dtype, attn_implementation="sdpa"
        )
    if quantization == "4bit":
        _pack(base, device, dtype)
    return base.eval()


def _pack(base: PreTrainedModel, device: str, dtype: torch.dtype) -> None:
    """Quantise the blocks' linear layers one by one (NF4, double), as transformers does."""
    import bitsandbytes  # noqa: PLC0415 - takes 1.5 s
    from transformers import BitsAndBytesConfig  # noqa: PLC0415
    from transformers.quantizers import AutoHfQuantizer  # noqa: PLC0415

    output = base.get_output_embeddings()
    for parent in list(base.modules()):
        for name, layer in parent.named_children():
            if type(layer) is not torch.nn.Linear or layer is output:
                continue
            biased = layer.bias is not None
            made = bitsandbytes.nn.Linear4bit(
                layer.in_features,
                layer.out_features,
                bias=biased,
                compute_dtype=dtype,
                quant_type="nf4",
                device="meta",
            )
            packed = bitsandbytes.nn.Params4bit(
                layer.weight.data, requires_grad=False, quant_type="nf4", module=made
            )
            made.weight = packed.to(device)
            made.bias = layer.bias
            setattr(parent, name, made)
    # By these PEFT tells which of its layers to put around them, and transformers' Trainer that
    # they may be trained.
    base.is_loaded_in_4bit = base.is_quantized = True
    base.config.quantization_config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    base.hf_quantizer = AutoHfQuantizer.from_config(base.config.quantization_config)
