"""A profile's file -> checked values, or all of its faults, each with its line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from jlora_cli.config import FIELDS, nearest, own_name, parse_setting, write_instead
from jlora_cli.errors import refuse
from jlora_cli.messages import say
from jlora_cli.profile.strict_yaml import (
    Entry,
    entries_of,
    is_section,
    plain_value,
    read_entries,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import yaml

ONLY_IN_PROFILES = ("description", "extends")
_SECRET = re.compile(r"token|secret|passw|credential|api.?key|hf_.*key", re.IGNORECASE)
_ELSEWHERE = re.compile(r"[/\\~]|[A-Za-z]:")
_SHOWN_FAULTS = 10


class Contents(NamedTuple):
    """What a profile's own file says; `parent` is what it extends."""

    description: str
    values: dict[str, object]
    parent: str | None


class _Fault(NamedTuple):
    line: int
    sentence: str


def read_profile(path: Path) -> Contents:
    """The checked contents of the file.

    Raises:
        JloraError: it cannot be read, or has faults; all of them in one error.
    """
    entries = read_entries(path)
    if not entries:
        raise refuse("profile.empty", path=path)
    values: dict[str, object] = {}
    first_lines: dict[str, int] = {}
    faults: list[_Fault] = []
    for entry in entries:
        if entry.key in first_lines:
            first = first_lines[entry.key]
            told = say("profile.duplicate_key", key=entry.key, first=first)
            faults.append(_Fault(entry.line, told))
        else:
            first_lines[entry.key] = entry.line
            faults += _take(entry, values)
    if faults:
        raise refuse("profile.faults", path=path, faults=_list(faults))
    parent = values.pop("extends", None)
    description = str(values.pop("description", None) or "")
    return Contents(description, values, None if parent is None else str(parent))


def _list(faults: list[_Fault]) -> str:
    shown = faults[:_SHOWN_FAULTS]
    told = "; ".join(say("profile.fault", line=line, fault=sentence) for line, sentence in shown)
    more = len(faults) - len(shown)
    return told + (say("profile.more_faults", count=more) if more else "")


def _take(entry: Entry, values: dict[str, object]) -> Iterator[_Fault]:
    """Put the entry's value among `values`; what is wrong with it, if anything is."""
    key, node, line = entry
    if key in FIELDS or key in ONLY_IN_PROFILES:
        fault = _take_value(key, node, values)
        if fault:
            yield _Fault(line, fault)
    elif _SECRET.search(key):
        yield _Fault(line, say("profile.secret", key=key))
    elif not is_section(node) or not node.value:
        hint = write_instead(key, *ONLY_IN_PROFILES)
        yield _Fault(line, say("profile.unknown_key", key=key) + hint)
    if is_section(node):
        yield from _faults_of_section(key, node, seen=set())


def _take_value(key: str, node: yaml.Node, values: dict[str, object]) -> str:
    try:
        value = plain_value(node)
        values[key] = _text_value(value) if key in ONLY_IN_PROFILES else parse_setting(key, value)
    except ValueError as error:
        return f"{key}: {error}"
    if key == "output" and _leads_out(str(value)):
        return f"{key}: {say('profile.output_climbs')}"
    return ""


def _text_value(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise ValueError(say("settings.not_text"))


def _leads_out(output: str) -> bool:
    """Whether a path leads out of the folder that jlora runs in, on any system."""
    return _ELSEWHERE.match(output) is not None or ".." in re.split(r"[/\\]", output)


def _faults_of_section(section: str, node: yaml.Node, seen: set[int]) -> Iterator[_Fault]:
    """One fault for each line under `section:`: settings are written flat.

    `seen` holds the nodes on the way: an alias may name a section again, or the one it stands in.
    """
    if id(node) in seen:
        return
    seen.add(id(node))
    for key, value, line in entries_of(node):
        if _SECRET.search(key):
            yield _Fault(line, say("profile.secret", key=key))
        elif is_section(value):
            yield from _faults_of_section(key, value, seen)
        else:
            hint = _at_the_top(section, key)
            yield _Fault(line, say("profile.nested_key", key=key, section=section) + hint)


def _at_the_top(section: str, key: str) -> str:
    """What to write for a line under `section:`; `name` under `model:` is the setting model."""
    words = (f"{section}_{key}", key)
    own = next((word for word in words if word in FIELDS), None)
    own = own or next((name for word in words if (name := own_name(word))), None)
    return say("profile.at_the_top", own=own) if own else nearest(key, FIELDS)
