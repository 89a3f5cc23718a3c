"""Running the package manager: which tool, and what it may not move."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jlora_cli.machine import Machine, TorchBuild, apply, applying

MACHINE = Machine(
    system="Linux", python="3.12.3", in_virtual_environment=True, cpu="", cores=1, memory_gib=16,
    free_memory_gib=8, disk_free_gib=50, torch=TorchBuild("2.13.0+cu126", "cu126"),
    packages={"torch": "2.13.0+cu126"},
)  # fmt: skip


@pytest.fixture
def ran(monkeypatch):
    """[(command, constraints)] of what was run."""
    seen = []

    def run(line, *, env, **_):
        limits = {Path(env[name]).read_text(encoding="utf-8") for name in applying.CONSTRAINTS}
        seen.append((line, *limits))
        return subprocess.CompletedProcess(line, 5)

    monkeypatch.setattr(applying.subprocess, "run", run)
    return seen


def test_a_torch_that_works_keeps_its_version(ran):
    code = apply(MACHINE, ["install", "peft>=0.19"])

    assert code == 5
    assert ran == [
        ([sys.executable, "-m", "pip", "install", "peft>=0.19"], "torch==2.13.0+cu126\n")
    ]


@pytest.mark.parametrize(
    ("torch", "asked"),
    [
        (MACHINE.torch, "torch>=2.11,<2.15"), (MACHINE.torch, "torch"), (None, "peft"),
        (TorchBuild("2.13.0", "cpu", error="OSError"), "peft"),
    ],
)  # fmt: skip
def test_a_torch_that_is_asked_for_missing_or_broken_may_move(ran, torch, asked):
    machine = Machine(**{**vars(MACHINE), "torch": torch})
    apply(machine, ["install", asked])

    assert ran[0][1] == ""


def test_torchvision_is_not_torch(ran):
    apply(MACHINE, ["install", "torchvision"])

    assert ran[0][1] == "torch==2.13.0+cu126\n"


@pytest.mark.parametrize(
    ("manager", "line"),
    [
        ("uv", ["uv", "pip", "install", "peft", "--python", sys.executable]),
        ("poetry", ["poetry", "install", "peft"]),
        ("conda", [sys.executable, "-m", "pip", "install", "peft"]),
    ],
)
def test_each_manager_is_called_by_its_own_tool(ran, manager, line):
    apply(Machine(**{**vars(MACHINE), "manager": manager}), ["install", "peft"])

    assert ran[0][0] == line


def test_a_tool_that_has_gone_fails_like_one_that_is_not_found(monkeypatch):
    def gone(*_, **__):
        raise FileNotFoundError("uv")

    monkeypatch.setattr(applying.subprocess, "run", gone)
    assert apply(MACHINE, ["install", "peft"]) == 127
