"""`jlora profiles`: what there is, what each picks, whether it fits this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from jlora_cli import screen
from jlora_cli.commands.options import Json
from jlora_cli.messages import say


def profiles(
    action: Annotated[
        str, typer.Argument(metavar="list|show", help=say("help.profiles.action"))
    ] = "list",
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help=say("help.profiles.name"))
    ] = None,
    json: Json = False,
) -> None:
    """List the profiles, or show one."""
    if action == "list":
        _list(json=json)
    elif action == "show" and name is not None:
        _show(name, json=json)
    else:
        raise typer.BadParameter(say("profiles.usage"))


def _list(*, json: bool) -> None:
    from jlora_cli.machine import read_machine
    from jlora_cli.profile import fitting_profiles, load_profile, profile_names

    fitting = fitting_profiles(read_machine())
    rows = [
        {
            "name": name,
            "fits": name in fitting.names,
            "recommended": name == fitting.recommended,
            "description": load_profile(name).about(),
        }
        for name in profile_names()
    ]
    if json:
        screen.json_out({"profiles": rows, "reason": fitting.reason})
        return
    marks = {(True, True): "✓ ←", (True, False): "✓", (False, False): "–"}
    columns = [say("profiles.name"), say("profiles.fits"), say("profiles.description")]
    cells = [
        (r["name"], marks[bool(r["fits"]), bool(r["recommended"])], r["description"]) for r in rows
    ]
    screen.table(columns, cells)
    screen.note(say("profiles.reason", name=fitting.recommended, reason=fitting.reason))


def _show(name: str, *, json: bool) -> None:
    from jlora_cli.profile import load_profile

    profile = load_profile(name)
    if json:
        screen.json_out(
            {
                "name": name,
                "description": profile.about(),
                "path": str(profile.path),
                "values": profile.values,
            }
        )
        return
    screen.out(profile.path.read_text(encoding="utf-8-sig").rstrip())
