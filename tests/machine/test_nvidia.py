"""What nvidia-smi and NVML say, on real pages and where they say nothing."""

from __future__ import annotations

import types

import pytest

from jlora_cli.machine import Gpu, GpuProcess, LoadMeter, nvidia, nvml, parse_nvidia_smi
from jlora_cli.machine.nvidia import Smi
from tests.smi_pages import PAGES

PAGE = """\
Tue Nov 17 09:12:31 2026
| NVIDIA-SMI 535.183.01             Driver Version: 535.183.01   CUDA Version: 12.2     |
|   0  NVIDIA A100-SXM4-80GB          On  | 00000000:07:00.0 Off |                    0 |
| N/A   31C    P0              61W / 400W |      4MiB / 81920MiB |      0%      Default |
"""
A100 = Gpu("NVIDIA A100-SXM4-80GB", 80.0, 81212 / 1024, (8, 0))
ROW = "NVIDIA A100-SXM4-80GB, 81920, 81212, 8.0, 535.183.01\n"


@pytest.mark.parametrize("name", PAGES)
def test_a_real_page_gives_driver_cuda_and_every_gpu(name):
    page = PAGES[name]

    assert parse_nvidia_smi(page.text) == Smi(page.driver, page.cuda, page.gpus, page.error)


def test_every_page_names_its_source():
    assert len(PAGES) == 18
    assert all(page.source.startswith("github.com/") for page in PAGES.values())


def test_rows_are_exact_where_the_page_cuts_names():
    page = PAGES["a100-mig"].text
    seen = parse_nvidia_smi(ROW * 2 + "\n" + page)

    assert (seen.driver, seen.cuda) == ("535.183.01", (11, 5))
    assert [(each.name, each.capability, each.mig) for each in seen.gpus] == [
        ("NVIDIA A100-SXM4-80GB", (8, 0), True)
    ] * 2


def test_processes_are_told_by_their_own_names_alone():
    page = PAGE + (
        "| Processes:                                                              |\n"
        "|    0   N/A  N/A    190709      C   /home/髙﨑/envs/nya/bin/python3    2492MiB |\n"
        "|    0   N/A  N/A     28420    C+G   ...Programs\\Microsoft VS Code\\Code.exe    N/A |\n"
        "|    0    3    0      4321      C   /usr/bin/app --user-data-dir=/home/髙﨑   12MiB |\n"
    )

    assert parse_nvidia_smi(page).gpus[0].processes == (
        GpuProcess("python3", 190709, 2492 / 1024), GpuProcess("Code.exe", 28420),
        GpuProcess("app", 4321, 12 / 1024),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("driver", "cuda"),
    [("581.15", (13, 0)), ("560.94", (12, 0)), ("470.82", (11, 0)), ("390", None)],
)
def test_cuda_follows_from_the_driver_when_the_page_is_missing(driver, cuda):
    assert parse_nvidia_smi(f"Tesla T4, 15360, 15000, 7.5, {driver}").cuda == cuda


def test_unknown_values_of_mig_and_old_drivers_are_zero():
    seen = parse_nvidia_smi("NVIDIA A100, [N/A], [N/A], GPU-1b2c, 470.82")

    assert seen.gpus == (Gpu("NVIDIA A100", 0.0, 0.0, (0, 0)),)


def test_no_nvidia_smi_is_no_driver():
    assert parse_nvidia_smi("") == Smi()


@pytest.fixture
def tool(monkeypatch):
    """nvidia-smi is there; `tool(rows, page)` makes it answer, `tool.asked` are its columns."""
    asked: list[str] = []

    def answering(rows: dict[str, str], page: str = PAGE) -> list[str]:
        def query(command):
            if len(command) == 1:
                return page
            asked.append(command[1])
            return next((row for column, row in rows.items() if column in command[1]), "")

        monkeypatch.setattr(nvidia.shutil, "which", lambda name, path=None: name)
        monkeypatch.setattr(nvidia, "output", query)
        monkeypatch.setattr(nvidia, "answer", query)
        return asked

    return answering


