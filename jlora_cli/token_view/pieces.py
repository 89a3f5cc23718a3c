"""The pieces of a text, and what of it is lost, each loss in one sentence."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from jlora_cli.messages import say
from jlora_cli.tokenizer.fast import BYTE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jlora_cli.tokenizer import Tokenizer

SHOWN_CHARACTERS = 20


class Cell(NamedTuple):
    """A piece to draw: `kind` is plain, changed, bytes, unknown or false; `ids` how many it took.

    `text` is the part of the user's text, `piece` what the model reads instead of it.
    """

    text: str
    kind: str
    piece: str = ""
    ids: int = 1


def cells(tokenizer: Tokenizer, text: str) -> list[Cell]:
    """The text cut as the model reads it; a character in bytes is one cell of several ids."""
    lost = set(tokenizer.special_ids.values()) | {tokenizer.unk_id}
    read, by_byte = cache(tokenizer.piece_bytes), cache(lambda id_: _is_byte(tokenizer, id_))
    made: list[Cell] = []
    held = Held()
    for id_, part in tokenizer.surfaces(text):
        if id_ in lost:
            made += [*held.take(), Cell(part, "unknown")]
            continue
        held.add(part, read(id_), in_bytes=by_byte(id_))
        made += held.whole(first=not made)
    return made + held.take()


def _is_byte(tokenizer: Tokenizer, id: int) -> bool:
    return BYTE.fullmatch(tokenizer.pieces([id])[0]) is not None


@dataclass
class Held:
    """Pieces that may still lack bytes of a character: what is written, and what is read."""

    written: str = ""
    content: bytes = b""
    ids: int = 0
    in_bytes: bool = False

    def add(self, written: str, content: bytes, *, in_bytes: bool = False) -> None:
        self.written += written
        self.content += content
        self.ids += 1
        self.in_bytes |= in_bytes or self.ids > 1

    def whole(self, *, first: bool = False) -> list[Cell]:
        """The cell of what is held, once its bytes are whole characters."""
        try:
            read = self.content.decode()
        except UnicodeDecodeError:
            return []
        dummy = first and read == f" {self.written}"
        changed = read != self.written and not dummy
        kind = "changed" if changed else "bytes" if self.in_bytes else "plain"
        cell = Cell(self.written, kind, read, self.ids)
        self.written, self.content, self.ids, self.in_bytes = "", b"", 0, False
        return [cell]

    def take(self) -> list[Cell]:
        """The cell of bytes that never became a character, if any are held."""
        read, kept = self.content.decode(errors="replace"), self.ids
        cell = Cell(self.written, "changed", read, kept)
        self.written, self.content, self.ids, self.in_bytes = "", b"", 0, False
        return [cell] if kept else []


@dataclass
class Losses:
    """What the model cannot see of a text, counted in characters.

    `unknown` by character; `newlines` and `spaces` that vanish; `widths` are tabs and full-width
    spaces that come back as ordinary ones; `forms` by (written, read).
    """

    unknown_tokens: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    newlines: int = 0
    spaces: int = 0
    widths: int = 0
    forms: Counter[tuple[str, str]] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        forms = [
            {"written": written, "read": read, "count": count}
            for (written, read), count in self.forms.most_common()
        ]
        counts = {"newlines": self.newlines, "spaces": self.spaces, "widths": self.widths}
        unknown = dict(self.unknown.most_common())
        return {"unknown_tokens": self.unknown_tokens, "unknown": unknown, **counts, "forms": forms}


def losses(text: str, made: Sequence[Cell]) -> Losses:
    """What is lost of `text` in its cells."""
    found = Losses()
    for cell in made:
        if cell.kind == "unknown":
            found.unknown_tokens += 1
            found.unknown.update(cell.text)
        elif cell.kind == "changed":
            _add_change(found, cell.text, cell.piece)
    # What SentencePiece strips at the ends stands in no cell.
    held = Counter("".join(cell.text for cell in made))
    for character, count in Counter(text).items():
        gone = count - held[character]
        if gone > 0 and character == "\n":
            found.newlines += gone
        elif gone > 0 and character.isspace():
            found.spaces += gone
    return found


def _add_change(found: Losses, written: str, read: str) -> None:
    gone = max(0, written.count("\n") - read.count("\n"))
    blanks = [c for c in written if c.isspace() and c != "\n"]
    left = [c for c in read if c.isspace() and c != "\n"]
    found.newlines += gone
    found.spaces += max(0, len(blanks) - len(left))
    wide = sum(c != " " for c in blanks) - sum(c != " " for c in left)
    found.widths += max(0, min(wide, len(left)))
    pair = written.strip(), read.strip()
    if pair[0] != pair[1]:
        found.forms[pair] += 1


def loss_sentences(found: Losses) -> list[str]:
    """What is lost, a sentence each; empty where nothing is."""
    told = []
    if found.unknown_tokens:
        told.append(
            say(
                "tokens.lost_unknown",
                count=sum(found.unknown.values()),
                kinds=len(found.unknown),
                characters=top(found.unknown),
            )
        )
    counted = (
        ("tokens.lost_newlines", found.newlines),
        ("tokens.lost_spaces", found.spaces),
        ("tokens.lost_widths", found.widths),
    )
    told += [say(key, count=f"{count:,}") for key, count in counted if count]
    if found.forms:
        shown = Counter({f"{a} → {b}": count for (a, b), count in found.forms.items()})
        count = f"{sum(found.forms.values()):,}"
        told.append(say("tokens.lost_forms", count=count, forms=top(shown, limit=8)))
    return told


def top(counted: Counter[str], *, limit: int = SHOWN_CHARACTERS) -> str:
    """The most frequent with their counts, and how many more there are."""
    shown = [f"{visible(key)} ×{count:,}" for key, count in counted.most_common(limit)]
    more = [say("tokens.more", count=len(counted) - limit)] if len(counted) > limit else []
    return ", ".join([*shown, *more])


def visible(text: str) -> str:
    """The text with what cannot be printed (a newline, a tab) as its escape."""
    shown = (c if c.isprintable() or c == "\u3000" else repr(c)[1:-1] for c in text)
    return "".join(shown)


MARKS = {"\n": "↵\n", "\t": "⇥"}


def marked(made: Iterable[Cell]) -> list[tuple[str, str]]:
    """(text, kind) of each cell as it is drawn: line ends visible, ids of a character counted."""
    drawn = []
    for cell in made:
        text = "".join(MARKS.get(c) or visible(c) for c in cell.text)
        many = f"×{cell.ids}" if cell.kind == "bytes" and cell.ids > 1 else ""
        drawn.append((text + many or "▁" * bool(cell.piece), cell.kind))
    return drawn
