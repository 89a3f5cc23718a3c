"""The report for an issue tells the machine and not its owner."""

from __future__ import annotations

import pytest

from jlora_cli.diagnosis import anonymous, markdown
from jlora_cli.finding import Finding
from jlora_cli.machine import Gpu, Machine, TorchBuild


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("/home/takasaki/jlora/x.py", "~/jlora/x.py"),
        ("/home/takasaki-2/x", "/home/USER/x"),
        ("/mnt/data/takasaki/hf", "/mnt/data/USER/hf"),
        ("takasaki_model", "takasaki_model"),
        ("ssh takasaki@nyanko.lan and nyanko", "ssh USER@HOST and HOST"),
        ("/Users/hanako/lib", "/Users/USER/lib"),
        ("token hf_AbCdEfGhIj12345 sk-abcdefgh1234", "token hf_*** sk-***"),
        ("a nyankosensei", "a nyankosensei"),
    ],
)
def test_names_and_tokens_are_taken_out_of_every_place(text, clean):
    cleaned = anonymous(text, home="/home/takasaki", user="takasaki", host="nyanko.lan")

    assert cleaned == clean


def test_homes_of_windows_are_found_with_either_slash():
    given = r"C:\Users\髙﨑\x, c:/users/髙﨑/y, D:\Users\hanako\z"
    cleaned = anonymous(given, home=r"C:\Users\髙﨑", user="髙﨑", host="DESKTOP-1A2B")

    assert cleaned == r"~\x, ~/y, D:\Users\USER\z"


def test_root_is_a_word_and_nobody():
    assert anonymous("sudo as root", home="/", user="root", host="") == "sudo as root"


def test_the_facts_and_findings_stand_in_a_block():
    machine = Machine(
        system="Windows", python="3.12.3", in_virtual_environment=True, cpu="Core i7", cores=8,
        memory_gib=15.9, free_memory_gib=7.0, disk_free_gib=120.4, driver="581.15",
        driver_cuda=(13, 0), gpus=(Gpu("GTX 1060", 6.0, 5.2, (6, 1)),), wsl=True,
        torch=TorchBuild("2.14.1+cpu", "cpu"), packages={"torch": "2", "peft": "0.21.2"},
        environment={"HF_HOME": "~/hf"}, release="Windows 11 (build 26100)", architecture="AMD64",
    )  # fmt: skip
    found = [Finding("a", "ok", "Fine."), Finding("b", "error", "E.", "C.", "do:\npip x\npip y"),
             Finding("c", "warning", "E.", "C.", "do it.")]  # fmt: skip
    text = markdown(machine, found, version="0.1.0")

    assert (
        text
        == """\
### jlora 0.1.0: env-check

| | |
|---|---|
| OS | Windows 11 (build 26100) AMD64 wsl |
| Python | 3.12.3, pip, powershell |
| CPU | Core i7, 8 cores |
| RAM | 15.9 GiB, 7.0 free |
| disk | 120 GiB free |
| NVIDIA driver | 581.15 (CUDA 13.0) |
| GPU | GTX 1060, cuda 6.1, 6.0 GiB, 5.2 free |
| torch | 2.14.1+cpu (cpu) |
| packages | peft 0.21.2 |
| variables | HF_HOME=~/hf |

- ✓ `a` Fine.
- ✗ `b` E.
  C.
  → do:
  ```
  pip x
  pip y
  ```
- ! `c` E.
  C.
  → do it.
"""
    )


def test_a_machine_without_torch_and_driver_is_told_so():
    bare = Machine("Linux", "3.12", True, "Zen", 2, 8.0, 4.0, 20.0, driver="470.82")
    text = markdown(bare, [], version="0.1.0")

    assert "| torch | - |" in text
    assert "| NVIDIA driver | 470.82 (CUDA ?) |" in text
    assert "variables" not in text
