"""What the machine decides: every "auto" that is its own, with a reason, and what cannot be.

Pure: a machine is a value, so that every kind of machine is settled in tests.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jlora_cli.config.settings import AUTO
from jlora_cli.finding import Finding, found
from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jlora_cli.config.settings import Resolved, RunConfig
    from jlora_cli.machine import Gpu, Machine

    Reasons = Mapping[str, tuple[object, str]]

# GiB below which a GPU trades time for room; where the line is best drawn was not measured.
ROOMY_GIB = 30
UNKNOWN = (0, 0)  # the capability of a GPU whose driver does not tell it
BFLOAT16_FROM, FLOAT16_FROM = (8, 0), (7, 0)
# bitsandbytes 0.50, "Installation Guide": NF4 and the 8-bit optimizers from 6.0, LLM.int8() from
# 7.5. It has builds for ROCm too, which nobody has tried with jlora.
# torch.nn.attention.varlen calls FlashAttention's kernels, which begin with Ampere; 2.13 is the
# torch whose interface was read.
VARLEN_FROM, _VARLEN_TORCH = (8, 0), (2, 13)
TRITON_FROM = (7, 0)  # Triton, "Compatibility": NVIDIA GPUs of compute capability 8.0; 7.x works
_BITSANDBYTES_FROM = {"4bit": (6, 0), "8bit": (7, 5)}
# AMD's CDNA 2 and 3 multiply bfloat16 as fast as float16 (AMD, Instinct MI200 and MI300 data
# sheets). torch reports other AMD GPUs as capable of it too, at any speed.
_AMD_WITH_BFLOAT16 = re.compile(r"\bMI[23]\d\d")


def training_gpu(machine: Machine) -> Gpu | None:
    """The GPU that training runs on; Intel's XPU is not among those that it knows."""
    gpu = machine.usable_gpu
    return gpu if gpu and gpu.kind != "xpu" else None


def training_gpus(machine: Machine) -> tuple[Gpu, ...]:
    """Every GPU that can train beside the first one; at most one but with CUDA or ROCm."""
    first = training_gpu(machine)
    if first is None or first.kind == "mps":
        return (first,) if first else ()
    alike = tuple(gpu for gpu in machine.usable_gpus if gpu.kind == first.kind)
    # Where it names GPUs by their UUIDs, which a Machine does not know, all count as visible; how
    # many are is told all the same.
    named = machine.environment.get("CUDA_VISIBLE_DEVICES")
    return alike[: len(named.split(","))] if named else alike


def settle(resolved: Resolved, machine: Machine) -> tuple[Resolved, list[Finding]]:
    """Turn each "auto" that depends on the machine into a value, and say what cannot be.

    Settings that depend on the data (max_length, warm-up, evaluation and checkpoint steps) stay
    "auto" for the plan to settle.
    """
    config = resolved.config
    precision, findings = _settle_precision(config, machine)
    lack = bitsandbytes_lack(machine, config.quantization)
    if lack:
        asked = config.quantization
        findings.append(found("quantization-unavailable", quantization=asked, lack=lack))
    reasons = {
        **precision,
        **_settle_processes(resolved, machine),
        **_settle_optimizer(config, machine),
        **_settle_speed(config, machine),
    }
    half = precision.get("precision", (config.precision, ""))[0] != "float32"
    reasons |= _settle_attention(config, machine, half=half)
    return resolved.with_auto(reasons), findings


def best_precision(machine: Machine) -> tuple[str, str]:
    """The precision to train in on this machine, and why."""
    gpu = training_gpu(machine)
    if gpu is None:
        return "float32", say("settle.precision_cpu")
    if gpu.kind == "mps":
        return "float32", say("settle.precision_mps")
    if gpu.kind == "rocm":
        return _best_of_amd(gpu)
    return _best_of_nvidia(gpu)


