"""The installed torch, read from its files; never imported here (see trials.py)."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING

from jlora_cli.machine.values import TorchBuild
from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_torch() -> TorchBuild | None:
    """The installed torch, from the text of its version file; None where there is no torch."""
    try:
        known = importlib.metadata.version("torch") or "?"
    except (importlib.metadata.PackageNotFoundError, KeyError):
        known = None
    spec = importlib.util.find_spec("torch")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    file = Path(folders[0], "version.py") if folders else None
    if file is None or not file.is_file():
        if known is None:
            return None
        return TorchBuild(known, "?", error=say("machine.torch-incomplete"))
    text = file.read_text(encoding="utf-8", errors="replace")
    values = dict(re.findall(r"^(\w+)(?:\s*:[^=\n]*)?\s*=\s*'([^']*)'", text, re.M))
    return TorchBuild(values.get("__version__", known or "?"), _build(values))


def _build(values: Mapping[str, str]) -> str:
    local = values.get("__version__", "").partition("+")[2]
    if re.match(r"cpu|cu\d|rocm\d|xpu", local):
        return local
    if values.get("cuda"):  # wheels of the package index carry no "+cu130"
        return "cu" + values["cuda"].replace(".", "")
    if values.get("hip"):
        return "rocm" + ".".join(values["hip"].split(".")[:2])
    return "xpu" if values.get("xpu") else "cpu"
