"""The machine as a value, and how it is read where nothing may be relied on."""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from jlora_cli import machine as machines
from jlora_cli.machine import (
    Gpu,
    Machine,
    TorchBuild,
    install,
    install_line,
    nvidia,
    parse_nvidia_smi,
    reading,
    tools,
    torch_build,
)
from jlora_cli.machine.values import runs_on

INDEX = "https://download.pytorch.org/whl"
GTX1060 = Gpu("NVIDIA GeForce GTX 1060", 6.0, 5.2, (6, 1))
A100 = Gpu("NVIDIA A100-SXM4-80GB", 80.0, 79.2, (8, 0))
RTX5090 = Gpu("NVIDIA GeForce RTX 5090", 31.8, 31.0, (12, 0))


def a_machine(**changes: object) -> Machine:
    plain: dict[str, object] = {
        "system": "Linux", "python": "3.11.9", "in_virtual_environment": True, "cpu": "Zen 3",
        "cores": 8, "memory_gib": 32.0, "free_memory_gib": 24.0, "disk_free_gib": 200.0,
    }  # fmt: skip
    return Machine(**{**plain, **changes})  # type: ignore[arg-type]


PAGE = """\
Tue Nov 17 09:12:31 2026
| NVIDIA-SMI 535.183.01             Driver Version: 535.183.01   CUDA Version: 12.2     |
|   0  NVIDIA A100-SXM4-80GB          On  | 00000000:07:00.0 Off |                    0 |
| N/A   31C    P0              61W / 400W |      4MiB / 81920MiB |      0%      Default |
"""


def test_nvidia_smi_gives_driver_cuda_and_every_gpu():
    rows = "NVIDIA A100-SXM4-80GB, 81920, 81212, 8.0, 535.183.01\n" * 2

    driver, cuda, gpus = parse_nvidia_smi(rows + "\n" + PAGE)

    assert (driver, cuda) == ("535.183.01", (12, 2))
    assert gpus == (Gpu("NVIDIA A100-SXM4-80GB", 80.0, 81212 / 1024, (8, 0)),) * 2


def test_nvidia_smi_of_newer_drivers_names_the_umd_version():
    page = "| NVIDIA-SMI 595.45   KMD Version: 595.45   CUDA UMD Version: 13.2 |"
    row = "NVIDIA GeForce RTX 5090, 32607, 31800, 12.0, 595.45\r\n"

    assert parse_nvidia_smi(row + page)[:2] == ("595.45", (13, 2))


@pytest.mark.parametrize(
    ("driver", "cuda"),
    [("581.15", (13, 0)), ("560.94", (12, 0)), ("470.82", (11, 0)), ("390", None)],
)
def test_cuda_follows_from_the_driver_when_the_page_is_missing(driver, cuda):
    assert parse_nvidia_smi(f"Tesla T4, 15360, 15000, 7.5, {driver}")[1] == cuda


def test_unknown_values_of_mig_and_old_drivers_are_zero():
    _, _, gpus = parse_nvidia_smi("NVIDIA A100, [N/A], [N/A], GPU-1b2c, 470.82")

    assert gpus == (Gpu("NVIDIA A100", 0.0, 0.0, (0, 0)),)


def test_no_nvidia_smi_is_no_driver():
    assert parse_nvidia_smi("") == (None, None, ())


def test_nvidia_smi_is_asked_again_without_compute_capability_on_old_drivers(monkeypatch):
    asked = []

    def answer(command):
        asked.append(command)
        if len(command) == 1:
            return PAGE
        return "" if "compute_cap" in command[1] else "GTX 1060, 6144, 6000, GPU-1, 470.82"

    monkeypatch.setattr(nvidia.shutil, "which", lambda name, path=None: name)
    monkeypatch.setattr(nvidia, "output", answer)

    assert parse_nvidia_smi(nvidia.nvidia_smi())[2][0].capability == (0, 0)
    assert len(asked) == 3


