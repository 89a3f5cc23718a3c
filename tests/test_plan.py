"""Steps, tokens and memory are those of a run; every expected number is derived beside it."""

from __future__ import annotations

import json

import pytest

from jlora_cli.config import RunConfig, resolve
from jlora_cli.machine import Gpu, Machine, TorchBuild
from jlora_cli.plan import (
    GIB,
    RUNTIME_GIB,
    make_plan,
    memory_terms,
    peak_learning_rate,
    read_shape,
    settle_for_data,
    settle_max_length,
    steps_of,
)
from jlora_cli.prompt import IGNORED, Encoded, EncodedRows

LAPTOP = Machine("Linux", "3.11.7", True, "", 2, 16.0, 7.128, 100.0)
A100 = Machine(
    "Linux", "3.11.7", True, "", 8, 100.0, 90.0, 500.0,
    gpus=(Gpu("A100", 40.0, 38.5, (8, 0)),),
    torch=TorchBuild("2.11.0", "cu126", True, ("sm_80",)),
)  # fmt: skip
# What rinna/japanese-gpt2-medium's config.json holds of its size.
GPT2 = {
    "model_type": "gpt2", "n_embd": 1024, "n_layer": 24, "n_head": 16, "n_positions": 1024,
    "n_inner": 4096, "vocab_size": 32000,
}  # fmt: skip
# rinna/japanese-gpt-neox-3.6b.
NEOX = {
    "model_type": "gpt_neox", "hidden_size": 2816, "num_hidden_layers": 36,
    "num_attention_heads": 22, "intermediate_size": 11264, "max_position_embeddings": 2048,
    "vocab_size": 32000, "tie_word_embeddings": False,
}  # fmt: skip
# TinyLlama-1.1B: 32 query heads share 4 key heads.
LLAMA = {
    "model_type": "llama", "hidden_size": 2048, "num_hidden_layers": 22,
    "num_attention_heads": 32, "num_key_value_heads": 4, "intermediate_size": 5632,
    "max_position_embeddings": 2048, "vocab_size": 32000, "tie_word_embeddings": False,
}  # fmt: skip
# Qwen3-0.6B: the heads together are twice as wide as the hidden state.
QWEN3 = {
    "model_type": "qwen3", "hidden_size": 1024, "num_hidden_layers": 28,
    "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128,
    "intermediate_size": 3072, "max_position_embeddings": 40960, "vocab_size": 151936,
    "tie_word_embeddings": True,
}  # fmt: skip
# Gemma-2-2B: nothing is said of ties, and its architecture ties.
GEMMA2 = {
    "model_type": "gemma2", "hidden_size": 2304, "num_hidden_layers": 26,
    "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256,
    "intermediate_size": 9216, "max_position_embeddings": 8192, "vocab_size": 256000,
}  # fmt: skip
CONFIGS = {"gpt2": GPT2, "gpt_neox": NEOX, "llama": LLAMA, "qwen3": QWEN3, "gemma2": GEMMA2}


def settled(**values):
    """A config without "auto", as a plan needs it."""
    fixed = {"precision": "float32", "packing": True, "warmup_steps": 0, "max_length": 512}
    return RunConfig(**(fixed | {"gradient_checkpointing": False, "data": "rows.jsonl"} | values))


