"""Steps, tokens and memory are those of a run; every expected number is derived beside it."""

from __future__ import annotations

import dataclasses
import json

import pytest

from jlora_cli.config import RunConfig, resolve
from jlora_cli.machine import Gpu, Machine, TorchBuild
from jlora_cli.order import steps
from jlora_cli.plan import (
    make_plan,
    peak_learning_rate,
    settle_for_data,
    settle_max_length,
    steps_of,
)
from jlora_cli.prompt import IGNORED, Encoded, EncodedRows
from jlora_cli.shape import read_shape
from tests.model_configs import GPT2, NEOX

LAPTOP = Machine("Linux", "3.11.7", True, "", 2, 16.0, 7.128, 100.0)
A100 = Machine(
    "Linux", "3.11.7", True, "", 8, 100.0, 90.0, 500.0,
    gpus=(Gpu("A100", 40.0, 38.5, (8, 0)),),
    torch=TorchBuild("2.11.0", "cu126", True, ("sm_80",)),
)  # fmt: skip


def settled(**values):
    """A config without "auto", as a plan needs it."""
    fixed = {"precision": "float32", "packing": True, "warmup_steps": 0, "max_length": 512}
    return RunConfig(**(fixed | {"gradient_checkpointing": False, "data": "rows.jsonl"} | values))