def test_without_the_tool_nvidia_smi_is_empty(monkeypatch):
    monkeypatch.setattr(nvidia.shutil, "which", lambda name, path=None: None)

    assert nvidia.nvidia_smi() == ""


def test_a_tool_that_fails_hangs_or_is_missing_says_nothing(monkeypatch):
    assert tools.output([sys.executable, "-c", "print('あ'.encode() and 1)"]).strip() == "1"
    assert tools.output([sys.executable, "-c", "raise SystemExit(9)"]) == ""
    assert tools.output(["no-such-tool-of-any-machine"]) == ""
    monkeypatch.setattr(tools, "TIMEOUT_S", 0.05)
    assert tools.output([sys.executable, "-c", "import time; time.sleep(5)"]) == ""


@pytest.mark.parametrize(
    ("kernels", "capability", "runs"),
    [
        (["sm_60"], (6, 1), True),
        (["sm_75", "sm_80"], (6, 1), False),
        (["sm_86"], (8, 0), False),
        (["sm_86"], (8, 9), True),
        (["sm_90a"], (9, 0), True),
        (["sm_100a"], (10, 3), False),
        (["sm_100"], (10, 3), True),
        (["compute_90"], (12, 0), True),
        (["gfx90a"], (9, 0), False),
    ],
)
def test_kernels_run_on_the_same_major_or_through_ptx(kernels, capability, runs):
    assert runs_on(kernels, capability) is runs


@pytest.mark.parametrize(
    ("build", "gpu", "driver_cuda", "usable"),
    [
        ("cu126", GTX1060, (12, 8), True),
        ("cu130", GTX1060, (13, 0), False),
        ("cu130", A100, (12, 2), False),
        ("cu132", A100, (13, 0), True),
        ("cpu", A100, (13, 0), False),
        ("cu126", RTX5090, (13, 0), False),
        ("cu999", RTX5090, None, True),
        ("rocm6.4", Gpu("MI300X", 192, 190, (9, 4), "rocm"), None, True),
        ("cpu", Gpu("Apple M3", 16, 8, (0, 0), "mps"), None, True),
    ],
)
def test_a_gpu_is_usable_when_build_kernels_and_driver_agree(build, gpu, driver_cuda, usable):
    machine = a_machine(
        gpus=(gpu,), driver_cuda=driver_cuda, torch=TorchBuild("2.13.0", build)
    )  # fmt: skip

    assert machine.usable_gpu == (gpu if usable else None)


def test_what_torch_says_of_itself_outweighs_the_table():
    named = TorchBuild("2.13.0", "cu130", True, ("sm_60",))
    blind = TorchBuild("2.13.0", "cu126", cuda_available=False)

    assert a_machine(gpus=(GTX1060,), torch=named).usable_gpu == GTX1060
    assert a_machine(gpus=(GTX1060,), torch=blind).usable_gpu is None
    assert a_machine(gpus=(GTX1060,)).usable_gpu is None


@pytest.mark.parametrize(
    ("value", "left"),
    [("", []), ("-1", []), ("1", [1]), ("1,0", [1, 0]), ("0,-1,1", [0]), ("7", []),
     ("GPU-8932f937", [0, 1])],
)  # fmt: skip
def test_cuda_visible_devices_chooses_and_hides(value, left):
    gpus = (A100, GTX1060)
    machine = a_machine(gpus=gpus, environment={"CUDA_VISIBLE_DEVICES": value})

    assert machine.visible_gpus == tuple(gpus[i] for i in left)


