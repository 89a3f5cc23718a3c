"""What stops a run or slows it down, and what is left of it then."""

from __future__ import annotations

import errno
import json
import math

import pytest
import torch
from safetensors.torch import load_file, save_file

from jlora_cli.errors import JloraError
from jlora_cli.events import Saved, StepDone, Warned
from jlora_cli.finding import found
from jlora_cli.model import adapter_state
from jlora_cli.training import checkpoints, fitting, keeping, saving, session, step
from jlora_cli.training.guard import GuardError
from jlora_cli.training.interruption import Interruption
from jlora_cli.training.launch import Task
from jlora_cli.training.loss import summed_loss, total_loss
from jlora_cli.training.processes import World
from jlora_cli.training.record import Clock
from jlora_cli.training.session import train
from tests.tiny_models import save_tiny_model
from tests.training.runs import (
    broken_at,
    crash_at,
    losses,
    no_gradient,
    rows_of,
    same,
    told,
    weights,
)


def record_at(tmp_path):
    return json.loads((tmp_path / "実行" / "run.json").read_text(encoding="utf-8"))


def warnings_of(events):
    return [event.text for event in events if isinstance(event, Warned)]


def ids(record):
    """The findings of the live run; those of the plan stand before them."""
    live = ("loss-not-falling", "out-of-memory", "memory-spilled")
    return [item["id"] for item in record["findings"] if item["id"] in live]


# --- losses and gradients -------------------------------------------------------------------


def test_a_loss_that_is_no_number_stops_the_run_before_the_optimizer_moves(
    proposal, monkeypatch, tmp_path
):
    calls, loss = broken_at(3, 1, lambda value: value * math.nan)
    monkeypatch.setattr(step, "summed_loss", loss)
    states = []
    monkeypatch.setattr(session.Guard, "check_adapter", lambda *_: states.append("moved"))
    with pytest.raises(JloraError, match="loss of step 3") as refused:
        train(proposal())
    assert all(origin in refused.value.problem for origin in calls[-1])
    assert len(calls[-1]) == 2
    assert states == ["moved", "moved"]
    record = record_at(tmp_path)
    assert (record["status"], record["problem"]) == ("failed", refused.value.problem)
    assert (record["step"], record["rows"]) == (3, list(calls[-1]))
    assert record["result"]["optimizer_steps"] == 2
    assert not (tmp_path / "実行" / "adapter").exists()


@pytest.mark.parametrize("fault", [lambda value: value * math.nan, no_gradient])
def test_the_state_before_the_step_is_kept_and_resumed_as_if_nothing_had_happened(
    proposal, monkeypatch, tmp_path, fault
):
    # No checkpoint is due before step 8 fails; what dropout drew in it is drawn again.
    settings = {"lora_dropout": 0.1, "checkpoint_steps": 12}
    _, whole = told(proposal(output=str(tmp_path / "全"), **settings))
    with monkeypatch.context() as patch:
        patch.setattr(step, "summed_loss", broken_at(8, 1, fault)[1])
        with pytest.raises(JloraError, match="of step 8"):
            train(proposal(**settings))
    run = tmp_path / "実行"
    assert checkpoints.newest(run / "checkpoints") == (run / "checkpoints" / "step-000007", [])
    with pytest.raises(JloraError, match=r"there and here differ: learning_rate 0\.01 → 0\.001"):
        train(proposal(**settings, learning_rate=0.001).for_resume(), resume=True)
    _, rest = told(proposal(**settings).for_resume(), resume=True)
    assert losses(rest) == losses(whole)[7:]
    assert same(weights(tmp_path), weights(tmp_path, "全"))


