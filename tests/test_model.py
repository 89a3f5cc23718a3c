"""Bases and adapters are checked before they are trusted; every refusal names its file."""

from __future__ import annotations

import json
import math
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from jlora_cli import weights
from jlora_cli.config import RunConfig
from jlora_cli.errors import JloraError
from jlora_cli.model import (
    Placement,
    adapter_state,
    attach_adapter,
    check_base,
    choose_device,
    device_memory_gib,
    find_targets,
    fingerprint,
    load_base,
    read_adapter,
    tensor_shapes,
    trainable_parameters,
)
from jlora_cli.model.base import _exactly
from jlora_cli.tokenizer import load_tokenizer
from tests.tiny_models import ARCHITECTURES, save_tiny_model

IDS = torch.tensor([[5, 6, 7, 8, 9]])


@pytest.fixture
def base(tiny_base, tmp_path):
    """A copy of the tiny base, to be damaged."""
    return Path(shutil.copytree(tiny_base, tmp_path / "髙﨑"))


def rewrite(path, change):
    """A JSON file with its document changed in place."""
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")


def with_tensors(path, change):
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def refusal(function, *arguments, **named):
    with pytest.raises(JloraError) as refused:
        function(*arguments, **named)
    return refused.value.problem


# --- bases ----------------------------------------------------------------------------------


def test_a_good_base_passes_and_its_config_is_returned(tiny_base):
    config = check_base(tiny_base)
    assert (config["model_type"], config["hidden_size"]) == ("gpt_neox", 32)


def test_a_base_without_a_config_is_refused(base):
    (base / "config.json").unlink()
    assert refusal(load_base, base, Placement()) == f"{base / 'config.json'} is missing"


@pytest.mark.parametrize("text", ["", "{", "[1]", '"🐈"', "null"])
def test_a_config_that_is_no_object_is_refused_by_name(base, text):
    (base / "config.json").write_text(text, encoding="utf-8")
    assert str(base / "config.json") in refusal(check_base, base)


def test_a_config_in_another_encoding_is_refused_by_name(base):
    (base / "config.json").write_bytes('{"名": "髙"}'.encode("shift_jis", "replace") + b"\xff")
    assert str(base / "config.json") in refusal(check_base, base)


def test_code_that_comes_with_a_model_is_never_run(base, tmp_path):
    canary = tmp_path / "JLORA_PWNED"
    (base / "evil.py").write_text(f"from pathlib import Path\nPath({str(canary)!r}).touch()\n")
    rewrite(base / "config.json", lambda c: c.update(auto_map={"AutoConfig": "evil.Config"}))
    assert "Python code that came with the model" in refusal(load_base, base, Placement())
    assert not canary.exists()


