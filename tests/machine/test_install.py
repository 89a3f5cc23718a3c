"""The lines that install what is missing, for every shell, manager, driver and GPU."""

from __future__ import annotations

import importlib.metadata
from dataclasses import replace

import pytest

from jlora_cli.machine import (
    Gpu,
    Machine,
    TorchBuild,
    companion_line,
    install,
    install_line,
    joined,
    plain_line,
    repair_torch,
)

INDEX = "https://download.pytorch.org/whl"
GTX1060 = Gpu("NVIDIA GeForce GTX 1060", 6.0, 5.2, (6, 1))
A100 = Gpu("NVIDIA A100-SXM4-80GB", 80.0, 79.2, (8, 0))
RTX5090 = Gpu("NVIDIA GeForce RTX 5090", 31.8, 31.0, (12, 0))


def a_machine(**changes: object) -> Machine:
    plain: dict[str, object] = {
        "system": "Linux", "python": "3.11.9", "in_virtual_environment": True, "cpu": "Zen 3",
        "cores": 8, "memory_gib": 32.0, "free_memory_gib": 24.0, "disk_free_gib": 200.0,
    }  # fmt: skip
    return Machine(**{**plain, **changes})  # type: ignore[arg-type]


TORCH_LINE = 'pip install "torch>=2.11'
CU126 = f'{TORCH_LINE},<2.15" --index-url {INDEX}/cu126'
CU128 = f'{TORCH_LINE},<2.12" --index-url {INDEX}/cu128'


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"gpus": (GTX1060,), "driver_cuda": (12, 8)}, CU126),
        ({"gpus": (GTX1060,), "driver_cuda": (13, 0)}, CU126),
        ({"gpus": (A100,), "driver_cuda": (12, 2)}, CU126),
        ({"gpus": (A100,), "driver_cuda": (13, 0)}, f'{TORCH_LINE}"'),
        ({"gpus": (RTX5090,), "driver_cuda": (12, 8)}, CU128),
        ({"gpus": (RTX5090,), "driver_cuda": (13, 0), "system": "Windows"},
         f'{TORCH_LINE}" --index-url {INDEX}/cu130'),
        ({"gpus": (A100,), "driver_cuda": (11, 4)}, f'{TORCH_LINE}"'),
        ({"gpus": (Gpu("old", 4, 4, (0, 0)),), "driver_cuda": (12, 0)},
         CU126),
        ({}, f'{TORCH_LINE}" --index-url {INDEX}/cpu'),
        ({"container": True}, f'{TORCH_LINE}"'),
        ({"adapters": ("AMD 0x744c",)}, f'{TORCH_LINE},<2.14" --index-url {INDEX}/rocm7.2'),
        ({"adapters": ("AMD 0x744c",), "system": "Windows"},
         f'{TORCH_LINE}" --index-url {INDEX}/cpu'),
        ({"system": "Darwin", "gpus": (Gpu("Apple M3", 16, 8, (0, 0), "mps"),)}, f'{TORCH_LINE}"'),
    ],
)  # fmt: skip
def test_the_torch_line_names_the_index_that_fits(changes, line):
    assert install_line(a_machine(**changes), ["torch"]) == line


UPGRADE = 'pip install --upgrade "torch>=2.11'


@pytest.mark.parametrize(
    ("version", "build", "changes", "line"),
    [
        # 2.14.1+cu126 counts as newer than 2.14.1 and than 2.14.1+cpu, as older than 2.14.1+cu130.
        ("2.14.1", "cu130", {"gpus": (GTX1060,)}, f'{UPGRADE},<2.15" --index-url {INDEX}/cu126'),
        ("2.14.1+cu130", "cu130", {"gpus": (GTX1060,)},
         f'{UPGRADE},<2.15,!=2.14.1+cu130" --index-url {INDEX}/cu126'),
        ("2.9+rocm6.4", "rocm6.4", {},
         f'{UPGRADE},<2.14,!=2.9+rocm6.4" --index-url {INDEX}/rocm7.2'),
        ("2.14.1+cu126", "cu126", {"container": True},
         f'{UPGRADE},!=2.14.1+cu126" --index-url {INDEX}/cu126'),
        ("2.13.0+xpu", "xpu", {}, f'{UPGRADE},!=2.13.0+xpu" --index-url {INDEX}/xpu'),
        ("2.5.0+cu118", "cu118", {"container": True}, f'{UPGRADE},!=2.5.0+cu118"'),
    ],
)  # fmt: skip
def test_a_torch_that_is_there_is_replaced_in_one_line(version, build, changes, line):
    machine = a_machine(
        torch=TorchBuild(version, build), packages={"torch": version}, driver_cuda=(12, 8),
        **changes,
    )  # fmt: skip

    assert install_line(machine, ["torch"]) == line


def test_a_torch_that_cannot_be_imported_is_installed_over_itself():
    broken = TorchBuild("2.14.1+cu126", "cu126", error="ImportError: libcudart")
    of_pip = a_machine(gpus=(GTX1060,), torch=broken, packages={"torch": "2.14.1+cu126"})
    whole = f'"torch>=2.11,<2.15" --index-url {INDEX}/cu126'

    assert install_line(of_pip, ["torch"]).splitlines() == [
        f"pip install --force-reinstall --no-deps {whole}", f"pip install {whole}",
    ]  # fmt: skip
    of_uv = replace(of_pip, manager="uv", installer="uv pip")
    assert install_line(of_uv, ["torch"]) == f"uv pip install --reinstall-package torch {whole}"


