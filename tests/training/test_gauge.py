"""What a device takes and does while it trains."""

from __future__ import annotations

import types

import pytest
import torch

from jlora_cli.machine.nvml import Load
from jlora_cli.training import gauge
from jlora_cli.training.gauge import Gauge


def test_a_cpu_has_memory_and_no_load(monkeypatch):
    monkeypatch.setattr(gauge, "LoadMeter", lambda bus_id: pytest.fail("NVML was asked"))

    figures = Gauge(torch.device("cpu")).read()

    assert figures.pop("memory_gib") > 0.01
    assert figures == {"gpu_utilisation": None, "gpu_watts": None}


def test_a_gpu_is_found_by_its_place_on_the_bus(monkeypatch):
    asked = []
    place = types.SimpleNamespace(pci_domain_id=1, pci_bus_id=0xB3, pci_device_id=0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: place)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 3 * 2**29)

    class Meter:
        def __init__(self, bus_id):
            asked.append(bus_id)

        def read(self):
            return Load(97.0, 321.4)

    monkeypatch.setattr(gauge, "LoadMeter", Meter)

    figures = Gauge(torch.device("cuda:1")).read()

    assert figures == {"memory_gib": 1.5, "gpu_utilisation": 97.0, "gpu_watts": 321.4}
    assert asked == ["00000001:B3:00.0"]
