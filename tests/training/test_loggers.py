"""TensorBoard and W&B: what they are told, when they go on, and that they never end a run."""

from __future__ import annotations

import importlib.machinery
import json
import sys
import types
from typing import ClassVar

import pytest

from jlora_cli import machine
from jlora_cli.config import RunConfig, resolve
from jlora_cli.errors import JloraError
from jlora_cli.events import Evaluated, Stage, StepDone, Warned
from jlora_cli.training.loggers import Loggers, points, require_access, shown_config
from jlora_cli.training.session import train
from tests.training.runs import crash_at, rows_of, told

STEP = StepDone(
    3, 9, 1.5, 2e-4, tokens_per_second=1200.0, seconds_left=60.0, seconds=30.0, epoch=0.5,
    rows_per_second=12.0, memory_gib=1.25, gpu_utilisation=97.0, gpu_watts=321.0,
)  # fmt: skip


def put(monkeypatch, name, **contents):
    """A module of that name, as if it were installed."""
    module = types.ModuleType(name)
    module.__spec__ = importlib.machinery.ModuleSpec(name, None)
    vars(module).update(contents)
    monkeypatch.setitem(sys.modules, name, module)
    return module


class Writer:
    """Stands in for SummaryWriter: keeps what it is told by folder."""

    told: ClassVar[dict[str, list]] = {}
    broken_at: ClassVar[int | None] = None

    def __init__(self, log_dir, purge_step=None):
        self.calls = Writer.told.setdefault(log_dir, [])
        self.calls.append(("open", purge_step))

    def add_text(self, tag, text, step):
        self.calls.append((tag, text, step))

    def add_scalar(self, tag, value, step):
        if step == Writer.broken_at:
            raise OSError(28, "No space left on device")
        self.calls.append((tag, value, step))

    def flush(self):
        pass

    def close(self):
        self.calls.append(("close",))


@pytest.fixture
def tensorboard(monkeypatch):
    """What the writers of a made-up TensorBoard were told, by folder."""
    put(monkeypatch, "tensorboard")
    put(monkeypatch, "torch.utils.tensorboard", SummaryWriter=Writer)
    monkeypatch.setattr(Writer, "told", {})
    monkeypatch.setattr(Writer, "broken_at", None)
    return Writer.told


class Weights:
    """Stands in for the module wandb."""

    def __init__(self, mode="offline"):
        self.mode, self.runs, self.logins = mode, [], 0
        self.interactive = None

    class Settings(types.SimpleNamespace):
        pass

    def setup(self, settings):
        self.settings = settings
        return types.SimpleNamespace(settings=types.SimpleNamespace(mode=self.mode))

    def login(self):
        self.logins += 1
        self.interactive = sys.stdin.isatty()
        if self.mode == "no key":
            raise RuntimeError("No API key configured.\nUse `wandb login` to log in.")

    def init(self, **given):
        self.interactive = sys.stdin.isatty()
        if self.mode == "unreachable":
            raise ConnectionError
        offline = self.mode == "offline"
        run = types.SimpleNamespace(
            given=given,
            id=given["id"] or f"id{len(self.runs) + 1}",
            offline=offline,
            url=None if offline else "https://wandb.example/nya/1",
            logged=[],
            finished=0,
        )
        run.log = lambda values, step: run.logged.append((step, values))
        run.finish = lambda: setattr(run, "finished", run.finished + 1)
        self.runs.append(run)
        return run


@pytest.fixture
def wandb(monkeypatch):
    """`wandb(mode)`: a made-up W&B in that mode."""
    for name in ("WANDB_PROJECT", "WANDB_NAME"):
        monkeypatch.delenv(name, raising=False)

    def make(mode="offline"):
        made = Weights(mode)
        names = ("Settings", "setup", "login", "init")
        put(monkeypatch, "wandb", **{name: getattr(made, name) for name in names})
        return made

    return make


# -- what is sent ----------------------------------------------------------------------------------


