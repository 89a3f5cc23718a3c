"""Read this machine: system, processor, memory, disk, packages, environment.

Only the standard library, and every reading has a fallback: env-check works where all else fails.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import platform
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jlora_cli.machine.install import requirements
from jlora_cli.machine.nvidia import nvidia_smi, parse_nvidia_smi
from jlora_cli.machine.tools import output
from jlora_cli.machine.torch_build import ask_torch, read_torch
from jlora_cli.machine.values import Gpu, Machine

if TYPE_CHECKING:
    from collections.abc import Mapping

GIB = 1024**3
# Where the kernel and the container tell what they are; a test points it at a made-up tree.
ROOT = Path("/")

MISLEADING = (
    "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "LD_LIBRARY_PATH",
    "CUDA_HOME", "PYTHONPATH", "BNB_CUDA_VERSION", "PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF",
    "HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE",
    "OMP_NUM_THREADS", "RANK", "WORLD_SIZE",
)  # fmt: skip


def read_machine(*, try_torch: bool = False) -> Machine:
    """What this machine is, in well under a second; `try_torch` also asks torch what it sees."""
    system = platform.system()
    memory, free = read_memory(system)
    cpu, bfloat16 = read_cpu(system)
    driver, driver_cuda, gpus = parse_nvidia_smi(nvidia_smi())
    if system == "Darwin" and platform.machine() == "arm64":
        gpus = (Gpu(cpu, memory, free, (0, 0), kind="mps"),)
    torch = read_torch()
    if torch and not torch.error and try_torch:
        torch, seen = ask_torch(torch)
        gpus = gpus or seen
    packages = {name: version for name in requirements() if (version := _installed(name))}
    return Machine(
        system=system,
        python=platform.python_version(),
        in_virtual_environment=sys.prefix != sys.base_prefix or "CONDA_PREFIX" in os.environ,
        cpu=cpu,
        cores=_cores(),
        memory_gib=memory,
        free_memory_gib=free,
        disk_free_gib=_disk_free(),
        cpu_bfloat16=bfloat16,
        driver=driver,
        driver_cuda=driver_cuda,
        gpus=gpus,
        torch=torch,
        packages=packages,
        wsl="microsoft" in platform.release().lower(),
        container=in_container(),
        environment=misleading_variables(os.environ),
    )


def read_memory(system: str) -> tuple[float, float]:
    """GiB of memory, whole and free, as far as this process may use it; zeros when unknown."""
    readers = {"Windows": _windows_memory, "Darwin": _mac_memory}
    total, free = readers.get(system, _linux_memory)()
    limit, used = _container_limit()
    if limit and limit < total:
        total, free = limit, min(free, limit - used)
    return total / GIB, max(free, 0) / GIB


def _linux_memory() -> tuple[int, int]:
    sizes = {
        name: int(kib) * 1024
        for name, kib in re.findall(r"^(\w+):\s+(\d+) kB", _text("proc/meminfo"), re.M)
    }
    total = sizes.get("MemTotal") or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return total, sizes.get("MemAvailable", total)


def _mac_memory() -> tuple[int, int]:
    total = int(output(["sysctl", "-n", "hw.memsize"]).strip() or 0)
    page = output(["vm_stat"])
    size = re.search(r"page size of (\d+) bytes", page)
    idle = re.findall(r"^Pages (?:free|inactive|speculative|purgeable):\s+(\d+)", page, re.M)
    return total, sum(map(int, idle)) * int(size[1]) if size else total


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX: learn.microsoft.com/windows/win32/api/sysinfoapi/ns-sysinfoapi."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        ("total", ctypes.c_uint64),
        ("free", ctypes.c_uint64),
        ("rest", ctypes.c_uint64 * 5),
    )


def _windows_memory() -> tuple[int, int]:
    status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
    windll = getattr(ctypes, "windll", None)  # only Windows has it
    if windll is None or not windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return 0, 0
    return status.total, status.free


def _container_limit() -> tuple[int, int]:
    """The memory limit of this control group and what is used of it; zeros without a limit."""
    own = _text("proc/self/cgroup").rpartition("::")[2].strip().lstrip("/")
    places = (
        (f"sys/fs/cgroup/{own}/memory.max", "memory.current"),
        ("sys/fs/cgroup/memory.max", "memory.current"),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "memory.usage_in_bytes"),
    )
    for limit, usage in places:
        if (text := _text(limit).strip()).isdigit():
            used = _text(str(Path(limit).with_name(usage))).strip()
            stat = _text(str(Path(limit).with_name("memory.stat")))
            # Cached files count as used, and are given back on demand.
            cached = re.search(r"^(?:total_)?inactive_file (\d+)", stat, re.M)
            taken = int(used) if used.isdigit() else 0
            return int(text), taken - int(cached[1] if cached else 0)
    return 0, 0


def read_cpu(system: str) -> tuple[str, bool]:
    """The processor's name, and whether it multiplies bfloat16 in hardware (False if unknown)."""
    if system == "Darwin":
        return output(["sysctl", "-n", "machdep.cpu.brand_string"]).strip() or "Mac", False
    text = _text("proc/cpuinfo") if system == "Linux" else ""
    name = re.search(r"^model name\s*: (.+)$", text, re.M)
    flags = set(text.split())
    fallback = platform.processor() or platform.machine()
    return name[1] if name else fallback, bool(flags & {"avx512_bf16", "amx_bf16"})


def _cores() -> int:
    allowed = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def _disk_free() -> float:
    """GiB free where runs go or where the hub's cache lies, whichever is less."""
    home = os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface"
    cache = Path(os.environ.get("HF_HUB_CACHE") or home)
    there = next(folder for folder in (cache, *cache.absolute().parents) if folder.is_dir())
    return min(shutil.disk_usage(folder).free for folder in (Path.cwd(), there)) / GIB


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except (importlib.metadata.PackageNotFoundError, KeyError):  # KeyError: a half-removed package
        return None


def in_container() -> bool:
    """Whether this is Docker, Podman, Kubernetes or a like."""
    marks = (ROOT / ".dockerenv", ROOT / "run" / ".containerenv")
    named = re.search(r"docker|containerd|kubepods|lxc", _text("proc/1/cgroup"))
    said = os.environ.get("container")  # noqa: SIM112 - the name that systemd and podman give it
    return bool(named or said or any(mark.exists() for mark in marks))


def misleading_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Those of MISLEADING that are set, without the password of an address."""
    return {
        name: re.sub(r"//[^/@]*@", "//", environment[name])
        for name in MISLEADING
        if name in environment
    }


def _text(path: str) -> str:
    try:
        return (ROOT / path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
