"""`jlora train`: settings to a proposal, shown or run; refused before anything is written."""

from __future__ import annotations

import inspect
import json
import math
import re
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from jlora_cli import machine, screen
from jlora_cli.commands import train as command
from jlora_cli.commands.options import with_setting_options
from jlora_cli.config import FIELDS
from jlora_cli.errors import JloraError
from jlora_cli.events import Stage
from jlora_cli.machine import Machine
from jlora_cli.messages import use_language
from jlora_cli.profile import load_profile

LAPTOP = Machine("Linux", "3.11.7", True, "", 2, 16.0, 8.0, 100.0)
OPTIONS = inspect.signature(command.train).parameters
OWN = ["profile", "set_", "from_adapter", "allow", "try_", "dry_run", "measure", "resume", "json"]
SETTINGS = [name for name in OPTIONS if name not in OWN]


def chat(number):
    asked = {"role": "user", "content": f"猫{number}は？ ｶﾞ"}
    return {"messages": [asked, {"role": "assistant", "content": f"{number}匹\nにゃ🐈"}]}


@pytest.fixture
def rows(tmp_path):
    """55 rows, as in the first recipe."""
    path = tmp_path / "rows.jsonl"
    lines = [json.dumps(chat(n), ensure_ascii=False) + "\n" for n in range(55)]
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def run(monkeypatch, tmp_path):
    """The command on a laptop without a GPU, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(machine, "read_machine", lambda: LAPTOP)
    app = typer.Typer()
    app.command()(command.train)

    def run_one(*words):
        screen.forget_consoles()
        words = ["--profile", "cpu-small", *map(str, words)]
        return CliRunner().invoke(app, words, env={"COLUMNS": "200"})

    yield run_one
    screen.forget_consoles()


def test_of_the_processes_that_a_launcher_starts_only_the_first_speaks(
    run, tiny_base, rows, monkeypatch
):
    words = ("--model", tiny_base, "--data", rows, "--dry-run")
    monkeypatch.setenv("RANK", "1")
    silent = run(*words)
    monkeypatch.setenv("RANK", "0")
    first = run(*words)
    assert (silent.exit_code, silent.output) == (0, "")
    assert "cpu-small" in first.output


@pytest.fixture
def dry_run(run, tiny_base, rows):
    """A rehearsal on healthy rows, its document read."""

    def rehearse(*words):
        done = run("--model", tiny_base, "--data", rows, "--dry-run", "--json", *words)
        if isinstance(done.exception, JloraError):
            raise done.exception
        return done, json.loads(done.stdout)

    return rehearse


class Session:
    """Stands in for the training session; remembers what it was given."""

    def __init__(self, **record):
        self.calls = []
        result = {"first_loss": 3.5, "train_loss": 1.25, "optimizer_steps": 84, "seconds": 12.4}
        self.record = {"status": "finished", "output": "runs/猫", "result": result} | record

    def train(self, proposal, notify, **how):
        self.calls.append((proposal, how))
        notify(Stage("train.stage.training", {"steps": 84}))
        return self.record


@pytest.fixture
def session(monkeypatch):
    """The session in place of the real one, which would import torch."""
    made = Session()
    module = SimpleNamespace(train=made.train)
    monkeypatch.setitem(sys.modules, "jlora_cli.training.session", module)
    return made


# --- one option for every setting --------------------------------------------------------------


def test_options_settings_and_profile_keys_are_the_same_set(tmp_path):
    given = {name: item.default for name, item in FIELDS.items()}
    text = dict.fromkeys(("model", "data", "validation", "output"), "猫")
    whole = dict.fromkeys(("max_steps", "early_stopping_patience"), 3)
    given |= text | whole | {"lora_targets": ["c_attn"], "sample_prompts": ["こんにちは"]}
    path = tmp_path / "own.yaml"
    path.write_text(json.dumps(given, ensure_ascii=False), encoding="utf-8")  # JSON is YAML
    assert sorted(SETTINGS) == sorted(FIELDS) == sorted(load_profile(str(path)).values)
    assert [name for name in OPTIONS if name in OWN] == OWN


def built(function):
    """The options of a command as typer parses them, by name."""
    app = typer.Typer()
    app.command()(function)
    return {option.name: option for option in typer.main.get_command(app).params}


def test_an_option_is_named_as_its_setting_and_defaults_to_nothing():
    options = built(command.train)
    flags = {name: "--" + name.replace("_", "-") for name in FIELDS}
    assert {name: options[name].opts for name in FIELDS} == {n: [f] for n, f in flags.items()}
    assert {options[name].default for name in FIELDS} == {None}
    negated = {name: options[name].secondary_opts for name in FIELDS}
    assert {name: opts for name, opts in negated.items() if opts} == {"compile": ["--no-compile"]}
    assert [name for name in FIELDS if not options[name].help] == []


@pytest.mark.parametrize(
    ("name", "metavar", "default"),
    [
        ("learning_rate", "FLOAT", "0.0002"),
        ("max_length", "INT|auto", "auto"),
        ("lr_scheduler", "cosine|linear|constant", "cosine"),
        ("packing", "true|false|auto", "auto"),
        ("lora_targets", "NAMES", "auto"),
        ("batch_size", "INT", "4"),
    ],
)
def test_help_says_what_a_setting_takes_and_what_it_is_otherwise(name, metavar, default):
    option = built(command.train)[name]
    assert option.metavar == metavar
    assert default in option.help


def test_what_is_not_asked_for_has_no_default_in_the_help():
    options = built(command.train)
    assert "None" not in options["early_stopping_patience"].help
    assert "auto" in options["compile"].help


def test_a_command_gets_its_own_options_and_the_settings_apart():
    given = {}

    @with_setting_options
    def example(source: str, json: bool = False, **settings: object) -> None:
        """Says so."""
        given.update(source=source, json=json, settings=settings)

    nothing = dict.fromkeys(FIELDS)
    example(source="猫", json=True, **nothing | {"epochs": "2"})
    assert given == {"source": "猫", "json": True, "settings": nothing | {"epochs": "2"}}
    assert (example.__name__, example.__doc__) == ("example", "Says so.")
    assert list(inspect.signature(example).parameters)[:2] == ["source", "json"]
    assert example.__annotations__.keys() == inspect.signature(example).parameters.keys()


def test_help_lists_every_option(run):
    shown = run("--help").stdout
    missing = [name for name in FIELDS if "--" + name.replace("_", "-") not in shown]
    assert missing == []
    assert "--no-compile" in shown


# --- a rehearsal -------------------------------------------------------------------------------


def test_dry_run_prints_the_contract_and_leaves_nothing(dry_run, tmp_path):
    done, document = dry_run()
    assert done.exit_code == 0
    assert document["config"].keys() == FIELDS.keys()
    assert {*document["config"]["seed"]} == {"value", "source", "reason"}
    promised = {
        "rows", "tokens", "supervised_tokens", "padding_share", "truncated_rows", "cut_answers",
        "optimizer_steps", "warmup_steps", "peak_learning_rate", "memory_gib", "available_gib",
    }  # fmt: skip
    assert promised <= document["plan"].keys()
    assert document["plan"]["rows"] == 55
    assert "total" in document["plan"]["memory_gib"]
    assert document["findings"] == []
    assert document["tokens"]["unknown"]["per_thousand"] == 0.0
    assert "stock_parity" not in document["tokens"]  # a rehearsal imports no transformers
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.jsonl"]


def test_dry_run_for_a_person_shows_value_source_and_reason(run, tiny_base, rows):
    done = run("--model", tiny_base, "--data", rows, "--dry-run", "--epochs", "2")
    lines = [line.split() for line in done.stdout.splitlines() if line.strip()]
    assert done.exit_code == 0
    assert "cpu-small" in done.stdout.splitlines()[0]
    assert ["epochs", "2", "option", "--epochs"] in lines
    assert ["batch_size", "8", "profile", "cpu-small"] in lines
    assert ["optimizer", "steps", "14"] in lines  # twice 55 rows in batches of 8
    assert done.stderr == ""


def test_options_and_set_reach_the_settings(dry_run):
    _, document = dry_run(
        "--learning-rate", "1e-3", "--lora-targets", "query_key_value,dense", "--no-compile",
        "--set", "epochs=2", "--set", "lora-r = 4", "--set", "warmup_steps=auto",
    )  # fmt: skip
    config = document["config"]
    assert (config["learning_rate"]["value"], config["learning_rate"]["source"]) == (1e-3, "option")
    assert config["lora_targets"]["value"] == ["query_key_value", "dense"]
    assert (config["compile"]["value"], config["compile"]["source"]) == (False, "option")
    assert (config["epochs"]["value"], config["lora_r"]["value"]) == (2.0, 4)
    assert config["warmup_steps"]["source"] == "auto"


def plan_lines(done):
    """What the plan's table says, by the label of its line."""
    lines = [re.split(r"\s{2,}", line.strip()) for line in done.stdout.splitlines()]
    return {line[0]: line[1] for line in lines if len(line) == 2}


