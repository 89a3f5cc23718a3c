"""What the facts about made-up machines mean."""

from __future__ import annotations

import pytest

from jlora_cli.diagnosis import diagnose, pip_commands, satisfies
from jlora_cli.machine import Gpu, Machine, TorchBuild, requirements
from jlora_cli.messages import use_language

INDEX = "https://download.pytorch.org/whl"
GTX1060 = Gpu("NVIDIA GeForce GTX 1060", 6.0, 5.2, (6, 1))
GTX960 = Gpu("NVIDIA GeForce GTX 960", 4.0, 3.8, (5, 2))
A100 = Gpu("NVIDIA A100-SXM4-80GB", 80.0, 79.2, (8, 0))
RTX5090 = Gpu("NVIDIA GeForce RTX 5090", 31.8, 31.0, (12, 0))
M3 = Gpu("Apple M3", 16.0, 8.0, (0, 0), kind="mps")
PACKAGES = {
    "typer": "0.29.2", "rich": "15.0.0", "pyyaml": "6.0.3", "jinja2": "3.1.6",
    "sentencepiece": "0.2.3", "protobuf": "7.36.2", "tokenizers": "0.23.3", "safetensors": "0.8.0",
    "huggingface-hub": "2.4.0", "transformers": "5.23.0", "peft": "0.21.2", "accelerate": "1.15.0",
    "datasets": "5.2.0", "bitsandbytes": "0.50.2", "prompt-toolkit": "3.0.53",
}  # fmt: skip
CU126_LINES = f'pip uninstall -y torch\npip install "torch>=2.11,<2.15" --index-url {INDEX}/cu126'


def a_machine(**changes: object) -> Machine:
    """A healthy Linux machine with an A100, except for `changes`."""
    healthy: dict[str, object] = {
        "system": "Linux", "python": "3.11.9", "in_virtual_environment": True, "cpu": "EPYC 7763",
        "cores": 16, "memory_gib": 128.0, "free_memory_gib": 100.0, "disk_free_gib": 500.0,
        "driver": "580.95.05", "driver_cuda": (13, 0), "gpus": (A100,),
        "torch": TorchBuild("2.14.1", "cu130", cuda_available=True), "packages": PACKAGES,
    }  # fmt: skip
    return Machine(**{**healthy, **changes})  # type: ignore[arg-type]


def surface(**changes: object) -> Machine:
    """A Surface Book 2 with a GTX 1060 and the CPU build that Windows' package index gives."""
    own: dict[str, object] = {
        "system": "Windows", "cpu": "Intel Core i7-8650U", "cores": 8, "memory_gib": 15.9,
        "free_memory_gib": 7.0, "driver": "581.15", "driver_cuda": (13, 0), "gpus": (GTX1060,),
        "torch": TorchBuild("2.14.1+cpu", "cpu", cuda_available=False),
    }  # fmt: skip
    return a_machine(**{**own, **changes})


def by_id(machine, **more):
    return {item.id: item for item in diagnose(machine, **more)}


def faults(machine):
    return {item.id for item in diagnose(machine) if item.severity != "ok"}


def test_the_made_up_packages_are_all_that_jlora_names():
    assert {*PACKAGES, "torch"} == set(requirements())


def test_a_healthy_a100_has_nothing_to_mend():
    found = diagnose(a_machine())

    assert {item.severity for item in found} == {"ok"}
    assert [item.id for item in found] == [
        "python-version", "virtual-environment", "torch", "gpu-ok", "package-missing",
        "package-version", "memory", "disk", "bfloat16", "bitsandbytes",
    ]  # fmt: skip


def test_cpu_torch_on_a_surface_book_is_named_with_the_lines_that_mend_it():
    item = by_id(surface())["torch-cpu-only"]

    assert item.severity == "error"
    assert "NVIDIA GeForce GTX 1060" in item.evidence
    assert item.remedy.endswith(CU126_LINES)


def test_cpu_torch_is_named_in_japanese():
    use_language("ja")
    item = by_id(surface())["torch-cpu-only"]

    assert item.evidence == (
        "NVIDIA の GPU（NVIDIA GeForce GTX 1060）があるのに、torch 2.14.1+cpu は CPU 専用の版です。"
    )
    assert item.consequence == "GPU が使われず、学習に何倍もの時間がかかります。"
    assert item.remedy == ("このドライバーと GPU に合う版に入れ替えてください:\n" + CU126_LINES)


def test_the_mended_surface_can_train_in_4_bit_but_not_in_8():
    mended = surface(torch=TorchBuild("2.14.1+cu126", "cu126", True))

    assert faults(mended) == {"bfloat16", "bitsandbytes-8bit"}
    assert "float16" in by_id(mended)["bfloat16"].consequence


