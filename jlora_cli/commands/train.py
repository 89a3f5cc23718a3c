"""`jlora train`: settings -> a finished run folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jlora_cli import screen
from jlora_cli.commands.options import Json, with_setting_options
from jlora_cli.commands.plan_page import brief_plan, show_plan, show_results, show_trials
from jlora_cli.errors import JloraError, refuse
from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jlora_cli.proposal import Proposal, Trial

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
    allow: Annotated[
        list[str] | None, typer.Option("--allow", metavar="ID", help=say("help.train.allow"))
    ] = None,
    try_: Annotated[
        list[str] | None, typer.Option("--try", metavar="KEY=A,B", help=say("help.train.try"))
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=say("help.train.dry_run"))] = False,
    measure: Annotated[bool, typer.Option("--measure", help=say("help.train.measure"))] = False,
    resume: Annotated[bool, typer.Option("--resume", help=say("help.train.resume"))] = False,
    json: Json = False,
    **settings: Any,
) -> None:
    """Options -> a proposal; shown, then run unless it is refused or only a rehearsal."""
    # torchrun starts this command as often as there are processes; the first one speaks.
    screen.be_silent(int(os.environ.get("RANK", "0")) > 0)
    options = {**settings, **_pairs(set_ or [], settings)}
    proposal = _proposed(profile, options, allow or [], json=json)
    if resume:
        proposal = proposal.for_resume()
    for text in proposal.warnings:
        screen.warn(text)
    if measure and not proposal.refused:
        proposal = _measured(proposal)
    trials = _trials(proposal, try_ or [], resume=resume)
    judged = [trial.proposal for trial in trials] or [proposal]
    if dry_run:
        _rehearse(proposal, trials, json=json)
        raise typer.Exit(1 if any(one.refused for one in judged) else 0)
    for one in judged:
        _stop_refused(one, json=json)
    brief_plan(proposal)
    if trials:
        _try(proposal, trials, from_adapter=from_adapter, json=json)
    else:
        _run(proposal, resume=resume, from_adapter=from_adapter, json=json)


def _proposed(profile: str, options: dict[str, Any], allowed: list[str], *, json: bool) -> Proposal:
    from jlora_cli.machine import read_machine
    from jlora_cli.preflight import FindingError
    from jlora_cli.proposal import propose

    try:
        return propose(profile, options, read_machine(), allowed=allowed)
    except FindingError as error:
        if json:
            screen.json_out({"status": "refused", "findings": [error.finding.as_json()]})
        raise


def _trials(proposal: Proposal, texts: list[str], *, resume: bool) -> list[Trial]:
    from jlora_cli.proposal import make_trials

    if texts and resume:
        raise refuse("try.not_with", option="--resume")
    return make_trials(proposal, texts) if texts else []


def _rehearse(proposal: Proposal, trials: list[Trial], *, json: bool) -> None:
    """The plan, and those of the trials, on stdout."""
    if json:
        tries = [
            {"settings": trial.settings, "plan": trial.proposal.plan.as_json()} for trial in trials
        ]
        screen.json_out(proposal.as_json() | ({"tries": tries} if tries else {}))
        return
    show_plan(proposal)
    if trials:
        show_trials(trials)


def _stop_refused(proposal: Proposal, *, json: bool) -> None:
    if proposal.refused:
        if json:
            screen.json_out({"status": "refused", **proposal.as_json()})
        raise _refusal(proposal)


def _measured(proposal: Proposal) -> Proposal:
    """The same with the memory and speed of a few real steps."""
    _import_for(proposal)
    from jlora_cli.training.measuring import measure

    with screen.Teller() as teller:
        peak_gib, speed = measure(proposal, teller.notify)
    return proposal.with_measured(peak_gib=peak_gib, tokens_per_second=speed)


def _import_for(proposal: Proposal) -> None:
    """Import torch and transformers; of them only what `proposal` needs.

    Raises:
        JloraError: a package is missing.
    """
    from jlora_cli.lean_imports import import_lean, spare_bitsandbytes
    from jlora_cli.machine import require_training_packages

    require_training_packages()
    config = proposal.config
    if config.processes == 1 and config.compile is not True:
        import_lean()
        if config.optimizer == "adamw":
            spare_bitsandbytes(config.quantization)


def _refusal(proposal: Proposal) -> JloraError:
    """The first error as a refusal; what else was found is shown before it."""
    from jlora_cli.preflight import FindingError

    first = next(item for item in proposal.findings if item.severity == "error")
    others = [item for item in proposal.findings if item is not first]
    screen.findings(others, to_stderr=True, with_ids=True)
    return FindingError(first)


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


def _try(proposal: Proposal, trials: list[Trial], *, from_adapter: str | None, json: bool) -> None:
    _import_for(proposal)
    from jlora_cli.training.trying import try_all

    output = Path(proposal.config.output or "")
    with screen.Teller() as teller:
        record = try_all(output, trials, teller.notify, from_adapter=from_adapter)
    if json:
        screen.json_out(record)
    _stop_interrupted(record, trials)
    if not json:
        show_results(record)
    best = trials[record["best_try"] - 1].name
    screen.note(say("try.best", settings=best, output=output, tries=output / "tries"))


def _stop_interrupted(record: dict[str, Any], trials: Sequence[Trial] = ()) -> None:
    """End with the signal's exit code where a run was interrupted."""
    from jlora_cli.machine import command_line

    if record["status"] != "interrupted":
        return
    words = ["--resume", "--output", record["output"]]
    mine = [one.settings for one in trials if one.proposal.config.output == record["output"]]
    for name, value in (pair for settings in mine for pair in settings.items()):
        words += ["--set", f"{name}={value}"]
    key = "try.interrupted" if trials else "train.interrupted"
    screen.note(say(key, words=command_line(words)))
    raise typer.Exit(SIGNAL_EXIT + int(record["signal"]))


def _run(proposal: Proposal, *, resume: bool, from_adapter: str | None, json: bool) -> None:
    _import_for(proposal)
    from jlora_cli.audit import stock_note
    from jlora_cli.machine import command_line
    from jlora_cli.training.session import train as run_training

    proposal = proposal.with_stock_parity()
    screen.note(stock_note(proposal.tokens["stock_parity"]))
    with screen.Teller() as teller:
        record = run_training(proposal, teller.notify, resume=resume, from_adapter=from_adapter)
    if json:
        screen.json_out(record)
    _stop_interrupted(record)
    result = record["result"]
    screen.note(
        say(
            "train.finished",
            first=f"{result['first_loss']:.3f}",
            last=f"{result['train_loss']:.3f}",
            count=min(10, result["optimizer_steps"]),
            steps=result["optimizer_steps"],
            seconds=f"{result['seconds']:.0f}",
            output=record["output"],
            typed=command_line([record["output"]]),
        )
    )
