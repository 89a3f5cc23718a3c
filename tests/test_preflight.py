"""Each fault that makes a dead run is named before it starts; a healthy run is left in peace."""

from __future__ import annotations

import dataclasses

import pytest

from jlora_cli.config import RunConfig
from jlora_cli.finding import SEVERITIES
from jlora_cli.messages import use_language
from jlora_cli.plan import Plan, peak_learning_rate, steps_of
from jlora_cli.preflight import Material, inspect
from jlora_cli.prompt import IGNORED, Encoded, PromptFormat

EOS = 2
FORMAT = PromptFormat("chat-markdown", "", "keep", False, EOS, EOS, 3)
CONFIG = RunConfig(
    data="rows.jsonl", output="runs/猫", precision="float32", packing=True, max_length=512,
    batch_size=4, epochs=3.0, learning_rate=2e-4, warmup_steps=2,
)  # fmt: skip


def row(number, *, ids=None, labels=None, shortened=False):
    """A row of its own: a prompt of two tokens, an answer of one, and EOS."""
    ids = ids or [10, 100 + number, 11, EOS]
    return Encoded(ids, labels or [IGNORED, IGNORED, *ids[2:]], f"a:{number}", shortened)


def rows(count=55):
    return [row(number) for number in range(count)]


def planned(config, material, **changes):
    """The plan of these rows on a machine with room to spare."""
    steps = steps_of(config, len(material.rows))
    plan = Plan(
        rows=len(material.rows),
        tokens=sum(len(each.ids) for each in material.rows),
        supervised_tokens=sum(each.supervised for each in material.rows),
        padding_share=0.0,
        truncated_rows=0,
        cut_answers=0,
        dropped_rows=0,
        validation_rows=len(material.validation),
        longest_row=4,
        optimizer_steps=steps,
        warmup_steps=config.warmup_steps,
        peak_learning_rate=peak_learning_rate(config, steps),
        trainable_parameters=1000,
        memory_gib={"runtime": 0.6, "total": 1.0},
        available_gib=8.0,
    )
    return dataclasses.replace(plan, **changes)


def findings(*, config=None, plan=None, format=None, material=None, in_use=False):
    """What is found where the healthy run is changed in these ways."""
    settings = dataclasses.replace(CONFIG, **(config or {}))
    given = Material(rows(), [row(1000), row(1001)])
    given = dataclasses.replace(given, **(material or {}))
    written = dataclasses.replace(FORMAT, **(format or {}))
    made = planned(settings, given, **(plan or {}))
    return inspect(settings, made, written, given, in_use=in_use)


def test_a_healthy_run_is_left_in_peace():
    assert findings() == []


# One planted fault for each id, and the figures that its evidence must show.
FAULTS = {
    "no-supervised-tokens": (
        {"material": {"rows": [row(n, labels=[IGNORED] * 4) for n in range(55)]}},
        ["55"],
    ),
    "eos-not-supervised": (
        {"material": {"rows": [*rows(52), *(row(n, ids=[10, n, 11, 12]) for n in range(60, 63))]}},
        ["3", "55"],
    ),
    "targets-match-nothing": (
        {
            "config": {"lora_targets": ("c_attn", "dense")},
            "material": {"layers": ("query_key_value", "dense")},
        },
        ["c_attn"],
    ),
    "rows-dropped": ({"plan": {"dropped_rows": 7, "longest_row": 510}}, ["7", "510"]),
    # The recipe of FINDINGS: 55 rows in batches of 4, 3 epochs, warm-up 100.
    "warmup-exceeds-run": ({"config": {"warmup_steps": 100}}, ["100", "42"]),
    "too-few-steps": ({"config": {"max_steps": 9}}, ["9"]),
    "few-rows": ({"config": {"epochs": 10.0}, "material": {"rows": rows(19)}}, ["19"]),
    "learning-rate-unusual": ({"config": {"learning_rate": 6e-3}}, ["0.006"]),
    "duplicate-rows": ({"material": {"rows": [*rows(53), *rows(2)]}}, ["2", "55"]),
    "validation-in-training": ({"material": {"validation": [row(3), row(1000)]}}, ["1", "2"]),
    "memory-exceeded": ({"plan": {"memory_gib": {"total": 8.1}}}, ["8.1", "8.0"]),
    "output-in-use": ({"in_use": True}, ["runs/猫"]),
}  # fmt: skip