def test_an_old_driver_under_cuda_13_may_be_updated_or_torch_replaced():
    old = a_machine(driver="535.183.01", driver_cuda=(12, 2))
    item = by_id(old)["driver-too-old"]

    assert item.severity == "error"
    assert "535.183.01 runs CUDA up to 12.2" in item.evidence
    assert "driver 580 or newer" in item.remedy
    assert item.remedy.endswith(CU126_LINES)
    assert {"architecture-missing", "gpu-unusable"}.isdisjoint(faults(old))


def test_a_newer_driver_is_not_advised_where_the_build_lacks_the_kernels():
    torch = TorchBuild("2.13.0", "cu130", cuda_available=False)
    old = surface(driver="535.98", driver_cuda=(12, 2), torch=torch)

    assert faults(old) == {"architecture-missing"}


def test_a_driver_of_cuda_11_is_too_old_for_every_torch():
    ancient = surface(driver="471.41", driver_cuda=(11, 4))
    item = by_id(ancient)["driver-too-old"]

    assert "driver 525 or newer" in item.remedy
    assert pip_commands(item) == []
    assert by_id(ancient)["torch-cpu-only"].remedy.endswith("cu126")


def test_a_blackwell_gpu_is_missing_from_cu126():
    older = a_machine(gpus=(RTX5090,), torch=TorchBuild("2.13.0+cu126", "cu126", True))
    item = by_id(older)["architecture-missing"]

    assert "12.0" in item.evidence
    assert item.remedy.endswith('pip uninstall -y torch\npip install "torch>=2.11"')
    assert faults(a_machine(gpus=(RTX5090,))) == set()


def test_a_maxwell_gpu_is_missing_from_cu130_and_too_old_for_4_bit():
    item = by_id(a_machine(gpus=(GTX960,)))["architecture-missing"]
    mended = a_machine(gpus=(GTX960,), torch=TorchBuild("2.14.1+cu126", "cu126", True))

    assert item.severity == "error"
    assert item.remedy.endswith(CU126_LINES)
    assert faults(mended) == {"bfloat16", "bitsandbytes"}


def test_a_kepler_gpu_is_too_old_for_any_torch():
    kepler = a_machine(gpus=(Gpu("Tesla K80", 11.2, 11.0, (3, 7)),))

    assert by_id(kepler)["gpu-too-old"].severity == "warning"
    assert "driver-too-old" not in by_id(kepler)


@pytest.mark.parametrize("value", ["", "-1"])
def test_a_gpu_hidden_by_a_variable_is_named_with_the_line_of_the_shell(value):
    hiding = {"CUDA_VISIBLE_DEVICES": value}
    blind = TorchBuild("2.14.1", "cu130", cuda_available=False)
    linux = by_id(a_machine(environment=hiding, torch=blind))["gpu-hidden"]
    windows = by_id(surface(environment=hiding))["gpu-hidden"]

    assert f'"{value}"' in linux.evidence
    assert linux.remedy.endswith("\nunset CUDA_VISIBLE_DEVICES")
    assert windows.remedy.endswith("\nRemove-Item Env:CUDA_VISIBLE_DEVICES")
    assert "gpu-unusable" not in faults(a_machine(environment=hiding, torch=blind))


def test_a_gpu_that_torch_does_not_see_for_no_known_reason_is_said_so():
    blind = TorchBuild("2.14.1", "cu130", cuda_available=False)

    assert "does not see it" in by_id(a_machine(torch=blind))["gpu-unusable"].evidence


def test_a_gpu_that_others_use_is_a_warning():
    crowded = a_machine(gpus=(Gpu("NVIDIA L4", 22.5, 3.0, (8, 9)),))

    assert faults(crowded) == {"gpu-memory"}


@pytest.mark.parametrize(
    ("place", "advice"),
    [({"container": True}, "--gpus all"), ({"wsl": True}, "not inside WSL"), ({}, "nvidia.com")],
)
def test_a_machine_without_gpu_is_advised_by_where_it_is(place, advice):
    bare = a_machine(
        gpus=(),
        driver=None,
        driver_cuda=None,
        torch=TorchBuild("2.13.0+cpu", "cpu", False),
        **place,
    )

    assert faults(bare) == {"no-gpu", "bfloat16"}
    assert advice in by_id(bare)["no-gpu"].remedy
    assert "float32" in by_id(bare)["bfloat16"].consequence


