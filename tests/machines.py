"""Machines that the tests and the documents make up: a name, the machine, and what suits it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from jlora_cli.machine import Gpu, Machine, TorchBuild

PACKAGES = {"transformers": "5.23.0", "peft": "0.21.2", "bitsandbytes": "0.50.2"}
WITHOUT_BITSANDBYTES = {name: PACKAGES[name] for name in ("transformers", "peft")}
CPU_TORCH = TorchBuild("2.13.0+cpu", "cpu", cuda_available=False)
CU126 = TorchBuild("2.13.0+cu126", "cu126", cuda_available=True)
CU130 = TorchBuild("2.13.0+cu130", "cu130", cuda_available=True)
LAPTOP = Machine(
    system="Linux",
    python="3.11.9",
    in_virtual_environment=True,
    cpu="Core i7-8650U",
    cores=8,
    memory_gib=15.5,
    free_memory_gib=9.0,
    disk_free_gib=100.0,
    torch=CPU_TORCH,
    packages=PACKAGES,
)


def with_gpus(count, name, gib, capability, **changes):
    """A Linux machine with that many such GPUs and a torch that drives them."""
    gpu = Gpu(name, gib, max(gib - 0.5, 0), capability)
    torch = CU126 if capability < (7, 5) else CU130
    own = {"gpus": (gpu,) * count, "torch": torch, "driver": "580.95.05", "driver_cuda": (13, 0)}
    return replace(LAPTOP, **(own | changes))


def with_gpu(name, gib, capability, **changes):
    return with_gpus(1, name, gib, capability, **changes)


def with_other(kind, name, gib, capability=(0, 0), **changes):
    """A machine with a GPU that is not NVIDIA's."""
    gpu = Gpu(name, gib, gib - 0.5, capability, kind)
    build = {"rocm": "rocm7.1", "xpu": "xpu", "mps": "cpu"}[kind]
    torch = TorchBuild(f"2.13.0+{build}", build, cuda_available=True)
    return replace(LAPTOP, gpus=(gpu,), torch=torch, **changes)


class Case(NamedTuple):
    """A machine, the profile to take on it, and the words in which the reason says so."""

    machine: Machine
    recommended: str
    why: str


MAC = {"system": "Darwin"}
WINDOWS = {"system": "Windows"}
SERVER = replace(LAPTOP, cpu="EPYC 7763", cores=64, memory_gib=251.6, free_memory_gib=240.0)
GTX1060 = with_gpu("NVIDIA GeForce GTX 1060", 6.0, (6, 1), **WINDOWS)
RTX3060 = with_gpu("NVIDIA GeForce RTX 3060", 12.0, (8, 6))
RTX4090 = with_gpu("NVIDIA GeForce RTX 4090", 23.99, (8, 9))
T4 = with_gpu("Tesla T4", 14.6, (7, 5), cores=2, memory_gib=12.7)
V100 = with_gpu("Tesla V100-SXM2-16GB", 15.8, (7, 0))
A100 = with_gpu("NVIDIA A100-SXM4-40GB", 39.4, (8, 0))
FOUR_A100 = with_gpus(4, "NVIDIA A100-SXM4-40GB", 39.4, (8, 0))
GT1030 = Gpu("NVIDIA GeForce GT 1030", 2.0, 1.8, (6, 1))
H200 = with_gpu("NVIDIA H200", 139.8, (9, 0))
M2 = with_other("mps", "Apple M2", 16.0, cpu="Apple M2", memory_gib=16.0, **MAC)
M2_ULTRA = with_other("mps", "Apple M2 Ultra", 64.0, memory_gib=64.0, cores=24, **MAC)

