"""A plan as the lines of a table: sizes with units, shares as percent, the unknown as a dash."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from jlora_cli.plan import Plan


def plan_rows(plan: Plan) -> list[tuple[str, str]]:
    """The plan's lines in the user's words, memory term by term."""
    rows = []
    for name, value in plan.as_json().items():
        if name == "memory_gib":
            rows += _memory_rows(plan)
        elif name not in _TOLD_WITH_OTHERS:
            shown = _PLAN_VALUES.get(name, _number)(plan, value)
            rows.append((say(f"plan.label.{name}"), shown))
    return rows


def _memory_rows(plan: Plan) -> list[tuple[str, str]]:
    """Memory term by term, those that come to nothing left out."""
    label, key = say("plan.label.memory_gib"), "measured" if plan.measured else "estimated"
    rows = [
        (f"{label}: {say(f'plan.memory.{term}')}", f"{gib:.2f} GiB")
        for term, gib in plan.memory_gib.items()
        if term != "total" and round(gib, 2)
    ]
    total = say(f"plan.total_{key}", size=f"{plan.memory_gib['total']:.2f} GiB")
    return [*rows, (f"{label}: {say('plan.memory.total')}", total)]


_TOLD_WITH_OTHERS = ("trainable_share", "measured", "would_fit")
_PLAN_VALUES: dict[str, Callable[[Plan, Any], str]] = {
    "padding_share": lambda _, share: f"{share:.1%}",
    "trainable_parameters": lambda plan, count: say(
        "plan.share", count=f"{count:,}", share=f"{plan.trainable_share:.2%}"
    ),
    "adapter_mib": lambda _, mib: f"{mib:.1f} MiB",
    "checkpoint_mib": lambda _, mib: f"{mib:.1f} MiB",
    "download_gib": lambda _, gib: f"{gib:.2f} GiB" if gib else say("plan.nothing"),
    "available_gib": lambda _, gib: f"{gib:.2f} GiB" if gib else say("plan.free_unknown"),
    "device": lambda _, device: str(device),
    "tokens_per_second": lambda _, speed: _measured_or(f"{speed:,.0f}" if speed else None),
    "seconds_per_epoch": lambda _, seconds: _measured_or(_duration(seconds)),
    "seconds_total": lambda _, seconds: _measured_or(_finish(seconds)),
}


def _measured_or(text: str | None) -> str:
    return say("plan.to_measure") if text is None else text


def _number(_: Plan, value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _duration(seconds: float | None) -> str | None:
    """As hours, minutes and seconds."""
    return None if seconds is None else str(timedelta(seconds=round(seconds)))


def _finish(seconds: float | None) -> str | None:
    """How long, and when it is done by the clock on the wall."""
    if seconds is None:
        return None
    done = datetime.now().astimezone() + timedelta(seconds=seconds)
    return say("plan.finish", time=_duration(seconds), clock=f"{done:%Y-%m-%d %H:%M}")
