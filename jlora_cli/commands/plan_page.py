"""Draws a proposal: the plan in a few lines at the start of a run, or the whole of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from jlora_cli import screen
from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jlora_cli.plan import Plan
    from jlora_cli.proposal import Proposal, Trial


def brief_plan(proposal: Proposal) -> None:
    """The plan in a few lines, on stderr, at the start of every run."""
    from jlora_cli.audit import brief

    plan = proposal.plan
    screen.note(say("train.profile", name=proposal.profile, reason=proposal.profile_reason))
    screen.note(
        say(
            "train.plan",
            rows=plan.rows,
            tokens=f"{plan.tokens:,}",
            supervised=f"{plan.supervised_tokens:,}",
            steps=plan.optimizer_steps,
            warmup=plan.warmup_steps,
            rate=f"{plan.peak_learning_rate:.1e}",
            memory=f"{plan.memory_gib['total']:.1f}",
            free=f"{plan.available_gib:.1f}",
        )
    )
    screen.note(say("train.settings", settings=_settings_in_short(proposal)))
    screen.note(brief(proposal.tokens))
    screen.preview(proposal.preview()[:1], to_stderr=True)
    if proposal.findings:
        screen.findings(proposal.findings, to_stderr=True, with_ids=True)


def _settings_in_short(proposal: Proposal) -> str:
    """The settings that are not jlora's own defaults, each with its source."""
    entries = proposal.resolved.as_json().items()
    return ", ".join(
        f"{name} {_text(entry['value'])} ({entry['source']})"
        for name, entry in entries
        if entry["source"] != "default"
    )


def show_plan(proposal: Proposal) -> None:
    """Every setting with its source, the plan, the audit, a preview and the findings, on stdout."""
    from jlora_cli.audit import describe

    screen.heading(say("train.profile", name=proposal.profile, reason=proposal.profile_reason))
    rows = [
        (name, _text(entry["value"]), entry["source"], entry["reason"])
        for name, entry in proposal.resolved.as_json().items()
    ]
    columns = ["report.setting", "report.value", "report.source", "report.reason"]
    screen.table([say(key) for key in columns], rows)
    screen.table([say("train.plan_column"), say("report.value")], _plan_rows(proposal.plan))
    columns = [say("audit.column.what"), say("audit.column.figure")]
    screen.table(columns, describe(proposal.tokens))
    screen.heading(say("train.preview"))
    screen.preview(proposal.preview(), to_stderr=False)
    screen.findings(proposal.findings, with_ids=True)


def _plan_rows(plan: Plan) -> list[tuple[str, str]]:
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


def _text(value: object) -> str:
    """A setting's value as a profile would write it; a dash for none."""
    if isinstance(value, list):
        return ",".join(map(str, value)) or "–"
    if isinstance(value, bool):
        return str(value).lower()
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def show_trials(trials: Sequence[Trial]) -> None:
    """What `--try` would train, run by run, on stdout."""
    columns = ["try.number", "try.settings", "try.steps", "plan.label.peak_learning_rate"]
    rows = [
        (number, trial.name, plan.optimizer_steps, f"{plan.peak_learning_rate:g}")
        for number, trial in enumerate(trials, start=1)
        for plan in [trial.proposal.plan]
    ]
    screen.table([say(key) for key in columns], rows)


def show_results(record: dict[str, Any]) -> None:
    """What the runs of `--try` came to, the best marked, on stdout."""
    columns = ["number", "settings", "validation", "loss", "steps", "seconds"]
    rows = []
    for number, one in enumerate(record["tries"], start=1):
        named = ", ".join(f"{name}={value}" for name, value in one["settings"].items())
        losses = [f"{one[key]:.4f}" for key in ("validation_loss", "train_loss")]
        mark = " ✓" if number == record["best_try"] else ""
        rows.append((f"{number}{mark}", named, *losses, one["optimizer_steps"], one["seconds"]))
    screen.table([say(f"try.{name}") for name in columns], rows)
