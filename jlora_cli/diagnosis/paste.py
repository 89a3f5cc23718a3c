"""A report to paste into an issue, without what tells who and where the user is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jlora_cli.finding import Finding
    from jlora_cli.machine import Machine

MARKS = {"ok": "✓", "note": "·", "warning": "!", "error": "✗"}
# Tokens of the hub, of GitHub and of the usual cloud services, should one stand in a message.
_TOKENS = re.compile(r"\b(hf_|api_org_|gh[pousr]_|github_pat_|sk-)[A-Za-z0-9_-]{8,}")
_NOBODY = frozenset({"root", "user", "admin", "administrator"})  # tell nothing, and are words


def markdown(machine: Machine, found: Sequence[Finding], *, version: str) -> str:
    """The facts as a table and the findings as a list, to be cleaned by `anonymous`."""
    rows = "\n".join(f"| {name} | {value} |" for name, value in _facts(machine) if value)
    told = "\n".join(_item(item) for item in found)
    title = say("paste.title", version=version)
    return f"### {title}\n\n| | |\n|---|---|\n{rows}\n\n{told}\n"


def anonymous(text: str, *, home: str, user: str, host: str) -> str:
    """`text` with "~" for the home folder and without tokens, user name and host name."""
    text = _TOKENS.sub(r"\1***", text)
    if len(home) > 1:
        for way in {home, home.replace("\\", "/"), home.replace("/", "\\")}:
            text = re.sub(re.escape(way) + r"(?![\w.-])", "~", text, flags=re.IGNORECASE)
    # Homes of others, and of this user on another drive.
    text = re.sub(r"(?i)((?:/home/|/users/|\\users\\))[^/\\\s:;\"']+", r"\1USER", text)
    for name, instead in ((user, "USER"), (host, "HOST"), (host.partition(".")[0], "HOST")):
        if len(name) > 1 and name.lower() not in _NOBODY:
            text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", instead, text)
    return text


def _facts(machine: Machine) -> Iterator[tuple[str, str]]:
    torch = machine.torch
    place = [name for name in ("wsl", "container") if getattr(machine, name)]
    yield "OS", " ".join([machine.release or machine.system, machine.architecture, *place])
    yield "Python", f"{machine.python}, {machine.manager}, {machine.speaks}"
    yield "CPU", f"{machine.cpu}, {machine.cores} cores"
    yield "RAM", f"{machine.memory_gib:.1f} GiB, {machine.free_memory_gib:.1f} free"
    yield "disk", f"{machine.disk_free_gib:.0f} GiB free"
    cuda = ".".join(map(str, machine.driver_cuda or ()))
    yield "NVIDIA driver", f"{machine.driver} (CUDA {cuda or '?'})" if machine.driver else ""
    for gpu in machine.gpus:
        capability = ".".join(map(str, gpu.capability))
        size = f"{gpu.memory_gib:.1f} GiB, {gpu.free_gib:.1f} free"
        yield "GPU", f"{gpu.name}, {gpu.kind} {capability}, {size}"
    yield "torch", f"{torch.version} ({torch.build})" if torch else "-"
    yield "packages", ", ".join(f"{n} {v}" for n, v in machine.packages.items() if n != "torch")
    yield "variables", ", ".join(f"{n}={v}" for n, v in machine.environment.items())


def _item(item: Finding) -> str:
    line = f"- {MARKS[item.severity]} `{item.id}` {item.evidence}"
    if item.severity == "ok":
        return line
    prose, *lines = item.remedy.split("\n")
    block = "".join(f"\n  {line}" for line in lines)
    fenced = f"\n  ```\n{block.lstrip(chr(10))}\n  ```" if block else ""
    return f"{line}\n  {item.consequence}\n  → {prose}{fenced}"
