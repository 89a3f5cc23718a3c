"""Each fault that makes a dead run is named before it starts; a healthy run is left in peace."""

from __future__ import annotations

import dataclasses

import pytest

from jlora_cli.config import FIELDS, Resolved, RunConfig, Source
from jlora_cli.errors import JloraError
from jlora_cli.finding import SEVERITIES
from jlora_cli.messages import use_language
from jlora_cli.plan import Plan, peak_learning_rate, steps_of
from jlora_cli.preflight import Material, allow, inspect
from jlora_cli.prompt import IGNORED, Encoded, EncodedRows, PromptFormat
from jlora_cli.shape import read_shape

EOS = 2
SHAPE = read_shape({"model_type": "gpt_neox"})
FORMAT = PromptFormat("chat-markdown", "", "keep", False, EOS, EOS, 3)
CONFIG = RunConfig(
    data="rows.jsonl", output="runs/猫", precision="float32", packing=True, max_length=512,
    batch_size=4, epochs=3.0, learning_rate=2e-4, warmup_steps=2,
)  # fmt: skip


def row(number, *, ids=None, labels=None, shortened=False):
    """A row of its own: a prompt of two tokens, an answer of one, and EOS."""
    ids = ids or [10, 100 + number, 11, EOS]
    return Encoded(ids, labels or [IGNORED, IGNORED, *ids[2:]], f"a:{number}", shortened)


def healthy(count=55):
    return [row(number) for number in range(count)]


def planned(config, material, **changes):
    """The plan of these rows on a machine with room to spare."""
    steps = steps_of(config, len(material.train.rows))
    plan = Plan(
        rows=len(material.train.rows),
        tokens=sum(len(each.ids) for each in material.train.rows),
        supervised_tokens=sum(each.supervised for each in material.train.rows),
        padding_share=0.0,
        truncated_rows=0,
        cut_answers=0,
        dropped_rows=0,
        validation_rows=len(material.validation.rows),
        longest_row=4,
        optimizer_steps=steps,
        warmup_steps=config.warmup_steps,
        peak_learning_rate=peak_learning_rate(config, steps),
        trainable_parameters=1000,
        memory_gib={"runtime": 0.6, "total": 1.0},
        available_gib=8.0,
    )
    return dataclasses.replace(plan, **changes)


def material(*, rows=None, validation=None, **changes):
    """What a healthy run trains on: 55 rows, two held out."""
    train = EncodedRows(healthy() if rows is None else rows, [], 0)
    held_out = [row(1000), row(1001)] if validation is None else validation
    made = Material(train, EncodedRows(held_out, [], 0), FORMAT, SHAPE)
    return dataclasses.replace(made, **changes)


def findings(*, config=None, profile=None, plan=None, given=None, in_use=False):
    """What is found where the healthy run is changed in these ways."""
    settings = {"option": config or {}, "profile": profile or {}}
    sources = {name: Source("default") for name in FIELDS}
    for origin, named in settings.items():
        sources |= {name: Source(origin) for name in named}
    changed = dataclasses.replace(CONFIG, **settings["profile"] | settings["option"])
    stuff = material(**(given or {}))
    made = planned(changed, stuff, **(plan or {}))
    return inspect(Resolved(changed, sources), made, stuff, in_use=in_use)


def test_a_healthy_run_is_left_in_peace():
    assert findings() == []


