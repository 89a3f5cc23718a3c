"""The whole machine, read where nothing may be relied on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jlora_cli import machine as machines
from jlora_cli.machine import Conflict, Gpu, TorchBuild, Trial, Windows, reading
from jlora_cli.machine.nvidia import Smi


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


@pytest.fixture
def bare(monkeypatch):
    """A machine whose nvidia-smi says nothing and whose torch is not asked."""
    monkeypatch.setattr(reading, "read_nvidia", Smi)
    monkeypatch.setattr(reading, "read_torch", lambda: TorchBuild("2.13.0", "rocm7.2"))
    monkeypatch.setattr(reading, "conflicts", lambda packages: ())
    monkeypatch.setattr(reading, "ask_imports", lambda names: ())
    return monkeypatch


def test_try_torch_adds_what_torch_sees_and_what_works(bare):
    seen, trial = Gpu("MI300X", 192.0, 190.0, (9, 4), "rocm"), Trial("attention", True, "cuda")
    imported = Trial("import typer", True, "cpu")
    bare.setattr(reading, "ask_torch", lambda torch, names: (torch, (seen,), (trial,)))
    bare.setattr(reading, "ask_imports", lambda names: (imported,))
    bare.setattr(
        reading,
        "conflicts",
        lambda packages: (Conflict("torchvision", "0.2", "torch", "==2", "3"),),
    )
    tried = reading.read_machine(try_torch=True)

    assert tried.usable_gpu == seen
    assert tried.trials == (imported, trial)
    assert str(tried.conflicts[0]) == "torchvision 0.2: torch==2 (3)"
    assert reading.read_machine().trials == ()


def test_of_a_torch_for_amd_its_gpus_are_always_asked(bare):
    seen = Gpu("MI300X", 192.0, 190.0, (9, 4), "rocm")
    asked = []
    bare.setattr(reading, "read_torch", lambda: TorchBuild("2.13.0+rocm6.4", "rocm6.4"))

    def ask_torch(torch, names):
        asked.append(names)
        return torch, (seen,), ()

    bare.setattr(reading, "ask_torch", ask_torch)

    assert reading.read_machine().usable_gpu == seen
    assert asked == [()]


@pytest.mark.parametrize(("slow", "names"), [(False, reading.QUICK), (True, reading.SLOW)])
def test_slow_trials_are_made_only_when_asked_for(bare, slow, names):
    asked = []
    bare.setattr(reading, "ask_torch", lambda torch, names: asked.extend(names) or (torch, (), ()))
    reading.read_machine(try_torch=True, slow_trials=slow)

    assert asked[-len(names) :] == list(names)
    assert ("compile" in asked) is slow


def test_heavy_packages_are_imported_only_with_the_slow_trials(bare):
    asked: list[list[str]] = []
    bare.setattr(reading, "ask_imports", lambda names: asked.append(names) or ())
    bare.setattr(reading, "ask_torch", lambda torch, names: (torch, (), ()))
    packages = {"pyyaml": "6", "transformers": "5"}
    bare.setattr(reading, "installed_packages", lambda: packages)
    reading.read_machine(try_torch=True)
    reading.read_machine(try_torch=True, slow_trials=True)

    assert asked == [["pyyaml"], ["pyyaml", "transformers"]]


def test_a_torch_that_is_missing_or_incomplete_is_not_asked(bare):
    bare.setattr(reading, "ask_torch", None)
    bare.setattr(reading, "read_torch", lambda: None)
    assert reading.read_machine(try_torch=True).torch is None

    broken = TorchBuild("2.13.0", "?", error="its files are incomplete")
    bare.setattr(reading, "read_torch", lambda: broken)
    assert reading.read_machine(try_torch=True).torch == broken


def test_of_a_divided_gpu_the_instance_that_torch_sees_counts(bare):
    whole = Gpu("NVIDIA A100-SXM4-80GB", 79.3, 78.0, (8, 0), mig=True)
    part = Gpu("NVIDIA A100-SXM4-80GB MIG 1g.10gb", 9.5, 9.4, (8, 0))
    bare.setattr(reading, "read_nvidia", lambda: Smi("580.95", (13, 0), (whole,)))
    bare.setattr(reading, "ask_torch", lambda torch, names: (torch, (part,), ()))
    assert reading.read_machine(try_torch=True).gpus == (part,)

    bare.setattr(reading, "read_nvidia", lambda: Smi("580.95", (13, 0), (part,)))
    bare.setattr(reading, "ask_torch", lambda torch, names: (torch, (whole,), ()))
    assert reading.read_machine(try_torch=True).gpus == (part,)


def test_a_mac_has_its_own_gpu(bare):
    bare.setattr(reading.platform, "system", lambda: "Darwin")
    bare.setattr(reading.platform, "machine", lambda: "arm64")
    bare.setattr(reading.system, "output", lambda command: "")

    assert [gpu.kind for gpu in reading.read_machine().gpus] == ["mps"]


def test_windows_is_asked_for_its_own_rules(bare):
    bare.setattr(reading.platform, "system", lambda: "Windows")
    rules = Windows(long_paths=False, symlinks=False, code_page=932)
    bare.setattr(reading.surroundings, "read_windows", lambda: rules)

    assert reading.read_machine().windows == rules


def test_a_drive_that_is_gone_leaves_the_disk_unknown(bare):
    bare.setattr(reading.system, "free_disk", lambda folder: None)
    machine = reading.read_machine()

    assert (machine.cache_free_gib, machine.output_free_gib, machine.disk_free_gib) == (
        None,
        None,
        0,
    )
