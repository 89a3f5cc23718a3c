"""What torch is asked in a child process: broken, hanging, noisy and dying torches included."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from pathlib import Path

import pytest

from jlora_cli.machine import TorchBuild, Trial, trial_child, trials

BUILD = TorchBuild("2.13.0+cpu", "cpu")
# As much of torch as the child asks before its first trial.
PLAIN = """
import types
def no(*_): return False
backends = types.SimpleNamespace(mps=types.SimpleNamespace(is_available=no))
cuda = types.SimpleNamespace(is_available=no)
version = types.SimpleNamespace(cuda=None, hip=None)
float32 = float16 = bfloat16 = None
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """`fake(text)` puts a package torch with this text before the real one, for children."""

    def put(text: str, package: str = "torch") -> None:
        (tmp_path / package).mkdir(exist_ok=True)
        (tmp_path / package / "__init__.py").write_text(text, encoding="utf-8")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return put


def test_the_real_torch_multiplies_and_attends():
    torch, _, tried = trials.ask_torch(BUILD, ["matmul-float32", "attention"])

    assert torch.error is None
    assert [(trial.name, trial.ok) for trial in tried] == [
        ("matmul-float32", True), ("attention", True),
    ]  # fmt: skip


def test_an_import_that_fails_is_a_fact(fake):
    fake("raise OSError('libcudart.so.13: cannot open shared object file')")
    torch, gpus, tried = trials.ask_torch(BUILD, ["attention"])

    assert torch.error == "OSError: libcudart.so.13: cannot open shared object file"
    assert (gpus, tried) == ((), ())


def test_an_import_that_hangs_is_a_fact(fake, monkeypatch):
    monkeypatch.setattr(trials, "TIMEOUT_S", 0.5)
    fake("import time; time.sleep(60)")

    # Named after the limit; a real one is 120 seconds.
    assert trials.ask_torch(BUILD, [])[0].error == "it took more than 0 seconds"


def test_an_import_that_dies_is_a_fact(fake):
    fake("import os; os._exit(7)")
    assert trials.ask_torch(BUILD, [])[0].error == "exit 7"

    fake("import os; os._exit(0)")
    assert trials.ask_torch(BUILD, [])[0].error == "it ended without an answer"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
def test_an_import_that_is_killed_names_the_signal(fake):
    fake("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")

    assert trials.ask_torch(BUILD, [])[0].error == "SIGSEGV"


def test_noise_of_a_library_is_no_answer(fake):
    fake("import sys; sys.stdout.write('ようこそ @jlora {half a line')" + PLAIN)
    torch, _, tried = trials.ask_torch(BUILD, [])

    assert torch.cuda_available is False
    assert tried == ()


def test_a_trial_that_kills_the_child_is_named_and_the_rest_goes_on(fake):
    fake(PLAIN + "def ones(*_, **__):\n    import os; os._exit(9)\n"
         "def randn(*_, **__): raise RuntimeError('no kernel image\\nis available')\n")  # fmt: skip
    _, _, tried = trials.ask_torch(BUILD, ["matmul-float32", "matmul-float16", "attention"])

    assert [(trial.name, trial.ok, trial.detail) for trial in tried] == [
        ("matmul-float32", False, "exit 9"),
        ("matmul-float16", False, "exit 9"),
        ("attention", False, "RuntimeError: no kernel image"),
    ]


def test_a_trial_that_hangs_takes_the_rest_of_the_time_only(fake, monkeypatch):
    monkeypatch.setattr(trials, "TIMEOUT_S", 2.0)
    fake(PLAIN + "def ones(*_, **__):\n    import time; time.sleep(60)\n")
    _, _, tried = trials.ask_torch(BUILD, ["matmul-float32", "matmul-float16"])

    assert tried[0].name == "matmul-float32"
    assert "took more than 2 seconds" in tried[0].detail
    assert len(tried) <= 2


def test_a_python_that_cannot_be_started_is_a_fact(monkeypatch):
    monkeypatch.setattr(trials.sys, "executable", "/no/such/python")

    assert "/no/such/python" in trials.ask_torch(BUILD, [])[0].error


