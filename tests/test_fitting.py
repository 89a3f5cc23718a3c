"""Every packaged profile on every made-up machine: what to take, what fits, what is warned of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jlora_cli.config import FIELDS, best_precision, has_precision, resolve, settle
from jlora_cli.finding import SEVERITIES
from jlora_cli.messages import use_language
from jlora_cli.profile import (
    NEEDS,
    check_fit,
    choose_profile,
    fitting_profiles,
    load_profile,
    profile_names,
)
from tests.machines import A100, CASES, GTX1060, HOME, LAPTOP, M2, RTX3060, SERVER, T4

# What the data, the model or the day decides; the rest is the machine's.
LATER = {
    "template", "max_length", "warmup_steps", "lora_targets", "packing", "evaluation_steps",
    "checkpoint_steps", "compile",
}  # fmt: skip
NOTHING_ELSE = {"precision-unavailable", "quantization-unavailable"}


def settled(name, machine):
    """(config, finding ids) of that profile there."""
    resolved, found = settle(resolve(load_profile(name).resolved_values(), {}), machine)
    return resolved.config, {item.id for item in found}


# -- which one to take ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_the_profile_to_take_follows_the_machine(name):
    machine, recommended, why = CASES[name]

    fitting = fitting_profiles(machine)

    assert (fitting.recommended, fitting.names[-1]) == (recommended, "cpu-small")
    assert why in fitting.reason
    assert fitting.recommended in fitting.names


@pytest.mark.parametrize("name", CASES)
def test_the_profile_to_take_needs_no_finding_and_the_gpus_best_precision(name):
    machine, recommended, _ = CASES[name]

    config, found = settled(recommended, machine)

    assert found == set()
    best, _ = best_precision(machine)
    on_cpu = recommended in ("cpu", "cpu-small")
    assert config.precision == ("float32" if on_cpu else best)


def test_every_kind_of_machine_is_among_the_made_up_ones():
    machines = [case.machine for case in CASES.values()]
    kinds = {gpu.kind for machine in machines for gpu in machine.gpus}

    assert kinds == {"cuda", "rocm", "mps", "xpu"}
    assert {machine.system for machine in machines} == {"Linux", "Windows", "Darwin"}
    assert {case.recommended for case in CASES.values()} == set(NEEDS) - {"a100-4bit", "a100-8bit"}
    assert len(CASES) >= 45


def test_the_reason_is_told_in_japanese():
    english = {name: fitting_profiles(case.machine).reason for name, case in CASES.items()}
    use_language("ja")

    japanese = {name: fitting_profiles(case.machine).reason for name, case in CASES.items()}

    assert [name for name in CASES if japanese[name] == english[name]] == []
    assert japanese["T4"] == "Tesla T4（15 GiB）は float16 のみで bfloat16 に対応していません"
    assert len(japanese) == len(CASES)


def test_auto_takes_the_recommended_profile_and_says_why():
    chosen, why = choose_profile("auto", A100)
    asked, reason = choose_profile("cpu-small", A100)

    assert chosen.name == "a100"
    assert why.startswith("NVIDIA A100-SXM4-40GB with 39 GiB: a 3.6B model fits in bfloat16")
    assert (asked.name, reason) == ("cpu-small", "asked for by name")


# -- every profile on every machine ---------------------------------------------------------------


def test_every_profile_settles_on_every_machine_within_what_the_machine_has():
    seen = 0
    for name in profile_names():
        for label, (machine, _, _) in CASES.items():
            where = f"{name} on {label}"
            config, found = settled(name, machine)

            left = {field for field in FIELDS if getattr(config, field) in ("auto", ("auto",))}
            assert left <= LATER, where
            assert has_precision(machine, config.precision), where
            quantized = config.quantization != "none"
            gpu = machine.usable_gpu
            if quantized and (gpu is None or gpu.kind != "cuda"):
                assert "quantization-unavailable" in found, where
            assert found <= NOTHING_ELSE, where
            assert isinstance(config.processes, int), where
            if machine.system == "Windows":
                assert (config.workers, config.processes) == (0, 1), where
            if name in fitting_profiles(machine).names:
                assert found == set(), where
            seen += 1
    assert seen == 13 * len(CASES) >= 13 * 45


def test_every_profile_has_a_machine_of_its_own_that_it_fits():
    for name, label in HOME.items():
        assert name in fitting_profiles(CASES[label].machine).names, name
    assert set(HOME) == set(profile_names()) == set(NEEDS)


def test_what_a_profile_needs_is_what_its_file_fixes():
    for name, needs in NEEDS.items():
        values = load_profile(name).values
        assert needs.precision == values.get("precision", "auto"), name
        assert needs.quantization == values.get("quantization", "none"), name
        assert (needs.gpus > 1) is (values.get("processes", 1) == "auto"), name
    assert len(NEEDS) == 13


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cpu-small", {"precision": "float32", "workers": 0, "learning_rate": 2e-3}),
        ("cpu", {"precision": "float32", "gradient_checkpointing": False}),
        # Pascal has no half-precision worth using, and Windows no worker processes.
        ("surface-cuda", {"precision": "float32", "workers": 0, "warmup_ratio": 0.1}),
        ("t4", {"precision": "float16", "quantization": "none", "gradient_checkpointing": True}),
        ("rtx-8gb-4bit", {"precision": "bfloat16", "quantization": "4bit", "workers": 0}),
        ("rtx-12gb-4bit", {"quantization": "4bit", "batch_size": 8, "max_length": 1024}),
        ("rtx-24gb", {"precision": "bfloat16", "quantization": "none"}),
        ("a100-8bit", {"precision": "float16", "quantization": "8bit", "learning_rate": 1e-4}),
        ("a100-4bit", {"precision": "bfloat16", "quantization": "4bit", "workers": 4}),
        ("a100", {"precision": "bfloat16", "quantization": "none", "lora_alpha": 32.0}),
        ("h200", {"precision": "bfloat16", "max_length": 1024, "gradient_checkpointing": False}),
        ("apple-mps", {"precision": "float32", "quantization": "none", "workers": 0}),
        ("multi-gpu", {"processes": 4, "precision": "bfloat16"}),
    ],
)
def test_a_profile_settles_as_its_file_says_on_its_own_machine(name, expected):
    config, found = settled(name, CASES[HOME[name]].machine)

    assert {key: getattr(config, key) for key in expected} == expected
    assert found == set()


# -- a profile that does not fit ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "machine", "evidence", "other"),
    [
        ("a100", LAPTOP, "a CUDA GPU that torch can use; this machine has none", "cpu-small"),
        ("a100", RTX3060, "38 GiB of GPU memory; NVIDIA GeForce RTX 3060 has 12.0", "rtx-12gb"),
        ("a100", replace(A100, torch=None), "there is NVIDIA A100-SXM4-40GB, but no torch", "cpu"),
        ("rtx-24gb", replace(T4, gpus=(replace(T4.gpus[0], memory_gib=24.0),)), "bfloat16", "t4"),
        ("rtx-8gb-4bit", M2, "a CUDA GPU that torch can use; this machine has none", "apple-mps"),
        (
            "rtx-12gb-4bit",
            replace(RTX3060, packages={"peft": "0.21.2"}),
            "the package bitsandbytes, which is not installed",
            "surface-cuda",
        ),
        (
            "a100-8bit",
            CASES["V100 32 GB"].machine,
            "compute capability 7.5 or newer; Tesla V100-SXM2-32GB has 7.0",
            "t4",
        ),
        ("apple-mps", GTX1060, "an Apple silicon Mac", "surface-cuda"),
        ("multi-gpu", A100, "2 GPUs that torch can use; there are 1", "a100"),
        ("multi-gpu", CASES["2x RTX 4090, Windows"].machine, "which Windows does not", "rtx-24gb"),
        ("multi-gpu", CASES["RTX 4090 beside a GT 1030"].machine, "GT 1030 has 2.0", "rtx-24gb"),
        ("cpu", LAPTOP, "8 cores and 24 GiB of memory; here are 8 and 16", "cpu-small"),
        ("t4", CASES["A100 MIG slice, nothing told"].machine, "does not tell", "surface-cuda"),
    ],
)
def test_a_profile_that_does_not_fit_is_warned_of_with_one_that_does(
    name, machine, evidence, other
):
    (item,) = check_fit(name, machine)

    assert (item.id, item.severity) == ("profile-does-not-fit", "warning")
    assert item.severity == SEVERITIES[item.id]
    assert item.evidence.startswith(f"profile {name} needs ")
    assert evidence in item.evidence
    assert item.remedy.startswith(f"use --profile {other}")


def test_a_profile_that_fits_is_passed_over_in_silence():
    seen = 0
    for machine, recommended, _ in CASES.values():
        assert check_fit(recommended, machine) == []
        for name in fitting_profiles(machine).names:
            assert check_fit(name, machine) == []
            seen += 1
    assert seen > 150


def test_a_file_of_ones_own_is_held_against_what_it_extends_at_whatever_distance(tmp_path):
    (tmp_path / "チーム.yaml").write_text("extends: a100\nseed: 7\n", encoding="utf-8")
    own, free = tmp_path / "own.yaml", tmp_path / "free.yaml"
    own.write_text("extends: チーム\nepochs: 1\n", encoding="utf-8")
    free.write_text("quantization: 4bit\n", encoding="utf-8")

    assert [item.id for item in check_fit(str(own), LAPTOP)] == ["profile-does-not-fit"]
    assert str(own) in check_fit(str(own), LAPTOP)[0].evidence
    assert check_fit(str(own), A100) == check_fit(str(free), LAPTOP) == []


def test_what_is_missing_is_told_in_japanese():
    use_language("ja")

    (on_cpu,), (short,) = check_fit("a100", LAPTOP), check_fit("cpu", replace(SERVER, cores=4))

    assert on_cpu.evidence == (
        "プロファイル a100 には torch から使える CUDA GPU が必要ですが、このマシンにはありません"
    )
    assert short.evidence == (
        "プロファイル cpu には 8 コアと 24 GiB のメモリが必要ですが、4 コア、252 GiB です"
    )
    assert short.remedy == "--profile cpu-small を使ってください"
