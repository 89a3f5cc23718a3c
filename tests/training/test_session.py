"""A run from its proposal to its folder: what is learned, what is written, and what stops it."""

from __future__ import annotations

import dataclasses
import json
import math
import signal
from itertools import count

import pytest
import torch

from jlora_cli.errors import JloraError
from jlora_cli.events import Evaluated, Sampled, Saved, Stage, StepDone, Warned
from jlora_cli.model import Placement, adapter_state, attach_adapter, load_base, read_adapter
from jlora_cli.order import steps
from jlora_cli.prompt import IGNORED
from jlora_cli.proposal.values import judge
from jlora_cli.run_folder import open_source
from jlora_cli.training import checkpoints, keeping, loading, session
from jlora_cli.training.loss import mean_loss
from jlora_cli.training.session import train
from jlora_cli.training.threads import Seen
from tests.tiny_models import EOS_ID, save_tiny_model
from tests.tiny_runs import PAIRS, write_rows
from tests.training.runs import (
    crash_at,
    files_of,
    losses,
    rows_of,
    same,
    told,
    weights,
)

ANSWERED_STEPS = range(1, 13)
# transformers 5.23 renames it; 5.17, which is supported too, knows only this name.
OLD_NAME = pytest.mark.filterwarnings(
    "ignore:`gradient_checkpointing_enable` is deprecated:FutureWarning"
)


# --- the run folder -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tiny_base, data, tmp_path_factory):
    """(run folder, record, events) of a run with validation rows, never changed."""
    from jlora_cli.proposal import propose
    from jlora_cli.training import saving
    from tests.training.conftest import CPU

    run = tmp_path_factory.mktemp("finished") / "実行"
    options = {
        "model": str(tiny_base), "data": str(data[0]), "validation": str(data[1]),
        "output": str(run), "max_steps": 12, "batch_size": 2, "learning_rate": 0.02,
        "warmup_steps": 2, "evaluation_steps": 5, "checkpoint_steps": 3, "keep_checkpoints": 2,
        "sample_prompts": ["吾輩は何ですか？", "ｶﾞｷﾞとＡ１の違いは？"],
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saving, "_SAMPLE_TOKENS", 4)
        record, events = told(propose("cpu-small", options, CPU))
    return run, record, events


