"""Tokens are drawn by how probable they were, characters of several tokens by the least sure."""

from __future__ import annotations

import pytest

from jlora_cli import odds
from jlora_cli.generation import Answer, TokenChoice
from jlora_cli.screen import PIECES


def answer(*tokens):
    return Answer("", [token.id for token in tokens], "eos", 1, tokens)


@pytest.mark.parametrize(
    ("probability", "kind"),
    [
        (1.0, "sure"),
        (0.9, "sure"),
        (0.899, "likely"),
        (0.2, "open"),
        (0.05, "unlikely"),
        (0, "rare"),
    ],
)
def test_every_probability_has_a_band_that_can_be_drawn(probability, kind):
    assert odds.band_of(probability) == kind
    assert kind in PIECES


def test_a_character_of_several_tokens_is_as_sure_as_its_least_sure_one():
    parts = (TokenChoice(1, "", 0.1), TokenChoice(2, "🐈", 0.99), TokenChoice(3, "猫", 0.95))
    assert odds.pieces(answer(*parts)) == [("🐈", "unlikely"), ("猫", "sure")]


def test_line_ends_and_tabs_show():
    made = odds.pieces(answer(TokenChoice(1, "一\n\t\x07", 1.0)))
    assert made == [("一↵\n⇥\\x07", "sure")]


def test_the_table_names_what_else_was_likely_but_not_the_token_again():
    token = TokenChoice(5, "猫", 0.6, ((5, "猫", 0.6), (6, "犬", 0.25), (7, "\n", 0.05)))
    part = TokenChoice(8, "", 0.5)
    assert odds.rows([token, part]) == [
        ["猫", "60.0%", "犬 25.0%  \\n 5.0%"],
        ["(part of a character)", "50.0%", ""],
    ]


def test_the_legend_covers_all_probabilities():
    labels = [label for label, _ in odds.legend()]
    assert labels == ["90%–100%", "50%–90%", "20%–50%", "5%–20%", "0%–5%"]


def test_json_holds_every_alternative():
    token = TokenChoice(5, "猫", 0.6, ((5, "猫", 0.6),))
    (found,) = odds.as_json([token])
    assert found["alternatives"] == [{"id": 5, "text": "猫", "probability": 0.6}]
