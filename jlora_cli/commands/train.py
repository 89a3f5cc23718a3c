"""`jlora train`: settings -> a finished run folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from jlora_cli import screen
from jlora_cli.commands.options import Json, with_setting_options
from jlora_cli.commands.plan_table import plan_rows
from jlora_cli.errors import JloraError, refuse
from jlora_cli.messages import say

if TYPE_CHECKING:
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
    screen.table([say("train.plan_column"), say("report.value")], plan_rows(proposal.plan))
    columns = [say("audit.column.what"), say("audit.column.figure")]
    screen.table(columns, describe(proposal.tokens))
    screen.findings(proposal.findings)


def _text(value: object) -> str:
    """A setting's value as a profile would write it; a dash for none."""
    if isinstance(value, list):
        return ",".join(map(str, value)) or "–"
    if isinstance(value, bool):
        return str(value).lower()
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
