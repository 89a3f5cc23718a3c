"""`jlora train`: settings -> a finished run folder."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jlora_cli import screen
from jlora_cli.commands.options import Json, with_setting_options
from jlora_cli.errors import JloraError, refuse
from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from jlora_cli.plan import Plan
    from jlora_cli.proposal import Proposal

SIGNAL_EXIT = 128  # a shell's convention: 128 + the signal's number


@with_setting_options
def train(
    profile: Annotated[str, typer.Option("--profile", help=say("help.train.profile"))] = "auto",
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help=say("help.train.set"))
    ] = None,
    from_adapter: Annotated[
        str | None,
        typer.Option("--from-adapter", metavar="SOURCE", help=say("help.train.from_adapter")),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=say("help.train.dry_run"))] = False,
    measure: Annotated[bool, typer.Option("--measure", help=say("help.train.measure"))] = False,
    resume: Annotated[bool, typer.Option("--resume", help=say("help.train.resume"))] = False,
    json: Json = False,
    **settings: Any,
) -> None:
    """Options -> a proposal; shown, then run unless it is refused or only a rehearsal."""
    from jlora_cli.machine import read_machine
    from jlora_cli.proposal import propose

    proposal = propose(profile, {**settings, **_pairs(set_ or [], settings)}, read_machine())
    if resume:
        proposal = proposal.for_resume()
    for text in proposal.warnings:
        screen.warn(text)
    if measure and not proposal.refused:
        proposal = _measured(proposal)
    if dry_run:
        _show(proposal, json=json)
        raise typer.Exit(1 if proposal.refused else 0)
    if proposal.refused:
        if json:
            screen.json_out({"status": "refused", **proposal.as_json()})
        raise _refusal(proposal)
    _brief(proposal)
    _run(proposal, resume=resume, from_adapter=from_adapter, json=json)


def _measured(proposal: Proposal) -> Proposal:
    """The same with the memory and speed of a few real steps."""
    from jlora_cli.machine import require_training_packages

    require_training_packages()
    from jlora_cli.training.measuring import measure

    with screen.Teller() as teller:
        peak_gib, speed = measure(proposal, teller.notify)
    return proposal.with_measured(peak_gib=peak_gib, tokens_per_second=speed)


def _refusal(proposal: Proposal) -> JloraError:
    """The first error as a refusal; what else was found is shown before it."""
    first = next(item for item in proposal.findings if item.severity == "error")
    others = [item for item in proposal.findings if item is not first]
    screen.findings(others, to_stderr=True)
    problem = say("train.refused", id=first.id, what=first.evidence, why=first.consequence)
    return JloraError(problem, remedy=first.remedy)


def _pairs(texts: list[str], settings: dict[str, Any]) -> dict[str, str]:
    """`--set KEY=VALUE`s as options."""
    pairs: dict[str, str] = {}
    for text in texts:
        name, found, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not found or not name:
            raise refuse("settings.bad_set", text=text)
        if settings.get(name) is not None or name in pairs:
            raise refuse("settings.set_twice", name=name)
        pairs[name] = value.strip()
    return pairs


def _run(proposal: Proposal, *, resume: bool, from_adapter: str | None, json: bool) -> None:
    from jlora_cli.machine import require_training_packages

    require_training_packages()
    from jlora_cli.audit import stock_note
    from jlora_cli.training.session import train as run_training

    proposal = proposal.with_stock_parity()
    screen.note(stock_note(proposal.tokens["stock_parity"]))
    with screen.Teller() as teller:
        record = run_training(proposal, teller.notify, resume=resume, from_adapter=from_adapter)
    if json:
        screen.json_out(record)
    if record["status"] == "interrupted":
        screen.note(
            say("train.interrupted", output=record["output"], step=proposal.plan.optimizer_steps)
        )
        raise typer.Exit(SIGNAL_EXIT + int(record["signal"]))
    result = record["result"]
    screen.note(
        say(
            "train.finished",
            first=f"{result['first_loss']:.3f}",
            last=f"{result['train_loss']:.3f}",
            steps=result["optimizer_steps"],
            seconds=f"{result['seconds']:.0f}",
            output=record["output"],
        )
    )


def _brief(proposal: Proposal) -> None:
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
    screen.note(brief(proposal.tokens))
    if proposal.findings:
        screen.findings(proposal.findings, to_stderr=True)


def _show(proposal: Proposal, *, json: bool) -> None:
    from jlora_cli.audit import describe

    if json:
        screen.json_out(proposal.as_json())
        return
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
    screen.findings(proposal.findings)


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