def rows_of(*lengths, dropped=(), shortened=0):
    """Rows of these lengths, the first half of each a prompt."""
    rows = [
        Encoded([7] * n, [IGNORED] * (n // 2) + [7] * (n - n // 2), f"rows.jsonl:{at}")
        for at, n in enumerate(lengths, start=1)
    ]
    return EncodedRows(rows, list(dropped), shortened)


# --- steps -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "rows", "steps"),
    [
        ({"batch_size": 4, "epochs": 3.0}, 55, 42),  # 3 x 14: thirteen full batches and one of 3
        ({"batch_size": 4, "gradient_accumulation_steps": 2, "epochs": 3.0}, 55, 21),  # 3 x 7
        ({"batch_size": 16, "gradient_accumulation_steps": 2, "epochs": 1.0}, 15_015, 470),
        ({"batch_size": 4, "processes": 2, "epochs": 3.0}, 55, 21),  # eight rows a step
        ({"batch_size": 8, "epochs": 1.0}, 16, 2),  # no partial batch
        ({"batch_size": 8, "epochs": 1.0}, 17, 3),
        ({"batch_size": 4, "epochs": 0.5}, 55, 7),  # half of 14
        ({"batch_size": 4, "epochs": 0.01}, 55, 1),
        ({"batch_size": 64, "epochs": 2.0}, 3, 2),  # a batch larger than the data
        ({"batch_size": 4, "epochs": 3.0, "max_steps": 5}, 55, 5),
        ({"batch_size": 4}, 0, 0),
    ],
)
def test_steps_are_counted_by_hand(settings, rows, steps):
    assert steps_of(settled(**settings), rows) == steps


@pytest.mark.parametrize(
    ("rows", "batch", "accumulation", "epochs", "planned"),
    [(55, 4, 1, 3.0, 42), (55, 4, 2, 3.0, 21), (9, 4, 2, 0.5, 1)],
)
def test_the_training_loop_takes_the_planned_steps(rows, batch, accumulation, epochs, planned):
    from jlora_cli.training.batches import steps

    config = settled(batch_size=batch, gradient_accumulation_steps=accumulation, epochs=epochs)
    total = steps_of(config, rows)
    order = steps(rows, per_step=batch * accumulation, seed=1, total_steps=total)
    assert len(list(order)) == total == planned


def settle(rows=55, validation_rows=5, **options):
    return settle_for_data(resolve(None, options), rows=rows, validation_rows=validation_rows)


def test_warm_up_is_its_share_of_the_run():
    made = settle(batch_size=4, epochs=3.0, warmup_ratio=0.1)
    assert made.config.warmup_steps == 4  # a tenth of 42 steps
    assert made.sources["warmup_steps"].origin == "auto"
    assert made.sources["warmup_steps"].reason == "10% of 42 steps"


@pytest.mark.parametrize(("ratio", "steps", "warmup"), [(1.0, 10, 9), (0.5, 1, 0), (0.0, 9, 0)])
def test_warm_up_leaves_at_least_one_step_at_the_peak(ratio, steps, warmup):
    assert settle(warmup_ratio=ratio, max_steps=steps).config.warmup_steps == warmup


def test_validation_and_checkpoints_follow_the_epochs():
    made = settle(batch_size=4, epochs=3.0)  # 14 steps an epoch
    assert (made.config.evaluation_steps, made.config.checkpoint_steps) == (14, 14)
    assert made.sources["evaluation_steps"].reason == "once an epoch"
    long = settle(batch_size=4, epochs=30.0).config  # 420 steps: a checkpoint every tenth of it
    assert (long.evaluation_steps, long.checkpoint_steps) == (14, 42)
    short = settle(batch_size=4, max_steps=3).config
    assert (short.evaluation_steps, short.checkpoint_steps) == (3, 3)
    assert settle(validation_rows=0).sources["evaluation_steps"].reason == "no validation rows"


def test_what_was_asked_for_is_not_settled_again():
    made = settle(warmup_steps=100, evaluation_steps=7, checkpoint_steps=9)
    config = made.config
    assert (config.warmup_steps, config.evaluation_steps, config.checkpoint_steps) == (100, 7, 9)
    assert made.sources["warmup_steps"].origin == "option"


def test_an_empty_data_set_settles_too():
    config = settle(rows=0, validation_rows=0).config
    assert (config.warmup_steps, config.evaluation_steps, config.checkpoint_steps) == (0, 1, 1)


@pytest.mark.parametrize(
    ("warmup", "steps", "reached"),
    [
        (100, 42, 0.42),  # the recipe of FINDINGS: a warm-up longer than the run
        (100, 100, 1.0),
        (10, 42, 1.0),
        (0, 42, 1.0),
    ],
)
def test_peak_learning_rate_is_what_the_run_reaches(warmup, steps, reached):
    config = settled(warmup_steps=warmup, learning_rate=2e-4)
    assert peak_learning_rate(config, steps) == pytest.approx(reached * 2e-4)


# --- length ----------------------------------------------------------------------------------


def test_max_length_is_the_context_where_nothing_is_asked():
    made = settle_max_length(resolve(None, {}), 1024)
    assert made.config.max_length == 1024
    assert made.sources["max_length"].reason == "the model's context"


def test_max_length_is_capped_by_the_context_with_a_reason():
    made = settle_max_length(resolve(None, {"max_length": 4096}), 1024)
    assert made.config.max_length == 1024
    assert made.sources["max_length"].origin == "auto"
    assert made.sources["max_length"].reason == "the model's context; 4096 was asked for"


def test_a_max_length_that_fits_stays_as_asked():
    resolved = resolve(None, {"max_length": 1024})
    assert settle_max_length(resolved, 1024) == resolved


# --- the shape of a model ----------------------------------------------------------------------


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
    settings = settled(lora_r=8, lora_targets=targets, lora_variant=variant)
    exact = trainable_parameters(attach_adapter(model, settings))
    assert exact > 0
    written = json.loads(model.config.to_json_string())
    for config in (written, CONFIGS[name] | {key: 2}):
        _, trained = memory_terms(settings, read_shape(config), LAPTOP, longest=1)
        assert trained == exact


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


# --- memory ----------------------------------------------------------------------------------


def terms(config, shape=GPT2, longest=512):
    return memory_terms(config, read_shape(shape), LAPTOP, longest=longest)[0]


def test_memory_terms_of_the_first_recipe_by_hand():
    made = terms(settled(batch_size=4, lora_r=8, lora_targets=("c_attn",)))
    weights, adapter, tokens = 336e6, 786_432, 4 * 512
    assert made["runtime"] == RUNTIME_GIB
    assert made["base_weights"] == pytest.approx(4 * weights / GIB, rel=0.01)
    assert made["adapter"] == made["gradients"] == pytest.approx(4 * adapter / GIB, abs=1e-4)
    assert made["optimizer"] == pytest.approx(8 * adapter / GIB, abs=1e-4)
    # 34 half-precision bytes a token, layer and hidden unit, twice that in float32.
    assert made["activations"] == pytest.approx(tokens * 24 * 1024 * 68 / GIB, abs=1e-4)
    assert made["logits"] == pytest.approx(tokens * 32_000 * 12 / GIB, abs=1e-4)


@pytest.mark.parametrize(
    ("settings", "share"),
    [
        ({"precision": "bfloat16"}, 1 / 2),
        ({"precision": "bfloat16", "quantization": "8bit"}, 1.1 / 4),
        ({"precision": "bfloat16", "quantization": "4bit"}, 0.6 / 4),
    ],
)
def test_smaller_numbers_take_less(settings, share):
    whole, less = terms(settled(), NEOX), terms(settled(**settings), NEOX)
    assert less["base_weights"] == pytest.approx(share * whole["base_weights"], abs=1e-3)
    assert less["activations"] == pytest.approx(whole["activations"] / 2, abs=1e-3)


def test_checkpointing_keeps_two_of_34_values():
    whole, less = terms(settled()), terms(settled(gradient_checkpointing=True))
    assert less["activations"] == pytest.approx(whole["activations"] * 2 / 34, abs=1e-3)


# --- the plan ----------------------------------------------------------------------------------


def test_plan_counts_what_is_trained():
    train = rows_of(10, 20, 6, 4, dropped=["rows.jsonl:9"], shortened=2)
    config = settled(batch_size=2, epochs=2.0, warmup_steps=1, learning_rate=1e-3)
    plan = make_plan(config, read_shape(GPT2), LAPTOP, train, validation_rows=3)
    assert (plan.rows, plan.tokens, plan.supervised_tokens) == (4, 40, 20)
    assert (plan.truncated_rows, plan.dropped_rows, plan.cut_answers) == (2, 1, 0)
    assert (plan.longest_row, plan.validation_rows) == (20, 3)
    assert (plan.optimizer_steps, plan.warmup_steps, plan.peak_learning_rate) == (4, 1, 1e-3)
    assert plan.memory_gib["total"] == pytest.approx(
        sum(value for name, value in plan.memory_gib.items() if name != "total"), abs=1e-3
    )
    assert plan.available_gib == 7.13  # the laptop's free memory
    assert json.loads(json.dumps(plan.as_json())) == plan.as_json()


def test_padding_is_the_share_of_filled_up_places():
    def share(**settings):
        config = settled(batch_size=2, **settings)
        return make_plan(
            config, read_shape(GPT2), LAPTOP, rows_of(10, 20, 6, 4, 8), validation_rows=0
        )

    # Batches (10, 20), (6, 4) and (8): 40 + 12 + 8 places for 48 tokens.
    assert share(packing=False).padding_share == 0.2
    assert share(packing=True).padding_share == 0.0


def test_an_empty_data_set_has_an_empty_plan():
    plan = make_plan(settled(packing=False), read_shape(GPT2), LAPTOP, rows_of(), validation_rows=0)
    assert (plan.rows, plan.optimizer_steps, plan.longest_row) == (0, 0, 0)
    assert (plan.padding_share, plan.memory_gib["activations"]) == (0.0, 0.0)


def test_a_gpus_free_memory_is_what_counts_on_a_gpu():
    plan = make_plan(settled(), read_shape(GPT2), A100, rows_of(8), validation_rows=0)
    assert plan.available_gib == 38.5
