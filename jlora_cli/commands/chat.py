"""`jlora chat`: the REPL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from jlora_cli import screen
from jlora_cli.commands.options import Asked, Base, with_answer_options
from jlora_cli.errors import JloraError, refuse
from jlora_cli.messages import say
from jlora_cli.sampling import DEFAULTS, settle_sampling

if TYPE_CHECKING:
    from jlora_cli.commands.chat_terminal import Reader
    from jlora_cli.conversation import Conversation, Told
    from jlora_cli.generation import Answer, Answerer
    from jlora_cli.run_folder import Artifact


@with_answer_options(DEFAULTS)
def chat(
    source: Annotated[
        str | None, typer.Argument(metavar="[SOURCE]", help=say("help.chat.source"))
    ] = None,
    base: Base = None,
    system: Annotated[str | None, typer.Option("--system", help=say("help.system"))] = None,
    compare: Annotated[bool, typer.Option("--compare", help=say("help.chat.compare"))] = False,
    *,
    asked: Asked,
) -> None:
    """Load once, then answer line after line until Ctrl-D."""
    from jlora_cli.commands.chat_terminal import open_reader
    from jlora_cli.conversation import COMMANDS, Conversation
    from jlora_cli.run_folder import newest_run, open_source

    name = source or str(newest_run())
    artifact = open_source(name, base=base)
    if compare and artifact.adapter is None:
        raise refuse("chat.no_adapter")
    screen.note(say("chat.loading", source=name))
    answerer = _load(artifact, asked)
    settled = settle_sampling(asked.sampling, artifact)
    screen.note(_ready(answerer, artifact))
    screen.note(settled.describe())
    screen.note(say("chat.welcome"))
    talk(Conversation(answerer, settled.sampling, system, compare), open_reader(COMMANDS))


def _load(artifact: Artifact, asked: Asked) -> Answerer:
    from jlora_cli.lean_imports import import_lean, spare_bitsandbytes
    from jlora_cli.machine import require_training_packages

    require_training_packages()
    import_lean()
    from jlora_cli.generation import load_answerer, placement_for

    notify = screen.Teller().notify
    placement = placement_for(artifact, **asked.loading, notify=notify)
    spare_bitsandbytes(placement.quantization)
    return load_answerer(artifact, placement, remembers=True, notify=notify)


def _ready(answerer: Answerer, artifact: Artifact) -> str:
    base = artifact.base
    return say(
        "chat.ready",
        model=say("chat.adapter_on", base=base) if artifact.adapter else base,
        template=answerer.prompter.format.template,
        context=answerer.context,
        device=answerer.model.device,
    )


def talk(conversation: Conversation, reader: Reader) -> None:
    """Messages from `reader` until it has no more or a person says /exit."""
    edited: str | None = None
    while not conversation.over:
        try:
            line = reader.read(edited)
        except EOFError:
            break
        except KeyboardInterrupt:
            edited = None
            continue
        if line.strip():
            edited = _turn(conversation, reader, line if edited is None else f"/edit {line}")
    screen.note(say("chat.bye"))


def _turn(conversation: Conversation, reader: Reader, line: str) -> str | None:
    """Take one message; a text that the person wants to edit next, or None."""
    from jlora_cli.conversation import Edit, Note, take

    heard: list[bool] = []

    def hear(text: str) -> None:
        heard.append(True)
        screen.out(text, end="")

    try:
        told = take(conversation, line, hear)
    except JloraError as refusal:
        screen.error(refusal)
        return None
    except KeyboardInterrupt:  # while base and tuned are compared
        told = [Note(say("chat.stopped_early"))]
    if heard:
        screen.out("")
    for each in told:
        if isinstance(each, Edit) and reader.prefills:
            return each.text
        _show(each)
    return None


def _show(told: Told) -> None:
    from jlora_cli.conversation import Compared, Note, Odds

    if isinstance(told, Note):
        screen.note(told.text)
    elif isinstance(told, Compared):
        screen.table([say("chat.base"), say("chat.tuned")], [[told.base, told.tuned]], lines=True)
    elif isinstance(told, Odds):
        _show_odds(told.answer)
    else:
        screen.note(say("chat.edit_needs_text"))


def _show_odds(answer: Answer) -> None:
    from jlora_cli import odds

    terminal, colours = screen.draws_pieces()
    if terminal:
        block = (say("odds.title"), odds.pieces(answer))
        screen.draw(screen.build_pieces([block], odds.legend(), borders=not colours))
    screen.table(odds.columns(), odds.rows(answer.tokens))