def test_a_pickled_base_is_refused_unread(base, tmp_path):
    (base / "model.safetensors").rename(base / "pytorch_model.bin")
    (base / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    problem = refusal(load_base, base, Placement())
    assert problem.startswith(f"{base} holds its weights as a pickle")


def test_a_base_without_weights_is_refused(base):
    (base / "model.safetensors").unlink()
    assert refusal(load_base, base, Placement()) == f"{base} holds no *.safetensors"


@pytest.mark.parametrize("share", [0, 1, 2])
def test_weights_that_are_empty_or_cut_off_are_refused_by_name(base, share):
    path = base / "model.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size * share // 3])
    problem = refusal(check_base, base)
    assert problem.startswith(f"{path} is empty or cut off: ")


def test_a_shard_that_is_missing_is_refused(base):
    index = {"metadata": {}, "weight_map": {"lm_head.weight": "model-00002-of-00002.safetensors"}}
    (base / "model.safetensors").rename(base / "model-00001-of-00002.safetensors")
    (base / "model.safetensors.index.json").write_text(json.dumps(index))
    problem = refusal(load_base, base, Placement())
    assert "model-00002-of-00002.safetensors" in problem


@pytest.mark.parametrize("size", [100, 10_000])
def test_a_vocabulary_that_differs_from_the_embedding_is_refused(base, size):
    rewrite(base / "config.json", lambda c: c.update(vocab_size=size))
    problem = refusal(check_base, base)
    assert problem == f"{base}: config.json says {size} tokens, the embedding has 380 rows"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_embedding_is_found_whatever_the_architecture_calls_it(tmp_path, architecture):
    base = save_tiny_model(tmp_path / "base", architecture)
    assert check_base(base)["model_type"] == architecture
    rewrite(base / "config.json", lambda c: c.update(vocab_size=c["vocab_size"] - 1))
    assert "config.json says 379 tokens" in refusal(check_base, base)


def test_the_vocabulary_of_a_nested_text_config_counts(base):
    def nest(config):
        config["text_config"] = {"vocab_size": config.pop("vocab_size")}

    rewrite(base / "config.json", nest)
    assert check_base(base)["text_config"] == {"vocab_size": 380}
    rewrite(base / "config.json", lambda c: c["text_config"].update(vocab_size=7))
    assert "config.json says 7 tokens" in refusal(check_base, base)


def test_a_config_without_a_vocabulary_is_left_to_the_architectures_default(base):
    rewrite(base / "config.json", lambda c: c.pop("vocab_size"))
    assert "vocab_size" not in check_base(base)
    # GPT-NeoX says 50,432, which these weights do not have.
    assert "2 of another shape" in refusal(load_base, base, Placement())


def test_a_tokenizer_with_more_ids_than_the_embedding_has_rows_is_refused(base):
    tokenizer = load_tokenizer(base)

    def cut(tensors):
        for name in ("gpt_neox.embed_in.weight", "embed_out.weight"):
            tensors[name] = tensors[name][:300].clone()

    with_tensors(base / "model.safetensors", cut)
    rewrite(base / "config.json", lambda c: c.update(vocab_size=300))
    problem = refusal(load_base, base, Placement(), tokenizer=tokenizer)
    assert problem == f"{base}: the tokenizer has 380 ids, the embedding only 300 rows"
    assert load_base(base, Placement()).config.vocab_size == 300


def test_an_architecture_that_names_no_text_model_gets_adapters_all_the_same(base, monkeypatch):
    model = load_base(base, Placement())
    wanted = find_targets(model, ("auto",))
    monkeypatch.setattr(type(model), "get_decoder", lambda self: self)

    assert find_targets(model, ("auto",)) == wanted
    assert attach_adapter(model, RunConfig()).get_nb_trainable_parameters()[0] > 0


def test_the_place_of_a_picture_needs_no_row_where_none_is_written(base):
    # As Gemma 3's for a picture in its models for text alone.
    place = {"content": "<image_soft_token>", "special": True}
    path = base / "tokenizer_config.json"
    rewrite(path, lambda c: c.update(added_tokens_decoder={"380": place}))
    tokenizer = load_tokenizer(base)
    assert (tokenizer.size, tokenizer.rows) == (381, 380)
    assert load_base(base, Placement(), tokenizer=tokenizer).config.vocab_size == 380

    rewrite(path, lambda c: c.update(chat_template="<image_soft_token>{{ messages[0].content }}"))
    problem = refusal(load_base, base, Placement(), tokenizer=load_tokenizer(base))
    assert problem == f"{base}: the tokenizer has 381 ids, the embedding only 380 rows"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_type": "猫"}, "猫"),
        ({"model_type": None}, "model type"),
        ({"hidden_size": "x"}, "hidden_size"),
        ({"num_attention_heads": 5}, "attention heads"),
        ({"num_attention_heads": 0}, "zero"),
        ({"hidden_act": "nope"}, "KeyError: 'nope'"),
        ({"dtype": "float99"}, "float99"),
        ({"quantization_config": {"quant_method": "gptq"}}, "bits"),
    ],
    ids=str,
)
def test_a_config_that_cannot_be_followed_is_refused_with_its_reason(base, changes, words):
    rewrite(base / "config.json", lambda c: c.update(changes))
    problem = refusal(load_base, base, Placement())
    assert problem.startswith(f"{base} cannot be loaded: ")
    assert words in problem
    assert "\n" not in problem


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        # transformers fills a third block with random numbers, and says so only in its log.
        ({"num_hidden_layers": 3}, "12 tensors are missing, 0 of another shape, 0 left over"),
        ({"num_hidden_layers": 1}, "0 tensors are missing, 0 of another shape, 6 left over"),
        # Two up-projections with their biases, two down-projections.
        ({"intermediate_size": 96}, "0 tensors are missing, 6 of another shape, 0 left over"),
    ],
    ids=["more", "fewer", "wider"],
)
def test_weights_that_do_not_fill_the_config_are_refused_and_never_made_up(base, changes, words):
    rewrite(base / "config.json", lambda c: c.update(changes))
    problem = refusal(load_base, base, Placement())
    assert problem.startswith(f"{base}: the weights do not fit config.json: {words}, among them ")


