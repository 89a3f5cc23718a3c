"""Draws a proposal: the plan in a few lines at the start of a run, or the whole of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jlora_cli import screen
from jlora_cli.commands.plan_table import plan_rows
from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    if proposal.from_cache:
        screen.note(say("train.from_cache"))
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
    screen.table([say("train.plan_column"), say("report.value")], plan_rows(proposal.plan))
    columns = [say("audit.column.what"), say("audit.column.figure")]
    screen.table(columns, describe(proposal.tokens))
    screen.heading(say("train.preview"))
    screen.preview(proposal.preview(), to_stderr=False)
    screen.findings(proposal.findings, with_ids=True)


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
