"""Processes that train together learn what one learns, stop together and leave nobody behind."""

from __future__ import annotations

import gc
import json
import math
import multiprocessing
import os
import signal
import time
from dataclasses import replace

import pytest
import torch

from jlora_cli.config import RunConfig, parse_options, resolve, settle
from jlora_cli.errors import JloraError
from jlora_cli.events import Evaluated, Warned
from jlora_cli.machine import Gpu, TorchBuild
from jlora_cli.training import checkpoints, keeping, launch, processes, session, step
from jlora_cli.training.guard import GuardError
from jlora_cli.training.launch import Task
from jlora_cli.training.loss import summed_loss
from jlora_cli.training.processes import World, gathered
from jlora_cli.training.session import train
from tests.tiny_runs import PAIRS, write_rows
from tests.training.conftest import CPU
from tests.training.runs import crash_at, losses, same, told, weights

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def record_at(run):
    return json.loads((run / "run.json").read_text(encoding="utf-8"))


@pytest.fixture
def forked(monkeypatch):
    """Helpers are forked from this process: they start at once, and with what a test patched."""
    monkeypatch.setattr(processes, "get_context", lambda _: multiprocessing.get_context("fork"))
    # What an earlier test left of its process group must not be collected in a child: its threads
    # are not there, and would be waited for.
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
    assert multiprocessing.active_children() == []


def in_helper():
    return multiprocessing.parent_process() is not None


# --- really started -------------------------------------------------------------------------


def test_two_processes_learn_what_one_learns_of_the_same_rows(proposal, data, tmp_path):
    # Steps of four, two and again four and two of the six rows: shares of two rows and of one.
    settings = {
        "validation": str(data[1]), "evaluation_steps": 3, "max_steps": 6, "lora_dropout": 0.0,
        "batch_size": 4,
    }  # fmt: skip
    alone, one = told(proposal(output=str(tmp_path / "一"), **settings))
    together, two = told(proposal(**{**settings, "batch_size": 2, "processes": 2}))
    assert losses(two) == pytest.approx(losses(one), rel=1e-5)
    assert same(weights(tmp_path), weights(tmp_path, "一"), tolerance=1e-5)
    scores = [[e.loss for e in events if isinstance(e, Evaluated)] for events in (one, two)]
    assert scores[1] == pytest.approx(scores[0], rel=1e-5)
    assert len(scores[0]) == 2
    assert together["result"]["optimizer_steps"] == 6
    assert together["config"]["processes"]["value"] == 2
    reached = [
        checkpoints.read_progress(tmp_path / run / "checkpoints" / "step-000006")["progress"]
        for run in ("一", "実行")
    ]
    assert reached[0]["tokens"] == reached[1]["tokens"] > 100  # of both processes
    assert multiprocessing.active_children() == []
    assert alone["status"] == together["status"] == "finished"


@needs_fork
def test_a_signal_to_the_first_process_saves_and_resuming_goes_on_alike(
    launcher, proposal, tiny_base, data, tmp_path, request
):
    settings = {
        "processes": 2, "batch_size": 1, "max_steps": 6, "lora_dropout": 0.1, "warmup_steps": 0,
        "learning_rate": 0.01,
    }  # fmt: skip
    words = [
        "train", "--profile", "cpu-small", "--model", str(tiny_base), "--data", str(data[0]),
        "--sample-prompts", "吾輩は何ですか？", "--output", str(tmp_path / "実行"),
    ]  # fmt: skip
    for name, value in settings.items():
        words += ["--set", f"{name}={value}"]
    log = tmp_path / "log"
    stopped = launcher.run(*words, log=log, stop_after=3)
    assert stopped.stopped, log.read_text()
    ended = launcher.go_on(stopped, signal.SIGTERM)
    assert ended.code == 143, log.read_text()
    run = tmp_path / "実行"
    assert (record_at(run)["status"], record_at(run)["signal"]) == ("interrupted", signal.SIGTERM)
    assert checkpoints.newest(run / "checkpoints") == (run / "checkpoints" / "step-000003", [])
    assert "Traceback" not in log.read_text()

    with pytest.raises(JloraError, match="there and here differ: processes 2 → 1"):
        train(proposal(**{**settings, "processes": 1}).for_resume(), resume=True)
    request.getfixturevalue("forked")  # the rest needs no process that is started anew
    record, events = told(proposal(**settings).for_resume(), resume=True)
    _, whole = told(proposal(output=str(tmp_path / "全"), **settings))
    assert record["status"] == "finished"
    # Bitwise, with the dropout of either process.
    assert losses(events) == losses(whole)[3:]
    assert same(weights(tmp_path), weights(tmp_path, "全"))


