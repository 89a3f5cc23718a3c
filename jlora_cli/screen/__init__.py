"""The terminal: data to stdout, everything for a person to stderr.

Texts are written as they are and only marks and labels are drawn: rich would turn `:cat:` into a
cat, take `[bold]` away, raise at `[/INST]`, widen tabs and drop control characters.
"""

from jlora_cli.screen.pipes import outlive_readers
from jlora_cli.screen.telling import Teller
from jlora_cli.screen.terminal import (
    PIECES,
    be_quiet,
    be_silent,
    build_pieces,
    build_table,
    confirm,
    draw,
    draws_pieces,
    error,
    findings,
    forget_consoles,
    heading,
    is_interactive,
    json_line,
    json_out,
    note,
    out,
    preview,
    save_html,
    save_svg,
    table,
    warn,
)

__all__ = [
    "PIECES",
    "Teller",
    "be_quiet",
    "be_silent",
    "build_pieces",
    "build_table",
    "confirm",
    "draw",
    "draws_pieces",
    "error",
    "findings",
    "forget_consoles",
    "heading",
    "is_interactive",
    "json_line",
    "json_out",
    "note",
    "out",
    "outlive_readers",
    "preview",
    "save_html",
    "save_svg",
    "table",
    "warn",
]