def test_a_base_with_a_broken_weight_stops_at_the_first_step(proposal, tmp_path):
    base = save_tiny_model(tmp_path / "壊")
    tensors = load_file(base / "model.safetensors")
    tensors["gpt_neox.final_layer_norm.weight"][0] = math.nan
    save_file(tensors, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(JloraError, match=r"loss of step 1 is not a number; its rows: .*行\.jsonl"):
        train(proposal(model=str(base)))
    assert record_at(tmp_path)["status"] == "failed"
    assert not (tmp_path / "実行" / "checkpoints").exists()


def test_a_gradient_that_is_no_number_stops_the_run_and_names_all_rows_of_the_step(
    proposal, monkeypatch, tmp_path
):
    calls, loss = broken_at(2, 2, no_gradient)
    monkeypatch.setattr(step, "summed_loss", loss)
    with pytest.raises(JloraError, match="gradient of step 2 is not finite; its rows: ") as refused:
        train(proposal(batch_size=1, gradient_accumulation_steps=2))
    rows = [*calls[-2], *calls[-1]]
    assert record_at(tmp_path)["rows"] == rows
    assert refused.value.problem.endswith(", ".join(rows))
    assert record_at(tmp_path)["step"] == 2


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step:UserWarning")
def test_in_float16_a_gradient_that_overflows_at_every_scale_stops_the_run(
    proposal, monkeypatch, tmp_path
):
    # torch's own scaler, which halves at each overflow: 4, 2, and 1 is its end.
    monkeypatch.setattr(step, "summed_loss", lambda m, b: no_gradient(summed_loss(m, b)))
    run = session.prepare(Task(proposal()), World(), session.ignore, Clock())
    run.trained.precision.scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    before = {name: t.clone() for name, t in adapter_state(run.trained.adapted).items()}
    with pytest.raises(GuardError, match="step 3 with its loss scale down at 1;"):
        run.tell(Interruption())
    assert run.progress.step == 2
    assert same(before, adapter_state(run.trained.adapted))


def test_an_adapter_that_does_not_learn_stops_the_run_after_three_steps(
    proposal, monkeypatch, tmp_path
):
    monkeypatch.setattr(step, "summed_loss", lambda m, b: summed_loss(m, b) * 0.0)
    with pytest.raises(JloraError, match="after 3 steps no adapter weight has moved"):
        train(proposal())
    assert record_at(tmp_path)["step"] == 3
    # There is nothing to go on from.
    assert not (tmp_path / "実行" / "checkpoints").exists()


# --- memory ---------------------------------------------------------------------------------


def small_memory(rows, monkeypatch):
    """From now on no more than so many rows fit into a batch; returns the sizes that were tried."""
    sizes = []

    def loss(model, batch):
        sizes.append(len(batch.origins))
        if sizes[-1] > rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return summed_loss(model, batch)

    monkeypatch.setattr(step, "summed_loss", loss)
    return sizes


@pytest.mark.parametrize("packing", [True, False])
def test_out_of_memory_halves_the_micro_batch_and_learns_the_same(
    proposal, monkeypatch, tmp_path, packing
):
    settings = {"max_steps": 6, "packing": packing, "lora_dropout": 0.0}
    small = {"batch_size": 2, "gradient_accumulation_steps": 3}
    expected, whole = told(proposal(output=str(tmp_path / "小"), **settings, **small))
    sizes = small_memory(2, monkeypatch)
    record, events = told(proposal(**settings, batch_size=6))
    # Six rows are tried once, then three; all later steps go through two by two.
    assert sizes == [6, 3, *[2, 2, 2] * 6]
    assert losses(events) == pytest.approx(losses(whole), rel=1e-5)
    assert same(weights(tmp_path), weights(tmp_path, "小"), tolerance=1e-5)
    assert record["result"]["optimizer_steps"] == expected["result"]["optimizer_steps"] == 6
    assert record["result"]["micro_batch_size"] == 2
    assert expected["result"]["micro_batch_size"] == 2
    assert ids(record) == ["out-of-memory", "out-of-memory"]
    assert ids(expected) == []
    told_lines = [text for text in warnings_of(events) if "memory" in text]
    assert told_lines[0].startswith(
        "memory ran out in step 1; micro-batches now have 3 rows instead of 6. "
    )
    assert "memory ran out in step 1; micro-batches now have 2 rows" in (
        tmp_path / "実行" / "report.html"
    ).read_text(encoding="utf-8")


def test_what_a_half_done_step_drew_and_learned_is_undone(proposal, monkeypatch, tmp_path):
    # With dropout: memory runs out in the second micro-batch of step 2, after random numbers were
    # drawn and gradients were made; the step's second try draws as a run does that has room.
    settings = {
        "max_steps": 4, "batch_size": 2, "gradient_accumulation_steps": 3, "lora_dropout": 0.3,
    }  # fmt: skip
    tried = []

    def loss(model, batch):
        tried.append(batch.origins)
        if len(tried) == 5:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return summed_loss(model, batch)

    monkeypatch.setattr(step, "summed_loss", loss)
    record, events = told(proposal(**settings))
    assert record["result"]["micro_batch_size"] == 1
    assert [len(origins) for origins in tried] == [2] * 5 + [1] * 18
    monkeypatch.setattr(step, "summed_loss", summed_loss)
    mine = []

    def listen(event):
        if isinstance(event, StepDone):
            mine.append(event.loss)
            run.micro_batch.rows = 1

    task = Task(proposal(output=str(tmp_path / "二"), **settings))
    run = session.prepare(task, World(), listen, Clock())
    run.tell(Interruption())
    assert losses(events) == mine


def test_a_resumed_run_keeps_the_smaller_micro_batch(proposal, monkeypatch, tmp_path):
    settings = {"checkpoint_steps": 3, "max_steps": 6, "batch_size": 4}
    small_memory(2, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        train(proposal(**settings), crash_at(4))
    sizes = small_memory(2, monkeypatch)
    record, events = told(proposal(**settings).for_resume(), resume=True)
    assert max(sizes) == 2
    assert record["result"]["micro_batch_size"] == 2
    assert ids(record) == ["out-of-memory"]
    assert warnings_of(events) == []


def test_one_row_that_does_not_fit_stops_the_run_with_what_to_change(
    proposal, monkeypatch, tmp_path
):
    small_memory(0, monkeypatch)
    with pytest.raises(
        JloraError, match=r"memory ran out in step 1 with one row at a time; the longest has \d+ to"
    ) as refused:
        train(proposal())
    assert "--gradient-checkpointing" in refused.value.remedy
    record = record_at(tmp_path)
    assert (record["status"], record["step"]) == ("failed", 1)
    assert ids(record) == ["out-of-memory"]


def test_evaluation_that_does_not_fit_is_halved_too(proposal, data, monkeypatch):
    settings = {"validation": str(data[1]), "max_steps": 2, "batch_size": 4}
    expected = train(proposal(**settings, output=proposal().config.output + "全"))
    sizes = []

    def score(*args, batch_size, **terms):
        sizes.append(batch_size)
        if batch_size > 1:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")
        return total_loss(*args, batch_size=batch_size, **terms)

    monkeypatch.setattr(session, "total_loss", score)
    record = train(proposal(**settings))
    assert sizes == [4, 2, 1]
    assert record["result"]["validation_loss"] == pytest.approx(
        expected["result"]["validation_loss"], rel=1e-5
    )
    assert record["result"]["micro_batch_size"] == 1


def test_a_sample_that_memory_does_not_hold_is_left_out(proposal, monkeypatch, tmp_path):
    asked = []

    def answer(answerer, messages, sampling):
        asked.append(messages[0].content)
        if messages[0].content == "長い🐈":
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(answerer, messages, sampling)

    real = saving.Answerer.answer
    monkeypatch.setattr(saving.Answerer, "answer", answer)
    record, events = told(proposal(max_steps=1, sample_prompts=["長い🐈", "短い"]))
    assert asked == ["長い🐈", "短い"] * 2
    assert record["status"] == "finished"
    rows = rows_of(tmp_path / "実行" / "samples.jsonl")
    assert [(row["when"], row["prompt"]) for row in rows] == [("before", "短い"), ("after", "短い")]
    assert "memory ran out over the sample prompt “長い🐈”; it is left out" in warnings_of(events)


def test_another_failure_of_a_sample_is_a_bug(proposal, monkeypatch):
    def wrong(*_):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(saving.Answerer, "answer", wrong)
    with pytest.raises(RuntimeError, match="mat1"):
        train(proposal())


def test_windows_spilling_into_shared_memory_halves_from_the_next_step_on(
    proposal, monkeypatch, tmp_path
):
    # A run that takes a second a token in steps 7 and 8, on a machine whose memory is full.
    clock = {"now": 0.0, "step": 0}

    def tick(*_):
        clock["now"] += 1e-3
        return clock["now"]

    def slow(event):
        events.append(event)
        clock["step"] += isinstance(event, StepDone)

    def loss(model, batch):
        clock["now"] += batch.tokens * (1.0 if clock["step"] in (6, 7) else 1e-3)
        sizes.append(len(batch.origins))
        return summed_loss(model, batch)

    events, sizes = [], []
    monkeypatch.setattr(fitting, "_may_spill", lambda: True)
    monkeypatch.setattr(fitting, "free_share", lambda: 0.01)
    monkeypatch.setattr(session.time, "monotonic", tick)
    monkeypatch.setattr(step, "summed_loss", loss)
    record = train(proposal(max_steps=10), slow)
    assert sizes == [2] * 8 + [1, 1] * 2
    assert [item["id"] for item in record["findings"]].count("memory-spilled") == 1
    assert record["result"]["micro_batch_size"] == 1
    assert any(text.startswith("step 8 took several times as long") for text in warnings_of(events))


# --- loss that does not fall ----------------------------------------------------------------


def test_a_run_at_a_vanishing_rate_is_told_once_that_its_loss_does_not_fall(proposal, tmp_path):
    record, events = told(proposal(max_steps=24, learning_rate=1e-6))
    assert ids(record) == ["loss-not-falling"]
    (finding,) = [item for item in record["findings"] if item["id"] == "loss-not-falling"]
    assert finding["severity"] == "warning"
    assert finding["consequence"] == "Most likely the learning rate of 1e-06 is too low for LoRA."
    assert [text for text in warnings_of(events) if "does not fall" in text] == [
        f"{finding['evidence']}. {finding['consequence']} To mend it: try --learning-rate 2e-4"
    ]
    report = (tmp_path / "実行" / "report.html").read_text(encoding="utf-8")
    assert "loss-not-falling" in report


def test_a_run_that_learns_is_not_warned(proposal):
    record, events = told(proposal(max_steps=24, learning_rate=0.01))
    assert ids(record) == []
    assert warnings_of(events) == []


def test_a_finding_of_the_live_run_outlives_an_interruption(proposal):
    settings = {"max_steps": 24, "learning_rate": 1e-6, "checkpoint_steps": 5}
    with pytest.raises(KeyboardInterrupt):
        train(proposal(**settings), crash_at(17))  # told after step 12, saved after step 15
    record, events = told(proposal(**settings).for_resume(), resume=True)
    assert ids(record) == ["loss-not-falling"]
    assert warnings_of(events) == []


# --- what is no result ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda tensor: tensor.mul_(0.0), "every lora_B tensor is zero"),
        (lambda tensor: tensor.fill_(math.inf), "holds numbers that are not finite"),
    ],
    ids=["zero", "infinite"],
)
def test_a_dead_adapter_is_never_saved_as_a_result(proposal, monkeypatch, tmp_path, spoil, problem):
    def listen(event):
        if isinstance(event, Saved):
            for name, parameter in runs[0].trained.adapted.named_parameters():
                if "lora_B" in name:
                    spoil(parameter.data)

    runs = []
    prepare = session.prepare
    monkeypatch.setattr(
        session, "prepare", lambda *a, **k: runs.append(prepare(*a, **k)) or runs[0]
    )
    left = tmp_path / "実行" / "adapter"
    left.mkdir(parents=True)  # by a run that was killed before its record
    made = proposal(max_steps=4, checkpoint_steps=4)
    with pytest.raises(JloraError, match=f"the adapter is no result: .*{problem}"):
        train(made, listen)
    assert record_at(tmp_path)["status"] == "failed"
    assert sorted(path.name for path in (tmp_path / "実行").iterdir()) == [
        "checkpoints", "metrics.jsonl", "run.json", "samples.jsonl",
    ]  # fmt: skip


