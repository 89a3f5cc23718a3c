"""The installed packages, by their metadata alone: versions, and needs that are not met."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING

from jlora_cli.machine.install import canonical, requirements
from jlora_cli.machine.values import Conflict

if TYPE_CHECKING:
    from collections.abc import Iterable

# Not needed, but a wrong version of one of them breaks imports of those that are.
NEIGHBOURS = (
    *("torchvision", "torchaudio", "torchao", "triton", "flash-attn", "xformers"),
    *("tiktoken", "numpy"),
)


def installed_packages() -> dict[str, str]:
    """The versions of all that jlora names and of what lies close to torch."""
    names = (*requirements(), *NEIGHBOURS)
    return {name: version for name in names if (version := installed(name))}


def installed(name: str) -> str | None:
    """The version of a package; None where it is missing or half removed."""
    try:
        return importlib.metadata.version(name) or None
    except (importlib.metadata.PackageNotFoundError, KeyError):  # KeyError: metadata without it
        return None


def conflicts(packages: Iterable[str]) -> tuple[Conflict, ...]:
    """Needs of `packages` that the installed versions do not meet.

    What is not installed at all is not told here: many needs are for systems or features that
    are not in use.
    """
    try:
        from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415
    except ImportError:
        return ()
    told = []
    for name in packages:
        for line in _needs(name):
            try:
                need = Requirement(line)
            except InvalidRequirement:
                continue
            if need.marker is not None and not need.marker.evaluate({"extra": ""}):
                continue
            has = installed(need.name) if need.specifier else None
            if has and not need.specifier.contains(has, prereleases=True):
                own = installed(name) or "?"
                told.append(Conflict(name, own, canonical(need.name), str(need.specifier), has))
    return tuple(told)


def _needs(name: str) -> list[str]:
    try:
        return importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return []
