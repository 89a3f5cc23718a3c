"""The installed torch, read from its files."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import types
from typing import TYPE_CHECKING

import pytest

from jlora_cli.machine import TorchBuild, torch_build

if TYPE_CHECKING:
    from pathlib import Path


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