def test_a_step_is_a_point_of_every_curve_by_the_names_of_transformers_trainer():
    assert points(STEP) == {
        "train/loss": 1.5, "train/learning_rate": 2e-4, "train/tokens_per_second": 1200.0,
        "train/rows_per_second": 12.0, "train/epoch": 0.5, "train/memory_gib": 1.25,
        "train/gpu_utilisation": 97.0, "train/gpu_watts": 321.0,
    }  # fmt: skip
    assert points(Evaluated(3, 0.5)) == {"eval/loss": 0.5}


def test_what_nothing_measured_is_no_point():
    assert "train/gpu_watts" not in points(StepDone(1, 2, 1.0, 0.1, 10.0, 1.0))


def test_settings_are_sent_without_secrets_and_without_texts_of_the_data():
    token = "hf_" + "aB3" * 8
    options = {
        "model": f"https://nya:{token}@models.example/base",
        "data": f"/home/髙﨑/{token}/行.jsonl",
        "sample_prompts": ("秘密の質問",),
        "lora_targets": ("query", "value"),
    }
    shown = shown_config(resolve(None, options))

    assert shown["model"] == "https://***@models.example/base"
    assert shown["data"] == "/home/髙﨑/***/行.jsonl"
    assert shown["lora_targets"] == ["query", "value"]
    assert "sample_prompts" not in shown
    assert len(shown) == len(RunConfig.__dataclass_fields__) - 1
    assert "秘密" not in json.dumps(shown, ensure_ascii=False)


# -- TensorBoard -----------------------------------------------------------------------------------


def test_a_run_draws_its_curves_into_its_folder(proposal, data, tmp_path, tensorboard):
    settings = {"validation": str(data[1]), "max_steps": 4, "evaluation_steps": 2}
    record, events = told(proposal(report_to="tensorboard", logging_steps=2, **settings))

    folder = str(tmp_path / "実行" / "tensorboard")
    (opening, config, *drawn, closing) = tensorboard[folder]
    rows = rows_of(tmp_path / "実行" / "metrics.jsonl")
    assert (opening, closing) == (("open", None), ("close",))
    assert json.loads(config[1].strip("`json\n"))["batch_size"] == 2
    assert config[0::2] == ("config", 0)
    assert [(value, step) for tag, value, step in drawn if tag == "train/loss"] == [
        (row["loss"], row["step"]) for row in rows if row["kind"] == "step"
    ]
    assert [step for tag, _, step in drawn if tag == "eval/loss"] == [2, 4]
    assert record["config"]["report_to"]["value"] == ["tensorboard"]
    assert Stage("logger.stage", {"name": "tensorboard", "where": folder}) in events


def test_a_resumed_run_hides_the_points_that_it_draws_again(proposal, tmp_path, tensorboard):
    settings = {"max_steps": 6, "checkpoint_steps": 2, "report_to": "tensorboard"}
    with pytest.raises(KeyboardInterrupt):
        train(proposal(**settings), crash_at(4))
    train(proposal(**settings).for_resume(), resume=True)

    calls = tensorboard[str(tmp_path / "実行" / "tensorboard")]
    again = calls.index(("open", 3))
    steps = [call[2] for call in calls if call[0] == "train/loss"]
    assert steps == [1, 2, 3, 3, 4, 5, 6]
    assert calls[again + 1][0::2] == ("config", 2)


def test_curves_may_be_asked_for_only_when_a_run_goes_on(proposal, tmp_path, tensorboard):
    settings = {"max_steps": 4, "checkpoint_steps": 2}
    with pytest.raises(KeyboardInterrupt):
        train(proposal(**settings), crash_at(3))
    train(proposal(report_to="tensorboard", **settings).for_resume(), resume=True)

    (calls,) = tensorboard.values()
    assert [call[2] for call in calls if call[0] == "train/loss"] == [3, 4]


