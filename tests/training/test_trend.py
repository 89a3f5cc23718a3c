"""Whether the loss falls is judged by rows that can be compared, and told with its cause."""

from __future__ import annotations

import random

import pytest

from jlora_cli.config import RunConfig
from jlora_cli.messages import say
from jlora_cli.training.record import Progress
from jlora_cli.training.step import Taken
from jlora_cli.training.trend import Trend

TOKENS = 100


def config(**settings):
    return RunConfig(**{"warmup_steps": 0, "learning_rate": 2e-4, **settings})


def told(losses, *, per_epoch, tokens=TOKENS, clipped=False, **settings):
    """(step, finding) of each time that the trend of these losses speaks."""
    trend = Trend(config(**settings), per_epoch=per_epoch, total=len(losses))
    progress, spoken = Progress(), []
    for number, loss in enumerate(losses, start=1):
        progress.note(number, Taken(loss, tokens, clipped), rows=1, tokens=TOKENS, seconds=1.0)
        finding = trend.judge(progress)
        if finding is not None:
            spoken.append((number, finding))
    return spoken


def noisy(levels, per_epoch, spread=0.4, seed=1):
    """Losses around a level an epoch, which differ by the rows, in another order each epoch."""
    rows = random.Random(seed)
    own = [rows.gauss(0, spread) for _ in range(per_epoch)]
    own = [each - sum(own) / per_epoch for each in own]
    return [level + each for level in levels for each in rows.sample(own, per_epoch)]


def test_a_loss_that_hardly_falls_over_epochs_is_told_though_rows_differ_more():
    # 3.989 to 3.980 over 42 steps was measured on a run whose rate never left its warm-up.
    spoken = told(noisy([3.989, 3.984, 3.980], 14), per_epoch=14)
    assert [step for step, _ in spoken] == [28, 42]
    assert spoken[0][1].evidence == (
        "the loss does not fall: 3.989 over the first 14 steps, 3.984 over those up to step 28"
    )


@pytest.mark.parametrize("levels", [[2.7, 2.4, 2.2], [4.0, 3.9, 3.85], [2.7, 2.0, 2.0, 2.0]])
def test_a_loss_that_falls_by_a_few_hundredths_of_itself_is_healthy(levels):
    assert told(noisy(levels, 14), per_epoch=14) == []


def test_a_single_epoch_that_falls_and_stays_is_healthy():
    # Quick in its first steps, then flat for long: what one epoch over many rows looks like.
    begin = [2.74 - 0.03 * step for step in range(25)]
    random_rows = random.Random(3)
    rest = [2.0 + random_rows.gauss(0, 0.2) for _ in range(475)]
    assert told([*begin, *rest], per_epoch=500) == []


def test_a_single_flat_epoch_is_told():
    rows = random.Random(5)
    flat = [2.7 + rows.gauss(0, 0.01) for _ in range(90)]
    spoken = told(flat, per_epoch=90)
    assert [step for step, _ in spoken] == [60, 90]  # thirds of 30


def test_a_noisy_single_epoch_is_given_the_benefit_of_the_doubt():
    rows = random.Random(7)
    assert told([2.7 + rows.gauss(0, 0.5) for _ in range(30)], per_epoch=30) == []


@pytest.mark.parametrize("steps", [1, 4, 14])
def test_a_run_of_a_few_steps_of_one_epoch_is_not_judged(steps):
    assert told([3.0] * steps, per_epoch=steps) == []


def test_short_epochs_are_put_together_to_windows_of_five_steps():
    spoken = told([3.0] * 30, per_epoch=2)
    assert Trend(config(), per_epoch=2, total=30).window == 6
    assert [step for step, _ in spoken] == [18, 24, 30]  # from the middle of the run on


def test_a_step_counts_by_its_supervised_tokens():
    trend = Trend(config(), per_epoch=5, total=10)
    progress = Progress()
    # Nine tenths of the tokens fall from 3 to 1; by steps alone the mean would rise.
    for number in range(1, 11):
        many = number % 5 == 0
        loss = (3.0 if number == 5 else 1.0) if many else (2.0 if number < 5 else 4.0)
        taken = Taken(loss, 3600 if many else 100, False)
        progress.note(number, taken, rows=1, tokens=1, seconds=1.0)
        assert trend.judge(progress) is None


@pytest.mark.parametrize(
    ("cause", "how"),
    [
        ("warmup", {"warmup_steps": 100}),
        ("rate_low", {"learning_rate": 1e-6}),
        ("rate_high", {"learning_rate": 0.5}),
        ("few_tokens", {"tokens": 3}),
        ("few_steps", {}),
        ("clipped", {"clipped": True, "steps": 60}),
        ("unknown", {"steps": 60}),
    ],
)
def test_the_likely_cause_follows_from_what_was_seen(cause, how):
    how = dict(how)
    _, finding = told([3.0] * how.pop("steps", 20), per_epoch=10, **how)[0]
    assert finding.remedy == say(f"loss-not-falling.advice.{cause}")
    assert finding.consequence.startswith("Most likely ")
    assert "{" not in finding.consequence


def test_a_loss_that_rises_is_a_rate_too_high():
    _, finding = told(noisy([3.0, 3.2], 10), per_epoch=10)[0]
    assert finding.consequence == "Most likely the learning rate of 0.0002 is too high."
