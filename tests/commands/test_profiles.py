"""`jlora profiles` through Typer, on machines that the tests make up."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from jlora_cli import machine as machines
from jlora_cli import screen
from jlora_cli.cli import build_app
from jlora_cli.errors import JloraError
from jlora_cli.messages import use_language
from jlora_cli.profile import profile_names, profiles_folder
from tests.machines import CASES, LAPTOP

A100 = CASES["A100 80 GB"].machine


@pytest.fixture
def run(monkeypatch):
    """`run(*words, on=machine)`: `jlora profiles WORDS` there; a refusal is raised."""

    def run_it(*words, on=LAPTOP):
        monkeypatch.setattr(machines, "read_machine", lambda: on)
        screen.forget_consoles()
        done = CliRunner().invoke(build_app(), ["profiles", *words], env={"COLUMNS": "100"})
        if isinstance(done.exception, JloraError):
            raise done.exception
        return done

    yield run_it
    screen.forget_consoles()


def test_the_list_marks_what_fits_and_what_to_take(run):
    done = run("list", on=A100)

    rows = [line.split() for line in done.stdout.splitlines() if line.strip()][2:]
    marks = {row[0]: row[1:3] for row in rows if row[0] in profile_names()}
    assert done.exit_code == 0
    assert {name for name, mark in marks.items() if mark[0] == "–"} == {
        "apple-mps", "cpu", "h200", "multi-gpu",
    }  # fmt: skip
    assert marks["a100"] == ["✓", "←"]
    assert len(marks) == 13
    assert "Recommended here: a100 (NVIDIA A100-SXM4-80GB with 79 GiB: a 3.6B" in done.stderr


def test_the_list_tells_what_each_picks(run):
    rows = {line.split()[0]: line for line in run("list").stdout.splitlines() if line.strip()}

    assert "bfloat16, 4bit, 16 x 2 rows" in rows["a100-4bit"]
    assert "auto, 2 x 2 rows" in rows["surface-cuda"]


def test_without_words_it_lists(run):
    done = run()

    assert "a laptop GPU of 2 to 6 GB" in done.stdout
    assert "Recommended here: cpu-small (no GPU" in done.stderr


def test_json_is_one_document(run):
    document = json.loads(run("list", "--json").stdout)

    rows = {row["name"]: row for row in document["profiles"]}
    assert list(rows) == profile_names()
    assert [name for name in rows if rows[name]["fits"]] == ["cpu-small"]
    assert [name for name in rows if rows[name]["recommended"]] == ["cpu-small"]
    assert rows["cpu-small"]["lacks"] == ""
    assert rows["a100"]["lacks"].endswith("this machine has none")
    assert rows["a100"]["picks"] == {
        "precision": "bfloat16", "quantization": "none", "batch_size": 8, "max_length": 512,
        "gradient_accumulation_steps": 4, "gradient_checkpointing": False, "processes": 1,
    }  # fmt: skip
    assert all(row["description"] for row in document["profiles"])
    assert document["reason"].startswith("no GPU")


def test_the_list_speaks_japanese(run):
    use_language("ja")
    done = run("list")

    assert "プロファイル" in done.stdout
    assert "このマシンでの推奨: cpu-small" in done.stderr


@pytest.mark.parametrize("name", profile_names())
def test_show_prints_the_file_as_it_is(run, name):
    text = (profiles_folder() / f"{name}.yaml").read_text(encoding="utf-8")

    assert run("show", name).stdout == text.rstrip() + "\n"


def test_show_takes_the_path_of_a_file_of_ones_own(run, tmp_path):
    path = tmp_path / "髙﨑.yaml"
    path.write_text("# [bold] :cat:\tＡ１\nextends: cpu-small\nseed: 7\n", encoding="utf-8")

    assert run("show", str(path)).stdout == path.read_text(encoding="utf-8")


def test_show_as_json_holds_the_values_with_those_beneath(run, tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("extends: cpu-small\nseed: 7\n", encoding="utf-8")

    document = json.loads(run("show", str(path), "--json").stdout)

    assert document["name"] == document["path"] == str(path)
    assert document["description"] == "small models on a CPU, two cores and up"
    assert (document["values"]["seed"], document["values"]["batch_size"]) == (7, 8)
    assert document["values"]["lora_targets"] == ["auto"]


@pytest.mark.parametrize("words", [["show"], ["delete", "a100"]])
def test_other_words_are_wrong_usage(run, words):
    done = run(*words)

    assert done.exit_code == 2
    assert "list, or show and a name" in done.stderr


def test_a_profile_that_does_not_exist_is_refused(run):
    with pytest.raises(JloraError) as refusal:
        run("show", "a10")

    assert "did you mean a100?" in refusal.value.problem