def test_the_plan_is_told_in_units_and_the_unknown_as_such(run, tiny_base, rows):
    done = run("--model", tiny_base, "--data", rows, "--dry-run")
    told = plan_lines(done)
    assert told["share of padding"] == "0.0%"
    # GPT-NeoX, two blocks of 32: (32+96) + (32+32) + (32+64) + (64+32), times rank 8.
    assert told["trainable weights"].startswith("6,144 (")
    assert told["adapter on disk"] == "0.0 MiB"
    assert told["memory: total"].endswith(" GiB, estimated")
    assert told["memory: runtime"] == "0.45 GiB"
    assert "memory: optimizer" not in told  # it comes to nothing
    assert told["to download"] == "nothing"
    assert told["free memory"] == "8.00 GiB"
    for unknown in ("tokens a second", "time an epoch", "time of the run"):
        assert told[unknown] == "– (--measure tells)"


# --- measured ----------------------------------------------------------------------------------


@pytest.fixture
def measuring(monkeypatch):
    """Real steps that took 2.5 GiB and made a hundred tokens a second; the calls."""
    calls = []

    def measure(proposal, notify):
        calls.append(proposal)
        notify(Stage("measure.typical", {}))
        return 2.5, 100.0

    module = SimpleNamespace(measure=measure)
    monkeypatch.setitem(sys.modules, "jlora_cli.training.measuring", module)
    return calls