# --- stopping together ----------------------------------------------------------------------


@needs_fork
def test_a_loss_that_is_no_number_in_another_process_stops_all_with_one_message(
    proposal, monkeypatch, tmp_path, forked
):
    def loss(model, batch):
        value = summed_loss(model, batch)
        calls.append(batch.origins)
        return value * math.nan if in_helper() and len(calls) == 2 else value

    calls = []
    monkeypatch.setattr(step, "summed_loss", loss)
    made = proposal(processes=2, batch_size=3)
    with pytest.raises(GuardError, match="the loss of step 2 is not a number") as refused:
        train(made)
    record = record_at(tmp_path / "実行")
    assert (record["status"], record["step"]) == ("failed", 2)
    assert record["rows"] == list(refused.value.rows)
    assert len(record["rows"]) == 3
    assert not set(record["rows"]) & set(calls[-1])  # those of the other process alone
    assert checkpoints.newest(tmp_path / "実行" / "checkpoints")[0].name == "step-000001"
    assert not (tmp_path / "実行" / "adapter").exists()


@needs_fork
def test_out_of_memory_in_another_process_halves_all_of_them(
    proposal, monkeypatch, tmp_path, forked
):
    def loss(model, batch):
        sizes.append(len(batch.origins))
        if in_helper() and sizes[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return summed_loss(model, batch)

    sizes = []
    settings = {"processes": 2, "batch_size": 3, "max_steps": 3, "lora_dropout": 0.0}
    _, whole = told(proposal(output=str(tmp_path / "全"), **settings))
    monkeypatch.setattr(step, "summed_loss", loss)
    record, events = told(proposal(**settings))
    # A step's six rows are two parts of three, then three of two: two of them fall to this process.
    assert sizes == [3, *[2, 2] * 3]
    assert losses(events) == pytest.approx(losses(whole), rel=1e-5)
    assert record["result"]["micro_batch_size"] == 2
    assert len([e for e in events if isinstance(e, Warned) and "memory ran out" in e.text]) == 1


@needs_fork
def test_a_signal_to_another_process_is_granted_by_all(proposal, monkeypatch, tmp_path, forked):
    def loss(model, batch):
        calls.append(batch)
        if in_helper() and len(calls) == 2:
            signal.raise_signal(signal.SIGTERM)
        return summed_loss(model, batch)

    calls = []
    monkeypatch.setattr(step, "summed_loss", loss)
    record = train(proposal(processes=2, batch_size=3))
    assert (record["status"], record["signal"]) == ("interrupted", signal.SIGTERM)
    assert record["result"]["optimizer_steps"] == 2


@needs_fork
def test_a_process_that_is_killed_ends_the_run_with_the_reason(
    proposal, monkeypatch, tmp_path, forked
):
    def loss(model, batch):
        calls.append(batch)
        if in_helper() and len(calls) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return summed_loss(model, batch)

    calls = []
    monkeypatch.setattr(step, "summed_loss", loss)
    with pytest.raises(JloraError, match="another process of this run no longer answers") as no:
        train(proposal(processes=2, batch_size=3, checkpoint_steps=2))
    assert "--resume" in no.value.remedy
    assert record_at(tmp_path / "実行")["status"] == "failed"
    assert checkpoints.newest(tmp_path / "実行" / "checkpoints")[0].name == "step-000002"


@needs_fork
def test_the_first_process_failing_alone_leaves_nobody_behind(
    proposal, monkeypatch, tmp_path, forked
):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keeping, "append_json", full)
    begun = time.monotonic()
    with pytest.raises(JloraError, match="No space left on device"):
        train(proposal(processes=2, batch_size=3))
    assert time.monotonic() - begun < processes._LEAVING_S  # they are not waited for in vain