TORCH_LINE = 'pip install "torch>=2.11'
CU126 = f'{TORCH_LINE},<2.15" --index-url {INDEX}/cu126'
CU128 = f'{TORCH_LINE},<2.12" --index-url {INDEX}/cu128'


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"gpus": (GTX1060,), "driver_cuda": (12, 8)}, CU126),
        ({"gpus": (GTX1060,), "driver_cuda": (13, 0)}, CU126),
        ({"gpus": (A100,), "driver_cuda": (12, 2)}, CU126),
        ({"gpus": (A100,), "driver_cuda": (13, 0)}, f'{TORCH_LINE}"'),
        ({"gpus": (RTX5090,), "driver_cuda": (12, 8)}, CU128),
        ({"gpus": (RTX5090,), "driver_cuda": (13, 0), "system": "Windows"},
         f'{TORCH_LINE}" --index-url {INDEX}/cu130'),
        ({"gpus": (A100,), "driver_cuda": (11, 4)}, f'{TORCH_LINE}"'),
        ({"gpus": (Gpu("old", 4, 4, (0, 0)),), "driver_cuda": (12, 0)},
         CU126),
        ({}, f'{TORCH_LINE}" --index-url {INDEX}/cpu'),
        ({"container": True}, f'{TORCH_LINE}"'),
        ({"torch": TorchBuild("2.9", "rocm6.4")}, f'{TORCH_LINE}" --index-url {INDEX}/rocm6.4'),
        ({"torch": TorchBuild("2.9", "cu126"), "container": True},
         f'{TORCH_LINE}" --index-url {INDEX}/cu126'),
        ({"system": "Darwin", "gpus": (Gpu("Apple M3", 16, 8, (0, 0), "mps"),)}, f'{TORCH_LINE}"'),
    ],
)  # fmt: skip
def test_the_torch_line_names_the_index_that_fits(changes, line):
    assert install_line(a_machine(**changes), ["torch"]) == line


def test_torch_comes_first_where_a_package_would_bring_a_cpu_build():
    surface = a_machine(system="Windows", gpus=(GTX1060,), driver_cuda=(12, 8))

    first, second = install_line(surface, ["peft", "transformers"]).splitlines()

    assert first == CU126
    assert second == 'pip install "peft>=0.19" "transformers>=5.17,<6"'


def test_a_gpu_torch_that_is_there_is_left_alone():
    surface = a_machine(
        system="Windows", gpus=(GTX1060,), torch=TorchBuild("2.14.1+cu126", "cu126")
    )

    assert install_line(surface, ["peft", "tiktoken"]) == 'pip install "peft>=0.19" tiktoken'


def test_requirements_are_those_of_the_project_installed_or_not(monkeypatch):
    def not_installed(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(install.importlib.metadata, "requires", not_installed)
    from_checkout = install.requirements.__wrapped__()
    lines = ["transformers<6,>=5.17; extra == 'train'", "typer[all]>=0.26", "rich"]
    monkeypatch.setattr(install.importlib.metadata, "requires", lambda name: lines)

    assert from_checkout["transformers"] == ">=5.17,<6"
    assert from_checkout["prompt-toolkit"].startswith(">=3")
    assert install.requirements.__wrapped__() == {
        "transformers": ">=5.17,<6", "typer": ">=0.26", "rich": ""
    }  # fmt: skip


def a_torch(folder: Path, monkeypatch, text: str | None, known: str | None = None) -> None:
    """Make `folder` the only torch there is; `known` is what its metadata says."""
    folder.mkdir()
    if text is not None:
        (folder / "version.py").write_text(text, encoding="utf-8")
    spec = types.SimpleNamespace(submodule_search_locations=[str(folder)])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)

    def version(name):
        if known is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return known

    monkeypatch.setattr(importlib.metadata, "version", version)


@pytest.mark.parametrize(
    ("text", "version", "build"),
    [
        ("__version__ = '2.13.0+cpu'\ncuda: Optional[str] = None\n", "2.13.0+cpu", "cpu"),
        ("__version__ = '2.13.0'\ncuda: Optional[str] = '13.0'\n", "2.13.0", "cu130"),
        ("__version__ = '2.13.0+cu126'\ncuda = '12.6'\n", "2.13.0+cu126", "cu126"),
        ("__version__ = '2.12.0'\nhip: Optional[str] = '6.4.43482'\n", "2.12.0", "rocm6.4"),
        ("__version__ = '2.12.0'\nxpu: Optional[str] = '20250'\n", "2.12.0", "xpu"),
        ("__version__ = '2.13.0'\ncuda: Optional[str] = None\n", "2.13.0", "cpu"),
    ],
)
def test_the_build_of_torch_is_read_without_importing_it(
    tmp_path, monkeypatch, text, version, build
):
    a_torch(tmp_path / "torch", monkeypatch, text)

    assert torch_build.read_torch() == TorchBuild(version, build)