def test_a_renamed_tensor_is_missing_and_its_name_told(base):
    def rename(tensors):
        tensors["gpt_neox.layers.0.attention.dense.weights"] = tensors.pop(
            "gpt_neox.layers.0.attention.dense.weight"
        )

    with_tensors(base / "model.safetensors", rename)
    problem = refusal(load_base, base, Placement())
    assert "1 tensors are missing" in problem
    assert problem.endswith("among them gpt_neox.layers.0.attention.dense.weight")


def test_what_lies_beside_the_language_model_is_left_aside(base, tiny_base):
    def add(tensors):
        tensors["vision_tower.layers.0.weight"] = torch.zeros(2)
        tensors["gpt_neox.layers.0.attention.rotary_emb.inv_freq"] = torch.zeros(4)

    with_tensors(base / "model.safetensors", add)
    with torch.no_grad():
        logits = load_base(base, Placement())(IDS).logits
        expected = load_base(tiny_base, Placement())(IDS).logits
    assert torch.equal(logits, expected)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_loads_with_the_weights_that_it_was_saved_with(tmp_path, architecture):
    folder = save_tiny_model(tmp_path / "base", architecture)
    loaded = load_base(folder, Placement())
    saved = load_file(folder / "model.safetensors")
    state = loaded.state_dict()
    state["embed_out.weight"] = state.get("lm_head.weight")  # what GPT-NeoX calls it on disk
    assert len(saved) > 10
    assert all(torch.equal(state[name], tensor) for name, tensor in saved.items())
    assert not loaded.training


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_base_is_loaded_in_the_precision_asked_for(tiny_base, precision):
    loaded = load_base(tiny_base, Placement(precision=precision))
    assert {p.dtype for p in loaded.parameters()} == {getattr(torch, precision)}


@pytest.mark.parametrize("written", [0.5, 0])
def test_dropout_replaces_every_one_of_the_architecture(base, written):
    changes = {"hidden_dropout": written, "attention_dropout": written}
    rewrite(base / "config.json", lambda c: c.update(changes))
    for share in (0.0, 0.25):
        config = load_base(base, Placement(), dropout=share).config
        assert (config.hidden_dropout, config.attention_dropout) == (share, share)


def test_an_error_without_words_still_gets_a_sentence():
    assert weights.reason_of(ValueError()) == "no reason given"
    assert weights.reason_of(ValueError("一\n二  三")) == "一 二 三"
    assert len(weights.reason_of(ValueError("長" * 999))) == 200


def test_shapes_are_read_without_the_weights(tiny_base):
    shapes = {name: (shape, dtype) for name, shape, dtype in tensor_shapes(tiny_base)}
    assert shapes["gpt_neox.embed_in.weight"] == ([380, 32], "F32")
    assert len(shapes) == 28  # twelve in each of two blocks, two embeddings, the last norm's two
    assert list(tensor_shapes(tiny_base, "*.none")) == []


# --- fingerprints ---------------------------------------------------------------------------


@pytest.mark.parametrize("place", [0.0, 0.3, 0.999])
def test_one_changed_byte_changes_the_fingerprint(base, place):
    path = base / "model.safetensors"
    before = fingerprint(base)
    assert len(before) == 64
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 1
    path.write_bytes(bytes(data))
    assert fingerprint(base) != before


def test_the_fingerprint_is_of_the_weights_wherever_they_lie(base, tiny_base):
    (base / "config.json").write_text("{}")
    (base / "README.md").write_text("髙")
    assert fingerprint(base) == fingerprint(tiny_base)
    (base / "model.safetensors").rename(base / "model-00001-of-00001.safetensors")
    assert fingerprint(base) != fingerprint(tiny_base)


def test_weights_cannot_move_from_one_file_to_the_next_unnoticed(tmp_path):
    for name, parts in (("一", (b"ab", b"c")), ("二", (b"a", b"bc"))):
        (tmp_path / name).mkdir()
        for number, part in enumerate(parts):
            (tmp_path / name / f"{number}.safetensors").write_bytes(part)
    assert fingerprint(tmp_path / "一") != fingerprint(tmp_path / "二")


