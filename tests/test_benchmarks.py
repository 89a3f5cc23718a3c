"""What the benchmark of training computes and writes; nothing is timed here."""

from __future__ import annotations

import string

import pytest

from benchmarks.neighbours.contestants.watch import count
from benchmarks.neighbours.environments import last_line
from benchmarks.neighbours.figures import goals, ratios, spread, with_epochs
from benchmarks.neighbours.page import ORDER, page
from benchmarks.neighbours.rows import ROOT, chat_row, chat_rows, dolly_row, joined, words
from benchmarks.neighbours.running import (
    AT_THE_LIMIT,
    CONTESTANTS,
    NEIGHBOURS,
    surroundings,
    without_folders,
)
from benchmarks.neighbours.wording import EN, JA
from jlora_cli.prompt.templates import compile_template
from jlora_cli.recipe import TEMPLATES

MACHINE = {
    "processor": "a CPU",
    "cores": 2,
    "memory_gib": 24,
    "system": "Linux x86_64",
    "python": "3.11.7",
}


def a_run(contestant, cpu, *, number=1, **changes):
    """A run of the chat job as `running.run` returns it."""
    run = {
        "job": "chat",
        "contestant": contestant,
        "round": number,
        "rows": 55,
        "status": "done",
        "training_cpu_s": cpu,
        "training_wall_s": cpu,
        "peak_mib": 1000.0,
        "start_to_adapter_wall_s": cpu + 5,
        "tokens": 2000,
        "supervised": 600,
        "validation_loss": 9.5,
        "command": f"{contestant} train",
        "versions": {"torch": "2.13.0"},
    }
    return run | changes


def a_document(*runs):
    """The results of the neighbours with these runs."""
    job = {
        "rows": 55,
        "epochs": 3,
        "shape": "gpt2",
        "template": "chat-markdown",
        "tokens": 2000,
        "supervised": 600,
        "base_validation_loss": 10.36,
        "rows_from": "shared",
    }
    commands = ["python -m benchmarks.neighbours"]
    return {"commands": commands, "machine": MACHINE, "jobs": {"chat": job}, "runs": list(runs)}


# -- figures -----------------------------------------------------------------------------------


def test_a_ratio_is_of_two_runs_of_one_round():
    document = a_document(
        a_run("trl", 30.0, number=1),
        a_run("jlora", 10.0, number=1),
        a_run("trl", 80.0, number=2),
        a_run("jlora", 20.0, number=2),
        a_run("jlora", 99.0, number=3),
    )

    found = ratios(with_epochs(document), "chat", "trl", "training_cpu_s")

    assert found == pytest.approx([1 / 3, 1 / 4])
    assert spread(found) == pytest.approx(
        {"median": 7 / 24, "least": 1 / 4, "most": 1 / 3, "runs": 2}
    )


def test_who_trained_on_a_part_is_compared_by_token_and_not_by_loss():
    part = {"rows": 11, "tokens": 400, "supervised": 120, "validation_loss": 1.0}
    document = a_document(a_run("seed", 60.0, **part), a_run("jlora", 10.0))

    found = {(goal.key, goal.against): goal for goal in goals({"neighbours": document})}

    assert found["training_cpu", "seed"].measured == pytest.approx(10 / (60 * 5))
    assert found["training_cpu", "seed"].reached
    assert ("validation_loss", "seed") not in found


def test_a_run_that_failed_has_no_ratio():
    document = a_document({**a_run("trl", 1.0), "status": "failed"}, a_run("jlora", 10.0))

    found = {goal.key: goal for goal in goals({"neighbours": document}) if goal.against == "trl"}

    assert found["training_cpu"].measured is None
    assert found["training_cpu"].reached is None


def test_growth_is_that_of_the_most_rows_to_the_fewest():
    sizes = {
        size: {"cpu_us_per_token": spread([cost]), "resident_mib": spread([500.0])}
        for size, cost in (("1500", 100.0), ("15000", 140.0), ("150000", 120.0))
    }

    found = {goal.key: goal.measured for goal in goals({"train_scale": {"sizes": sizes}})}

    assert found["scale_cpu_us_per_token"] == pytest.approx(1.2)
    assert found["scale_resident_mib"] == pytest.approx(1.0)


def test_padding_and_first_labels_are_not_counted():
    rows = [
        {"input_ids": [5, 6, 7, 3, 3]},
        {"input_ids": [5, 6, 7, 8, 9], "labels": [-100, -100, 7, 8, 9]},
    ]

    assert count(rows, pad_id=3) == (8, 5)


def test_the_last_line_that_says_something_is_the_problem():
    assert last_line("Traceback\nOSError: no torch\n\n") == "OSError: no torch"
    assert last_line("\n") == "ended without a word"


def test_results_name_no_folder_of_the_machine(tmp_path):
    text = f"jlora train --model {tmp_path}/bases/gpt2 --data {ROOT}/rows.jsonl"

    told = without_folders(text, tmp_path)

    assert told == "jlora train --model build/bench/bases/gpt2 --data rows.jsonl"


def test_every_contestant_has_its_jobs_and_its_name(tmp_path):
    assert set(AT_THE_LIMIT) | set(NEIGHBOURS) == set(CONTESTANTS) == set(ORDER)
    assert all(name in words for name in CONTESTANTS for words in (EN, JA))
    # A variable of a contestant's own is none that all runs are given.
    assert not {*CONTESTANTS["jlora-avx2"].variables} & {*surroundings(tmp_path, 1)}


