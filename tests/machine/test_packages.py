"""Versions and unmet needs, from metadata alone."""

from __future__ import annotations

import builtins
import importlib.metadata

import pytest

from jlora_cli.machine import Conflict, packages

INSTALLED = {
    "torch": "2.13.0+cu126",
    "torchvision": "0.20.1",
    "datasets": "5.2.0",
    "fsspec": "2026.9",
}
NEEDS = {
    "torchvision": ["torch==2.5.1", "numpy", "pillow!=8.3.*,>=5.3.0"],
    "datasets": [
        "fsspec[http]<=2026.6", "torch>=2; extra == 'torch'", "fsspec<1; python_version < '3'",
        "not a need at all ===",
    ],
}  # fmt: skip


@pytest.fixture
def metadata(monkeypatch):
    def version(name):
        if name not in INSTALLED:
            raise importlib.metadata.PackageNotFoundError(name)
        return INSTALLED[name]

    def requires(name):
        if name == "gone":
            raise importlib.metadata.PackageNotFoundError(name)
        return NEEDS.get(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(importlib.metadata, "requires", requires)
    return monkeypatch


def test_needs_that_are_not_met_are_named_with_both_versions(metadata):
    assert packages.conflicts([*INSTALLED, "gone"]) == (
        Conflict("torchvision", "0.20.1", "torch", "==2.5.1", "2.13.0+cu126"),
        Conflict("datasets", "5.2.0", "fsspec", "<=2026.6", "2026.9"),
    )


def test_a_half_removed_package_is_not_installed(metadata):
    def without_version(name):
        raise KeyError("Version")

    metadata.setattr(importlib.metadata, "version", without_version)
    assert packages.installed_packages() == {}
    metadata.setattr(importlib.metadata, "version", lambda name: None)
    assert packages.installed("torch") is None


def test_neighbours_of_torch_are_read_too(metadata):
    assert packages.installed_packages() == {
        "datasets": "5.2.0", "torch": "2.13.0+cu126", "torchvision": "0.20.1",
    }  # fmt: skip


def test_without_the_package_packaging_nothing_is_compared(metadata):
    real = builtins.__import__

    def without(name, *rest):
        if name.startswith("packaging"):
            raise ImportError(name)
        return real(name, *rest)

    metadata.setattr(builtins, "__import__", without)
    assert packages.conflicts(INSTALLED) == ()
