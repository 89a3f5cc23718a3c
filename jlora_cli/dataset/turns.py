"""The turns of a conversation: roles, their order, and text that a model can learn from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from typing import TYPE_CHECKING

from jlora_cli.dataset.examples import ROLES, Message
from jlora_cli.dataset.faults import RowError, kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

# What ShareGPT files call the two; in a file with "role" they would be a mistake.
OTHER_NAMES = {
    "human": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
}
# What OpenAI calls the system turn since its reasoning models.
OPENAI_NAMES = {"developer": "system"}
TOOL_ROLES = {"tool", "function", "function_call", "observation", "ipython"}
ANYONE = "*"
# Half of a surrogate pair cannot be written as UTF-8, and no text has the others. Those that
# separate lines or pages (VT, FF, U+001C to U+001F) do occur in exported text.
UNWRITABLE = re.compile("[\x00-\x08\x0e-\x1b\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class Speakers:
    """The keys of a turn (empty: as usual) and whose name is which role; "*" is anyone else."""

    role_key: str
    content_key: str
    roles: Mapping[str, str]


USUAL = Speakers("", "", {})


def turns_of(listed: list[object], speakers: Speakers | None = None) -> list[Message]:
    """The turns of a list of {role, content} or {from, value} objects, those of tools left out.

    Raises:
        RowError: a turn is not an object, or its role or its content is not what it must be.
    """
    turns = (_turn(each, speakers or USUAL) for each in listed)
    return [turn for turn in turns if turn is not None]


def _turn(each: object, speakers: Speakers) -> Message | None:
    if not isinstance(each, dict):
        raise RowError("turn_not_an_object", kind=kind_of(each))
    from_value = "from" in each and "role" not in each
    role_key = speakers.role_key or ("from" if from_value else "role")
    values = "value" in each and "content" not in each
    text_key = speakers.content_key or ("value" if values else "content")
    if _is_of_tool(each, role_key, text_key, speakers):
        return None
    if role_key not in each:
        raise _missing(role_key, each)
    role = _role(each[role_key], speakers, OTHER_NAMES if from_value else OPENAI_NAMES)
    if text_key not in each:
        raise _missing(text_key, each)
    empty = "empty_answer" if role == "assistant" else "empty"
    return Message(role, content_of(each[text_key], text_key, empty=empty))


def _is_of_tool(each: dict[str, object], role_key: str, text_key: str, speakers: Speakers) -> bool:
    """Whether the turn is a tool's, or calls one without a word of its own."""
    named = each.get(role_key)
    if isinstance(named, str) and named in TOOL_ROLES:
        return named not in speakers.roles
    return bool((each.get("tool_calls") or each.get("function_call")) and not each.get(text_key))


def _missing(key: str, each: dict[str, object]) -> RowError:
    seen = ", ".join(each) or "-"
    if near := get_close_matches(key, each, n=1, cutoff=0.6):
        return RowError("misspelt_key", key=key, near=near[0], seen=seen)
    return RowError("missing_key", key=key, seen=seen)


def _role(named: object, speakers: Speakers, other_names: Mapping[str, str]) -> str:
    if not isinstance(named, str):
        raise RowError("role", role=kind_of(named))
    role = speakers.roles.get(named) or other_names.get(named, named)
    role = role if role in ROLES else speakers.roles.get(ANYONE, role)
    if role not in ROLES:
        raise RowError("role", role=named)
    return role


def content_of(value: object, key: str, *, empty: str = "empty") -> str:
    """The text that `value` is, or that its text parts join to; `empty` names the fault of none.

    Raises:
        RowError: it is null, a number, empty, holds a picture, or cannot be written.
    """
    if isinstance(value, list):
        value = "".join(_part(each, key) for each in value)
    return writing(value, key, empty=empty)


def writing(value: object, key: str, *, empty: str = "empty") -> str:
    """`value` where it is text with something in it, unchanged.

    Raises:
        RowError: it is not text, empty, or holds half a surrogate pair or a control character.
    """
    if not isinstance(value, str):
        raise RowError("not_text", key=key, kind=kind_of(value))
    # Most texts are printable in one piece, which Python tells ten times as fast as a pattern.
    if not value.isprintable() and (bad := UNWRITABLE.search(value)):
        half = "\ud800" <= bad.group() <= "\udfff"
        reason = "lone_surrogate" if half else "control_character"
        raise RowError(reason, key=key, code=f"U+{ord(bad.group()):04X}")
    if not value or value.isspace():
        raise RowError(empty, key=key)
    return value


def _part(each: object, key: str) -> str:
    if isinstance(each, str):
        return each
    if not isinstance(each, dict):
        raise RowError("not_text", key=key, kind=kind_of(each))
    if each.get("type", "text") == "text" and isinstance(each.get("text"), str):
        return str(each["text"])
    raise RowError("other_part", key=key, part=str(each.get("type", "-")))


def joined(turns: list[Message]) -> list[Message]:
    """The turns of a talk as they alternate: what one says in a row is one turn.

    What a user says after the last answer is left away: nothing is learnt from it.
    """
    told: list[Message] = []
    for turn in turns:
        if told and told[-1].role == turn.role:
            told[-1] = Message(turn.role, f"{told[-1].content}\n{turn.content}")
        else:
            told.append(turn)
    return told[:-1] if len(told) > 1 and told[-1].role == "user" else told


def checked(turns: list[Message]) -> tuple[Message, ...]:
    """`turns` in an order that can be trained on.

    Raises:
        RowError: system is not first, a role speaks twice in a row, or no answer ends it.
    """
    roles = [turn.role for turn in turns]
    if "assistant" not in roles:
        raise RowError("no_answer")
    if "system" in roles[1:]:
        raise RowError("system_not_first", turn=roles.index("system", 1) + 1)
    for number, (role, following) in enumerate(pairwise(roles), start=2):
        if role == following:
            raise RowError("same_role_twice", role=role, turn=number)
    if roles[-1] == "user":
        raise RowError("ends_with_user")
    return tuple(turns)
