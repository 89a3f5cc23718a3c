"""Where this user's cache stands and how large it may become."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_USUAL_GIB = 8.0


def cache_folder() -> Path:
    """`JLORA_CACHE`, else a folder `jlora` where this platform keeps what can be made anew."""
    named = os.environ.get("JLORA_CACHE")
    if named:
        return Path(named).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "jlora"
    variable, usual = "XDG_CACHE_HOME", Path(".cache")
    if sys.platform == "win32":
        variable, usual = "LOCALAPPDATA", Path("AppData") / "Local"
    return Path(os.environ.get(variable) or Path.home() / usual) / "jlora"


def limit_bytes() -> int:
    """The most that encoded rows may take: `JLORA_CACHE_GIB`, where 0 turns the cache off."""
    try:
        gib = float(os.environ.get("JLORA_CACHE_GIB") or _USUAL_GIB)
    except ValueError:
        gib = _USUAL_GIB
    return int(max(0.0, min(gib, 2.0**20)) * 2**30)  # not a number becomes nothing