# --- bugs and disks -------------------------------------------------------------------------


def test_a_bug_keeps_its_traceback(proposal, monkeypatch):
    def wrong(*_):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(step, "summed_loss", wrong)
    with pytest.raises(RuntimeError, match="mat1"):
        train(proposal())


def test_a_full_disk_is_named(proposal, monkeypatch, tmp_path):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(keeping, "append_json", full)
    monkeypatch.setattr(keeping, "write_json", full)
    with pytest.raises(JloraError) as refused:
        train(proposal())
    assert refused.value.problem == f"cannot write {tmp_path / '実行'}: No space left on device"


def test_a_full_disk_does_not_hide_why_the_guard_stopped(proposal, monkeypatch, tmp_path):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(step, "summed_loss", broken_at(3, 1, no_gradient)[1])
    monkeypatch.setattr(checkpoints, "_write", full)
    with pytest.raises(JloraError, match="gradient of step 3"):
        train(proposal(checkpoint_steps=12))
    assert "gradient of step 3" in record_at(tmp_path)["problem"]


def test_a_run_that_cannot_load_its_base_leaves_no_folder(proposal, tmp_path):
    base = save_tiny_model(tmp_path / "壊")
    made = proposal(model=str(base))
    (base / "model.safetensors").write_bytes(b"")
    with pytest.raises(JloraError, match=r"model\.safetensors"):
        train(made)
    assert not (tmp_path / "実行").exists()


@pytest.mark.parametrize("id", ["loss-not-falling", "out-of-memory", "memory-spilled"])
def test_what_a_live_run_finds_is_a_warning(id):
    values = dict.fromkeys(
        ["first", "last", "window", "step", "cause", "advice", "before", "after"], "7"
    )
    assert found(id, **values).severity == "warning"
