"""Entries of the cache: found by their key, written whole or not at all, the oldest removed."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import unicodedata
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jlora_cli import __version__
from jlora_cli.cache.place import cache_folder, limit_bytes
from jlora_cli.cache.scratch import Scratch
from jlora_cli.cache.sections import DamagedError, Sections, Writer, open_sections, sections_in

if TYPE_CHECKING:
    from array import array
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Self

# Of what is written and how it is made: another number makes every entry anew.
_FORMAT = 1
_SUFFIX, _PARTIAL = ".rows", ".partial"
_STALE_S = 24 * 3600


def key_of(facts: Mapping[str, Any]) -> str:
    """A name for what these facts determine, with this version of jlora and of Unicode."""
    versions = [_FORMAT, __version__, sys.byteorder, unicodedata.unidata_version]
    text = json.dumps([versions, facts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def find(key: str | None) -> Sections | None:
    """The entry of that key; None where there is none that is whole."""
    if key is None or not limit_bytes():
        return None
    path = _path_of(key)
    try:
        entry = open_sections(path)
    except DamagedError:
        with suppress(OSError):
            path.unlink()
        return None
    except OSError:
        return None
    with suppress(OSError):
        os.utime(path)  # the oldest go first, by their last use
    return entry


class Draft:
    """An entry on its way; without a key, or where the cache takes nothing, it is kept nowhere."""

    def __init__(self, key: str | None) -> None:
        self._goal = _path_of(key) if key is not None and limit_bytes() else None
        self._scratch = Scratch(self._goal and _partial_of(self._goal))
        self._writer = Writer(self._scratch)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._scratch.close()

    def extend(self, values: array[int]) -> None:
        """Add to the array that grows."""
        self._writer.extend(values)

    def finish(
        self,
        growing: tuple[str, str],
        arrays: Mapping[str, array[int]],
        facts: Mapping[str, Any],
        *,
        keep: bool = True,
    ) -> Sections:
        """The whole of it, kept for the next time where that can be; see `Writer.finish`."""
        self._writer.finish(growing, arrays, facts)
        scratch, goal = self._scratch, self._goal
        kept = keep and goal is not None and scratch.size <= limit_bytes()
        if goal is None or not kept or not scratch.flush():
            return sections_in(scratch)
        partial = scratch.leave()
        try:
            partial.replace(goal)
        except OSError:  # Windows replaces no file that another process has mapped
            return _unnamed(partial)
        _trim(goal)
        return open_sections(goal, checked=False)


def _unnamed(partial: Path) -> Sections:
    """A file that stays without a place; its name is gone as soon as the system lets it go."""
    entry = open_sections(partial, checked=False)
    with suppress(OSError):
        partial.unlink()
    return entry


def _path_of(key: str) -> Path:
    return cache_folder() / "rows" / f"{key}{_SUFFIX}"


def _partial_of(path: Path) -> Path:
    return path.with_suffix(f".{os.getpid()}-{time.monotonic_ns()}{_PARTIAL}")


def _trim(newest: Path) -> None:
    """Remove the entries that were not used for longest until the rest is within the limit.

    Also what a run that was killed left half written.
    """
    entries = []
    for path in _listed(newest.parent):
        with suppress(OSError):  # another process removed it
            about = path.stat()
            if path.suffix == _SUFFIX:
                entries.append((about.st_mtime, about.st_size, path))
            elif path.suffix == _PARTIAL and time.time() - about.st_mtime > _STALE_S:
                path.unlink()
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if total > limit_bytes() and path != newest:
            with suppress(OSError):  # in use, on Windows
                path.unlink()
                total -= size


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
