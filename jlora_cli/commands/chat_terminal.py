"""Where the lines of a chat come from: a terminal with line editing, or a pipe."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import History
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.key_binding.key_processor import KeyPressEvent

HISTORY = "chat_history"
BLOCK = '"""'


class Reader(Protocol):
    """Gives message after message; `prefills`: whether it can offer a text to be edited."""

    prefills: bool

    def read(self, text: str | None = None) -> str:
        """The next message; with `text`, that one as edited.

        Raises:
            EOFError: there is none.
            KeyboardInterrupt: the person wants to begin it anew.
        """
        ...


def open_reader(commands: Iterable[str]) -> Reader:
    """Line editing where a person sits at a terminal and prompt_toolkit is there, else lines."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return LineReader()
    try:
        return TerminalReader(commands)
    except ImportError:
        return LineReader(prompt=True)


class LineReader:
    """A line is a message; several stand between \"\"\" and \"\"\"."""

    prefills = False

    def __init__(self, *, prompt: bool = False) -> None:
        self._prompt = prompt

    def read(self, text: str | None = None) -> str:
        """The next line or block."""
        line = self._line(say("chat.you"))
        if not line.lstrip().startswith(BLOCK):
            return line
        while not _is_whole_block(line):
            line += "\n" + self._line("")
        return _unwrapped(line)

    def _line(self, prompt: str) -> str:
        if self._prompt:
            sys.stdout.write(prompt)
            sys.stdout.flush()
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line.rstrip("\r\n")


class TerminalReader:
    """prompt_toolkit: input methods, wide characters, several lines, a history across sessions."""

    prefills = True

    def __init__(self, commands: Iterable[str]) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.completion import WordCompleter

        self._session: PromptSession[str] = PromptSession(
            history=open_history(history_file()),
            key_bindings=_keys(),
            multiline=True,  # what is pasted stays one message; Enter sends, see `_keys`
            completer=WordCompleter([*commands], sentence=True),
            complete_while_typing=False,
            # A line that was only folded has no mark.
            prompt_continuation=lambda width, _, folds: ("" if folds else "… ").rjust(width),
        )

    def read(self, text: str | None = None) -> str:
        """The next message, as typed or pasted."""
        from prompt_toolkit.formatted_text import FormattedText

        prompt = say("chat.you" if text is None else "chat.edit")
        shown = FormattedText([("bold ansicyan", prompt)])
        return _unwrapped(self._session.prompt(shown, default=text or ""))


def _keys() -> KeyBindings:
    """Enter sends, unless the line ends in a backslash; Alt-Enter begins a new line."""
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        open_block = buffer.text.lstrip().startswith(BLOCK) and not _is_whole_block(buffer.text)
        if buffer.document.text_before_cursor.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        elif open_block:
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys


def _is_whole_block(text: str) -> bool:
    text = text.strip()
    return len(text) >= 2 * len(BLOCK) and text.startswith(BLOCK) and text.endswith(BLOCK)


def _unwrapped(text: str) -> str:
    """What stands between the marks of a block; other text as it is."""
    if not _is_whole_block(text):
        return text
    return text.strip()[len(BLOCK) : -len(BLOCK)].strip("\n")


def history_file() -> Path:
    """Where this user's messages are kept for the next chat."""
    from jlora_cli.cache import cache_folder

    return cache_folder() / HISTORY


def open_history(path: Path) -> History:
    """The messages of earlier chats, readable by this user alone; only this chat's where it cannot.

    What another program wrote into the file in another encoding is read with replacements.
    """
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    class Kept(FileHistory):
        def store_string(self, string: str) -> None:
            with suppress(OSError):  # the disk may fill up, the chat goes on
                super().store_string(string.encode("utf-8", "replace").decode("utf-8"))

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600))
    except OSError:
        return InMemoryHistory()
    return Kept(str(path))