@pytest.fixture
def sampled(monkeypatch, tmp_path):
    """A file of 1,000 bytes of which eleven samples of ten are hashed: 0-9, 99-108, ... 990-999."""
    monkeypatch.setattr(weights, "_HASHED_WHOLE", 500)
    monkeypatch.setattr(weights, "_SAMPLES", 11)
    monkeypatch.setattr(weights, "_SAMPLE_BYTES", 10)
    path = tmp_path / "model.safetensors"
    path.write_bytes(bytes(1000))
    return path


@pytest.mark.parametrize(
    ("place", "seen"), [(0, True), (9, True), (50, False), (99, True), (999, True)]
)
def test_large_files_are_hashed_by_evenly_spaced_samples(sampled, place, seen):
    before = fingerprint(sampled.parent)
    data = bytearray(1000)
    data[place] = 1
    sampled.write_bytes(bytes(data))
    assert (fingerprint(sampled.parent) != before) is seen


def test_the_size_of_a_large_file_counts(sampled):
    before = fingerprint(sampled.parent)
    sampled.write_bytes(bytes(1001))
    assert fingerprint(sampled.parent) != before


# --- targets --------------------------------------------------------------------------------

GATED = ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]
LINEAR = {
    "gpt2": ["c_attn", "c_fc", "c_proj"],
    "gpt_neox": ["dense", "dense_4h_to_h", "dense_h_to_4h", "query_key_value"],
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text"), GATED),
}
ATTENTION = {
    "gpt2": ["c_attn"],
    "gpt_neox": ["query_key_value"],
    "llama": ["q_proj", "k_proj", "v_proj", "o_proj"],
}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """Every tiny architecture, loaded once; not to be adapted."""
    root = tmp_path_factory.mktemp("loaded")
    return {
        name: load_base(save_tiny_model(root / name, name), Placement()) for name in ARCHITECTURES
    }


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_auto_takes_every_linear_layer_but_the_output(loaded, architecture):
    assert find_targets(loaded[architecture], ("auto",)) == LINEAR[architecture]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_attention_takes_the_attentions_layers(loaded, architecture):
    expected = ATTENTION.get(architecture, ATTENTION["llama"])
    assert find_targets(loaded[architecture], ("attention",)) == expected


def test_named_layers_are_taken_as_asked(loaded):
    assert find_targets(loaded["llama"], ("v_proj", "q_proj")) == ["v_proj", "q_proj"]


def test_a_name_that_matches_nothing_lists_the_names_that_there_are(loaded):
    problem = refusal(find_targets, loaded["gpt_neox"], ("q_proj", "dense", "猫"))
    assert "q_proj, 猫" in problem
    with pytest.raises(JloraError) as refused:
        find_targets(loaded["gpt_neox"], ("lm_head",))
    told = refused.value.problem + refused.value.remedy
    assert ", ".join(LINEAR["gpt_neox"]) in told


# --- fresh adapters -------------------------------------------------------------------------


def adapted(folder, precision="float32", **settings):
    model = load_base(folder, Placement(precision=precision))
    return attach_adapter(model, RunConfig(**{"lora_r": 2, "lora_dropout": 0.0, **settings}))


def test_a_fresh_adapter_changes_nothing_and_alone_is_trained(tiny_base):
    made = adapted(tiny_base)
    trained = [name for name, p in made.named_parameters() if p.requires_grad]
    assert len(trained) == 16
    assert all("lora_" in name for name in trained)
    with torch.no_grad():
        assert torch.equal(made(IDS).logits, load_base(tiny_base, Placement())(IDS).logits)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # Rank 2 in two blocks of 32: query_key_value 32+96, dense 32+32, up 32+64, down 64+32.
        ({}, 2 * 2 * (128 + 64 + 96 + 96)),
        ({"lora_targets": ("dense",)}, 2 * 2 * 64),
        ({"lora_r": 5, "lora_targets": ("attention",)}, 2 * 5 * 128),
        # DoRA: a magnitude for each of the 32 outputs besides.
        ({"lora_targets": ("dense",), "lora_variant": "dora"}, 2 * (2 * 64 + 32)),
    ],
)
def test_the_trainable_weights_are_rank_times_width_in_and_out(tiny_base, settings, expected):
    assert trainable_parameters(adapted(tiny_base, **settings)) == expected


def test_the_adapter_of_a_half_precision_base_is_float32(tiny_base):
    made = adapted(tiny_base, "bfloat16")
    kinds = {p.requires_grad: p.dtype for p in made.parameters()}
    assert kinds == {True: torch.float32, False: torch.bfloat16}


