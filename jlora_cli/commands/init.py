"""`jlora init`: a small project to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jlora_cli import screen
from jlora_cli.errors import refuse
from jlora_cli.messages import say


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help=say("help.init.folder"))],
) -> None:
    """Write the project and say what to type next."""
    from jlora_cli.machine import command_line
    from jlora_cli.project import write_project
    from jlora_cli.run_folder import in_use

    if in_use(folder):
        raise refuse("init.in_use", path=folder)
    write_project(folder)
    screen.out(say("init.done", folder=command_line([str(folder)])))
