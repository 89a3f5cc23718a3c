"""The front door: names the commands, catches refusals, sets the exit code."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from jlora_cli import __version__, messages, screen

# Help texts are read when the commands are imported, so the language is chosen before that.
messages.use_language(messages.choose_language(sys.argv, os.environ))

from jlora_cli.commands.chat import chat  # noqa: E402
from jlora_cli.commands.demo import demo  # noqa: E402
from jlora_cli.commands.env_check import env_check  # noqa: E402
from jlora_cli.commands.evaluate import evaluate  # noqa: E402
from jlora_cli.commands.help_page import INTERRUPTED, Command, Group  # noqa: E402
from jlora_cli.commands.infer import infer  # noqa: E402
from jlora_cli.commands.init import init  # noqa: E402
from jlora_cli.commands.merge import merge  # noqa: E402
from jlora_cli.commands.prepare import prepare  # noqa: E402
from jlora_cli.commands.profiles import profiles  # noqa: E402
from jlora_cli.commands.report import report  # noqa: E402
from jlora_cli.commands.tokens import tokens  # noqa: E402
from jlora_cli.commands.train import train  # noqa: E402
from jlora_cli.commands.usage import UsageError, translate  # noqa: E402
from jlora_cli.errors import JloraError  # noqa: E402
from jlora_cli.lean_imports import settle_libraries  # noqa: E402
from jlora_cli.messages import say  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable

USAGE = 2
# What follows these is a person's own text, even where it looks like an option.
TAKES_TEXT = ("--prompt", "--system", "--expect", "--stop", "--extract", "--output-template")

_debug = False


def build_app() -> typer.Typer:
    """The app with every command, its help in the current language."""
    app = typer.Typer(
        name="jlora",
        cls=Group,
        help=say("help.app"),
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(front)
    for command in (
        env_check,
        prepare,
        train,
        evaluate,
        merge,
        infer,
        chat,
        profiles,
        tokens,
        report,
        init,
        demo,
    ):
        name = command.__name__.replace("_", "-")
        app.command(name, cls=Command, help=say(f"help.{command.__name__}"))(command)
    return app


def _show_version(asked: bool) -> None:
    if asked:
        screen.out(f"jlora {__version__}")
        raise typer.Exit


def front(
    version: Annotated[
        bool,
        typer.Option("--version", help=say("help.version"), callback=_show_version, is_eager=True),
    ] = False,
    lang: Annotated[
        str | None, typer.Option("--lang", metavar="en|ja", help=say("help.lang"))
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help=say("help.quiet"))] = False,
    debug: Annotated[bool, typer.Option("--debug", help=say("help.debug"))] = False,
) -> None:
    """Options of every command."""
    global _debug
    if lang is not None and lang not in messages.LANGUAGES:
        raise typer.BadParameter(say("cli.bad_language", lang=lang))
    _debug = debug
    screen.be_quiet(quiet)


def front_options_first(words: Iterable[str]) -> list[str]:
    """The command line with `--lang`, `--quiet` and `--debug` in front, wherever they were typed.

    `--debug` at the end of the line that was just refused is what a person tries.
    """
    moved: list[str] = []
    rest: list[str] = []
    left = iter(words)
    for word in left:
        if word == "--":
            rest += [word, *left]
        elif word in TAKES_TEXT:
            rest += [word, *islice(left, 1)]
        elif word == "--lang":
            moved += [word, *islice(left, 1)]
        elif word in ("--quiet", "-q", "--debug") or word.startswith("--lang="):
            moved.append(word)
        else:
            rest.append(word)
    return [*moved, *rest]


def _speak_utf8() -> None:
    """Windows consoles and pipes may default to cp932, which cannot write every character.

    Half a character (a lone surrogate, as a broken file name has) is written as "?".
    """
    for stream in (sys.stdin, sys.stdout):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    if hasattr(sys.stderr, "reconfigure"):
        sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")


def main() -> None:
    """Run the command line; exit codes: 0 done, 1 refused or failed, 2 usage, 130 interrupted."""
    _speak_utf8()
    # What libraries warn of is for their developers; what a user should know is a finding.
    warnings.filterwarnings("ignore")
    settle_libraries()
    screen.outlive_readers()
    sys.argv[1:] = front_options_first(sys.argv[1:])
    try:
        code = build_app()(prog_name="jlora", standalone_mode=False) or 0
        if sys.stdout is not None:
            sys.stdout.flush()  # while it can still be noticed quietly that nobody reads
        sys.exit(code)
    except UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()
        else:
            screen.error(translate(error))
        sys.exit(USAGE)
    except JloraError as refusal:
        if _debug:
            traceback.print_exc()
        screen.error(refusal)
        sys.exit(1)
    except KeyboardInterrupt:
        screen.note(say("cli.interrupted"))
        sys.exit(INTERRUPTED)
