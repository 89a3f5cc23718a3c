"""What NVIDIA's management library says, called without any package.

Of the machine, for where nvidia-smi fails; and of one GPU, again and again, while it works.
"""

from __future__ import annotations

import ctypes
import sys
import time
from typing import Any, NamedTuple

from jlora_cli.machine.values import Gpu

GIB = 1024**3
LIBRARIES = ("nvml.dll",) if sys.platform == "win32" else ("libnvidia-ml.so.1",)
NAME_LENGTH = 96  # NVML_DEVICE_NAME_V2_BUFFER_SIZE
READ_EVERY_S = 1.0  # the driver's own figures are averages over up to a second


class _Memory(ctypes.Structure):
    """nvmlMemory_t of nvml.h."""

    _fields_ = (
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


class _Utilisation(ctypes.Structure):
    """nvmlUtilization_t of nvml.h, in per cent."""

    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class Load(NamedTuple):
    """How busy a GPU is (per cent) and what it draws (W); None where NVML does not tell."""

    utilisation: float | None = None
    watts: float | None = None


class LoadMeter:
    """The load of one GPU, read at most once a second.

    `bus_id` is the GPU's place on the PCI bus, "00000000:07:00.0": NVML counts every GPU of the
    machine in an order of its own, whatever CUDA_VISIBLE_DEVICES says. The library stays open
    until the process ends.
    """

    def __init__(self, bus_id: str) -> None:
        self._library, self._handle = _find(bus_id)
        self._load, self._due = Load(), 0.0

    def read(self) -> Load:
        """The newest reading; no figures where there is no NVML, or no such GPU in it."""
        if self._library is not None and time.monotonic() >= self._due:
            self._load = Load(self._utilisation(), self._watts())
            self._due = time.monotonic() + READ_EVERY_S
        return self._load

    def _utilisation(self) -> float | None:
        rates = _Utilisation()
        failed = self._library.nvmlDeviceGetUtilizationRates(self._handle, ctypes.byref(rates))
        return None if failed else float(rates.gpu)

    def _watts(self) -> float | None:
        milliwatts = ctypes.c_uint()
        failed = self._library.nvmlDeviceGetPowerUsage(self._handle, ctypes.byref(milliwatts))
        return None if failed else milliwatts.value / 1000


def _find(bus_id: str) -> tuple[Any, ctypes.c_void_p]:
    """The open library and its handle of a GPU; None for the library where it has none."""
    library, handle = _open(), ctypes.c_void_p()
    if library is None or library.nvmlInit_v2() != 0:
        return None, handle
    name = ctypes.c_char_p(bus_id.encode())
    if library.nvmlDeviceGetHandleByPciBusId_v2(name, ctypes.byref(handle)) != 0:
        library.nvmlShutdown()
        return None, handle
    return library, handle


def ask_nvml() -> tuple[str | None, tuple[int, int] | None, tuple[Gpu, ...]]:
    """Driver, newest CUDA it runs, and GPUs; nothing where the library or its driver is missing."""
    library = _open()
    if library is None or library.nvmlInit_v2() != 0:
        return None, None, ()
    try:
        version = ctypes.create_string_buffer(NAME_LENGTH)
        library.nvmlSystemGetDriverVersion(version, NAME_LENGTH)
        cuda = ctypes.c_int()
        library.nvmlSystemGetCudaDriverVersion(ctypes.byref(cuda))
        count = ctypes.c_uint()
        library.nvmlDeviceGetCount_v2(ctypes.byref(count))
        gpus = tuple(_gpu(library, place) for place in range(count.value))
    finally:
        library.nvmlShutdown()
    newest = (cuda.value // 1000, cuda.value % 1000 // 10) if cuda.value else None
    return version.value.decode(errors="replace") or None, newest, gpus


def _open() -> Any:
    for name in LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None


def _gpu(library: Any, place: int) -> Gpu:
    handle = ctypes.c_void_p()
    library.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(place), ctypes.byref(handle))
    name = ctypes.create_string_buffer(NAME_LENGTH)
    library.nvmlDeviceGetName(handle, name, ctypes.c_uint(NAME_LENGTH))
    memory = _Memory()
    library.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory))
    major, minor = ctypes.c_int(), ctypes.c_int()
    library.nvmlDeviceGetCudaComputeCapability(handle, ctypes.byref(major), ctypes.byref(minor))
    capability = (major.value, minor.value)
    text = name.value.decode(errors="replace")
    return Gpu(text, memory.total / GIB, memory.free / GIB, capability)