def test_measured_figures_replace_the_estimates(dry_run, measuring):
    done, document = dry_run("--measure", "--epochs", "2")
    plan = document["plan"]
    assert done.exit_code == 0
    assert len(measuring) == 1
    assert (plan["measured"], plan["memory_gib"]["total"]) == (True, 2.5)
    assert plan["memory_gib"]["base_weights"] > 0
    assert plan["tokens_per_second"] == 100.0
    assert plan["seconds_per_epoch"] == pytest.approx(plan["tokens"] / 100, abs=0.1)
    assert plan["seconds_total"] == pytest.approx(2 * plan["tokens"] / 100, abs=0.1)
    assert "measuring speed" in done.stderr


def test_a_measured_plan_says_when_the_run_is_done(run, measuring, tiny_base, rows):
    done = run("--model", tiny_base, "--data", rows, "--dry-run", "--measure", "--epochs", "2")
    told = plan_lines(done)
    assert told["memory: total"] == "2.50 GiB, measured"
    assert told["tokens a second"] == "100"
    assert re.fullmatch(r"0:00:\d\d", told["time an epoch"])
    assert re.fullmatch(r"0:\d\d:\d\d, done at [\d-]{10} \d\d:\d\d", told["time of the run"])


def test_a_run_may_be_measured_before_it_begins(run, session, measuring, tiny_base, rows):
    done = run("--model", tiny_base, "--data", rows, "--measure")
    ((proposal, _),) = session.calls
    assert done.exit_code == 0
    assert proposal.plan.measured is True
    assert "2.5 of 8.0 GiB" in done.stderr


