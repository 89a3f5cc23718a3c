from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from jlora_cli import preparing, screen
from jlora_cli.commands import prepare as command
from jlora_cli.dataset import FORMATS
from jlora_cli.errors import JloraError
from jlora_cli.messages import CATALOGUE
from jlora_cli.preparing import Audit, Rules

ROW = {"messages": [{"role": "user", "content": "ｶﾞ Ａ１"}, {"role": "assistant", "content": "🐈"}]}


@pytest.fixture
def run():
    app = typer.Typer()
    app.command()(command.prepare)
    screen.forget_consoles()

    def run_one(*words):
        return CliRunner().invoke(app, [str(word) for word in words])

    yield run_one
    screen.forget_consoles()


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text((json.dumps(ROW) + "\n") * 2 + '{"messages": []}\n', encoding="utf-8")
    return path


def test_json_is_one_document_with_every_key(run, rows, tmp_path):
    done = run(rows, "--output", tmp_path / "out", "--on-bad-row", "skip", "--json")
    facts = json.loads(done.stdout)
    assert done.exit_code == 0
    assert (facts["rows_read"], facts["rows_kept"], facts["dropped"]) == (3, 2, {"no_messages": 1})
    assert (facts["train_rows"], facts["validation_rows"], facts["format"]) == (2, 0, "messages")
    assert [found["id"] for found in facts["findings"]] == ["prepare.skipped", "prepare.duplicates"]
    assert "tokens" not in facts
    assert f"--data {tmp_path / 'out'}" in done.stderr.replace("\n", "")


def test_a_person_reads_counts_and_the_next_command(run, rows, tmp_path):
    done = run(rows, "--output", tmp_path / "out", "--on-bad-row", "skip")
    assert "dropped: no_messages" in done.stdout
    assert "exact copies" in done.stderr
    assert "jlora train" in done.stderr
    assert (tmp_path / "out/dataset.json").is_file()


def test_a_bad_row_is_left_to_the_front_door(run, rows, tmp_path):
    done = run(rows, "--output", tmp_path / "out")
    assert isinstance(done.exception, JloraError)
    assert "line 3" in done.exception.problem
    assert not (tmp_path / "out").exists()


def test_options_reach_the_worker(run, tmp_path, monkeypatch):
    asked = {}

    def worker(sources, **given):
        asked.update(given, sources=sources)
        return preparing.Prepared(
            given["output"],
            9,
            9,
            {},
            8,
            1,
            "dolly",
            [],
            {"total": 1234, "supervised": 5, "longest": 6, "mean": 7.5},
        )

    monkeypatch.setattr(preparing, "prepare", worker)
    done = run(
        "a.jsonl",
        "org/b",
        "--output",
        tmp_path,
        "--model",
        "org/m",
        "--format",
        "dolly",
        "--template",
        "alpaca-ja",
        "--validation",
        "0.1",
        "--max-length",
        "64",
        "--dedupe",
    )
    assert done.exit_code == 0
    assert asked["sources"] == ["a.jsonl", "org/b"]
    assert asked["rules"] == Rules(format="dolly", dedupe=True, validation="0.1")
    assert asked["audit"] == Audit("org/m", "alpaca-ja", 64)
    assert "Tokens: 1,234 in all" in done.stdout
    assert "--model org/m" in done.stderr


def test_max_length_needs_a_model(run, rows, tmp_path):
    done = run(rows, "--output", tmp_path / "out", "--max-length", "8")
    assert done.exit_code == 2
    assert "--model" in done.stderr


@pytest.mark.parametrize(
    "words", [[], ["a.jsonl"], ["a.jsonl", "--output", "o", "--on-bad-row", "x"]]
)
def test_wrong_use_is_exit_2(run, words):
    assert run(*words).exit_code == 2


def test_the_help_names_every_format():
    assert ", ".join(FORMATS) == command.FORMATS


def test_every_sentence_has_its_remedy():
    refusals = [key for key in CATALOGUE if key.startswith(("data.row.", "hub."))]
    seen = [key for key in refusals if not key.endswith(".fix")]
    assert len(seen) > 40
    assert [key for key in seen if f"{key}.fix" not in CATALOGUE] == []
