"""`jlora demo`: the whole path on the embedded base and data, without network."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jlora_cli import screen
from jlora_cli.commands.options import Json
from jlora_cli.errors import refuse
from jlora_cli.messages import say

if TYPE_CHECKING:
    from jlora_cli.walkthrough import Walk

# Greetings, advice, facts, a list: some of the twenty, so that the table fits on a screen.
_SHOWN = (0, 3, 5, 7, 11, 15, 16, 19)


def demo(
    output: Annotated[
        Path | None, typer.Option("--output", metavar="DIR", help=say("help.demo.output"))
    ] = None,
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help=say("help.demo.svg"))
    ] = None,
    json: Json = False,
) -> None:
    """Walk the path and show what came of it."""
    from jlora_cli.machine import require_training_packages
    from jlora_cli.run_folder import in_use

    folder = output or Path("runs") / f"{datetime.now().astimezone():%Y%m%d-%H%M%S}-demo"
    if in_use(folder):
        raise refuse("demo.in_use", path=folder)
    require_training_packages()
    screen.note(say("demo.starting"))
    from jlora_cli.walkthrough import walk

    with screen.Teller() as teller:
        reached = walk(folder, teller.notify)
    if svg is not None:
        screen.save_svg(_table(reached), str(svg), title="jlora demo", width=110)
    if json:
        screen.json_out(reached.as_json())
    else:
        _show(reached)


def _table(reached: Walk) -> Any:
    rows = [
        (prompt, base.text, _marked(tuned.text), _marked(merged.text))
        for prompt, base, tuned, merged in zip(
            reached.prompts, reached.base, reached.tuned, reached.merged, strict=True
        )
    ]
    columns = [say(f"demo.column.{name}") for name in ("prompt", "base", "tuned", "merged")]
    shown = [rows[i] for i in _SHOWN if i < len(rows)]
    return screen.build_table(columns, shown, lines=True)


def _marked(answer: str) -> Any:
    """The answer, with what the demo taught it in colour."""
    from rich.text import Text

    from jlora_cli.walkthrough import SUFFIX

    text = Text(answer)
    if answer.endswith(SUFFIX):
        text.stylize("bold green", len(answer) - len(SUFFIX))
    return text


def _show(reached: Walk) -> None:
    figures = reached.as_json()
    screen.draw(_table(reached))
    shares = {name: f"{share:.0%}" for name, share in figures["suffix_share"].items()}  # type: ignore[attr-defined]
    screen.out(
        say(
            "demo.figures",
            **shares,
            eos=f"{reached.eos_share:.0%}",
            count=len(reached.prompts),
            difference=f"{reached.verification.max_logit_difference:.1e}",
            seconds=f"{reached.seconds:.0f}",
        )
    )
    screen.out(say("demo.where", run=reached.run, report=reached.run / "report.html"))
