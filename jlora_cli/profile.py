"""Named hardware profiles: find one, read it strictly, say which fit a machine.

A profile is a YAML file of RunConfig keys, with `description` and `extends` besides. The loader
refuses duplicate keys, unknown keys, tags, aliases and anything but UTF-8, and reports all faults
of a file at once, each with its line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from jlora_cli.config import FIELDS, ProfileValues, nearest, parse_setting
from jlora_cli.errors import refuse
from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jlora_cli.machine import Machine

ONLY_IN_PROFILES = ("description", "extends")
_SECRET = re.compile(r"token|secret|password|api_key", re.IGNORECASE)
_SHOWN_FAULTS = 10


@dataclass(frozen=True)
class Profile:
    """A profile as read: `values` are checked, `path` is the file, `parent` is what it extends."""

    name: str
    path: Path
    description: str
    values: dict[str, object]
    parent: str | None = None

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


def _load(name: str, seen: tuple[str, ...]) -> Profile:
    path = _find(name)
    if str(path) in seen:
        raise refuse("profile.circle", path=path)
    profile = _read(name, path)
    if profile.parent is None:
        return profile
    beside = path.parent / f"{profile.parent}.yaml"
    parent = _load(str(beside) if beside.is_file() else profile.parent, (*seen, str(path)))
    values = {**parent.values, **profile.values}
    return Profile(name, path, profile.description or parent.description, values)


def _find(name: str) -> Path:
    packaged = profiles_folder() / f"{name}.yaml"
    if re.fullmatch(r"[\w.-]+", name) and packaged.is_file():
        return packaged
    path = Path(name).expanduser()
    if path.is_file():
        return path
    names = profile_names()
    raise refuse("profile.not_found", name=name, names=", ".join(names), hint=nearest(name, names))


def _read(name: str, path: Path) -> Profile:
    entries = list(_entries(path, _text(path)))
    faults: list[str] = []
    values: dict[str, object] = {}
    extra: dict[str, str] = {}
    first_lines: dict[str, int] = {}
    for key, value, line in entries:
        fault = _fault_of_key(key, first_lines)
        first_lines.setdefault(key, line)
        if fault is None and key in ONLY_IN_PROFILES:
            extra[key] = str(value)
        elif fault is None:
            fault = _take(key, value, values)
        if fault is not None:
            faults.append(say("profile.fault", line=line, fault=fault))
    if faults:
        shown = "; ".join(faults[:_SHOWN_FAULTS])
        more = len(faults) - _SHOWN_FAULTS
        shown += say("profile.more_faults", count=more) if more > 0 else ""
        raise refuse("profile.faults", path=path, faults=shown)
    if not entries:
        raise refuse("profile.empty", path=path)
    return Profile(name, path, extra.get("description", ""), values, extra.get("extends"))


def _take(key: str, value: object, values: dict[str, object]) -> str | None:
    try:
        values[key] = parse_setting(key, value)
    except ValueError as error:
        return f"{key}: {error}"
    if key == "output" and ".." in Path(str(value)).parts:
        return f"{key}: {say('profile.output_climbs')}"
    return None


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


def _entries(path: Path, text: str) -> Iterator[tuple[str, object, int]]:
    """(key, plain value, 1-based line) of the top mapping, in file order, duplicates included."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            return
        if not isinstance(root, yaml.MappingNode):
            raise refuse("profile.not_a_mapping", path=path)
        for key_node, value_node in root.value:
            line = key_node.start_mark.line + 1
            yield str(key_node.value), _plain(path, value_node), line
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = error.problem or ""
        raise refuse("profile.not_yaml", path=path, line=line, problem=problem) from error
    except yaml.YAMLError as error:
        problem = str(error).splitlines()[0]
        raise refuse("profile.not_yaml", path=path, line=1, problem=problem) from error


def _plain(path: Path, node: yaml.Node) -> object:
    line = node.start_mark.line + 1
    if not node.tag.startswith("tag:yaml.org,2002:") or "python" in node.tag:
        raise refuse("profile.tag", path=path, line=line, tag=node.tag)
    if isinstance(node, yaml.SequenceNode):
        # Scalars only: a nested list has no use here, and an alias bomb needs one.
        if any(not isinstance(item, yaml.ScalarNode) for item in node.value):
            raise refuse("profile.nested", path=path, line=line)
        return [_plain(path, item) for item in node.value]
    if not isinstance(node, yaml.ScalarNode):
        raise refuse("profile.nested", path=path, line=line)
    loader = yaml.SafeLoader("")
    try:
        value: Any = loader.construct_object(node)
    except ValueError as error:
        raise refuse("profile.not_yaml", path=path, line=line, problem=str(error)) from error
    finally:
        loader.dispose()
    return value


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
