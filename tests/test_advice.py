"""What to run on a machine: profiles, and whether one run with one model would fit."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest

from jlora_cli import advice
from jlora_cli.advice import advise
from jlora_cli.errors import JloraError, refuse
from jlora_cli.machine import Gpu, Machine, TorchBuild

LAPTOP = Machine(
    system="Linux", python="3.12.3", in_virtual_environment=True, cpu="Core i5", cores=4,
    memory_gib=16.0, free_memory_gib=10.0, disk_free_gib=100.0,
)  # fmt: skip
A100 = replace(
    LAPTOP, gpus=(Gpu("NVIDIA A100-SXM4-40GB", 39.4, 38.9, (8, 0)),), driver_cuda=(13, 0),
    torch=TorchBuild("2.14.1", "cu130", cuda_available=True),
)  # fmt: skip
# rinna/japanese-gpt-neox-3.6b's config.json.
NEOX = {
    "model_type": "gpt_neox", "hidden_size": 2816, "intermediate_size": 11264,
    "max_position_embeddings": 2048, "num_attention_heads": 22, "num_hidden_layers": 36,
    "tie_word_embeddings": False, "torch_dtype": "float16", "vocab_size": 32000,
}  # fmt: skip


@pytest.fixture
def base(tmp_path):
    """`base(config, *files)`: a model's folder without weights."""

    def make(config=NEOX, *files):
        (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
        for name in files:
            (tmp_path / name).write_bytes(b"x" * 1024)
        return str(tmp_path)

    return make


def ids(found):
    return {item.id: item for item in found.findings}


def test_without_a_question_only_profiles_are_named():
    found = advise(A100, profile=None, model=None)

    assert found.fitting.recommended == "a100"
    assert (found.run, found.wanted, found.findings) == (None, None, [])


def test_a_model_is_estimated_with_the_recommended_profile(base):
    found = advise(A100, profile=None, model=base())

    assert found.run.profile == "a100"
    assert found.run.fits
    # 3.6e9 parameters in bfloat16: 6.7 GiB, as the profile's own comment says.
    assert found.run.memory_gib["base_weights"] == pytest.approx(6.7, abs=0.15)
    assert ids(found)["run-fit"].severity == "ok"
    assert "NVIDIA A100-SXM4-40GB" in ids(found)["run-fit"].evidence


def test_what_does_not_fit_is_told_with_options_that_make_it_fit(base):
    crowded = replace(A100, gpus=(replace(A100.gpus[0], free_gib=5.0),))
    found = advise(crowded, profile="a100", model=base())
    item = ids(found)["run-fit"]

    assert item.severity == "warning"
    assert "5.0 are free" in item.evidence
    assert "base_weights 6." in item.evidence
    assert "--quantization 4bit" in found.run.changes
    assert item.remedy.endswith(" ".join(found.run.changes))


def test_changes_that_leave_learning_as_it_is_come_first(base):
    roomy = replace(A100, gpus=(replace(A100.gpus[0], free_gib=12.0),))
    changes = advise(roomy, profile="a100", model=base()).run.changes

    assert changes[0] == "--gradient-checkpointing true"
    assert not any("quantization" in each for each in changes)


def test_shorter_rows_are_the_last_resort_and_named_once(base, monkeypatch):
    def total(config, shape, machine):
        return {"total": 1.0 if config.max_length <= 256 else 99.0}

    monkeypatch.setattr(advice, "_memory", total)
    changes = advise(LAPTOP, profile="cpu-small", model=base()).run.changes

    assert changes == (
        "--gradient-checkpointing true", "--batch-size 1 --gradient-accumulation-steps 8",
        "--max-length 256",
    )  # fmt: skip


def test_where_no_option_helps_a_smaller_model_is_named(base):
    tiny = replace(LAPTOP, free_memory_gib=0.5)
    found = advise(tiny, profile=None, model=base())

    assert found.run.changes == ()
    assert "a smaller model" in ids(found)["run-fit"].remedy


def test_what_cannot_be_on_this_machine_is_told_as_well(base):
    found = advise(LAPTOP, profile="a100-4bit", model=base())

    assert ids(found)["quantization-unavailable"].severity == "error"


@pytest.mark.parametrize(
    ("config", "files", "packages"),
    [
        (NEOX, ("spiece.model",), ("sentencepiece", "protobuf")),
        ({**NEOX, "model_type": "qwen"}, ("qwen.tiktoken",), ("tiktoken", "tiktoken")),
        (NEOX, ("tokenizer.json",), ()),
    ],
)
def test_the_tokenizers_needs_are_read_from_its_files(base, config, files, packages):
    assert advise(LAPTOP, profile=None, model=base(config, *files)).wanted.packages == packages


def test_weights_that_are_here_need_no_download(base):
    wanted = advise(LAPTOP, profile=None, model=base(NEOX, "model.safetensors")).wanted

    assert wanted.cached
    assert wanted.weights_gib == 1024 / 2**30


def test_weights_that_are_not_here_are_computed_from_the_config(base):
    half = advise(LAPTOP, profile=None, model=base()).wanted
    full = advise(LAPTOP, profile=None, model=base({**NEOX, "dtype": "float32"})).wanted

    assert not half.cached
    assert half.weights_gib == pytest.approx(6.7, abs=0.15)
    assert full.weights_gib == pytest.approx(2 * half.weights_gib)


def test_a_config_without_layers_gives_no_figure(base):
    found = advise(LAPTOP, profile="a100", model=base({"model_type": "mystery"}))

    assert found.run is None
    assert ids(found)["profile-fit"].severity == "warning"


def test_a_hub_that_cannot_be_reached_is_a_warning_and_the_profile_is_still_judged(monkeypatch):
    def away(model, what):
        raise refuse("hub.unreachable", name=model, endpoint="https://hub.example")

    monkeypatch.setattr(advice, "find_model", away)
    found = advise(LAPTOP, profile="a100", model=None)

    assert ids(found)["model-unknown"].severity == "warning"
    assert "hub.example" in ids(found)["model-unknown"].evidence
    assert ids(found)["profile-fit"].severity == "warning"


def test_a_broken_folder_is_an_error(tmp_path):
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    item = ids(advise(LAPTOP, profile=None, model=str(tmp_path)))["model-unknown"]

    assert item.severity == "error"
    assert "config.json" in item.evidence


def test_without_huggingface_hub_the_model_is_unknown(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    item = ids(advise(LAPTOP, profile=None, model="rinna/japanese-gpt2-medium"))["model-unknown"]

    assert item.remedy == "install the missing packages first."


def test_without_yaml_there_are_no_profiles(monkeypatch):
    monkeypatch.setitem(sys.modules, "jlora_cli.profile", None)

    assert advise(LAPTOP, profile="a100", model=None).fitting is None


def test_an_own_profile_is_judged_by_the_packaged_one_that_it_extends(tmp_path):
    mine, free = tmp_path / "mine.yaml", tmp_path / "free.yaml"
    mine.write_text("extends: cpu-small\nseed: 7\n", encoding="utf-8")
    free.write_text("seed: 7\n", encoding="utf-8")

    assert ids(advise(LAPTOP, profile=str(mine), model=None))["profile-fit"].severity == "ok"
    assert advise(LAPTOP, profile=str(free), model=None).findings == []


def test_a_profile_that_does_not_exist_is_refused():
    with pytest.raises(JloraError, match="nowhere"):
        advise(LAPTOP, profile="nowhere", model=None)
