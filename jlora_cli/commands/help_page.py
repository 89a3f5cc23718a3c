"""The help page of a command: options by topic, and Japanese broken where Japanese breaks.

Typer's own page gives each column the width that is left over: with 45 options it cut
`--gradient-accumulation-steps` and nearly every Japanese sentence (a line without spaces) to an
ellipsis. This one knows widths and titles; what the options are it asks Typer.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import unicodedata
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from jlora_cli import screen
from jlora_cli.messages import say

INTERRUPTED = 130
WIDEST = 100
_LABELS = 31  # columns for names; a longer name has a line of its own
_OPENING = "（「『【(\\["
_CLOSING = "、。，．）」』】：；？！・…ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ)\\]"
# A word of ASCII, or one wide character, with the marks that may not leave it.
_PIECES = re.compile(rf" +|[{_OPENING}]*(?:[!-~]+|.)[{_CLOSING}]*")
_TYPES = {"int": "INT", "float": "FLOAT", "path": "PATH", "str": "TEXT", "text": "TEXT"}
# Typer describes these itself, in English.
_TYPERS_OWN = ("help", "install_completion", "show_completion")


class Command(TyperCommand):
    """A command with this help page."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        typer.echo(page(self, ctx))


class Group(TyperGroup):
    """The commands with this help page; Ctrl-C in any of them ends it with 130 and a word."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        typer.echo(page(self, ctx))

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            screen.note(say("cli.interrupted"))
            raise typer.Exit(INTERRUPTED) from None


def page(command: TyperCommand | TyperGroup, ctx: Any) -> str:
    """The page as text, as wide as the terminal but no wider than one reads well."""
    width = min(shutil.get_terminal_size().columns, WIDEST)
    shown = [item for item in command.get_params(ctx) if not getattr(item, "hidden", False)]
    arguments = [item for item in shown if item.param_type_name == "argument"]
    options = [item for item in shown if item.param_type_name == "option"]
    parts = ["\n".join([_styled(say("help.usage"), bold=True), _usage(command, ctx, arguments)])]
    for paragraph in (command.help or "").split("\n\n"):
        parts.append("\n".join(wrap(paragraph.replace("\n", " "), width)))
    panels: dict[str, list[tuple[str, str]]] = {}
    for title, items in ((say("help.arguments"), arguments), (say("help.options"), options)):
        for item in items:
            panel = getattr(item, "rich_help_panel", None) or title
            panels.setdefault(panel, []).append((_label(item, ctx), _text(item)))
    if isinstance(command, TyperGroup):
        panels[say("help.commands")] = [
            (name, (found.help or "").partition("\n\n")[0])
            for name in command.list_commands(ctx)
            if (found := command.get_command(ctx, name)) is not None
        ]
    column = min(_LABELS, max(len(label) for rows in panels.values() for label, _ in rows)) + 4
    parts += [_panel(title, rows, column, width) for title, rows in panels.items()]
    return "\n\n".join(parts)


def wrap(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` columns, broken at spaces and between wide characters."""
    lines, line = [], ""
    for piece in _PIECES.findall(text):
        if cells(line + piece.rstrip()) > width and line:
            lines.append(line.rstrip())
            line = ""
        line += piece if line or piece.strip() else ""
    return [*lines, line.rstrip()] if line.strip() else lines


def cells(text: str) -> int:
    """The columns that `text` takes on a terminal."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _usage(command: TyperCommand | TyperGroup, ctx: Any, arguments: list[Any]) -> str:
    names = [
        name if item.required else f"[{name}]"
        for item in arguments
        for name in [_metavar(item, ctx) + ("..." if item.nargs == -1 else "")]
    ]
    rest = [say("help.command_and_rest")] if isinstance(command, TyperGroup) else names
    return "  " + " ".join([ctx.command_path, say("help.any_options"), *rest])


def _label(item: Any, ctx: Any) -> str:
    """`-q, --quiet`, `--seed INT`, `--compile/--no-compile` or `SOURCE`."""
    if item.param_type_name == "argument":
        return _metavar(item, ctx)
    names = ", ".join(sorted(item.opts, key=len))
    if item.secondary_opts:
        return f"{names}/{item.secondary_opts[0]}"
    return names if item.is_flag else f"{names} {_metavar(item, ctx)}"


def _metavar(item: Any, ctx: Any) -> str:
    if item.metavar:
        return str(item.metavar).strip("[]")
    if item.param_type_name == "argument":
        return str(item.name).upper()
    # Typer 0.29 keeps the type to itself, but its record says `--seed <int range>`.
    kind = item.get_help_record(ctx)[0].rpartition(item.opts[-1])[2].strip(" <>").lower()
    known = (name for start, name in _TYPES.items() if kind.startswith(start))
    return next(known, kind)


def _text(item: Any) -> str:
    if item.name in _TYPERS_OWN:
        return say(f"help.{item.name}")
    text = item.help or ""
    if item.required:
        return text + say("help.required")
    known = item.default is not None and not getattr(item, "is_flag", False) and item.show_default
    return text + (say("help.default", value=item.default) if known else "")


def _panel(title: str, rows: list[tuple[str, str]], column: int, width: int) -> str:
    lines = [_styled(title, bold=True)]
    for label, text in rows:
        beside = wrap(text, max(width - column, 20))
        gap = column - 2 - len(label)
        first = beside.pop(0) if beside and gap >= 2 else ""
        lines.append(f"  {_styled(label, fg='cyan')}{' ' * gap if first else ''}{first}")
        lines += [" " * column + line for line in beside]
    return "\n".join(lines)


def _styled(text: str, **style: Any) -> str:
    """`text` in colour on a terminal that shows it; old Windows consoles print the codes."""
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    old = sys.platform == "win32" and "WT_SESSION" not in os.environ
    return text if plain or old or not sys.stdout.isatty() else typer.style(text, **style)
