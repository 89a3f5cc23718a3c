"""A YAML file of one plain mapping -> its lines: no tag is obeyed and no alias unfolded."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import yaml

from jlora_cli.errors import refuse
from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAP, _SEQUENCE = "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"
# What YAML makes of a plain value; a date is taken as the text it is.
_SCALARS = ("str", "int", "float", "bool", "null", "timestamp")


class Entry(NamedTuple):
    """One `key: value` of a mapping, the value as written, and the 1-based line of the key."""

    key: str
    node: yaml.Node
    line: int


def read_entries(path: Path) -> list[Entry]:
    """The lines of the file's top mapping, in order and with duplicates; empty for an empty file.

    Raises:
        JloraError: it cannot be read, is not UTF-8, not YAML, or no mapping.
    """
    root = _root(path, _text(path))
    if root is None or root.value == "":
        return []
    if not isinstance(root, yaml.MappingNode):
        raise refuse("profile.not_a_mapping", path=path, line=root.start_mark.line + 1)
    for key_node, _ in root.value:
        if not isinstance(key_node, yaml.ScalarNode):
            line = key_node.start_mark.line + 1
            raise refuse("profile.not_a_mapping", path=path, line=line)
    return list(entries_of(root))


def is_section(node: yaml.Node) -> bool:
    """Whether the value is a mapping of its own, as `training:` with lines indented under it."""
    return isinstance(node, yaml.MappingNode) and node.tag == _MAP


def entries_of(section: yaml.Node) -> Iterator[Entry]:
    """The lines of a mapping whose keys are plain."""
    for key, value in section.value:
        if isinstance(key, yaml.ScalarNode):
            yield Entry(key.value, value, key.start_mark.line + 1)


def plain_value(node: yaml.Node) -> object:
    """The value of `node`: plain, or a list of plain values.

    Raises:
        ValueError: with a sentence that says what has no place in a profile.
    """
    if isinstance(node, yaml.SequenceNode) and node.tag == _SEQUENCE:
        # Plain values only: a nested list has no use here, and an alias bomb needs one.
        if any(not isinstance(item, yaml.ScalarNode) for item in node.value):
            raise ValueError(say("profile.nested"))
        return [plain_value(item) for item in node.value]
    if is_section(node):
        raise ValueError(say("profile.nested"))
    start, _, name = node.tag.rpartition(":")
    if not isinstance(node, yaml.ScalarNode) or start != "tag:yaml.org,2002":
        raise ValueError(say("profile.tag", tag=node.tag))
    if name not in _SCALARS:
        raise ValueError(say("profile.tag", tag=node.tag))
    return str(node.value) if name == "timestamp" else _constructed(node)


def _constructed(node: yaml.ScalarNode) -> object:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node)
    except (ValueError, KeyError) as error:
        # `!!int four`; PyYAML's own message would repeat the value.
        raise ValueError(say("profile.not_as_tagged", tag=node.tag.rpartition(":")[2])) from error
    finally:
        loader.dispose()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise refuse("profile.not_utf8", path=path, line=line) from error
    except OSError as error:
        raise refuse("profile.cannot_read", path=path, problem=error.strerror) from error


def _root(path: Path, text: str) -> yaml.Node | None:
    """The file as YAML nodes: no values are made and no aliases followed yet."""
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, problem = mark.line + 1 if mark else 1, error.problem or ""
        raise refuse("profile.not_yaml", path=path, line=line, problem=problem) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, int(error.position)) + 1
        raise refuse("profile.not_yaml", path=path, line=line, problem=error.reason) from error
    except RecursionError as error:
        problem = say("profile.too_deep")
        raise refuse("profile.not_yaml", path=path, line=1, problem=problem) from error