def test_a_detail_does_not_tell_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "takasaki")
    home = str(tmp_path / "takasaki")
    failed = {"name": "4bit", "ok": False, "device": "cuda", "detail": f"{home}/x.so"}
    told = trials._Told()
    trials._take(failed, told)

    assert told.trials == [Trial("4bit", ok=False, device="cuda", detail="~/x.so")]


def test_packages_that_cannot_be_imported_are_named_and_the_rest_is_tried(fake):
    fake("raise ImportError('DLL load failed')", package="yaml")
    fake("import os; os._exit(3)", package="jinja2")
    tried = trials.ask_imports(["pyyaml", "jinja2", "protobuf", "typer"])

    assert [(trial.name, trial.ok, trial.detail) for trial in tried] == [
        ("import pyyaml", False, "ImportError: DLL load failed"),
        ("import jinja2", False, "exit 3"),
        ("import protobuf", True, ""),
        ("import typer", True, ""),
    ]


def test_a_python_that_cannot_start_imports_nothing(monkeypatch):
    monkeypatch.setattr(trials.sys, "executable", "/no/such/python")

    assert trials.ask_imports(["typer"]) == ()


def a_torch(**changes):
    """A made-up torch for the child's own functions."""
    no = lambda *_: False  # noqa: E731
    plain = {
        "backends": types.SimpleNamespace(mps=types.SimpleNamespace(is_available=no)),
        "cuda": types.SimpleNamespace(is_available=no),
        "version": types.SimpleNamespace(cuda=None, hip=None),
    }
    return types.SimpleNamespace(**{**plain, **changes})


CUDA = types.SimpleNamespace(
    is_available=lambda: True, device_count=lambda: 1,
    mem_get_info=lambda i: (70 * 2**30, 80 * 2**30),
    get_device_name=lambda i: "NVIDIA A100", get_device_capability=lambda i: (8, 0),
    get_arch_list=lambda: ["sm_80"],
)  # fmt: skip
ARC = types.SimpleNamespace(name="Arc A770", total_memory=16 * 2**30)
XPU = types.SimpleNamespace(
    is_available=lambda: True, device_count=lambda: 1, get_device_properties=lambda i: ARC
)


@pytest.mark.parametrize(
    ("changes", "device", "gpus"),
    [
        ({}, "cpu", []),
        ({"cuda": CUDA}, "cuda", [["NVIDIA A100", 80 * 2**30, 70 * 2**30, (8, 0), "cuda"]]),
        ({"cuda": CUDA, "version": types.SimpleNamespace(cuda=None, hip="7.2")}, "cuda",
         [["NVIDIA A100", 80 * 2**30, 70 * 2**30, (8, 0), "rocm"]]),
        ({"xpu": XPU}, "xpu", [["Arc A770", 16 * 2**30, 16 * 2**30, [0, 0], "xpu"]]),
    ],
)  # fmt: skip
def test_torch_tells_its_device_and_gpus(monkeypatch, changes, device, gpus):
    monkeypatch.setitem(sys.modules, "torch", a_torch(**changes))
    about = trial_child.about_torch()

    assert (about["device"], about["gpus"]) == (device, gpus)
    assert about["available"] is (device != "cpu")


def test_torch_tells_why_cuda_does_not_start(monkeypatch):
    def init():
        raise RuntimeError("CUDA driver initialization failed, you might not have a GPU.\nmore")

    cuda = types.SimpleNamespace(is_available=lambda: False, init=init)
    version = types.SimpleNamespace(cuda="13.0", hip=None)
    monkeypatch.setitem(sys.modules, "torch", a_torch(cuda=cuda, version=version))
    assert trial_child.about_torch()["cuda_error"].endswith("you might not have a GPU.")

    cuda.init = lambda: None
    assert trial_child.about_torch()["cuda_error"] is None


