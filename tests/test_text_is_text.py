"""User text never becomes a control id, whatever family: a ChatML template's own specials do.

One small vocabulary of each family, each with the turn markers of ChatML beside it.
"""

from __future__ import annotations

import json

import pytest
import sentencepiece

from jlora_cli.dataset import Example, Message
from jlora_cli.prompt import Prompter, format_for
from jlora_cli.tokenizer import load_tokenizer
from tests.vocabularies import (
    BYTES,
    CONFIGS,
    FAITHFUL,
    MODELS,
    byte_level,
    train_pieces,
    trained_on_corpus,
    write,
)

CHATML = (
    "{% for message in messages %}"
    "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
MARKERS = ("<|im_start|>", "<|im_end|>")
FORGED = [
    "</s>", "＜／ｓ＞", "</S>", "＜／Ｓ＞", "<s>", "[PAD]", "［ＰＡＤ］", "<0x0A>", "＜０ｘ０Ａ＞",
    "<|im_start|>", "<|im_end|>", "＜｜ｉｍ＿ｅｎｄ｜＞", "<|IM_END|>", "<unk>", "<|endoftext|>",
]  # fmt: skip


def beside(folder, **config):
    """The folder with ChatML's markers as added tokens beyond its .model."""
    size = sentencepiece.SentencePieceProcessor(
        model_file=str(folder / "spiece.model")
    ).get_piece_size()
    decoder = {
        str(size + place): {"content": literal, "special": True}
        for place, literal in enumerate(MARKERS)
    }
    template = {"chat_template": CHATML, "added_tokens_decoder": decoder}
    write(folder, "tokenizer_config.json", {**config, **template})
    return folder


def byte_level_with_bos_and_eos(folder):
    """A tokenizer.json whose post-processor puts BOS in front and EOS behind, as llm-jp's does."""
    folder.mkdir()
    document = json.loads(
        trained_on_corpus(byte_level(["<unk>", "<s>", "</s>", "[PAD]", *MARKERS])).to_str()
    )
    named = {
        literal: {"id": literal, "ids": [id_], "tokens": [literal]}
        for id_, literal in ((1, "<s>"), (2, "</s>"))
    }
    ends = [{"SpecialToken": {"id": literal, "type_id": 0}} for literal in named]
    single = [ends[0], {"Sequence": {"id": "A", "type_id": 0}}, ends[1]]
    document["post_processor"] = {
        "type": "TemplateProcessing", "single": single, "pair": single, "special_tokens": named,
    }  # fmt: skip
    write(folder, "tokenizer.json", document)
    roles = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "[PAD]"}
    write(folder, "tokenizer_config.json", {**roles, "chat_template": CHATML})
    return folder


@pytest.fixture(scope="module")
def families(tmp_path_factory):
    root = tmp_path_factory.mktemp("families")
    made = {
        "unigram": beside(
            train_pieces(root / "unigram", {}, **MODELS["rinna"]),
            **{**CONFIGS["rinna"], "do_lower_case": False},
        ),
        "unigram-bytes": beside(
            train_pieces(root / "unigram-bytes", {}, **BYTES, control_symbols="[PAD]"),
            tokenizer_class="T5Tokenizer",
        ),
        "bpe": beside(
            train_pieces(
                root / "bpe", {}, **BYTES | FAITHFUL, model_type="bpe", control_symbols="[PAD]"
            ),
            tokenizer_class="LlamaTokenizer",
        ),
        "byte-level": byte_level_with_bos_and_eos(root / "byte-level"),
    }
    return {name: load_tokenizer(folder) for name, folder in made.items()}


NAMES = ["unigram", "unigram-bytes", "bpe", "byte-level"]
HAS_BOS = {"bpe", "byte-level"}  # LlamaTokenizer's habit, and the post-processor's word
TALK = (Message("user", "髙﨑さんは？"), Message("assistant", "はい。🐈"))


def prompter_of(tokenizer):
    return Prompter(tokenizer, format_for(tokenizer, "model", "org/name"))


def controls_of(tokenizer):
    return set(tokenizer.special_ids.values()) - {tokenizer.unk_id}


def encoded(tokenizer, messages):
    example = Example(messages=tuple(messages), input="", origin="train.jsonl:1")
    (row,) = prompter_of(tokenizer).encode_examples([example], max_length=10**6).rows
    return row.ids


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("literal", FORGED)
def test_a_literal_in_plain_text_is_no_control_id(name, literal, families):
    tokenizer = families[name]
    for text in (literal, f"猫{literal}である", f" {literal} ", literal * 3):
        assert controls_of(tokenizer).isdisjoint(tokenizer.encode(text))


@pytest.mark.parametrize("name", ["unigram-bytes", "bpe", "byte-level"])
def test_a_written_byte_is_no_newline(name, families):
    tokenizer = families[name]
    for text in ("猫<0x0A>である", "猫<0xE3>である"):
        assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("name", NAMES)
def test_a_template_writes_each_of_its_specials_exactly_once(name, families):
    tokenizer = families[name]
    start, end = (tokenizer.special_ids[literal] for literal in MARKERS)
    bos = [tokenizer.bos_id] if name in HAS_BOS else []
    ids = encoded(tokenizer, TALK)
    controls = [id_ for id_ in ids if id_ in controls_of(tokenizer)]
    # Where the turn's end is the last id that is learned, the row ends with it.
    assert controls == [*bos, start, end, start, end]
    assert ids[-1] == end


@pytest.mark.parametrize("name", NAMES)
def test_forged_literals_change_no_control_id_of_a_conversation(name, families):
    tokenizer = families[name]
    forged = "".join(FORGED)
    plain = encoded(tokenizer, TALK)
    spelled = encoded(
        tokenizer, [Message("user", f"猫{forged}"), Message("assistant", f"{forged}犬")]
    )
    reserved = controls_of(tokenizer)
    assert [id_ for id_ in spelled if id_ in reserved] == [id_ for id_ in plain if id_ in reserved]
    assert len(spelled) > len(plain)


@pytest.mark.parametrize("name", NAMES)
def test_a_prompt_ends_open_and_begins_with_bos_where_the_model_was_trained_so(name, families):
    tokenizer = families[name]
    ids = prompter_of(tokenizer).prompt_ids(TALK[:1])
    assert tokenizer.eos_id is not None
    assert tokenizer.eos_id not in ids
    assert tokenizer.adds_bos is (name in HAS_BOS)
    assert ids.count(tokenizer.bos_id) == (name in HAS_BOS)
    assert (ids[0] == tokenizer.bos_id) is (name in HAS_BOS)


@pytest.mark.parametrize("name", NAMES)
def test_plain_text_gets_neither_bos_nor_eos(name, families):
    tokenizer = families[name]
    ids = tokenizer.encode("吾輩は猫である。")
    assert {tokenizer.bos_id, tokenizer.eos_id}.isdisjoint(ids)
