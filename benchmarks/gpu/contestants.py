"""Who is measured, in which order, and how long each may take."""

from __future__ import annotations

import importlib.util
import math
from typing import Any, NamedTuple

from benchmarks.gpu.rows import Lengths, make_lengths
from benchmarks.gpu.shapes import shape_of
from benchmarks.gpu.timing import Pace
from jlora_cli.shape import read_shape

NEOX, QWEN = "neox-3.6b", "qwen3-8b"
RATE_ROWS = 16  # of a micro-batch whose products the rate is measured at


class Contestant(NamedTuple):
    """side: what measures it. box_s: seconds after which its process is ended, imports included.

    needs: a package without which it is skipped.
    """

    name: str
    side: str
    shape: str = NEOX
    profile: str = ""
    options: dict[str, object] = {}  # noqa: RUF012 - never written to
    box_s: int = 90
    needs: str = ""


# What would be missed most comes first.
CONTESTANTS = (
    Contestant("rate", "rate", box_s=60),
    Contestant("recipe", "recipe", needs="bitsandbytes"),
    Contestant("h200", "own", profile="h200", options={"compile": False}),
    Contestant("a100-4bit", "own", profile="a100-4bit", needs="bitsandbytes"),
    Contestant("a100", "own", profile="a100", options={"compile": False}),
    Contestant("h200 compiled", "own", profile="h200", options={"compile": True}, box_s=150),
    Contestant("qwen3-8b rate", "rate", QWEN, box_s=60),
    Contestant(
        "qwen3-8b 4bit",
        "own",
        QWEN,
        profile="a100-4bit",
        options={"lora_targets": "attention", "model": "Qwen/Qwen3-8B"},
        needs="bitsandbytes",
    ),
    Contestant("qwen3-8b trl", "trl", QWEN, needs="trl"),
    Contestant("qwen3-8b unsloth", "unsloth", QWEN, needs="unsloth", box_s=150),
    Contestant("agreement", "agreement", box_s=120),
    # 32 rows in one pass instead of two: whether the profile should.
    Contestant(
        "h200 32x1",
        "own",
        profile="h200",
        options={"compile": False, "batch_size": 32, "gradient_accumulation_steps": 1},
    ),
    Contestant("a100 compiled", "own", profile="a100", options={"compile": True}, box_s=150),
)


def named(name: str) -> Contestant:
    """The contestant called `name`."""
    return next(each for each in CONTESTANTS if each.name == name)


def lack_of(contestant: Contestant, *, tiny: bool) -> str:
    """Why this contestant cannot be measured here; empty where it can."""
    if contestant.needs and importlib.util.find_spec(contestant.needs) is None:
        return f"{contestant.needs} is not installed"
    return "needs a GPU" if tiny and contestant.options.get("compile") is True else ""


def measure(contestant: Contestant, *, tiny: bool = False) -> dict[str, Any]:
    """The figures of one contestant, in this process."""
    device, made_of = "cpu" if tiny else "cuda", shape_of(contestant.shape, tiny=tiny)
    lengths, pace = rows_for(tiny=tiny), Pace(1, 2, 20.0) if tiny else Pace()
    if contestant.side == "rate":
        from benchmarks.gpu.rate import matrix_rates  # noqa: PLC0415 - torch, where it is needed

        tokens = RATE_ROWS * round(sum(lengths.lengths) / len(lengths.lengths))
        return dict(matrix_rates(read_shape(made_of), tokens, device, tiny=tiny))
    if contestant.side == "recipe":
        from benchmarks.gpu import recipe  # noqa: PLC0415

        return dict(recipe.measure(made_of, lengths, device, pace, cut=32 if tiny else recipe.CUT))
    if contestant.side in ("trl", "unsloth"):
        from benchmarks.gpu import others  # noqa: PLC0415

        train = others.with_trl if contestant.side == "trl" else others.with_unsloth
        return dict(train(made_of, lengths, device, pace))
    return _own(contestant, made_of, lengths, device, pace)


def _own(
    contestant: Contestant, made_of: dict[str, Any], lengths: Lengths, device: str, pace: Pace
) -> dict[str, Any]:
    from benchmarks.gpu import own  # noqa: PLC0415 - torch, where it is needed

    if contestant.side == "agreement":
        how = {"backend": "aot_eager"} if device == "cpu" else {}
        return dict(own.agreement(made_of, lengths, device, **how))
    profile, options = contestant.profile, contestant.options
    return dict(own.measure(profile, options, made_of, lengths, device, pace))


def rows_for(*, tiny: bool) -> Lengths:
    """The rows of the epoch, or a few short ones."""
    return make_lengths(320, mean=20, longest=64) if tiny else make_lengths()


def epoch_s(figures: dict[str, Any], rows: int) -> float:
    """Seconds that an epoch of `rows` would take at the pace of `figures`."""
    rate = figures.get("rows_per_s") or 0.0
    return rows / rate if rate else math.inf
