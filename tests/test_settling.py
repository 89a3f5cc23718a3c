"""What the machine decides: every "auto" of its own gets a value, a reason, or a finding."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jlora_cli.config import FIELDS, Source, parse_options, resolve, settle, training_gpus
from jlora_cli.machine import Gpu
from jlora_cli.messages import use_language
from tests.machines import (
    A100,
    CASES,
    CPU_TORCH,
    FOUR_A100,
    GTX1060,
    LAPTOP,
    M2,
    SERVER,
    T4,
    V100,
    WITHOUT_BITSANDBYTES,
)

WINDOWS = replace(LAPTOP, system="Windows")
MAXWELL = CASES["GTX 970 4 GB, Maxwell"].machine
MI300 = CASES["AMD MI300X"].machine
RADEON = CASES["AMD RX 7900 XTX"].machine
XPU = CASES["Intel Arc B580"].machine
UNTOLD = CASES["A100 MIG slice, nothing told"].machine
BLACKWELL = CASES["RTX 5090 32 GB"].machine


def settled(machine, **options):
    """(config, sources, findings by id) of these options on that machine."""
    resolved, found = settle(resolve(None, parse_options(options)), machine)
    return resolved.config, resolved.sources, {item.id: item for item in found}


# -- precision ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("machine", "precision", "reason"),
    [
        (A100, "bfloat16", "NVIDIA A100-SXM4-40GB has bfloat16"),
        (T4, "float16", "Tesla T4 has float16 but no bfloat16"),
        (V100, "float16", "has float16 but no bfloat16"),
        (BLACKWELL, "bfloat16", "NVIDIA GeForce RTX 5090 has bfloat16"),
        (GTX1060, "float32", "NVIDIA GeForce GTX 1060 gains nothing"),
        (MAXWELL, "float32", "NVIDIA GeForce GTX 970 gains nothing"),
        (UNTOLD, "float32", "the driver does not tell"),
        (M2, "float32", "float32 is sure on Apple's GPU"),
        (MI300, "bfloat16", "AMD Instinct MI300X has bfloat16"),
        (RADEON, "float32", "is not known here"),
        (XPU, "float32", "slower than float32"),  # it trains on the CPU
        (replace(SERVER, cpu_bfloat16=True), "float32", "slower than float32"),
        (LAPTOP, "float32", "slower than float32"),
        (replace(LAPTOP, gpus=A100.gpus), "float32", "slower than float32"),  # a CPU build of torch
        (replace(LAPTOP, torch=None), "float32", "slower than float32"),
    ],
)
def test_precision_is_what_the_device_has(machine, precision, reason):
    config, sources, found = settled(machine)

    assert config.precision == precision
    assert sources["precision"].origin == "auto"
    assert reason in sources["precision"].reason
    assert found == {}


@pytest.mark.parametrize(
    ("machine", "asked", "instead"),
    [
        (T4, "bfloat16", "float16"),
        (V100, "bfloat16", "float16"),
        (GTX1060, "bfloat16", "float32"),
        (MAXWELL, "bfloat16", "float32"),
        (LAPTOP, "float16", "float32"),
        (LAPTOP, "bfloat16", "float32"),
        (M2, "float16", "float32"),
        (XPU, "bfloat16", "float32"),
    ],
)
def test_a_precision_that_the_device_lacks_is_replaced_with_a_warning(machine, asked, instead):
    config, sources, found = settled(machine, precision=asked)

    assert config.precision == instead
    assert sources["precision"].origin == "auto"
    assert found["precision-unavailable"].severity == "warning"
    assert found["precision-unavailable"].evidence == f"{asked} was asked for, {instead} is used"
    assert found["precision-unavailable"].consequence == sources["precision"].reason


@pytest.mark.parametrize(
    ("machine", "asked"),
    [
        (A100, "float32"),
        (A100, "float16"),
        (T4, "float32"),
        (GTX1060, "float16"),
        (M2, "bfloat16"),
        (RADEON, "bfloat16"),
        (UNTOLD, "bfloat16"),
        (replace(LAPTOP, cpu_bfloat16=True), "bfloat16"),
    ],
)
def test_a_precision_that_the_device_has_stays_as_asked(machine, asked):
    config, sources, found = settled(machine, precision=asked)

    assert config.precision == asked
    assert sources["precision"].origin == "option"
    assert found == {}


def test_8_bit_layers_are_fed_the_float16_that_they_multiply_in():
    config, sources, _ = settled(A100, quantization="8bit")
    four_bit, _, _ = settled(A100, quantization="4bit")
    asked, _, found = settled(A100, quantization="8bit", precision="bfloat16")

    assert (config.precision, sources["precision"].origin) == ("float16", "auto")
    assert sources["precision"].reason.startswith("8-bit layers multiply in float16")
    assert (four_bit.precision, asked.precision, found) == ("bfloat16", "bfloat16", {})


# -- quantization ---------------------------------------------------------------------------------

NO_GPU = "a CUDA GPU that torch can use; this machine has none"


@pytest.mark.parametrize(
    ("machine", "quantization", "lack"),
    [
        (LAPTOP, "4bit", NO_GPU),
        (LAPTOP, "8bit", NO_GPU),
        (M2, "4bit", NO_GPU),
        (MI300, "4bit", NO_GPU),
        (XPU, "8bit", NO_GPU),
        (
            replace(A100, torch=CPU_TORCH),
            "4bit",
            "a CUDA GPU that torch can use; torch 2.13.0+cpu cannot use NVIDIA A100-SXM4-40GB",
        ),
        (
            replace(A100, torch=None),
            "4bit",
            "a CUDA GPU that torch can use; there is NVIDIA A100-SXM4-40GB, but no torch",
        ),
        (MAXWELL, "4bit", "compute capability 6.0 or newer; NVIDIA GeForce GTX 970 has 5.2"),
        (GTX1060, "8bit", "compute capability 7.5 or newer; NVIDIA GeForce GTX 1060 has 6.1"),
        (V100, "8bit", "compute capability 7.5 or newer; Tesla V100-SXM2-16GB has 7.0"),
        (
            replace(A100, packages=WITHOUT_BITSANDBYTES),
            "4bit",
            "the package bitsandbytes, which is not installed",
        ),
    ],
)
def test_quantization_that_cannot_be_says_what_is_lacking(machine, quantization, lack):
    config, _, found = settled(machine, quantization=quantization)

    fault = found["quantization-unavailable"]
    assert fault.severity == "error"
    assert fault.evidence == f"{quantization} needs {lack}"
    assert "--quantization none" in fault.remedy
    assert config.quantization == quantization  # never dropped in silence


@pytest.mark.parametrize(
    ("machine", "quantization"),
    [
        (GTX1060, "4bit"),
        (T4, "8bit"),
        (A100, "8bit"),
        (BLACKWELL, "4bit"),
        (UNTOLD, "8bit"),
        (replace(A100, packages={}), "4bit"),  # what is not known is not held against it
    ],
)
def test_quantization_that_can_be_is_no_finding(machine, quantization):
    _, _, found = settled(machine, quantization=quantization)

    assert found == {}


def test_what_quantization_lacks_is_told_in_japanese():
    use_language("ja")

    _, _, found = settled(replace(A100, torch=CPU_TORCH), quantization="4bit")

    assert found["quantization-unavailable"].evidence == (
        "4bit には torch から使える CUDA GPU が必要ですが、torch 2.13.0+cpu は "
        "NVIDIA A100-SXM4-40GB を使えません"
    )


def test_all_that_cannot_be_is_found_at_once():
    _, _, found = settled(LAPTOP, quantization="4bit", precision="float16")

    assert set(found) == {"quantization-unavailable", "precision-unavailable"}


# -- processes and workers ------------------------------------------------------------------------


def test_windows_has_no_worker_processes():
    config, sources, _ = settled(WINDOWS, workers="4")
    on_linux, linux_sources, _ = settled(LAPTOP, workers="4")

    assert config.workers == 0
    assert "Windows" in sources["workers"].reason
    assert (on_linux.workers, linux_sources["workers"].origin) == (4, "option")


@pytest.mark.parametrize(
    ("machine", "processes", "reason"),
    [
        (FOUR_A100, 4, "one for each of the 4 GPUs that torch can use"),
        (CASES["4x A100 40 GB, one visible"].machine, 1, "no second GPU"),
        (CASES["2x RTX 4090, Windows"].machine, 1, "2 GPUs, but processes cannot share them on W"),
        (A100, 1, "no second GPU"),
        (M2, 1, "no second GPU"),
        (LAPTOP, 1, "no second GPU"),
        (XPU, 1, "no second GPU"),
        (replace(FOUR_A100, torch=CPU_TORCH), 1, "no second GPU"),
        # Named by ids that nvidia-smi's rows do not tell: which ones is not known, how many is.
        (
            replace(FOUR_A100, environment={"CUDA_VISIBLE_DEVICES": "GPU-8a,GPU-3f"}),
            2,
            "the 2 GPUs",
        ),
        (replace(FOUR_A100, environment={"CUDA_VISIBLE_DEVICES": "GPU-8a"}), 1, "no second GPU"),
    ],
)
def test_processes_are_as_many_as_the_gpus_that_are_visible(machine, processes, reason):
    config, sources, found = settled(machine, processes="auto")

    assert (config.processes, sources["processes"].origin, found) == (processes, "auto", {})
    assert reason in sources["processes"].reason


def test_a_gpu_that_torch_has_no_kernels_for_gets_no_process():
    # cu130 has no kernels for Pascal.
    mixed = replace(A100, gpus=(*A100.gpus, Gpu("NVIDIA GeForce GT 1030", 2.0, 1.8, (6, 1))))

    assert training_gpus(mixed) == A100.gpus


def test_processes_are_one_by_default_and_a_number_is_left_alone():
    default, default_sources, _ = settled(FOUR_A100)
    asked, sources, found = settled(LAPTOP, processes="2")

    assert (default.processes, default_sources["processes"].origin) == (1, "default")
    assert (asked.processes, sources["processes"].origin, found) == (2, "option", {})


# -- the rest -------------------------------------------------------------------------------------


def test_auto_settings_that_depend_on_the_machine_get_a_value_and_a_reason():
    config, sources, _ = settled(LAPTOP)
    left = {name for name in FIELDS if getattr(config, name) == "auto"}

    assert (config.workers, config.optimizer, config.attention) == (0, "adamw", "sdpa")
    assert config.gradient_checkpointing is False
    assert all(sources[name].reason for name in FIELDS)
    # These wait for the data and the model.
    assert left == {
        "template", "max_length", "warmup_steps", "packing", "evaluation_steps", "checkpoint_steps",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("machine", "expected", "reason"),
    [
        (T4, True, "on a GPU under 30 GiB, for one more forward pass"),
        (RADEON, True, "under 30 GiB"),
        (UNTOLD, True, "under 30 GiB"),  # a slice of a GPU whose size is not told is taken as small
        (A100, False, "room for every layer's values"),
        (LAPTOP, False, "a CPU is short of time"),
        (M2, False, "not exact on Apple's GPU"),
    ],
)
def test_small_gpus_trade_time_for_memory(machine, expected, reason):
    config, sources, _ = settled(machine)

    assert config.gradient_checkpointing is expected
    assert reason in sources["gradient_checkpointing"].reason


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        (replace(A100, system="Windows"), "Triton"),
        (LAPTOP, "no gain was seen on a CPU"),
        (XPU, "no gain was seen on a CPU"),
        (replace(GTX1060, system="Linux"), "Triton needs compute capability 7.0"),
        (MI300, "has not been tried"),
        (replace(A100, c_compiler=False), "needs a C compiler"),
    ],
)
@pytest.mark.parametrize("asked", ["yes", "auto"])
def test_compile_is_left_out_where_it_cannot_be(machine, reason, asked):
    config, sources, found = settled(machine, compile=asked)
    assert (config.compile, found) == (False, {})
    assert reason in sources["compile"].reason


def test_where_compile_can_be_the_length_of_the_run_decides_later():
    assert settled(A100)[0].compile == "auto"
    assert settled(A100, compile="yes")[0].compile is True
    assert settled(A100, compile="no")[0].compile is False


@pytest.mark.parametrize(
    ("machine", "options", "expected", "reason"),
    [
        (A100, {}, "varlen", "all rows of a pack in one kernel"),
        (A100, {"quantization": "4bit"}, "varlen", "all rows"),
        (A100, {"precision": "float32"}, "sdpa", "needs bfloat16 or float16"),
        (A100, {"base_dropout": "0.1"}, "sdpa", "needs base_dropout 0"),
        (T4, {}, "sdpa", "compute capability 8.0"),
        (GTX1060, {}, "sdpa", "compute capability 8.0"),
        (replace(A100, torch=replace(A100.torch, version="2.11.0")), {}, "sdpa", "torch 2.13"),
        (replace(A100, system="Windows"), {}, "varlen", "all rows"),
        (LAPTOP, {}, "sdpa", "row by row in torch's fused attention; "),
        (MI300, {}, "sdpa", "needs an NVIDIA GPU"),
    ],
)
def test_attention_is_one_kernel_where_the_gpu_has_it_and_row_by_row_elsewhere(
    machine, options, expected, reason
):
    for asked in ("auto", "varlen"):
        config, sources, _ = settled(machine, attention=asked, **options)
        assert config.attention == expected
        if asked == "auto" or expected == "sdpa":
            assert reason in sources["attention"].reason


def test_what_was_asked_for_is_not_settled_again():
    asked = {"optimizer": "adamw8bit", "attention": "eager", "gradient_checkpointing": "yes"}
    config, sources, _ = settled(A100, **asked)

    assert (config.optimizer, config.attention) == ("adamw8bit", "eager")
    assert config.gradient_checkpointing is True
    assert {sources[name].origin for name in asked} == {"option"}


@pytest.mark.parametrize(
    ("machine", "lack"),
    [
        (LAPTOP, NO_GPU),
        (M2, NO_GPU),
        (MAXWELL, "compute capability 6.0 or newer; NVIDIA GeForce GTX 970 has 5.2"),
        (
            replace(A100, packages=WITHOUT_BITSANDBYTES),
            "the package bitsandbytes, which is not installed",
        ),
    ],
)
def test_eight_bit_optimizers_need_what_4_bits_need(machine, lack):
    config, sources, _ = settled(machine, optimizer="paged-adamw8bit")
    on_pascal, _, _ = settled(GTX1060, optimizer="paged-adamw8bit")

    assert config.optimizer == "adamw"
    assert sources["optimizer"] == Source("auto", f"paged-adamw8bit needs {lack}")
    assert on_pascal.optimizer == "paged-adamw8bit"
