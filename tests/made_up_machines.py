"""Machines of every kind that users have, each with the faults that env-check must name.

Drivers, CUDA versions, names and memory of those that say `page=` come from a real nvidia-smi (see
smi_pages.py); the rest is written by hand from NVIDIA's tables of compute capabilities.

`python -m tests.made_up_machines` writes what env-check says of them all, in both languages, into
tests/golden/: read the difference before committing it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from jlora_cli.diagnosis import diagnose
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
)
from jlora_cli.messages import language, use_language
from tests.smi_pages import PAGES

PACKAGES = {
    "typer": "0.29.2", "rich": "15.0.0", "pyyaml": "6.0.3", "jinja2": "3.1.6",
    "sentencepiece": "0.2.3", "protobuf": "7.36.2", "tokenizers": "0.23.3", "safetensors": "0.8.0",
    "huggingface-hub": "2.4.0", "transformers": "5.23.0", "peft": "0.21.2", "accelerate": "1.15.0",
    "datasets": "5.2.0", "bitsandbytes": "0.50.2", "prompt-toolkit": "3.0.53",
}  # fmt: skip
TRIALS = ("matmul-float32", "matmul-float16", "matmul-bfloat16", "attention")


class MadeUp(NamedTuple):
    """A machine and the ids of all its findings that are not "ok"."""

    machine: Machine
    faults: frozenset[str]


def torch_of(version: str, sees: bool | None = True, **more: object) -> dict[str, object]:
    """The torch `version` ("2.14.1+cu130"), and what was tried with it if it sees a device."""
    build = version.partition("+")[2]
    device = "cpu" if build == "cpu" else "cuda"
    works = sees or build == "cpu"
    return {
        "torch": TorchBuild(version, build, sees, **more),  # type: ignore[arg-type]
        "packages": {**PACKAGES, "torch": version},
        "trials": tuple(Trial(name, True, device) for name in TRIALS) if works else (),
    }


def linux(**changes: object) -> Machine:
    """A Linux server with everything installed and no GPU, except for `changes`."""
    plain: dict[str, object] = {
        "system": "Linux", "python": "3.12.3", "in_virtual_environment": True, "cpu": "EPYC 7763",
        "cores": 16, "memory_gib": 125.7, "free_memory_gib": 100.2, "disk_free_gib": 512.0,
        "cpu_bfloat16": True, "packages": PACKAGES, "release": "Ubuntu 24.04.1 LTS",
        "architecture": "x86_64", "shell": "bash",
    }  # fmt: skip
    return Machine(**{**plain, **torch_of("2.14.1+cpu", False), **changes})  # type: ignore[arg-type]


def windows(**changes: object) -> Machine:
    """A Windows laptop with everything installed and no GPU, except for `changes`."""
    own: dict[str, object] = {
        "system": "Windows", "cpu": "Intel(R) Core(TM) i7-8650U", "cores": 8, "memory_gib": 15.9,
        "free_memory_gib": 9.1, "disk_free_gib": 120.0, "cpu_bfloat16": False,
        "release": "Windows 11 (build 26100)", "architecture": "AMD64", "shell": "powershell",
        "windows": Windows(),
    }  # fmt: skip
    return linux(**{**own, **changes})


def mac(**changes: object) -> Machine:
    """A MacBook with an M3, except for `changes`."""
    own: dict[str, object] = {
        "system": "Darwin", "cpu": "Apple M3", "cores": 8, "memory_gib": 16.0,
        "free_memory_gib": 8.0, "disk_free_gib": 200.0, "cpu_bfloat16": False,
        "release": "macOS 15.2", "architecture": "arm64",
        "gpus": (Gpu("Apple M3", 16.0, 8.0, (0, 0), "mps"),),
        "torch": TorchBuild("2.14.1", "cpu", True),
        "trials": tuple(Trial(name, True, "mps") for name in TRIALS),
    }  # fmt: skip
    return linux(**{**own, **changes})


def card(
    name: str, total: float, capability: tuple[int, int], free: float | None = None
) -> dict[str, object]:
    """One GPU under a driver of CUDA 13."""
    gpu = Gpu(name, total, total - 0.4 if free is None else free, capability)
    return {"gpus": (gpu,), "driver": "580.95.05", "driver_cuda": (13, 0)}


def page(name: str, capability: tuple[int, int]) -> dict[str, object]:
    """Driver, CUDA and GPUs of a recorded page; the capability as the driver's query would tell."""
    seen = PAGES[name]
    gpus = tuple(replace(gpu, capability=capability) for gpu in seen.gpus)
    return {"gpus": gpus, "driver": seen.driver, "driver_cuda": seen.cuda}


