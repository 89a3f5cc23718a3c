"""Shards are written as they were, in the precision that was asked for, each tensor on its own."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from jlora_cli.errors import JloraError
from jlora_cli.merging.changes import Replacement
from jlora_cli.merging.shards import INDEX, main_dtype, shard_tensors, shards_of, write_shards
from tests.tiny_models import save_tiny_model


@pytest.fixture(scope="module")
def sharded(tmp_path_factory):
    """A tiny llama in several files with an index."""
    from transformers import AutoModelForCausalLM

    root = tmp_path_factory.mktemp("sharded")
    model = AutoModelForCausalLM.from_pretrained(save_tiny_model(root / "whole", "llama"))
    model.save_pretrained(root / "髙﨑", max_shard_size="40KB")
    return root / "髙﨑"


def written(base, folder, changes=None, dtype=None):
    folder.mkdir()
    write_shards(shards_of(base), folder, changes or {}, dtype)
    return folder


def test_every_file_keeps_its_name_and_its_tensors(sharded, tmp_path):
    out = written(sharded, tmp_path / "out")
    files = sorted(path.name for path in sharded.glob("*.safetensors"))
    assert len(files) > 2
    assert sorted(path.name for path in out.glob("*.safetensors")) == files
    for name in files:
        before, after = load_file(sharded / name), load_file(out / name)
        assert before.keys() == after.keys()
        assert all(torch.equal(before[n], after[n]) for n in before)


def test_the_index_tells_where_each_tensor_lies_and_how_large_they_are(sharded, tmp_path):
    out = written(sharded, tmp_path / "out", dtype="bfloat16")
    before, after = (json.loads((place / INDEX).read_text()) for place in (sharded, out))
    assert after["weight_map"] == before["weight_map"]
    assert after["metadata"]["total_size"] == before["metadata"]["total_size"] / 2


def test_stock_transformers_loads_what_was_written(sharded, tmp_path):
    from transformers import AutoModelForCausalLM

    out = written(sharded, tmp_path / "out")
    shutil.copyfile(sharded / "config.json", out / "config.json")
    ids = torch.tensor([[5, 6, 7]])
    one, other = (AutoModelForCausalLM.from_pretrained(p)(ids).logits for p in (sharded, out))
    assert torch.equal(one, other)


def base_of(folder, tensors):
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


MIXED = {
    "flag": torch.tensor([True, False, True]),
    "half": torch.arange(3).half(),
    "one": torch.tensor(2.5),
    "none": torch.zeros(0, 4),
    "ids": torch.arange(5),
    "whole": torch.randn(2, 3).T,
}


def test_tensors_of_any_kind_and_shape_keep_their_own_precision(tmp_path):
    tensors = {name: tensor.contiguous() for name, tensor in MIXED.items()}
    out = written(base_of(tmp_path / "base", tensors), tmp_path / "out")
    found = load_file(out / "model.safetensors")
    assert {name: tensor.dtype for name, tensor in found.items()} == {
        name: tensor.dtype for name, tensor in tensors.items()
    }
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    with safe_open(out / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}


def test_a_precision_that_is_asked_for_is_that_of_every_float_and_of_nothing_else(tmp_path):
    tensors = {name: tensor.contiguous() for name, tensor in MIXED.items()}
    out = written(base_of(tmp_path / "base", tensors), tmp_path / "out", dtype="bfloat16")
    kinds = {n: str(t.dtype) for n, t in load_file(out / "model.safetensors").items()}
    floats = dict.fromkeys(("half", "one", "none", "whole"), "torch.bfloat16")
    assert kinds == {"flag": "torch.bool", "ids": "torch.int64", **floats}


def test_what_no_model_reads_is_written_as_it_was(tmp_path):
    # GPT-NeoX of older versions: -1e9, which float16 cannot hold and has as infinite.
    for stored, asked in ((torch.float16, "bfloat16"), (torch.float32, "float16")):
        masked = torch.tensor(-1e9).to(stored)
        tensors = {"h.0.attention.masked_bias": masked, "重み": torch.ones(2, dtype=stored)}
        name = str(stored)
        out = written(base_of(tmp_path / f"{name}-base", tensors), tmp_path / name, dtype=asked)
        found = load_file(out / "model.safetensors")
        assert torch.equal(found["h.0.attention.masked_bias"], masked)
        assert str(found["重み"].dtype) == f"torch.{asked}"


@pytest.mark.parametrize("value", [1e6, float("nan")])
def test_what_the_precision_cannot_hold_is_refused_by_name(tmp_path, value):
    base = base_of(tmp_path / "base", {"大": torch.tensor([1.0, value])})
    with pytest.raises(JloraError, match="大 holds numbers that F16 cannot hold"):
        written(base, tmp_path / "out", dtype="float16")


def test_a_replaced_tensor_takes_the_precision_of_the_one_it_replaces(tmp_path):
    base = base_of(tmp_path / "base", {"偏": torch.zeros(2).bfloat16()})
    out = written(base, tmp_path / "out", {"偏": Replacement(torch.tensor([1.5, 2.0]))})
    found = load_file(out / "model.safetensors")["偏"]
    assert (found.dtype, found.tolist()) == (torch.bfloat16, [1.5, 2.0])


def test_the_whole_file_beats_shards_that_lie_beside_it(sharded, tmp_path):
    both = tmp_path / "both"
    shutil.copytree(sharded, both)
    save_file({"a": torch.ones(1)}, both / "model.safetensors", metadata={"format": "pt"})
    assert shards_of(both) == [both / "model.safetensors"]


@pytest.mark.parametrize("text", ["{", "[]", '{"weight_map": 3}', "{}"])
def test_an_index_that_cannot_be_read_is_refused_by_name(sharded, tmp_path, text):
    base = tmp_path / "base"
    shutil.copytree(sharded, base)
    (base / INDEX).write_text(text)
    with pytest.raises(JloraError) as refused:
        shards_of(base)
    assert str(base / INDEX) in refused.value.problem


@pytest.mark.parametrize("name", ["model-7.safetensors", "../model.safetensors", "a\\b"])
def test_an_index_that_names_a_file_elsewhere_is_refused(sharded, tmp_path, name):
    base = tmp_path / "base"
    shutil.copytree(sharded, base)
    (base / INDEX).write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(JloraError) as refused:
        shards_of(base)
    assert refused.value.problem == f"{base / INDEX} names {name}, which is not there"


def test_a_base_without_whole_file_and_index_is_refused(tmp_path):
    with pytest.raises(JloraError, match="holds no"):
        shards_of(tmp_path)


def test_a_shard_that_is_cut_off_is_refused_by_name(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"123")
    with pytest.raises(JloraError) as refused:
        shard_tensors([path])
    assert refused.value.problem.startswith(f"{path} is empty or cut off")


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["BF16", "BF16", "F32"], "bfloat16"),
        (["I64", "I64", "F16"], "float16"),
        (["F64"], "float32"),
        ([], "float32"),
    ],
)
def test_the_precision_of_most_tensors_is_the_model_s(kinds, expected):
    assert main_dtype({str(n): ([1], kind) for n, kind in enumerate(kinds)}) == expected
