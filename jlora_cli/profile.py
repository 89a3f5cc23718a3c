"""Named hardware profiles: find one, read it strictly, say which fit a machine.

A profile is a YAML file of RunConfig keys, with `description` and `extends` besides. The loader
refuses duplicate keys, unknown keys, tags, aliases and anything but UTF-8, and reports all faults
of a file at once, each with its line.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from jlora_cli.config import FIELDS, ProfileValues, nearest, parse_setting
from jlora_cli.errors import refuse
from jlora_cli.hub import is_here
from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jlora_cli.machine import Machine

ONLY_IN_PROFILES = ("description", "extends")
_SECRET = re.compile(r"token|secret|passw|credential|api.?key|hf_.*key", re.IGNORECASE)
# What YAML makes of a plain value; a date is taken as the text it is.
_SCALARS = ("str", "int", "float", "bool", "null", "timestamp")
_ELSEWHERE = re.compile(r"[/\\~]|[A-Za-z]:")
_SHOWN_FAULTS = 10


@dataclass(frozen=True)
class Profile:
    """A profile as read: `values` are checked, `path` is the file, `parent` is what it extends."""

    name: str
    path: Path
    description: str
    values: dict[str, object]
    parent: str | None = None

    def about(self) -> str:
        """What it is for: of a packaged profile in the user's language, else as the file says."""
        key = f"profile.about.{self.path.stem}"
        return say(key) if self.path.parent == profiles_folder() else self.description

    def resolved_values(self) -> ProfileValues:
        """The values with those of the profiles that this one extends beneath them."""
        return ProfileValues(self.name, self.values)


def profiles_folder() -> Path:
    """Where the packaged profiles lie: beside the code, or at the top of a checkout."""
    packaged = Path(__file__).parent / "profiles"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "profiles"


def profile_names() -> list[str]:
    """The names of the packaged profiles, sorted."""
    return sorted(path.stem for path in profiles_folder().glob("*.yaml"))


def load_profile(name: str) -> Profile:
    """The profile `name`: a packaged name, or the path of a YAML file of one's own.

    Raises:
        JloraError: no such profile, or a file with faults, all of them named with their lines.
    """
    return _load(name, seen=())


def _load(name: str, seen: tuple[Path, ...]) -> Profile:
    path = _find(name)
    if path in seen:
        raise refuse("profile.circle", path=path)
    profile = _read(name, path)
    if profile.parent is None:
        return profile
    parent = _load(_parent_name(profile.parent, path), (*seen, path))
    values = {**parent.values, **profile.values}
    description = profile.description or parent.description
    return Profile(name, path, description, values, profile.parent)


def _parent_name(name: str, path: Path) -> str:
    """What `extends: NAME` in the file `path` means: a file beside it, else what `_find` finds."""
    for beside in (path.with_name(f"{name}.yaml"), path.parent / name):
        if beside.is_file() and beside != path:
            return str(beside)
    if _packaged(name) is None and not Path(name).is_file():
        names = profile_names()
        values = {"name": name, "names": ", ".join(names), "hint": nearest(name, names)}
        raise refuse("profile.no_parent", path=path, **values)
    return name


def _packaged(name: str) -> Path | None:
    path = profiles_folder() / f"{name}.yaml"
    return path if name in profile_names() else None


def _find(name: str) -> Path:
    packaged = _packaged(name)
    if packaged is not None:
        return packaged
    path = Path(os.path.expanduser(name))  # noqa: PTH111 - Path raises for an unknown user
    if is_here(path) and path.is_file():
        return path
    names = profile_names()
    raise refuse("profile.not_found", name=name, names=", ".join(names), hint=nearest(name, names))


def _read(name: str, path: Path) -> Profile:
    entries = list(_entries(path, _text(path)))
    faults: list[str] = []
    values: dict[str, object] = {}
    extra: dict[str, object] = {}
    first_lines: dict[str, int] = {}
    for key, node, line in entries:
        fault = _fault_of_key(key, first_lines)
        first_lines.setdefault(key, line)
        if fault is None and key in ONLY_IN_PROFILES:
            fault = _take(key, node, extra)
        elif fault is None:
            fault = _take(key, node, values)
        if fault is not None:
            faults.append(say("profile.fault", line=line, fault=fault))
    if faults:
        shown = "; ".join(faults[:_SHOWN_FAULTS])
        more = len(faults) - _SHOWN_FAULTS
        shown += say("profile.more_faults", count=more) if more > 0 else ""
        raise refuse("profile.faults", path=path, faults=shown)
    if not entries:
        raise refuse("profile.empty", path=path)
    parent = extra.get("extends")
    description = str(extra.get("description") or "")
    return Profile(name, path, description, values, None if parent is None else str(parent))


