"""Variables that mislead, the hub, and Windows' own rules."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jlora_cli.diagnosis.accelerator import unset
from jlora_cli.finding import Finding, finding
from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jlora_cli.diagnosis.wanted import Wanted
    from jlora_cli.machine import Machine

UTF8 = 65001
# transformers 5 and huggingface_hub 1 and 2 read neither; files are looked for elsewhere.
FORGOTTEN = ("TRANSFORMERS_CACHE", "PYTORCH_TRANSFORMERS_CACHE")
OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")  # as huggingface_hub reads them


def variables(machine: Machine) -> Iterator[Finding]:
    """Variables that are set and do not do what their setter believes, or do harm."""
    for name, why in _misleading(machine):
        value = machine.environment[name]
        lines = unset(machine, name)
        named = {"name": name, "value": value, "why": say(f"variable.why.{why}"), "lines": lines}
        yield finding("variable", "warning", **named)


def _misleading(machine: Machine) -> Iterator[tuple[str, str]]:
    """(name, why) of the variables that deserve a word on this machine."""
    given = machine.environment
    build = machine.torch.build if machine.torch else ""
    if "BNB_CUDA_VERSION" in given:
        yield "BNB_CUDA_VERSION", "bitsandbytes"
    # A toolkit's libraries are found before those that came with torch.
    if build.startswith("cu") and re.search(r"cuda", given.get("LD_LIBRARY_PATH", ""), re.I):
        yield "LD_LIBRARY_PATH", "libraries"
    if given.get("NVIDIA_VISIBLE_DEVICES") in ("none", "void", "") and not machine.gpus:
        yield "NVIDIA_VISIBLE_DEVICES", "container"
    if given.get("PYTORCH_NO_CUDA_MEMORY_CACHING") == "1":
        yield "PYTORCH_NO_CUDA_MEMORY_CACHING", "slow"
    for name in FORGOTTEN:
        if name in given:
            yield name, "ignored"


def hub(machine: Machine, *, wanted: Wanted | None) -> Iterator[Finding]:
    """Offline, or another hub than the public one: told once, for it is easily forgotten."""
    own = machine.hub
    if own.offline:
        here = wanted is not None and wanted.cached
        name = next((each for each in OFFLINE if machine.environment.get(each)), OFFLINE[0])
        named = {"variable": name, "cache": own.cache, "lines": unset(machine, name)}
        yield finding("hub-offline", "ok" if here else "warning", **named)
    elif own.endpoint != type(own).endpoint:
        lines = unset(machine, "HF_ENDPOINT")
        yield finding("hub-endpoint", "warning", endpoint=own.endpoint, lines=lines)


def windows(machine: Machine) -> Iterator[Finding]:
    """Long paths, links for the hub's cache, and a console that is not UTF-8."""
    own = machine.windows
    if own is None:
        return
    if not own.long_paths:
        yield finding("long-paths", "warning")
    if not own.symlinks:
        yield finding("symlinks", "warning", cache=machine.hub.cache)
    if own.code_page not in (0, UTF8):
        lines = say(f"console.lines.{machine.speaks}")
        yield finding("console", "warning", page=own.code_page, lines=lines)
