"""The turns of a conversation: roles, their order, and text that a model can learn from."""

from __future__ import annotations

import re
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
TOOL_ROLES = {"tool", "function", "function_call", "observation", "ipython"}
# Half of a surrogate pair cannot be written as UTF-8, and no text has the others. Those that
# separate lines or pages (VT, FF, U+001C to U+001F) do occur in exported text.
UNWRITABLE = re.compile("[\x00-\x08\x0e-\x1b\x7f\ud800-\udfff]")


def turns_of(listed: list[object]) -> list[Message]:
    """The turns of a list of {role, content} or {from, value} objects.

    Raises:
        RowError: a turn is not an object, or its role or its content is not what it must be.
    """
    return [_turn(each) for each in listed]


def _turn(each: object) -> Message:
    if not isinstance(each, dict):
        raise RowError("turn_not_an_object", kind=kind_of(each))
    role_key = "from" if "from" in each and "role" not in each else "role"
    text_key = "value" if "value" in each and "content" not in each else "content"
    named = each.get(role_key)
    if each.get("tool_calls") or each.get("function_call") or named in TOOL_ROLES:
        raise RowError("tools")
    if role_key not in each:
        raise _missing(role_key, each)
    role = _role(named, OTHER_NAMES if role_key == "from" else {})
    if text_key not in each:
        raise _missing(text_key, each)
    empty = "empty_answer" if role == "assistant" else "empty"
    return Message(role, content_of(each[text_key], text_key, empty=empty))


def _missing(key: str, each: dict[str, object]) -> RowError:
    seen = ", ".join(each) or "-"
    if near := get_close_matches(key, each, n=1, cutoff=0.6):
        return RowError("misspelt_key", key=key, near=near[0], seen=seen)
    return RowError("missing_key", key=key, seen=seen)


def _role(named: object, other_names: Mapping[str, str]) -> str:
    role = other_names.get(named, named) if isinstance(named, str) else named
    if not isinstance(role, str) or role not in ROLES:
        raise RowError("role", role=named if isinstance(named, str) else kind_of(named))
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
    if bad := UNWRITABLE.search(value):
        half = "\ud800" <= bad.group() <= "\udfff"
        reason = "lone_surrogate" if half else "control_character"
        raise RowError(reason, key=key, code=f"U+{ord(bad.group()):04X}")
    if not value.strip():
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
