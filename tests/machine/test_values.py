"""The machine as a value: which GPU is usable, which wheel runs where."""

from __future__ import annotations

import pytest

from jlora_cli.machine import Gpu, Machine, TorchBuild
from jlora_cli.machine.wheels import runs_on

GTX1060 = Gpu("NVIDIA GeForce GTX 1060", 6.0, 5.2, (6, 1))
A100 = Gpu("NVIDIA A100-SXM4-80GB", 80.0, 79.2, (8, 0))
RTX5090 = Gpu("NVIDIA GeForce RTX 5090", 31.8, 31.0, (12, 0))


def a_machine(**changes: object) -> Machine:
    plain: dict[str, object] = {
        "system": "Linux", "python": "3.11.9", "in_virtual_environment": True, "cpu": "Zen 3",
        "cores": 8, "memory_gib": 32.0, "free_memory_gib": 24.0, "disk_free_gib": 200.0,
    }  # fmt: skip
    return Machine(**{**plain, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kernels", "capability", "runs"),
    [
        (["sm_60"], (6, 1), True),
        (["sm_75", "sm_80"], (6, 1), False),
        (["sm_86"], (8, 0), False),
        (["sm_86"], (8, 9), True),
        (["sm_90a"], (9, 0), True),
        (["sm_100a"], (10, 3), False),
        (["sm_100"], (10, 3), True),
        (["compute_90"], (12, 0), True),
        (["gfx90a"], (9, 0), False),
    ],
)
def test_kernels_run_on_the_same_major_or_through_ptx(kernels, capability, runs):
    assert runs_on(kernels, capability) is runs


@pytest.mark.parametrize(
    ("build", "gpu", "driver_cuda", "usable"),
    [
        ("cu126", GTX1060, (12, 8), True),
        ("cu130", GTX1060, (13, 0), False),
        ("cu130", A100, (12, 2), False),
        ("cu132", A100, (13, 0), True),
        ("cpu", A100, (13, 0), False),
        ("cu126", RTX5090, (13, 0), False),
        ("cu999", RTX5090, None, True),
        ("rocm6.4", Gpu("MI300X", 192, 190, (9, 4), "rocm"), None, True),
        ("cpu", Gpu("Apple M3", 16, 8, (0, 0), "mps"), None, True),
    ],
)
def test_a_gpu_is_usable_when_build_kernels_and_driver_agree(build, gpu, driver_cuda, usable):
    machine = a_machine(
        gpus=(gpu,), driver_cuda=driver_cuda, torch=TorchBuild("2.13.0", build)
    )  # fmt: skip

    assert machine.usable_gpu == (gpu if usable else None)


def test_what_torch_says_of_itself_outweighs_the_table():
    named = TorchBuild("2.13.0", "cu130", True, ("sm_60",))
    blind = TorchBuild("2.13.0", "cu126", cuda_available=False)

    assert a_machine(gpus=(GTX1060,), torch=named).usable_gpu == GTX1060
    assert a_machine(gpus=(GTX1060,), torch=blind).usable_gpu is None
    assert a_machine(gpus=(GTX1060,)).usable_gpu is None


@pytest.mark.parametrize(
    ("value", "left"),
    [("", []), ("-1", []), ("1", [1]), ("1,0", [1, 0]), ("0,-1,1", [0]), ("7", []),
     ("GPU-8932f937", [0, 1])],
)  # fmt: skip
def test_cuda_visible_devices_chooses_and_hides(value, left):
    gpus = (A100, GTX1060)
    machine = a_machine(gpus=gpus, environment={"CUDA_VISIBLE_DEVICES": value})

    assert machine.visible_gpus == tuple(gpus[i] for i in left)


def test_a_remedy_speaks_the_shell_there_is_or_the_one_of_the_system():
    assert a_machine(shell="cmd", system="Windows").speaks == "cmd"
    assert a_machine(system="Windows").speaks == "powershell"
    assert a_machine(system="Darwin").speaks == "bash"
