"""The losses of a run as rows of characters."""

from __future__ import annotations

import math

import pytest

from jlora_cli.screen.chart import ASCII, BLOCKS, Losses, bar


def curve(losses, total, first=1):
    made = Losses(first, total)
    for loss in losses:
        made.add(loss)
    return made


def test_a_falling_loss_falls_from_the_left_and_the_rest_of_the_run_is_empty():
    # Constant parts, far enough apart for the average over five steps to forget: 8, 4, 0.
    losses = curve([8.0] * 40 + [4.0] * 40 + [0.0] * 40, total=160)

    rows, high, low = losses.draw(4, 2, BLOCKS)

    # 16 levels in two rows: the greatest fills all, the least one, the one between about half.
    assert rows == ["█▁  ", "██▁ "]
    assert (high, low) == (8.0, pytest.approx(0.0, abs=0.001))


def test_the_curve_is_smoothed_over_five_steps():
    losses = curve([1.0, 2.0], total=2)

    _, high, low = losses.draw(2, 1, BLOCKS)

    # Weights 1 and 4/5: (0.8 x 1 + 2) / 1.8.
    assert (high, low) == (pytest.approx(2.8 / 1.8), 1.0)


def test_a_long_run_is_smoothed_over_a_fiftieth_of_it():
    zigzag = curve([0.0, 2.0] * 500, total=1000)

    _, high, low = zigzag.draw(10, 4, BLOCKS)

    assert 0.9 < low <= high < 1.1


def test_a_short_run_holds_each_step_over_its_columns():
    rows, _, _ = curve([1.0, 0.0], total=2).draw(6, 1, ASCII)

    assert rows == ["###...".replace(".", rows[0][3])]
    assert rows[0][3] != "#"


def test_marks_stand_at_their_step_and_height():
    losses = curve([1.0] * 10, total=10)
    losses.mark(5, 1.0)
    losses.mark(10, 3.0)

    rows, high, low = losses.draw(10, 3, ASCII)

    assert (high, low) == (3.0, 1.0)
    assert rows == ["         o", "          ", "....o....."]


def test_a_resumed_run_begins_in_the_middle_of_its_chart():
    rows, _, _ = curve([1.0, 1.0], total=8, first=5).draw(8, 1, BLOCKS)

    assert rows == ["    ▁▁  "]


def test_what_is_no_number_leaves_the_curve_where_it_was():
    losses = curve([math.nan, 2.0, math.inf], total=4)
    losses.mark(2, math.nan)

    rows, high, low = losses.draw(4, 1, BLOCKS)

    assert (rows, high, low) == ([" ▁▁ "], 2.0, 2.0)


def test_a_chart_without_a_loss_is_empty():
    assert Losses(1, 3).draw(3, 2, BLOCKS) == (["   ", "   "], 0.0, 0.0)


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.0, ("", "----")), (0.5, ("##", "--")), (1.0, ("####", "")), (1.5, ("####", ""))],
)
def test_a_bar_shows_what_is_done_and_what_is_open(share, expected):
    assert bar(share, 4, ASCII) == expected