@pytest.mark.parametrize(
    ("variant", "scale"), [("lora", 8.0), ("rslora", 16 / math.sqrt(2)), ("dora", 8.0)]
)
def test_each_variant_scales_as_its_paper_says(tiny_base, variant, scale):
    made = adapted(tiny_base, lora_variant=variant, lora_alpha=16.0)
    scales = {m.scaling["default"] for m in made.modules() if hasattr(m, "lora_A")}
    assert scales == {scale}
    assert ("magnitude" in "".join(adapter_state(made))) is (variant == "dora")


def test_the_transposed_layers_of_gpt2_are_adapted_without_a_warning(tmp_path, recwarn):
    made = adapted(save_tiny_model(tmp_path / "gpt2", "gpt2"))
    # c_attn 32+96, c_proj of the attention 32+32, c_fc 32+128, c_proj behind it 128+32.
    assert trainable_parameters(made) == 2 * 2 * (128 + 64 + 160 + 160)
    assert [str(w.message) for w in recwarn if "fan_in" in str(w.message)] == []


# --- adapters from a folder -----------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tiny_base, tmp_path_factory):
    """An adapter that changes what the base says, never changed itself."""
    folder = tmp_path_factory.mktemp("saved") / "adapter"
    made = adapted(tiny_base, lora_r=4, lora_targets=("dense", "query_key_value"))
    for name, parameter in made.named_parameters():
        if "lora_B" in name:
            parameter.data.fill_(0.1)
    made.save_pretrained(str(folder), save_embedding_layers=False)
    return folder


@pytest.fixture
def adapter(saved, tmp_path):
    """A copy of it, to be damaged."""
    return Path(shutil.copytree(saved, tmp_path / "適応"))


def config_of(adapter):
    return adapter / "adapter_config.json"


def weights_of(adapter):
    return adapter / "adapter_model.safetensors"


def test_an_adapter_comes_back_as_it_was_saved(saved, tiny_base):
    read = read_adapter(load_base(tiny_base, Placement()), saved)
    tensors = load_file(weights_of(saved))
    assert len(tensors) == 8
    assert adapter_state(read).keys() == tensors.keys()
    assert all(torch.equal(adapter_state(read)[name], tensors[name]) for name in tensors)
    assert not read.training
    with torch.no_grad():
        plain = load_base(tiny_base, Placement())(IDS).logits
        assert float((read(IDS).logits - plain).abs().max()) > 0.01


@pytest.mark.parametrize(("given", "expected"), [(None, 0.0), (0.25, 0.25)])
def test_an_adapters_dropout_can_be_replaced(saved, tiny_base, given, expected):
    read = read_adapter(load_base(tiny_base, Placement()), saved, dropout=given)
    assert read.peft_config["default"].lora_dropout == expected
    shares = {m.p for n, m in read.named_modules() if "lora_dropout" in n and hasattr(m, "p")}
    assert shares == ({0.25} if given else set())


def read(adapter, base):
    return read_adapter(load_base(base, Placement()), adapter)


def test_a_rank_that_differs_from_the_config_is_refused(adapter, tiny_base):
    rewrite(config_of(adapter), lambda c: c.update(r=16))
    assert refusal(read, adapter, tiny_base) == (
        f"{weights_of(adapter)}: its tensors have rank 4, adapter_config.json says 16"
    )


def test_ranks_that_differ_by_layer_are_no_fault(tiny_base, tmp_path):
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=2, rank_pattern={"dense": 6}, target_modules=["dense", "query_key_value"])
    made = get_peft_model(load_base(tiny_base, Placement()), config)
    made.save_pretrained(str(tmp_path), save_embedding_layers=False)
    ranks = {t.shape[0] for n, t in adapter_state(read(tmp_path, tiny_base)).items() if "_A" in n}
    assert ranks == {2, 6}


def test_missing_tensors_are_counted(adapter, tiny_base):
    with_tensors(weights_of(adapter), lambda t: t.pop(sorted(t)[0]))
    assert refusal(read, adapter, tiny_base) == (
        f"{weights_of(adapter)}: 7 of 7 tensors fit this base (1 missing, 0 unexpected)"
    )


def test_tensors_under_other_names_are_counted(adapter, tiny_base):
    def prefix(tensors):
        for name in list(tensors):
            tensors["module." + name] = tensors.pop(name)

    with_tensors(weights_of(adapter), prefix)
    assert refusal(read, adapter, tiny_base) == (
        f"{weights_of(adapter)}: 0 of 8 tensors fit this base (8 missing, 8 unexpected)"
    )