def test_a_torch_of_the_right_build_that_does_not_work_is_installed_over_itself():
    right = a_machine(
        gpus=(GTX1060,), torch=TorchBuild("2.14.1+cu126", "cu126"),
        packages={"torch": "2.14.1+cu126"},
    )  # fmt: skip
    same = f'"torch==2.14.1+cu126" --index-url {INDEX}/cu126'

    assert repair_torch(right) == f"pip install --force-reinstall --no-deps {same}"
    by_uv = replace(right, manager="uv", installer="uv pip")
    assert repair_torch(by_uv) == f"uv pip install --reinstall-package torch {same}"


def test_a_torch_of_another_build_that_does_not_work_is_replaced():
    wrong = a_machine(torch=TorchBuild("2.13.0", "xpu"), gpus=(GTX1060,))

    assert repair_torch(wrong) == install_line(wrong, ["torch"])
    assert "--upgrade" in repair_torch(wrong)


@pytest.mark.parametrize(
    ("manager", "installer", "lines"),
    [
        ("uv", "uv pip", f'uv pip install --upgrade-package torch "torch>=2.11,<2.15,!=2.14.1+cpu"'
                         f" --index-url {INDEX}/cu126"),
        ("conda", "python -m pip", 'python -m pip install --upgrade "torch>=2.11,<2.15,'
                                   f'!=2.14.1+cpu" --index-url {INDEX}/cu126'),
        ("poetry", "poetry", f"poetry source add --priority=explicit pytorch-cu126 {INDEX}/cu126\n"
                             'poetry add --source pytorch-cu126 "torch>=2.11,<2.15"'),
    ],
)  # fmt: skip
def test_each_manager_has_its_own_lines(manager, installer, lines):
    machine = a_machine(
        system="Windows", gpus=(GTX1060,), torch=TorchBuild("2.14.1+cpu", "cpu"),
        packages={"torch": "2.14.1+cpu"}, manager=manager, installer=installer,
    )  # fmt: skip

    assert install_line(machine, ["torch"]) == lines


def test_poetry_adds_from_the_package_index_where_that_fits():
    machine = a_machine(gpus=(A100,), driver_cuda=(13, 0), manager="poetry", installer="poetry")

    assert install_line(machine, ["torch", "peft"]).splitlines() == [
        'poetry add "torch>=2.11"', 'poetry add "peft>=0.19"',
    ]  # fmt: skip


def test_what_is_built_for_one_torch_moves_to_the_torch_there_is():
    machine = a_machine(packages={"torch": "2.13.0+cu126"})
    of_poetry = replace(machine, manager="poetry", installer="poetry")
    plain = a_machine(packages={"torch": "2.13.0"})

    assert companion_line(machine, ["torchvision"]) == (
        f'pip install --upgrade "torch==2.13.0+cu126" torchvision --index-url {INDEX}/cu126'
    )
    assert (
        companion_line(of_poetry, ["torchvision"]) == 'poetry add "torch==2.13.0+cu126" torchvision'
    )
    assert (
        companion_line(plain, ["torchaudio"]) == 'pip install --upgrade "torch==2.13.0" torchaudio'
    )
    assert plain_line(machine, ['"fsspec<2026"']) == 'pip install "fsspec<2026"'


def test_two_lines_become_one_that_each_shell_can_run():
    windows, linux = a_machine(system="Windows"), a_machine()

    assert joined(linux, "pip a\npip b") == "pip a && pip b"
    assert joined(windows, "pip a\npip b") == "pip a; if ($?) { pip b }"
    assert joined(replace(windows, shell="cmd"), "pip a\npip b") == "pip a && pip b"
    assert joined(windows, "pip a") == "pip a"


def test_torch_comes_first_where_a_package_would_bring_a_cpu_build():
    surface = a_machine(system="Windows", gpus=(GTX1060,), driver_cuda=(12, 8))

    first, second = install_line(surface, ["peft", "transformers"]).splitlines()

    assert first == CU126
    assert second == 'pip install "peft>=0.19" "transformers>=5.17,<6"'


def test_a_gpu_torch_that_is_there_is_left_alone():
    surface = a_machine(
        system="Windows", gpus=(GTX1060,), torch=TorchBuild("2.14.1+cu126", "cu126")
    )

    assert install_line(surface, ["peft", "tiktoken"]) == 'pip install "peft>=0.19" tiktoken'


def test_requirements_are_those_of_the_project_installed_or_not(monkeypatch):
    def not_installed(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(install.importlib.metadata, "requires", not_installed)
    from_checkout = install.requirements.__wrapped__()
    lines = ["transformers<6,>=5.17; extra == 'train'", "typer[all]>=0.26", "rich"]
    monkeypatch.setattr(install.importlib.metadata, "requires", lambda name: lines)

    assert from_checkout["transformers"] == ">=5.17,<6"
    assert from_checkout["prompt-toolkit"].startswith(">=3")
    assert install.requirements.__wrapped__() == {
        "transformers": ">=5.17,<6", "typer": ">=0.26", "rich": ""
    }  # fmt: skip
