"""Streams and consoles: sentences, tables, findings, pictures; what is written and how loud."""

from __future__ import annotations

import html
import json
import re
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from rich.console import Console

    from jlora_cli.errors import JloraError
    from jlora_cli.finding import Finding

MARKS = {"ok": "✓", "note": "·", "warning": "!", "error": "✗"}
COLOURS = {"ok": "green", "note": "cyan", "warning": "yellow", "error": "red"}

_quiet = False
_silent = False


def be_quiet(quiet: bool) -> None:
    """With `quiet`, notes and progress are left out; data, warnings and errors stay."""
    global _quiet
    _quiet = quiet


def be_silent(silent: bool) -> None:
    """With `silent`, nothing at all is said: another process of this run says it."""
    global _silent
    _silent = silent
    forget_consoles()


def draws_progress() -> bool:
    """Whether progress may be drawn and drawn over on stderr, or only told line by line.

    FORCE_COLOR and the like make rich take a pipe for a terminal, for its colours.
    """
    console = error_console()
    return not (_quiet or _silent) and console.is_interactive and sys.stderr.isatty()


def error_console() -> Console:
    """The console of stderr, on which everything for a person is drawn."""
    return _console(True)


@cache
def _console(stderr: bool) -> Console:
    from rich.console import Console  # noqa: PLC0415 - `--help` draws with typer's own

    return Console(stderr=stderr, highlight=False, soft_wrap=True, quiet=_silent)


def forget_consoles() -> None:
    """Open the terminal anew: stdout or stderr were replaced."""
    _console.cache_clear()


def out(text: str, *, end: str = "\n") -> None:
    """Data for a program or a person: one plain text on stdout."""
    _write(sys.stdout, text + end)


def heading(text: str) -> None:
    """A line that opens a part of what goes to stdout."""
    _drawn(text, "bold", stderr=False, end="\n")


def note(text: str) -> None:
    """A sentence for a person, on stderr; left out with `--quiet`."""
    if not _quiet:
        _write(sys.stderr, text + "\n")


def warn(text: str) -> None:
    """A warning on stderr."""
    # One print: a live line below would else be drawn between the mark and the text.
    _drawn(f"{MARKS['warning']} {text}", COLOURS["warning"], end="\n")


def error(refusal: JloraError) -> None:
    """A refusal as its two lines on stderr."""
    for label, text, style in (
        ("Error:", refusal.problem, "red"),
        ("Fix:  ", refusal.remedy, "green"),
    ):
        _drawn(label, style)
        _write(sys.stderr, f"{text}\n")


def _write(stream: TextIO, text: str) -> None:
    if not _silent:
        stream.write(text)
        stream.flush()


def _drawn(text: str, style: str, *, stderr: bool = True, end: str = " ") -> None:
    """`text` in a colour or weight, where the terminal has them."""
    from rich.text import Text  # noqa: PLC0415

    _console(stderr).print(Text(text, style=style), end=end)


def json_out(document: object) -> None:
    """One JSON document on stdout, and nothing else there."""
    _write(sys.stdout, json.dumps(document, ensure_ascii=False, indent=2, default=str) + "\n")


