"""The lines that replace torch, run by a real pip on an index of made-up wheels."""

from __future__ import annotations

import importlib.util
import shlex
import subprocess
import sys
import venv
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from jlora_cli.machine import Gpu, Machine, TorchBuild, install, install_line

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(importlib.util.find_spec("pip") is None, reason="pip is missing")
GTX1060 = Gpu("NVIDIA GeForce GTX 1060", 6.0, 5.2, (6, 1))


def a_wheel(folder: Path, version: str) -> Path:
    """A wheel of a torch that holds nothing but its version."""
    name = f"torch-{version}"
    about = f"{name}.dist-info"
    files = {
        "torch/version.py": f"__version__ = '{version}'\n",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{about}/RECORD"] = "".join(f"{each},,\n" for each in (*files, f"{about}/RECORD"))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for each, content in files.items():
            wheel.writestr(each, content)
    return path


@dataclass
class Place:
    """An environment of its own, and an index of cu126 wheels."""

    folder: Path

    @property
    def index(self) -> Path:
        return self.folder / "whl" / "cu126" / "torch"

    def pip(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "pip", "--python", str(self.folder / "env"), *arguments]
        return subprocess.run(line, capture_output=True, encoding="utf-8", check=False)

    def machine_with(self, version: str) -> Machine:
        """A Windows machine with a GTX 1060 and this torch, which is installed here."""
        self.pip("install", "--no-index", str(a_wheel(self.folder / "first", version)))
        build = version.partition("+")[2] or "cpu"
        return Machine(
            system="Windows", python="3.12.3", in_virtual_environment=True, cpu="", cores=1,
            memory_gib=16, free_memory_gib=8, disk_free_gib=50, gpus=(GTX1060,),
            driver_cuda=(12, 8), torch=TorchBuild(version, build), packages={"torch": version},
        )  # fmt: skip

    def replace_torch(self, machine: Machine) -> subprocess.CompletedProcess[str]:
        return self.pip(*shlex.split(install_line(machine, ["torch"]))[1:])

    def torch(self) -> str:
        told = self.pip("show", "torch").stdout.splitlines()
        return next(line.partition(": ")[2] for line in told if line.startswith("Version"))


@pytest.fixture
def place(tmp_path, monkeypatch):
    place = Place(tmp_path)
    wheels = [a_wheel(place.index, "2.14.0+cu126"), a_wheel(place.index, "2.14.1+cu126")]
    links = "".join(f'<a href="{each.name.replace("+", "%2B")}">{each.name}</a>' for each in wheels)
    page = f"<!DOCTYPE html><html><body>{links}</body></html>"
    (place.index / "index.html").write_text(page, encoding="utf-8")
    monkeypatch.setattr(install, "PYTORCH_INDEX", (tmp_path / "whl").as_uri())
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    venv.create(tmp_path / "env", with_pip=False, symlinks=sys.platform != "win32")
    return place


@pytest.mark.parametrize("version", ["2.14.1", "2.14.1+cu130", "2.15.0+cpu"])
def test_pip_puts_the_build_that_fits_in_the_place_of_another(place, version):
    done = place.replace_torch(place.machine_with(version))

    assert done.returncode == 0, done.stderr
    assert place.torch() == "2.14.1+cu126"


def test_a_download_that_breaks_off_leaves_the_torch_that_was_there(place):
    machine = place.machine_with("2.14.1+cpu")
    for wheel in place.index.glob("*.whl"):
        wheel.write_bytes(wheel.read_bytes()[:200])

    assert place.replace_torch(machine).returncode != 0
    assert place.torch() == "2.14.1+cpu"