@needs_fork
def test_ctrl_c_twice_leaves_nobody_behind(proposal, forked):
    with pytest.raises(KeyboardInterrupt):
        train(proposal(processes=2, batch_size=3), crash_at(2))


@needs_fork
def test_what_another_process_cannot_load_is_told_and_leaves_no_folder(
    proposal, monkeypatch, tmp_path, forked
):
    def load(*args):
        if in_helper():
            raise JloraError("髙﨑/model.safetensors is damaged 🐈", remedy="fetch it anew")
        return real(*args)

    real = session.load
    monkeypatch.setattr(session, "load", load)
    with pytest.raises(JloraError, match=r"髙﨑/model\.safetensors is damaged 🐈") as refused:
        train(proposal(processes=2))
    assert refused.value.remedy == "fetch it anew"


@needs_fork
def test_a_process_that_does_not_start_is_told(proposal, monkeypatch, tmp_path, forked):
    monkeypatch.setattr(processes, "follow", lambda *_: os._exit(7))
    with pytest.raises(JloraError, match="ended at once with exit code 7"):
        train(proposal(processes=2))
    assert not (tmp_path / "実行").exists()


def test_a_process_does_not_outlive_the_one_that_started_it(monkeypatch):
    class Killed:
        def join(self):
            ended.append("first")

    ended = []
    monkeypatch.setattr(launch.multiprocessing, "parent_process", Killed)
    monkeypatch.setattr(launch.os, "_exit", ended.append)
    launch.end_with_the_first()
    assert ended == ["first", 1]


def test_a_process_that_nobody_started_stays(monkeypatch):
    monkeypatch.setattr(launch.os, "_exit", pytest.fail)
    assert launch.end_with_the_first() is None


# --- GPUs -----------------------------------------------------------------------------------

H200 = Gpu("NVIDIA H200", 139.0, 138.0, (9, 0))


