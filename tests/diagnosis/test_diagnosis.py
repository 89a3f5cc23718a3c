"""What the facts about made-up machines mean."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jlora_cli.diagnosis import Wanted, commands, diagnose, satisfies
from jlora_cli.machine import (
    Conflict,
    Gpu,
    GpuProcess,
    Hub,
    Machine,
    TorchBuild,
    Trial,
    Windows,
    requirements,
)  # fmt: skip
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
CU126_LINES = f'pip install --upgrade "torch>=2.11,<2.15" --index-url {INDEX}/cu126'


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


def by_id(machine, wanted=None):
    return {item.id: item for item in diagnose(machine, wanted)}


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

    assert faults(mended) == {"bfloat16", "bitsandbytes-8bit", "variable-length"}
    assert "float32" in by_id(mended)["bfloat16"].consequence


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
    assert commands(item, ancient) == {}
    assert by_id(ancient)["torch-cpu-only"].remedy.endswith("cu126")


def test_a_blackwell_gpu_is_missing_from_cu126():
    older = a_machine(gpus=(RTX5090,), torch=TorchBuild("2.13.0+cu126", "cu126", True))
    item = by_id(older)["architecture-missing"]

    assert "12.0" in item.evidence
    assert item.remedy.endswith('pip install --upgrade "torch>=2.11"')
    assert faults(a_machine(gpus=(RTX5090,))) == set()


def test_a_maxwell_gpu_is_missing_from_cu130_and_too_old_for_4_bit():
    item = by_id(a_machine(gpus=(GTX960,)))["architecture-missing"]
    mended = a_machine(gpus=(GTX960,), torch=TorchBuild("2.14.1+cu126", "cu126", True))

    assert item.severity == "error"
    assert item.remedy.endswith(CU126_LINES)
    assert faults(mended) == {"bfloat16", "bitsandbytes", "variable-length"}


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
    cmd = by_id(surface(environment=hiding, shell="cmd"))["gpu-hidden"]
    assert cmd.remedy.endswith("\nset CUDA_VISIBLE_DEVICES=")
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
    assert list(commands(item, a_machine(torch=broken)).values()) == [
        ["install", "--force-reinstall", "--no-deps", "torch>=2.11"], ["install", "torch>=2.11"],
    ]  # fmt: skip


def test_packages_that_only_some_runs_need_are_a_warning():
    fewer = {name: version for name, version in PACKAGES.items() if name != "bitsandbytes"}
    item = by_id(a_machine(packages=fewer))["package-missing"]

    assert item.severity == "warning"
    assert item.remedy.splitlines()[-1] == 'pip install "bitsandbytes>=0.48"'


def test_a_model_may_need_a_package_more():
    item = by_id(a_machine(), Wanted("qwen/qwen", ("tiktoken",)))["package-missing"]

    assert item.severity == "error"
    assert item.evidence == (
        "Not installed: tiktoken. The tokenizer of the chosen model needs tiktoken."
    )
    assert item.remedy.endswith("\npip install tiktoken")


def test_a_tokenizer_without_sentencepiece_is_named_once():
    fewer = {name: version for name, version in PACKAGES.items() if name != "sentencepiece"}
    wanted = Wanted("rinna/japanese-gpt2-medium", ("sentencepiece", "protobuf"))
    item = by_id(a_machine(packages=fewer), wanted)["package-missing"]

    assert item.evidence.startswith("Not installed: sentencepiece.")
    assert item.remedy.endswith('pip install "sentencepiece>=0.2.1"')


def test_versions_outside_the_ranges_are_named_with_both_numbers():
    older = a_machine(
        packages={**PACKAGES, "transformers": "4.57.6"},
        torch=TorchBuild("2.9.1+cu126", "cu126", cuda_available=True),
    )
    item = by_id(older)["package-version"]

    assert "transformers 4.57.6 (>=5.17,<6)" in item.evidence
    assert "torch 2.9.1+cu126 (>=2.11)" in item.evidence
    assert [*commands(item, older).values()][-1] == ["install", "transformers>=5.17,<6"]


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
        ({"bits": 32}, "python-32bit", "error"),
        ({"system": "Darwin", "architecture": "x86_64", "gpus": ()}, "intel-mac", "error"),
    ],
)
def test_python_memory_and_disk_have_their_limits(changes, id, severity):
    assert by_id(a_machine(**changes))[id].severity == severity


# What keeps a driver or its GPU from being seen


def bare(**changes):
    """A machine without a GPU that answers."""
    none: dict[str, object] = {
        "gpus": (), "driver": None, "driver_cuda": None, "cpu_bfloat16": True,
        "torch": TorchBuild("2.13.0+cpu", "cpu", False),
    }  # fmt: skip
    return a_machine(**{**none, **changes})


@pytest.mark.parametrize(
    ("changes", "id", "told"),
    [
        ({"driver_error": "Failed to initialize NVML: Driver/library version mismatch"},
         "driver-fails", "restart the computer"),
        ({"driver_error": "NVIDIA-SMI has failed because"}, "driver-fails", "Secure Boot"),
        ({"adapters": ("NVIDIA 0x1c20",)}, "driver-missing", "nvidia.com/drivers"),
        ({"adapters": ("NVIDIA 0x1c20",), "container": True}, "container-without-gpu",
         "docker run --gpus all"),
        ({"wsl": True, "wsl_driver": "linux"}, "wsl-driver", "wsl --shutdown"),
    ],
)  # fmt: skip
def test_a_gpu_that_no_driver_answers_for_is_an_error_with_its_reason(changes, id, told):
    item = by_id(bare(**changes))[id]

    assert item.severity == "error"
    assert told in item.remedy
    assert faults(bare(**changes)) == {id}


def test_an_amd_card_under_a_cpu_torch_is_offered_rocm():
    item = by_id(bare(adapters=("AMD 0x744c",)))["torch-without-rocm"]

    assert item.severity == "warning"
    assert item.remedy.endswith(f"{INDEX}/rocm7.2")
    assert "torch-without-rocm" not in by_id(bare(adapters=("AMD 0x744c",), system="Windows"))
    assert "torch-without-rocm" not in by_id(bare(adapters=("AMD 0x744c",), container=True))


def test_a_divided_gpu_without_instances_is_named():
    whole = Gpu("NVIDIA A100-SXM4-80GB", 79.3, 78.0, (8, 0), mig=True)
    blind = a_machine(gpus=(whole,), torch=TorchBuild("2.14.1", "cu130", cuda_available=False))

    assert faults(blind) == {"mig-empty"}
    assert "nvidia-smi mig -cgi" in by_id(blind)["mig-empty"].remedy


def test_what_cuda_says_stands_beside_a_gpu_that_torch_does_not_see():
    said = "CUDA unknown error - this may be due to an incorrectly set up environment"
    blind = TorchBuild("2.14.1", "cu130", cuda_available=False, cuda_error=said)

    assert by_id(a_machine(torch=blind))["gpu-unusable"].evidence.endswith(f"CUDA says: {said}")


def test_a_second_gpu_is_mentioned():
    assert "1 more beside it" in by_id(a_machine(gpus=(A100, A100)))["gpu-ok"].evidence


def test_who_takes_the_memory_of_a_gpu_is_named_the_largest_first():
    users = (
        GpuProcess("Xorg", 994, 0.3), GpuProcess("python3", 7699, 12.4), GpuProcess("Code.exe", 5),
        GpuProcess("gnome-shell", 3634, 0.1),
    )  # fmt: skip
    crowded = Gpu("NVIDIA L4", 22.5, 3.0, (8, 9), processes=users)
    item = by_id(a_machine(gpus=(crowded,)))["gpu-memory"]

    assert item.evidence.endswith(
        "In use by python3 (12.4 GiB, process 7699), Xorg (0.3 GiB, process 994), "
        "gnome-shell (0.1 GiB, process 3634)."
    )
    on_windows = replace(crowded, processes=(GpuProcess("Code.exe", 28420),))
    use_language("ja")
    item = by_id(a_machine(gpus=(on_windows,)))["gpu-memory"]
    assert item.evidence.endswith("使用中のプログラム: Code.exe（プロセス 28420）")


# What was tried


def tried(*trials, **changes):
    return a_machine(trials=tuple(Trial(*trial) for trial in trials), **changes)


def test_what_worked_is_told_in_one_line():
    item = by_id(tried(("matmul-float32", True, "cuda"), ("attention", True, "cuda")))["trials"]

    assert item.evidence == "Tried on cuda, and it works: matmul-float32, attention."


def test_a_product_that_fails_is_an_error_with_the_line_that_installs_torch():
    failed = ("matmul-float32", False, "cuda", "CUDA error: no kernel image is available")
    found = by_id(tried(failed, ("attention", True, "cuda"),
                        packages={**PACKAGES, "torch": "2.14.1"}))  # fmt: skip

    assert found["compute-fails"].severity == "error"
    assert "no kernel image" in found["compute-fails"].evidence
    assert found["compute-fails"].remedy.endswith(
        '\npip install --force-reinstall --no-deps "torch==2.14.1"'
    )
    assert "trials" not in found


def test_what_is_not_needed_may_fail():
    machine = tried(
        ("matmul-float32", True, "cuda"), ("matmul-float16", False, "cuda", "x"),
        ("varlen", False, "cuda", "RuntimeError: FlashAttention"),
        ("compile", False, "cuda", "no compiler"),
    )  # fmt: skip

    assert faults(machine) == {"compile-fails", "varlen-fails"}
    assert {by_id(machine)[id].severity for id in faults(machine)} == {"warning"}


def test_bitsandbytes_that_loads_but_cannot_run_is_an_error():
    failed = ("4bit", False, "cuda", "RuntimeError: libcudart.so.11.0: cannot open")
    item = by_id(tried(failed, ("8bit", True, "cuda")))["bitsandbytes-broken"]

    assert item.severity == "error"
    assert "4bit failed when tried: RuntimeError: libcudart" in item.evidence
    assert item.remedy.endswith('pip install --force-reinstall --no-deps "bitsandbytes>=0.48"')
    of_uv = by_id(tried(failed, manager="uv", installer="uv pip"))["bitsandbytes-broken"]
    assert of_uv.remedy.endswith(
        'uv pip install --reinstall-package bitsandbytes "bitsandbytes>=0.48"'
    )


def test_8_bit_that_the_gpu_is_too_old_for_is_no_fault_of_bitsandbytes():
    pascal = surface(
        torch=TorchBuild("2.14.1+cu126", "cu126", True),
        trials=(Trial("8bit", False, "cuda", "not supported"), Trial("4bit", True, "cuda")),
    )

    assert "bitsandbytes-broken" not in faults(pascal)
    assert "bitsandbytes-8bit" in faults(pascal)


def test_bitsandbytes_on_a_cpu_is_told_only_where_it_was_tried_and_failed():
    assert "bitsandbytes-broken" not in by_id(bare())
    failed = bare(trials=(Trial("cpu-4bit", False, "cpu", "SIGSEGV"),))

    assert "SIGSEGV" in by_id(failed)["bitsandbytes-broken"].evidence


# Packages that cannot be imported, or do not fit each other


def test_a_half_installed_package_is_installed_anew_with_nothing_else_moved():
    broken = Trial("import sentencepiece", False, "cpu", "ImportError: DLL load failed")
    found = by_id(a_machine(trials=(Trial("import typer", True, "cpu"), broken)))
    poetry = a_machine(trials=(broken,), manager="poetry", installer="poetry")

    assert found["package-broken"].evidence == (
        "Installed, but cannot be imported: sentencepiece 0.2.3. ImportError: DLL load failed"
    )
    assert found["package-broken"].remedy.endswith(
        '\npip install --force-reinstall --no-deps "sentencepiece>=0.2.1"'
    )
    assert "trials" not in found
    assert "poetry run python -m pip install" in by_id(poetry)["package-broken"].remedy


def test_torchvision_of_another_torch_is_moved_and_torch_stays():
    conflict = Conflict("torchvision", "0.20.1", "torch", "==2.5.1", "2.14.1+cu130")
    other = Conflict("datasets", "5.2.0", "fsspec", "<=2026.6", "2026.9")
    packages = {**PACKAGES, "torch": "2.14.1+cu130"}
    machine = a_machine(conflicts=(conflict, other), packages=packages)
    item = by_id(machine)["package-conflict"]

    assert "torchvision 0.20.1: torch==2.5.1 (2.14.1+cu130)" in item.evidence
    assert item.remedy.splitlines()[1:] == [
        f'pip install --upgrade "torch==2.14.1+cu130" torchvision --index-url {INDEX}/cu130',
        'pip install "fsspec<=2026.6"',
    ]


# Room for a model


@pytest.mark.parametrize(
    ("cache", "output", "cached", "severity"),
    [
        (100.0, 100.0, False, "ok"),
        (14.0, 14.0, False, "error"),  # one disk: 7 to download, 7.5 for the run
        (14.0, 20.0, False, "ok"),
        (6.0, 20.0, False, "error"),
        (6.0, 20.0, True, "ok"),
        (20.0, 7.0, True, "error"),
    ],
)
def test_a_model_needs_room_for_its_download_and_for_its_run(cache, output, cached, severity):
    machine = a_machine(cache_free_gib=cache, output_free_gib=output)
    wanted = Wanted("rinna/japanese-gpt-neox-3.6b", (), 7.0, cached)

    assert by_id(machine, wanted)["disk-for-model"].severity == severity


def test_a_disk_that_could_not_be_read_counts_as_the_one_that_could():
    item = by_id(a_machine(disk_free_gib=3.0), Wanted("m", (), 7.0))["disk-for-model"]

    assert "3.0 GiB free; m, its checkpoints and its merged copy take 14.5" in item.evidence


# Variables, the hub, Windows


@pytest.mark.parametrize(
    ("environment", "name", "why"),
    [
        ({"BNB_CUDA_VERSION": "118"}, "BNB_CUDA_VERSION", "loads the library of that CUDA"),
        ({"LD_LIBRARY_PATH": "/usr/local/cuda-11.8/lib64"}, "LD_LIBRARY_PATH", "in place of"),
        ({"TRANSFORMERS_CACHE": "/data"}, "TRANSFORMERS_CACHE", "Nothing reads it any more"),
        ({"PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}, "PYTORCH_NO_CUDA_MEMORY_CACHING", "slower"),
    ],
)
def test_a_variable_that_misleads_is_named_with_what_it_does(environment, name, why):
    item = by_id(a_machine(environment=environment))["variable"]

    assert name in item.evidence
    assert why in item.consequence
    assert item.remedy.endswith(f"\nunset {name}")


def test_a_variable_that_hides_the_gpu_from_a_container_is_named():
    hidden = bare(container=True, environment={"NVIDIA_VISIBLE_DEVICES": "void"})

    assert "no GPU" in by_id(hidden)["variable"].consequence


def test_variables_that_do_what_they_say_are_left_alone():
    usual = {"LD_LIBRARY_PATH": "/usr/lib/wsl/lib", "HF_HOME": "/data", "OMP_NUM_THREADS": "4",
             "NVIDIA_VISIBLE_DEVICES": "all"}  # fmt: skip

    assert faults(a_machine(environment=usual)) == set()


def test_an_offline_hub_is_fine_for_a_model_that_is_here():
    offline = a_machine(hub=Hub(offline=True))
    item = by_id(offline)["hub-offline"]

    assert item.severity == "warning"
    assert item.remedy.endswith("\nunset HF_HUB_OFFLINE")
    assert by_id(offline, Wanted("m", cached=True))["hub-offline"].severity == "ok"
    older = a_machine(hub=Hub(offline=True), environment={"TRANSFORMERS_OFFLINE": "1"})
    assert by_id(older)["hub-offline"].remedy.endswith("\nunset TRANSFORMERS_OFFLINE")


def test_another_hub_is_named():
    item = by_id(a_machine(hub=Hub(endpoint="https://hub.example")))["hub-endpoint"]

    assert "https://hub.example" in item.evidence


def test_windows_own_rules_are_named_with_the_lines_of_its_shell():
    rules = Windows(long_paths=False, symlinks=False, code_page=932)
    found = by_id(surface(windows=rules))
    in_cmd = by_id(surface(windows=rules, shell="cmd"))

    assert "LongPathsEnabled 1" in found["long-paths"].remedy
    assert "Developer Mode" in found["symlinks"].remedy
    assert "932" in found["console"].evidence
    assert "[Console]::OutputEncoding" in found["console"].remedy
    assert in_cmd["console"].remedy.endswith("\nchcp 65001")
    assert {"long-paths", "symlinks", "console"}.isdisjoint(faults(surface(windows=Windows())))


def test_every_fault_has_a_consequence_and_a_remedy_in_both_languages():
    machines = [surface(), surface(torch=None, packages={}), a_machine(gpus=(GTX960,))]
    for language in ("en", "ja"):
        use_language(language)
        found = [item for machine in machines for item in diagnose(machine)]
        told = [item for item in found if item.severity != "ok"]
        assert len(told) == 4  # one, two and one, in the order of the machines
        assert all(item.consequence and item.remedy for item in told)
