"""Streamed text is the exact text, for small vocabularies and, where present, the shared ones."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from jlora_cli.tokenizer import load_tokenizer
from tests.vocabularies import CORPUS, MODELS, train_pieces

SHARED = Path(__file__).parents[2] / "shared" / "vectors"
STREAMS = 150
TEXTS = [*CORPUS, "髙﨑さんと𠮷野家🐈で\nｶﾞｷﾞ Ａ１  を", "👨‍👩‍👧‍👦", "é\r\nか\u3099"]


def random_streams(size):
    draw = random.Random(7)
    return [[draw.randrange(size) for _ in range(draw.randint(1, 40))] for _ in range(STREAMS)]


def wrong_and_seen(tokenizer, texts):
    """(rows whose concatenation is not what is decoded behind other text, rows seen)."""
    rows = [*filter(None, tokenizer.encode_batch(texts)), *random_streams(tokenizer.size)]
    anchor = tokenizer.encode("a")[-1:]
    before, wrong = tokenizer.decode(anchor), []
    for ids in rows:
        stream = tokenizer.stream()
        told = "".join(map(stream.push, ids)) + stream.finish()
        if told != tokenizer.decode([*anchor, *ids]).removeprefix(before):
            wrong.append(ids)
    return wrong, len(rows)


@pytest.mark.parametrize("kind", MODELS)
def test_streams_add_up_to_the_exact_decode(kind, tmp_path):
    tokenizer = load_tokenizer(train_pieces(tmp_path / kind, {}, **MODELS[kind]))
    wrong, seen = wrong_and_seen(tokenizer, TEXTS)
    assert wrong == []
    assert seen == len(TEXTS) + STREAMS


def test_an_emoji_split_over_bytes_appears_once_and_whole(tmp_path):
    tokenizer = load_tokenizer(train_pieces(tmp_path / "neox", {}, **MODELS["neox"]))
    stream = tokenizer.stream()
    told = [stream.push(id_) for id_ in tokenizer.encode("猫🐈だ")]
    assert [piece for piece in told if "🐈" in piece] == ["🐈"]
    assert "\ufffd" not in "".join(told)
    assert told.count("") >= 3  # the emoji's first three bytes


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared vectors are not beside the checkout")
def test_the_shared_vocabularies_stream_exactly():
    vectors = json.loads((SHARED / "public.json").read_text(encoding="utf-8"))
    texts = [row["text"] for row in vectors["strings"]]
    found = {}
    for name in vectors["tokenizers"]:
        wrong, seen = wrong_and_seen(load_tokenizer(SHARED / "models" / name), texts)
        assert seen > STREAMS + 150
        found[name] = len(wrong)
    assert found == dict.fromkeys(found, 0)
    assert len(found) == 9