def _take(key: str, node: yaml.Node, values: dict[str, object]) -> str | None:
    """Put the value of `node` under `key`; what is wrong with it, if anything is."""
    try:
        value = _plain(node)
        values[key] = _text_value(value) if key in ONLY_IN_PROFILES else parse_setting(key, value)
    except ValueError as error:
        return f"{key}: {error}"
    if key == "output" and _leads_out(str(value)):
        return f"{key}: {say('profile.output_climbs')}"
    return None


def _text_value(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise ValueError(say("settings.not_text"))


def _leads_out(output: str) -> bool:
    """Whether a path leads out of the folder that jlora runs in, on any system."""
    return _ELSEWHERE.match(output) is not None or ".." in re.split(r"[/\\]", output)


def _fault_of_key(key: str, first_lines: dict[str, int]) -> str | None:
    if key in first_lines:
        return say("profile.duplicate_key", key=key, first=first_lines[key])
    if key in FIELDS or key in ONLY_IN_PROFILES:
        return None
    if _SECRET.search(key):
        return say("profile.secret", key=key)
    if key in ("bf16", "fp16"):
        return say("profile.use_precision", key=key)
    known = (*FIELDS, *ONLY_IN_PROFILES)
    return say("profile.unknown_key", key=key) + nearest(key, known)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise refuse("profile.not_utf8", path=path, line=line) from error
    except OSError as error:
        raise refuse("profile.cannot_read", path=path, problem=error.strerror) from error


def _entries(path: Path, text: str) -> Iterator[tuple[str, yaml.Node, int]]:
    """(key, value as written, 1-based line) of the top mapping, in file order, with duplicates."""
    root = _root(path, text)
    if root is None or root.value == "":
        return
    if not isinstance(root, yaml.MappingNode):
        raise refuse("profile.not_a_mapping", path=path, line=root.start_mark.line + 1)
    for key_node, value_node in root.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise refuse("profile.not_a_mapping", path=path, line=line)
        yield key_node.value, value_node, line


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


def _plain(node: yaml.Node) -> object:
    """The value of `node`: plain, or a list of plain values.

    Raises:
        ValueError: with a sentence that says what has no place in a profile.
    """
    if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
        # Plain values only: a nested list has no use here, and an alias bomb needs one.
        if any(not isinstance(item, yaml.ScalarNode) for item in node.value):
            raise ValueError(say("profile.nested"))
        return [_plain(item) for item in node.value]
    if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
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


@dataclass(frozen=True)
class Fitting:
    """Which packaged profiles fit a machine, and the one to take."""

    recommended: str
    reason: str
    names: list[str]


def fitting_profiles(machine: Machine) -> Fitting:
    """The profiles that fit `machine`, by the GPU's whole memory as the driver reports it."""
    gpu = machine.usable_gpu
    if gpu is None or gpu.kind != "cuda":
        return Fitting("cpu-small", say("profile.reason.cpu"), ["cpu-small"])
    names = ["surface-cuda", "cpu-small"]
    values = {"gpu": gpu.name, "memory": f"{gpu.memory_gib:.0f}"}
    # The 3.6B recipe took 18.96 GB in 4-bit with 16 rows of 256 tokens; bf16 weights alone are 7.2.
    if gpu.memory_gib >= 22 and gpu.capability >= (8, 0):
        names.insert(0, "a100-4bit")
    if gpu.memory_gib >= 38 and gpu.capability >= (8, 0):
        names.insert(0, "a100")
    return Fitting(names[0], say("profile.reason.gpu", **values), names)


def choose_profile(name: str, machine: Machine) -> tuple[Profile, str]:
    """The profile `name` ("auto" picks by the machine), and why."""
    if name != "auto":
        return load_profile(name), say("profile.reason.asked")
    fitting = fitting_profiles(machine)
    return load_profile(fitting.recommended), fitting.reason