@pytest.mark.parametrize(("kind", "build"), [("cuda", "cu130"), ("rocm", "rocm7.1")])
@pytest.mark.parametrize(
    ("gpus", "backend", "device"),
    [(4, "cpu:gloo,cuda:nccl", 1), (2, "cpu:gloo,cuda:nccl", 1), (1, "gloo", 0)],
)
def test_each_process_has_a_gpu_of_its_own_or_shares_it_without_nccl(
    proposal, monkeypatch, tmp_path, kind, build, gpus, backend, device
):
    def join(*args, **_):
        joined.append(args)

    joined, chosen = [], []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    for name, value in (
        ("is_nccl_available", lambda: True),
        ("init_process_group", join),
        ("get_world_size", lambda: 2),
    ):
        monkeypatch.setattr(processes.distributed, name, value)
    gpus_here, torch_here = (replace(H200, kind=kind),) * 2, TorchBuild("2.13.0", build, True)
    machine = replace(CPU, gpus=gpus_here, torch=torch_here)
    task = Task(replace(proposal(processes=2), machine=machine))
    threads = torch.get_num_threads()
    with processes.meet(task, 1, tmp_path) as world:
        assert torch.get_num_threads() == max(1, threads // 2)
    assert world == World(1, 2, nccl=backend != "gloo")
    assert (joined, chosen) == ([(backend,)], [device])
    assert torch.get_num_threads() == threads
    assert (tmp_path / "ready-1").exists()


def test_a_world_of_another_size_than_asked_for_is_refused(proposal, monkeypatch, tmp_path):
    # `accelerate launch --cpu` (1.15) has run one process where two were asked for, and said so
    # to nobody.
    monkeypatch.setattr(processes.distributed, "init_process_group", lambda *_, **__: None)
    monkeypatch.setattr(processes.distributed, "get_world_size", lambda: 1)
    with (
        pytest.raises(JloraError, match="2 processes were asked for, but the launcher started 1"),
        processes.meet(Task(proposal(processes=2)), 0, tmp_path),
    ):
        pytest.fail("it must not begin")


# --- joining a launcher's -------------------------------------------------------------------


@pytest.mark.parametrize(("asked", "started"), [(2, "1"), (2, "4"), (1, "2")])
def test_another_number_than_the_launcher_started_is_refused(
    proposal, monkeypatch, tmp_path, asked, started
):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", started)
    with pytest.raises(JloraError) as refused:
        train(proposal(processes=asked))
    assert refused.value.problem == (
        f"{asked} processes were asked for, but the launcher started {started}"
    )
    assert not (tmp_path / "実行").exists()


@pytest.mark.parametrize(
    "environment",
    [{"RANK": "0", "WORLD_SIZE": "1"}, {"WORLD_SIZE": "8"}],
    ids=["torchrun", "left over"],
)
def test_a_launcher_of_one_process_or_none_at_all_trains_alone(proposal, monkeypatch, environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with gathered(Task(proposal())) as world:
        assert world == World(0, 1)
    settled, _ = settle(resolve(None, {}), replace(CPU, environment=environment))
    assert settled.config.processes == 1


def test_a_torch_without_torch_distributed_is_refused(proposal, monkeypatch):
    monkeypatch.setattr(processes.distributed, "is_available", lambda: False)
    with pytest.raises(JloraError, match=r"built without torch\.distributed"):
        train(proposal(processes=2))


@pytest.mark.parametrize(
    ("options", "processes_", "origin"),
    [
        ({}, 2, "auto"),
        ({"processes": "auto"}, 2, "auto"),
        ({"processes": 4}, 4, "option"),  # which is refused once torch is asked
    ],
)
def test_a_launcher_settles_the_number_where_none_was_asked_for(options, processes_, origin):
    machine = replace(CPU, environment={"RANK": "0", "WORLD_SIZE": "2"})
    settled, _ = settle(resolve(None, parse_options(options)), machine)
    assert (settled.config.processes, settled.sources["processes"].origin) == (processes_, origin)


def test_without_a_gpu_auto_is_one_process():
    settled, _ = settle(resolve(None, parse_options({"processes": "auto"})), CPU)
    assert settled.config.processes == 1
    assert RunConfig().processes == 1


# --- shares ---------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_every_row_falls_to_one_process_and_shares_differ_by_one_row(count):
    rows = [*range(count)]
    parts = [World(rank, 3).part(rows) for rank in range(3)]
    assert sorted(row for part in parts for row in part) == rows
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_alone_everything_is_ones_own():
    world = World()
    error = JloraError("猫", remedy="犬")
    assert world.highest(143) == 143
    assert world.add(1.5, 2.0) == [1.5, 2.0]
    assert world.share("🐈") == ["🐈"]
    with pytest.raises(JloraError) as raised:
        world.agree(error)
    assert raised.value is error
    world.agree(None)


@needs_fork
def test_a_process_without_a_row_takes_the_step_too(proposal, tmp_path, forked):
    # Five rows by four: the last step of an epoch has one row, and the second process none.
    rows = write_rows(tmp_path / "五.jsonl", PAIRS[:5])
    settings = {"data": str(rows), "max_steps": 4, "lora_dropout": 0.0}
    _, one = told(proposal(output=str(tmp_path / "一"), batch_size=4, **settings))
    _, two = told(proposal(processes=2, batch_size=2, **settings))
    assert losses(two) == pytest.approx(losses(one), rel=1e-5)
    assert same(weights(tmp_path), weights(tmp_path, "一"), tolerance=1e-5)
