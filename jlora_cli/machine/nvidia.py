"""What nvidia-smi says: the driver, the CUDA that it runs, and the GPUs."""

from __future__ import annotations

import re
import shutil

from jlora_cli.machine.tools import output
from jlora_cli.machine.values import Gpu

DRIVERS = ((580, (13, 0)), (525, (12, 0)), (450, (11, 0)))  # first driver of each CUDA major


def parse_nvidia_smi(
    text: str,
) -> tuple[str | None, tuple[int, int] | None, tuple[Gpu, ...]]:
    """Driver, CUDA it runs and GPUs, from nvidia-smi's page and its CSV rows, in any order.

    A row is "name, memory MiB, free MiB, capability, driver"; "[N/A]" (as MIG gives) counts as
    unknown.
    """
    rows = re.findall(r"^([^|,\n]+), ([^,\n]+), ([^,\n]+), ([^,\n]+), ([\d.]+)\s*$", text, re.M)
    gpus = tuple(
        Gpu(name.strip(), _number(total) / 1024, _number(free) / 1024, _version_pair(capability))
        for name, total, free, capability, _ in rows
    )
    header = re.search(r"Driver Version: ([\d.]+)", text)
    driver = rows[0][4] if rows else header[1] if header else None
    cuda = re.search(r"CUDA (?:UMD )?Version\s*: (\d+)\.(\d+)", text)
    if cuda:
        return driver, (int(cuda[1]), int(cuda[2])), gpus
    major = int(driver.split(".")[0]) if driver else 0
    return driver, next((cuda for first, cuda in DRIVERS if major >= first), None), gpus


def _number(text: str) -> float:
    found = re.match(r"[\d.]+", text)
    return float(found[0]) if found else 0.0


def _version_pair(text: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def nvidia_smi() -> str:
    """Its CSV rows and its page; empty without the tool or where it cannot reach the driver."""
    # In WSL the driver's tools lie outside PATH when Windows paths are not appended.
    tool = shutil.which("nvidia-smi") or shutil.which("nvidia-smi", path="/usr/lib/wsl/lib")
    if tool is None:
        return ""
    shape = "--format=csv,noheader,nounits"
    query = "--query-gpu=name,memory.total,memory.free,{},driver_version"
    rows = output([tool, query.format("compute_cap"), shape])
    # Drivers before 510 do not know compute_cap; the uuid stands in its place, unread.
    rows = rows or output([tool, query.format("uuid"), shape])
    return rows + "\n" + output([tool])
