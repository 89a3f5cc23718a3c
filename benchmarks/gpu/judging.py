"""Figures beside each other: shares of the matrix rate, ratios, and whether targets are reached."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from benchmarks.gpu.contestants import epoch_s, named


class Target(NamedTuple):
    """What is to be reached on one H200."""

    target: str
    japanese: str
    most: float = math.inf
    least: float = 0.0


EPOCH = Target(
    "the epoch of 15,015 rows in at most 75 s", "15,015 行の 1 エポックが 75 秒以内", most=75
)
SHARE = Target(
    "60 % of the matrix rate in bfloat16", "bfloat16 で行列積速度の 60 % 以上", least=0.6
)
FASTER = Target("5 times the recipe on the same card", "同じカードで元のレシピの 5 倍以上", least=5)
PACKED = Target(
    "4-bit within 1.4 times bfloat16", "4 ビットの時間が bfloat16 の 1.4 倍以内", most=1.4
)
TARGETS = (EPOCH, SHARE, FASTER, PACKED)

# Where 16 rows go through the model at once, as in a100-4bit: what differs is the weights.
_BFLOAT16 = ("h200", "h200 compiled", "a100", "a100 compiled")


def with_shares(results: dict[str, dict[str, Any]], rows: int) -> None:
    """Give every result its share of the rates that were measured, and the epoch's seconds."""
    for name, found in results.items():
        if "rows_per_s" not in found:
            continue
        found["epoch_s"] = round(epoch_s(found, rows), 1)
        shape = named(name).shape
        rate = results.get("rate" if shape == "neox-3.6b" else f"{shape} rate", {})
        for which in ("own", "square"):
            if which in rate:
                found[f"share_of_{which}"] = round(found["flops_per_s"] / rate[which], 4)


def judge(results: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Each target, what was found, and "yes", "no" or "not measured"."""
    best = [name for name in _BFLOAT16 if "epoch_s" in results.get(name, {})]
    fastest = min(best, key=lambda name: results[name]["epoch_s"], default="")
    found = {
        EPOCH: _value(results, fastest, "epoch_s"),
        SHARE: _value(results, fastest, "share_of_own"),
        FASTER: _ratio(results, "recipe", fastest),
        PACKED: _ratio(results, "a100-4bit", "h200"),
    }
    return [_verdict(target, value, fastest) for target, value in found.items()]


def _verdict(target: Target, value: float | None, fastest: str) -> dict[str, Any]:
    if value is None:
        reached = "not measured"
    else:
        reached = "yes" if target.least <= value <= target.most else "no"
    found = None if value is None else round(value, 3)
    return {"target": target.target, "found": found, "reached": reached, "by": fastest}


def _value(results: dict[str, dict[str, Any]], name: str, key: str) -> float | None:
    value = results.get(name, {}).get(key)
    return None if value is None else float(value)


def _ratio(results: dict[str, dict[str, Any]], name: str, other: str) -> float | None:
    """How many times as long `name` takes for the same rows as `other`."""
    one, two = _value(results, name, "epoch_s"), _value(results, other, "epoch_s")
    return one / two if one and two else None
