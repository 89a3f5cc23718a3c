"""`jlora report` through Typer: pages made again, runs side by side."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from jlora_cli import screen
from jlora_cli.cli import build_app
from jlora_cli.errors import JloraError
from jlora_cli.messages import use_language


def a_run(folder, *, steps=84, validation=0.34):
    """A run folder with the record that a page needs."""
    folder.mkdir()
    record = {
        "status": "finished",
        "output": str(folder),
        "jlora": "0.1.0",
        "begun_at": "2026-11-22T10:51:31+00:00",
        "versions": {"torch": "2.13.0"},
        "result": {
            "optimizer_steps": steps,
            "train_loss": 0.0992517,
            "validation_loss": validation,
            "tokens_per_second": 2754.4,
            "seconds": 8.53,
            "peak_memory_gib": 0.58,
            "trainable_parameters": 131072,
        },
        "findings": [],
        "config": {"seed": {"value": 42, "source": "default", "reason": "default"}},
    }
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return folder


@pytest.fixture
def run():
    """`run(*words)`: `jlora report WORDS`; a refusal is raised."""

    def run_it(*words):
        screen.forget_consoles()
        done = CliRunner().invoke(build_app(), ["report", *map(str, words)], env={"COLUMNS": "200"})
        if isinstance(done.exception, JloraError):
            raise done.exception
        return done

    yield run_it
    screen.forget_consoles()


def test_a_page_is_made_again_and_its_path_printed(run, tmp_path):
    folder = a_run(tmp_path / "髙﨑 [bold]")

    done = run(folder)

    assert done.exit_code == 0
    assert done.stdout == f"{folder / 'report.html'}\n"
    assert "髙﨑 [bold]" in (folder / "report.html").read_text(encoding="utf-8")


def test_several_runs_stand_side_by_side(run, tmp_path):
    first, second = a_run(tmp_path / "a"), a_run(tmp_path / "b", steps=1, validation=None)

    lines = run(first, second).stdout.splitlines()

    figures = {line.split()[0]: line.split()[1:] for line in lines[2:] if line.strip()}
    assert lines[:2] == [str(first / "report.html"), str(second / "report.html")]
    assert figures["optimizer_steps"] == ["84", "1"]
    assert figures["train_loss"] == ["0.099252", "0.099252"]
    assert figures["validation_loss"] == ["0.34", "–"]
    assert figures["figure"] == [str(first), str(second)]


def test_json_names_page_status_and_result_of_each(run, tmp_path):
    folder = a_run(tmp_path / "a")

    (document,) = json.loads(run(folder, "--json").stdout)

    assert (document["run"], document["status"]) == (str(folder), "finished")
    assert document["page"] == str(folder / "report.html")
    assert document["result"]["optimizer_steps"] == 84


def test_the_page_is_in_the_language_in_use(run, tmp_path):
    use_language("ja")
    folder = a_run(tmp_path / "a")

    run(folder)

    assert "<html lang='ja'>" in (folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "problem"),
    [("none", "does not exist"), ("empty", "is not a finished run (status: ?)")],
)
def test_what_is_no_run_is_refused(run, tmp_path, name, problem):
    (tmp_path / "empty").mkdir()

    with pytest.raises(JloraError) as refusal:
        run(tmp_path / name)

    assert refusal.value.problem == f"{tmp_path / name} {problem}"


def test_a_record_of_something_else_is_refused(run, tmp_path):
    (tmp_path / "run.json").write_text('{"status": "finished"}', encoding="utf-8")

    with pytest.raises(JloraError) as refusal:
        run(tmp_path)

    assert "was not written by a run: it lacks output" in refusal.value.problem
