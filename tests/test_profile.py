"""Profiles: the packaged ones fit their machines, and a file with faults is refused with lines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from jlora_cli import profile as profile_module
from jlora_cli.config import resolve, settle
from jlora_cli.errors import JloraError
from jlora_cli.machine import Gpu, Machine, TorchBuild
from jlora_cli.messages import use_language
from jlora_cli.profile import (
    choose_profile,
    fitting_profiles,
    load_profile,
    profile_names,
    profiles_folder,
)

CPU = Machine(
    system="Linux",
    python="3.11.9",
    in_virtual_environment=True,
    cpu="EPYC 7763",
    cores=2,
    memory_gib=8.0,
    free_memory_gib=6.0,
    disk_free_gib=40.0,
    torch=TorchBuild("2.13.0+cpu", "cpu", cuda_available=False),
)
CUDA = TorchBuild("2.13.0+cu126", "cu126", cuda_available=True)
SURFACE = replace(
    CPU, system="Windows", gpus=(Gpu("GeForce GTX 1060", 6.0, 5.1, (6, 1)),), torch=CUDA
)
RTX3090 = replace(CPU, gpus=(Gpu("GeForce RTX 3090", 23.7, 23.0, (8, 6)),), torch=CUDA)
A100 = replace(CPU, gpus=(Gpu("NVIDIA A100-SXM4-40GB", 39.4, 38.9, (8, 0)),), torch=CUDA)
V100 = replace(CPU, gpus=(Gpu("Tesla V100-SXM2-32GB", 31.7, 31.0, (7, 0)),), torch=CUDA)
SECRET = "hf_" + "A" * 34


@pytest.fixture
def write(tmp_path):
    """`write(text)`: the path of a profile with that text, in bytes or UTF-8."""

    def made(text, name="own.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return made


def refusal_of(name):
    """The problem with which this profile is refused."""
    with pytest.raises(JloraError) as refusal:
        load_profile(name)
    assert refusal.value.remedy
    return refusal.value.problem


# -- the packaged ones ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "machine", "expected"),
    [
        ("cpu-small", CPU, {"precision": "float32", "workers": 0, "learning_rate": 2e-3}),
        # Pascal has no half-precision worth using, and Windows no worker processes.
        ("surface-cuda", SURFACE, {"precision": "float32", "workers": 0, "warmup_ratio": 0.1}),
        ("a100", A100, {"precision": "bfloat16", "quantization": "none", "lora_alpha": 32.0}),
        ("a100-4bit", RTX3090, {"precision": "bfloat16", "quantization": "4bit", "workers": 4}),
    ],
)
def test_a_packaged_profile_settles_on_a_machine_it_is_for(name, machine, expected):
    profile = load_profile(name)

    resolved, found = settle(resolve(profile.resolved_values(), {}), machine)

    assert found == []
    assert {key: getattr(resolved.config, key) for key in expected} == expected
    assert name in fitting_profiles(machine).names
    assert profile.description


def test_the_packaged_profiles_are_four():
    assert profile_names() == ["a100", "a100-4bit", "cpu-small", "surface-cuda"]
    assert {path.name for path in profiles_folder().glob("*.yaml")} == {
        f"{name}.yaml" for name in profile_names()
    }


def test_the_first_line_of_a_packaged_profile_is_the_command_that_runs_it():
    for name in profile_names():
        first = (profiles_folder() / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith(f"# jlora train --profile {name}")
    assert len(profile_names()) == 4


def test_installed_profiles_lie_beside_the_code(tmp_path, monkeypatch):
    installed = tmp_path / "jlora_cli" / "profiles"
    installed.mkdir(parents=True)
    monkeypatch.setattr(profile_module, "__file__", str(tmp_path / "jlora_cli" / "profile.py"))

    assert profiles_folder() == installed


@pytest.mark.parametrize(
    ("machine", "recommended", "names"),
    [
        (CPU, "cpu-small", ["cpu-small"]),
        (replace(A100, torch=CPU.torch), "cpu-small", ["cpu-small"]),  # a CPU build beside a GPU
        (SURFACE, "surface-cuda", ["surface-cuda", "cpu-small"]),
        (V100, "surface-cuda", ["surface-cuda", "cpu-small"]),  # no bfloat16
        (RTX3090, "a100-4bit", ["a100-4bit", "surface-cuda", "cpu-small"]),
        (A100, "a100", ["a100", "a100-4bit", "surface-cuda", "cpu-small"]),
    ],
)
def test_the_recommended_profile_follows_the_gpu(machine, recommended, names):
    fitting = fitting_profiles(machine)

    assert (fitting.recommended, fitting.names) == (recommended, names)


def test_auto_takes_the_recommended_profile_and_says_why():
    chosen, why = choose_profile("auto", A100)
    asked, reason = choose_profile("cpu-small", A100)

    assert (chosen.name, why) == ("a100", "NVIDIA A100-SXM4-40GB with 39 GiB")
    assert (asked.name, reason) == ("cpu-small", "asked for by name")


# -- a file of one's own --------------------------------------------------------------------------


def test_a_path_works_like_a_name(write):
    path = write("\ufeff# 日本語の注釈 🐈\r\ndescription: 髙﨑の設定\r\nlearning_rate: 1e-4\r\n")

    profile = load_profile(path)

    assert profile.description == "髙﨑の設定"
    assert profile.values == {"learning_rate": 0.0001}
    assert (profile.name, profile.path, profile.parent) == (path, Path(path), None)


def test_a_profile_extends_a_packaged_one(write):
    profile = load_profile(write("extends: a100-4bit\nlora_r: 16\n"))

    assert profile.values["lora_r"] == 16
    assert profile.values["lora_targets"] == ("query_key_value",)
    assert profile.description.startswith("a 3.6B model in 4 bits")
    assert profile.parent == "a100-4bit"


@pytest.mark.parametrize("named", ["team", "team.yaml"])
def test_a_profile_extends_a_file_beside_it_first(write, named):
    write("extends: cpu-small\nseed: 7\nepochs: 1\n", "team.yaml")

    profile = load_profile(write(f"extends: {named}\nepochs: 2\n"))

    assert (profile.values["seed"], profile.values["epochs"]) == (7, 2.0)
    assert profile.values["batch_size"] == 8  # of cpu-small


def test_a_copy_under_the_packaged_name_extends_the_packaged_one(write):
    profile = load_profile(write("extends: cpu-small\nseed: 7\n", "cpu-small.yaml"))

    assert (profile.values["seed"], profile.values["batch_size"]) == (7, 8)


def test_profiles_that_extend_each_other_are_refused(write):
    write("extends: own\n", "other.yaml")

    assert "own.yaml extends itself in a circle" in refusal_of(write("extends: other\n"))


def test_a_parent_that_does_not_exist_is_named_with_the_file(write):
    problem = refusal_of(write("extends: cpu-smal\n"))

    assert "own.yaml extends cpu-smal, which does not exist" in problem
    assert "did you mean cpu-small?" in problem


def test_a_profile_that_does_not_exist_is_refused_with_the_known_ones():
    problem = refusal_of("surface-cudo")

    assert problem.startswith("there is no profile surface-cudo; known are: a100, a100-4bit, cpu")
    assert problem.endswith("did you mean surface-cuda?")


@pytest.mark.parametrize(
    "name", [".", "", "a" * 5000, "../profiles/cpu-small", "~", "~nobody-here/a.yaml"]
)
def test_what_is_no_file_is_no_profile(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert "there is no profile" in refusal_of(name)


def test_a_folder_is_no_profile(tmp_path):
    assert "there is no profile" in refusal_of(str(tmp_path))


def test_a_file_that_cannot_be_read_is_refused(write, monkeypatch):
    path = write("seed: 1\n")

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", denied)

    assert refusal_of(path) == f"{path} cannot be read: Permission denied"


# -- files with faults ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "seed: 1\nlearning_rat: 1\n",
            "line 2: unknown key learning_rat; did you mean learning_ra",
        ),
        ("batch_size: four\n", "line 1: batch_size: must be a number"),
        ("batch_size: -4\n", "line 1: batch_size: must be >= 1"),
        ("learning_rate: .nan\n", "line 1: learning_rate: must be a finite number"),
        ("learning_rate: true\n", "line 1: learning_rate: must be a number"),
        ("seed: 1\nbatch_size: 2\nseed: 2\n", "line 3: seed stands here again (first on line 1)"),
        ("bf16: true\nfp16: true\n", "line 2: fp16 is not a key here; write precision: bfloat16"),
        ("lora:\n  r: 8\nseed: 1\n", "line 1: unknown key lora"),
        ("lora_r:\n  value: 8\n", "line 1: lora_r: must be one value or a list of plain values"),
        ("lora_targets: [[a], b]\n", "line 1: lora_targets: must be one value or a list of plain"),
        ("description: [a]\n", "line 1: description: must be text"),
        ("extends: 3\n", "line 1: extends: must be text"),
        ("seed: !!python/object/apply:os.system [touch PWNED]\n", "line 1: seed: the tag tag:yaml"),
        ("seed: !!python/name:os.system\n", "line 1: seed: the tag tag:yaml.org,2002:python/name"),
        ("seed: !own 3\n", "line 1: seed: the tag !own has no place in a profile"),
        ("seed: !!set {a}\n", "line 1: seed: the tag tag:yaml.org,2002:set"),
        ("model: !!binary aGVsbG8=\n", "line 1: model: the tag tag:yaml.org,2002:binary"),
        ("seed: !!int four\n", "line 1: seed: cannot be read as int"),
        ("compile: !!bool maybe\n", "line 1: compile: cannot be read as bool"),
        ("<<: {seed: 1}\n", "line 1: unknown key <<"),
        ("output: ../../JLORA_ESCAPE\n", "line 1: output: a profile may not write outside"),
        ("output: a/../../JLORA_ESCAPE\n", "line 1: output: a profile may not write outside"),
        ("output: /tmp/JLORA_ESCAPE\n", "line 1: output: a profile may not write outside"),
        ("output: ~/JLORA_ESCAPE\n", "line 1: output: a profile may not write outside"),
        ("output: '..\\..\\JLORA_ESCAPE'\n", "line 1: output: a profile may not write outside"),
        ("output: 'C:\\JLORA_ESCAPE'\n", "line 1: output: a profile may not write outside"),
    ],
)
def test_a_fault_is_named_with_its_line(write, text, problem):
    path = write(text)

    refused = refusal_of(path)

    assert refused.startswith(f"{path}: ")
    assert problem in refused


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("seed: 1\n\tlora_r: 8\n", 2, "'\\t' that cannot start any token"),
        ('seed: 1\nmodel: "C:\\new\\table\\users"\n', 2, "escape sequence"),
        ("seed: 1\nmodel: [a\n", 3, "expected"),
        ("seed: *seed\n", 1, "undefined alias"),
        ("seed: 1\n---\nseed: 2\n", 2, "but found another document"),
        ("seed: 1\nmodel: \x00\n", 2, "special characters are not allowed"),
    ],
)
def test_what_is_no_yaml_is_named_with_its_line(write, text, line, problem):
    path = write(text)

    refused = refusal_of(path)

    assert refused.startswith(f"{path} line {line} is not YAML: ")
    assert problem in refused


@pytest.mark.parametrize(
    ("text", "line"), [("- seed\n", 1), ("\n\njust text\n", 3), ("seed: 1\n? [a, b]\n: 2\n", 2)]
)
def test_what_is_no_mapping_is_named_with_its_line(write, text, line):
    path = write(text)

    assert refusal_of(path) == f"{path} line {line} is not a list of `key: value` lines"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("# 日本語の注釈\nseed: 1\n".encode("cp932"), 1),
        ("seed: 1\ndescription: 髙﨑の設定\n".encode("cp932"), 2),
        ("seed: 1\n".encode("utf-16"), 1),
    ],
)
def test_another_encoding_is_named_and_never_shown_as_garbage(write, content, line):
    path = write(content)

    refused = refusal_of(path)

    assert refused == f"{path} line {line} is not UTF-8 (saved as Shift_JIS / cp932?)"


@pytest.mark.parametrize("text", ["", "\n\n", "# 注釈だけ\n", "---\n"])
def test_an_empty_profile_is_refused(write, text):
    path = write(text)

    assert refusal_of(path) == f"{path} is empty"


def test_an_alias_bomb_is_neither_unfolded_nor_printed(write):
    lines = ['a: &a ["x","x","x","x","x","x","x","x","x"]']
    lines += [f"{n}: &{n} [{','.join(9 * ['*' + m])}]" for m, n in zip("abcdefghi", "bcdefghij")]  # noqa: B905

    refused = refusal_of(write("\n".join([*lines, "lora_targets: *j"])))

    assert "line 1: unknown key a" in refused
    assert "line 10: unknown key j" in refused
    assert refused.endswith("; and 1 more")
    assert len(refused) < 1000


def test_nesting_without_end_is_refused(write):
    path = write("seed: " + 5000 * "[")

    assert refusal_of(path) == f"{path} line 1 is not YAML: nested too deep"


def test_all_faults_come_together_the_first_ten_shown(write):
    refused = refusal_of(write("".join(f"key_{number}: 1\n" for number in range(13))))

    assert refused.count("unknown key") == 10
    assert refused.endswith("line 10: unknown key key_9; and 3 more")


@pytest.mark.parametrize(
    "line",
    [
        f"hub_token: {SECRET}",
        f"HF_TOKEN: {SECRET}",
        f"api-key: {SECRET}",
        f"password: '{SECRET}'",
        f"aws_secret: [{SECRET}]",
        f"seed: !!int {SECRET}",
        f"seed: {SECRET}",
        f"whatever: {SECRET}",
        f"precision: {SECRET}",
    ],
)
def test_the_value_of_a_faulty_line_is_never_repeated(write, line):
    path = write(f"{line}\n")

    with pytest.raises(JloraError) as refusal:
        load_profile(path)

    assert SECRET not in f"{refusal.value.problem} {refusal.value.remedy} {refusal.value!r}"
    assert "line 1" in refusal.value.problem


def test_a_secret_is_told_where_it_belongs(write):
    assert "log in with `hf auth login` instead" in refusal_of(write(f"hub_token: {SECRET}\n"))


def test_a_date_is_the_text_that_stands_there(write):
    assert load_profile(write("output: 2026-11-22\n")).values == {"output": "2026-11-22"}


def test_faults_are_told_in_japanese(write):
    use_language("ja")

    assert "1 行目: 不明なキー sed（seed ではありませんか？）" in refusal_of(write("sed: 1\n"))


def test_every_packaged_value_is_what_yaml_says():
    for name in profile_names():
        text = (profiles_folder() / f"{name}.yaml").read_text(encoding="utf-8")
        written = yaml.safe_load(text)
        values = load_profile(name).values
        for key in set(written) - {"description", "extends"}:
            shown = values[key]
            expected = tuple(written[key]) if isinstance(written[key], list) else written[key]
            assert float(expected) == shown if key == "learning_rate" else expected == shown, key
    assert len(profile_names()) == 4


def test_every_packaged_profile_is_described_in_both_languages():
    names = profile_names()

    english = {name: load_profile(name).about() for name in names}
    use_language("ja")
    japanese = {name: load_profile(name).about() for name in names}

    assert len(names) >= 4
    assert english == {name: load_profile(name).description for name in names}
    assert all(japanese[name] != english[name] for name in names)
