"""What an adapter does to its base's tensors is what PEFT's own merge does, or it is refused."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from jlora_cli.errors import JloraError
from jlora_cli.merging.changes import read_changes
from jlora_cli.merging.shards import shard_tensors, shards_of, write_shards
from jlora_cli.weights import check_base
from tests.tiny_models import save_tiny_model

WEIGHTS = "adapter_model.safetensors"
# A sum of float32 in another order: PEFT makes up @ down first and adds it then.
TOLERANCE = 1e-6


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """A tiny base by architecture."""
    root, made = tmp_path_factory.mktemp("bases"), {}

    def get(architecture):
        if architecture not in made:
            made[architecture] = save_tiny_model(root / architecture, architecture)
        return made[architecture]

    return get


def adapted(base, folder, **settings):
    """A PEFT model on `base` whose random adapter is saved in `folder`."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    terms = {"r": 4, "lora_alpha": 6, **settings}
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), LoraConfig(**terms))
    draw = torch.Generator().manual_seed(3)
    for name, tensor in model.named_parameters():
        if tensor.requires_grad:
            spread = 0.3 if "lora_" in name else 0.01
            tensor.data += torch.empty_like(tensor).normal_(std=spread, generator=draw)
    model.save_pretrained(folder, save_embedding_layers=False)
    return model


def changes_of(folder, base):
    shapes = {name: shape for name, (shape, _) in shard_tensors(shards_of(base)).items()}
    return read_changes(folder, check_base(base), shapes)


def merged_here(folder, base, target):
    target.mkdir()
    write_shards(shards_of(base), target, changes_of(folder, base), None)
    return load_file(target / "model.safetensors")


CASES = {
    "gpt2": ("gpt2", {"target_modules": ["c_attn", "c_proj", "c_fc"], "fan_in_fan_out": True}),
    "gpt2-dora": ("gpt2", {"target_modules": ["c_proj"], "fan_in_fan_out": True, "use_dora": True}),
    "neox": ("gpt_neox", {"target_modules": ["query_key_value", "dense", "dense_4h_to_h"]}),
    "neox-output": ("gpt_neox", {"target_modules": ["lm_head"]}),
    "rslora": ("llama", {"target_modules": ["q_proj", "v_proj"], "use_rslora": True}),
    "dora": ("llama", {"target_modules": ["q_proj", "down_proj"], "use_dora": True}),
    "patterns": (
        "llama",
        {
            "target_modules": ["q_proj", "k_proj", "o_proj"],
            "rank_pattern": {"k_proj": 2, "layers.1.self_attn.o_proj": 6},
            "alpha_pattern": {"^model.layers.0.self_attn.q_proj": 32, "o_proj": 1},
        },
    ),
    "one-layer": ("llama", {"target_modules": ["q_proj"], "layers_to_transform": [1]}),
    "expression": ("llama", {"target_modules": r".*layers\.0\..*(q|k)_proj"}),
    "embedding": ("llama", {"target_modules": ["embed_tokens", "q_proj"]}),
    "whole": ("llama", {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]}),
    "qwen-bias": ("qwen2", {"target_modules": ["q_proj"], "bias": "lora_only"}),
    "output": ("llama", {"target_modules": ["lm_head", "up_proj"]}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_changed_weights_are_those_of_peft_s_own_merge(bases, tmp_path, case):
    architecture, settings = CASES[case]
    base = bases(architecture)
    model = adapted(base, tmp_path / "adapter", **settings)
    found = merged_here(tmp_path / "adapter", base, tmp_path / "out")
    expected = model.merge_and_unload(safe_merge=True).state_dict()
    plain = load_file(base / "model.safetensors")
    assert found.keys() == plain.keys()
    # transformers 5 names GPT-NeoX's output otherwise than its files do.
    named = {name.replace("embed_out", "lm_head"): tensor for name, tensor in found.items()}
    assert max(float((named[n] - expected[n]).abs().max()) for n in named) <= TOLERANCE
    changed = {name for name in found if not torch.equal(found[name], plain[name])}
    assert changed == changes_of(tmp_path / "adapter", base).keys()
    assert len(changed) > 0


def test_a_base_saved_without_the_model_s_prefix_is_changed_under_its_own_names(bases, tmp_path):
    import shutil

    base, bare = bases("gpt2"), tmp_path / "bare"
    shutil.copytree(base, bare)
    tensors = load_file(base / "model.safetensors")
    short = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
    save_file(short, bare / "model.safetensors", metadata={"format": "pt"})
    adapted(base, tmp_path / "adapter", target_modules=["c_attn"], fan_in_fan_out=True)
    assert set(changes_of(tmp_path / "adapter", bare)) == {
        "h.0.attn.c_attn.weight",
        "h.1.attn.c_attn.weight",
    }


# --- refused -----------------------------------------------------------------------------------


@pytest.fixture
def adapter(bases, tmp_path):
    """An adapter on two layers of llama, to be damaged."""
    adapted(bases("llama"), tmp_path / "適応", target_modules=["q_proj", "v_proj"])
    return tmp_path / "適応"


def with_tensors(adapter, change):
    tensors = load_file(adapter / WEIGHTS)
    change(tensors)
    save_file(tensors, adapter / WEIGHTS, metadata={"format": "pt"})


def with_config(adapter, **settings):
    path = adapter / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(config | settings), encoding="utf-8")