def test_a_half_removed_torch_is_broken_and_none_is_missing(tmp_path, monkeypatch):
    a_torch(tmp_path / "torch", monkeypatch, None, known="2.13.0")
    broken = torch_build.read_torch()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(
        importlib.metadata, "version",
        lambda name: (_ for _ in ()).throw(importlib.metadata.PackageNotFoundError(name)),
    )  # fmt: skip

    assert broken is not None
    assert broken.error == "its files are incomplete"
    assert torch_build.read_torch() is None


def answers(monkeypatch, stdout="", stderr="", code=0):
    done = subprocess.CompletedProcess([], code, stdout, stderr)
    monkeypatch.setattr(torch_build.subprocess, "run", lambda *a, **k: done)


def test_torch_tells_what_it_sees_even_after_a_banner(monkeypatch):
    seen = [["Arc A770", 16 * 2**30, 8 * 2**30, [0, 0], "xpu"]]
    answers(monkeypatch, "hello from a plugin\n" + json.dumps([True, ["sm_90"], seen]) + "\n")

    torch, gpus = torch_build.ask_torch(TorchBuild("2.13.0", "xpu"))

    assert torch == TorchBuild("2.13.0", "xpu", True, ("sm_90",))
    assert gpus == (Gpu("Arc A770", 16.0, 8.0, (0, 0), "xpu"),)


def test_an_import_that_fails_is_a_fact(monkeypatch):
    answers(monkeypatch, stderr="Traceback\nOSError: libcudart.so.13: cannot open", code=1)
    torch, gpus = torch_build.ask_torch(TorchBuild("2.13.0", "cu130"))

    assert torch.error == "OSError: libcudart.so.13: cannot open"
    assert gpus == ()


def test_an_import_that_dies_or_hangs_is_a_fact(monkeypatch):
    answers(monkeypatch, code=-11)
    assert torch_build.ask_torch(TorchBuild("2", "cpu"))[0].error == "exit -11"

    def hang(*_, **__):
        raise subprocess.TimeoutExpired("python", 120)

    monkeypatch.setattr(torch_build.subprocess, "run", hang)
    error = torch_build.ask_torch(TorchBuild("2", "cpu"))[0].error
    assert error == "importing it took more than 120 seconds"


