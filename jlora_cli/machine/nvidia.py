"""What nvidia-smi says: the driver, the CUDA that it runs, the GPUs and who uses them.

Its CSV rows are exact, its page tells what they leave out (CUDA, MIG, processes); the page alone
is enough where an old driver does not know the columns.
"""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jlora_cli.machine.nvml import ask_nvml
from jlora_cli.machine.tools import answer, output
from jlora_cli.machine.values import Gpu, GpuProcess
from jlora_cli.machine.wheels import cuda_of_driver

if TYPE_CHECKING:
    from collections.abc import Mapping

# "|   0  Tesla T4    Off | 00000000:00:04.0 Off |", the name cut at its column's end.
_CARD = re.compile(
    r"^\|\s+(\d+)\s{2}(\S.*?)\s+(?:On|Off|N/A|WDDM|TCC|MCDM)\s*\|\s*[0-9A-Fa-f]{4,}:"
)
_MEMORY = re.compile(r"(\d+)MiB\s*/\s*(\d+)MiB")
# "|    0   N/A  N/A      2936      C   python3    4567MiB |"; drivers before 450 name no instances.
_PROCESS = re.compile(
    r"^\|\s+(\d+)\s+(?:(?:N/A|\d+)\s+(?:N/A|\d+)\s+)?(\d+)\s+(C|G|C\+G|M\+C)\s+(\S.*?)\s+"
    r"(?:(\d+)MiB|N/A)\s*\|",
    re.M,
)
_FAILURE = re.compile(
    r"^.*(?:NVIDIA-SMI has failed|Failed to initialize NVML|No devices were).*$", re.M
)


@dataclass(frozen=True)
class Smi:
    """What the driver tells; `error` is what nvidia-smi said instead of an answer."""

    driver: str | None = None
    cuda: tuple[int, int] | None = None
    gpus: tuple[Gpu, ...] = ()
    error: str = ""


def parse_nvidia_smi(text: str) -> Smi:
    """The facts in nvidia-smi's page and its CSV rows, in any order.

    A row is "name, memory MiB, free MiB, capability, driver"; "[N/A]" (as MIG gives) counts as
    unknown.
    """
    rows = re.findall(r"^([^|,\n]+), ([^,\n]+), ([^,\n]+), ([^,\n]+), ([\d.]+)\s*$", text, re.M)
    cards = _cards(text)
    gpus = [
        Gpu(name.strip(), _number(total) / 1024, _number(free) / 1024, _version_pair(capability))
        for name, total, free, capability, _ in rows
    ] or list(cards.values())
    users = _processes(text)
    gpus = [
        replace(gpu, mig=place in cards and cards[place].mig, processes=users.get(place, ()))
        for place, gpu in enumerate(gpus)
    ]
    header = re.search(r"(?:Driver|KMD) Version\s*: ([\d.]+)", text)
    driver = rows[0][4] if rows else header[1] if header else None
    cuda = re.search(r"CUDA (?:UMD )?Version\s*: (\d+)\.(\d+)", text)
    newest = (int(cuda[1]), int(cuda[2])) if cuda else cuda_of_driver(driver)
    failure = _FAILURE.search(text)
    return Smi(driver, newest, tuple(gpus), failure[0].strip() if failure and not gpus else "")


def _cards(page: str) -> dict[int, Gpu]:
    """The GPUs of the page's table by their number; a card's figures stand on its second line."""
    cards: dict[int, Gpu] = {}
    lines = page.split("MIG devices:")[0].split("Processes:")[0].splitlines()
    for place, line in enumerate(lines):
        found = _CARD.match(line)
        if not found:
            continue
        rest = "\n".join(lines[place + 1 : place + 3])
        memory = _MEMORY.search(rest)
        used, total = (int(memory[1]), int(memory[2])) if memory else (0, 0)
        free = (total - used) / 1024
        mig = " Enabled " in rest
        cards[int(found[1])] = Gpu(found[2], total / 1024, free, (0, 0), mig=mig)
    return cards


def _processes(page: str) -> Mapping[int, tuple[GpuProcess, ...]]:
    """Who uses which GPU. The name is the program's own: its folder may tell the user's."""
    users: defaultdict[int, tuple[GpuProcess, ...]] = defaultdict(tuple)
    for gpu, pid, _, command, mib in _PROCESS.findall(page.partition("Processes:")[2]):
        name = re.split(r"[/\\]", command.split(" --")[0])[-1]
        users[int(gpu)] += (GpuProcess(name, int(pid), int(mib) / 1024 if mib else None),)
    return users


def _number(text: str) -> float:
    found = re.match(r"[\d.]+", text)
    return float(found[0]) if found else 0.0


def _version_pair(text: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def nvidia_smi() -> str:
    """Its CSV rows and its page, or what it says in their place; empty without the tool."""
    # In WSL the driver's tools lie outside PATH when Windows paths are not appended.
    tool = shutil.which("nvidia-smi") or shutil.which("nvidia-smi", path="/usr/lib/wsl/lib")
    if tool is None:
        return ""
    shape = "--format=csv,noheader,nounits"
    query = "--query-gpu=name,memory.total,memory.free,{},driver_version"
    rows = output([tool, query.format("compute_cap"), shape])
    if not rows:
        page = answer([tool])
        # Drivers before 510 do not know compute_cap; the uuid stands in its place, unread.
        return page if _FAILURE.search(page) else output([tool, query.format("uuid"), shape]) + page
    return rows + "\n" + output([tool])


def read_nvidia() -> Smi:
    """The driver and its GPUs, from nvidia-smi and, where that is silent, from NVML itself."""
    seen = parse_nvidia_smi(nvidia_smi())
    if seen.gpus and all(gpu.capability != (0, 0) for gpu in seen.gpus):
        return seen
    driver, cuda, gpus = ask_nvml()
    if len(gpus) != len(seen.gpus):
        return replace(seen, driver=driver, cuda=cuda, gpus=gpus) if gpus else seen
    known = (
        replace(gpu, capability=own.capability, name=own.name)
        for gpu, own in zip(seen.gpus, gpus, strict=True)
    )
    return replace(seen, gpus=tuple(known), cuda=seen.cuda or cuda)