def test_a_full_disk_ends_the_curves_and_not_the_run(proposal, tmp_path, tensorboard, monkeypatch):
    monkeypatch.setattr(Writer, "broken_at", 2)
    record, events = told(proposal(max_steps=4, report_to="tensorboard"))

    warned = [event.text for event in events if isinstance(event, Warned)]
    (calls,) = tensorboard.values()
    assert record["status"] == "finished"
    assert [text for text in warned if "tensorboard" in text] == [
        "tensorboard failed and is left out from here on: [Errno 28] No space left on device. "
        "The run goes on; metrics.jsonl holds the same figures"
    ]
    assert [call[2] for call in calls if call[0] == "train/loss"] == [1]
    assert len(rows_of(tmp_path / "実行" / "metrics.jsonl")) == 4


def test_without_the_option_nothing_is_opened(proposal, tensorboard, wandb):
    asked = wandb()
    train(proposal(max_steps=1))

    assert tensorboard == {}
    assert asked.runs == []


def test_a_logger_that_fails_at_its_end_is_told_of_too(tmp_path, tensorboard, monkeypatch):
    def fail(self):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Writer, "close", fail)
    told_events: list = []
    loggers = Loggers(["tensorboard"], told_events.append)
    loggers.open(tmp_path, {}, step=0)
    loggers.close()
    loggers.close()

    assert [type(event) for event in told_events] == [Stage, Warned]


# -- Weights & Biases ------------------------------------------------------------------------------


def test_a_run_is_a_run_of_wandb_in_the_run_folder(proposal, data, tmp_path, wandb):
    module = wandb()
    settings = {"validation": str(data[1]), "max_steps": 2, "evaluation_steps": 1}
    train(proposal(report_to="wandb", **settings))

    (run,) = module.runs
    output = tmp_path / "実行"
    assert run.given["dir"] == str(output)
    assert (run.given["project"], run.given["name"]) == ("jlora", "実行")
    assert (run.given["id"], run.given["resume"]) == (None, None)
    assert run.given["config"]["learning_rate"] == 0.01
    assert [(step, sorted(values)[0]) for step, values in run.logged] == [
        (1, "train/epoch"), (1, "eval/loss"), (2, "train/epoch"), (2, "eval/loss"),
    ]  # fmt: skip
    assert run.finished == 1
    assert (output / "wandb" / "jlora-run-id.txt").read_text(encoding="utf-8") == "id1\n"


def test_wandb_takes_along_no_code_no_diff_and_no_screen(proposal, wandb):
    module = wandb()
    train(proposal(max_steps=1, report_to="wandb"))

    settings = vars(module.runs[0].given["settings"])
    assert {name: settings[name] for name in ("disable_git", "x_disable_meta", "save_code")} == {
        "disable_git": True, "x_disable_meta": True, "save_code": False,
    }  # fmt: skip
    assert (settings["console"], settings["silent"]) == ("off", True)
    assert module.interactive is False


def test_project_and_name_of_wandbs_own_environment_are_kept(proposal, wandb, monkeypatch):
    monkeypatch.setenv("WANDB_PROJECT", "猫")
    monkeypatch.setenv("WANDB_NAME", "一号")
    module = wandb()
    train(proposal(max_steps=1, report_to="wandb"))

    assert (module.runs[0].given["project"], module.runs[0].given["name"]) == ("猫", "一号")


@pytest.mark.parametrize(("mode", "again"), [("offline", [5, 6]), ("online", [4, 5, 6])])
def test_a_resumed_run_goes_on_in_the_same_run_of_wandb(proposal, wandb, mode, again):
    """Offline, steps that were logged are not logged twice; online, W&B itself drops them."""
    module = wandb(mode)
    settings = {"max_steps": 6, "checkpoint_steps": 3, "report_to": "wandb"}
    with pytest.raises(KeyboardInterrupt):
        train(proposal(**settings), crash_at(5))
    train(proposal(**settings).for_resume(), resume=True)

    first, second = module.runs
    assert (second.given["id"], second.given["resume"]) == (first.id, "allow")
    assert [step for step, _ in first.logged] == [1, 2, 3, 4]
    assert [step for step, _ in second.logged] == again