def test_this_machine_is_read_without_importing_torch():
    code = (
        "import sys; from jlora_cli.machine import read_machine; m = read_machine();"
        "assert m.memory_gib > 0 and m.cores > 0 and m.disk_free_gib > 0 and m.cpu;"
        "print([n for n in ('torch', 'numpy', 'transformers') if n in sys.modules])"
    )
    root = str(Path(machines.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True,
        env={**os.environ, "PYTHONPATH": root},
    )  # fmt: skip

    assert done.stdout.strip() == "[]"


def test_try_torch_adds_what_torch_sees(monkeypatch):
    seen = Gpu("MI300X", 192.0, 190.0, (9, 4), "rocm")
    monkeypatch.setattr(reading, "read_torch", lambda: TorchBuild("2.13.0", "rocm6.4"))
    monkeypatch.setattr(reading, "nvidia_smi", lambda: "")
    monkeypatch.setattr(reading, "ask_torch", lambda torch: (torch, (seen,)))

    assert reading.read_machine(try_torch=True).usable_gpu == seen
    assert reading.read_machine().gpus == ()


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A made-up tree in place of / : `root("proc/meminfo", text)`."""
    monkeypatch.setattr(reading, "ROOT", tmp_path)

    def write(path: str, text: str) -> None:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    return write


def test_a_container_may_use_its_limit_only(root):
    root("proc/meminfo", "MemTotal:  67108864 kB\nMemAvailable:  50331648 kB\n")
    assert reading.read_memory("Linux") == (64.0, 48.0)

    root("proc/self/cgroup", "0::/kubepods/pod1\n")
    root("sys/fs/cgroup/memory.max", "max\n")
    assert reading.read_memory("Linux") == (64.0, 48.0)

    root("sys/fs/cgroup/kubepods/pod1/memory.max", str(8 * 2**30))
    root("sys/fs/cgroup/kubepods/pod1/memory.current", str(3 * 2**30))
    assert reading.read_memory("Linux") == (8.0, 5.0)

    root("sys/fs/cgroup/kubepods/pod1/memory.stat", f"anon 1\ninactive_file {2 * 2**30}\n")
    assert reading.read_memory("Linux") == (8.0, 7.0)


def test_without_proc_the_system_is_asked_for_its_pages(root):
    total, free = reading.read_memory("Linux")

    assert total == free > 0


def test_memory_of_a_mac_comes_from_sysctl_and_vm_stat(root, monkeypatch):
    vm = (
        "Mach Virtual Memory Statistics: (page size of 16384 bytes)\n"
        "Pages free:          65536.\nPages active:  1.\nPages inactive:  131072.\n"
    )
    said = {"hw.memsize": "17179869184\n", "vm_stat": vm, "machdep.cpu.brand_string": "Apple M3\n"}
    monkeypatch.setattr(reading, "output", lambda command: said.get(command[-1], ""))

    assert reading.read_memory("Darwin") == (16.0, 3.0)
    assert reading.read_cpu("Darwin") == ("Apple M3", False)


def test_a_mac_has_its_own_gpu(root, monkeypatch):
    monkeypatch.setattr(reading.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(reading.platform, "machine", lambda: "arm64")
    monkeypatch.setattr(reading, "output", lambda command: "")
    monkeypatch.setattr(reading, "nvidia_smi", lambda: "")

    assert [gpu.kind for gpu in reading.read_machine().gpus] == ["mps"]


def test_memory_of_windows_comes_from_the_kernel(root, monkeypatch):
    assert reading.read_memory("Windows") == (0.0, 0.0)

    def fill(pointer):
        pointer._obj.total, pointer._obj.free = 16 * 2**30, 6 * 2**30
        return 1

    kernel = types.SimpleNamespace(GlobalMemoryStatusEx=fill)
    monkeypatch.setattr(ctypes, "windll", types.SimpleNamespace(kernel32=kernel), raising=False)

    assert reading.read_memory("Windows") == (16.0, 6.0)


def test_bfloat16_is_read_from_the_flags_of_the_cpu(root):
    root("proc/cpuinfo", "model name\t: AMD Ryzen 9 9950X\nflags\t\t: fpu avx2 avx512_bf16\n")
    assert reading.read_cpu("Linux") == ("AMD Ryzen 9 9950X", True)

    root("proc/cpuinfo", "model name\t: Intel Core i7-8650U\nflags\t\t: fpu avx2\n")
    assert reading.read_cpu("Linux") == ("Intel Core i7-8650U", False)


def test_containers_are_known_by_their_marks(root, monkeypatch):
    monkeypatch.delenv("container", raising=False)
    assert not reading.in_container()

    root("proc/1/cgroup", "12:cpuset:/docker/0123\n")
    assert reading.in_container()


def test_a_variable_is_shown_without_its_password():
    shown = reading.misleading_variables(
        {"HF_ENDPOINT": "https://me:secret@hub.example", "HF_TOKEN": "hf_x", "PATH": "/bin"}
    )

    assert shown == {"HF_ENDPOINT": "https://hub.example"}