def refusal(adapter, base):
    with pytest.raises(JloraError) as refused:
        changes_of(adapter, base)
    return refused.value.problem


NAME = "base_model.model.model.layers.0.self_attn.q_proj.lora_{}.weight"


@pytest.mark.parametrize("letter", ["A", "B"])
def test_a_missing_half_of_a_pair_is_counted(adapter, bases, letter):
    with_tensors(adapter, lambda t: t.pop(NAME.format(letter)))
    found = refusal(adapter, bases("llama"))
    assert found == f"{adapter / WEIGHTS}: 7 of 7 tensors fit this base (1 missing, 0 unexpected)"


def test_a_missing_layer_is_counted(adapter, bases):
    with_tensors(adapter, lambda t: (t.pop(NAME.format("A")), t.pop(NAME.format("B"))))
    assert "6 of 6 tensors fit this base (2 missing, 0 unexpected)" in refusal(
        adapter, bases("llama")
    )


def test_a_layer_that_the_base_has_not_is_counted(adapter, bases):
    def deepen(tensors):
        for letter in "AB":
            name = NAME.format(letter)
            tensors[name.replace("layers.0", "layers.7")] = tensors[name].clone()

    with_tensors(adapter, deepen)
    assert "8 of 10 tensors fit this base (0 missing, 2 unexpected)" in refusal(
        adapter, bases("llama")
    )


@pytest.mark.parametrize("name", ["extra.weight", "base_model.model.model.猫.weight"])
def test_a_tensor_that_belongs_to_nothing_is_counted(adapter, bases, name):
    with_tensors(adapter, lambda t: t.__setitem__(name, torch.ones(2)))
    assert "8 of 9 tensors fit this base (0 missing, 1 unexpected)" in refusal(
        adapter, bases("llama")
    )


def test_an_adapter_without_any_pair_is_refused(adapter, bases):
    with_tensors(adapter, dict.clear)
    assert "0 of 0 tensors fit this base" in refusal(adapter, bases("llama"))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_no_number_is_refused_by_name(adapter, bases, value):
    with_tensors(adapter, lambda t: t[NAME.format("A")].view(-1).__setitem__(5, value))
    found = refusal(adapter, bases("llama"))
    assert found == f"{adapter / WEIGHTS}: {NAME.format('A')} holds NaN or infinite values"


@pytest.mark.parametrize("letter", ["A", "B"])
def test_one_all_zero_tensor_is_refused_by_name(adapter, bases, letter):
    with_tensors(adapter, lambda t: t[NAME.format(letter)].zero_())
    assert refusal(adapter, bases("llama")) == (
        f"{adapter / WEIGHTS}: 1 tensors are all zero, {NAME.format(letter)} among them: these "
        "layers learned nothing"
    )


def test_a_tensor_of_another_base_s_width_is_refused_by_name(adapter, bases):
    with_tensors(adapter, lambda t: t.__setitem__(NAME.format("A"), torch.ones(4, 16)))
    assert "is [32, 16], this base needs [32, 32]" in refusal(adapter, bases("llama"))


def test_a_rank_that_differs_from_the_config_is_refused(adapter, bases):
    with_config(adapter, r=8)
    assert "have rank 4, adapter_config.json says 8" in refusal(adapter, bases("llama"))


@pytest.mark.parametrize(
    "settings",
    [
        {"lora_bias": True},
        {"init_lora_weights": "pissa_niter_16"},
        {"trainable_token_indices": [3]},
        {"layer_replication": [[0, 2]]},
    ],
    ids=str,
)
def test_an_adapter_that_is_more_than_pairs_is_refused_and_named(adapter, bases, settings):
    with_config(adapter, **settings)
    found = refusal(adapter, bases("llama"))
    assert "adds more than matrices to its base" in found
    assert next(iter(settings)) in found


@pytest.mark.parametrize("initial", [True, False, "gaussian", "orthogonal"])
def test_how_its_pairs_began_is_no_fault(adapter, bases, initial):
    with_config(adapter, init_lora_weights=initial)
    assert len(changes_of(adapter, bases("llama"))) == 4


def test_a_change_of_tied_embeddings_is_refused(bases, tmp_path):
    terms = {"target_modules": ["wte", "c_attn"], "fan_in_fan_out": True}
    adapted(bases("gpt2"), tmp_path / "a", **terms)
    assert "uses one tensor as input and output embedding" in refusal(tmp_path / "a", bases("gpt2"))