def test_wsl_is_advised_in_japanese():
    use_language("ja")
    bare = a_machine(gpus=(), torch=TorchBuild("2.13.0+cpu", "cpu", False), wsl=True)

    assert "WSL の中ではなく Windows 側でドライバーを更新し" in by_id(bare)["no-gpu"].remedy


def test_a_cpu_with_bfloat16_is_fine():
    bare = a_machine(gpus=(), torch=TorchBuild("2.13.0+cpu", "cpu", False), cpu_bfloat16=True)

    assert by_id(bare)["bfloat16"].severity == "ok"


def test_a_mac_with_its_own_gpu_is_healthy():
    mac = a_machine(
        system="Darwin", cpu="Apple M3", gpus=(M3,), driver=None, driver_cuda=None,
        torch=TorchBuild("2.14.1", "cpu", cuda_available=True), free_memory_gib=8.0,
    )  # fmt: skip

    assert faults(mac) == set()
    assert "Apple M3" in by_id(mac)["gpu-ok"].evidence
    assert "bitsandbytes" not in by_id(mac)


def test_missing_torch_is_installed_from_the_index_that_fits():
    without = surface(torch=None, packages={})
    found = by_id(without)

    assert found["torch-missing"].remedy.endswith(f"--index-url {INDEX}/cu126")
    lines = found["package-missing"].remedy.splitlines()
    assert "--index-url" in lines[1]
    assert "transformers>=5.17,<6" in lines[2]
    assert found["package-missing"].severity == "error"


def test_a_torch_that_cannot_be_imported_shows_the_error():
    broken = TorchBuild("2.14.1", "cu130", error="OSError: [WinError 126] c10.dll")
    item = by_id(a_machine(torch=broken))["torch-broken"]

    assert item.severity == "error"
    assert "WinError 126" in item.evidence
    assert pip_commands(item) == [["uninstall", "-y", "torch"], ["install", "torch>=2.11"]]


def test_packages_that_only_some_runs_need_are_a_warning():
    fewer = {name: version for name, version in PACKAGES.items() if name != "bitsandbytes"}
    item = by_id(a_machine(packages=fewer))["package-missing"]

    assert item.severity == "warning"
    assert item.remedy.splitlines()[-1] == 'pip install "bitsandbytes>=0.48"'


def test_a_model_may_need_a_package_more():
    item = by_id(a_machine(), model_type="qwen")["package-missing"]

    assert item.evidence == "Not installed: tiktoken."


def test_versions_outside_the_ranges_are_named_with_both_numbers():
    older = a_machine(
        packages={**PACKAGES, "transformers": "4.57.6"},
        torch=TorchBuild("2.9.1+cu126", "cu126", cuda_available=True),
    )
    item = by_id(older)["package-version"]

    assert "transformers 4.57.6 (>=5.17,<6)" in item.evidence
    assert "torch 2.9.1+cu126 (>=2.11)" in item.evidence
    assert pip_commands(item)[-1] == ["install", "transformers>=5.17,<6"]


@pytest.mark.parametrize(
    ("version", "specifier", "fits"),
    [
        ("5.23.0", ">=5.17,<6", True),
        ("6.0.0.dev0", ">=5.17,<6", False),
        ("5.17", ">=5.17.0", True),
        ("2.13.0+cu126", ">=2.11", True),
        ("0.9", ">=0.19", False),
        ("1.0", "", True),
        ("unknown", ">=1", False),
    ],
)
def test_a_version_is_held_against_its_range(version, specifier, fits):
    assert satisfies(version, specifier) is fits


@pytest.mark.parametrize(
    ("changes", "id", "severity"),
    [
        ({"python": "3.10.12"}, "python-version", "error"),
        ({"python": "3.15.0"}, "python-version", "warning"),
        ({"in_virtual_environment": False}, "virtual-environment", "warning"),
        ({"in_virtual_environment": False, "container": True}, "virtual-environment", "ok"),
        ({"memory_gib": 3.7}, "memory", "warning"),
        ({"free_memory_gib": 1.0}, "memory", "warning"),
        ({"disk_free_gib": 4.0}, "disk", "warning"),
    ],
)
def test_python_memory_and_disk_have_their_limits(changes, id, severity):
    assert by_id(a_machine(**changes))[id].severity == severity


def test_every_fault_has_a_consequence_and_a_remedy_in_both_languages():
    machines = [surface(), surface(torch=None, packages={}), a_machine(gpus=(GTX960,))]
    for language in ("en", "ja"):
        use_language(language)
        found = [item for machine in machines for item in diagnose(machine)]
        told = [item for item in found if item.severity != "ok"]
        assert len(told) == 4  # one, two and one, in the order of the machines
        assert all(item.consequence and item.remedy for item in told)