def json_line(document: object) -> None:
    """One JSON line on stdout."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, default=str) + "\n")


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    title: str | None = None,
    lines: bool = False,
) -> None:
    """A table on stdout; cells are plain text."""
    _console(False).print(build_table(columns, rows, title=title, lines=lines))


def build_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    title: str | None = None,
    lines: bool = False,
) -> Any:
    """The rich table itself, for whoever draws it elsewhere."""
    from rich import box  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    name = None if title is None else Text(title, style="table.title")
    drawn = Table(title=name, box=box.ROUNDED if lines else box.SIMPLE_HEAD, show_lines=lines)
    for place, column in enumerate(columns):
        # A name that opens a row stays whole; sentences and answers fold.
        short = not place and all(len(str(row[0])) <= _WHOLE for row in rows)
        drawn.add_column(Text(column), overflow="fold", no_wrap=short and not lines)
    for row in rows:
        drawn.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in row))
    return drawn


_WHOLE = 34


def draw(drawing: object) -> None:
    """Anything that rich can draw, on stdout."""
    _console(False).print(drawing)


def save_svg(drawing: object, path: str, *, title: str, width: int) -> None:
    """Draw `drawing` (a rich renderable) into an SVG file."""
    svg = _recorded(drawing, width).export_svg(title=title, code_format=_svg_format())
    picture = SVG_TEXT.sub(_as_wide_as_drawn, svg)
    Path(path).write_text(picture, encoding="utf-8", newline="\n")


def _recorded(drawing: object, width: int) -> Console:
    """A console that has drawn `drawing` nowhere."""
    from io import StringIO  # noqa: PLC0415

    from rich.console import Console  # noqa: PLC0415

    console = Console(record=True, width=width, file=StringIO(), force_terminal=True)
    console.print(drawing)
    return console


def _svg_format() -> str:
    """Rich's frame with fonts that lie on the reader's machine, Japanese ones among them."""
    from rich._export_format import CONSOLE_SVG_FORMAT  # noqa: PLC0415

    fonts = "Menlo, Consolas, DejaVu Sans Mono, Noto Sans Mono CJK JP, BIZ UDGothic, monospace"
    local = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    return local.replace("Fira Code, monospace", fonts)


SVG_TEXT = re.compile(r'(<text [^>]*textLength=")[\d.]+("[^>]*>)([^<]*)(?=</text>)')
SVG_CELL = 12.2  # the width of a cell in rich's SVG: 20 pixels of font by 0.61


def _as_wide_as_drawn(text: re.Match[str]) -> str:
    """The text element, as wide as its cells.

    Rich (15.0) counts characters, so Japanese, two cells each, is pushed together; this may go
    once it counts cells.
    """
    from rich.cells import cell_len  # noqa: PLC0415

    length = round(cell_len(html.unescape(text[3])) * SVG_CELL, 1)
    return f"{text[1]}{length:g}{text[2]}{text[3]}"


# Two of each, in turns, so that the border of two pieces shows. Black on a light ground and white
# on red are read on dark and light terminals alike.
PIECES = {
    "plain": ("#000000 on #b8dcff", "#000000 on #fff0b8"),
    "changed": ("underline #000000 on #ffc890", "underline #000000 on #ffb066"),
    "bytes": ("#000000 on #dcc8ff", "#000000 on #c8a8f8"),
    "unknown": ("bold #ffffff on #c62828", "bold #ffffff on #a31515"),
    "false": ("bold #ffffff on #c62828", "bold #ffffff on #a31515"),
    # How probable a token was: from blue to orange, which the colour-blind tell apart too.
    "sure": ("#000000 on #c6dbef", "#000000 on #b5d0ea"),
    "likely": ("#000000 on #deebf7", "#000000 on #d2e3f3"),
    "open": ("#000000 on #fff2cc", "#000000 on #ffecb3"),
    "unlikely": ("#000000 on #fdc58a", "#000000 on #fbb873"),
    "rare": ("bold #ffffff on #b34700", "bold #ffffff on #993d00"),
}


def build_pieces(
    blocks: Sequence[tuple[str, Sequence[tuple[str, str]]]],
    legend: Sequence[tuple[str, str]],
    sentences: Sequence[str] = (),
    *,
    borders: bool = False,
) -> Any:
    """Blocks of (title, pieces) as something to draw; a piece is (text, kind), a kind of PIECES.

    With `borders`, bars stand between pieces: for terminals without colours.
    """
    from rich.console import Group  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    parts = []
    for title, pieces in blocks:
        drawn = Text()
        for place, (text, kind) in enumerate(pieces):
            drawn.append("|" if borders and place else "")
            drawn.append(text, PIECES[kind][place % 2])
        parts += [Text(title, "bold"), drawn, Text()]
    shown = Text()
    for label, kind in legend:
        shown.append(f" {label} ", PIECES[kind][0]).append("  ")
    parts += [shown, *([Text()] if sentences else []), *map(Text, sentences)]
    return Group(*parts)


def draws_pieces() -> tuple[bool, bool]:
    """Whether stdout is a terminal, and whether that tells two light colours apart."""
    console = _console(False)
    many = console.color_system in {"256", "truecolor"}
    return console.is_terminal, many and not console.no_color


def save_html(drawing: object, path: str, *, title: str, width: int) -> None:
    """Draw `drawing` (a rich renderable) into an HTML page."""
    # Rich fills the page in with str.format, so braces of the title are doubled.
    page = HTML.replace("TITLE", html.escape(title).replace("{", "{{").replace("}", "}}"))
    _recorded(drawing, width).save_html(path, code_format=page, inline_styles=True)


HTML = """\
<!DOCTYPE html>
<html><head><meta charset="UTF-8"><title>TITLE</title></head>
<body style="color: {foreground}; background-color: {background}; margin: 2em">
<pre style="font-family: Menlo, 'MS Gothic', 'Noto Sans Mono CJK JP', IPAGothic, monospace;
line-height: 1.6">{code}</pre>
</body></html>
"""


TRAINED, MASKED = "#000000 on #b8f0c0", "dim"


def preview(rows: Sequence[tuple[str, Sequence[tuple[str, bool]]]], *, to_stderr: bool) -> None:
    """Rows of (origin, runs): what is trained (True) in one colour, what is only read in another.

    Without colours, ⟦ ⟧ stand around what is trained.
    """
    if to_stderr and _quiet:
        return
    from rich.text import Text  # noqa: PLC0415

    console = _console(to_stderr)
    colours = console.is_terminal and not console.no_color
    open_mark, close_mark = ("", "") if colours else ("⟦", "⟧")
    trained, masked = say("screen.trained"), say("screen.masked")
    for origin, spans in [*rows, ("", [(trained, True), (" ", False), (masked, False)])]:
        drawn = Text(f"{origin}\n" if origin else "", "bold")
        for text, is_trained in spans:
            shown = f"{open_mark}{text}{close_mark}" if is_trained else text
            drawn.append(shown, TRAINED if is_trained else MASKED)
        console.print(drawn)


def findings(found: Sequence[Finding], *, to_stderr: bool = False, with_ids: bool = False) -> None:
    """Numbered findings, each with its mark, evidence, consequence and remedy."""
    stream = sys.stderr if to_stderr else sys.stdout
    for number, item in enumerate(found, start=1):
        _write(stream, f"{number:>3} ")
        _drawn(MARKS[item.severity], COLOURS[item.severity], stderr=to_stderr)
        _write(stream, f"{item.id}: {item.evidence}\n" if with_ids else f"{item.evidence}\n")
        if item.severity != "ok":
            _drawn(f"      {item.consequence}", "dim", stderr=to_stderr, end="\n")
            remedy = item.remedy.replace("\n", "\n        ")  # pasted lines under the arrow
            _write(stream, f"      {say('screen.remedy')} {remedy}\n")


def is_interactive() -> bool:
    """True when a person sits at both ends: stdin and stderr are a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str) -> bool:
    """Ask a yes-or-no question on the terminal."""
    _write(sys.stderr, f"{question} [y/N] ")
    return sys.stdin.readline().strip().lower() in ("y", "yes", "はい")
