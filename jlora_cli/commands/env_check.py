"""`jlora env-check`: what is wrong with this machine, and the line that mends it."""

from __future__ import annotations

import getpass
import platform
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from jlora_cli import __version__, screen
from jlora_cli.commands.options import Json
from jlora_cli.errors import refuse
from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jlora_cli.advice import Advice
    from jlora_cli.finding import Finding
    from jlora_cli.machine import Machine

SCHEMA = 1  # docs/env-check.schema.json; a new number where a key changes or goes


class _Asked(NamedTuple):
    """What the check shall look at besides the machine."""

    profile: str | None
    model: str | None
    slow: bool


class _Checked(NamedTuple):
    machine: Machine
    advice: Advice
    found: list[Finding]

    @property
    def errors(self) -> set[str]:
        return {item.id for item in self.found if item.severity == "error"}


def env_check(
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="P", help=say("help.env_check.profile"))
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="M", help=say("help.env_check.model"))
    ] = None,
    slow: Annotated[bool, typer.Option("--try", help=say("help.env_check.try"))] = False,
    fix: Annotated[bool, typer.Option("--fix", help=say("help.env_check.fix"))] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help=say("help.env_check.yes"))] = False,
    paste: Annotated[bool, typer.Option("--paste", help=say("help.env_check.paste"))] = False,
    json: Json = False,
) -> None:
    """Check this machine; exit 1 where anything is an error."""
    if fix and not yes and not screen.is_interactive():
        raise refuse("machine.fix-needs-terminal")
    asked = _Asked(profile, model, slow)
    checked = _check(asked)
    if fix:
        checked = _mend(checked, asked, yes=yes)
    if json:
        screen.json_out(_document(checked))
    elif paste:
        screen.out(_paste(checked), end="")
    else:
        _show(checked)
    if checked.errors:
        raise typer.Exit(1)


def _check(asked: _Asked) -> _Checked:
    from jlora_cli.advice import advise
    from jlora_cli.diagnosis import diagnose
    from jlora_cli.machine import read_machine

    machine = read_machine(try_torch=True, slow_trials=asked.slow)
    advice = advise(machine, profile=asked.profile, model=asked.model)
    return _Checked(machine, advice, [*diagnose(machine, advice.wanted), *advice.findings])


def _show(checked: _Checked) -> None:
    try:
        from jlora_cli.commands import folding
    except ImportError:  # rich is broken: that is among the findings, so they come without it
        screen.out(_paste(checked))
        return
    width = folding.terminal_width()
    found = checked.found
    screen.findings([folding.folded(item, width) for item in found] if width else found)
    fitting = checked.advice.fitting
    if fitting:
        screen.out("\n" + say("env_check.fits", names=", ".join(fitting.names)))
        screen.out(say("env_check.recommended", name=fitting.recommended, reason=fitting.reason))


def _mend(checked: _Checked, asked: _Asked, *, yes: bool) -> _Checked:
    """Show each remedy, ask, apply what the package manager can, and check again."""
    from jlora_cli.diagnosis import commands

    ran: set[str] = set()
    faults = [item for item in checked.found if item.severity != "ok"]
    for item in faults:
        lines = commands(item, checked.machine)
        if not lines:
            screen.note(say("env_check.by_hand", evidence=item.evidence, remedy=item.remedy))
        left = {line: words for line, words in lines.items() if line not in ran}
        if left and _agreed(item, left, yes=yes):
            _apply(left, checked.machine)
            ran.update(left)
    if not any(commands(item, checked.machine) for item in faults):
        screen.note(say("env_check.nothing"))
    if not ran:
        return checked
    screen.note(say("env_check.again"))
    again = _check(asked)
    worse = sorted(again.errors - checked.errors)
    if worse:
        screen.warn(say("env_check.worse", names=", ".join(worse)))
    return again


def _agreed(item: Finding, lines: Iterable[str], *, yes: bool) -> bool:
    screen.note(f"{item.evidence} {item.consequence}")
    question = say("env_check.apply", lines="\n".join(lines))
    if not yes:
        return screen.confirm(question)
    screen.note(question)
    return True


def _apply(lines: Mapping[str, list[str]], machine: Machine) -> None:
    from jlora_cli.machine import apply

    for line, arguments in lines.items():
        code = apply(machine, arguments)
        if code != 0:
            raise refuse("machine.fix-failed", code=code, line=line)


def _paste(checked: _Checked) -> str:
    from jlora_cli.diagnosis import anonymous, markdown
    from jlora_cli.machine import home_folder

    text = markdown(checked.machine, checked.found, version=__version__)
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container whose user has no name
        user = ""
    return anonymous(text, home=str(home_folder()), user=user, host=platform.node())


def _document(checked: _Checked) -> dict[str, object]:
    machine, advice, found = checked
    usable, fitting = machine.usable_gpu, advice.fitting
    return {
        "schema": SCHEMA,
        "jlora": __version__,
        "facts": {**asdict(machine), "usable_gpu": usable.name if usable else None},
        "findings": [item.as_json() for item in found],
        "profiles": {
            "recommended": fitting.recommended if fitting else None,
            "reason": fitting.reason if fitting else say("env_check.no_profiles"),
            "fitting": fitting.names if fitting else [],
        },
        "run": advice.run.as_json() if advice.run else None,
    }
