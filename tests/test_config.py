"""Settings: one list of names, values checked where they enter, each with its source."""

from __future__ import annotations

import inspect
from dataclasses import fields

import pytest
import yaml

from jlora_cli.commands.options import PANELS
from jlora_cli.commands.train import train
from jlora_cli.config import (
    FIELDS,
    ProfileValues,
    Resolved,
    RunConfig,
    Source,
    nearest,
    parse_options,
    parse_setting,
    resolve,
)
from jlora_cli.errors import JloraError
from jlora_cli.profile import ONLY_IN_PROFILES, load_profile

# What `jlora train` takes besides the settings of the run.
OF_THE_COMMAND = {
    "profile",
    "set_",
    "from_adapter",
    "allow",
    "try_",
    "dry_run",
    "measure",
    "resume",
    "json",
}


# -- one list of names ----------------------------------------------------------------------------


def test_fields_options_and_profile_keys_are_the_same_set(tmp_path):
    options = set(inspect.signature(train).parameters) - OF_THE_COMMAND
    values = {name: FIELDS[name].default for name in FIELDS}
    asked_for = {
        "max_steps": 5,
        "early_stopping_patience": 2,
        "sample_steps": 7,
    }  # None is no value of theirs
    values |= {name: asked_for.get(name, "text") for name in FIELDS if values[name] is None}
    values |= {"lora_targets": ["auto"], "sample_prompts": ["こんにちは"]}
    every_key = tmp_path / "every.yaml"
    every_key.write_text(yaml.safe_dump(values), encoding="utf-8")

    profile = load_profile(str(every_key))

    assert options == {field.name for field in fields(RunConfig)} == set(FIELDS)
    assert set(profile.values) == set(FIELDS)
    assert ONLY_IN_PROFILES == ("description", "extends")


def test_every_setting_stands_under_one_topic_of_the_help():
    shown = [name for names in PANELS.values() for name in names]

    assert sorted(shown) == sorted(FIELDS)


def test_every_option_is_left_out_unless_it_is_typed():
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(train).parameters.items()
        if name in FIELDS
    }

    assert set(defaults.values()) == {None}
    assert len(defaults) == len(FIELDS)


# -- option, profile, default ---------------------------------------------------------------------


def test_option_beats_profile_beats_default():
    profile = ProfileValues("cpu-small", {"batch_size": 8, "epochs": 12.0})

    resolved = resolve(profile, parse_options({"batch_size": "2", "seed": None}))

    assert (resolved.config.batch_size, resolved.config.epochs, resolved.config.seed) == (2, 12, 42)
    assert resolved.sources["batch_size"] == Source("option", "--batch-size")
    assert resolved.sources["epochs"] == Source("profile", "cpu-small")
    assert resolved.sources["seed"] == Source("default", "default")


def test_without_profile_and_options_every_value_is_the_default():
    resolved = resolve(None, {})

    assert resolved.config == RunConfig()
    assert {source.origin for source in resolved.sources.values()} == {"default"}


def test_an_option_may_take_a_value_of_the_profile_back():
    profile = ProfileValues("a100-4bit", {"quantization": "4bit", "max_steps": 10})

    resolved = resolve(profile, parse_options({"quantization": "none", "max_steps": "none"}))

    assert resolved.config.quantization == "none"
    assert resolved.config.max_steps is None
    assert resolved.sources["max_steps"].origin == "option"


def test_the_record_holds_value_source_and_reason_of_every_setting():
    resolved = resolve(None, {}).with_auto({"max_length": (512, "the model's context")})

    record = resolved.as_json()

    assert set(record) == set(FIELDS)
    assert record["max_length"] == {
        "value": 512, "source": "auto", "reason": "the model's context",
    }  # fmt: skip
    assert record["lora_targets"]["value"] == ["auto"]
    assert record["sample_prompts"] == {"value": [], "source": "default", "reason": "default"}


def test_settling_leaves_the_resolved_settings_as_they_were():
    before = resolve(None, {})

    after = before.with_auto({"workers": (0, "why")})

    assert isinstance(after, Resolved)
    assert (before.config.workers, after.config.workers) == ("auto", 0)
    assert before.sources["workers"].origin == "default"


