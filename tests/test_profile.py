"""Profiles: the packaged ones fit their machines, and a file with faults is refused with lines."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from jlora_cli.config import FIELDS, own_name, parse_setting
from jlora_cli.config.other_tools import OWN_NAMES
from jlora_cli.errors import JloraError
from jlora_cli.messages import use_language
from jlora_cli.profile import files as profile_files
from jlora_cli.profile import load_profile, profile_names, profiles_folder

SECRET = "hf_" + "A" * 34
NAMES = [
    *("a100", "a100-4bit", "a100-8bit", "apple-mps", "cpu", "cpu-small", "h200", "multi-gpu"),
    *("rtx-12gb-4bit", "rtx-24gb", "rtx-8gb-4bit", "surface-cuda", "t4"),
]


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


def test_the_packaged_profiles_are_thirteen():
    assert profile_names() == NAMES
    assert sorted(path.stem for path in profiles_folder().iterdir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_packaged_profile_opens_with_its_command_and_says_what_was_not_measured(name):
    text = (profiles_folder() / f"{name}.yaml").read_text(encoding="utf-8")

    assert text.startswith(f"# jlora train --profile {name}")
    assert ("not measured" in text.lower()) is (name != "cpu-small")  # the one that was
    assert max(map(len, text.splitlines())) <= 100


def test_the_a100_profiles_keep_the_recipes_that_were_run():
    four, eight = load_profile("a100-4bit").values, load_profile("a100-8bit").values
    kept = {
        "model": "rinna/japanese-gpt-neox-3.6b", "data": "kunishou/databricks-dolly-15k-ja",
        "lora_r": 8, "lora_alpha": 32.0, "lora_dropout": 0.1, "lora_targets": ("query_key_value",),
        "epochs": 1.0, "workers": 4,
    }  # fmt: skip
    own = ("quantization", "batch_size", "gradient_accumulation_steps", "learning_rate")

    assert {name: four[name] for name in kept} == {name: eight[name] for name in kept} == kept
    assert [four[name] for name in own] == ["4bit", 16, 2, 2e-4]
    assert [eight[name] for name in own] == ["8bit", 4, 4, 1e-4]
    # 15,015 rows in steps of 32 are 470 steps, of which the recipe warmed up for 100.
    assert round(470 * four["warmup_ratio"]) == 100


def test_no_profile_that_auto_takes_fixes_what_depends_on_the_model():
    """Its layers and template are those of whatever model is asked for; c_attn is renamed there."""
    of_one_model = {"a100-4bit", "a100-8bit"}
    for name in set(NAMES) - of_one_model:
        values = load_profile(name).values
        assert "template" not in values, name
        targets = values.get("lora_targets", ("auto",))
        assert targets in (("auto",), ("attention",), ("c_attn",)), name
    assert len(NAMES) == 13


def test_installed_profiles_lie_beside_the_code(tmp_path, monkeypatch):
    package = tmp_path / "jlora_cli"
    (package / "profiles").mkdir(parents=True)
    monkeypatch.setattr(profile_files, "__file__", str(package / "profile" / "files.py"))

    assert profiles_folder() == package / "profiles"


# -- a file of one's own --------------------------------------------------------------------------


def test_a_path_works_like_a_name(write):
    path = write("\ufeff# 日本語の注釈 🐈\r\ndescription: 髙﨑の設定\r\nlearning_rate: 1e-4\r\n")

    profile = load_profile(path)

    assert profile.description == "髙﨑の設定"
    assert profile.values == {"learning_rate": 0.0001}
    assert (profile.name, profile.path) == (path, Path(path))
    assert (profile.parent, profile.packaged) == (None, None)


def test_a_profile_extends_a_packaged_one(write):
    profile = load_profile(write("extends: a100-4bit\nlora_r: 16\n"))

    assert profile.values["lora_r"] == 16
    assert profile.values["lora_targets"] == ("query_key_value",)
    assert profile.description.startswith("a 3.6B model in 4 bits")
    assert (profile.parent, profile.packaged) == ("a100-4bit", "a100-4bit")


@pytest.mark.parametrize("named", ["team", "team.yaml"])
def test_a_profile_extends_a_file_beside_it_first(write, named):
    write("extends: cpu-small\nseed: 7\nepochs: 1\n", "team.yaml")

    profile = load_profile(write(f"extends: {named}\nepochs: 2\n"))

    assert (profile.values["seed"], profile.values["epochs"]) == (7, 2.0)
    assert profile.values["batch_size"] == 8  # of cpu-small
    assert profile.packaged == "cpu-small"


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

    known = ", ".join(NAMES)
    assert problem.startswith(f"there is no profile surface-cudo; known are: {known}; did you")
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
            "line 2: unknown key learning_rat, which nothing reads (unused-setting); did you mean "
            "learning_rate?",
        ),
        ("batch_size: four\n", "line 1: batch_size: must be a number"),
        ("batch_size: -4\n", "line 1: batch_size: must be >= 1"),
        ("learning_rate: .nan\n", "line 1: learning_rate: must be a finite number"),
        ("learning_rate: true\n", "line 1: learning_rate: must be a number"),
        ("seed: 1\nbatch_size: 2\nseed: 2\n", "line 3: seed stands here again (first on line 1)"),
        ("training: {}\n", "line 1: unknown key training, which nothing reads (unused-setting)"),
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
        ("<<: {seed: 1}\n", "line 1: seed under <<: nothing reads it there"),
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
    assert refused.endswith("key_9, which nothing reads (unused-setting); and 3 more")


# -- keys of other tools --------------------------------------------------------------------------

# As a blog post's file for transformers, TRL and PEFT has it.
FLAT = """\
model_name_or_path: rinna/japanese-gpt2-medium
dataset: 髙﨑.jsonl
num_train_epochs: 3
per_device_train_batch_size: 4
gradient_accumulation: 2
learning-rate: 1e-4
lr_scheduler_type: cosine
r: 8
alpha: 16
"""
SECTIONS = """\
model:
  name: rinna/japanese-gpt-neox-3.6b
  load_in_8bit: true