def _best_of_amd(gpu: Gpu) -> tuple[str, str]:
    if _AMD_WITH_BFLOAT16.search(gpu.name):
        return "bfloat16", say("settle.precision_bfloat16", gpu=gpu.name)
    return "float32", say("settle.precision_amd", gpu=gpu.name)


def _best_of_nvidia(gpu: Gpu) -> tuple[str, str]:
    if gpu.capability == UNKNOWN:
        return "float32", say("settle.precision_unknown", gpu=gpu.name)
    if gpu.capability >= BFLOAT16_FROM:
        return "bfloat16", say("settle.precision_bfloat16", gpu=gpu.name)
    if gpu.capability >= FLOAT16_FROM:
        return "float16", say("settle.precision_float16", gpu=gpu.name)
    return "float32", say("settle.precision_old", gpu=gpu.name)


def has_precision(machine: Machine, precision: str) -> bool:
    """Whether the device that trains here has `precision`; the unknown is trusted."""
    gpu = training_gpu(machine)
    if precision == "float32":
        return True
    if gpu is None:
        return precision == "bfloat16" and machine.cpu_bfloat16
    if gpu.kind == "mps":
        # torch 2.11 and newer need macOS 14, which has bfloat16 on every Apple GPU; the loss
        # scaling that float16 needs has failed on them.
        return precision == "bfloat16"
    if gpu.kind == "rocm" or gpu.capability == UNKNOWN:
        return True
    return precision == "float16" or gpu.capability >= BFLOAT16_FROM


def _settle_precision(config: RunConfig, machine: Machine) -> tuple[Reasons, list[Finding]]:
    best, reason = best_precision(machine)
    asked = config.precision
    if asked == AUTO:
        if config.quantization == "8bit" and best == "bfloat16":
            # bitsandbytes casts every other input, layer by layer, with a warning each time.
            best, reason = "float16", say("settle.precision_8bit")
        return {"precision": (best, reason)}, []
    if has_precision(machine, asked):
        return {}, []
    fault = found("precision-unavailable", asked=asked, instead=best, reason=reason)
    return {"precision": (best, reason)}, [fault]


def bitsandbytes_lack(machine: Machine, quantization: str) -> str:
    """What this machine lacks for `quantization`, as a sentence goes on after "needs"; else empty.

    Packages are held against it only where they are known.
    """
    if quantization == "none":
        return ""
    gpu, needed = training_gpu(machine), _BITSANDBYTES_FROM[quantization]
    if gpu is None or gpu.kind != "cuda":
        return cuda_lack(machine)
    if gpu.capability != UNKNOWN and gpu.capability < needed:
        numbers = {"needed": _version(needed), "has": _version(gpu.capability)}
        return say("settle.needs_capability", gpu=gpu.name, **numbers)
    if machine.packages and "bitsandbytes" not in machine.packages:
        return say("settle.needs_bitsandbytes")
    return ""


def cuda_lack(machine: Machine) -> str:
    """Why there is no CUDA GPU to use here, as a sentence goes on after "needs"."""
    if machine.nvidia is None:
        return say("settle.needs_cuda")
    if machine.torch is None:
        return say("settle.needs_torch", gpu=machine.nvidia.name)
    return say("settle.needs_cuda_torch", gpu=machine.nvidia.name, version=machine.torch.version)


def _version(capability: tuple[int, int]) -> str:
    return f"{capability[0]}.{capability[1]}"


def _settle_processes(resolved: Resolved, machine: Machine) -> Reasons:
    config = resolved.config
    asked = config.processes != AUTO and resolved.sources["processes"].origin != "default"
    # The variables that torchrun and other launchers give every process that they start.
    launched = machine.environment.get("WORLD_SIZE", "")
    if launched.isdecimal() and "RANK" in machine.environment and not asked:
        return {"processes": (int(launched), say("settle.processes_launched"))}
    if config.processes != AUTO:
        return {}
    count = len(training_gpus(machine))
    if count > 1 and machine.system == "Windows":
        # NCCL, over which CUDA processes exchange gradients, has no Windows build.
        return {"processes": (1, say("settle.processes_windows", count=count))}
    if count > 1:
        return {"processes": (count, say("settle.processes_gpus", count=count))}
    return {"processes": (1, say("settle.processes_one"))}


