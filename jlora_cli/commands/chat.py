"""`jlora chat`: the REPL."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from jlora_cli import screen
from jlora_cli.commands.options import Asked, Base, with_answer_options
from jlora_cli.errors import JloraError
from jlora_cli.messages import say
from jlora_cli.sampling import DEFAULTS, settle_sampling

if TYPE_CHECKING:
    from collections.abc import Callable

    from jlora_cli.conversation import Conversation


@with_answer_options(DEFAULTS)
def chat(
    source: Annotated[
        str | None, typer.Argument(metavar="[SOURCE]", help=say("help.chat.source"))
    ] = None,
    base: Base = None,
    system: Annotated[str | None, typer.Option("--system", help=say("help.system"))] = None,
    *,
    asked: Asked,
) -> None:
    """Load once, then answer line after line until Ctrl-D."""
    from jlora_cli.lean_imports import import_lean, spare_bitsandbytes
    from jlora_cli.machine import require_training_packages
    from jlora_cli.run_folder import newest_run, open_source

    name = source or str(newest_run())
    artifact = open_source(name, base=base)
    require_training_packages()
    import_lean()
    screen.note(say("chat.loading", source=name))
    from jlora_cli.conversation import Conversation
    from jlora_cli.generation import load_answerer, placement_for

    placement = placement_for(artifact, **asked.loading)
    spare_bitsandbytes(placement.quantization)
    settled = settle_sampling(asked.sampling, artifact)
    answerer = load_answerer(artifact, placement, notify=screen.Teller().notify)
    conversation = Conversation(answerer, settled.sampling, system)
    screen.note(say("chat.welcome"))
    talk(conversation, _reader())


def talk(conversation: Conversation, read: Callable[[], str]) -> None:
    """Lines from `read` until it raises EOFError or a person says /exit; Ctrl-C stops a reply."""
    while not conversation.over:
        try:
            line = read()
        except EOFError:
            break
        except KeyboardInterrupt:
            continue
        if line.strip():
            _turn(conversation, line)
    screen.note(say("chat.bye"))


def _turn(conversation: Conversation, line: str) -> None:
    try:
        told = conversation.say(line, lambda text: screen.out(text, end=""))
    except KeyboardInterrupt:
        screen.out("")
        screen.note(say("chat.stopped"))
        return
    except JloraError as refusal:
        screen.error(refusal)
        return
    if not line.startswith("/"):
        screen.out("")
    if told:
        screen.note(told)


def _reader() -> Callable[[], str]:
    """prompt_toolkit on a terminal (input methods, wide characters, history), else plain lines."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return _plain_line
    from prompt_toolkit import PromptSession

    session: PromptSession[str] = PromptSession()
    return lambda: session.prompt(say("chat.you"))


def _plain_line() -> str:
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\r\n")
