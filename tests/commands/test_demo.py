"""The demo walks the whole path once, and the command shows what it reached."""

from __future__ import annotations

import json
import re
import shlex

import pytest
import typer
from typer.testing import CliRunner

from jlora_cli import screen, walkthrough
from jlora_cli.commands import demo as command
from jlora_cli.errors import JloraError
from jlora_cli.evaluation import Evaluation, Scores
from jlora_cli.events import Typed
from jlora_cli.generation import Answer
from jlora_cli.merging import Merged
from jlora_cli.walkthrough import Walk, held_out_prompts

KEYS = {"seconds", "suffix_share", "eos_share", "max_logit_difference", "run"}


@pytest.fixture(scope="session")
def walked(tmp_path_factory):
    """(what the demo reached, the folder it wrote, what it told): the real path, walked once."""
    folder, told = tmp_path_factory.mktemp("demo") / "歩み", []
    return walkthrough.walk(folder, told.append), folder, told


# --- the real path --------------------------------------------------------------------------


def test_the_adapter_teaches_the_suffix_and_the_merge_keeps_it(walked):
    reached, _, _ = walked
    shares = reached.as_json()["suffix_share"]
    assert len(reached.prompts) == 20
    assert shares["base"] <= 0.05
    assert shares["tuned"] >= 0.90
    assert shares["merged"] == shares["tuned"]
    assert [answer.text for answer in reached.merged] == [answer.text for answer in reached.tuned]


def test_every_answer_ends_by_itself(walked):
    reached, _, _ = walked
    assert reached.eos_share == 1.0


def test_the_merge_is_equal_and_the_tuned_model_better(walked):
    reached, _, _ = walked
    assert 0 <= reached.verification.max_logit_difference <= 1e-4
    assert reached.verification.same_greedy_text
    assert reached.evaluation.tuned.perplexity < reached.evaluation.base.perplexity


def test_everything_that_was_made_is_kept(walked):
    reached, folder, _ = walked
    assert reached.run == folder / "run"
    made = ["data/train.jsonl", "data/validation.jsonl", "data/dataset.json", "run/run.json"]
    made += ["run/adapter/jlora.json", "run/report.html", "merged/model.safetensors"]
    assert [name for name in made if not (folder / name).is_file()] == []
    record = json.loads((folder / "run/run.json").read_text(encoding="utf-8"))
    assert record["status"] == "finished"