def test_every_id_has_its_planted_fault():
    assert FAULTS.keys() <= SEVERITIES.keys()


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("id", FAULTS)
def test_a_planted_fault_is_found_alone_and_says_what_to_do(id, language):
    use_language(language)
    changes, figures = FAULTS[id]
    (found,) = findings(**changes)
    assert (found.id, found.severity) == (id, SEVERITIES[id])
    for figure in figures:
        assert figure in found.evidence
    assert found.consequence
    assert found.remedy


def test_the_first_recipe_is_told_how_far_its_rate_would_rise():
    (found,) = findings(config={"warmup_steps": 100})
    assert "8.40e-05 instead of 2.00e-04" in found.consequence  # 42 % of 2e-4
    assert found.remedy == "use --warmup-steps 4"
    assert found.severity == "error"


def test_a_warm_up_as_long_as_the_run_exceeds_it_and_one_less_does_not():
    assert [each.id for each in findings(config={"warmup_steps": 42})] == ["warmup-exceeds-run"]
    assert findings(config={"warmup_steps": 41}) == []


@pytest.mark.parametrize("rate", [2e-5, 5e-3])
def test_usual_learning_rates_are_not_remarked_on(rate):
    assert findings(config={"learning_rate": rate}) == []
    lower = findings(config={"learning_rate": rate / 3 if rate < 1e-4 else rate * 3})
    assert [each.id for each in lower] == ["learning-rate-unusual"]


def test_a_run_without_rows_says_only_that_nothing_is_supervised():
    found = findings(material={"rows": [], "validation": []}, plan={"dropped_rows": 3})
    assert [each.id for each in found] == ["no-supervised-tokens", "rows-dropped"]
    assert "3 dropped" in found[0].evidence


def test_another_turn_end_than_eos_counts_as_an_end():
    ends = [row(n, ids=[10, n, 11, 9]) for n in range(55)]
    assert findings(format={"turn_end_id": 9}, material={"rows": ends}) == []
    (found,) = findings(material={"rows": ends})
    assert found.id == "eos-not-supervised"


def test_a_window_of_a_long_text_needs_no_end():
    windows = [*rows(54), row(60, ids=[10, 61, 11, 12], shortened=True)]
    assert findings(material={"rows": windows}) == []


def test_a_machine_that_does_not_tell_its_free_memory_is_not_too_small():
    assert findings(plan={"available_gib": 0.0}) == []


def memory_remedy(**plan):
    (found,) = findings(plan={"memory_gib": {"total": 9.0}} | plan)
    return found


def test_a_run_that_does_not_fit_is_told_which_settings_would_be_enough():
    found = memory_remedy(
        would_fit=[
            {"batch_size": 2, "gradient_accumulation_steps": 4},
            {"gradient_checkpointing": True},
            {"max_length": 384},
        ]
    )
    assert found.severity == "error"
    assert found.remedy == (
        "use --batch-size 2 --gradient-accumulation-steps 4, or --gradient-checkpointing true, "
        "or --max-length 384"
    )


def test_a_run_that_nothing_alone_makes_fit_is_told_what_to_combine():
    assert "--batch-size 1" in memory_remedy().remedy


def test_a_run_on_a_gpu_is_not_refused_over_an_estimate_that_was_not_measured_there():
    assert memory_remedy(device="cuda").severity == "warning"


def test_several_faults_are_told_together():
    found = findings(config={"warmup_steps": 100, "learning_rate": 0.1}, in_use=True)
    assert [each.id for each in found] == [
        "warmup-exceeds-run",
        "learning-rate-unusual",
        "output-in-use",
    ]