def _settle_optimizer(config: RunConfig, machine: Machine) -> Reasons:
    if config.optimizer == AUTO:
        return {"optimizer": ("adamw", say("settle.optimizer"))}
    # The 8-bit optimizers run wherever NF4 does.
    lack = bitsandbytes_lack(machine, "4bit") if config.optimizer != "adamw" else ""
    if lack:
        reason = say("settle.optimizer_lack", asked=config.optimizer, lack=lack)
        return {"optimizer": ("adamw", reason)}
    return {}


def _settle_speed(config: RunConfig, machine: Machine) -> Reasons:
    """The settings that change speed and memory but not what is learned."""
    reasons: dict[str, tuple[object, str]] = {}
    if config.workers == AUTO:
        reasons["workers"] = 0, say("settle.workers")
    elif config.workers and machine.system == "Windows":
        reasons["workers"] = 0, say("settle.workers_windows")
    if config.gradient_checkpointing == AUTO:
        reasons["gradient_checkpointing"] = _checkpointing(training_gpu(machine))
    against = _against_compiling(machine) if config.compile else ""
    if against:
        reasons["compile"] = False, against
    return reasons


def _against_compiling(machine: Machine) -> str:
    """Why torch.compile is no help on this machine, as a sentence; else empty."""
    gpu = training_gpu(machine)
    if gpu is None:
        return say("settle.compile_cpu")
    if machine.system == "Windows":
        return say("settle.compile_windows")
    if gpu.kind != "cuda":
        return say("settle.compile_untried", gpu=gpu.name)
    if gpu.capability != UNKNOWN and gpu.capability < TRITON_FROM:
        numbers = {"needed": _version(TRITON_FROM), "has": _version(gpu.capability)}
        return say("settle.compile_old", gpu=gpu.name, **numbers)
    return "" if machine.c_compiler else say("settle.compile_no_compiler")


def _settle_attention(config: RunConfig, machine: Machine, *, half: bool) -> Reasons:
    """How a row's attention is computed; what one architecture lacks is settled with it."""
    if config.attention not in (AUTO, "varlen"):
        return {}
    lack = _varlen_lack(config, machine, half=half)
    if lack:
        return {"attention": ("sdpa", say("settle.attention_sdpa", lack=lack))}
    if config.attention == AUTO:
        return {"attention": ("varlen", say("settle.attention_varlen"))}
    return {}


def _varlen_lack(config: RunConfig, machine: Machine, *, half: bool) -> str:
    """What the kernel for rows of all lengths lacks here, after "needs"; else empty."""
    gpu, torch = training_gpu(machine), machine.torch
    if gpu is None or gpu.kind != "cuda":
        return say("settle.needs_nvidia")
    if gpu.capability < VARLEN_FROM:
        numbers = {"needed": _version(VARLEN_FROM), "has": _version(gpu.capability)}
        return say("settle.needs_capability", gpu=gpu.name, **numbers)
    if torch is None or torch.release < _VARLEN_TORCH:
        return say("settle.needs_newer_torch", version=_version(_VARLEN_TORCH))
    if not half:
        return say("settle.needs_half")
    return say("settle.needs_no_dropout") if config.base_dropout else ""


def _checkpointing(gpu: Gpu | None) -> tuple[bool, str]:
    if gpu is None:
        return False, say("settle.checkpointing_cpu")
    if gpu.kind == "mps":
        # torch.utils.checkpoint does not keep MPS's random state: the second forward pass would
        # drop other values than the first.
        return False, say("settle.checkpointing_mps")
    if gpu.memory_gib < ROOMY_GIB:
        return True, say("settle.checkpointing_small", room=ROOMY_GIB)
    return False, say("settle.checkpointing_off")
