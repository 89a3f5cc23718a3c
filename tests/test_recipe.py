"""What is known of named models: which layers, which case, and who says so."""

from __future__ import annotations

import pytest

from jlora_cli.recipe import ATTENTION_LAYERS, QUIRKS, TEMPLATES, attention_layers, wants_lower_case


@pytest.mark.parametrize(
    ("model_type", "layers"),
    [
        ("gpt2", ("c_attn",)),
        ("gpt_neox", ("query_key_value",)),
        ("qwen3", ("q_proj", "k_proj", "v_proj", "o_proj")),  # newer ones take Llama's names
    ],
)
def test_the_layers_of_the_attention_are_known_by_architecture(model_type, layers):
    assert attention_layers(model_type) == layers
    assert len(ATTENTION_LAYERS) >= 3


@pytest.mark.parametrize(
    ("model", "lower"),
    [
        ("rinna/japanese-gpt2-medium", True),
        ("rinna/japanese-gpt2-xsmall@main", True),
        ("/models/rinna/japanese-gpt2-small/", True),
        ("rinna/japanese-gpt-neox-3.6b", False),
        ("someone/japanese-gpt2-medium-chat", False),
        ("demo", False),
    ],
)
def test_the_small_rinna_models_want_lower_case(model, lower):
    assert wants_lower_case(model) is lower


def test_every_line_of_the_data_says_where_it_is_from():
    assert [quirk.pattern for quirk in QUIRKS if not quirk.source] == []
    assert set(TEMPLATES) == {"chat-markdown", "alpaca-ja", "none"}
