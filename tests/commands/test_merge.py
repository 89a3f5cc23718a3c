"""`jlora merge` hands its options to the worker and shows how the merged model compares."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import typer
from typer.testing import CliRunner

from jlora_cli import merging, screen
from jlora_cli.commands import merge as command
from jlora_cli.errors import JloraError
from jlora_cli.events import Stage, Warned
from jlora_cli.merging import Merged, Terms
from jlora_cli.run_folder import open_source

FIGURES = Merged("/out/統合", "bfloat16", 3, 0.00123, 0.987, same_greedy_text=False, verify="full")


@pytest.fixture
def run():
    """The command; a refusal is raised."""
    app = typer.Typer()
    app.command()(command.merge)

    def call(*words):
        screen.forget_consoles()
        done = CliRunner().invoke(app, [str(word) for word in words])
        screen.forget_consoles()
        if isinstance(done.exception, JloraError):
            raise done.exception
        return done

    return call


@pytest.fixture
def worker(monkeypatch):
    """What the worker was given; it tells of a stage and a warning and returns FIGURES."""
    given = []

    def merge(artifact, output, terms, notify):
        given.append((artifact, output, terms))
        notify(Stage("merge.stage.merging", {"dtype": "bfloat16"}))
        notify(Warned("気をつけて"))
        return FIGURES

    monkeypatch.setattr(merging, "merge", merge)
    return given


def test_options_reach_the_worker(run, worker, tiny_run, tiny_base, tmp_path):
    output = tmp_path / "統合"
    run(tiny_run, "--output", output)
    words = ("--base", "demo", "--dtype", "float16", "--verify", "full")
    run(tiny_run, "--output", output, *words)
    assert worker == [
        (open_source(str(tiny_run)), output, Terms()),
        (open_source(str(tiny_run), base="demo"), output, Terms("float16", "full")),
    ]
    assert worker[0][0].base == str(tiny_base)


def test_a_person_reads_the_figures_on_stdout_and_the_rest_on_stderr(run, worker, tiny_run):
    done = run(tiny_run, "--output", "統合")
    assert done.stdout == (
        "Merged into /out/統合 (bfloat16). Against base + adapter on 3 prompts: largest logit "
        "difference 1.23e-03, same first choice 98.7%, greedy text not identical.\n"
    )
    assert done.stderr == "• merging in bfloat16\n! 気をつけて\n"


def test_json_is_one_document_with_the_keys_of_the_contract(run, tiny_run, tmp_path):
    done = run(tiny_run, "--output", tmp_path / "out", "--json")
    found = json.loads(done.stdout)
    assert (found["top1_agreement"], found["same_greedy_text"]) == (1.0, True)
    assert (found["dtype"], found["prompts"]) == ("float32", 3)
    assert 0 <= found["max_logit_difference"] <= 1e-4
    assert (tmp_path / "out" / "model.safetensors").is_file()


def test_an_unknown_precision_is_refused_before_the_worker_is_asked(run, worker, tiny_run):
    with pytest.raises(JloraError) as refusal:
        run(tiny_run, "--output", "out", "--dtype", "fp8")
    assert refusal.value.problem == "no such precision: fp8"
    assert worker == []


def test_an_unknown_way_to_verify_is_refused_before_the_worker_is_asked(run, worker, tiny_run):
    with pytest.raises(JloraError) as refusal:
        run(tiny_run, "--output", "out", "--verify", "some")
    assert refusal.value.remedy == "use full, sample or off"
    assert worker == []


def test_what_was_not_compared_is_said(run, tiny_run, monkeypatch):
    monkeypatch.setattr(merging, "merge", lambda *_: Merged("/out", "float16"))
    done = run(tiny_run, "--output", "統合", "--verify", "off")
    assert done.stdout == "Merged into /out (float16). Nothing was compared (--verify off).\n"


def test_the_difference_from_the_quantised_training_is_a_line_of_its_own(
    run, tiny_run, monkeypatch
):
    trained = {
        "quantization": "4bit",
        "max_logit_difference": 0.5,
        "top1_agreement": 0.75,
        "same_greedy_text": False,
    }
    monkeypatch.setattr(merging, "merge", lambda *_: replace(FIGURES, as_trained=trained))
    line = run(tiny_run, "--output", "統合").stdout.splitlines()[1]
    assert line == (
        "Against the adapter on its 4bit base, as it was trained: largest logit difference "
        "5.00e-01, same first choice 75.0%, greedy text not identical."
    )


def test_output_must_be_named(run, worker, tiny_run):
    assert run(tiny_run).exit_code == 2
    assert worker == []