def test_nvidia_smi_is_asked_again_without_compute_capability_on_old_drivers(tool):
    asked = tool({"uuid": "GTX 1060, 6144, 6000, GPU-1, 470.82\n"})

    assert parse_nvidia_smi(nvidia.nvidia_smi()).gpus[0].name == "GTX 1060"
    assert len(asked) == 2


def test_what_a_failing_nvidia_smi_says_is_kept(tool):
    asked = tool({}, PAGES["mismatch"].text)

    assert "mismatch" in parse_nvidia_smi(nvidia.nvidia_smi()).error
    assert len(asked) == 1


def test_rows_and_page_are_read_together(tool):
    tool({"compute_cap": ROW})

    assert nvidia.read_nvidia() == Smi("535.183.01", (12, 2), (A100,))


def test_without_the_tool_nvidia_smi_is_empty(monkeypatch):
    monkeypatch.setattr(nvidia.shutil, "which", lambda name, path=None: None)

    assert nvidia.nvidia_smi() == ""


def nvml_says(monkeypatch, *gpus, driver="535.183.01", cuda=(12, 2)):
    monkeypatch.setattr(nvidia, "ask_nvml", lambda: (driver, cuda, gpus))


def test_nvml_answers_where_there_is_no_nvidia_smi(monkeypatch):
    monkeypatch.setattr(nvidia, "nvidia_smi", lambda: "")
    nvml_says(monkeypatch, A100)

    assert nvidia.read_nvidia() == Smi("535.183.01", (12, 2), (A100,))


def test_nvml_adds_the_capability_that_an_old_nvidia_smi_does_not_tell(monkeypatch):
    monkeypatch.setattr(nvidia, "nvidia_smi", lambda: PAGES["windows-517"].text)
    nvml_says(monkeypatch, *[Gpu("NVIDIA GeForce GTX 1080 Ti", 11.0, 10.4, (6, 1))] * 2)

    seen = nvidia.read_nvidia()

    assert seen.cuda == (11, 7)
    assert [each.capability for each in seen.gpus] == [(6, 1)] * 2
    assert seen.gpus[0].name == "NVIDIA GeForce GTX 1080 Ti"


def test_a_driver_that_answers_nobody_leaves_what_nvidia_smi_said(monkeypatch):
    monkeypatch.setattr(nvidia, "nvidia_smi", lambda: PAGES["mismatch"].text)
    nvml_says(monkeypatch, driver=None, cuda=None)

    assert nvidia.read_nvidia().error.endswith("mismatch")


def a_library(init=0):
    """NVML of a machine with one RTX 4090, as ctypes sees it; `closed` grows when it is shut."""

    def fill(**values):
        def call(*arguments):
            for pointer, value in zip(arguments[-len(values) :], values.values(), strict=True):
                getattr(pointer, "_obj", pointer).value = value
            return 0

        return call

    def memory(handle, pointer):
        pointer._obj.total, pointer._obj.free = 24 * 2**30, 20 * 2**30

    closed: list[bool] = []
    return types.SimpleNamespace(
        closed=closed,
        nvmlInit_v2=lambda: init,
        nvmlShutdown=lambda: closed.append(True),
        nvmlSystemGetDriverVersion=lambda buffer, size: fill(driver=b"550.163.01")(buffer),
        nvmlSystemGetCudaDriverVersion=fill(cuda=12040),
        nvmlDeviceGetCount_v2=fill(count=1),
        nvmlDeviceGetHandleByIndex_v2=fill(handle=0xA5),
        nvmlDeviceGetName=lambda handle, buffer, size: fill(name=b"NVIDIA GeForce RTX 4090")(
            buffer
        ),
        nvmlDeviceGetMemoryInfo=memory,
        nvmlDeviceGetCudaComputeCapability=fill(major=8, minor=9),
    )