training:
  learning_rate: 1e-4
  epochs: 1
  warmup: 100
  hub_token: 秘密
lora:
  r: 8
  target_modules: [query_key_value]
  extra:
    猫: 1
"""


def test_a_key_of_another_tool_is_answered_with_jloras(write):
    refused = refusal_of(write(FLAT))

    own = [part.partition("; write ")[2] for part in refused.split("; line ")]
    assert [f"line {line}: unknown key" in refused for line in range(1, 10)] == [True] * 9
    assert refused.count("(unused-setting); write ") == len(own) == 9
    assert own == [
        "model instead", "data instead", "epochs instead", "batch_size instead",
        "gradient_accumulation_steps instead", "learning_rate instead", "lr_scheduler instead",
        "lora_r instead", "lora_alpha instead",
    ]  # fmt: skip


def test_every_line_of_a_section_is_told_to_stand_at_the_top(write):
    refused = refusal_of(write(SECTIONS))

    there = "nothing reads it there (unused-setting)"
    assert refused.split(": ", 1)[1].split("; line ") == [
        "line 1: model: must be one value or a list of plain values, written flat",
        f"2: name under model: {there}; write model at the top level",
        f"3: load_in_8bit under model: {there}; write quantization: 8bit at the top level",
        f"5: learning_rate under training: {there}; write learning_rate at the top level",
        f"6: epochs under training: {there}; write epochs at the top level",
        f"7: warmup under training: {there}; write warmup_steps or warmup_ratio at the top level",
        "8: hub_token has no place in a file; log in with `hf auth login` instead",
        f"10: r under lora: {there}; write lora_r at the top level",
        f"11: target_modules under lora: {there}; write lora_targets at the top level",
        f"13: 猫 under extra: {there}",
    ]
    assert "秘密" not in refused


def test_what_has_no_plain_name_in_a_section_is_passed_over(write):
    refused = refusal_of(write("training:\n  ? [a, b]\n  : 1\n  lr: 1e-4\n"))

    assert refused.endswith("own.yaml: line 4: lr under training: nothing reads it there "
                            "(unused-setting); write learning_rate at the top level")  # fmt: skip


def test_sections_that_name_each_other_are_told_once(write):
    lines = ["a0: &a0 {lr: 1}"]
    lines += [f"a{n}: &a{n} {{x: *a{n - 1}, y: *a{n - 1}}}" for n in range(1, 60)]

    refused = refusal_of(write("\n".join([*lines, "b: &b {lr: 1, b: *b}"])))

    assert "line 1: lr under a0" in refused
    assert len(refused) < 2000


@pytest.mark.parametrize(
    ("key", "own"),
    [
        ("per_device_train_batch_size", "batch_size"),
        ("LR", "learning_rate"),
        ("dropout", "lora_dropout"),
        ("lora_rank", "lora_r"),
        ("load_in_4bit", "quantization: 4bit"),
        ("bf16", "precision: bfloat16"),
        ("fp16", "precision: float16"),
        ("max_seq_length", "max_length"),
        ("cutoff_len", "max_length"),
        ("block_size", "max_length"),
        ("warmup", "warmup_steps or warmup_ratio"),
        ("save_steps", "checkpoint_steps"),
        ("eval_steps", "evaluation_steps"),
        ("base_model", "model"),
        ("output_dir", "output"),
        ("pad_to_max_length", "packing"),
        ("dataloader-num-workers", "workers"),
        ("猫", None),
    ],
)
def test_what_other_tools_call_a_setting(key, own):
    assert own_name(key) == own


def test_what_is_written_instead_is_a_setting_that_takes_it():
    for other, own in OWN_NAMES.items():
        assert other not in FIELDS, other
        for name in own.split(" or "):
            name, _, value = name.partition(": ")
            assert name in FIELDS, own
            assert not value or parse_setting(name, value) in (value, (value,))
    assert len(OWN_NAMES) > 100


# -- secrets, dates, languages ---------------------------------------------------------------------


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

    told = refusal_of(write("sed: 1\nlr: 1e-4\nlora:\n  alpha: 16\n"))

    assert "1 行目: 不明なキー sed は読み取られません（unused-setting）（seed では" in told
    assert "lr は読み取られません（unused-setting）。代わりに learning_rate と書いてくださ" in told
    assert (
        "lora: の下の alpha は読み取られません（unused-setting）。字下げせずに lora_alpha" in told
    )


def test_every_packaged_value_is_what_yaml_says():
    for name in profile_names():
        text = (profiles_folder() / f"{name}.yaml").read_text(encoding="utf-8")
        written = yaml.safe_load(text)
        values = load_profile(name).values
        for key in set(written) - {"description", "extends"}:
            shown = values[key]
            expected = tuple(written[key]) if isinstance(written[key], list) else written[key]
            assert float(expected) == shown if key == "learning_rate" else expected == shown, key
    assert len(profile_names()) == 13


def test_every_packaged_profile_is_described_in_both_languages():
    names = profile_names()

    english = {name: load_profile(name).about() for name in names}
    use_language("ja")
    japanese = {name: load_profile(name).about() for name in names}

    assert len(names) == 13
    assert english == {name: load_profile(name).description for name in names}
    assert all(japanese[name] != english[name] for name in names)
