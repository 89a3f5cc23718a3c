"""A run that is told to end saves itself, says so with its exit code, and can be resumed.

The runs are real processes; each stops itself after a step (see `forking`), is sent its signals
and woken, so that nothing here depends on how fast a machine is.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys

import pytest

from jlora_cli.training import checkpoints
from jlora_cli.training.interruption import Interruption

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
STEPS = 12
# Everything that draws random numbers while training: what a resumed run must draw again.
RANDOM = ("lora_dropout=0.1", "base_dropout=0.1", "neftune_alpha=5")


def words(base, data, output, *extra):
    settings = (f"max_steps={STEPS}", "batch_size=2", "checkpoint_steps=2", *RANDOM)
    sets = [word for setting in settings for word in ("--set", setting)]
    return [
        "train", "--profile", "cpu-small", "--model", str(base), "--data", str(data[0]),
        "--sample-prompts", "吾輩は何ですか？", "--output", str(output), *sets, *extra,
    ]  # fmt: skip


def record_of(run):
    return json.loads((run / "run.json").read_text(encoding="utf-8"))


def weights_of(run):
    return (run / "adapter" / "adapter_model.safetensors").read_bytes()


def losses_of(run):
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [(row["step"], row["loss"], row["learning_rate"]) for row in map(json.loads, lines)]


@pytest.fixture(scope="module")
def uninterrupted(launcher, tiny_base, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    ended = launcher.run(*words(tiny_base, data, folder / "run"), log=folder / "log")
    assert ended.code == 0, (folder / "log").read_text()
    return folder / "run"


@pytest.mark.skipif(os.name == "nt", reason="bash tells the exit code of each command")
def test_a_run_outlives_the_reader_of_what_it_says(tiny_base, data, tmp_path):
    # As `| tee log` that a Ctrl-C ended, before jlora has saved.
    line = shlex.join(
        [sys.executable, "-m", "jlora_cli", *words(tiny_base, data, tmp_path / "run")]
    )

    done = subprocess.run(
        ["bash", "-c", f"{line} 2>&1 | head -1; echo ${{PIPESTATUS[0]}}"],
        capture_output=True, encoding="utf-8", check=False, timeout=300,
        env={**os.environ, "JLORA_LANG": "en", "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip

    assert done.stdout.splitlines()[-1] == "0"
    assert done.stderr == ""
    assert record_of(tmp_path / "run")["status"] == "finished"


@needs_fork
def test_a_healthy_run_says_nothing_but_what_jlora_says(launcher, uninterrupted):
    lines = (uninterrupted.parent / "log").read_text(encoding="utf-8").splitlines()
    # The plan and its settings, a row as it is trained, findings with two lines each, stages,
    # steps and checkpoints.
    ours = (
        "Profile ",
        "6 rows",
        "Rows as ",
        "Tokenizer: ",
        "stock T5Tokenizer ",
        "  1 ! ",
        "  2 ! ",
        "      ",
    )
    ours += ("Settings: ", "行.jsonl:", "### ", "吾輩は何", "⟦", "• ", "  step ", "  checkpoint ")
    others = [line for line in lines if not line.startswith((*ours, "Loss ", "Next: "))]
    assert [line for line in others if line] == []
    assert len([line for line in lines if line.startswith("  step ")]) == STEPS
    launcher.errors.seek(0)
    assert launcher.errors.read() == ""  # what importing torch, transformers and peft said


@needs_fork
@pytest.mark.parametrize(
    ("name", "code"), [("SIGTERM", 143), ("SIGINT", 130), ("SIGHUP", 129)]
)  # 128 + the number, as a shell would say
def test_a_signal_ends_the_run_after_saving_and_resume_equals_the_uninterrupted_run(
    launcher, uninterrupted, tiny_base, data, tmp_path, name, code
):
    run, log = tmp_path / "run", tmp_path / "log"
    stopped = launcher.run(*words(tiny_base, data, run), log=log, stop_after=5)
    assert stopped.stopped, log.read_text()
    ended = launcher.go_on(stopped, getattr(signal, name))
    assert (ended.code, record_of(run)["status"]) == (code, "interrupted"), log.read_text()
    assert record_of(run)["signal"] == getattr(signal, name)
    assert checkpoints.newest(run / "checkpoints") == (run / "checkpoints" / "step-000005", [])
    assert not (run / "adapter").exists()
    assert "--resume" in log.read_text()

    resumed = launcher.run(*words(tiny_base, data, run, "--resume"), log=log)
    assert resumed.code == 0, log.read_text()
    assert record_of(run)["status"] == "finished"
    assert weights_of(run) == weights_of(uninterrupted)
    assert losses_of(run) == losses_of(uninterrupted)
    assert len(losses_of(run)) == STEPS


@needs_fork
def test_a_killed_run_resumes_from_its_newest_checkpoint_and_equals_the_uninterrupted_run(
    launcher, uninterrupted, tiny_base, data, tmp_path
):
    run, log = tmp_path / "run", tmp_path / "log"
    stopped = launcher.run(*words(tiny_base, data, run), log=log, stop_after=8)
    ended = launcher.go_on(stopped, signal.SIGKILL)
    assert ended.code == -signal.SIGKILL
    assert not (run / "run.json").exists()
    # Steps 7 and 8 were done and logged, and are forgotten.
    assert checkpoints.newest(run / "checkpoints")[0] == run / "checkpoints" / "step-000006"
    assert losses_of(run)[-1][0] == 7
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "step", "st')  # a line that the disk did not get whole

    resumed = launcher.run(*words(tiny_base, data, run, "--resume"), log=log)
    assert resumed.code == 0, log.read_text()
    assert "resumed after step 6" in log.read_text()
    assert weights_of(run) == weights_of(uninterrupted)
    assert losses_of(run) == losses_of(uninterrupted)


@needs_fork
def test_a_second_signal_ends_at_once(launcher, tiny_base, data, tmp_path):
    run, log = tmp_path / "run", tmp_path / "log"
    stopped = launcher.run(*words(tiny_base, data, run), log=log, stop_after=5)
    # Two Ctrl-C at a stopped process would become one; another signal counts like a second.
    ended = launcher.go_on(stopped, signal.SIGTERM, signal.SIGINT)
    assert ended.code == 130, log.read_text()
    assert not (run / "run.json").exists()
    assert "Traceback" not in log.read_text()
    assert checkpoints.newest(run / "checkpoints")[0] == run / "checkpoints" / "step-000004"


# --- the wish itself ------------------------------------------------------------------------


@pytest.fixture
def handlers():
    """The handlers of this process, put back whatever a test does to them."""
    numbers = [getattr(signal, name) for name in Interruption.NAMES if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield numbers
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_first_signal_is_noted_and_the_second_is_meant(handlers):
    with Interruption() as interruption:
        assert interruption.signal is None
        signal.raise_signal(signal.SIGINT)
        assert interruption.signal == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("name", Interruption.NAMES)
def test_every_ending_signal_is_noted_by_its_number(handlers, name):
    number = getattr(signal, name, signal.SIGINT)
    signal.signal(number, signal.default_int_handler)
    with Interruption() as interruption:
        signal.raise_signal(number)
    assert interruption.signal == number


def test_afterwards_signals_do_what_they_did_before(handlers):
    before = [signal.getsignal(number) for number in handlers]
    with Interruption():
        assert [signal.getsignal(number) for number in handlers] != before
    assert [signal.getsignal(number) for number in handlers] == before
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_signal_that_is_ignored_stays_ignored_as_nohup_wants_it(handlers):
    number = getattr(signal, "SIGHUP", signal.SIGTERM)
    signal.signal(number, signal.SIG_IGN)
    with Interruption() as interruption:
        signal.raise_signal(number)
        assert interruption.signal is None
        signal.raise_signal(signal.SIGINT)
        assert interruption.signal == signal.SIGINT
    assert signal.getsignal(number) is signal.SIG_IGN


def test_without_sighup_the_others_are_noted(handlers, monkeypatch):
    monkeypatch.setattr(Interruption, "NAMES", ("SIGINT", "SIGNOTHERE"))
    with Interruption() as interruption:
        signal.raise_signal(signal.SIGINT)
    assert interruption.signal == signal.SIGINT
