"""Names that a file uses for what jlora knows: `--map`, and what to propose for it."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from jlora_cli.dataset.faults import RowError, shown
from jlora_cli.dataset.formats import (
    COLUMNS,
    OPTIONAL,
    Record,
    Speakers,
    detect,
    means_something,
    nearest,
)
from jlora_cli.errors import refuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PEOPLE = ("user", "assistant")
IN_TURNS = ("role", "content")
SAMPLE_COLUMNS, SAMPLE_LENGTH = 12, 40
CONTENTS = ("content", "text", "value", "utterance", "message", "発話", "本文")
ANSWERS = ("solution", "answer", "reply", "答")
ASSISTANTS = ("assistant", "agent", "bot", "gpt", "model", "ai", "operator", "店員", "応答")


@dataclass(frozen=True)
class Mapping:
    """`columns`: jlora's name -> the file's; `speakers`: a name in the file -> its role."""

    columns: tuple[tuple[str, str], ...] = ()
    speakers: tuple[tuple[str, str], ...] = ()

    @property
    def by_number(self) -> bool:
        """Whether the columns of a table are told by their numbers: it has no header then."""
        return bool(self.columns) and all(theirs.isdecimal() for _, theirs in self.columns)

    def header(self, first: Sequence[str]) -> list[str]:
        """The numbers of the columns, where they are told by number; else nothing."""
        return [str(number) for number in range(1, len(first) + 1)] if self.by_number else []

    def missing(self, header: Sequence[str]) -> str:
        """The first mapped column that a table does not have; empty where all are there."""
        return next((theirs for _, theirs in self.columns if theirs not in header), "")

    def knows(self, header: Sequence[str]) -> bool:
        """Whether a table with this header means anything."""
        return means_something([*header, *(ours for ours, _ in self.columns)])

    def apply(self, record: Record) -> Record:
        """The row with the mapped columns under jlora's names.

        Raises:
            RowError: a column that the format needs is not there.
        """
        named = dict(record)
        for ours, theirs in self.columns:
            if theirs in record:
                named[ours] = record[theirs]
            elif ours not in OPTIONAL and ours not in IN_TURNS:
                seen = ", ".join(record) or "-"
                raise RowError("unmapped", name=ours, key=theirs, seen=seen)
        return named

    def detect(self, record: Record) -> str:
        """The format of a row that `apply` returned; empty where none fits."""
        if self.turns is not None and detect(record) in {"messages", "sharegpt", "dialogue"}:
            return "dialogue"
        return detect(record, named=[ours for ours, _ in self.columns if ours not in IN_TURNS])

    @property
    def turns(self) -> Speakers | None:
        """How the turns of a dialogue are told; None where nothing of them is mapped."""
        columns = dict(self.columns)
        if not self.speakers and not {"messages", *IN_TURNS} & columns.keys():
            return None
        role, content = (columns.get(name, "") for name in IN_TURNS)
        return Speakers(role, content, dict(self.speakers))


NOTHING_MAPPED = Mapping()


def parse_mapping(words: Iterable[str]) -> Mapping:
    """What `--map NAME=FIELD`, given any number of times, says.

    Raises:
        JloraError: one of them names neither a column nor a role, or no field.
    """
    pairs = [_pair(word) for word in words]
    in_turns = any(name in {"messages", *IN_TURNS, *PEOPLE} for name, _ in pairs)
    people = {*PEOPLE, "system"} if in_turns else set(PEOPLE)
    return Mapping(
        columns=tuple((name, field) for name, field in pairs if name not in people),
        speakers=tuple((field, name) for name, field in pairs if name in people),
    )


def _pair(word: str) -> tuple[str, str]:
    name, sign, field = word.partition("=")
    if name not in (*COLUMNS, *IN_TURNS, *PEOPLE) or not sign or not field:
        names = ", ".join((*COLUMNS, *IN_TURNS, *PEOPLE))
        raise refuse("data.bad_map", word=shown(word), names=names)
    return name, field


def samples(record: Record) -> str:
    """The columns of a row with the beginning of each value, one a line."""
    lines = [
        f"  {shown(key)} = {shown(_short(value))}"
        for key, value in list(record.items())[:SAMPLE_COLUMNS]
    ]
    return "\n".join([*lines, *(["  …"] if len(record) > SAMPLE_COLUMNS else [])])


def _short(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= SAMPLE_LENGTH else text[:SAMPLE_LENGTH] + "…"


def propose(record: Record) -> str:
    """The `--map` options with which this row may be understood; empty where none come to mind."""
    for key, value in record.items():
        turns = value if isinstance(value, list) else []
        in_turns = all(isinstance(turn, dict) for turn in turns)
        if turns and in_turns and (words := _of_dialogue(key, turns)):
            return _options(words)
    near = nearest(record)
    if near is None:
        return ""
    spare = [
        key
        for key, value in record.items()
        if isinstance(value, str) and not any(key in names for names in near.needs)
    ]
    missing = [names[0] for names in near.needs if not set(names) & record.keys()]
    found = [get_close_matches(name, spare, n=1, cutoff=0.75) for name in missing]
    answers = [key for key in spare if any(word in key for word in ANSWERS)]
    chosen = [close[0] if close else (answers or ["COLUMN"])[-1] for close in found]
    return _options([f"{name}={field}" for name, field in zip(missing, chosen, strict=True)])


def _of_dialogue(key: str, turns: list[dict[str, object]]) -> list[str]:
    """How a list of turns may be read: where no key is named like a text, the longest is one."""
    shared = [name for name in turns[0] if all(isinstance(turn.get(name), str) for turn in turns)]
    lengths = {name: sum(len(str(turn[name])) for turn in turns) for name in shared}
    usual = [name for name in CONTENTS if name in lengths]
    content = max(usual or lengths, key=lambda name: lengths[name], default="")
    speakers = {
        name: list(dict.fromkeys(str(turn[name]) for turn in turns))
        for name in shared
        if name != content
    }
    role = next((name for name, seen in speakers.items() if len(seen) <= 2), "")
    if not role:
        return []
    seen = speakers[role]
    assistant = next((name for name in seen if name.lower() in ASSISTANTS), seen[-1])
    others = [name for name in seen if name != assistant]
    words = [f"messages={key}", f"role={role}", f"content={content}"]
    return [*words, *(f"user={name}" for name in others[:1] or ["*"]), f"assistant={assistant}"]


def _options(words: list[str]) -> str:
    quoted = (f'"{word}"' if " " in word or "*" in word else word for word in words)
    return " ".join(f"--map {word}" for word in quoted)
