"""`jlora profiles`: what there is, what each picks, whether it fits this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from jlora_cli import screen
from jlora_cli.commands.options import Json
from jlora_cli.messages import say

if TYPE_CHECKING:
    from jlora_cli.profile import Profile


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
    from jlora_cli.profile import check_fit, fitting_profiles, load_profile, profile_names

    machine = read_machine()
    fitting = fitting_profiles(machine)
    rows: list[dict[str, Any]] = []
    for name in profile_names():
        profile, lacking = load_profile(name), check_fit(name, machine)
        rows.append(
            {
                "name": name,
                "fits": not lacking,
                "recommended": name == fitting.recommended,
                "picks": _picks(profile),
                "lacks": lacking[0].evidence if lacking else "",
                "description": profile.about(),
            }
        )
    if json:
        screen.json_out({"profiles": rows, "reason": fitting.reason})
        return
    marks = {(True, True): "✓ ←", (True, False): "✓", (False, False): "–"}
    columns = [say(f"profiles.{column}") for column in ("name", "fits", "picks", "description")]
    cells = [
        (
            row["name"],
            marks[row["fits"], row["recommended"]],
            _in_words(row["picks"]),
            row["description"],
        )
        for row in rows
    ]
    screen.table(columns, cells)
    screen.note(say("profiles.reason", name=fitting.recommended, reason=fitting.reason))


_PICKED = (
    *("precision", "quantization", "batch_size", "gradient_accumulation_steps", "max_length"),
    *("gradient_checkpointing", "processes"),
)


def _picks(profile: Profile) -> dict[str, object]:
    """What the profile says, or the default, of the settings that a machine's size decides."""
    from jlora_cli.config import resolve

    config = resolve(profile.resolved_values(), {}).config
    return {name: getattr(config, name) for name in _PICKED}


def _in_words(picks: dict[str, object]) -> str:
    quantized = [str(picks["quantization"])] if picks["quantization"] != "none" else []
    return ", ".join([str(picks["precision"]), *quantized, say("profiles.rows", **picks)])


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
