"""Conversations as training rows: appended to a file, and read back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jlora_cli.conversation.talk import Exchange
from jlora_cli.dataset import Example, Message, is_folder, read_examples
from jlora_cli.dataset.faults import RowError
from jlora_cli.dataset.formats import convert
from jlora_cli.dataset.mapping import NOTHING_MAPPED
from jlora_cli.dataset.rows import open_rows
from jlora_cli.errors import refuse
from jlora_cli.messages import say
from jlora_cli.run_folder import append_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jlora_cli.conversation.talk import Conversation

SUFFIX = ".jsonl"


def save(conversation: Conversation, name: str) -> str:
    """Append the conversation to the training rows in the file `name`; what to tell of it.

    Exchanges without an answer are left out: nothing is learned from them.

    Raises:
        JloraError: nothing to save, or the file cannot hold it.
    """
    path = _file(name)
    kept = [each for each in conversation.exchanges if each.answer.strip()]
    if not kept:
        raise refuse("chat.nothing_to_save")
    system = [Message("system", conversation.system)] if conversation.system else []
    turns = [Message(*pair) for each in kept for pair in _pairs(each)]
    record = Example(messages=(*system, *turns)).as_record()
    _check(record)
    if path.exists() and path.stat().st_size:
        _rows(path)
        _check_takes_lines(path)
    _append(path, record)
    stopped = sum(not each.whole for each in kept)
    told = say("chat.saved", count=len(kept), path=path)
    return f"{told}\n{say('chat.saved_stopped', count=stopped)}" if stopped else told


def load(conversation: Conversation, name: str) -> str:
    """Go on with the last conversation in the file `name`; what to tell of it.

    Raises:
        JloraError: there is none, or the file holds something else.
    """
    path = _file(name)
    messages = _rows(path)[-1].messages
    spoken = messages[messages[0].role == "system" :]
    conversation.system = messages[0].content if messages[0].role == "system" else None
    contents = [turn.content for turn in spoken]
    exchanges = [Exchange(*pair) for pair in zip(contents[::2], contents[1::2], strict=True)]
    conversation.forget(exchanges)
    return say("chat.loaded", count=len(exchanges), path=path)


def _pairs(exchange: Exchange) -> Sequence[tuple[str, str]]:
    return ("user", exchange.question), ("assistant", exchange.answer)


def _file(name: str) -> Path:
    path = Path(name).expanduser()
    if is_folder(path):
        raise refuse("chat.is_folder", path=path)
    if path.suffix != SUFFIX:
        raise refuse("chat.other_suffix", path=path, suffix=SUFFIX)
    return path


def _check(record: dict[str, object]) -> None:
    """Refuse what could not be read back: half a character, a control character."""
    try:
        convert(record, "messages", "")
    except RowError as fault:
        raise refuse("chat.cannot_save", problem=fault.problem) from fault


def _rows(path: Path) -> list[Example]:
    """The conversations in `path`, each of which begins with a question."""
    loaded = read_examples(path)
    if loaded.format != "messages":
        raise refuse("chat.other_rows", path=path, format=loaded.format)
    for each in loaded.examples:
        first = next(turn for turn in each.messages if turn.role != "system")
        if first.role != "user":
            raise refuse("chat.no_question_first", place=each.origin)
    return loaded.examples


def _check_takes_lines(path: Path) -> None:
    """Refuse what a line in UTF-8 would make unreadable: another encoding, or an array."""
    opened = open_rows(path, encoding=None, mapping=NOTHING_MAPPED, as_text=False)
    if opened.layout != "lines" or not opened.encoding.name.startswith("utf-8"):
        raise refuse("chat.takes_no_lines", path=path)


def _append(path: Path, record: dict[str, object]) -> None:
    try:
        if path.is_file() and path.read_bytes()[-1:] not in (b"\n", b""):
            with path.open("a", encoding="utf-8", newline="\n") as file:
                file.write("\n")  # else the row would stand in the last line
        append_json(path, record)
    except OSError as error:
        raise refuse("source.cannot_write", path=path, problem=error.strerror) from error
