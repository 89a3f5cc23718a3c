"""The guard stops a run that can no longer end well, before its weights are touched."""

from __future__ import annotations

import math

import pytest
import torch

from jlora_cli.errors import JloraError
from jlora_cli.messages import use_language
from jlora_cli.training.guard import Guard, GuardError, Spill, check_result, is_out_of_memory

ROWS = ("髙﨑.jsonl:12", "𠮷野🐈.jsonl:3")


class Adapted(torch.nn.Module):
    """Two layers of LoRA by name; `lora_B` starts at zero."""

    def __init__(self, *, trained=True):
        super().__init__()
        for name in ("first", "second"):
            layer = torch.nn.Module()
            layer.lora_A = torch.nn.Parameter(torch.ones(2, 2), requires_grad=trained)
            layer.lora_B = torch.nn.Parameter(torch.zeros(2, 2), requires_grad=trained)
            self.add_module(name, layer)


def move(adapted, by=1.0):
    adapted.second.lora_B.data += by


def step(guard, number, norm=1.0, *, scaled=False, scale=2.0**16):
    guard.check_gradient(norm, number, ROWS, scale=scale if scaled else None)
    guard.check_adapter(number)


# --- losses ---------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_names_its_step_and_rows(loss):
    with pytest.raises(JloraError) as refused:
        Guard(Adapted()).check_loss(loss, 7, ROWS)
    assert refused.value.problem == (
        "the loss of step 7 is not a number; its rows: 髙﨑.jsonl:12, 𠮷野🐈.jsonl:3"
    )
    assert "--learning-rate" in refused.value.remedy


def test_the_same_in_japanese():
    use_language("ja")
    with pytest.raises(JloraError, match=r"ステップ 7 の損失.*髙﨑\.jsonl:12"):
        Guard(Adapted()).check_loss(math.nan, 7, ROWS)


def test_of_many_rows_the_first_eight_are_named():
    with pytest.raises(JloraError) as refused:
        Guard(Adapted()).check_loss(math.nan, 1, tuple(f"行.jsonl:{n}" for n in range(1, 33)))
    assert refused.value.problem.endswith(", 行.jsonl:8 and 24 more")
    assert len(refused.value.rows) == 32
    assert refused.value.step == 1


@pytest.mark.parametrize("loss", [0.0, 1e-30, 1e30])
def test_any_number_is_a_loss(loss):
    guard = Guard(Adapted())
    guard.check_loss(loss, 1, ROWS)
    assert guard._skipped == 0


# --- gradients ------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", [math.nan, math.inf])
def test_a_gradient_that_is_no_number_stops_at_once_in_float32(norm):
    with pytest.raises(GuardError) as refused:
        step(Guard(Adapted()), 4, norm)
    assert refused.value.problem == (
        "the gradient of step 4 is not finite; its rows: 髙﨑.jsonl:12, 𠮷野🐈.jsonl:3"
    )
    assert (refused.value.step, refused.value.rows) == (4, ROWS)


def test_in_float16_the_scaler_may_skip_eight_steps_in_a_row_and_not_nine():
    guard = Guard(Adapted())
    for number in range(1, 9):
        step(guard, number, math.inf, scaled=True)
    with pytest.raises(
        GuardError, match="overflowed in 9 steps in a row, the last one 9; its rows"
    ):
        step(guard, 9, math.inf, scaled=True)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_in_float16_an_overflow_at_the_scalers_floor_stops_at_once(scale):
    # At 1 the loss is not scaled at all: nothing is left to lower.
    guard = Guard(Adapted())
    step(guard, 1, math.inf, scaled=True, scale=2.0)
    with pytest.raises(GuardError, match=f"step 2 with its loss scale down at {scale:g}; its rows"):
        step(guard, 2, math.inf, scaled=True, scale=scale)


def test_in_float16_a_small_scale_alone_is_no_fault():
    guard = Guard(Adapted())
    step(guard, 1, 1.0, scaled=True, scale=1.0)
    assert guard._skipped == 0


def test_in_float16_a_good_step_in_between_is_forgiven():
    adapted = Adapted()
    guard = Guard(adapted)
    move(adapted)
    for number in range(1, 41):
        step(guard, number, 1.0 if number % 8 == 0 else math.inf, scaled=True)
    assert guard._skipped == 0