def test_wandb_out_of_reach_costs_the_curves_only(proposal, wandb):
    module = wandb("unreachable")
    record, events = told(proposal(max_steps=1, report_to="wandb"))

    assert record["status"] == "finished"
    assert module.runs == []
    assert next(event.text for event in events if isinstance(event, Warned)).startswith(
        "wandb failed and is left out from here on: ConnectionError."
    )


def test_wandb_online_names_its_page(proposal, wandb):
    wandb("online")
    _, events = told(proposal(max_steps=1, report_to="wandb"))

    where = {"name": "wandb", "where": "https://wandb.example/nya/1"}
    assert Stage("logger.stage", where) in events


# -- refusals before the run -----------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["offline", "dryrun", "disabled"])
def test_wandb_needs_no_key_where_nothing_is_sent(wandb, mode):
    module = wandb(mode)
    require_access(["tensorboard", "wandb"])

    assert module.logins == 0


def test_wandb_without_a_key_is_refused_before_anything_is_written(proposal, tmp_path, wandb):
    module = wandb("no key")
    stdin = sys.stdin
    with pytest.raises(JloraError) as refused:
        train(proposal(report_to="wandb"))

    assert refused.value.problem == (
        "Weights & Biases cannot be reported to: No API key configured."
    )
    assert "WANDB_MODE=offline" in refused.value.remedy
    assert module.interactive is False
    assert sys.stdin is stdin
    assert not (tmp_path / "実行").exists()


@pytest.mark.parametrize("names", ["tensorboard", "wandb", "wandb,tensorboard"])
def test_a_package_that_is_missing_is_refused_with_the_line_that_installs_it(
    proposal, monkeypatch, names
):
    for name in ("tensorboard", "wandb"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(JloraError) as refused:
        proposal(report_to=names)

    asked = names.split(",")
    assert refused.value.problem.endswith("not installed: " + ", ".join(asked))
    assert "install" in refused.value.remedy
    assert refused.value.remedy.endswith(" ".join(asked))


def test_without_loggers_no_package_is_looked_for(monkeypatch):
    monkeypatch.setattr(machine.required, "read_machine", lambda: pytest.fail("looked"))
    machine.require_logger_packages(())


# -- the real ones, where they are installed -------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
def test_tensorboard_itself_reads_a_resumed_run_without_doubled_steps(proposal, data, tmp_path):
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    settings = {
        "validation": str(data[1]), "evaluation_steps": 2, "max_steps": 6, "checkpoint_steps": 2,
        "report_to": "tensorboard",
    }  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        train(proposal(**settings), crash_at(4))
    train(proposal(**settings).for_resume(), resume=True)

    run = tmp_path / "実行"
    events = reading.EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    rows = rows_of(run / "metrics.jsonl")
    for tag, kind in (("train/loss", "step"), ("eval/loss", "evaluation")):
        drawn = [(point.step, point.value) for point in events.Scalars(tag)]
        kept = [(row["step"], pytest.approx(row["loss"])) for row in rows if row["kind"] == kind]
        assert drawn == kept
        assert len(drawn) in (3, 6)
    assert events.Tags()["tensors"] == ["config/text_summary"]


@pytest.mark.filterwarnings("ignore")
def test_wandb_itself_writes_a_run_offline(proposal, tmp_path, monkeypatch):
    real = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("HOME", str(tmp_path))
    record, events = told(proposal(max_steps=2, report_to="wandb", sample_prompts=["秘密の質問"]))
    real.teardown()

    run = tmp_path / "実行"
    (written,) = run.glob("wandb/offline-run-*/run-*.wandb")
    id = (run / "wandb" / "jlora-run-id.txt").read_text(encoding="utf-8").strip()
    assert record["status"] == "finished"
    assert written.name == f"run-{id}.wandb"
    assert b"train/tokens_per_second" in written.read_bytes()
    assert "秘密".encode() not in written.read_bytes()
    assert not [event for event in events if isinstance(event, Warned) and "wandb" in event.text]
