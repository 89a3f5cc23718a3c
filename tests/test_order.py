"""Every row comes once an epoch, in steps of nearly the same tokens that the seed alone decides."""

from __future__ import annotations

import json
import random
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from jlora_cli.order import epoch_order, micro_batches, steps

DOLLY = Path(__file__).parents[2] / "shared" / "data" / "dolly_ja" / "dolly_like_ja.json"


def lengths_of(count, seed=0):
    """Lengths as those of instructions: most are short, some ten times as long."""
    draw = random.Random(seed)
    return [max(8, min(512, round(draw.lognormvariate(4.8, 0.8)))) for _ in range(count)]


def told(lengths, **settings):
    defaults = {"per_step": 2, "seed": 42, "total_steps": 4}
    return list(steps(lengths, **(defaults | settings)))


def tokens(rows, lengths):
    return sum(lengths[row] for row in rows)


def test_the_same_seed_and_epoch_give_the_same_order():
    assert epoch_order(50, seed=7, epoch=3) == epoch_order(50, seed=7, epoch=3)
    assert epoch_order(50, seed=7, epoch=3) != epoch_order(50, seed=7, epoch=4)
    assert epoch_order(50, seed=7, epoch=3) != epoch_order(50, seed=8, epoch=3)


def test_the_order_is_the_same_on_every_machine_and_in_every_release():
    # Shuffled by CPython 3.11 from the strings "42-0" and "42-0-steps"; a resumed run counts on it.
    assert epoch_order(8, seed=42, epoch=0) == [0, 4, 7, 3, 2, 6, 1, 5]
    assert told([3, 9, 4, 8, 5, 7, 6, 6], total_steps=4) == [[3, 2], [5, 4], [7, 6], [1, 0]]


def test_the_global_random_state_neither_decides_nor_is_changed():
    random.seed(1)
    before = random.getstate()
    first = told(lengths_of(30), total_steps=15)
    assert random.getstate() == before
    random.seed(2)
    assert told(lengths_of(30), total_steps=15) == first


@pytest.mark.parametrize(("count", "per_step"), [(10, 3), (7, 4), (5, 8), (100, 7)])
def test_every_row_comes_once_an_epoch(count, per_step):
    per_epoch = -(-count // per_step)
    made = told(lengths_of(count), per_step=per_step, total_steps=3 * per_epoch)
    assert len(made) == 3 * per_epoch
    for epoch in range(3):
        inside = made[epoch * per_epoch : (epoch + 1) * per_epoch]
        assert sorted(row for step in inside for row in step) == [*range(count)]
        assert all(0 < len(step) <= per_step for step in inside)


def test_a_window_is_a_whole_number_of_steps(monkeypatch):
    monkeypatch.setattr("jlora_cli.order.WINDOW", 10)
    made = told(lengths_of(25), per_step=4, total_steps=7)
    assert sorted(len(step) for step in made) == [1, 4, 4, 4, 4, 4, 4]
    assert sorted(row for step in made for row in step) == [*range(25)]


@pytest.mark.parametrize("total", [1, 2, 5, 13])
def test_there_are_exactly_as_many_steps_as_asked_for(total):
    assert len(told(lengths_of(3), total_steps=total)) == total


def test_without_rows_there_are_no_steps():
    assert told([], total_steps=3) == []


def test_epochs_group_the_rows_differently():
    lengths = lengths_of(64)
    made = told(lengths, per_step=4, total_steps=32)
    first, second = ({frozenset(step) for step in made[at : at + 16]} for at in (0, 16))
    assert len(first & second) < 4


def test_the_rows_of_a_step_do_not_depend_on_how_it_is_split():
    lengths = lengths_of(80)
    whole = told(lengths, per_step=16, total_steps=5)
    for size in (1, 3, 4, 16):
        for packing in (True, False):
            for step in whole:
                parts = micro_batches(step, lengths, size, packing=packing)
                assert sorted(row for part in parts for row in part) == sorted(step)
                assert max(map(len, parts)) <= size
                assert len(parts) == -(-len(step) // size)


@pytest.mark.parametrize("size", [8, 16, 32])
def test_a_batch_of_one_fixed_shape_is_almost_full(size):
    # A corpus like dolly-15k-ja where it is at hand; lengths of the same kind elsewhere. What is
    # not compiled is not filled up at all: then every token of a batch is real.
    if DOLLY.is_file():
        rows = json.loads(DOLLY.read_text(encoding="utf-8"))
        texts = [row["instruction"] + row["input"] + row["output"] for row in rows]
        lengths = [min(512, 20 + len(text) // 2) for text in texts]
    else:
        lengths = lengths_of(4278)
    count = -(-len(lengths) // size)
    made = [tokens(s, lengths) for s in told(lengths, per_step=size, total_steps=count)]
    assert sum(made) == sum(lengths)
    shape = max(made)
    assert sum(made) / (shape * len(lengths) / size) > 0.98


def test_packed_parts_of_a_step_have_nearly_the_same_tokens():
    lengths = lengths_of(64)
    parts = micro_batches(range(64), lengths, 16, packing=True)
    made = [tokens(part, lengths) for part in parts]
    assert max(made) < 1.05 * min(made)


def test_padded_parts_of_a_step_hold_rows_of_like_length():
    lengths = [10, 200, 11, 190, 12, 210]
    assert micro_batches(range(6), lengths, 3, packing=False) == [[5, 1, 3], [4, 2, 0]]


def test_rows_alike_are_not_always_together():
    made = told([9] * 40, per_step=4, total_steps=40)
    pairs = Counter(frozenset((a, b)) for step in made for a in step for b in step if a < b)
    assert len(pairs) > 100
    assert max(pairs.values()) < 4


def test_more_rows_than_a_window_come_in_bounded_pieces():
    lengths = [5 + i % 7 for i in range(70_000)]
    made = steps(lengths, per_step=16, seed=1, total_steps=10_000)
    rows = [row for step in islice(made, 4375) for row in step]
    assert sorted(rows) == [*range(70_000)]