# --- dead adapters --------------------------------------------------------------------------


def test_an_adapter_that_does_not_move_is_dead_after_three_steps():
    guard = Guard(Adapted())
    step(guard, 1)
    step(guard, 2)
    with pytest.raises(JloraError) as refused:
        step(guard, 3)
    assert refused.value.problem == "after 3 steps no adapter weight has moved"
    assert "--lora-targets" in refused.value.remedy


def test_one_moving_tensor_is_enough_and_it_is_looked_at_once():
    adapted = Adapted()
    guard = Guard(adapted)
    step(guard, 1)
    step(guard, 2)
    move(adapted)
    step(guard, 3)
    move(adapted, -1.0)
    for number in range(4, 9):
        step(guard, number)
    assert guard._before == []


def test_steps_that_the_scaler_skipped_are_not_held_against_the_adapter():
    # A float16 run may skip its first steps until the scale fits: nothing can have moved.
    adapted = Adapted()
    guard = Guard(adapted)
    for number in range(1, 6):
        step(guard, number, math.inf, scaled=True)
    step(guard, 6, scaled=True)
    step(guard, 7, scaled=True)
    with pytest.raises(JloraError, match="after 8 steps"):
        step(guard, 8, scaled=True)


@pytest.mark.parametrize("total", [1, 2])
def test_a_run_shorter_than_three_steps_is_judged_at_its_end(total):
    guard = Guard(Adapted(), steps=total)
    for number in range(1, total):
        step(guard, number)
    with pytest.raises(JloraError, match=f"after {total} steps"):
        step(guard, total)


def test_without_trainable_tensors_there_is_nothing_to_watch():
    guard = Guard(Adapted(trained=False))
    for number in range(1, 6):
        step(guard, number)
    assert guard._watched == []


# --- memory ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9.06 GB)"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
    ],
    ids=["cuda", "mps", "cpu", "bug"],
)  # fmt: skip
def test_out_of_memory_is_told_from_a_bug(error, expected):
    assert is_out_of_memory(error) is expected


# --- spilled memory -------------------------------------------------------------------------

USUAL = [1.0, 1.1, 0.9, 1.0, 1.2]  # seconds a token, as far as a made-up machine goes


def spilled(times, free=0.01):
    spill = Spill()
    return [spill.note(seconds, free) for seconds in times]


def test_two_slow_steps_in_a_row_with_full_memory_are_spilled():
    assert spilled([*USUAL, 8.0, 9.0]) == [False] * 6 + [True]


@pytest.mark.parametrize(
    ("times", "free"),
    [
        ([*USUAL, 8.0, 9.0], 0.2),  # something else was slow
        ([*USUAL, 8.0, 1.0, 8.0], 0.01),  # once is no sign
        ([*USUAL, 2.9, 2.9], 0.01),  # longer rows
        ([1.0, 1.0, 8.0, 8.0], 0.01),  # the first steps warm up
    ],
    ids=["room", "once", "long", "early"],
)
def test_anything_else_is_not(times, free):
    assert spilled(times, free) == [False] * len(times)


def test_after_a_change_the_usual_time_is_learned_anew():
    spill = Spill()
    assert [spill.note(seconds, 0.01) for seconds in [*USUAL, 8.0, 8.0]][-1] is True
    spill.begin_anew()
    assert not any(spill.note(8.0, 0.01) for _ in range(6))


# --- results --------------------------------------------------------------------------------


def result(**tensors):
    return {"a.lora_A.weight": torch.ones(2), "a.lora_B.weight": torch.zeros(2), **tensors}


def test_one_lora_b_that_is_not_zero_makes_a_result():
    check_result(result(**{"b.lora_B.weight": torch.tensor([0.0, 1e-9])}))


@pytest.mark.parametrize(
    ("tensors", "problem"),
    [
        ({}, "every lora_B tensor is zero"),
        ({"b.lora_A.weight": torch.tensor([1.0, math.nan])}, "b.lora_A.weight holds"),
        ({"b.lora_B.weight": torch.tensor([1.0, math.inf])}, "b.lora_B.weight holds"),
    ],
    ids=["zero", "nan", "inf"],
)
def test_a_dead_adapter_is_no_result(tensors, problem):
    with pytest.raises(JloraError, match=f"the adapter is no result: {problem}"):
        check_result(result(**tensors))