CASES: dict[str, Case] = {
    # Without a GPU, memory and cores decide.
    "laptop, Linux": Case(LAPTOP, "cpu-small", "no GPU that the installed torch can use"),
    "laptop, Windows": Case(replace(LAPTOP, **WINDOWS), "cpu-small", "no GPU"),
    # torch has no wheels for Intel Macs since 2.3.
    "laptop, Intel Mac": Case(replace(LAPTOP, torch=None, **MAC), "cpu-small", "no GPU"),
    "laptop, torch not yet installed": Case(
        replace(LAPTOP, torch=None, packages={}), "cpu-small", "no GPU"
    ),
    "two cores, 8 GiB": Case(replace(LAPTOP, cores=2, memory_gib=7.6), "cpu-small", "no GPU"),
    "64 cores, 256 GiB": Case(SERVER, "cpu", "no GPU that the installed torch can use; 64 cores"),
    "32 GiB but two cores": Case(replace(LAPTOP, cores=2, memory_gib=31.3), "cpu-small", "no GPU"),
    # Small GPUs: what fits is small models, without bitsandbytes' 4 bits.
    "GTX 1060 6 GB, Windows": Case(GTX1060, "surface-cuda", "GTX 1060 with 6 GiB: small models"),
    "GTX 960M 2 GB, Windows": Case(
        with_gpu("NVIDIA GeForce GTX 960M", 2.0, (5, 0), **WINDOWS), "surface-cuda", "2 GiB"
    ),
    "GTX 1650 4 GB": Case(with_gpu("NVIDIA GeForce GTX 1650", 4.0, (7, 5)), "surface-cuda", "4 G"),
    "RTX 2060 6 GB": Case(with_gpu("NVIDIA GeForce RTX 2060", 6.0, (7, 5)), "surface-cuda", "6 G"),
    # The first Surface Books' 1 GB is too little for anything but tiny models.
    "GeForce 1 GB, Windows": Case(
        with_gpu("NVIDIA GeForce GPU", 1.0, (5, 0), **WINDOWS), "cpu-small", "has only 1.0 GiB"
    ),
    # float16 and no bfloat16.
    "T4": Case(T4, "t4", "Tesla T4 with 15 GiB: it has float16 but no bfloat16"),
    "V100 16 GB": Case(V100, "t4", "float16 but no bfloat16"),
    "V100 32 GB": Case(with_gpu("Tesla V100-SXM2-32GB", 31.7, (7, 0)), "t4", "32 GiB"),
    # 4 bits, where bitsandbytes is.
    "RTX 3060 Ti 8 GB, Windows": Case(
        with_gpu("NVIDIA GeForce RTX 3060 Ti", 8.0, (8, 6), **WINDOWS), "rtx-8gb-4bit", "in 4 bits"
    ),
    "GTX 1080 8 GB": Case(with_gpu("NVIDIA GeForce GTX 1080", 7.9, (6, 1)), "rtx-8gb-4bit", "8 G"),
    "RTX 2080 Ti 11 GB": Case(
        with_gpu("NVIDIA GeForce RTX 2080 Ti", 10.7, (7, 5)), "rtx-8gb-4bit", "11 GiB"
    ),
    "RTX 3060 12 GB": Case(RTX3060, "rtx-12gb-4bit", "12 GiB: a 3.6B model fits in 4 bits, with"),
    "RTX 4080 16 GB": Case(
        with_gpu("NVIDIA GeForce RTX 4080", 15.99, (8, 9)), "rtx-12gb-4bit", "16 GiB"
    ),
    "RTX 3060 12 GB, WSL": Case(replace(RTX3060, wsl=True), "rtx-12gb-4bit", "12 GiB"),
    "RTX 3060 12 GB, no bitsandbytes": Case(
        replace(RTX3060, packages=WITHOUT_BITSANDBYTES), "surface-cuda", "bitsandbytes is not inst"
    ),
    "GTX 970 4 GB, Maxwell": Case(
        with_gpu("NVIDIA GeForce GTX 970", 4.0, (5, 2)), "surface-cuda", "4 GiB"
    ),
    "Tesla M40 24 GB, Maxwell": Case(with_gpu("Tesla M40", 22.4, (5, 2)), "surface-cuda", "22 GiB"),
    "P100 16 GB": Case(with_gpu("Tesla P100-PCIE-16GB", 15.9, (6, 0)), "rtx-12gb-4bit", "16 GiB"),
    # bfloat16, unquantized.
    "RTX 4090 24 GB": Case(RTX4090, "rtx-24gb", "24 GiB: a 3.6B model fits in bfloat16"),
    "RTX 3090 24 GB, Windows": Case(
        with_gpu("NVIDIA GeForce RTX 3090", 23.99, (8, 6), **WINDOWS), "rtx-24gb", "24 GiB"
    ),
    "RTX 5090 32 GB": Case(
        with_gpu("NVIDIA GeForce RTX 5090", 31.8, (12, 0)), "rtx-24gb", "32 GiB"
    ),
    "L4": Case(with_gpu("NVIDIA L4", 22.5, (8, 9)), "rtx-24gb", "NVIDIA L4 with 22 GiB"),
    "A10": Case(with_gpu("NVIDIA A10", 22.5, (8, 6)), "rtx-24gb", "NVIDIA A10 with 22 GiB"),
    "A100 40 GB": Case(A100, "a100", "39 GiB: a 3.6B model fits in bfloat16, which is faster"),
    "A100 80 GB": Case(with_gpu("NVIDIA A100-SXM4-80GB", 79.2, (8, 0)), "a100", "79 GiB"),
    "A100 40 GB, no bitsandbytes": Case(
        replace(A100, packages=WITHOUT_BITSANDBYTES), "a100", "faster than quantized"
    ),
    "H100 80 GB": Case(with_gpu("NVIDIA H100 80GB HBM3", 79.6, (9, 0)), "a100", "80 GiB"),
    "H200": Case(H200, "h200", "NVIDIA H200 with 140 GiB: long rows fit"),
    # More than one.
    "2x RTX 4090": Case(
        with_gpus(2, "NVIDIA GeForce RTX 4090", 23.99, (8, 9)), "multi-gpu", "2 GPUs (NVIDIA GeFo"
    ),
    "2x RTX 4090, Windows": Case(
        with_gpus(2, "NVIDIA GeForce RTX 4090", 23.99, (8, 9), **WINDOWS), "rtx-24gb", "24 GiB"
    ),
    "2x T4": Case(with_gpus(2, "Tesla T4", 14.6, (7, 5)), "multi-gpu", "2 GPUs (Tesla T4, 15 GiB)"),
    "2x RTX 3060 12 GB": Case(
        with_gpus(2, "NVIDIA GeForce RTX 3060", 12.0, (8, 6)), "rtx-12gb-4bit", "12 GiB"
    ),
    "4x A100 40 GB": Case(FOUR_A100, "multi-gpu", "4 GPUs"),
    "4x A100 40 GB, one visible": Case(
        replace(FOUR_A100, environment={"CUDA_VISIBLE_DEVICES": "2"}), "a100", "39 GiB"
    ),
    "RTX 4090 beside a GT 1030": Case(
        replace(RTX4090, torch=CU126, gpus=(*RTX4090.gpus, GT1030)), "rtx-24gb", "24 GiB"
    ),
    # Other makers.
    "Apple M2 16 GB": Case(M2, "apple-mps", "Apple M2, whose GPU shares 16 GiB"),
    "Apple M2 Ultra 64 GB": Case(M2_ULTRA, "apple-mps", "shares 64 GiB"),
    "AMD MI300X": Case(
        with_other("rocm", "AMD Instinct MI300X", 191.5, (9, 4)), "h200", "nobody has tried them"
    ),
    "AMD RX 7900 XTX": Case(
        # Whether its bfloat16 is fast is not known here.
        with_other("rocm", "AMD Radeon RX 7900 XTX", 24.0, (11, 0)), "surface-cuda", "AMD GPUs"
    ),
    "Intel Arc B580": Case(
        with_other("xpu", "Intel(R) Arc(TM) B580 Graphics", 11.6), "cpu-small", "has never been tri"
    ),
    # A GPU that does not count.
    "RTX 4090 under a torch for CPUs": Case(
        replace(RTX4090, torch=CPU_TORCH), "cpu-small", "torch 2.13.0+cpu cannot use NVIDIA GeForc"
    ),
    "A100 MIG slice, nothing told": Case(
        with_gpu("NVIDIA A100 MIG 2g.10gb", 0.0, (0, 0)), "surface-cuda", "does not tell"
    ),
}  # fmt: skip

# The machine that each profile is for, on which the documents settle it.
HOME = {
    "cpu-small": "laptop, Linux",
    "cpu": "64 cores, 256 GiB",
    "surface-cuda": "GTX 1060 6 GB, Windows",
    "apple-mps": "Apple M2 16 GB",
    "t4": "T4",
    "rtx-8gb-4bit": "RTX 3060 Ti 8 GB, Windows",
    "rtx-12gb-4bit": "RTX 3060 12 GB",
    "rtx-24gb": "RTX 4090 24 GB",
    "a100-8bit": "A100 40 GB",
    "a100-4bit": "A100 40 GB",
    "a100": "A100 40 GB",
    "h200": "H200",
    "multi-gpu": "4x A100 40 GB",
}
