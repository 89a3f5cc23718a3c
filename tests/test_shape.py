"""The sizes that a config.json tells are those of transformers and PEFT."""

from __future__ import annotations

import json

import pytest

from jlora_cli.config import RunConfig
from jlora_cli.memory import adapter_parameters
from jlora_cli.shape import read_shape
from tests.model_configs import CONFIGS, GEMMA2, GPT2, LLAMA, NEOX, QWEN3


def built(config):
    """The model of a config on the meta device: shapes and no numbers."""
    import torch
    import transformers

    made = transformers.AutoConfig.for_model(**config)
    with torch.device("meta"):
        return transformers.AutoModelForCausalLM.from_config(made)


@pytest.mark.parametrize("name", CONFIGS)
def test_parameters_are_within_one_percent_of_transformers(name):
    exact = sum(parameter.numel() for parameter in built(CONFIGS[name]).parameters())
    assert read_shape(CONFIGS[name]).parameters == pytest.approx(exact, rel=0.01)


def test_parameters_are_the_numbers_that_models_are_named_by():
    assert read_shape(GPT2).parameters == pytest.approx(336e6, rel=0.01)
    assert read_shape(NEOX).parameters == pytest.approx(3.6e9, rel=0.01)
    assert read_shape(LLAMA).parameters == pytest.approx(1.1e9, rel=0.01)


ADAPTERS = [
    *((name, ("auto",), "lora") for name in CONFIGS),
    *((name, ("attention",), "lora") for name in CONFIGS),
    *((name, ("auto",), "dora") for name in ("gpt2", "llama")),
    ("gpt2", ("c_proj",), "lora"),
    ("gpt_neox", ("query_key_value", "dense_h_to_4h"), "rslora"),
    ("llama", ("q_proj", "v_proj", "down_proj"), "lora"),
]


@pytest.mark.parametrize(("name", "targets", "variant"), ADAPTERS)
def test_adapter_parameters_are_exactly_those_of_peft(name, targets, variant):
    from jlora_cli.model import attach_adapter, trainable_parameters

    key = "n_layer" if name == "gpt2" else "num_hidden_layers"
    model = built(CONFIGS[name] | {key: 2})  # every layer is like the next
    settings = RunConfig(lora_r=8, lora_targets=targets, lora_variant=variant)
    exact = trainable_parameters(attach_adapter(model, settings))
    assert exact > 0
    written = json.loads(model.config.to_json_string())
    for config in (written, CONFIGS[name] | {key: 2}):
        assert adapter_parameters(settings, read_shape(config)) == exact


def test_adapter_of_the_first_recipe_by_hand():
    # 24 layers x rank 8 x (1,024 in + 3,072 out) of c_attn.
    assert read_shape(GPT2).adapter_parameters(8, ["c_attn"]) == 24 * 8 * 4096 == 786_432
    # DoRA adds a magnitude for each of the 3,072 outputs.
    dora = read_shape(GPT2).adapter_parameters(8, ["c_attn"], dora=True)
    assert dora == 786_432 + 24 * 3072


def test_shape_reads_nested_and_bare_configs():
    nested = read_shape({"model_type": "gemma3", "text_config": GEMMA2})
    assert (nested.layers, nested.hidden, nested.model_type) == (26, 2304, "gemma2")
    bare = read_shape({"text_config": None})
    assert (bare.model_type, bare.parameters, bare.context) == ("", 0, 2048)
    assert read_shape(GPT2 | {"n_inner": None}).intermediate == 4096  # gpt2's own default: 4 n_embd
    assert (read_shape(LLAMA).queries, read_shape(LLAMA).keys) == (2048, 256)
    assert (read_shape(QWEN3).queries, read_shape(QWEN3).keys) == (2048, 1024)


def test_shape_reads_what_memory_follows_from():
    assert read_shape(GPT2).activation == "gelu_new"  # GPT-2's own default
    assert read_shape(NEOX).activation == "gelu"
    assert read_shape(LLAMA | {"hidden_act": "silu"}).activation == "silu"
    assert (read_shape(GEMMA2).soft_capped, read_shape(LLAMA).soft_capped) == (True, False)
    assert read_shape(GEMMA2 | {"attn_logit_softcapping": None}).soft_capped is False
    stored = [read_shape(NEOX | {"torch_dtype": name}).stored_bytes for name in ("float16", None)]
    assert stored == [2, 4]
    assert read_shape(NEOX | {"dtype": "bfloat16"}).stored_bytes == 2
    assert (read_shape(LLAMA).heads, read_shape(LLAMA).largest_linear) == (32, 2048 * 5632)