# -- rows --------------------------------------------------------------------------------------


def test_neighbours_get_the_text_that_the_templates_write():
    render = {name: compile_template(text) for name, text in TEMPLATES.items()}
    chat, dolly = chat_row("猫は？", "にゃ"), dolly_row("要約して", "吾輩は猫である", "猫")
    asked = [
        {"role": "user", "content": "猫は？"},
        {"role": "user", "instruction": "要約して", "input": "吾輩は猫である"},
    ]

    prompts = [
        render[name](messages=[message], add_generation_prompt=True, eos_token="</s>")
        for name, message in zip(("chat-markdown", "alpaca-ja"), asked, strict=True)
    ]

    assert [chat.prompt, dolly.prompt] == prompts
    assert joined([dolly, dolly]).completion == "猫\n猫"


def test_the_demo_stands_in_where_nothing_is_shared():
    train, held_out = chat_rows(None)

    assert (len(train), len(held_out)) == (55, 10)  # lines of the demo's files
    assert len({row.prompt for row in words(500)}) == 500


# -- pages -------------------------------------------------------------------------------------


def test_both_languages_say_the_same():
    def places(text):
        return sorted({name for _, name, _, _ in string.Formatter().parse(text) if name})

    assert EN.keys() == JA.keys()
    assert {key: places(text) for key, text in EN.items()} == {
        key: places(text) for key, text in JA.items()
    }


@pytest.mark.parametrize("say", [EN, JA])
def test_a_page_has_a_row_for_each_contestant_and_why_one_has_none(say):
    broken = {
        "job": "chat",
        "contestant": "llama-factory",
        "round": 1,
        "rows": 55,
        "status": "failed",
        "problem": "OSError: could not load",
    }
    document = a_document(
        a_run("trl", 30.0, number=1),
        a_run("jlora", 10.0, number=1, floor={"gflop": 9.0, "gflop_per_s": 3.0, "cpu_s": 3.0}),
        a_run("trl", 40.0, number=2),
        a_run("seed", 300.0, number=2, supervised=1900),
        broken,
    )

    text = page({"neighbours": document}, say)

    lines = text.splitlines()
    trl = next(line for line in lines if line.startswith("| TRL |"))
    assert trl == (
        "| TRL | 35.0 (30.0–40.0) | 35.0 (30.0–40.0) | 1,000 (1,000–1,000) | 175 (150–200) "
        "| 52 (45–60) | 9.5000 (9.5000–9.5000) | 40.0 (35.0–45.0) | 1/3 |"
    )
    assert any("OSError: could not load" in line for line in lines)
    assert any("1,900" in line and line.startswith("- ") for line in lines)
    assert "3.33" in text  # 10 CPU seconds, 3 of them matrix products
    assert "jlora train" in text
    assert "torch 2.13.0" in text
    assert any("a CPU" in line for line in lines)


def test_a_page_without_results_is_a_page():
    assert page({}, EN).startswith("# Benchmarks of training\n")


# -- matrix products ---------------------------------------------------------------------------


def test_the_floor_counts_what_the_gradient_needs():
    from benchmarks.neighbours.floor import Widths, products

    widths = Widths(hidden=8, layers=2, heads=2, inner=32, vocabulary=100)

    found = sum(product.flops for product in products([(4, 1), (6, 3)], widths, 2))

    tokens, supervised = 10, 4
    # Multiply-adds by hand: 3 layers without an adapter and the one with, whose gradient below
    # the first layer is not asked for; the output layer twice; six products of attention.
    linear = 2 * 2 * (8 * 8 + 8 * 32 + 32 * 8) + (2 + 1) * 8 * 24
    adapter = 2 * (3 * 2 * 24) + (2 + 2 + 1) * 8 * 2
    attention = sum(6 * 2 * 8 * length * (length + 1) / 2 for length in (4, 6))
    expected = tokens * (linear + adapter) + 2 * supervised * 8 * 100 + attention
    assert found == pytest.approx(2 * expected)


def test_timed_batches_reach_from_the_smallest_to_the_largest():
    from benchmarks.neighbours.floor import batches_of, spread

    assert spread(list(range(11)), 3) == [0, 5, 10]
    assert spread([7, 8], 6) == [7, 8]
    sizes = [len(batch) for batch in batches_of([(1, 1)] * 10, 4, seed=0)]
    assert sizes == [4, 4, 2]


# -- jlora's loop ------------------------------------------------------------------------------


def test_the_loop_is_timed_between_the_runs_own_events(monkeypatch):
    from benchmarks.neighbours.contestants.jlora import Loop
    from benchmarks.neighbours.contestants.watch import Watch
    from jlora_cli import events
    from jlora_cli.messages import CATALOGUE

    for event in (events.Stage, events.StepDone):
        monkeypatch.setattr(event, "__init__", event.__init__)
    watch = Watch()
    Loop(watch)

    events.Stage("train.stage.training", {"steps": 2})
    for step in (1, 2):
        events.StepDone(step, 2, 1.0, 1e-4, 100.0, 0.0)

    assert "train.stage.training" in CATALOGUE
    assert watch.figures["steps"] == 2
    assert watch.figures["training_wall_s"] >= 0
