"""What NVIDIA's management library says, called without any package; for where nvidia-smi fails."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

from jlora_cli.machine.values import Gpu

GIB = 1024**3
LIBRARIES = ("nvml.dll",) if sys.platform == "win32" else ("libnvidia-ml.so.1",)
NAME_LENGTH = 96  # NVML_DEVICE_NAME_V2_BUFFER_SIZE


class _Memory(ctypes.Structure):
    """nvmlMemory_t of nvml.h."""

    _fields_ = (
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


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
