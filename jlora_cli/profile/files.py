"""Find a profile by its name or path, with those that it extends beneath it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from jlora_cli.config import ProfileValues, nearest
from jlora_cli.errors import refuse
from jlora_cli.hub import is_here
from jlora_cli.messages import say
from jlora_cli.profile.reading import read_profile

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Profile:
    """A profile as read: `values` are checked, `path` is the file, `parent` is what it extends.

    `packaged` is the packaged profile that it is, or that it extends at whatever distance;
    `origins` tell of inherited values in which profile they stand.
    """

    name: str
    path: Path
    description: str
    values: dict[str, object]
    parent: str | None = None
    packaged: str | None = None
    origins: Mapping[str, str] = field(default_factory=dict)

    def about(self) -> str:
        """What it is for: of a packaged profile in the user's language, else as the file says."""
        key = f"profile.about.{self.path.stem}"
        return say(key) if self.path.parent == profiles_folder() else self.description

    def resolved_values(self) -> ProfileValues:
        """The values with those of the profiles that this one extends beneath them."""
        return ProfileValues(self.name, self.values, self.origins)


def profiles_folder() -> Path:
    """Where the packaged profiles lie: beside the code, or at the top of a checkout."""
    package = Path(__file__).parent.parent
    packaged = package / "profiles"
    return packaged if packaged.is_dir() else package.parent / "profiles"


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
    read = read_profile(path)
    own = path.stem if path.parent == profiles_folder() else None
    if read.parent is None:
        return Profile(name, path, read.description, read.values, packaged=own)
    parent = _load(_parent_name(read.parent, path), (*seen, path))
    values = {**parent.values, **read.values}
    description = read.description or parent.description
    inherited = dict.fromkeys(parent.values, parent.name) | dict(parent.origins)
    origins = {key: stands for key, stands in inherited.items() if key not in read.values}
    packaged = own or parent.packaged
    return Profile(name, path, description, values, read.parent, packaged, origins)


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