def test_a_refused_run_is_not_measured(dry_run, measuring):
    done, _ = dry_run("--measure", "--batch-size", "4", "--epochs", "3", "--warmup-steps", "100")
    assert (done.exit_code, measuring) == (1, [])


def test_measuring_without_torch_says_how_to_install_it(dry_run, monkeypatch):
    monkeypatch.setattr(machine.required.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(JloraError, match="torch"):
        dry_run("--measure")


# --- profiles ----------------------------------------------------------------------------------


def test_a_profile_of_ones_own_is_read(run, tiny_base, rows, tmp_path):
    text = f"description: 猫\nmodel: {tiny_base}\ndata: {rows}\nepochs: 1\n"
    (tmp_path / "own.yaml").write_text(text, encoding="utf-8")
    done = run("--profile", "own.yaml", "--dry-run", "--json")
    epochs = json.loads(done.stdout)["config"]["epochs"]
    assert epochs == {"value": 1.0, "source": "profile", "reason": "own.yaml"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--epochs", "2", "--set", "epochs=3"], "epochs is given twice"),
        (["--set", "epochs=2", "--set", "epochs=3"], "epochs is given twice"),
        (["--compile", "--set", "compile=no"], "compile is given twice"),
        (["--set", "epochs"], "epochs"),
        (["--set", "=3"], "=3"),
        (["--set", "learning_rat=1"], "learning_rate"),
        (["--epochs", "many", "--batch-size", "0"], "--batch-size 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(words, said, dry_run):
    with pytest.raises(JloraError) as caught:
        dry_run(*words)
    assert said in caught.value.problem
    assert caught.value.remedy


def test_a_refused_dry_run_prints_its_document_and_exits_1(dry_run, tmp_path):
    # The first recipe: 55 rows, batches of 4, 3 epochs, warm-up 100.
    done, document = dry_run("--batch-size", "4", "--epochs", "3", "--warmup-steps", "100")
    (found,) = document["findings"]
    assert done.exit_code == 1
    assert found.keys() == {"id", "severity", "evidence", "consequence", "remedy"}
    assert (found["id"], found["severity"]) == ("warmup-exceeds-run", "error")
    assert document["plan"]["optimizer_steps"] == 42
    assert document["plan"]["peak_learning_rate"] == pytest.approx(0.42 * 2e-3)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("given", "missing"), [("model", "data"), ("data", "model")])
def test_what_is_not_named_is_asked_for_by_its_option(given, missing, run, tiny_base, rows):
    done = run(f"--{given}", tiny_base if given == "model" else rows)
    assert isinstance(done.exception, JloraError)
    assert f"no {missing} is named" in done.exception.problem
    assert f"--{missing}" in done.exception.remedy


# --- a run, told to the session ----------------------------------------------------------------


def test_the_session_gets_the_proposal_and_its_end_is_told(run, session, tiny_base, rows):
    done = run("--model", tiny_base, "--data", rows, "--from-adapter", "runs/first")
    ((proposal, how),) = session.calls
    assert done.exit_code == 0
    assert how == {"resume": False, "from_adapter": "runs/first"}
    assert (proposal.plan.rows, proposal.config.data) == (55, str(rows))
    assert done.stdout == ""
    assert "55 rows" in done.stderr
    assert "84 steps" in done.stderr
    assert "Loss 3.500 at step 1, 1.250 over the last 10 of 84 steps; 12 s." in done.stderr
    assert "jlora chat runs/猫" in done.stderr
    assert "Tokenizer: unknown 0.00 of 1,000" in done.stderr


def test_a_second_run_of_the_same_rows_says_that_it_does_not_encode_them(
    run, session, tiny_base, rows, tmp_path, monkeypatch
):
    monkeypatch.setenv("JLORA_CACHE", str(tmp_path / "cache"))
    first, second = (run("--model", tiny_base, "--data", rows) for _ in range(2))
    assert "encoded before" not in first.stderr
    assert "Rows as they were encoded before" in second.stderr
    use_language("ja")
    assert "以前のエンコード結果" in run("--model", tiny_base, "--data", rows).stderr


def test_a_run_is_told_what_the_stock_class_would_have_read(
    run, session, tiny_base, rows, monkeypatch, tmp_path
):
    monkeypatch.setenv("JLORA_CACHE", str(tmp_path / "cache"))  # it is measured once a tokenizer
    done = run("--model", tiny_base, "--data", rows)
    ((proposal, _),) = session.calls
    parity = proposal.tokens["stock_parity"]
    assert (parity["class"], parity["texts"]) == ("T5Tokenizer", 17 + 55)  # probes and rows
    assert 55 <= parity["differ"] <= parity["texts"]  # every row has a newline, which it loses
    assert f"would give other ids for {parity['differ']} of 72 texts" in done.stderr


def test_the_record_is_the_only_thing_on_stdout(run, session, tiny_base, rows):
    done = run("--model", tiny_base, "--data", rows, "--json")
    assert json.loads(done.stdout) == session.record


def test_warnings_are_told_before_a_run_that_goes_on(run, session, tiny_base, rows):
    done = run("--model", tiny_base, "--data", rows.parent, "--learning-rate", "0.01")
    assert done.exit_code == 0
    assert len(session.calls) == 1
    assert "learning rate 0.01" in done.stderr


def test_several_files_of_a_folder_are_told(run, session, tiny_base, rows, tmp_path):
    (tmp_path / "folder").mkdir()
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / "folder" / name).write_bytes(rows.read_bytes())
    done = run("--model", tiny_base, "--data", tmp_path / "folder", "--dry-run")
    assert "a.jsonl, b.jsonl" in done.stderr
    assert "stand twice" in done.stdout


@pytest.mark.parametrize(("signal", "code"), [(2, 130), (15, 143), (1, 129)])
def test_an_interrupted_run_says_how_to_go_on(signal, code, run, session, tiny_base, rows):
    session.record |= {"status": "interrupted", "signal": signal}
    done = run("--model", tiny_base, "--data", rows, "--json")
    assert done.exit_code == code
    assert json.loads(done.stdout)["status"] == "interrupted"
    assert "--resume --output runs/猫" in done.stderr


def test_a_refused_run_names_its_fault_and_leaves_no_folder(
    run, session, tiny_base, rows, tmp_path
):
    words = ["--model", tiny_base, "--data", rows, "--output", "runs/new", "--quantization", "4bit"]
    done = run(*words, "--json")
    document = json.loads(done.stdout)
    assert isinstance(done.exception, JloraError)
    assert done.exception.problem.startswith("quantization-unavailable: 4bit")
    assert "--quantization none" in done.exception.remedy
    assert document["status"] == "refused"
    assert document["findings"][0]["id"] == "quantization-unavailable"
    assert session.calls == []
    assert not (tmp_path / "runs").exists()


def test_a_refused_run_without_json_leaves_stdout_empty(run, session, tiny_base, rows):
    done = run("--model", tiny_base, "--data", rows, "--warmup-steps", "1000")
    assert (done.stdout, session.calls) == ("", [])
    assert "warm-up of 1000 steps" in str(done.exception)


def test_missing_packages_are_refused_first(run, session, tiny_base, rows, monkeypatch):
    def missing():
        raise JloraError("peft is missing", remedy="uv pip install peft")

    monkeypatch.setattr(machine, "require_training_packages", missing)
    done = run("--model", tiny_base, "--data", rows)
    assert str(done.exception) == "peft is missing"
    assert session.calls == []


# --- resuming ----------------------------------------------------------------------------------


def test_resume_needs_an_output(run, session, tiny_base, rows):
    done = run("--model", tiny_base, "--data", rows, "--resume")
    assert "--output" in done.exception.problem
    assert session.calls == []


def test_resume_of_an_unfinished_run_reaches_the_session(run, session, tiny_base, rows, tmp_path):
    (tmp_path / "run" / "checkpoints" / "step-000003").mkdir(parents=True)
    words = ["--model", tiny_base, "--data", rows, "--output", "run"]
    refused = run(*words)
    assert "--resume" in refused.exception.remedy
    done = run(*words, "--resume")
    ((proposal, how),) = session.calls
    assert (done.exit_code, how["resume"]) == (0, True)
    assert proposal.findings == []


@pytest.mark.parametrize(
    ("status", "said"), [("finished", "is finished already"), (None, "no whole checkpoint")]
)
def test_resume_of_what_cannot_go_on_is_refused(
    status, said, run, session, tiny_base, rows, tmp_path
):
    if status:
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "run.json").write_text(f'{{"status": "{status}"}}', encoding="utf-8")
    done = run("--model", tiny_base, "--data", rows, "--output", "run", "--resume")
    assert said in done.exception.problem
    assert session.calls == []
    assert (tmp_path / "run").exists() is bool(status)