def test_no_held_out_prompt_was_trained_or_validated(walked):
    _, folder, _ = walked
    lines = [
        line
        for name in ("train", "validation")
        for line in (folder / f"data/{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    seen = {turn["content"] for line in lines for turn in json.loads(line)["messages"]}
    assert len(seen) > 60
    assert seen.isdisjoint(held_out_prompts())


def test_json_has_the_keys_of_the_contract_and_every_answer(walked):
    reached, folder, _ = walked
    found = json.loads(json.dumps(reached.as_json(), ensure_ascii=False))
    assert found.keys() >= KEYS
    assert list(found["suffix_share"]) == ["base", "tuned", "merged"]
    assert found["run"] == str(folder / "run")
    assert found["seconds"] > 0
    assert [row["prompt"] for row in found["answers"]] == held_out_prompts()


def test_it_names_the_commands_that_a_person_would_type(walked):
    _, folder, told = walked
    lines = [e.command for e in told if isinstance(e, Typed)]
    words = [shlex.split(line) for line in lines]
    verbs = ["env-check", "prepare", "train", "evaluate", "merge", "infer"]
    assert [each[:2] for each in words] == [["jlora", verb] for verb in verbs]
    assert words[3][-2:] == ["--expect", "にゃ$"]
    asked = ["jlora", "merge", str(folder / "run"), "--output", str(folder / "merged")]
    assert words[4] == [*asked, "--dtype", "float32"]


def test_a_run_that_cannot_be_is_refused_before_it_starts(tmp_path, monkeypatch):
    from dataclasses import replace

    propose = walkthrough.propose

    def doomed(*given):
        made = propose(*given)
        lost = [found for found in made.findings if found.severity == "error"]
        assert lost == []
        from jlora_cli.finding import Finding

        full = Finding("disk-full", "error", "disk is full", "nothing can be saved", "free 1 GB")
        return replace(made, findings=[*made.findings, full])

    monkeypatch.setattr(walkthrough, "propose", doomed)
    monkeypatch.setattr(walkthrough, "train", lambda *_: pytest.fail("trained"))
    with pytest.raises(JloraError) as refusal:
        walkthrough.walk(tmp_path / "demo")
    assert (refusal.value.problem, refusal.value.remedy) == ("disk is full", "free 1 GB")


# --- the command ----------------------------------------------------------------------------


def answers(*texts, reason="eos"):
    return [Answer(text, [1], reason, 3) for text in texts]


@pytest.fixture
def reached(tmp_path):
    scores = Scores(9.5, 50.0, 40.0, 0.5, 0.5, 1.0, 1.0)
    return Walk(
        seconds=41.26,
        run=tmp_path / "run",
        prompts=["こんにちは", "[bold]名前[/bold]は？"],
        base=answers("こんにちは。", "猫です。"),
        tuned=answers("こんにちはにゃ", "猫ですにゃ"),
        merged=[*answers("こんにちはにゃ"), *answers("猫ですにゃあ", reason="length")],
        evaluation=Evaluation(11, scores, None, []),
        verification=Merged("merged", "float32", 20, 2.5e-6, 1.0, same_greedy_text=True),
    )


@pytest.fixture
def run(reached, monkeypatch):
    """The command over a worker that walks nowhere; a refusal is raised."""
    app = typer.Typer()
    app.command()(command.demo)

    def walk(folder, notify):
        call.folders.append(folder)
        notify(Typed("jlora env-check"))
        return reached

    def call(*words):
        screen.forget_consoles()
        done = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "120"})
        screen.forget_consoles()
        if isinstance(done.exception, JloraError):
            raise done.exception
        return done

    call.folders = []
    monkeypatch.setattr(walkthrough, "walk", walk)
    return call


def test_a_table_and_the_figures_are_shown(run, reached, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "_SHOWN", (0, 1))
    done = run("--output", tmp_path / "out")
    assert run.folders == [tmp_path / "out"]
    rows = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in done.stdout.splitlines()
        if "│" in line
    ]
    assert rows == [
        ["prompt", "base", "tuned", "merged"],
        ["こんにちは", "こんにちは。", "こんにちはにゃ", "こんにちはにゃ"],
        ["[bold]名前[/bold]は？", "猫です。", "猫ですにゃ", "猫ですにゃあ"],
    ]
    assert (
        "Answers ending in 「にゃ」, of 2 held-out prompts: base 0%, tuned 100%, merged 50%.\n"
        "Ended by themselves: 83%. Largest logit difference after the merge: 2.5e-06. 41 s in all."
    ) in done.stdout
    assert f"Report:     {reached.run / 'report.html'}\n" in done.stdout
    assert "$ jlora env-check\n" in done.stderr


def test_json_is_one_document(run, tmp_path):
    found = json.loads(run("--output", tmp_path / "out", "--json").stdout)
    assert found.keys() >= KEYS
    assert found["suffix_share"] == {"base": 0.0, "tuned": 1.0, "merged": 0.5}
    assert found["eos_share"] == pytest.approx(5 / 6)
    assert (found["seconds"], found["max_logit_difference"]) == (41.3, 2.5e-6)
    assert found["same_greedy_text"] is False
    assert found["perplexity"] == {"base": None, "tuned": 9.5}


def test_the_table_is_saved_as_a_picture(run, tmp_path):
    run("--output", tmp_path / "out", "--svg", tmp_path / "表.svg")
    picture = (tmp_path / "表.svg").read_text(encoding="utf-8")
    assert re.search(r">[^<]*こんにちは<", picture)
    assert re.search(r">にゃ[^<]*<", picture)  # what was taught stands apart, in colour


def test_its_folder_stands_under_runs_with_the_time(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run()
    (folder,) = run.folders
    assert re.fullmatch(r"runs/\d{8}-\d{6}-demo", str(folder))


def test_a_folder_in_use_is_refused_before_anything_is_loaded(run, tmp_path):
    (tmp_path / "猫.txt").touch()
    with pytest.raises(JloraError, match="exists and is not empty"):
        run("--output", tmp_path)
    assert run.folders == []
