"""`jlora env-check`: what is wrong with this machine, and the line that mends it."""

from __future__ import annotations

import json as json_text
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jlora_cli import screen
from jlora_cli.commands.options import Json
from jlora_cli.errors import refuse
from jlora_cli.messages import say

if TYPE_CHECKING:
    from jlora_cli.finding import Finding
    from jlora_cli.machine import Machine
    from jlora_cli.profile import Fitting

STDERR = 2  # pip's own talk must not stand between the JSON


def env_check(
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="P", help=say("help.env_check.profile"))
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="M", help=say("help.env_check.model"))
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help=say("help.env_check.fix"))] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help=say("help.env_check.yes"))] = False,
    json: Json = False,
) -> None:
    """Check this machine; exit 1 where anything is an error."""
    if fix and not yes and not screen.is_interactive():
        raise refuse("machine.fix-needs-terminal")
    machine, fitting, found = _check(profile, model)
    if fix and _mend(found, yes=yes):
        screen.note(say("env_check.again"))
        machine, fitting, found = _check(profile, model)
    if json:
        screen.json_out(_document(machine, fitting, found))
    else:
        screen.findings(found)
        screen.out("\n" + say("env_check.fits", names=", ".join(fitting.names)))
        screen.out(say("env_check.recommended", name=fitting.recommended, reason=fitting.reason))
    if any(item.severity == "error" for item in found):
        raise typer.Exit(1)


def _check(profile: str | None, model: str | None) -> tuple[Machine, Fitting, list[Finding]]:
    from jlora_cli.diagnosis import diagnose
    from jlora_cli.machine import read_machine
    from jlora_cli.profile import fitting_profiles

    machine = read_machine(try_torch=True)
    fitting = fitting_profiles(machine)
    found = diagnose(machine, model_type=_model_type(model))
    return machine, fitting, [*found, *_profile_fit(profile, fitting)]


def _model_type(model: str | None) -> str | None:
    """The `model_type` of a local model folder; a hub id is not downloaded for this."""
    config = Path(model or "", "config.json")
    if model is None or not config.is_file():
        return None
    try:
        content = json_text.loads(config.read_text(encoding="utf-8"))
    except ValueError as fault:
        raise refuse("machine.bad-config", path=config, fault=fault) from fault
    return content.get("model_type") if isinstance(content, dict) else None


def _profile_fit(name: str | None, fitting: Fitting) -> list[Finding]:
    """Whether the asked profile, or the packaged one that it extends, is among the fitting."""
    from jlora_cli.finding import finding
    from jlora_cli.profile import load_profile, profile_names

    if name is None:
        return []
    asked = load_profile(name)
    known = next((it for it in (name, asked.parent) if it in profile_names()), None)
    if known is None:
        return []
    fits = known in fitting.names
    other = fitting.recommended
    return [finding("profile-fit", "ok" if fits else "warning", name=name, other=other)]


def _mend(found: list[Finding], *, yes: bool) -> bool:
    """Show each remedy that is a pip line, ask, run it; True if anything was run."""
    from jlora_cli.diagnosis import pip_commands

    ran = False
    mendable = [item for item in found if item.severity != "ok" and pip_commands(item)]
    if not mendable:
        screen.note(say("env_check.nothing"))
    for item in mendable:
        commands = pip_commands(item)
        screen.note(f"{item.evidence} {item.consequence}")
        question = say("env_check.apply", lines="\n".join(map(_line, commands)))
        if yes:
            screen.note(question)
        if not yes and not screen.confirm(question):
            continue
        for command in commands:
            _run(command)
        ran = True
    return ran


def _line(command: list[str]) -> str:
    return " ".join(["pip", *(f'"{word}"' if set(word) & set("<>") else word for word in command)])


def _run(command: list[str]) -> None:
    pip = [sys.executable, "-m", "pip", *command]
    code = subprocess.run(pip, stdout=STDERR, check=False).returncode
    if code != 0:
        raise refuse("machine.fix-failed", code=code, line=_line(command))


def _document(machine: Machine, fitting: Fitting, found: list[Finding]) -> dict[str, object]:
    usable = machine.usable_gpu
    return {
        "facts": {**asdict(machine), "usable_gpu": usable.name if usable else None},
        "findings": [item.as_json() for item in found],
        "profiles": {
            "recommended": fitting.recommended,
            "reason": fitting.reason,
            "fitting": fitting.names,
        },
    }
