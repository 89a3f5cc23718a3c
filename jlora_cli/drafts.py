"""Folders that appear whole: written as a draft under a hidden name, then put in place.

A folder that is there and empty stays the folder it is, and gets the draft's entries: it may be
the one that a shell stands in, a link to another disk, or a mounted volume, which none can be
replaced by a rename.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def draft_for(folder: Path, mark: str) -> Path:
    """Where to write what will be `folder`: on the same disk, under a name with `mark` in it."""
    place = folder.absolute()
    return (place if place.is_dir() else place.parent) / f".{place.name}.{mark}"


def forget_draft(folder: Path, mark: str) -> None:
    """Remove what a process left that was killed while it wrote what was to be `folder`.

    The folder may have come, or gone, since then.
    """
    place = folder.absolute()
    for around in (place, place.parent):
        shutil.rmtree(around / f".{place.name}.{mark}", ignore_errors=True)


def put_in_place(draft: Path, folder: Path, *, last: str = "") -> None:
    """Let the draft's entries be those of `folder`, the entry `last` after all others.

    Raises:
        OSError: they cannot be moved.
    """
    if not folder.is_dir():
        draft.replace(folder)
        return
    for made in sorted(draft.iterdir(), key=lambda each: (each.name == last, each.name)):
        made.replace(folder / made.name)
    draft.rmdir()