# One planted fault for each id, and the figures that its evidence must show.
FAULTS = {
    "no-supervised-tokens": (
        {"given": {"rows": [row(n, labels=[IGNORED] * 4) for n in range(55)]}},
        ["55"],
    ),
    "eos-not-supervised": (
        {"given": {"rows": [*healthy(52), *(row(n, ids=[10, n, 11, 12]) for n in range(60, 63))]}},
        ["3", "55"],
    ),
    "targets-match-nothing": (
        {
            "config": {"lora_targets": ("c_attn", "dense")},
            "given": {"layers": ("query_key_value", "dense")},
        },
        ["c_attn"],
    ),
    "few-supervised-tokens": (
        {"given": {"rows": [row(n, labels=[IGNORED] * 3 + [EOS]) for n in range(55)]}},
        ["55"],
    ),
    "answers-truncated": (
        {"plan": {"cut_answers": 21}, "config": {"max_length": 256}, "given": {"longest": 903}},
        ["21", "55", "256"],
    ),
    "template-differs": (
        {"given": {"other_template": True}, "config": {"template": "alpaca-ja"}},
        ["alpaca-ja"],
    ),
    "eos-untrained": ({"given": {"untrained_end": "髙"}}, ["2", "髙"]),
    "unused-setting": ({"config": {"max_steps": 42, "epochs": 3.0}}, ["epochs"]),
    "padding-wasted": ({"config": {"packing": False}, "plan": {"padding_share": 0.95}}, ["95%"]),
    "rows-dropped": ({"plan": {"dropped_rows": 7, "longest_row": 510}}, ["7", "510"]),
    # The recipe of FINDINGS: 55 rows in batches of 4, 3 epochs, warm-up 100.
    "warmup-exceeds-run": ({"config": {"warmup_steps": 100}}, ["100", "42"]),
    "too-few-steps": ({"config": {"max_steps": 9}}, ["9"]),
    "few-rows": ({"config": {"epochs": 10.0}, "given": {"rows": healthy(19)}}, ["19"]),
    "learning-rate-unusual": ({"config": {"learning_rate": 6e-3}}, ["0.006"]),
    "duplicate-rows": ({"given": {"rows": [*healthy(53), *healthy(2)]}}, ["2", "55"]),
    "validation-in-training": ({"given": {"validation": [row(3), row(1000)]}}, ["1", "2"]),
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


@pytest.mark.parametrize("rate", [1e-4, 5e-4, 5e-3])
def test_usual_learning_rates_are_not_remarked_on(rate):
    assert findings(config={"learning_rate": rate}) == []


@pytest.mark.parametrize("rate", [5e-5, 1e-2])
def test_a_learning_rate_far_from_what_lora_wants_is(rate):
    assert [each.id for each in findings(config={"learning_rate": rate})] == [
        "learning-rate-unusual"
    ]


def test_a_run_without_rows_says_only_that_nothing_is_supervised():
    found = findings(given={"rows": [], "validation": []}, plan={"dropped_rows": 3})
    assert [each.id for each in found] == ["no-supervised-tokens", "rows-dropped"]
    assert "3 dropped" in found[0].evidence


def test_another_turn_end_than_eos_counts_as_an_end():
    ends = [row(n, ids=[10, n, 11, 9]) for n in range(55)]
    assert (
        findings(given={"rows": ends, "format": dataclasses.replace(FORMAT, turn_end_id=9)}) == []
    )
    (found,) = findings(given={"rows": ends})
    assert found.id == "eos-not-supervised"


def test_a_window_of_a_long_text_needs_no_end():
    windows = [*healthy(54), row(60, ids=[10, 61, 11, 12], shortened=True)]
    assert findings(given={"rows": windows}) == []


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


def test_processes_on_a_cpu_share_its_memory():
    half = {"memory_gib": {"total": 5.0}}  # of the 8 that are free
    assert findings(plan=half) == []
    (found,) = findings(plan=half, config={"processes": 2})
    assert (found.id, "10.0" in found.evidence) == ("memory-exceeded", True)
    assert findings(plan=half | {"device": "cuda"}, config={"processes": 2}) == []


def test_several_faults_are_told_together():
    found = findings(config={"warmup_steps": 100, "learning_rate": 0.1}, in_use=True)
    assert [each.id for each in found] == [
        "warmup-exceeds-run",
        "learning-rate-unusual",
        "output-in-use",
    ]


def test_a_row_that_was_cut_needs_no_end_but_not_all_of_them():
    cut = [row(n, ids=[10, n, 11, 12], shortened=True) for n in range(60, 80)]
    assert findings(given={"rows": [*healthy(35), *cut]}) == []
    (found,) = findings(given={"rows": cut * 2 + cut[:15]}, config={"epochs": 9.0})[:1]
    assert found.id == "eos-not-supervised"
    assert "55 of 55" in found.evidence


# --- settings that nothing reads ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"max_steps": 42, "epochs": 3.0}, "epochs"),
        ({"warmup_steps": 4, "warmup_ratio": 0.1}, "warmup_ratio"),
    ],
)
@pytest.mark.parametrize("hand", ["config", "profile"])
def test_two_settings_of_one_hand_that_exclude_each_other_are_named(settings, named, hand):
    (found,) = findings(**{hand: settings})
    assert (found.id, found.evidence) == ("unused-setting", f"nothing reads {named} in this run")


def test_an_option_may_override_what_the_profile_says():
    assert findings(profile={"epochs": 3.0}, config={"max_steps": 42}) == []
    assert findings(profile={"warmup_ratio": 0.1}, config={"warmup_steps": 4}) == []


def test_early_stopping_without_held_out_rows_is_read_by_nobody():
    patience = {"early_stopping_patience": 2}
    (found,) = findings(profile=patience, given={"validation": []})
    assert found.consequence == "early_stopping_patience needs validation rows."
    assert findings(profile=patience) == []


def test_a_template_means_nothing_to_plain_text():
    asked = {"template": "alpaca-ja", "train_on": "last", "truncate": "drop"}
    (found,) = findings(config=asked, given={"conversations": 0})
    assert found.evidence == "nothing reads template, train_on, truncate in this run"
    assert findings(profile=asked, given={"conversations": 0}) == []
    assert findings(config=asked) == []


# --- what the owner lets pass --------------------------------------------------------------------


def test_an_allowed_error_becomes_a_warning_and_errors_stand_first():
    found = findings(config={"warmup_steps": 100, "learning_rate": 0.1}, in_use=True)
    told = [(each.id, each.severity) for each in allow(found, ["warmup-exceeds-run"])]
    assert told == [
        ("output-in-use", "error"),
        ("warmup-exceeds-run", "warning"),
        ("learning-rate-unusual", "warning"),
    ]


def test_allowing_a_warning_changes_nothing():
    found = findings(config={"learning_rate": 0.1})
    assert allow(found, ["learning-rate-unusual"]) == found


@pytest.mark.parametrize(
    ("id", "said"),
    [("warmup-exceed-run", "did you mean warmup-exceeds-run?"), ("output-in-use", "at all")],
)
def test_what_cannot_be_allowed_is_refused_with_what_can(id, said):
    with pytest.raises(JloraError) as refused:
        allow([], [id])
    assert said in refused.value.problem
    assert "memory-exceeded" in refused.value.remedy
