"""The guard stops a run that can no longer end well, before its weights are touched."""

from __future__ import annotations

import math

import pytest
import torch

from jlora_cli.errors import JloraError
from jlora_cli.messages import use_language
from jlora_cli.training.guard import Guard, is_out_of_memory

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


def step(guard, number, norm=1.0, *, scaled=False):
    guard.check_gradient(norm, number, scaled=scaled)
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
    assert refused.value.problem.endswith("行.jsonl:8")


@pytest.mark.parametrize("loss", [0.0, 1e-30, 1e30])
def test_any_number_is_a_loss(loss):
    guard = Guard(Adapted())
    guard.check_loss(loss, 1, ROWS)
    assert guard._skipped == 0


# --- gradients ------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", [math.nan, math.inf])
def test_a_gradient_that_is_no_number_stops_at_once_in_float32(norm):
    with pytest.raises(JloraError, match="gradient of step 4"):
        step(Guard(Adapted()), 4, norm)


def test_in_float16_the_scaler_may_skip_eight_steps_in_a_row_and_not_nine():
    guard = Guard(Adapted())
    for number in range(1, 9):
        step(guard, number, math.inf, scaled=True)
    with pytest.raises(JloraError, match="gradient of step 9"):
        step(guard, 9, math.inf, scaled=True)


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
