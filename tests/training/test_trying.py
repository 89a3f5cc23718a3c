"""`--try`: one run for every combination over one base, and the best one's folder is what stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from jlora_cli.errors import JloraError
from jlora_cli.events import Stage
from jlora_cli.proposal import make_trials
from jlora_cli.run_folder import open_source
from jlora_cli.training import trying
from jlora_cli.training.interruption import Interruption
from jlora_cli.training.session import train
from tests.training.runs import weights


@pytest.fixture
def asked(proposal, data):
    """A proposal of four steps with held-out rows."""

    def make(**options):
        held_out = {"validation": str(data[1]), "max_steps": 4, "sample_prompts": None}
        return proposal(**held_out | options)

    return make


def tried(proposal, *texts, **how):
    events = []
    output = Path(proposal.config.output)
    record = trying.try_all(output, make_trials(proposal, texts), events.append, **how)
    return output, record, events


def test_every_combination_is_trained_over_one_loaded_base(asked, monkeypatch):
    from jlora_cli.training import loading

    loaded = []
    load_base = loading.load_base

    def counted(folder, placement, **how):
        loaded.append(folder)
        return load_base(folder, placement, **how)

    monkeypatch.setattr(loading, "load_base", counted)
    output, record, events = tried(
        asked(), "learning_rate=1e-5,2e-2", "lora_targets=attention,query_key_value+dense"
    )
    assert len(loaded) == 1
    assert [one["settings"] for one in record["tries"]] == [
        {"learning_rate": "1e-5", "lora_targets": "attention"},
        {"learning_rate": "1e-5", "lora_targets": "query_key_value,dense"},
        {"learning_rate": "2e-2", "lora_targets": "attention"},
        {"learning_rate": "2e-2", "lora_targets": "query_key_value,dense"},
    ]
    told = [e for e in events if isinstance(e, Stage) and e.name == "try.stage"]
    assert [stage.values["number"] for stage in told] == [1, 2, 3, 4]
    assert {one["optimizer_steps"] for one in record["tries"]} == {4}
    losses = [one["validation_loss"] for one in record["tries"]]
    assert record["best_try"] == losses.index(min(losses)) + 1 >= 3  # 1e-5 learns next to nothing
    assert json.loads((output / "tries.json").read_text(encoding="utf-8")) == record["tries"]


def test_the_best_run_becomes_the_run_folder_and_the_others_lose_their_adapters(asked):
    output, record, _ = tried(asked(), "learning_rate=1e-5,2e-2")
    assert record["best_try"] == 2
    assert open_source(str(output)).adapter == output / "adapter"
    on_disk = json.loads((output / "run.json").read_text(encoding="utf-8"))
    assert on_disk == json.loads(json.dumps(record))
    assert (on_disk["output"], on_disk["config"]["output"]["value"]) == (str(output), str(output))
    assert on_disk["config"]["learning_rate"]["value"] == 0.02
    assert str(output) in (output / "report.html").read_text(encoding="utf-8")
    (other,) = (output / "tries").iterdir()
    assert other.name == "01"
    assert sorted(path.name for path in other.iterdir() if path.is_dir()) == []
    assert (other / "run.json").is_file()


def test_a_tried_run_is_the_run_that_it_would_be_alone(asked, tmp_path):
    settings = {"learning_rate": "2e-2", "neftune_alpha": "5", "lora_variant": "dora"}
    alone = asked(**settings, output=str(tmp_path / "alone"))
    train(alone)
    # Before it runs one with noise on the embeddings and another kind of adapter.
    _, record, _ = tried(asked(learning_rate="2e-2"), "neftune_alpha=9,5", "lora_variant=lora,dora")
    last = record["tries"][3]
    record_alone = json.loads((tmp_path / "alone" / "run.json").read_text(encoding="utf-8"))
    assert last["settings"] == {"neftune_alpha": "5", "lora_variant": "dora"}
    assert last["validation_loss"] == record_alone["result"]["validation_loss"]
    assert last["train_loss"] == record_alone["result"]["train_loss"]


def test_every_trial_goes_on_from_the_adapter_that_is_named(asked, tmp_path):
    first = tmp_path / "first"
    train(asked(learning_rate="2e-2", output=str(first)))
    _, record, _ = tried(asked(), "learning_rate=1e-5,2e-5", from_adapter=str(first))
    begun = json.loads((first / "run.json").read_text(encoding="utf-8"))["result"]["first_loss"]
    assert record["from_adapter"] == str(first)
    assert all(one["train_loss"] < begun for one in record["tries"])  # 1e-5 alone learns nothing


def test_an_interruption_ends_all_and_keeps_what_is_done(asked, monkeypatch):
    begun = []

    class Interrupted(Interruption):
        def __enter__(self):
            begun.append(self)
            self.signal = 15 if len(begun) == 2 else None
            return self

        def __exit__(self, *_):
            pass

    monkeypatch.setattr("jlora_cli.training.session.Interruption", Interrupted)
    output, record, _ = tried(asked(), "learning_rate=1e-5,2e-2,3e-2")
    assert (record["status"], record["signal"], len(begun)) == ("interrupted", 15, 2)
    assert not (output / "run.json").exists()
    assert weights(output / "tries", "01").keys()
    assert len(json.loads((output / "tries.json").read_text(encoding="utf-8"))) == 1


def test_what_cannot_be_tried_is_refused_before_anything_is_loaded(asked, proposal):
    for text, said in [
        ("precision=float32", "base and rows are loaded once"),
        ("learning_rat=1e-4", "did you mean learning_rate?"),
        ("learning_rate", "KEY=VALUE,VALUE"),
        ("learning_rate=1e-4,,2e-4", "KEY=VALUE,VALUE"),
        ("output=a,b", "KEY=VALUE,VALUE"),
        ("learning_rate=high", "must be a number"),
    ]:
        with pytest.raises(JloraError) as refused:
            make_trials(asked(), [text])
        assert said in refused.value.problem
    with pytest.raises(JloraError, match="given twice"):
        make_trials(asked(), ["epochs=1,2", "epochs=3"])
    with pytest.raises(JloraError, match="held-out rows"):
        make_trials(proposal(), ["epochs=1,2"])


def test_an_output_in_use_is_refused_before_anything_is_tried(asked):
    one = asked()
    folder = Path(one.config.output)
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{}", encoding="utf-8")

    with pytest.raises(JloraError, match="exists and is not empty"):
        make_trials(asked(), ["epochs=1,2"])


def test_a_bitwise_equal_start_for_every_trial(asked):
    """The adapter's first numbers come from the seed, whatever ran before."""
    output, record, _ = tried(asked(), "learning_rate=2e-2,2e-2", "seed=1,1,2")
    losses = {one["settings"]["seed"]: one["train_loss"] for one in record["tries"]}
    assert len(record["tries"]) == 2  # equal values are tried once
    assert losses["1"] != losses["2"]
    assert torch.is_tensor(next(iter(weights(output.parent).values())))
