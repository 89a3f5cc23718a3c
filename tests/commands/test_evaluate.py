"""`jlora evaluate` hands rows and options to the worker and shows one table."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from jlora_cli import evaluation, screen
from jlora_cli.commands import evaluate as command
from jlora_cli.errors import JloraError
from jlora_cli.evaluation import Evaluation, Scores, Terms
from jlora_cli.model import Placement
from jlora_cli.run_folder import open_source
from jlora_cli.sampling import Sampling
from tests.tiny_runs import PAIRS, write_rows

TUNED = Scores(12.3456, 61.5, 40.25, 0.75, 0.5, 0.9, 1.0)
BASE = Scores(99.9, 10.0, 0.0, 0.125, 0.0, 0.05, 0.25)
ANSWERS = [{"prompt": "猫は？", "reference": "いる", "answer": "いるにゃ"}]


@pytest.fixture
def run():
    """The command; a refusal is raised."""
    app = typer.Typer()
    app.command()(command.evaluate)

    def call(*words):
        screen.forget_consoles()
        done = CliRunner().invoke(app, [str(word) for word in words])
        screen.forget_consoles()
        if isinstance(done.exception, JloraError):
            raise done.exception
        return done

    return call


@pytest.fixture
def rows(tmp_path):
    return write_rows(tmp_path / "rows.jsonl")


@pytest.fixture
def worker(monkeypatch):
    """What the worker was given, and what it returns."""

    class Worker:
        given: list[tuple[object, ...]]
        found = Evaluation(20, TUNED, BASE, ANSWERS)

        def __call__(self, artifact, examples, placement, terms, notify):
            self.given.append((artifact, examples, placement, terms))
            return self.found

    made = Worker()
    made.given = []
    monkeypatch.setattr(evaluation, "evaluate", made)
    return made


def test_rows_and_options_reach_the_worker(run, worker, tiny_run, rows):
    run(tiny_run, "--data", rows, "--device", "cpu")
    options = {"max-new-tokens": 5, "temperature": 0.3, "top-p": 0.4, "top-k": 6, "seed": 9}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    words += ["--repetition-penalty", "1.5", "--compare-base", "--expect", "にゃ$"]
    run(tiny_run, "--data", rows, "--device", "cpu", "--precision", "bfloat16", *words)
    (plain, full) = worker.given
    assert plain[0] == full[0] == open_source(str(tiny_run))
    assert [example.messages[1].content for example in plain[1]] == [answer for _, answer in PAIRS]
    assert (plain[2], full[2]) == (Placement(), Placement(precision="bfloat16"))
    # Scores are to be compared: greedy unless asked otherwise.
    assert plain[3] == Terms(Sampling(256, 0.0, 1.0, 0, 1.0, 42))
    assert full[3] == Terms(Sampling(5, 0.3, 0.4, 6, 1.5, 9), "にゃ$", compare_base=True)


def cells(text):
    """The words of every line of a table."""
    return [line.split() for line in text.splitlines() if line.strip("─ ")]


def test_base_and_tuned_stand_side_by_side(run, worker, tiny_run, rows):
    done = run(tiny_run, "--data", rows)
    assert cells(done.stdout) == [
        ["20", "rows"],
        ["score", "base", "tuned"],
        ["perplexity", "99.900", "12.346"],
        ["chrf", "10.000", "61.500"],
        ["bleu", "0.000", "40.250"],
        ["rouge_l", "0.125", "0.750"],
        ["exact_match", "0.000", "0.500"],
        ["expect_share", "0.050", "0.900"],
        ["eos_share", "0.250", "1.000"],
    ]


def test_without_base_and_pattern_there_is_one_column_and_a_dash(run, worker, tiny_run, rows):
    tuned = Scores(12.3456, 61.5, 40.25, 0.75, 0.5, None, 1.0)
    worker.found = Evaluation(20, tuned, None, ANSWERS)
    table = cells(run(tiny_run, "--data", rows).stdout)
    assert table[1] == ["score", "tuned"]
    assert ["expect_share", "–"] in table
    assert len(table) == 9


def test_json_is_one_document_with_the_keys_of_the_contract(run, tiny_run, rows):
    words = ("--max-new-tokens", "8", "--compare-base", "--expect", "。", "--json")
    done = run(tiny_run, "--data", rows, *words)
    found = json.loads(done.stdout)
    assert found["rows"] == len(found["answers"]) == len(PAIRS)
    scores = ["perplexity", "chrf", "bleu", "rouge_l", "exact_match", "expect_share", "eos_share"]
    assert list(found["tuned"]) == list(found["base"]) == scores
    assert found["tuned"]["perplexity"] < found["base"]["perplexity"]
    assert "•" in done.stderr


@pytest.mark.parametrize("source", ["missing.jsonl", "empty.jsonl"])
def test_rows_that_cannot_be_read_are_refused_before_the_worker_is_asked(
    run, worker, tiny_run, tmp_path, source
):
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(JloraError, match=source):
        run(tiny_run, "--data", tmp_path / source)
    assert worker.given == []
