"""Both models of a merge are asked the run's own validation prompts, as far as these are there."""

from __future__ import annotations

import json
import shutil

import pytest

from jlora_cli.merging import PROMPTS
from jlora_cli.merging.questions import SAMPLE, Question, questions_for, spread
from tests.tiny_runs import PAIRS, write_rows

MANY = tuple((f"{number}番の猫は？", "います。") for number in range(20))


@pytest.fixture
def run_with(tiny_run, tmp_path):
    """A copy of the run whose record names `value` as its validation rows."""

    def make(value):
        shutil.copytree(tiny_run, tmp_path / "run")
        path = tmp_path / "run" / "run.json"
        record = json.loads(path.read_text(encoding="utf-8"))
        record["config"]["validation"] = value
        path.write_text(json.dumps(record), encoding="utf-8")
        return tmp_path / "run"

    return make


def texts(questions):
    return [question.messages[-1].content for question in questions]


def test_the_validation_rows_of_the_run_are_asked_up_to_their_answers(run_with, tmp_path):
    rows = write_rows(tmp_path / "検証.jsonl")
    questions, origin = questions_for(run_with({"value": str(rows)}), every=True)
    assert origin == "validation"
    assert texts(questions) == [question for question, _ in PAIRS]


def test_a_sample_is_eight_of_them_evenly_spread(run_with, tmp_path):
    rows = write_rows(tmp_path / "検証.jsonl", MANY)
    questions, _ = questions_for(run_with({"value": str(rows)}))
    # Every 20 / 8 = 2.5th: 0, 2.5, 5, 7.5, ...
    assert texts(questions) == [f"{n}番の猫は？" for n in (0, 2, 5, 7, 10, 12, 15, 17)]
    assert len(questions) == SAMPLE


def test_fewer_than_eight_are_all_asked():
    few = [Question((), str(number)) for number in range(3)]
    assert spread(few) == few


def test_rows_without_a_question_and_an_answer_are_passed_over_and_doubles_asked_once(
    run_with, tmp_path
):
    rows = [
        {"text": "吾輩は猫である。"},
        {"instruction": "訳せ", "input": "猫", "output": "cat"},
        {"messages": [{"role": "user", "content": "猫"}, {"role": "assistant", "content": "いる"}]},
        {"messages": [{"role": "user", "content": "猫"}, {"role": "assistant", "content": "居る"}]},
    ]
    for number, row in enumerate(rows):
        path = tmp_path / "held" / f"{number}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(row), encoding="utf-8")
    questions, _ = questions_for(run_with({"value": str(tmp_path / "held")}))
    assert [(q.messages[-1].content, q.input) for q in questions] == [
        ("訳せ\n\n猫", "猫"),
        ("猫", ""),
    ]


def test_prompts_that_are_given_beat_them(run_with, tmp_path):
    run = run_with({"value": str(write_rows(tmp_path / "検証.jsonl"))})
    questions, origin = questions_for(run, given=["🐈"])
    assert (texts(questions), origin) == (["🐈"], "given")


@pytest.mark.parametrize("value", [None, 3, {"value": None}, {"value": "無い.jsonl"}, {"value": 7}])
def test_without_them_the_prompts_that_the_run_sampled_are_asked(run_with, value):
    questions, origin = questions_for(run_with(value))
    assert origin == "samples"
    assert len(questions) == 3


def test_without_a_run_the_built_in_prompts_are_asked():
    questions, origin = questions_for(None)
    assert (texts(questions), origin) == (list(PROMPTS), "built-in")