def rows_of(*lengths, dropped=(), shortened=0):
    """Rows of these lengths, the first half of each a prompt."""
    rows = [
        Encoded([7] * n, [IGNORED] * (n // 2) + [7] * (n - n // 2), f"rows.jsonl:{at}")
        for at, n in enumerate(lengths, start=1)
    ]
    return EncodedRows(rows, list(dropped), shortened)


# --- steps -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "rows", "steps"),
    [
        ({"batch_size": 4, "epochs": 3.0}, 55, 42),  # 3 x 14: thirteen full batches and one of 3
        ({"batch_size": 4, "gradient_accumulation_steps": 2, "epochs": 3.0}, 55, 21),  # 3 x 7
        ({"batch_size": 16, "gradient_accumulation_steps": 2, "epochs": 1.0}, 15_015, 470),
        ({"batch_size": 4, "processes": 2, "epochs": 3.0}, 55, 21),  # eight rows a step
        ({"batch_size": 8, "epochs": 1.0}, 16, 2),  # no partial batch
        ({"batch_size": 8, "epochs": 1.0}, 17, 3),
        ({"batch_size": 4, "epochs": 0.5}, 55, 7),  # half of 14
        ({"batch_size": 4, "epochs": 0.01}, 55, 1),
        ({"batch_size": 64, "epochs": 2.0}, 3, 2),  # a batch larger than the data
        ({"batch_size": 4, "epochs": 3.0, "max_steps": 5}, 55, 5),
        ({"batch_size": 4}, 0, 0),
    ],
)
def test_steps_are_counted_by_hand(settings, rows, steps):
    assert steps_of(settled(**settings), rows) == steps


@pytest.mark.parametrize(
    ("rows", "batch", "accumulation", "epochs", "planned"),
    [(55, 4, 1, 3.0, 42), (55, 4, 2, 3.0, 21), (9, 4, 2, 0.5, 1)],
)
def test_the_training_loop_takes_the_planned_steps(rows, batch, accumulation, epochs, planned):
    config = settled(batch_size=batch, gradient_accumulation_steps=accumulation, epochs=epochs)
    total = steps_of(config, rows)
    order = steps([9] * rows, per_step=batch * accumulation, seed=1, total_steps=total)
    assert len(list(order)) == total == planned


def settle(rows=55, validation_rows=5, **options):
    return settle_for_data(resolve(None, options), rows=rows, validation_rows=validation_rows)


def test_warm_up_is_its_share_of_the_run():
    made = settle(batch_size=4, epochs=3.0, warmup_ratio=0.1)
    assert made.config.warmup_steps == 4  # a tenth of 42 steps
    assert made.sources["warmup_steps"].origin == "auto"
    assert made.sources["warmup_steps"].reason == "10% of 42 steps"


@pytest.mark.parametrize(("ratio", "steps", "warmup"), [(1.0, 10, 9), (0.5, 1, 0), (0.0, 9, 0)])
def test_warm_up_leaves_at_least_one_step_at_the_peak(ratio, steps, warmup):
    assert settle(warmup_ratio=ratio, max_steps=steps).config.warmup_steps == warmup


def test_validation_and_checkpoints_follow_the_epochs():
    made = settle(batch_size=4, epochs=3.0)  # 14 steps an epoch
    assert (made.config.evaluation_steps, made.config.checkpoint_steps) == (14, 14)
    assert made.sources["evaluation_steps"].reason == "once an epoch"
    long = settle(batch_size=4, epochs=30.0).config  # 420 steps: a checkpoint every tenth of it
    assert (long.evaluation_steps, long.checkpoint_steps) == (14, 42)
    short = settle(batch_size=4, max_steps=3).config
    assert (short.evaluation_steps, short.checkpoint_steps) == (3, 3)
    assert settle(validation_rows=0).sources["evaluation_steps"].reason == "no validation rows"


def test_what_was_asked_for_is_not_settled_again():
    made = settle(warmup_steps=100, evaluation_steps=7, checkpoint_steps=9)
    config = made.config
    assert (config.warmup_steps, config.evaluation_steps, config.checkpoint_steps) == (100, 7, 9)
    assert made.sources["warmup_steps"].origin == "option"


def test_an_empty_data_set_settles_too():
    config = settle(rows=0, validation_rows=0).config
    assert (config.warmup_steps, config.evaluation_steps, config.checkpoint_steps) == (0, 1, 1)


@pytest.mark.parametrize(
    ("warmup", "steps", "reached"),
    [
        (100, 42, 0.42),  # the recipe of FINDINGS: a warm-up longer than the run
        (100, 100, 1.0),
        (10, 42, 1.0),
        (0, 42, 1.0),
    ],
)
def test_peak_learning_rate_is_what_the_run_reaches(warmup, steps, reached):
    config = settled(warmup_steps=warmup, learning_rate=2e-4)
    assert peak_learning_rate(config, steps) == pytest.approx(reached * 2e-4)


# --- length ----------------------------------------------------------------------------------


def test_max_length_is_the_context_where_nothing_is_asked():
    made = settle_max_length(resolve(None, {}), 1024)
    assert made.config.max_length == 1024
    assert made.sources["max_length"].reason == "the model's context"


def test_max_length_is_capped_by_the_context_with_a_reason():
    made = settle_max_length(resolve(None, {"max_length": 4096}), 1024)
    assert made.config.max_length == 1024
    assert made.sources["max_length"].origin == "auto"
    assert made.sources["max_length"].reason == "the model's context; 4096 was asked for"


def test_a_max_length_that_fits_stays_as_asked():
    resolved = resolve(None, {"max_length": 1024})
    assert settle_max_length(resolved, 1024) == resolved


# --- the plan ----------------------------------------------------------------------------------


def test_plan_counts_what_is_trained():
    train = rows_of(10, 20, 6, 4, dropped=["rows.jsonl:9"], shortened=2)
    config = settled(batch_size=2, epochs=2.0, warmup_steps=1, learning_rate=1e-3)
    plan = make_plan(config, read_shape(GPT2), LAPTOP, train, validation_rows=3)
    assert (plan.rows, plan.tokens, plan.supervised_tokens) == (4, 40, 20)
    assert (plan.truncated_rows, plan.dropped_rows, plan.cut_answers) == (2, 1, 0)
    assert (plan.longest_row, plan.validation_rows) == (20, 3)
    assert (plan.optimizer_steps, plan.warmup_steps, plan.peak_learning_rate) == (4, 1, 1e-3)
    assert plan.memory_gib["total"] == pytest.approx(
        sum(value for name, value in plan.memory_gib.items() if name != "total"), abs=1e-3
    )
    assert plan.available_gib == 7.13  # the laptop's free memory
    assert json.loads(json.dumps(plan.as_json())) == plan.as_json()


def test_padding_is_the_share_of_filled_up_places():
    def share(**settings):
        config = settled(batch_size=2, gradient_accumulation_steps=3, **settings)
        return make_plan(
            config, read_shape(GPT2), LAPTOP, rows_of(10, 20, 6, 4, 8), validation_rows=0
        )

    # Within the step, rows of like length: (20, 10), (8, 6), (4): 40 + 16 + 4 places for 48 tokens.
    assert share(packing=False).padding_share == 0.2
    assert share(packing=True).padding_share == 0.0


def test_an_empty_data_set_has_an_empty_plan():
    plan = make_plan(settled(packing=False), read_shape(GPT2), LAPTOP, rows_of(), validation_rows=0)
    assert (plan.rows, plan.optimizer_steps, plan.longest_row) == (0, 0, 0)
    assert (plan.padding_share, plan.memory_gib["activations"]) == (0.0, 0.0)
    assert plan.epochs == 0.0


def test_a_gpus_free_memory_is_what_counts_on_a_gpu():
    plan = make_plan(settled(), read_shape(GPT2), A100, rows_of(8), validation_rows=0)
    assert plan.available_gib == 38.5


def test_sizes_of_the_first_recipe_by_hand():
    config = settled(lora_r=8, lora_targets=("c_attn",), optimizer="adamw")
    plan = make_plan(config, read_shape(GPT2), LAPTOP, rows_of(8), validation_rows=0)
    assert plan.trainable_parameters == 786_432  # see test_shape
    assert plan.base_parameters == pytest.approx(336e6, rel=0.01)
    assert plan.trainable_share == pytest.approx(786_432 / 337e6, rel=0.01)
    assert plan.adapter_mib == 3.0  # 4 bytes of each: float32
    assert plan.checkpoint_mib == pytest.approx(9.0, abs=0.1)  # and AdamW's two averages
    assert plan.download_gib == 0.0
    watched = settled(
        lora_r=8, lora_targets=("c_attn",), optimizer="adamw", early_stopping_patience=1
    )
    best = make_plan(watched, read_shape(GPT2), LAPTOP, rows_of(8), validation_rows=0)
    assert best.checkpoint_mib == pytest.approx(12.0, abs=0.1)  # and the best adapter


def test_a_base_that_is_not_here_is_downloaded_as_it_is_stored():
    shape = read_shape(NEOX | {"torch_dtype": "float16"})
    plan = make_plan(settled(), shape, LAPTOP, rows_of(8), validation_rows=0, weights_here=False)
    assert plan.download_gib == pytest.approx(3.6e9 * 2 / 2**30, rel=0.01)


def test_epochs_are_those_asked_for_or_what_max_steps_comes_to():
    def epochs(**settings):
        config = settled(batch_size=2, **settings)
        return make_plan(
            config, read_shape(GPT2), LAPTOP, rows_of(8, 8, 8, 8), validation_rows=0
        ).epochs

    assert epochs(epochs=3.0) == 3.0
    assert epochs(max_steps=5) == 2.5  # two steps an epoch
    assert epochs(epochs=3.0, processes=2) == 3.0
    assert epochs(max_steps=5, processes=2) == 5.0


def test_times_are_unknown_until_they_are_measured():
    config = settled(batch_size=2, epochs=3.0)
    plan = make_plan(config, read_shape(GPT2), LAPTOP, rows_of(40, 60), validation_rows=0)
    assert (plan.measured, plan.tokens_per_second, plan.seconds_per_epoch) == (False, None, None)
    told = plan.with_measured(peak_gib=1.23456, tokens_per_second=50.0)
    assert (told.measured, told.memory_gib["total"]) == (True, 1.2346)
    assert (told.tokens_per_second, told.seconds_per_epoch) == (50.0, 2.0)  # 100 tokens
    assert told.seconds_total == 6.0
    shared = plan.with_measured(peak_gib=1.0, tokens_per_second=50.0, processes=2)
    assert (shared.seconds_per_epoch, shared.seconds_total) == (1.0, 3.0)
    terms = {name: gib for name, gib in plan.memory_gib.items() if name != "total"}
    assert terms.items() <= told.memory_gib.items()


def test_a_run_that_does_not_fit_names_what_would_be_enough():
    rows = rows_of(*[400] * 8)
    config = settled(batch_size=8, gradient_accumulation_steps=2, optimizer="adamw")

    def plan(free_gib):
        machine = dataclasses.replace(LAPTOP, free_memory_gib=free_gib)
        return make_plan(config, read_shape(GPT2), machine, rows, validation_rows=0)

    fits, short, tiny = plan(16.0), plan(7.0), plan(0.5)
    assert (fits.would_fit, tiny.would_fit, plan(0.0).would_fit) == ([], [], [])
    assert short.memory_gib["total"] > 7.0
    assert short.would_fit == [
        {"batch_size": 4, "gradient_accumulation_steps": 4},
        {"gradient_checkpointing": True},
    ]
    smaller = dataclasses.replace(config, batch_size=4, gradient_accumulation_steps=4)
    machine = dataclasses.replace(LAPTOP, free_memory_gib=8.0)
    changed = make_plan(smaller, read_shape(GPT2), machine, rows, validation_rows=0)
    assert changed.memory_gib["total"] <= 8.0
    assert changed.optimizer_steps == short.optimizer_steps