NO_GPU: dict[str, object] = {"gpus": (), "driver": None, "driver_cuda": None}
GTX1060 = {**card("NVIDIA GeForce GTX 1060", 6.0, (6, 1), 5.2), "driver": "581.15"}
GTX965M = card("NVIDIA GeForce GTX 965M", 2.0, (5, 2), 1.7)
A100 = card("NVIDIA A100-SXM4-80GB", 79.3, (8, 0))
CU126, CU130 = torch_of("2.14.1+cu126"), torch_of("2.14.1+cu130")
BLIND_CU130 = torch_of("2.14.1+cu130", False)
CPU = torch_of("2.14.1+cpu", False)
JAPANESE = Windows(long_paths=False, symlinks=False, code_page=932)
OLD = {"bfloat16", "variable-length"}


def made(machine: Machine, *faults: str) -> MadeUp:
    return MadeUp(machine, frozenset(faults))


MACHINES: dict[str, MadeUp] = {
    # The seeds' machines
    "surface-book-2-cpu-torch": made(windows(**GTX1060, **CPU), "torch-cpu-only"),
    "surface-book-2-mended": made(windows(**GTX1060, **CU126), "bitsandbytes-8bit", *OLD),
    "surface-without-gpu": made(windows(**NO_GPU), "no-gpu", "bfloat16"),
    "surface-book-gtx-965m": made(
        windows(**GTX965M, **BLIND_CU130), "architecture-missing"
    ),
    "gtx-965m-mended": made(windows(**GTX965M, **CU126), "bitsandbytes", *OLD),
    "a100-80": made(linux(**A100, **CU130)),
    # Servers and clouds
    "a100-40": made(linux(**card("NVIDIA A100-SXM4-40GB", 39.4, (8, 0)), **CU130)),
    "h100": made(linux(**card("NVIDIA H100 80GB HBM3", 79.6, (9, 0)), **CU130)),
    "h200": made(linux(**card("NVIDIA H200", 140.4, (9, 0)), **CU130)),
    "b200": made(linux(**card("NVIDIA B200", 179.0, (10, 0)), **CU130)),
    "colab-t4": made(
        linux(**card("Tesla T4", 15.0, (7, 5)), **CU130, container=True), *OLD
    ),
    "v100-cu126": made(
        linux(**card("Tesla V100-SXM2-16GB", 16.0, (7, 0)), **CU126), "bitsandbytes-8bit", *OLD
    ),
    "v100-cu130": made(
        linux(**card("Tesla V100-SXM2-16GB", 16.0, (7, 0)), **BLIND_CU130), "architecture-missing"
    ),
    # github.com/Kaggle/kaggle-cli/issues/1151: is_available() is True, every operation fails.
    "kaggle-p100-cu128": made(
        linux(**{**card("Tesla P100-PCIE-16GB", 16.0, (6, 0)), **torch_of("2.11.0+cu128")},
              container=True), "architecture-missing",
    ),
    "p100-cu126": made(
        linux(**card("Tesla P100-PCIE-16GB", 16.0, (6, 0)), **CU126), "bitsandbytes-8bit", *OLD
    ),
    "k80": made(linux(**page("colab-k80", (3, 7)), **BLIND_CU130), "gpu-too-old"),
    "colab-v100-of-2020": made(
        linux(**page("colab-v100", (7, 0)), **torch_of("2.14.1+cu126", False)), "driver-too-old"
    ),
    # Desktops
    "rtx-3060": made(linux(**page("3060-raspberry", (8, 6)), **CU130)),
    "rtx-4090-cuda-12": made(linux(**page("4090-550", (8, 9)), **CU126)),
    "rtx-4090-driver-too-old": made(
        linux(**page("4090-550", (8, 9)), **BLIND_CU130), "driver-too-old"
    ),
    "rtx-5090": made(linux(**card("NVIDIA GeForce RTX 5090", 31.8, (12, 0)), **CU130)),
    "rtx-5090-cu126": made(
        linux(**card("NVIDIA GeForce RTX 5090", 31.8, (12, 0)),
              **torch_of("2.14.1+cu126")), "architecture-missing",
    ),
    "two-5090-in-use": made(linux(**page("5090-umd", (12, 0)), **CU130), "gpu-memory"),
    "rtx-5070-without-cuda-version": made(
        linux(**page("5070-without-cuda", (12, 0)), **torch_of("2.11.0+cu128"))
    ),
    "rtx-4000-turing": made(linux(**page("rtx4000-535", (7, 5)), **CU126), *OLD),
    "a10g-driver-470": made(
        linux(**page("a10g-470", (8, 6)), **torch_of("2.14.1+cu126", False)), "driver-too-old"
    ),
    "titan-xp-driver-450": made(
        linux(**page("titan-450", (6, 1)), **torch_of("2.14.1+cu126", False)), "driver-too-old"
    ),
    "tesla-p4-in-use": made(
        linux(**page("p4-550", (6, 1)), **CU126), "gpu-memory", "bitsandbytes-8bit", *OLD
    ),
    "windows-1080-ti-driver-517": made(
        windows(**page("windows-517", (6, 1)), **torch_of("2.14.1+cu126", False)),
        "driver-too-old",
    ),
    # Divided and shared GPUs
    "mig-instance": made(
        linux(**card("NVIDIA A100-SXM4-80GB MIG 1g.10gb", 9.5, (8, 0)), **CU130)
    ),
    "mig-without-instances": made(
        linux(gpus=(Gpu("NVIDIA A100-SXM4-80GB", 79.3, 79.0, (8, 0), mig=True),),
              driver="580.95.05", driver_cuda=(13, 0), **BLIND_CU130), "mig-empty",
    ),
    "gpu-in-use": made(
        linux(gpus=(Gpu("NVIDIA L4", 22.5, 3.0, (8, 9), processes=(
            GpuProcess("python3", 7699, 19.1), GpuProcess("Xorg", 994, 0.2))),),
            driver="580.95.05", driver_cuda=(13, 0), **CU130), "gpu-memory",
    ),
    "eight-h100": made(
        linux(gpus=(Gpu("NVIDIA H100 80GB HBM3", 79.6, 79.1, (9, 0)),) * 8, driver="580.95.05",
              driver_cuda=(13, 0), **CU130)
    ),
    # Hidden, silent and missing drivers
    "hidden-by-a-variable": made(
        linux(**A100, **BLIND_CU130, environment={"CUDA_VISIBLE_DEVICES": ""}), "gpu-hidden"
    ),
    "hidden-in-cmd": made(
        windows(**GTX1060, **torch_of("2.14.1+cu126", False), shell="cmd",
                environment={"CUDA_VISIBLE_DEVICES": "-1"}), "gpu-hidden",
    ),
    "driver-mismatch": made(
        linux(driver_error=PAGES["mismatch"].error, adapters=("NVIDIA 0x20b2",)), "driver-fails"
    ),
    "driver-silent": made(
        linux(driver_error=PAGES["wsl-silent"].error, adapters=("NVIDIA 0x1c20",)), "driver-fails"
    ),
    "no-driver": made(windows(adapters=("NVIDIA GeForce GTX 1060",)), "driver-missing", "bfloat16"),
    "cuda-does-not-start": made(
        linux(**A100, **torch_of("2.14.1+cu130", False, cuda_error="CUDA unknown error")),
        "gpu-unusable",
    ),
    "container-without-gpus": made(
        linux(container=True, adapters=("NVIDIA 0x2684",)), "container-without-gpu"
    ),
    "plain-container": made(linux(container=True), "no-gpu"),
    "wsl2": made(
        linux(**page("4070-wsl", (8, 9)), **CU126, wsl=True, wsl_driver="windows")
    ),
    "wsl2-without-gpu": made(linux(wsl=True, wsl_driver="missing"), "no-gpu"),
    "wsl2-linux-driver": made(linux(wsl=True, wsl_driver="linux"), "wsl-driver"),
    # Other makers
    "macbook-m3": made(mac()),
    "mac-intel": made(
        mac(architecture="x86_64", cpu="Intel(R) Core(TM) i9-9880H", gpus=(), torch=None,
            trials=()), "intel-mac", "no-gpu", "bfloat16",
    ),
    "rocm-mi300x": made(
        linux(gpus=(Gpu("AMD Instinct MI300X", 191.7, 191.0, (9, 4), "rocm"),),
              adapters=("AMD 0x74a1",), **torch_of("2.13.0+rocm7.2"))
    ),
    "radeon-under-cpu-torch": made(
        linux(adapters=("AMD 0x744c",)), "torch-without-rocm", "no-gpu"
    ),
    "intel-arc": made(
        linux(gpus=(Gpu("Intel(R) Arc(TM) A770", 15.9, 15.9, (0, 0), "xpu"),),
              **torch_of("2.13.0+xpu"))
    ),
    # Python and its packages
    "nothing-but-the-core": made(
        windows(**GTX1060, torch=None, trials=(), packages={
            name: PACKAGES[name] for name in PACKAGES
            if name not in ("transformers", "peft", "accelerate", "datasets", "bitsandbytes",
                            "prompt-toolkit")}), "torch-missing", "package-missing",
    ),
    "broken-torch": made(
        windows(**GTX1060, torch=TorchBuild(
            "2.14.1+cu126", "cu126", error="OSError: [WinError 126] c10.dll"), trials=()),
        "torch-broken",
    ),
    "broken-packages": made(
        linux(**A100, **{**CU130, "trials": (
            Trial("import pyyaml", True, "cpu"),
            Trial("import sentencepiece", False, "cpu", "ImportError: DLL load failed"))}),
        "package-broken",
    ),
    "torchvision-of-another-torch": made(
        linux(**A100, **CU130, conflicts=(
            Conflict("torchvision", "0.20.1", "torch", "==2.5.1", "2.14.1+cu130"),)),
        "package-conflict",
    ),
    "old-transformers-with-uv": made(
        linux(**A100, **{**CU130, "packages": {**PACKAGES, "transformers": "4.57.6"}},
              manager="uv", installer="uv pip"), "package-version",
    ),
    "poetry-cpu-torch": made(
        linux(**A100, **CPU, manager="poetry", installer="poetry"), "torch-cpu-only"
    ),
    "conda-cpu-torch": made(
        windows(**GTX1060, **CPU, manager="conda", installer="python -m pip"), "torch-cpu-only"
    ),
    "system-python-310": made(
        linux(**A100, **CU130, python="3.10.12", in_virtual_environment=False), "python-version",
        "virtual-environment",
    ),
    "32-bit-python": made(
        windows(**NO_GPU, bits=32, torch=None, trials=()), "python-32bit",
        "no-gpu", "bfloat16",
    ),
    # What was tried and failed
    "bitsandbytes-broken": made(
        linux(**A100, **{**CU130, "trials": (
            Trial("attention", True, "cuda"),
            Trial("4bit", False, "cuda", "RuntimeError: libcudart.so.12: cannot open"))}),
        "bitsandbytes-broken",
    ),
    "kernels-fail": made(
        linux(**A100, **{**CU130, "trials": (
            Trial("matmul-float32", False, "cuda", "AcceleratorError: no kernel image"),)}),
        "compute-fails",
    ),
    "no-compiler": made(
        linux(**A100, **{**CU130, "trials": (
            Trial("attention", True, "cuda"),
            Trial("varlen", False, "cuda", "RuntimeError: FlashAttention is not compiled in"),
            Trial("compile", False, "cuda", "InductorError: no C compiler"))}),
        "compile-fails", "varlen-fails",
    ),
    # Little room, and surroundings that mislead
    "little-room": made(
        linux(memory_gib=3.7, free_memory_gib=1.2, disk_free_gib=4.0, cpu="Celeron N4020", cores=2,
              cpu_bfloat16=False), "no-gpu", "memory", "disk", "bfloat16",
    ),
    "windows-cp932": made(
        windows(**GTX1060, **CU126, windows=JAPANESE), "long-paths", "symlinks", "console",
        "bitsandbytes-8bit", *OLD,
    ),
    "windows-cp932-cmd": made(
        windows(**NO_GPU, windows=Windows(code_page=932), shell="cmd"), "console", "no-gpu",
        "bfloat16",
    ),
    "variables-that-mislead": made(
        linux(**A100, **CU130, environment={
            "BNB_CUDA_VERSION": "118", "LD_LIBRARY_PATH": "/usr/local/cuda-11.8/lib64",
            "TRANSFORMERS_CACHE": "/data/hf"}), "variable",
    ),
    "offline": made(linux(**A100, **CU130, hub=Hub(offline=True)), "hub-offline"),
    "mirror": made(
        linux(**A100, **CU130, hub=Hub(endpoint="https://hub.example")), "hub-endpoint"
    ),
}  # fmt: skip
GOLDEN = Path(__file__).parent / "golden"
MARKS = {"ok": "✓", "warning": "!", "error": "✗"}


def told(name: str) -> str:
    """What env-check says of a machine in the language in use, each remedy whole."""
    lines = [f"== {name}"]
    for item in diagnose(MACHINES[name].machine):
        lines.append(f"{MARKS[item.severity]} {item.id}: {item.evidence}")
        lines += [f"    {part}" for part in (item.consequence, *item.remedy.split("\n")) if part]
    return "\n".join(lines) + "\n"


def all_told(lang: str) -> str:
    """What env-check says of all machines in `lang`."""
    before = language()
    use_language(lang)
    try:
        return "\n".join(map(told, MACHINES))
    finally:
        use_language(before)


if __name__ == "__main__":
    requirements.cache_clear()
    GOLDEN.mkdir(exist_ok=True)
    for lang in ("en", "ja"):
        path = GOLDEN / f"env_check.{lang}.txt"
        path.write_text(all_told(lang), encoding="utf-8", newline="\n")