def test_a_finished_run_folder_holds_what_the_contract_says(finished):
    run, record, _ = finished
    assert sorted(path.name for path in run.iterdir()) == [
        "adapter", "checkpoints", "metrics.jsonl", "report.html", "run.json", "samples.jsonl",
    ]  # fmt: skip
    assert sorted(path.name for path in (run / "adapter").iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors", "jlora.json", "spiece.model",
        "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip
    assert json.loads((run / "run.json").read_text(encoding="utf-8")) == record
    assert record["status"] == "finished"


def test_the_record_tells_what_was_reached(finished, tiny_base):
    run, record, events = finished
    result = record["result"]
    made = losses(events)
    assert result["optimizer_steps"] == len(made) == 12
    assert result["first_loss"] == made[0]
    assert result["train_loss"] == pytest.approx(sum(made[-10:]) / 10)
    assert result["validation_loss"] == [e.loss for e in events if isinstance(e, Evaluated)][-1]
    # GPT-NeoX, two blocks of 32: (32+96) + (32+32) + (32+64) + (64+32), times rank 8.
    assert result["trainable_parameters"] == 2 * 8 * (128 + 64 + 96 + 96) == 6144
    # The base: two blocks of 4 x 32 x 32 and 2 x 32 x 64 with norms and biases, two embeddings.
    assert result["trainable_share"] == pytest.approx(6144 / (6144 + 42_000), rel=0.1)
    saved = run / "adapter" / "adapter_model.safetensors"
    assert result["adapter_mib"] == pytest.approx(saved.stat().st_size / 2**20, abs=0.01)
    assert result["tokens_per_second"] > 0
    assert 0.1 < result["peak_memory_gib"] < 64
    assert record["config"]["learning_rate"]["value"] == 0.02
    assert record["config"]["learning_rate"]["source"] == "option"
    assert record["versions"]["torch"] == torch.__version__
    assert record["from_adapter"] is None


def test_the_record_is_written_last(proposal, monkeypatch, tmp_path):
    before = []

    def write(path, document):
        before.append((path.name, sorted(p.name for p in path.parent.iterdir())))
        write_json(path, document)

    write_json = keeping.write_json
    monkeypatch.setattr(keeping, "write_json", write)
    train(proposal(max_steps=3))
    assert before == [
        ("run.json", ["adapter", "checkpoints", "metrics.jsonl", "report.html", "samples.jsonl"])
    ]


def test_an_unfinished_run_is_no_source(proposal, tmp_path):
    refusals = []

    def listen(event):
        if isinstance(event, StepDone | Saved) or (
            isinstance(event, Stage) and event.name == "train.stage.sample_after"
        ):
            with pytest.raises(JloraError) as refused:
                open_source(str(tmp_path / "実行"))
            refusals.append(refused.value.problem)

    train(proposal(max_steps=2), listen)
    assert len(refusals) == 4  # two steps, a checkpoint, and the samples at the end
    assert all(str(tmp_path / "実行") in problem for problem in refusals)
    assert open_source(str(tmp_path / "実行")).adapter == tmp_path / "実行" / "adapter"


def test_the_card_beside_the_adapter_tells_how_to_ask_it(finished, tiny_base):
    run, _, _ = finished
    card = json.loads((run / "adapter" / "jlora.json").read_text(encoding="utf-8"))
    assert card["base"]["model"] == str(tiny_base)
    assert len(card["base"]["fingerprint"]) == 64
    assert card["prompt"]["newline"] == "keep"
    assert card["prompt"]["eos_id"] == EOS_ID
    assert card["training"] == {"precision": "float32", "quantization": "none", "max_length": 256}


def test_the_adapter_loads_and_answers_with_the_runs_last_validation_loss(
    finished, tiny_base, proposal, data
):
    run, record, _ = finished
    adapted = read_adapter(load_base(tiny_base, Placement()), run / "adapter")
    rows = proposal(validation=str(data[1])).validation.rows
    loss = mean_loss(adapted, rows, batch_size=2, packing=True, pad_id=0)
    assert loss == pytest.approx(record["result"]["validation_loss"], rel=1e-6)


def test_the_adapter_loads_in_peft_without_jlora(finished, tiny_base):
    from peft import PeftModel

    run, _, _ = finished
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        ours = read_adapter(load_base(tiny_base, Placement()), run / "adapter")(ids).logits
        theirs = PeftModel.from_pretrained(
            load_base(tiny_base, Placement()), str(run / "adapter")
        ).eval()(ids)
        plain = load_base(tiny_base, Placement())(ids)
    assert torch.equal(ours, theirs.logits)
    assert not torch.equal(ours, plain.logits)
    config = json.loads((run / "adapter" / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == str(tiny_base)
    assert config["inference_mode"] is True
    assert config["task_type"] == "CAUSAL_LM"


def test_metrics_hold_a_row_for_each_step_and_each_evaluation(finished):
    run, _, events = finished
    rows = rows_of(run / "metrics.jsonl")
    stepped = [row for row in rows if row["kind"] == "step"]
    assert [row["step"] for row in stepped] == [*ANSWERED_STEPS]
    assert [row["loss"] for row in stepped] == losses(events)
    assert [row["step"] for row in rows if row["kind"] == "evaluation"] == [5, 10, 12]


def test_the_learning_rate_of_a_step_is_the_one_it_was_made_with(finished):
    run, _, _ = finished
    rates = [row["learning_rate"] for row in rows_of(run / "metrics.jsonl") if "total_steps" in row]
    # Two steps of warm-up from nothing, then half a cosine wave over the ten that remain.
    expected = [0.0, 0.01] + [0.01 * (1 + math.cos(math.pi * i / 10)) for i in range(10)]
    assert rates == pytest.approx(expected)


def test_a_step_tells_speed_epoch_and_memory(finished):
    run, _, events = finished
    taken = [event for event in events if isinstance(event, StepDone)]
    rows = [row for row in rows_of(run / "metrics.jsonl") if row["kind"] == "step"]
    # Six rows, two a step.
    assert [event.epoch for event in taken[:4]] == [0.3333, 0.6667, 1.0, 1.3333]
    assert [event.rows_per_second * event.seconds for event in taken] == pytest.approx(
        [2.0 * number for number in range(1, 13)]
    )
    assert [event.seconds for event in taken] == sorted(event.seconds for event in taken)
    assert all(event.memory_gib > 0.01 for event in taken)
    assert {(event.gpu_utilisation, event.gpu_watts) for event in taken} == {(None, None)}
    assert rows == [{"kind": "step", **dataclasses.asdict(event)} for event in taken]


def test_speeds_of_a_resumed_run_are_those_of_the_whole(proposal):
    settings = {"max_steps": 4, "checkpoint_steps": 2}
    with pytest.raises(KeyboardInterrupt):
        train(proposal(**settings), crash_at(3))
    _, events = told(proposal(**settings).for_resume(), resume=True)

    last = [event for event in events if isinstance(event, StepDone)][-1]
    assert last.rows_per_second * last.seconds == pytest.approx(8)


def test_only_every_so_many_steps_are_logged(proposal, tmp_path):
    train(proposal(max_steps=7, logging_steps=3))
    assert [row["step"] for row in rows_of(tmp_path / "実行" / "metrics.jsonl")] == [3, 6]


def test_prompts_are_answered_before_and_after(finished):
    run, _, _ = finished
    rows = rows_of(run / "samples.jsonl")
    prompts = ["吾輩は何ですか？", "ｶﾞｷﾞとＡ１の違いは？"]
    assert [(row["when"], row["step"], row["prompt"]) for row in rows] == [
        *(("before", 0, prompt) for prompt in prompts),
        *(("after", 12, prompt) for prompt in prompts),
    ]
    assert all(row["finish_reason"] in ("eos", "length") for row in rows)


def test_prompts_are_answered_on_the_way_too_where_that_is_asked_for(proposal, tmp_path):
    _, events = told(proposal(max_steps=6, sample_steps=2, sample_prompts=["吾輩は？", "🐈"]))
    rows = rows_of(tmp_path / "実行" / "samples.jsonl")
    assert [(row["when"], row["step"], row["prompt"]) for row in rows] == [
        (when, step, prompt)
        for when, step in (("before", 0), ("during", 2), ("during", 4), ("after", 6))
        for prompt in ("吾輩は？", "🐈")
    ]
    sampled = [event for event in events if isinstance(event, Sampled)]
    assert [(event.step, event.prompt) for event in sampled] == [
        (2, "吾輩は？"), (2, "🐈"), (4, "吾輩は？"), (4, "🐈"),
    ]  # fmt: skip
    assert [event.answer for event in sampled] == [
        row["answer"] for row in rows if row["when"] == "during"
    ]


def test_answers_on_the_way_disturb_nothing(proposal, tmp_path):
    settings = {"max_steps": 6, "lora_dropout": 0.2, "neftune_alpha": 5.0}
    _, without = told(proposal(output=str(tmp_path / "無"), **settings))
    _, sampled = told(proposal(sample_steps=1, **settings))
    assert losses(sampled) == losses(without)
    assert same(weights(tmp_path), weights(tmp_path, "無"))


def test_a_run_says_how_many_threads_it_takes_beside_busy_processes(proposal, monkeypatch):
    seconds = count()  # by the clock: of two cores other processes work all of them
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("jlora_cli.training.threads._own_cores", lambda: [0, 1])
    monkeypatch.setattr(
        "jlora_cli.training.threads.look", lambda _: Seen(float(at := next(seconds)), 2.0 * at, 0.0)
    )
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        _, events = told(proposal(max_steps=2))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    stages = [event for event in events if isinstance(event, Stage)]
    (taken,) = [stage.values for stage in stages if stage.name == "train.stage.threads"]
    assert taken == {"count": 1, "most": 2, "busy": "2.0"}


def test_a_resumed_run_keeps_the_answers_up_to_its_checkpoint(proposal, tmp_path):
    settings = {"max_steps": 6, "sample_steps": 1, "checkpoint_steps": 3}
    with pytest.raises(KeyboardInterrupt):
        train(proposal(**settings), crash_at(5))
    train(proposal(**settings).for_resume(), resume=True)
    rows = rows_of(tmp_path / "実行" / "samples.jsonl")
    assert [(row["when"], row["step"]) for row in rows] == [
        ("before", 0), *(("during", step) for step in range(1, 6)), ("after", 6),
    ]  # fmt: skip


def test_a_sample_prompt_that_leaves_no_room_for_an_answer_is_left_out(proposal, tmp_path):
    train(proposal(max_steps=1, sample_prompts=["長い" * 200, "短い"]))
    rows = rows_of(tmp_path / "実行" / "samples.jsonl")
    assert [(row["when"], row["prompt"]) for row in rows] == [("before", "短い"), ("after", "短い")]


def test_plain_text_rows_have_no_prompt_to_answer(proposal, tmp_path):
    texts = tmp_path / "本文.jsonl"
    lines = [json.dumps({"text": text}, ensure_ascii=False) for text in ("吾輩は猫である。", "🐈")]
    texts.write_text("\n".join(lines), encoding="utf-8")
    record, events = told(proposal(data=str(texts), sample_prompts=None, max_steps=2))
    assert record["status"] == "finished"
    assert not (tmp_path / "実行" / "samples.jsonl").exists()
    assert [e.name for e in events if isinstance(e, Stage)] == [
        "train.stage.loading", "train.stage.training", "tokenizer.portable",
    ]  # fmt: skip


def test_checkpoints_are_written_on_time_and_only_the_newest_kept(finished):
    run, _, events = finished
    assert [event.step for event in events if isinstance(event, Saved)] == [3, 6, 9, 12]
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == [
        "step-000009", "step-000012",
    ]  # fmt: skip


# --- what is learned ------------------------------------------------------------------------


def test_only_answers_and_their_ends_are_learned(proposal):
    made = proposal()
    rows = made.train.rows
    assert len(rows) == len(PAIRS)
    for row, (question, answer) in zip(rows, PAIRS, strict=True):
        learned = [label for label in row.labels if label != IGNORED]
        assert learned[-1] == EOS_ID
        assert made.tokenizer.decode(learned) == answer
        assert question in made.tokenizer.decode(row.ids)


def test_the_loss_falls_on_a_tiny_set(proposal):
    _, events = told(proposal(max_steps=30, batch_size=6, learning_rate=0.03))
    made = losses(events)
    # Two random layers cannot learn six answers by heart, but half of them: 6.15 -> 3.60.
    assert made[0] > 5
    assert made[-1] < 0.7 * made[0]


SPLITS = {"4x1": (4, 1), "2x2": (2, 2), "1x4": (1, 4)}


@pytest.mark.parametrize("packing", [True, False])
def test_a_step_is_the_same_however_it_is_split_into_micro_batches(proposal, tmp_path, packing):
    made = {}
    for name, (size, accumulation) in SPLITS.items():
        _, events = told(
            proposal(
                output=str(tmp_path / name), max_steps=3, batch_size=size, packing=packing,
                gradient_accumulation_steps=accumulation,
            )
        )  # fmt: skip
        made[name] = losses(events), weights(tmp_path, name)
    assert len(made) == 3
    for name in ("2x2", "1x4"):
        assert made[name][0] == pytest.approx(made["4x1"][0], rel=1e-6)
        assert same(made[name][1], made["4x1"][1], tolerance=1e-6)


def test_the_loss_of_a_step_is_the_mean_over_its_supervised_tokens(proposal, tiny_base):
    made = proposal(batch_size=2, gradient_accumulation_steps=2, max_steps=1)
    _, events = told(made)
    (chosen,) = steps(made.train.lengths, per_step=4, seed=42, total_steps=1)
    rows = [made.train.rows[i] for i in chosen]
    assert len(rows) == 3  # six rows in two steps
    base = load_base(tiny_base, Placement())  # a fresh adapter changes nothing
    expected = mean_loss(base, rows, batch_size=1, packing=True, pad_id=0)
    assert losses(events) == [pytest.approx(expected, rel=1e-6)]


def test_the_same_seed_gives_the_same_adapter_and_another_seed_another(proposal, tmp_path):
    for name, seed in (("一", 1), ("二", 1), ("三", 2)):
        train(proposal(output=str(tmp_path / name), seed=seed, max_steps=4, lora_dropout=0.1))
    assert same(weights(tmp_path, "一"), weights(tmp_path, "二"))
    assert not same(weights(tmp_path, "一"), weights(tmp_path, "三"))


def test_packed_and_padded_runs_learn_the_same(proposal, tmp_path):
    _, packed = told(proposal(output=str(tmp_path / "詰"), packing=True, max_steps=6))
    _, padded = told(proposal(output=str(tmp_path / "並"), packing=False, max_steps=6))
    assert losses(packed) == pytest.approx(losses(padded), rel=1e-5)


@OLD_NAME
def test_gradient_checkpointing_learns_the_same(proposal, tmp_path):
    plain = losses(told(proposal(output=str(tmp_path / "常"), max_steps=6))[1])
    _, events = told(
        proposal(output=str(tmp_path / "節"), max_steps=6, gradient_checkpointing=True)
    )
    assert losses(events) == pytest.approx(plain, rel=1e-5)


@OLD_NAME
def test_with_gradient_checkpointing_nothing_below_the_first_adapter_learns(proposal, tiny_base):
    made = proposal(gradient_checkpointing=True)
    adapted, _ = loading.load(made, tiny_base, None)
    embedded = adapted.get_input_embeddings()(torch.tensor([[5, 6]]))
    assert not embedded.requires_grad


@pytest.fixture(scope="module")
def dropping_base(tmp_path_factory):
    """A base whose own config drops half of everything while training."""
    return save_tiny_model(
        tmp_path_factory.mktemp("dropping") / "base", hidden_dropout=0.5, attention_dropout=0.5
    )


def test_base_dropout_replaces_the_architectures_own(proposal, dropping_base, tmp_path):
    made = {}
    for name, share in (("無", 0.0), ("無二", 0.0), ("有", 0.5)):
        output = str(tmp_path / name)
        made[name] = proposal(
            model=str(dropping_base), base_dropout=share, output=output, max_steps=3
        )
    told_losses = {name: losses(told(each)[1]) for name, each in made.items()}
    (chosen,) = steps(made["無"].train.lengths, per_step=2, seed=42, total_steps=1)
    rows = [made["無"].train.rows[i] for i in chosen]
    base = load_base(dropping_base, Placement())
    still = mean_loss(base, rows, batch_size=2, packing=True, pad_id=0)
    assert told_losses["無"][0] == pytest.approx(still, rel=1e-6)
    assert told_losses["無"] == told_losses["無二"]
    assert abs(told_losses["有"][0] - still) > 1e-3


@pytest.mark.parametrize(("free_gib", "asked"), [(12.0, 0), (0.3, 1)])
def test_freed_tensors_are_given_back_where_memory_is_short(proposal, monkeypatch, free_gib, asked):
    calls = []
    monkeypatch.setattr(loading, "give_back_freed_tensors", lambda: calls.append(1))
    made = proposal(max_steps=1)
    machine = dataclasses.replace(made.machine, free_memory_gib=free_gib)
    resolved, plan, _ = judge(made.draft, made.material, machine)
    train(dataclasses.replace(made, machine=machine, resolved=resolved, plan=plan))
    assert len(calls) == asked
    assert (plan.memory_gib["heap"] > 0) == (not asked)


# --- kinds of adapters ----------------------------------------------------------------------


@pytest.fixture
def plain(proposal, tmp_path):
    """(losses, weights) of four ordinary steps."""
    _, events = told(proposal(output=str(tmp_path / "常"), max_steps=4))
    return losses(events), weights(tmp_path, "常")


@pytest.mark.parametrize(
    ("settings", "from_step"),
    # A fresh adapter is silent: only noise on the embeddings shows in the very first loss.
    [
        ({"neftune_alpha": 5.0}, 1),
        ({"loraplus_ratio": 8.0}, 2),
        ({"lora_variant": "rslora"}, 2),
        ({"lora_variant": "dora"}, 2),
        ({"lora_dropout": 0.5}, 2),
        ({"weight_decay": 0.9}, 2),
        ({"max_grad_norm": 1e-9}, 2),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else str(value),
)
def test_each_of_these_changes_what_is_learned(proposal, plain, settings, from_step):
    _, events = told(proposal(max_steps=4, **settings))
    changed = [one != other for one, other in zip(losses(events), plain[0], strict=True)]
    assert changed.index(True) + 1 == from_step


def test_rslora_scales_by_the_root_of_the_rank(proposal, tmp_path, tiny_base):
    train(proposal(max_steps=2, lora_variant="rslora", lora_r=4, lora_alpha=6))
    adapted = read_adapter(load_base(tiny_base, Placement()), tmp_path / "実行" / "adapter")
    scales = {m.scaling["default"] for m in adapted.modules() if hasattr(m, "lora_A")}
    assert scales == {6 / math.sqrt(4)}


def test_dora_saves_its_magnitudes_and_they_move(proposal, tmp_path, tiny_base):
    train(proposal(max_steps=4, lora_variant="dora", lora_targets=["dense"]))
    saved = weights(tmp_path)
    magnitudes = {name: t for name, t in saved.items() if "magnitude" in name}
    assert len(magnitudes) == 2
    base = load_base(tiny_base, Placement())
    for block, (_, moved) in enumerate(sorted(magnitudes.items())):
        norms = base.gpt_neox.layers[block].attention.dense.weight.norm(dim=1)
        assert not torch.allclose(moved, norms)
        assert torch.allclose(moved, norms, atol=0.1)
    # And a reader that checks every tensor takes them.
    adapted = read_adapter(base, tmp_path / "実行" / "adapter")
    assert same(adapter_state(adapted), saved)


def test_only_the_chosen_layers_get_an_adapter(proposal, tmp_path):
    train(proposal(max_steps=2, lora_targets=["attention"]))
    names = weights(tmp_path)
    assert len(names) == 4
    assert all("query_key_value" in name for name in names)


def test_compile_is_asked_of_the_decoders_blocks(proposal, monkeypatch):
    asked = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: asked.append(type(self).__name__))
    made = proposal(max_steps=1)
    # Settled off on CPUs, where compiling takes longer than it saves.
    compiled = made.resolved.with_auto({"compile": (True, "")})
    record = train(dataclasses.replace(made, resolved=compiled))
    assert asked == ["GPTNeoXLayer"] * 2
    assert record["status"] == "finished"


def test_a_gemma_2_trains_and_records_the_attention_that_it_has(proposal, tmp_path):
    base = save_tiny_model(tmp_path / "gemma2", "gemma2")
    record, events = told(proposal(model=str(base), max_steps=3))
    assert record["config"]["attention"]["value"] == "eager"
    assert record["config"]["attention"]["source"] == "auto"
    assert "gemma2" in record["config"]["attention"]["reason"]
    assert record["config"]["packing"]["value"] is True
    assert len(losses(events)) == 3


# --- early stopping -------------------------------------------------------------------------


@pytest.fixture
def scored(monkeypatch):
    """A validation loss that follows a script; returns the adapter's state at each scoring."""
    script, states = [], []

    def score(adapted, *_, **__):
        states.append({n: t.detach().clone() for n, t in adapter_state(adapted).items()})
        return script.pop(0), 1  # over one token

    monkeypatch.setattr(session, "total_loss", score)

    def begin(*values):
        script[:] = values
        return states

    return begin


def test_early_stopping_keeps_the_best_adapter(proposal, data, scored, tmp_path):
    states = scored(3.0, 2.0, 4.0, 2.5, 9.0)
    record, events = told(
        proposal(validation=str(data[1]), evaluation_steps=1, early_stopping_patience=1)
    )
    assert record["result"]["optimizer_steps"] == 4  # more than one evaluation without gain
    assert [event.text[:20] for event in events if isinstance(event, Warned)] == [
        "stopped after step 4"
    ]
    assert same(weights(tmp_path), states[1])
    assert not same(states[1], states[3])
    assert record["result"]["validation_loss"] == 2.0


def test_a_run_that_overfits_ends_early_with_its_best_adapter(proposal, data, tiny_base, tmp_path):
    # Really scored: six answers are learned by heart, and the two held out get worse for it.
    made = proposal(
        validation=str(data[1]), evaluation_steps=2, early_stopping_patience=2, max_steps=60,
        batch_size=6, learning_rate=0.03,
    )  # fmt: skip
    record, events = told(made)
    scores = [event.loss for event in events if isinstance(event, Evaluated)]
    steps_done = record["result"]["optimizer_steps"]
    assert 2 * len(scores) == steps_done < 60
    best = scores.index(min(scores))
    assert best == len(scores) - 4  # three without gain are more than two
    assert record["result"]["validation_loss"] == min(scores)
    adapted = read_adapter(load_base(tiny_base, Placement()), tmp_path / "実行" / "adapter")
    loss = mean_loss(adapted, made.validation.rows, batch_size=6, packing=True, pad_id=0)
    assert loss == pytest.approx(min(scores), rel=1e-6)


def test_without_patience_the_last_adapter_is_kept(proposal, data, scored, tmp_path):
    states = scored(1.0, 2.0, 3.0)
    record = train(proposal(validation=str(data[1]), evaluation_steps=1, max_steps=3))
    assert same(weights(tmp_path), states[2])
    assert record["result"]["validation_loss"] == 3.0


def test_a_resumed_run_still_knows_its_best_adapter(proposal, data, scored, tmp_path):
    settings = {
        "validation": str(data[1]), "evaluation_steps": 1, "early_stopping_patience": 2,
        "checkpoint_steps": 1,
    }  # fmt: skip
    states = scored(3.0, 2.0, 4.0)
    with pytest.raises(KeyboardInterrupt):
        train(proposal(**settings), crash_at(4))
    scored(5.0, 6.0)
    record = train(proposal(**settings).for_resume(), resume=True)
    assert record["result"]["optimizer_steps"] == 5
    assert same(weights(tmp_path), states[1])
    assert record["result"]["validation_loss"] == 2.0


# --- resuming -------------------------------------------------------------------------------


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_a_resumed_run_equals_the_uninterrupted_one_bit_for_bit(proposal, tmp_path, dropout):
    settings = {"lora_dropout": dropout, "checkpoint_steps": 6}
    _, whole = told(proposal(output=str(tmp_path / "全"), **settings))
    with pytest.raises(KeyboardInterrupt):
        train(proposal(**settings), crash_at(8))
    _, rest = told(proposal(**settings).for_resume(), resume=True)
    assert losses(rest) == losses(whole)[6:]
    assert same(weights(tmp_path), weights(tmp_path, "全"))
    logged = [row["loss"] for row in rows_of(tmp_path / "実行" / "metrics.jsonl")]
    assert logged == losses(whole)


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_resumed(proposal, tmp_path):
    _, whole = told(proposal(output=str(tmp_path / "全"), checkpoint_steps=3))
    with pytest.raises(KeyboardInterrupt):
        train(proposal(checkpoint_steps=3), crash_at(8))
    broken = tmp_path / "実行" / "checkpoints" / "step-000006"
    (broken / "optimizer.pt").write_bytes(b"")
    _, events = told(proposal(checkpoint_steps=3).for_resume(), resume=True)
    assert [e.text for e in events if isinstance(e, Warned)] == [
        f"{broken} is damaged and is left aside"
    ]
    assert losses(events) == losses(whole)[3:]
    assert same(weights(tmp_path), weights(tmp_path, "全"))


@pytest.fixture
def crashed(proposal, tmp_path):
    """A run that fell over after its checkpoint of step 2; its settings."""
    settings = {"checkpoint_steps": 2, "max_steps": 4}
    with pytest.raises(KeyboardInterrupt):
        train(proposal(**settings), crash_at(3))
    return settings


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({"learning_rate": 0.5}, "learning_rate"),
        ({"max_steps": 9}, "total_steps"),
        ({"lora_r": 2, "lora_alpha": 1}, "lora_r, lora_alpha"),
        ({"lora_targets": ["dense"]}, "lora_targets"),
        ({"lora_variant": "dora"}, "lora_variant"),
        ({"seed": 7}, "seed"),
        ({"batch_size": 1}, "batch_size"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_resuming_with_other_settings_is_refused_by_name(
    proposal, crashed, tmp_path, changed, names
):
    before = files_of(tmp_path / "実行")
    with pytest.raises(JloraError) as refused:
        train(proposal(**{**crashed, **changed}).for_resume(), resume=True)
    told = refused.value.problem.partition("there and here differ: ")[2]
    assert [part.split()[0] for part in told.split(", ")] == names.split(", ")
    assert files_of(tmp_path / "実行") == before


def test_a_run_whose_steps_were_made_of_other_rows_is_not_resumed(
    proposal, crashed, tmp_path, monkeypatch
):
    monkeypatch.setattr("jlora_cli.order.VERSION", 3)
    with pytest.raises(JloraError, match="row_order 2 → 3"):
        train(proposal(**crashed).for_resume(), resume=True)


def test_resuming_with_other_data_or_another_base_is_refused(proposal, crashed, tmp_path):
    other_rows = write_rows(tmp_path / "他.jsonl", PAIRS[:3])
    other_base = save_tiny_model(tmp_path / "他", seed=1)
    before = files_of(tmp_path / "実行")
    for changed, name in (
        ({"data": str(other_rows)}, "data"),
        ({"model": str(other_base)}, "base"),
    ):
        with pytest.raises(JloraError, match=f"there and here differ: {name} "):
            train(proposal(**{**crashed, **changed}).for_resume(), resume=True)
    assert files_of(tmp_path / "実行") == before


@OLD_NAME
def test_what_only_changes_speed_may_change_between(proposal, crashed, tmp_path):
    changed = {**crashed, "packing": False, "gradient_checkpointing": True, "keep_checkpoints": 5}
    record = train(proposal(**changed).for_resume(), resume=True)
    assert (record["status"], record["result"]["optimizer_steps"]) == ("finished", 4)


def test_where_nothing_whole_is_left_resuming_is_refused(proposal, crashed, tmp_path):
    (tmp_path / "実行" / "checkpoints" / "step-000002" / "manifest.json").unlink()
    events = []
    with pytest.raises(JloraError, match="holds no whole checkpoint"):
        train(proposal(**crashed).for_resume(), events.append, resume=True)
    assert len([event for event in events if isinstance(event, Warned)]) == 1
    assert not (tmp_path / "実行" / "run.json").exists()


def test_a_run_that_was_killed_between_its_adapter_and_its_record_is_finished(
    proposal, tmp_path, monkeypatch
):
    def power_cut(*_):
        raise KeyboardInterrupt

    settings = {"max_steps": 4, "checkpoint_steps": 2}
    with monkeypatch.context() as patch:
        patch.setattr(keeping, "write_report", power_cut)
        with pytest.raises(KeyboardInterrupt):
            train(proposal(**settings))
    run = tmp_path / "実行"
    assert (run / "adapter").is_dir()
    before = weights(tmp_path)
    record = train(proposal(**settings).for_resume(), resume=True)
    assert record["status"] == "finished"
    assert same(weights(tmp_path), before)
    assert [row["when"] for row in rows_of(run / "samples.jsonl")] == ["before", "after"]


def test_a_signal_before_the_first_step_leaves_a_checkpoint_to_begin_from(proposal, tmp_path):
    def end_early(event):
        if isinstance(event, Stage) and event.name == "train.stage.sample_before":
            signal.raise_signal(signal.SIGTERM)

    settings = {"max_steps": 3}
    record = train(proposal(**settings), end_early)
    assert (record["status"], record["signal"]) == ("interrupted", signal.SIGTERM)
    assert record["result"]["optimizer_steps"] == 0
    assert record["result"]["train_loss"] is None
    run = tmp_path / "実行"
    assert checkpoints.newest(run / "checkpoints")[0].name == "step-000000"
    _, events = told(proposal(**settings).for_resume(), resume=True)
    _, whole = told(proposal(output=str(tmp_path / "全"), **settings))
    assert losses(events) == losses(whole)
    assert same(weights(tmp_path), weights(tmp_path, "全"))
    assert [row["when"] for row in rows_of(run / "samples.jsonl")] == ["before", "after"]


# --- going on from an adapter ---------------------------------------------------------------


def first_rows(proposal):
    (chosen,) = steps(proposal.train.lengths, per_step=2, seed=42, total_steps=1)
    return [proposal.train.rows[i] for i in chosen]


def test_a_run_goes_on_from_an_adapters_weights(proposal, finished, tiny_base):
    run, _, _ = finished
    made = proposal(max_steps=2)
    record, events = told(made, from_adapter=str(run))
    adapted = read_adapter(load_base(tiny_base, Placement()), run / "adapter")
    expected = mean_loss(adapted, first_rows(made), batch_size=2, packing=True, pad_id=0)
    fresh = mean_loss(
        load_base(tiny_base, Placement()), first_rows(made), batch_size=2, packing=True, pad_id=0
    )
    assert losses(events)[0] == pytest.approx(expected, rel=1e-6)
    assert expected < fresh - 1
    assert record["from_adapter"] == str(run)
    assert record["result"]["trainable_parameters"] == 6144


@pytest.fixture(scope="module")
def small_adapter(tiny_base, tmp_path_factory):
    """An adapter of rank 2 that another tool made: no card, no run."""
    from jlora_cli.config import RunConfig

    folder = tmp_path_factory.mktemp("small") / "adapter"
    config = RunConfig(lora_r=2, lora_alpha=3.0, lora_variant="rslora", lora_targets=("dense",))
    adapted = attach_adapter(load_base(tiny_base, Placement()), config)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            parameter.data.fill_(0.1)
    adapted.peft_config["default"].base_model_name_or_path = str(tiny_base)
    adapted.save_pretrained(str(folder), save_embedding_layers=False)
    return folder


def test_what_the_adapter_is_made_of_beats_profile_and_default(proposal, small_adapter, tmp_path):
    record = train(proposal(max_steps=2, lora_dropout=0.25), from_adapter=str(small_adapter))
    settled = {name: record["config"][name] for name in record["config"] if "lora_" in name}
    assert {name: entry["value"] for name, entry in settled.items()} == {
        "lora_r": 2, "lora_alpha": 3.0, "lora_variant": "rslora", "lora_targets": ["dense"],
        "lora_dropout": 0.25,
    }  # fmt: skip
    assert settled["lora_r"]["source"] == "auto"
    assert str(small_adapter) in settled["lora_r"]["reason"]
    assert {tuple(t.shape) for n, t in weights(tmp_path).items() if "lora_A" in n} == {(2, 32)}
    config = json.loads((tmp_path / "実行" / "adapter" / "adapter_config.json").read_text())
    assert (config["r"], config["lora_dropout"]) == (2, 0.25)


def test_an_option_that_contradicts_the_adapter_is_refused(proposal, small_adapter, tmp_path):
    made = proposal(lora_r=8, lora_alpha=3.0, lora_targets=["attention"])
    with pytest.raises(JloraError) as refused:
        train(made, from_adapter=str(small_adapter))
    assert refused.value.problem == (
        f"the adapter of {small_adapter} is of another kind: lora_r 2, lora_targets dense"
    )
    assert not (tmp_path / "実行").exists()


@pytest.mark.parametrize("targets", [["dense"], ["auto"]])
def test_options_that_agree_with_the_adapter_are_no_matter(proposal, small_adapter, targets):
    made = proposal(max_steps=1, lora_r=2, lora_targets=targets)
    record = train(made, from_adapter=str(small_adapter))
    assert record["config"]["lora_r"]["source"] == "option"
    assert record["status"] == "finished"


def test_a_base_is_no_adapter_to_go_on_from(proposal, tiny_base, tmp_path):
    with pytest.raises(JloraError, match="is no adapter"):
        train(proposal(), from_adapter=str(tiny_base))
    assert not (tmp_path / "実行").exists()


def test_an_adapter_of_other_weights_is_refused(proposal, finished, tmp_path):
    other = save_tiny_model(tmp_path / "他", seed=1)
    with pytest.raises(JloraError) as refused:
        train(proposal(model=str(other)), from_adapter=str(finished[0]))
    assert refused.value.problem == (
        f"{finished[0]} was trained on other weights than those in {other}"
    )


def test_going_on_with_another_prompt_format_is_said(proposal, finished):
    events = []
    train(proposal(max_steps=1, template="alpaca-ja"), events.append, from_adapter=str(finished[0]))
    assert [event.text for event in events if isinstance(event, Warned)] == [
        f"{finished[0]} was trained with another prompt format; this run goes on with its own"
    ]


def test_a_run_that_goes_on_from_an_adapter_is_resumed_with_it(proposal, small_adapter, tmp_path):
    settings = {"max_steps": 4, "checkpoint_steps": 2}
    source = str(small_adapter)
    _, whole = told(proposal(output=str(tmp_path / "全"), **settings), from_adapter=source)
    with pytest.raises(KeyboardInterrupt):
        train(proposal(**settings), crash_at(3), from_adapter=source)
    with pytest.raises(JloraError, match=r"from_adapter .*lora_r 2 → 8, lora_alpha 3.0 → 32.0"):
        train(proposal(**settings).for_resume(), resume=True)
    _, rest = told(proposal(**settings).for_resume(), resume=True, from_adapter=source)
    assert losses(rest) == losses(whole)[2:]
    assert same(weights(tmp_path), weights(tmp_path, "全"))