def test_an_adapter_of_a_deeper_base_is_refused(adapter, tmp_path):
    shallow = save_tiny_model(tmp_path / "浅", num_hidden_layers=1)
    assert "4 of 8 tensors fit this base (0 missing, 4 unexpected)" in refusal(
        read, adapter, shallow
    )


def test_an_adapter_of_another_architecture_is_refused(adapter, tmp_path):
    llama = save_tiny_model(tmp_path / "llama", "llama")
    assert "0 of 8 tensors fit this base (0 missing, 8 unexpected)" in refusal(read, adapter, llama)


def test_an_adapter_of_a_wider_base_is_refused(adapter, tmp_path):
    wide = save_tiny_model(tmp_path / "広", hidden_size=64)
    problem = refusal(read, adapter, wide)
    assert str(weights_of(adapter)) in problem
    assert "is [4, 32], this base needs [4, 64]" in problem


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_is_refused(adapter, tiny_base, value):
    with_tensors(weights_of(adapter), lambda t: t[sorted(t)[3]].view(-1).__setitem__(0, value))
    assert "holds NaN or infinite values" in refusal(read, adapter, tiny_base)


@pytest.mark.parametrize("share", [0, 1])
def test_adapter_weights_that_are_empty_or_cut_off_are_refused(adapter, tiny_base, share):
    path = weights_of(adapter)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * share // 2])
    assert refusal(read, adapter, tiny_base).startswith(f"{path} is empty or cut off")


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_an_adapter_config_that_is_no_object_is_refused_by_name(adapter, tiny_base, text):
    config_of(adapter).write_text(text)
    assert str(config_of(adapter)) in refusal(read, adapter, tiny_base)


@pytest.mark.parametrize("kind", ["PROMPT_TUNING", "IA3", "猫", None])
def test_an_adapter_of_another_kind_is_refused(adapter, tiny_base, kind):
    rewrite(config_of(adapter), lambda c: c.update(peft_type=kind))
    assert refusal(read, adapter, tiny_base) == (
        f"{config_of(adapter)} describes no LoRA adapter (peft_type is {kind})"
    )


@pytest.mark.parametrize(
    "changes", [{"bias": "猫"}, {"target_modules": 3}, {"init_lora_weights": "猫"}], ids=str
)
def test_an_adapter_config_that_peft_cannot_follow_is_refused_by_name(adapter, tiny_base, changes):
    rewrite(config_of(adapter), lambda c: c.update(changes))
    assert str(adapter) in refusal(read, adapter, tiny_base)


# --- devices --------------------------------------------------------------------------------


def test_the_best_device_that_there_is_is_chosen(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device(None) == "cpu"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device(None) == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device(None) == "cuda"
    assert choose_device("cpu") == "cpu"


@pytest.mark.parametrize("asked", ["cuda", "猫"])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(monkeypatch, asked):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert refusal(choose_device, asked) == f"torch cannot use {asked} here; it can use cpu"


def test_the_peak_memory_of_a_cpu_is_the_process_own():
    assert 0.05 < device_memory_gib("cpu") < 64


def test_the_peak_memory_of_a_gpu_is_what_torch_allocated(monkeypatch):
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 3 << 29)
    assert device_memory_gib("cuda:0") == 1.5


def test_macos_counts_its_memory_in_bytes(monkeypatch):
    kib = device_memory_gib("cpu")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert device_memory_gib("cpu") == pytest.approx(kib / 1024, abs=0.01)


def test_windows_has_no_resource_module_and_asks_psutil(monkeypatch):
    import psutil

    process = SimpleNamespace(memory_info=lambda: SimpleNamespace(peak_wset=5 << 29))
    monkeypatch.setattr(psutil, "Process", lambda: process)
    monkeypatch.setitem(sys.modules, "resource", None)
    assert device_memory_gib("cpu") == 2.5


def test_of_several_gpus_weights_go_to_the_one_of_this_process(monkeypatch):
    # transformers reads them in threads, to each of which "cuda" alone is the first GPU.
    monkeypatch.setattr("torch.cuda.current_device", lambda: 1)
    assert _exactly("cuda") == torch.device("cuda", 1)
    assert _exactly("cuda:3") == torch.device("cuda", 3)
    assert _exactly("mps") == torch.device("mps")
