"""What an answer is sampled with: as asked, else as the model, its recipe or jlora says."""

from __future__ import annotations

import json

import pytest

from jlora_cli import messages
from jlora_cli.errors import JloraError
from jlora_cli.recipe import sampling_of
from jlora_cli.run_folder import Artifact
from jlora_cli.sampling import DEFAULTS, RANGES, Sampling, read_setting, settle_sampling, unescape


@pytest.fixture
def model(tmp_path):
    """An artifact whose model folder says `said` in its generation_config.json."""

    def make(said, named=None):
        text = said if isinstance(said, str) else json.dumps(said)
        (tmp_path / "generation_config.json").write_text(text, encoding="utf-8")
        card = {"base": {"model": named}} if named else None
        return Artifact(str(tmp_path), card=card)

    return make


def test_the_defaults_are_those_of_the_recipes_that_users_ran():
    # temperature 0.7, top_p 0.75, top_k 40, max_new_tokens 256; no_repeat_ngram_size 2 is left off.
    assert Sampling(256, 0.7, 0.75, 40, 1.0, 42, (), 0, 0) == DEFAULTS


def test_option_beats_model_beats_recipe_beats_default(model):
    said = {"temperature": 0.6, "top_p": 0.95}
    artifact = model(said, "rinna/japanese-gpt-neox-3.6b-instruction-ppo")
    settled = settle_sampling({"temperature": 0.0}, artifact)
    assert settled.sampling == Sampling(temperature=0.0, top_p=0.95, repetition_penalty=1.1)
    assert settled.sources["temperature"] == "option"
    assert settled.sources["top_p"] == "model"
    assert settled.sources["repetition_penalty"] == "recipe"
    assert settled.sources["top_k"] == "default"


@pytest.mark.parametrize(
    "said",
    [
        "{cut",
        "[1]",
        {"temperature": "hot", "top_p": None, "top_k": True},
        {"temperature": -1, "top_p": 1.5, "max_new_tokens": 0, "repetition_penalty": 0},
        {"do_sample": False, "max_length": 20, "stop": ["。"], "seed": 1},
    ],
)
def test_what_makes_no_sense_in_a_generation_config_is_passed_over(model, said):
    settled = settle_sampling({}, model(said))
    assert settled.sampling == DEFAULTS
    assert set(settled.sources.values()) == {"default"}


def test_numbers_of_a_generation_config_take_the_type_of_the_field(model):
    settled = settle_sampling({}, model({"top_k": 20.0, "temperature": 1}))
    assert repr((settled.sampling.top_k, settled.sampling.temperature)) == "(20, 1.0)"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rinna/japanese-gpt-neox-3.6b-instruction-sft-v2", {"repetition_penalty": 1.1}),
        ("llm-jp/llm-jp-3-1.8b-instruct3@main", {"repetition_penalty": 1.05}),
        ("rinna/japanese-gpt-neox-3.6b", {}),
        ("rinna/japanese-gpt2-medium", {}),
    ],
)
def test_the_recipe_knows_some_models_by_name(name, expected):
    assert sampling_of(name) == expected


def test_what_is_used_is_told_by_source_and_what_is_off_is_not(model):
    settled = settle_sampling({"temperature": 0.5, "stop": ("\n", "。")}, model({"top_p": 0.9}))
    assert settled.describe() == (
        'Sampling: max_new_tokens 256, top_k 40, seed 42 (default); temperature 0.5, stop ["\\n", '
        '"。"] (as asked); top_p 0.9 (the model\'s own)'
    )
    messages.use_language("ja")
    assert settle_sampling({"temperature": 0.0}, model({})).describe() == (
        "サンプリング: max_new_tokens 256（既定）; temperature 0（指定）"
    )


def test_json_holds_every_value_with_its_source(model):
    told = settle_sampling({"stop": ("。",)}, model({})).as_json()
    assert told["stop"] == {"value": ["。"], "source": "option"}
    assert told["temperature"] == {"value": 0.7, "source": "default"}
    assert len(told) == 8


@pytest.mark.parametrize(
    ("typed", "meant"),
    [(r"\n", "\n"), (r"終\t\n", "終\t\n"), (r"\\n", r"\n"), (r"\x", r"\x"), ("\n", "\n")],
)
def test_newlines_and_tabs_can_be_typed(typed, meant):
    assert unescape(typed) == meant


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("temperature", "0.2", 0.2),
        ("temperature", "0", 0.0),
        ("top_p", "1", 1.0),
        ("top_k", "５", 5),  # an input method left on
        ("max_new_tokens", "1", 1),
        ("stop", r"終\n", ("終\n",)),
        ("stop", "", ()),
    ],
)
def test_a_setting_is_read_as_typed(name, typed, value):
    found = read_setting(name, typed)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "typed", "problem", "remedy"),
    [
        ("top_p", "1.1", "top_p cannot take this value: 1.1", "give a number from 0 to 1"),
        ("top_p", "nan", "top_p cannot take this value: nan", "give a number from 0 to 1"),
        ("top_k", "0.5", "top_k cannot take this value: 0.5", "give a whole number from 0 up"),
        ("temperature", "", "temperature cannot take this value: ", "give a number from 0 up"),
        (
            "temperature",
            "inf",
            "temperature cannot take this value: inf",
            "give a number from 0 up",
        ),
        (
            "max_new_tokens",
            "0",
            "max_new_tokens cannot take this value: 0",
            "give a whole number from 1 up",
        ),
        (
            "temprature",
            "1",
            "there is no setting temprature; did you mean temperature?",
            "use one of max_new_tokens, temperature, top_p, top_k, repetition_penalty, "
            "no_repeat_ngram_size, stop, seed",
        ),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(name, typed, problem, remedy):
    with pytest.raises(JloraError) as refusal:
        read_setting(name, typed)
    assert (refusal.value.problem, refusal.value.remedy) == (problem, remedy)


def test_what_a_person_may_set_are_fields_whose_defaults_are_in_range():
    for name, (kind, least, greatest) in RANGES.items():
        default = getattr(DEFAULTS, name)
        assert kind is str or least <= default <= greatest, name
