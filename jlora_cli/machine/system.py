"""Memory, processor, disks, graphics cards and container, as the system itself tells them.

Only the standard library, and every reading has a fallback: env-check works where all else fails.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import shutil
from pathlib import Path

from jlora_cli.machine.tools import output

GIB = 1024**3
# Where the kernel and the container tell what they are; a test points it at a made-up tree.
ROOT = Path("/")


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
        for name, kib in re.findall(r"^(\w+):\s+(\d+) kB", text_of("proc/meminfo"), re.M)
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
    own = text_of("proc/self/cgroup").rpartition("::")[2].strip().lstrip("/")
    places = (
        (f"sys/fs/cgroup/{own}/memory.max", "memory.current"),
        ("sys/fs/cgroup/memory.max", "memory.current"),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "memory.usage_in_bytes"),
    )
    for limit, usage in places:
        if (text := text_of(limit).strip()).isdigit():
            used = text_of(str(Path(limit).with_name(usage))).strip()
            stat = text_of(str(Path(limit).with_name("memory.stat")))
            # Cached files count as used, and are given back on demand.
            cached = re.search(r"^(?:total_)?inactive_file (\d+)", stat, re.M)
            taken = int(used) if used.isdigit() else 0
            return int(text), taken - int(cached[1] if cached else 0)
    return 0, 0


def read_cpu(system: str) -> tuple[str, bool]:
    """The processor's name, and whether it multiplies bfloat16 in hardware (False if unknown)."""
    if system == "Darwin":
        return output(["sysctl", "-n", "machdep.cpu.brand_string"]).strip() or "Mac", False
    text = text_of("proc/cpuinfo") if system == "Linux" else ""
    name = re.search(r"^model name\s*: (.+)$", text, re.M)
    flags = set(text.split())
    fallback = platform.processor() or platform.machine()
    return name[1] if name else fallback, bool(flags & {"avx512_bf16", "amx_bf16"})


def cores() -> int:
    """How many cores this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def in_container() -> bool:
    """Whether this is Docker, Podman, Kubernetes or a like."""
    marks = (ROOT / ".dockerenv", ROOT / "run" / ".containerenv")
    named = re.search(r"docker|containerd|kubepods|lxc", text_of("proc/1/cgroup"))
    said = os.environ.get("container")  # noqa: SIM112 - the name that systemd and podman give it
    return bool(named or said or any(mark.exists() for mark in marks))


def text_of(path: str) -> str:
    """What a file under ROOT holds; empty where it cannot be read."""
    try:
        return (ROOT / path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def free_disk(folder: Path) -> float | None:
    """GiB free where `folder` is or will be; None where nobody can say (a drive that is gone)."""
    try:
        there = next(each for each in (folder, *folder.absolute().parents) if each.is_dir())
        return shutil.disk_usage(there).free / GIB
    except (OSError, StopIteration):
        return None


_VENDORS = {"0x10de": "NVIDIA", "0x1002": "AMD"}


def graphics_cards(system: str) -> tuple[str, ...]:
    """The NVIDIA and AMD cards that the system lists, whether or not a driver is loaded.

    Linux tells the vendor and the device's number, Windows the name; a container sees the host's.
    """
    if system == "Windows":
        return tuple(name for name in _windows_cards() if re.search("NVIDIA|Radeon|AMD", name))
    found = []
    for device in sorted((ROOT / "sys/bus/pci/devices").glob("*")):
        place = f"sys/bus/pci/devices/{device.name}"
        vendor = _VENDORS.get(text_of(f"{place}/vendor").strip())
        # 0x03: display controllers; a GPU for computing alone is 0x0302.
        if vendor and text_of(f"{place}/class").startswith("0x03"):
            found.append(f"{vendor} {text_of(f'{place}/device').strip()}")
    return tuple(found)


class _Display(ctypes.Structure):
    """DISPLAY_DEVICEW: learn.microsoft.com/windows/win32/api/wingdi/ns-wingdi-display_devicew."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("name", ctypes.c_wchar * 32),
        ("text", ctypes.c_wchar * 128),
        ("state", ctypes.c_uint32),
        ("id", ctypes.c_wchar * 128),
        ("key", ctypes.c_wchar * 128),
    )


def _windows_cards() -> list[str]:
    windll = getattr(ctypes, "windll", None)  # only Windows has it
    names: dict[str, None] = {}
    display = _Display(size=ctypes.sizeof(_Display))
    place = 0
    while windll and windll.user32.EnumDisplayDevicesW(None, place, ctypes.byref(display), 0):
        names[display.text] = None
        place += 1
    return list(names)


def release(system: str) -> str:
    """The system's name and version as a person knows it: "Debian GNU/Linux 12 (bookworm)"."""
    if system == "Linux":
        name = re.search(r'^PRETTY_NAME="?([^"\n]+)', text_of("etc/os-release"), re.M)
        return name[1] if name else platform.release()
    if system == "Darwin":
        return f"macOS {platform.mac_ver()[0]}"
    # Windows 11 still calls itself 10; its builds begin at 22000.
    build = platform.version().rpartition(".")[2]
    eleven = platform.release() == "10" and build.isdigit() and int(build) >= 22000
    return f"Windows {'11' if eleven else platform.release()} (build {build})"


def wsl_driver() -> str:
    """Whose NVIDIA driver WSL uses: "windows" as it should, "linux", "missing"; "" outside WSL.

    Windows lends its driver as /usr/lib/wsl/lib/libcuda.so.1; one that was installed inside WSL
    lies over it and finds no device (docs.nvidia.com/cuda/wsl-user-guide, "Getting Started").
    """
    if "microsoft" not in platform.release().lower():
        return ""
    own = (ROOT / "usr/lib/x86_64-linux-gnu").glob("libcuda.so.*")
    if any(re.search(r"\.so\.\d{3}", path.name) for path in own):
        return "linux"
    return "windows" if (ROOT / "usr/lib/wsl/lib/libcuda.so.1").exists() else "missing"