ON_CPU = {"device": "cpu", "gpus": []}
ON_A100 = {"device": "cuda", "gpus": [["A100", 0, 0, [8, 0], "cuda"]]}
ON_T4 = {"device": "cuda", "gpus": [["T4", 0, 0, [7, 5], "cuda"]]}


@pytest.mark.parametrize(
    ("name", "about", "applies"),
    [
        ("attention", ON_CPU, True), ("varlen", ON_CPU, False), ("varlen", ON_T4, False),
        ("varlen", ON_A100, True), ("4bit", ON_CPU, False), ("4bit", ON_T4, True),
        ("cpu-4bit", ON_CPU, True), ("cpu-8bit", ON_A100, False), ("compile", ON_CPU, True),
    ],
)  # fmt: skip
def test_a_trial_is_made_where_it_has_a_place(name, about, applies):
    assert trial_child.applies(name, about) is applies


def said(capsys):
    return [json.loads(line.removeprefix(trial_child.MARK))
            for line in capsys.readouterr().out.splitlines() if line]  # fmt: skip


def test_the_child_tells_of_each_trial_before_and_after(capsys, monkeypatch):
    def fails(device):
        raise ValueError

    monkeypatch.setitem(trial_child.TRIALS, "8bit", fails)
    monkeypatch.setattr(trial_child, "applies", lambda name, about: name != "varlen")
    trial_child.main(["matmul-bfloat16", "varlen", "8bit"])
    first, *rest = said(capsys)

    assert first["torch"]["device"] in ("cpu", "cuda", "mps")
    assert [item.get("begin") or item["name"] for item in rest] == [
        "matmul-bfloat16", "matmul-bfloat16", "8bit", "8bit",
    ]  # fmt: skip
    assert [item["detail"] for item in rest if "ok" in item] == ["", "ValueError: ValueError"]


@pytest.mark.parametrize("bits", [4, 8])
def test_a_quantized_layer_has_a_gradient_on_the_cpu(bits):
    pytest.importorskip("bitsandbytes")
    trial_child.TRIALS[f"cpu-{bits}bit"]("cpu")


def test_attention_has_a_gradient():
    trial_child.TRIALS["attention"]("cpu")
    trial_child.TRIALS["matmul-float16"]("cpu")


def test_wrong_answers_are_failures(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch, "ones", lambda *_, **__: torch.full((2, 2), 3.0))
    with pytest.raises(ArithmeticError, match=r"18\.0 != 64"):
        trial_child.matmul("cpu", "float32")

    monkeypatch.setattr(torch, "compile", lambda function: lambda x: x)
    with pytest.raises(ArithmeticError, match=r"12\.0 != 16"):
        trial_child.compiled("cpu")
    for gradient in (None, torch.tensor([float("nan")]), torch.zeros(2)):
        with pytest.raises(ArithmeticError, match="no gradient"):
            trial_child._check_gradient(types.SimpleNamespace(grad=gradient))


def test_a_compiled_function_is_called(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch, "compile", lambda function: function)
    trial_child.TRIALS["compile"]("cpu")


@pytest.mark.parametrize("pair", [False, True])
def test_variable_length_attention_is_called_with_its_borders(monkeypatch, pair):
    torch = pytest.importorskip("torch")
    asked = []

    def attend(query, key, value, *rest):
        asked.append(rest)
        return (query * 2, None) if pair else query * 2

    module = types.SimpleNamespace(varlen_attn=attend)
    monkeypatch.setitem(sys.modules, "torch.nn.attention.varlen", module)
    trial_child.TRIALS["varlen"]("cpu")

    assert asked[0][0].tolist() == [0, 6, 16]
    assert asked[0][0].dtype == torch.int32


def test_the_child_imports_nothing_of_jlora():
    count = "print(sum('jlora' in name for name in sys.modules))"
    code = f"import sys, runpy; runpy.run_path(sys.argv[1]); {count}"
    child = [sys.executable, "-c", code, str(trials.CHILD)]

    assert subprocess.run(child, capture_output=True, check=True).stdout.strip() == b"0"