# -- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        ("learning_rate", "1e-4", 0.0001),  # YAML 1.1 leaves it a text
        ("learning_rate", "２e-4", 0.0002),  # a full-width digit, as an input method writes it
        ("epochs", 1, 1.0),
        ("batch_size", "16", 16),
        ("processes", "auto", "auto"),
        ("processes", "4", 4),
        ("batch_size", 2.0, 2),
        ("seed", 2**32 - 1, 4294967295),
        ("seed", 0, 0),
        ("max_length", "auto", "auto"),
        ("max_steps", None, None),
        ("max_steps", "NULL", None),
        ("quantization", None, "none"),
        ("quantization", "None", "none"),
        ("template", "none", "none"),
        ("packing", "auto", "auto"),
        ("packing", "off", False),
        ("compile", "Yes", True),
        ("compile", False, False),
        ("lora_targets", "c_attn, c_proj", ("c_attn", "c_proj")),
        ("lora_targets", ["query_key_value"], ("query_key_value",)),
        ("sample_prompts", "はい、そうです, 🐈", ("はい、そうです, 🐈",)),
        ("sample_prompts", ["髙﨑さん", "ｶﾞＡ１"], ("髙﨑さん", "ｶﾞＡ１")),
        ("model", "ﾓﾃﾞﾙ/髙﨑", "ﾓﾃﾞﾙ/髙﨑"),
    ],
)
def test_a_value_is_read_as_people_write_it(name, raw, expected):
    value = parse_setting(name, raw)

    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("name", "raw", "sentence"),
    [
        ("learning_rate", "nan", "must be a finite number"),
        ("learning_rate", float("inf"), "must be a finite number"),
        ("learning_rate", "速い", "must be a number"),
        ("learning_rate", True, "must be a number"),
        ("learning_rate", 0, "must be > 0"),
        ("learning_rate", 2, "must be <= 1"),
        ("learning_rate", None, "must be a number"),
        ("batch_size", -4, "must be >= 1"),
        ("batch_size", "four", "must be a number"),
        ("batch_size", 1.5, "must be a whole number"),
        ("batch_size", True, "must be a number"),
        ("batch_size", [4], "must be a number"),
        ("processes", 0, "must be >= 1"),
        ("seed", 2**32, "must be <= 4294967295"),
        ("lora_dropout", 1, "must be <= 0.99"),
        ("lr_scheduler", "cosin", "one of cosine, linear, constant; did you mean cosine?"),
        ("precision", "bf16", "must be one of auto, float32, bfloat16, float16"),
        ("precision", True, "must be one of"),
        ("lr_scheduler", None, "must be one of cosine, linear, constant"),
        ("model", 7, "must be text"),
        ("model", "  ", "must be text"),
        ("template", None, "must be text"),
        ("compile", "maybe", "must be true or false"),
        ("compile", 1, "must be true or false"),
        ("lora_targets", [], "must be a list of names"),
        ("lora_targets", {"a": 1}, "must be a list of names"),
        ("lora_targets", ["c_attn", 3], "must be text"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_the_reason(name, raw, sentence):
    with pytest.raises(ValueError, match=r"\S") as refusal:
        parse_setting(name, raw)

    assert sentence in str(refusal.value)


def test_only_a_word_is_asked_whether_it_means_another():
    with pytest.raises(ValueError, match="must be one of") as refusal:
        parse_setting("lr_scheduler", None)

    assert "did you mean" not in str(refusal.value)


def test_a_setting_under_another_tools_name_is_answered_with_jloras():
    with pytest.raises(JloraError) as refusal:
        parse_options({"num_train_epochs": "1", "load_in_4bit": "true", "max-length": "256"})

    assert refusal.value.problem == (
        "these settings cannot be used: --set num_train_epochs: no such setting; write epochs "
        "instead; --set load_in_4bit: no such setting; write quantization: 4bit instead; "
        "--set max-length: no such setting; write max_length instead"
    )


def test_all_faults_of_a_command_line_come_together_with_the_nearest_names():
    options = {"batch_size": "-4", "learning_rat": "1", "epochs": "nan", "seed": "7", "zzzzz": "1"}

    with pytest.raises(JloraError) as refusal:
        parse_options(options)

    assert refusal.value.problem == (
        "these settings cannot be used: --batch-size -4: must be >= 1; --set learning_rat: no such "
        "setting; did you mean learning_rate?; --epochs nan: must be a finite number; "
        "--set zzzzz: no such setting"
    )
    assert "jlora train --help" in refusal.value.remedy


@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("warmup_step", "; did you mean warmup_steps?"),
        ("lora-r", "; did you mean lora_r?"),
        ("ｘ", ""),
    ],
)
def test_the_nearest_name_is_asked_for_where_one_is_near(name, question):
    assert nearest(name, FIELDS) == question
