"""A few real steps tell memory and speed; nothing of them is left behind."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import pytest
import torch

from jlora_cli.errors import JloraError
from jlora_cli.events import Stage
from jlora_cli.memory import heaviest_part
from jlora_cli.model import Placement, load_base, tensor_shapes
from jlora_cli.training import measuring
from jlora_cli.training.measuring import measure, write_random_base
from tests.tiny_models import ARCHITECTURES, save_tiny_model


@pytest.fixture
def learned(monkeypatch):
    """The lengths of the rows of every batch that is learned from."""
    batches = []

    def make(rows, **how):
        batches.append([len(row.ids) for row in rows])
        return make_batch(rows, **how)

    make_batch = measuring.make_batch
    monkeypatch.setattr(measuring, "make_batch", make)
    return batches


def test_the_heaviest_batch_is_learned_first_and_then_the_runs_own_steps(proposal, learned):
    made = proposal(batch_size=2, gradient_accumulation_steps=2)
    events = []
    measured = measure(made, events.append)
    lengths = sorted((len(row.ids) for row in made.train.rows), reverse=True)
    heaviest = [made.train.lengths[at] for at in heaviest_part(made.train.lengths, made.config)]
    assert learned[:3] == [heaviest] * 3
    assert max(sum(batch) for batch in learned) == sum(heaviest)
    own = learned[3:]
    assert {len(batch) for batch in own} == {1, 2}  # steps of three rows
    per_epoch = len(lengths)
    assert sorted([n for batch in own for n in batch][:per_epoch], reverse=True) == lengths
    assert [event.name for event in events] == [
        "train.stage.loading", "measure.heaviest", "measure.typical",
    ]  # fmt: skip
    assert events[1] == Stage("measure.heaviest", {"rows": 2, "tokens": sum(heaviest)})
    assert measured.tokens_per_second > 0
    assert 0.1 < measured.peak_gib < 64


def test_packs_are_filled_up_as_the_run_fills_them(proposal, monkeypatch):
    filled = []
    make_batch = measuring.make_batch

    def make(rows, *, filled_to, **how):
        filled.append(filled_to)
        return make_batch(rows, filled_to=filled_to, **how)

    monkeypatch.setattr(measuring, "make_batch", make)
    monkeypatch.setattr(measuring, "tokens_of_pack", lambda *_: 512)
    measure(proposal())
    assert set(filled) == {512}


def test_speed_is_tokens_over_the_time_of_the_steps(proposal, monkeypatch):
    made = proposal(batch_size=2)
    monkeypatch.setattr(measuring, "_ENOUGH_S", 5.0)
    # The heaviest: begun, after the second and the third step, at the end. The run's own: begun,
    # after the first step, which was enough, at the end.
    clock = iter([0.0, 1.0, 2.0, 2.0, 2.0, 12.0, 12.0])
    monkeypatch.setattr(measuring.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(measuring._Steps, "_step", lambda *_: None)
    speed = measure(made).tokens_per_second
    lengths, seed = made.train.lengths, made.config.seed
    first = next(measuring.steps(lengths, per_step=2, seed=seed, total_steps=1))
    assert speed == sum(lengths[at] for at in first) / 10


def test_two_steps_over_the_heaviest_batch_are_enough_on_a_slow_machine(
    proposal, learned, monkeypatch
):
    monkeypatch.setattr(measuring, "_ENOUGH_S", -1.0)
    measure(proposal(batch_size=2))
    assert learned[0] == learned[1]
    assert len(learned) == 3  # and one of the run's own


def test_nothing_of_the_model_or_its_weights_is_left(proposal):
    def modules():
        return sum(issubclass(type(item), torch.nn.Module) for item in gc.get_objects())

    gc.collect()
    before = modules()
    measure(proposal(batch_size=2))
    assert modules() == before


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("dtype", [None, "bfloat16"])
def test_a_random_base_loads_as_a_real_one(architecture, dtype, tmp_path):
    real, made = tmp_path / "real", tmp_path / "made"
    save_tiny_model(real, architecture)
    config = json.loads((real / "config.json").read_text(encoding="utf-8"))
    (real / "config.json").write_text(json.dumps(config | {"dtype": dtype}), encoding="utf-8")
    made.mkdir()
    write_random_base(real, made)
    # transformers has a name of its own for GPT-NeoX's output, and reads it back under both.
    expected = sorted(shape for _, shape, _ in tensor_shapes(real))
    assert sorted(shape for _, shape, _ in tensor_shapes(made)) == expected
    assert {kind for *_, kind in tensor_shapes(made)} == {"BF16" if dtype else "F32"}
    base = load_base(made, Placement())
    weight = base.get_input_embeddings().weight
    assert weight.std().item() == pytest.approx(0.02, rel=0.2)
    assert torch.isfinite(base(torch.tensor([[5, 6, 7]])).logits).all()


def test_a_base_whose_weights_are_elsewhere_gets_random_ones(proposal, tiny_base, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    for file in tiny_base.iterdir():
        if file.suffix != ".safetensors":
            (bare / file.name).write_bytes(file.read_bytes())
    events, folders = [], []
    load = measuring.load

    def remember(proposal, folder, adapter):
        folders.append(folder)
        return load(proposal, folder, adapter)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "load", remember)
        measured = measure(proposal(model=str(bare), batch_size=2), events.append)
    assert events[0].name == "measure.random"
    assert measured.tokens_per_second > 0
    assert folders != [bare]
    assert not Path(folders[0]).exists()
    assert not any(bare.glob("*.safetensors"))


@pytest.mark.parametrize(
    ("said", "refused"),
    [("DefaultCPUAllocator: can't allocate memory", JloraError), ("a bug", RuntimeError)],
)
def test_memory_that_runs_out_names_the_rows_and_what_helps(said, refused, proposal, monkeypatch):
    def fail(model, batch):
        raise RuntimeError(said)

    monkeypatch.setattr(measuring, "summed_loss", fail)
    made = proposal(batch_size=2)
    lengths = made.train.lengths
    longest = max(lengths[at] for at in heaviest_part(lengths, made.config))
    with pytest.raises(refused) as caught:
        measure(made)
    if refused is JloraError:
        assert f"2 rows of up to {longest} tokens" in caught.value.problem
        assert "--batch-size" in caught.value.remedy
    else:
        assert str(caught.value) == said