# --- for real ----------------------------------------------------------------------------------


def test_two_real_steps_leave_a_finished_run(run, tiny_base, rows, tmp_path):
    done = run(
        "--model", tiny_base, "--data", rows, "--max-steps", "2", "--batch-size", "4",
        "--sample-prompts", "吾輩は？", "--json",
    )  # fmt: skip
    record = json.loads(done.stdout)
    output = tmp_path / record["output"]
    assert done.exit_code == 0
    assert record == json.loads((output / "run.json").read_text(encoding="utf-8"))
    assert (record["status"], record["result"]["optimizer_steps"]) == ("finished", 2)
    assert math.isfinite(record["result"]["train_loss"])
    # Rank 8 on the four linear layers of two blocks, hidden 32, intermediate 64:
    # 2 x 8 x (32 + 96 + 32 + 32 + 32 + 64 + 64 + 32).
    assert record["result"]["trainable_parameters"] == 2 * 8 * 384
    assert record["plan"]["trainable_parameters"] == 2 * 8 * 384
    lines = (output / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    steps = [json.loads(line) for line in lines]
    assert [each["step"] for each in steps if each["kind"] == "step"] == [1, 2]
    card = json.loads((output / "adapter" / "jlora.json").read_text(encoding="utf-8"))
    assert card["prompt"]["template"] == "chat-markdown"
    assert (output.parent, output.parent.name) == (tmp_path / "runs", "runs")
    assert (tmp_path / "runs" / ".gitignore").read_text(encoding="utf-8") == "*\n"
    assert "Loss" in done.stderr


def test_a_run_is_told_in_japanese(run, session, tiny_base, rows):
    use_language("ja")
    done = run("--model", tiny_base, "--data", rows)
    assert "損失は最初 3.500、84 ステップ中の最後の 10 では 1.250" in done.stderr
    assert Path("runs").exists() is False


# --- --allow and --try ---------------------------------------------------------------------------


@pytest.fixture
def trying(monkeypatch):
    """`try_all` in place of the real one; remembers what it was to train."""
    table = [
        {"settings": {"epochs": n}, "validation_loss": loss, "train_loss": 1.0,
         "optimizer_steps": 7, "seconds": 2.5}
        for n, loss in (("1", 2.0), ("3", 1.25))
    ]  # fmt: skip
    result = {"optimizer_steps": 7}
    made = SimpleNamespace(
        calls=[], record={"status": "finished", "tries": table, "best_try": 2, "result": result}
    )

    def try_all(output, trials, notify, *, from_adapter):
        made.calls.append((output, trials))
        made.from_adapter = from_adapter
        return made.record

    module = SimpleNamespace(try_all=try_all)
    monkeypatch.setitem(sys.modules, "jlora_cli.training.trying", module)
    return made


def test_what_is_tried_is_shown_in_one_table_and_the_best_is_named(run, trying, tiny_base, rows):
    words = ["--model", tiny_base, "--data", rows, "--validation", rows, "--output", "猫"]
    done = run(*words, "--try", "epochs=1,3", "--from-adapter", "runs/前")
    ((output, trials),) = trying.calls
    assert trying.from_adapter == "runs/前"
    assert (done.exit_code, str(output)) == (0, "猫")
    assert [trial.proposal.plan.optimizer_steps for trial in trials] == [7, 21]
    assert [trial.proposal.config.output for trial in trials] == [
        str(Path("猫", "tries", number)) for number in ("01", "02")
    ]
    assert "2 ✓" in done.stdout
    assert "1.2500" in done.stdout
    assert "Best: epochs=3. Its run folder is 猫" in done.stderr


def test_tries_as_json_are_one_document(run, trying, tiny_base, rows):
    words = ["--model", tiny_base, "--data", rows, "--validation", rows, "--json"]
    done = run(*words, "--try", "epochs=1,3")
    assert json.loads(done.stdout)["best_try"] == 2
    planned = json.loads(run(*words, "--try", "epochs=1,3", "--dry-run").stdout)["tries"]
    assert [one["plan"]["optimizer_steps"] for one in planned] == [7, 21]
    assert len(trying.calls) == 1


def test_the_next_line_can_be_pasted_whatever_the_folder_is_called(run, session, tiny_base, rows):
    session.record |= {"output": "実行 1"}
    done = run("--model", tiny_base, "--data", rows)
    assert done.stderr.rstrip().endswith("Next: jlora chat '実行 1'")


def test_an_interrupted_try_ends_with_the_signals_code_and_says_how_to_go_on(
    run, trying, tiny_base, rows, tmp_path
):
    output = tmp_path / "実行 1"
    stopped = str(output / "tries" / "02")
    trying.record |= {"status": "interrupted", "signal": 15, "output": stopped}
    words = ["--model", tiny_base, "--data", rows, "--validation", rows, "--output", output]
    done = run(*words, "--try", "epochs=1,3")
    assert done.exit_code == 143
    # The same command would be refused: a try is no --resume, and its folder is in use.
    words = f"in place of --try, --resume --output {shlex.quote(stopped)} --set epochs=3"
    assert words in done.stderr


def test_a_rehearsal_lists_the_tries(run, tiny_base, rows):
    words = ["--model", tiny_base, "--data", rows, "--validation", rows, "--dry-run"]
    done = run(*words, "--try", "learning_rate=1e-4,5e-4")
    assert done.exit_code == 0
    assert "learning_rate=5e-4" in done.stdout
    refused = run(*words, "--try", "warmup_steps=2,100")
    assert refused.exit_code == 1


def test_one_try_that_cannot_be_run_stops_all_before_the_first(run, trying, tiny_base, rows):
    words = ["--model", tiny_base, "--data", rows, "--validation", rows]
    done = run(*words, "--try", "warmup_steps=2,100")
    assert "warmup-exceeds-run" in done.exception.problem
    assert trying.calls == []
    resumed = run(*words, "--try", "epochs=1,2", "--resume", "--output", "猫")
    assert isinstance(resumed.exception, JloraError)


def test_what_is_allowed_is_run_and_told(run, session, tiny_base, rows):
    words = ["--model", tiny_base, "--data", rows, "--warmup-steps", "100"]
    assert "warmup-exceeds-run" in run(*words).exception.problem
    done = run(*words, "--allow", "warmup-exceeds-run")
    assert (done.exit_code, len(session.calls)) == (0, 1)
    assert "! warmup-exceeds-run" in done.stderr


def test_an_adapter_as_the_base_is_a_finding_in_json_too(run, tmp_path, rows):
    (tmp_path / "tuned").mkdir()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (tmp_path / "tuned" / name).write_text(
            '{"base_model_name_or_path": "猫"}', encoding="utf-8"
        )
    done = run("--model", "tuned", "--data", rows, "--dry-run", "--json")
    (found,) = json.loads(done.stdout)["findings"]
    assert (found["id"], found["severity"]) == ("base-is-adapter", "error")
    assert isinstance(done.exception, JloraError)
