"""Memory, processor, cards and containers, on made-up trees in place of / ."""

from __future__ import annotations

import ctypes
import types
from pathlib import Path

import pytest

from jlora_cli.machine import system


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A made-up tree in place of / : `root("proc/meminfo", text)`."""
    monkeypatch.setattr(system, "ROOT", tmp_path)

    def write(path: str, text: str) -> None:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    return write


def test_a_container_may_use_its_limit_only(root):
    root("proc/meminfo", "MemTotal:  67108864 kB\nMemAvailable:  50331648 kB\n")
    assert system.read_memory("Linux") == (64.0, 48.0)

    root("proc/self/cgroup", "0::/kubepods/pod1\n")
    root("sys/fs/cgroup/memory.max", "max\n")
    assert system.read_memory("Linux") == (64.0, 48.0)

    root("sys/fs/cgroup/kubepods/pod1/memory.max", str(8 * 2**30))
    root("sys/fs/cgroup/kubepods/pod1/memory.current", str(3 * 2**30))
    assert system.read_memory("Linux") == (8.0, 5.0)

    root("sys/fs/cgroup/kubepods/pod1/memory.stat", f"anon 1\ninactive_file {2 * 2**30}\n")
    assert system.read_memory("Linux") == (8.0, 7.0)


def test_without_proc_the_system_is_asked_for_its_pages(root):
    total, free = system.read_memory("Linux")

    assert total == free > 0


def test_memory_of_a_mac_comes_from_sysctl_and_vm_stat(root, monkeypatch):
    vm = (
        "Mach Virtual Memory Statistics: (page size of 16384 bytes)\n"
        "Pages free:          65536.\nPages active:  1.\nPages inactive:  131072.\n"
    )
    said = {"hw.memsize": "17179869184\n", "vm_stat": vm, "machdep.cpu.brand_string": "Apple M3\n"}
    monkeypatch.setattr(system, "output", lambda command: said.get(command[-1], ""))

    assert system.read_memory("Darwin") == (16.0, 3.0)
    assert system.read_cpu("Darwin") == ("Apple M3", False)


def test_memory_of_windows_comes_from_the_kernel(root, monkeypatch):
    assert system.read_memory("Windows") == (0.0, 0.0)

    def fill(pointer):
        pointer._obj.total, pointer._obj.free = 16 * 2**30, 6 * 2**30
        return 1

    kernel = types.SimpleNamespace(GlobalMemoryStatusEx=fill)
    monkeypatch.setattr(ctypes, "windll", types.SimpleNamespace(kernel32=kernel), raising=False)

    assert system.read_memory("Windows") == (16.0, 6.0)


def test_bfloat16_is_read_from_the_flags_of_the_cpu(root):
    root("proc/cpuinfo", "model name\t: AMD Ryzen 9 9950X\nflags\t\t: fpu avx2 avx512_bf16\n")
    assert system.read_cpu("Linux") == ("AMD Ryzen 9 9950X", True)

    root("proc/cpuinfo", "model name\t: Intel Core i7-8650U\nflags\t\t: fpu avx2\n")
    assert system.read_cpu("Linux") == ("Intel Core i7-8650U", False)


def test_containers_are_known_by_their_marks(root, monkeypatch):
    monkeypatch.delenv("container", raising=False)
    assert not system.in_container()

    root("proc/1/cgroup", "12:cpuset:/docker/0123\n")
    assert system.in_container()


def test_graphics_cards_are_listed_with_or_without_a_driver(root):
    listed = [("0x10de", "0x030000"), ("0x1002", "0x038000"), ("0x10de", "0x040300"),
              ("0x8086", "0x030000")]  # fmt: skip
    for place, (vendor, kind) in enumerate(listed):
        folder = f"sys/bus/pci/devices/0000:0{place}:00.0"
        root(f"{folder}/vendor", f"{vendor}\n")
        root(f"{folder}/class", f"{kind}\n")
        root(f"{folder}/device", "0x1c20\n")

    assert system.graphics_cards("Linux") == ("NVIDIA 0x1c20", "AMD 0x1c20")
    assert system.graphics_cards("Darwin") == ("NVIDIA 0x1c20", "AMD 0x1c20")


def test_windows_names_its_cards(monkeypatch):
    names = ["Intel(R) UHD Graphics 620", "NVIDIA GeForce GTX 1060", "NVIDIA GeForce GTX 1060"]

    def enumerate_displays(device, place, pointer, flags):
        pointer._obj.text = names[place] if place < len(names) else ""
        return place < len(names)

    user = types.SimpleNamespace(EnumDisplayDevicesW=enumerate_displays)
    monkeypatch.setattr(ctypes, "windll", types.SimpleNamespace(user32=user), raising=False)

    assert system.graphics_cards("Windows") == ("NVIDIA GeForce GTX 1060",)


def test_without_the_functions_of_windows_no_card_is_known():
    assert system.graphics_cards("Windows") == ()


@pytest.mark.parametrize(
    ("named", "version", "release", "told"),
    [
        ("Windows", "10.0.26100", "10", "Windows 11 (build 26100)"),
        ("Windows", "10.0.19045", "10", "Windows 10 (build 19045)"),
        ("Windows", "10.0.26100", "11", "Windows 11 (build 26100)"),
        ("Darwin", "", "", "macOS 15.2"),
    ],
)
def test_a_release_is_told_as_a_person_knows_it(monkeypatch, named, version, release, told):
    monkeypatch.setattr(system.platform, "version", lambda: version)
    monkeypatch.setattr(system.platform, "release", lambda: release)
    monkeypatch.setattr(system.platform, "mac_ver", lambda: ("15.2", ("", "", ""), "arm64"))

    assert system.release(named) == told


def test_a_linux_release_is_the_pretty_name(root, monkeypatch):
    monkeypatch.setattr(system.platform, "release", lambda: "6.8.0-generic")
    assert system.release("Linux") == "6.8.0-generic"

    root("etc/os-release", 'NAME="Ubuntu"\nPRETTY_NAME="Ubuntu 24.04.1 LTS"\n')
    assert system.release("Linux") == "Ubuntu 24.04.1 LTS"


def test_wsl_uses_the_driver_of_windows_unless_another_hides_it(root, monkeypatch):
    monkeypatch.setattr(system.platform, "release", lambda: "6.8.0-generic")
    assert system.wsl_driver() == ""

    monkeypatch.setattr(system.platform, "release", lambda: "5.15.153.1-microsoft-standard-WSL2")
    assert system.wsl_driver() == "missing"
    root("usr/lib/wsl/lib/libcuda.so.1", "")
    assert system.wsl_driver() == "windows"
    root("usr/lib/x86_64-linux-gnu/libcuda.so.550.163.01", "")
    assert system.wsl_driver() == "linux"


def test_free_disk_is_that_of_the_nearest_folder_there_is(tmp_path, monkeypatch):
    assert system.free_disk(tmp_path / "髙﨑" / "𠮷") == pytest.approx(
        system.free_disk(tmp_path), rel=0.01
    )

    def gone(folder):
        raise OSError(folder)

    monkeypatch.setattr(system.shutil, "disk_usage", gone)
    assert system.free_disk(Path("Z:/runs")) is None


def test_a_working_folder_that_was_deleted_has_no_disk(tmp_path, monkeypatch):
    def gone(self):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "is_dir", lambda self: False)
    monkeypatch.setattr(Path, "absolute", gone)

    assert system.free_disk(Path()) is None
