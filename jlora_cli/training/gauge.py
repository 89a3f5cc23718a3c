"""What the device of a run takes and does while it trains."""

from __future__ import annotations

from typing import Any

import torch

from jlora_cli.machine import LoadMeter
from jlora_cli.model import device_memory_gib


class Gauge:
    """Memory of `device`, and its load where it is a GPU that NVML knows."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._meter = LoadMeter(bus_id(device)) if device.type == "cuda" else None

    def read(self) -> dict[str, float | None]:
        """Figures by their names in `StepDone`."""
        load = self._meter.read() if self._meter else None
        return {
            "memory_gib": device_memory_gib(self._device.type),
            "gpu_utilisation": load.utilisation if load else None,
            "gpu_watts": load.watts if load else None,
        }


def bus_id(device: torch.device) -> str:
    """Where a CUDA device lies on the PCI bus, as NVML writes it."""
    # Any: torch's stubs (2.13) leave the place out.
    place: Any = torch.cuda.get_device_properties(device)
    return f"{place.pci_domain_id:08X}:{place.pci_bus_id:02X}:{place.pci_device_id:02X}.0"
