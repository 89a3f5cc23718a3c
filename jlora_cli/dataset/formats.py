"""What the columns of a row mean: the formats that users have, told apart by their keys.

A format says which keys it needs and how a row becomes turns; `turns` checks the turns.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from jlora_cli.dataset.examples import Example, Message
from jlora_cli.dataset.faults import RowError, kind_of
from jlora_cli.dataset.turns import Speakers, checked, content_of, joined, turns_of, writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["COLUMNS", "FORMATS", "OPTIONAL", "Format", "Record", "Speakers"]

Record = dict[str, object]


@dataclass(frozen=True)
class Format:
    """A named set of columns.

    `needs`: for each required part, the keys that may hold it. `input`: the keys of the part
    that an instruction row keeps apart.
    """

    name: str
    needs: tuple[tuple[str, ...], ...]
    input: tuple[str, ...] = ()

    def fits(self, keys: Iterable[str]) -> bool:
        """Whether a row with these keys has all that the format needs."""
        held = keys if isinstance(keys, dict) else set(keys)
        return all(any(name in held for name in names) for names in self.needs)

    @property
    def names(self) -> set[str]:
        """Every key that the format reads."""
        return {*self.input, "system", *(name for names in self.needs for name in names)}


LETTERS_OFF = 2  # a misspelling loses or gains no more: "question_id" is no "question"
INPUTS = ("input", "context", "入力")
# In this order: a row that fits several is the first.
FORMATS = {
    each.name: each
    for each in (
        Format("messages", (("messages",),)),
        Format("sharegpt", (("conversations", "conversation"),)),
        Format("alpaca", (("instruction", "指示"), ("output", "出力", "回答", "応答")), INPUTS),
        Format("dolly", (("instruction", "指示"), ("response",)), INPUTS),
        Format("prompt_completion", (("prompt",), ("completion", "response"))),
        Format("question_answer", (("question", "質問"), ("answer", "回答", "答え"))),
        Format("input_output", (("input", "入力"), ("output", "出力", "応答"))),
        Format("text", (("text",),)),
        # Read only with `--map`, which tells who speaks.
        Format("dialogue", (("messages", "conversations", "conversation"),)),
    )
}
OPTIONAL = (*INPUTS, "system")
COLUMNS = tuple(
    dict.fromkeys(
        name
        for each in FORMATS.values()
        for names in (*each.needs, each.input, ("system",))
        for name in names
    )
)


def detect(keys: Iterable[str], named: Sequence[str] = ()) -> str:
    """The format of a row with these keys, one that reads the `named` ones; empty if none fits."""
    held = set(keys)
    fitting = [each for each in FORMATS.values() if each.fits(held)]
    reading = (each.name for each in fitting if set(named) <= each.names)
    return next(reading, "")


def evidence(name: str, keys: Iterable[str]) -> str:
    """The keys that made a row one of the format `name`."""
    each = FORMATS[name]
    return ", ".join(key for key in keys if key in each.names - {"system"})


def nearest(keys: Iterable[str]) -> Format | None:
    """The format of which most is there, misspelt keys counted; None where nothing is."""
    closest = closest_formats(keys)
    return closest[0] if closest else None


def closest_formats(keys: Iterable[str]) -> list[Format]:
    """The formats of which anything is there, those of which most is there first."""
    held = list(keys)

    def share(each: Format) -> float:
        there = sum(1 for names in each.needs if _like(names, held))
        exact = sum(1 for names in each.needs if set(names) & set(held))
        return (there + exact) / len(each.needs)

    begun = [each for each in FORMATS.values() if share(each) > 0]
    return sorted(begun, key=share, reverse=True)


def means_something(keys: list[str]) -> bool:
    """Whether a table with this header is worth reading: some format is at least begun."""
    return nearest(keys) is not None


def _like(names: Iterable[str], held: list[str]) -> str:
    """The key among `held` that is one of `names`, or looks like one; empty if none does."""
    for name in names:
        if name in held:
            return name
    folded = {key.strip().lower(): key for key in held}
    for name in names:
        close = [key for key in folded if abs(len(key) - len(name)) <= LETTERS_OFF]
        if near := get_close_matches(name, close, n=1, cutoff=0.75):
            return folded[near[0]]
    return ""


def missing_key(wanted: Format, record: Mapping[str, object]) -> RowError:
    """The fault of a row that lacks a key which its format needs."""
    lacks = [names for names in wanted.needs if not set(names) & record.keys()]
    names = lacks[0]
    seen = ", ".join(record) or "-"
    spare = [key for key in record if not any(key in known for known in wanted.needs)]
    if near := _like(names, [key for key in spare if key not in wanted.input]):
        return RowError("misspelt_key", key=names[0], near=near, seen=seen)
    return RowError("missing_key", key=names[0], seen=seen)


def convert(record: Record, name: str, origin: str, speakers: Speakers | None = None) -> Example:
    """The checked example that a row of the format `name` is.

    Raises:
        RowError: something in the row is missing, empty, of the wrong kind or out of order.
    """
    wanted = FORMATS[name]
    if not wanted.fits(record):
        other = detect(record)
        if other and other != name:
            raise RowError("other_format", format=other, first=name)
        raise missing_key(wanted, record)
    if name == "text":
        return Example(text=writing(record["text"], "text"), origin=origin)
    if name in {"messages", "sharegpt", "dialogue"}:
        return _conversation(record, wanted, origin, speakers)
    return _pair(record, wanted, origin)


def _conversation(
    record: Record, wanted: Format, origin: str, speakers: Speakers | None
) -> Example:
    key = next(key for key in wanted.needs[0] if key in record)
    listed = record[key]
    if not isinstance(listed, list) or not listed:
        found = kind_of(listed) if not isinstance(listed, list) else "[]"
        raise RowError("no_messages", key=key, found=found)
    told = [*_system(record), *turns_of(listed, speakers)]
    tools = len(listed) + bool(record.get("system")) - len(told)
    kept = joined(told) if wanted.name == "dialogue" else told
    try:
        turns = checked(kept)
    except RowError as fault:
        if not tools:
            raise
        raise RowError("tools") from fault
    repaired = len(told) - len(turns)
    input = _kept_input(record, turns)
    return Example(turns, input=input, origin=origin, tools=tools, repaired=repaired)


def _pair(record: Record, wanted: Format, origin: str) -> Example:
    ask, answer = (next(key for key in names if key in record) for names in wanted.needs)
    question = content_of(record[ask], ask)
    extra = _input(record, wanted.input)
    content = f"{question}\n\n{extra}" if extra else question
    reply = content_of(record[answer], answer, empty="empty_answer")
    earlier = _history(record)
    asked = (Message("user", content), Message("assistant", reply))
    # What a template sets apart is the one question's.
    return Example(
        (*_system(record), *earlier, *asked), input="" if earlier else extra, origin=origin
    )


def _history(record: Record) -> list[Message]:
    """Earlier questions with their answers, as LLaMA-Factory's rows hold them: [[q, a], ...].

    A column of that name with something else in it is a person's own, like any other.
    """
    told = record.get("history")
    pairs = told if isinstance(told, list) else []
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        return []
    return [
        Message(role, content_of(said, "history"))
        for pair in pairs
        for role, said in zip(("user", "assistant"), pair, strict=True)
    ]


def _system(record: Record) -> list[Message]:
    """The system turn that some files keep in a column of its own."""
    if not record.get("system"):
        return []
    return [Message("system", writing(record["system"], "system"))]


def _input(record: Record, names: tuple[str, ...]) -> str:
    key = next((key for key in names if record.get(key) is not None), "")
    if not key:
        return ""
    if not isinstance(record[key], (str, list)):
        raise RowError("not_text", key=key, kind=kind_of(record[key]))
    return content_of(record[key], key) if str(record[key] or "").strip() else ""


def _kept_input(record: Record, turns: tuple[Message, ...]) -> str:
    """The `input` of a canonical row, where its one user turn still ends with it."""
    kept = record.get("input")
    asked = [turn.content for turn in turns if turn.role == "user"]
    if isinstance(kept, str) and kept and len(asked) == 1 and asked[0].endswith("\n\n" + kept):
        return kept
    return ""
