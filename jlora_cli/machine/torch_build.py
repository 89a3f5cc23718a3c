"""The installed torch, read from its files or asked in a subprocess; never imported here."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from jlora_cli.machine.values import Gpu, TorchBuild
from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Mapping

GIB = 1024**3
TORCH_TIMEOUT_S = 120  # a cold import of torch from a slow disk takes tens of seconds


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


_PROBE = """
import json, torch
gpus, mps = [], torch.backends.mps.is_available()
xpu = hasattr(torch, "xpu") and torch.xpu.is_available()
cuda = torch.cuda.is_available()
for i in range(torch.cuda.device_count() if cuda else 0):
    free, total = torch.cuda.mem_get_info(i)
    kind = "rocm" if torch.version.hip else "cuda"
    name, capability = torch.cuda.get_device_name(i), torch.cuda.get_device_capability(i)
    gpus.append([name, total, free, capability, kind])
for i in range(torch.xpu.device_count() if xpu else 0):
    p = torch.xpu.get_device_properties(i)
    gpus.append([p.name, p.total_memory, p.total_memory, [0, 0], "xpu"])
print(json.dumps([cuda or mps or bool(xpu), torch.cuda.get_arch_list() if cuda else [], gpus]))
"""


def ask_torch(torch: TorchBuild) -> tuple[TorchBuild, tuple[Gpu, ...]]:
    """`torch` with what it says of itself when imported in a subprocess, and the GPUs it sees."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE], capture_output=True, encoding="utf-8",
            errors="replace", timeout=TORCH_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return replace(torch, error=say("machine.torch-slow", seconds=TORCH_TIMEOUT_S)), ()
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
        return replace(torch, error=lines[-1]), ()
    available, architectures, gpus = json.loads(done.stdout.splitlines()[-1])
    seen = tuple(
        Gpu(name, total / GIB, free / GIB, (capability[0], capability[1]), kind)
        for name, total, free, capability, kind in gpus
    )
    return replace(torch, cuda_available=available, architectures=tuple(architectures)), seen
