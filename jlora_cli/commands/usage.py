"""What a person typed that no command understands, said like every other refusal."""

from __future__ import annotations

import difflib
import re
from typing import Any

import typer

from jlora_cli.errors import JloraError
from jlora_cli.messages import language, say

# The parent of `typer.BadParameter` has no public name of its own.
UsageError: type[Any] = typer.BadParameter.__mro__[1]
_NO_COMMAND = re.compile(r"No such command '(.*?)'")
_EXTRA = re.compile(r"unexpected extra argument\(?s?\)? \((.*)\)")


def translate(error: Any) -> JloraError:
    """The refusal that says what was wrong with the command line, and which help page to read."""
    kind, context = type(error).__name__, error.ctx
    remedy = say("usage.fix", command=context.command_path if context else "jlora")
    if kind == "NoSuchOption":
        known = (
            [flag for option in context.command.params for flag in option.opts] if context else []
        )
        problem = say(
            "usage.no_option", name=error.option_name, hint=_near(error.option_name, known)
        )
    elif kind == "BadOptionUsage":
        # Two kinds share it; only one of them ends so.
        wants = error.message.endswith("requires an argument.")
        key = "usage.no_value" if wants else "usage.takes_no_value"
        problem = say(key, name=error.option_name)
    elif kind == "MissingParameter":
        problem = say("usage.missing", name=_name(error))
    elif kind == "BadParameter" and error.param is not None:
        # Typer's own reasons are English only.
        reason = f": {error.message}" if language() == "en" else ""
        problem = say("usage.bad_value", name=_name(error), reason=reason)
    elif found := _NO_COMMAND.search(error.message):
        known = list(getattr(context.command, "commands", {}))
        problem = say("usage.no_command", name=found[1], hint=_near(found[1], known))
    elif found := _EXTRA.search(error.message):
        problem = say("usage.extra", words=found[1])
    else:
        problem = error.message
    return JloraError(problem, remedy=remedy)


def _name(error: Any) -> str:
    """The option's longest flag, or the argument as the help page writes it."""
    param = error.param
    flags = [flag for flag in param.opts if flag.startswith("-")]
    return max(flags, key=len) if flags else str(param.metavar or param.name.upper())


def _near(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return say("settings.did_you_mean", name=near[0]) if near else ""