def test_nvml_gives_driver_cuda_and_gpus(monkeypatch):
    library = a_library()
    monkeypatch.setattr(nvml.ctypes, "CDLL", lambda name: library)

    assert nvml.ask_nvml() == (
        "550.163.01", (12, 4), (Gpu("NVIDIA GeForce RTX 4090", 24.0, 20.0, (8, 9)),),
    )  # fmt: skip
    assert library.closed == [True]


def test_nvml_without_driver_or_library_is_nothing(monkeypatch):
    nothing = (None, None, ())

    def missing(name):
        raise OSError(name)

    monkeypatch.setattr(nvml.ctypes, "CDLL", missing)
    assert nvml.ask_nvml() == nothing
    # 9: NVML_ERROR_DRIVER_NOT_LOADED
    monkeypatch.setattr(nvml.ctypes, "CDLL", lambda name: a_library(init=9))
    assert nvml.ask_nvml() == nothing


# -- the load of one GPU ---------------------------------------------------------------------------


def a_busy_library(monkeypatch, *, failed=(), busy=(97, 12), milliwatts=321_400):
    """NVML of a GPU at work on the bus; what is in `failed` it does not support."""
    not_supported = 3  # NVML_ERROR_NOT_SUPPORTED
    asked: list[str] = []

    def by_bus_id(name, handle):
        asked.append(name.value.decode())
        handle._obj.value = 0xA5
        return 6 if "bus" in failed else 0  # NVML_ERROR_NOT_FOUND

    def rates(handle, pointer):
        asked.append(f"load of {handle.value:#x}")
        pointer._obj.gpu, pointer._obj.memory = busy
        return not_supported if "rates" in failed else 0

    def power(handle, pointer):
        pointer._obj.value = milliwatts
        return not_supported if "power" in failed else 0

    library = a_library(init=9 if "driver" in failed else 0)
    library.nvmlDeviceGetHandleByPciBusId_v2 = by_bus_id
    library.nvmlDeviceGetUtilizationRates = rates
    library.nvmlDeviceGetPowerUsage = power
    library.asked = asked
    monkeypatch.setattr(nvml.ctypes, "CDLL", lambda name: library)
    return library


def test_the_load_is_that_of_the_gpu_in_its_place_on_the_bus(monkeypatch):
    library = a_busy_library(monkeypatch)

    assert LoadMeter("00000000:B3:00.0").read() == (97.0, 321.4)
    assert library.asked == ["00000000:B3:00.0", "load of 0xa5"]
    assert library.closed == []


def test_the_load_is_read_once_a_second_at_most(monkeypatch):
    library, now = a_busy_library(monkeypatch), [50.0]
    monkeypatch.setattr(nvml.time, "monotonic", lambda: now[0])
    meter = LoadMeter("00000000:B3:00.0")

    readings = []
    for at in (50.0, 50.5, 50.99, 51.0, 51.5):
        now[0] = at
        readings.append(meter.read())

    assert readings == [(97.0, 321.4)] * 5
    assert library.asked[1:] == ["load of 0xa5"] * 2


@pytest.mark.parametrize(
    ("failed", "expected"), [({"rates"}, (None, 321.4)), ({"power"}, (97.0, None))]
)
def test_what_a_gpu_does_not_tell_is_left_out(monkeypatch, failed, expected):
    a_busy_library(monkeypatch, failed=failed)

    assert LoadMeter("00000000:B3:00.0").read() == expected


def test_there_is_no_load_without_library_driver_or_gpu(monkeypatch):
    def missing(name):
        raise OSError(name)

    for failed in ({"driver"}, {"bus"}):
        library = a_busy_library(monkeypatch, failed=failed)
        assert LoadMeter("00000000:B3:00.0").read() == (None, None)
    assert library.closed == [True]
    monkeypatch.setattr(nvml.ctypes, "CDLL", missing)
    assert LoadMeter("00000000:B3:00.0").read() == (None, None)
