"""The tokenizer gives raw SentencePiece ids, text is never a control id, and streams are exact.

Small models are trained here; the larger reference vectors are read where they lie beside the
repository.
"""

from __future__ import annotations

import functools
import json
import random
from pathlib import Path

import pytest
import sentencepiece
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from sentencepiece import sentencepiece_model_pb2 as proto
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from jlora_cli.errors import JloraError
from jlora_cli.messages import use_language
from jlora_cli.tokenizer import StreamDecoder, load_tokenizer
from tests.vocabularies import (
    CONFIGS,
    CORPUS,
    MODELS,
    SPECIAL,
    byte_level,
    train_pieces,
    trained_on_corpus,
    write,
)

TEXTS = [
    "",
    " ",
    "吾輩は猫である。\n名前はまだ無い。",
    "ｶﾞｷﾞとＡ１、髙﨑𠮷野家🐈",
    "👩🏽‍💻が\r\n\t働く  二つの空白 ",
    "\u3000全角\u3000空白",
    "</s><s>[PAD]＜／ｓ＞<unk>[UNK]<NL>＜ＮＬ＞",
    "<0x0A><0xE3>",
    "a▁b▁▁",
    "か\u3099と\u200b\ufeff\xa0",
    "nul\x00と\x01\x7f",
]


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return {
        name: train_pieces(root / name, CONFIGS.get(name, {}), **o) for name, o in MODELS.items()
    }


@pytest.fixture(scope="session")
def loaded(folders):
    return {name: load_tokenizer(folder) for name, folder in folders.items()}


def raw_of(folder):
    return sentencepiece.SentencePieceProcessor(model_file=str(folder / "spiece.model"))


@pytest.fixture(scope="session")
def raw(folders):
    return {name: raw_of(folder) for name, folder in folders.items()}


def copy_of(folder, target):
    """A copy of a model folder, to be changed."""
    target.mkdir()
    for file in folder.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


def streamed(tokenizer, ids):
    stream = tokenizer.stream()
    return "".join(stream.push(id_) for id_ in ids) + stream.finish()


# --- the same ids as raw SentencePiece ---------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_ids_pieces_and_text_are_those_of_raw_sentencepiece(name, loaded, raw):
    tokenizer, processor = loaded[name], raw[name]
    for text in TEXTS + CORPUS:
        ids = processor.encode(text)
        assert tokenizer.encode(text) == ids
        assert tokenizer.pieces(ids) == processor.id_to_piece(ids)
        assert tokenizer.decode(ids) == processor.decode(ids)


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=100, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_gives_raw_ids_and_never_a_control_id(name, loaded, raw, text):
    tokenizer, processor = loaded[name], raw[name]
    ids = tokenizer.encode(text)
    assert ids == processor.encode(text)
    assert not any(processor.is_control(id_) for id_ in ids)
    assert streamed(tokenizer, ids) == tokenizer.decode_continuation(ids)


@pytest.mark.parametrize("name", MODELS)
def test_special_literals_in_text_stay_text(name, loaded):
    tokenizer = loaded[name]
    control = set(tokenizer.special_ids.values()) - {tokenizer.unk_id}
    for literal in [*tokenizer.special_ids, "＜／ｓ＞", "</S>", "＜ｓ＞"]:
        assert control.isdisjoint(tokenizer.encode(f"こんにちは{literal}さようなら"))
        assert control.isdisjoint(tokenizer.encode(literal))


def test_batches_equal_single_texts(loaded):
    for tokenizer in loaded.values():
        assert tokenizer.encode_batch(TEXTS) == [tokenizer.encode(text) for text in TEXTS]
        assert tokenizer.encode_batch([]) == []


VECTORS = Path(__file__).parents[1] / ".." / "shared" / "vectors" / "public.json"


@pytest.mark.skipif(
    not VECTORS.is_file(), reason="the reference vectors are not beside this checkout"
)
def test_reference_vectors_are_met_without_one_exception():
    document = json.loads(VECTORS.read_text(encoding="utf-8"))
    texts = {str(row["id"]): row["text"] for row in document["strings"]}
    wrong, seen = [], 0
    for name, each in document["tokenizers"].items():
        tokenizer = load_tokenizer((VECTORS.parent / each["model"]).parent)
        for key, expected in each["vectors"].items():
            ids = tokenizer.encode(texts[key])
            accepted = [expected["ids"], expected.get("ids_ge_0_2_2")]
            right = ids in accepted and tokenizer.decode(ids) == expected["dec"]
            wrong += [] if right else [(name, texts[key])]
            seen += 1
    assert wrong == []
    assert seen == 9 * 186  # nine vocabularies, 186 strings each


# --- what a lone surrogate gets ----------------------------------------------------------


def test_lone_surrogate_is_refused_with_its_name_and_place(loaded):
    with pytest.raises(JloraError) as caught:
        loaded["neox"].encode("吾輩は\ud83d猫")
    assert "U+D83D" in caught.value.problem
    assert "place 4" in caught.value.problem
    assert caught.value.remedy


def test_lone_surrogate_in_a_batch_is_refused(loaded):
    with pytest.raises(JloraError, match=r"U\+DC00"):
        loaded["rinna"].encode_batch(["猫", "\udc00"])


def test_wrong_type_is_a_bug_and_keeps_its_traceback(loaded):
    with pytest.raises((TypeError, RuntimeError)):
        loaded["rinna"].encode_batch([object()])  # type: ignore[list-item]


# --- what the files say ------------------------------------------------------------------


def test_rinna_roles_come_from_the_vocabulary(loaded):
    tokenizer = loaded["rinna"]
    roles = (tokenizer.unk_id, tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id)
    assert roles == (0, 1, 2, 3)
    assert tokenizer.special_ids == {
        "<unk>": 0, "<s>": 1, "</s>": 2, "[PAD]": 3, "[CLS]": 4, "[SEP]": 5, "[MASK]": 6,
    }  # fmt: skip
    assert tokenizer.adds_bos is False
    assert tokenizer.lower_case_hint is True
    assert tokenizer.family == "sentencepiece-unigram"


def test_roles_fall_back_to_the_model_file(loaded):
    tokenizer = loaded["neox"]  # its configuration is empty
    roles = (tokenizer.pad_id, tokenizer.unk_id, tokenizer.bos_id, tokenizer.eos_id)
    assert roles == (0, 1, 2, 3)


def test_llama_prepends_bos_and_has_no_padding(loaded, raw):
    tokenizer = loaded["llama"]
    assert tokenizer.adds_bos is True
    assert tokenizer.pad_id is None
    assert tokenizer.family == "sentencepiece-bpe"
    assert tokenizer.size == raw["llama"].get_piece_size()
    assert tokenizer.lower_case_hint is False


def test_t5_class_never_prepends_bos(folders, tmp_path):
    folder = copy_of(folders["rinna"], tmp_path / "copy")
    write(
        folder, "tokenizer_config.json", {"tokenizer_class": "T5Tokenizer", "add_bos_token": True}
    )
    assert load_tokenizer(folder).adds_bos is False


@pytest.mark.parametrize(
    ("name", "keeps", "piece"),
    [
        ("rinna", False, None),
        ("neox", False, None),
        ("neox-nl", False, "<NL>"),
        ("llama", True, None),
        ("bilingual", True, None),
        ("squeezing-bpe", False, "<NL>"),
    ],
)
def test_newline_behaviour_is_measured(name, keeps, piece, loaded):
    assert (loaded[name].keeps_newlines, loaded[name].newline_piece) == (keeps, piece)


def test_files_begin_with_the_vocabulary_and_fingerprint_follows_it(folders, tmp_path):
    original = load_tokenizer(folders["rinna"])
    folder = copy_of(folders["rinna"], tmp_path / "copy")
    write(folder, "tokenizer_config.json", {"model_max_length": 512})
    copied = load_tokenizer(folder)
    assert [file.name for file in copied.files] == ["spiece.model", "tokenizer_config.json"]
    assert copied.fingerprint == original.fingerprint
    assert load_tokenizer(folders["neox"]).fingerprint != original.fingerprint
    write(folder, "added_tokens.json", {"<会話>": copied.size})
    assert load_tokenizer(folder).fingerprint != original.fingerprint


def test_names_come_from_special_tokens_map_and_objects(folders, tmp_path):
    folder = copy_of(folders["rinna"], tmp_path / "copy")
    write(folder, "tokenizer_config.json", {"eos_token": {"content": "[SEP]"}})
    write(folder, "special_tokens_map.json", {"bos_token": "[CLS]", "pad_token": "<absent>"})
    tokenizer = load_tokenizer(folder)
    assert (tokenizer.eos_id, tokenizer.bos_id, tokenizer.pad_id) == (5, 4, None)


def test_piece_id_is_exact(loaded):
    tokenizer = loaded["rinna"]
    assert tokenizer.piece_id("</s>") == 2
    assert tokenizer.piece_id("<unk>") == 0
    assert tokenizer.piece_id("そんなピースはない") is None


TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, None),
        ({"chat_template": TEMPLATE}, TEMPLATE),
        ({"chat_template": [{"name": "default", "template": TEMPLATE}]}, TEMPLATE),
        ({"chat_template": [{"name": "tool_use", "template": TEMPLATE}]}, None),
    ],
)
def test_chat_template_of_the_configuration(config, expected, folders, tmp_path):
    folder = copy_of(folders["rinna"], tmp_path / "copy")
    write(folder, "tokenizer_config.json", config)
    assert load_tokenizer(folder).chat_template == expected


def test_chat_template_file_beats_the_configuration(folders, tmp_path):
    folder = copy_of(folders["rinna"], tmp_path / "copy")
    write(folder, "tokenizer_config.json", {"chat_template": TEMPLATE})
    (folder / "chat_template.jinja").write_text("{{ '指示' }}", encoding="utf-8")
    tokenizer = load_tokenizer(folder)
    assert tokenizer.chat_template == "{{ '指示' }}"
    assert "chat_template.jinja" in [file.name for file in tokenizer.files]


# --- added tokens beside a .model --------------------------------------------------------


@pytest.fixture
def extended(folders, tmp_path):
    """The neox model with an ordinary and a special added token, and a gap in the ids."""
    folder = copy_of(folders["neox"], tmp_path / "extended")
    size = raw_of(folder).get_piece_size()
    write(folder, "added_tokens.json", {"<会話>": size, "<|終|>": size + 3})
    special = {str(size + 3): {"content": "<|終|>", "special": True}}
    write(folder, "tokenizer_config.json", {"added_tokens_decoder": special, "eos_token": "<|終|>"})
    return load_tokenizer(folder), size


def test_added_ordinary_token_is_found_in_text(extended, raw):
    tokenizer, size = extended
    ids = tokenizer.encode("吾輩は<会話>猫である。")
    assert size in ids
    assert tokenizer.decode(ids) == "吾輩は<会話>猫である。"
    assert tokenizer.encode("吾輩は猫である。") == raw["neox"].encode("吾輩は猫である。")


def test_added_special_token_is_never_found_in_text(extended):
    tokenizer, size = extended
    assert tokenizer.special_ids["<|終|>"] == size + 3
    assert tokenizer.eos_id == size + 3
    assert max(tokenizer.encode("<|終|>＜｜終｜＞")) < size
    assert tokenizer.decode([*tokenizer.encode("猫"), size + 3]) == "猫"


def test_ids_between_and_beyond_have_no_text(extended):
    tokenizer, size = extended
    assert tokenizer.size == size + 4
    cat = tokenizer.encode("猫")
    odd = [size + 1, size + 2, size + 4, 10**9, -100]
    assert tokenizer.decode([*cat, *odd]) == "猫"
    assert streamed(tokenizer, [*odd, *cat]) == "猫"
    assert tokenizer.pieces([10**9, -100]) == ["", ""]


def test_user_defined_piece_declared_special_is_not_found_in_text(folders, tmp_path):
    folder = copy_of(folders["squeezing-bpe"], tmp_path / "copy")
    before = load_tokenizer(folder)
    id_ = before.piece_id("<|user|>")
    assert id_ in before.encode("<|user|>質問")
    write(folder, "tokenizer_config.json", {"additional_special_tokens": ["<|user|>"]})
    after = load_tokenizer(folder)
    assert after.special_ids["<|user|>"] == id_
    assert id_ not in after.encode("<|user|>質問")


def test_one_character_is_never_special(folders, tmp_path):
    folder = copy_of(folders["bilingual"], tmp_path / "copy")
    write(folder, "tokenizer_config.json", {"pad_token": "\n", "extra_special_tokens": {"x": "。"}})
    tokenizer = load_tokenizer(folder)
    assert tokenizer.decode(tokenizer.encode("猫\nである")) == "猫\nである"


# --- an answer behind its prompt ---------------------------------------------------------


def test_joint_tail_is_taken_where_the_prompt_stays(loaded):
    tokenizer = loaded["bilingual"]
    prompt, answer = "指示: 次の文\n", "はい、わかりました。"
    tail = tokenizer.continue_ids(prompt, answer)
    assert tokenizer.encode(prompt) + tail == tokenizer.encode(prompt + answer)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("prompt", ["", "回答:", "### 回答:\n", "吾輩は", "名前 ", "猫🐈", "指示"])
def test_answer_behind_a_prompt_reads_as_itself(name, prompt, loaded):
    tokenizer = loaded[name]
    for answer in ("はい、わかりました。", "猫である", "world 8"):
        tail = tokenizer.continue_ids(prompt, answer)
        assert tokenizer.decode_continuation(tail).strip() == answer


def test_split_word_is_encoded_without_a_dummy_prefix(loaded):
    tokenizer = loaded["llama"]
    prompt, answer = "吾輩は猫で", "ある。"
    head, joint = tokenizer.encode(prompt), tokenizer.encode(prompt + answer)
    assert joint[: len(head)] != head  # the premise: 猫である is one piece
    tail = tokenizer.continue_ids(prompt, answer)
    assert tokenizer.decode_continuation(tail) == answer


def test_anchor_that_joins_the_answer_gives_way_to_the_next(loaded):
    tokenizer = loaded["llama"]
    tokenizer_anchors = [anchor for anchor, _ in tokenizer._anchors]
    assert len(tokenizer_anchors) > 3
    for answer in ("\n\n猫", "あった", "aaa", ")。", "11"):
        assert tokenizer.decode_continuation(tokenizer._unprefixed(answer)) == answer


def test_last_resort_drops_a_lone_dummy_prefix(loaded, monkeypatch):
    tokenizer = load_tokenizer(loaded["llama"].folder)
    monkeypatch.setattr(tokenizer, "_anchors", [])
    ids = tokenizer._unprefixed("🐈である")
    assert tokenizer.pieces(tokenizer.encode("🐈である"))[0] == "▁"
    assert ids == tokenizer.encode("🐈である")[1:]


def test_continuations_of_a_batch_equal_single_ones(loaded):
    pairs = [("吾輩は猫で", "ある。"), ("回答:\n", "はい。"), ("", "猫"), ("猫", "")]
    for tokenizer in loaded.values():
        single = [tokenizer.continue_ids(prompt, answer) for prompt, answer in pairs]
        assert tokenizer.continue_batch(pairs) == single
        assert single[3] == []


# --- streams ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_stream_of_random_ids_is_raw_decoding_behind_an_anchor(name, loaded, raw):
    tokenizer, processor = loaded[name], raw[name]
    chance = random.Random(20241122)
    anchor = processor.encode("猫")[-1:]
    before = len(processor.decode(anchor))
    for _ in range(200):
        ids = [chance.randrange(tokenizer.size) for _ in range(20)]
        plain = [id_ for id_ in ids if not processor.is_control(id_)]
        expected = processor.decode(anchor + plain)[before:]
        assert streamed(tokenizer, ids) == tokenizer.decode_continuation(ids) == expected


def test_emoji_in_bytes_appears_once_and_whole(loaded):
    tokenizer = loaded["neox"]
    ids = tokenizer.encode("🐈")
    assert tokenizer.pieces(ids) == ["<0xF0>", "<0x9F>", "<0x90>", "<0x88>"]
    stream = tokenizer.stream()
    assert isinstance(stream, StreamDecoder)
    assert [stream.push(id_) for id_ in ids] == ["", "", "", "🐈"]
    assert stream.finish() == ""


def test_unfinished_character_is_shown_at_the_end_only(loaded):
    tokenizer = loaded["neox"]
    stream = tokenizer.stream()
    ids = tokenizer.encode("🐈")[:3]
    assert [stream.push(id_) for id_ in ids] == ["", "", ""]
    assert stream.finish() == "\ufffd" * 3  # one for each byte, as SentencePiece decodes them


def test_first_space_survives_behind_a_prompt(loaded):
    tokenizer = loaded["llama"]
    ids = tokenizer.encode("Hello")
    assert tokenizer.decode(ids) == "Hello"
    assert tokenizer.decode_continuation(ids) == " Hello"


def test_control_ids_are_left_out(loaded):
    tokenizer = loaded["rinna"]
    ids = tokenizer.encode("猫である")
    assert tokenizer.decode([1, *ids, 3, 2]) == "猫である"
    assert streamed(tokenizer, [*ids[1:], 2]) == tokenizer.decode_continuation(ids[1:])


# --- tokenizer.json ----------------------------------------------------------------------


def unigram():
    """An llm-jp-like vocabulary: Unigram, NFKC, specials inside the vocabulary."""
    tokenizer = tokenizers.Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="never")
    trainer = trainers.UnigramTrainer(
        vocab_size=300, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False
    )
    return tokenizer, trainer


def byte_fallback():
    """A Llama-like vocabulary: BPE with byte fallback and ▁ for spaces."""
    tokenizer = tokenizers.Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    every_byte = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=900, special_tokens=SPECIAL + every_byte, show_progress=False
    )
    return tokenizer, trainer


def word_piece():
    """A BERT-like vocabulary: another decoder, and an unknown piece known by its name."""
    tokenizer = tokenizers.Tokenizer(models.WordPiece(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    trainer = trainers.WordPieceTrainer(vocab_size=400, special_tokens=SPECIAL, show_progress=False)
    return tokenizer, trainer


KINDS = {
    "unigram": unigram,
    "byte-level": byte_level,
    "byte-fallback": byte_fallback,
    "word-piece": word_piece,
}


def trained(kind):
    tokenizer, trainer = KINDS[kind]()
    tokenizer.train_from_iterator(CORPUS, trainer)
    template = [("<s>", tokenizer.token_to_id("<s>"))]
    tokenizer.post_processor = processors.Sequence(
        [processors.TemplateProcessing(single="<s> $A", pair="<s> $A $B", special_tokens=template)]
    )
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=64)
    return tokenizer


def special_bytes_made_plain(document):
    """Byte pieces are trained as added tokens; real files have them in the vocabulary only."""
    kept = [t for t in document["added_tokens"] if not t["content"].startswith("<0x")]
    return document | {"added_tokens": kept}


@pytest.fixture(scope="session")
def json_folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("json")
    for kind in KINDS:
        (root / kind).mkdir()
        document = special_bytes_made_plain(json.loads(trained(kind).to_str()))
        write(root / kind, "tokenizer.json", document)
        config = {
            "bos_token": "<s>",
            "eos_token": "</s>",
            "pad_token": "<pad>",
            "unk_token": "<unk>",
        }
        write(root / kind, "tokenizer_config.json", config)
    return {kind: root / kind for kind in KINDS}


@pytest.fixture(scope="session")
def from_json(json_folders):
    return {kind: load_tokenizer(folder) for kind, folder in json_folders.items()}


@functools.cache
def reference(folder):
    """The file as the library reads it, without its truncation and padding."""
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    return tokenizer


@pytest.mark.parametrize("kind", KINDS)
def test_tokenizer_json_is_read_by_its_own_library(kind, json_folders, from_json):
    tokenizer, library = from_json[kind], reference(json_folders[kind])
    assert tokenizer.family == "tokenizer.json"
    assert tokenizer.size == library.get_vocab_size()
    for text in [*CORPUS, "ｶﾞとＡ１、髙﨑𠮷野家🐈\n二行目", ""]:
        ids = library.encode(text, add_special_tokens=False).ids
        assert tokenizer.encode(text) == ids
        unknown = tokenizer.unk_id
        assert tokenizer.decode(ids) == library.decode([id_ for id_ in ids if id_ != unknown])
        assert tokenizer.pieces(ids) == [library.id_to_token(id_) for id_ in ids]


@pytest.mark.parametrize("kind", KINDS)
def test_json_special_literals_in_text_stay_text(kind, from_json):
    tokenizer = from_json[kind]
    assert (tokenizer.unk_id, tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id) == (0, 1, 2, 3)
    control = {1, 2, 3}
    for text in ("</s>", "猫</s>である<pad>", "＜／ｓ＞", "<s> </s> <pad>", "\ufdd0</s>\ufdd1"):
        assert control.isdisjoint(tokenizer.encode(text))
    assert tokenizer.pieces([0, 1, 2]) == ["<unk>", "<s>", "</s>"]
    assert tokenizer.decode([1, 2, 3]) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_json_bos_is_read_from_the_post_processor(kind, json_folders, from_json, tmp_path):
    assert from_json[kind].adds_bos is True
    folder = copy_of(json_folders[kind], tmp_path / "copy")
    write(folder, "tokenizer_config.json", {"bos_token": "<s>", "add_bos_token": False})
    assert load_tokenizer(folder).adds_bos is False
    write(folder, "tokenizer_config.json", {"bos_token": "</s>"})
    assert load_tokenizer(folder).adds_bos is False


@pytest.mark.parametrize("kind", ["unigram", "byte-level", "byte-fallback"])
def test_json_streams_add_up_and_answers_read_as_themselves(kind, from_json):
    tokenizer = from_json[kind]
    chance = random.Random(20241122)
    for _ in range(100):
        ids = [chance.randrange(tokenizer.size) for _ in range(20)]
        assert streamed(tokenizer, ids) == tokenizer.decode_continuation(ids)
    for prompt in ("回答:", "吾輩は猫で", ""):
        tail = tokenizer.continue_ids(prompt, "ある。")
        assert tokenizer.decode_continuation(tail).strip() == "ある。"


@pytest.mark.parametrize("kind", ["byte-level", "byte-fallback"])
def test_json_emoji_in_bytes_appears_once_and_whole(kind, from_json):
    tokenizer = from_json[kind]
    ids = tokenizer.continue_ids("猫", "🐈")
    stream = tokenizer.stream()
    shown = [stream.push(id_) for id_ in ids]
    assert shown == [""] * (len(ids) - 1) + ["🐈"]
    assert stream.finish() == ""


def test_byte_level_stream_equals_the_library(json_folders, from_json):
    tokenizer, library = from_json["byte-level"], reference(json_folders["byte-level"])
    chance = random.Random(7)
    for _ in range(100):
        ids = [chance.randrange(4, tokenizer.size) for _ in range(20)]
        assert tokenizer.decode_continuation(ids) == library.decode(ids)


def test_word_piece_continuation_keeps_its_space(from_json):
    tokenizer = from_json["word-piece"]
    ids = tokenizer.encode("Hello world")
    assert tokenizer.decode(ids) == "Hello world"
    assert tokenizer.decode_continuation(ids) == " Hello world"


def test_json_unknown_character_is_the_unknown_id(from_json):
    assert from_json["unigram"].encode("🐈") == [0]
    assert from_json["word-piece"].encode("🐈") == [0]


def test_json_added_tokens_keep_their_ids(json_folders, tmp_path):
    folder = copy_of(json_folders["byte-level"], tmp_path / "copy")
    document = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    size = reference(json_folders["byte-level"]).get_vocab_size()
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    document["added_tokens"] += [
        {"id": size, "content": "<|im_start|>", "special": True, **flags},
        {"id": size + 1, "content": "<会話>", "special": False, **flags},
    ]
    write(folder, "tokenizer.json", document)
    tokenizer = load_tokenizer(folder)
    assert tokenizer.size == size + 2
    assert tokenizer.special_ids["<|im_start|>"] == size
    assert size not in tokenizer.encode("<|im_start|>猫")
    assert tokenizer.encode("<会話>") == [size + 1]
    assert tokenizer.decode_continuation([size + 1]) == "<会話>"
    assert tokenizer.piece_id("<会話>") == size + 1


def test_special_named_only_by_the_configuration_stays_text(json_folders, tmp_path):
    folder = copy_of(json_folders["unigram"], tmp_path / "copy")
    document = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    write(folder, "tokenizer.json", document | {"added_tokens": []})
    tokenizer = load_tokenizer(folder)
    assert tokenizer.special_ids["</s>"] == 2
    assert 2 not in tokenizer.encode("猫</s>")


def test_merges_never_lead_to_a_special_id(json_folders, tmp_path):
    folder = copy_of(json_folders["byte-fallback"], tmp_path / "copy")
    document = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    vocab, merges = document["model"]["vocab"], document["model"]["merges"]
    for piece in ("<", "/", "s", ">", "</", "s>"):
        vocab.setdefault(piece, len(vocab))
    merges[:0] = [["<", "/"], ["s", ">"], ["</", "s>"]]
    for spelled in (merges, [" ".join(merge) for merge in merges]):
        document["model"]["merges"] = spelled
        write(folder, "tokenizer.json", document)
        library = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        library.encode_special_tokens = True
        assert vocab["</s>"] in library.encode("猫</s>", add_special_tokens=False).ids  # why
        assert load_tokenizer(folder).encode("猫</s>")[-2:] == [vocab["</"], vocab["s>"]]


# --- which of two vocabularies -----------------------------------------------------------


def test_model_file_beats_a_tokenizer_json_of_its_size(folders, json_folders, raw, tmp_path):
    folder = copy_of(folders["rinna"], tmp_path / "copy")
    text = (json_folders["unigram"] / "tokenizer.json").read_text(encoding="utf-8")
    document = json.loads(text)
    del document["model"]["vocab"][raw["rinna"].get_piece_size() :]
    write(folder, "tokenizer.json", document)
    tokenizer = load_tokenizer(folder)
    assert tokenizer.family == "sentencepiece-unigram"
    assert tokenizer.encode(CORPUS[0]) == raw["rinna"].encode(CORPUS[0])
    assert [f.name for f in tokenizer.files][:2] == ["spiece.model", "tokenizer.json"]


def test_larger_tokenizer_json_beats_the_model_file(folders, json_folders, tmp_path):
    folder = copy_of(folders["rinna"], tmp_path / "copy")
    document = (json_folders["byte-fallback"] / "tokenizer.json").read_bytes()
    (folder / "tokenizer.json").write_bytes(document)
    assert load_tokenizer(folder).family == "tokenizer.json"


def test_shifting_class_needs_its_tokenizer_json(folders, json_folders, tmp_path):
    folder = copy_of(folders["rinna"], tmp_path / "copy")
    write(folder, "tokenizer_config.json", {"tokenizer_class": "XGLMTokenizer"})
    with pytest.raises(JloraError, match="XGLMTokenizer"):
        load_tokenizer(folder)
    document = (json_folders["unigram"] / "tokenizer.json").read_bytes()
    (folder / "tokenizer.json").write_bytes(document)
    assert load_tokenizer(folder).family == "tokenizer.json"


def test_tiktoken_file_is_not_taken_for_sentencepiece(json_folders, tmp_path):
    folder = copy_of(json_folders["byte-level"], tmp_path / "copy")
    (folder / "tokenizer.model").write_text("IQ== 0\nIg== 1\n", encoding="ascii")
    assert load_tokenizer(folder).family == "tokenizer.json"


@pytest.mark.parametrize("name", ["tokenizer.model", "qwen.tiktoken"])
def test_tiktoken_file_alone_is_refused_with_what_is_missing(name, tmp_path):
    # Two ranks as Llama 3 ("tokenizer.model") and Qwen 1 ("qwen.tiktoken") write them.
    (tmp_path / name).write_text("IQ== 0\nIg== 1\n", encoding="ascii")
    with pytest.raises(JloraError, match="tiktoken vocabulary") as caught:
        load_tokenizer(tmp_path)
    assert str(tmp_path / name) in caught.value.problem
    assert "tokenizer.json" in caught.value.remedy


def nfkc_byte_level():
    """As some GPT-NeoX models have it: byte-level BPE behind NFKC."""
    tokenizer, trainer = byte_level(SPECIAL)
    tokenizer.normalizer = normalizers.NFKC()
    return tokenizer, trainer


def no_prefix():
    """A Llama-like vocabulary whose file asks for no dummy prefix."""
    tokenizer, trainer = byte_fallback()
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    return tokenizer, trainer


OVERRIDDEN = {
    "GPTNeoXTokenizer": ("gpt_neox", nfkc_byte_level, {}),
    "LlamaTokenizer": ("llama", no_prefix, {"legacy": True}),
}


@pytest.mark.parametrize("name", OVERRIDDEN)
def test_a_declared_class_does_not_override_tokenizer_json(name, tmp_path):
    from transformers import AutoTokenizer

    architecture, kind, more = OVERRIDDEN[name]
    document = special_bytes_made_plain(json.loads(trained_on_corpus(kind()).to_str()))
    write(tmp_path, "tokenizer.json", document)
    roles = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    write(tmp_path, "tokenizer_config.json", {"tokenizer_class": name, **roles, **more})
    write(tmp_path, "config.json", {"model_type": architecture})
    library, tokenizer = reference(tmp_path), load_tokenizer(tmp_path)
    stock = AutoTokenizer.from_pretrained(str(tmp_path))
    differing = 0
    for text in ["Ａ１ｶﾞ", "髙﨑𠮷野家🐈", *CORPUS]:
        ids = library.encode(text, add_special_tokens=False).ids
        assert tokenizer.encode(text) == ids
        differing += stock(text, add_special_tokens=False)["input_ids"] != ids
    assert type(stock).__name__ == name
    assert differing > 0  # why the class is not asked


def test_a_written_byte_literal_is_no_byte_of_a_unigram_vocabulary(tmp_path):
    every_byte = [[f"<0x{byte:02X}>", 0.0] for byte in range(256)]
    letters = [[letter, -3.0] for letter in "<0x猫A>"]
    model = {"type": "Unigram", "unk_id": 0, "byte_fallback": True}
    model["vocab"] = [["<unk>", 0.0], *every_byte, *letters]
    both = [{"type": "ByteFallback"}, {"type": "Fuse"}]
    document = {"version": "1.0", "added_tokens": [], "model": model}
    document |= {"normalizer": {"type": "NFKC"}}
    document |= {"decoder": {"type": "Sequence", "decoders": both}}
    write(tmp_path, "tokenizer.json", document)
    library, tokenizer = reference(tmp_path), load_tokenizer(tmp_path)
    newline = library.token_to_id("<0x0A>")
    assert newline in library.encode("猫<0x0A>").ids  # why
    for text in ("猫<0x0A>猫", "猫＜０ｘ０Ａ＞猫"):
        assert newline not in tokenizer.encode(text)
        assert tokenizer.decode(tokenizer.encode(text)) == "猫<0x0A>猫"
    assert tokenizer.encode("猫\n猫🐈") == library.encode("猫\n猫🐈").ids
    assert newline in tokenizer.encode("猫\n猫")


def test_unknown_is_what_the_model_of_the_json_says_where_nothing_is_named(json_folders, tmp_path):
    for kind, expected in (("unigram", 0), ("word-piece", 0), ("byte-level", None)):
        folder = copy_of(json_folders[kind], tmp_path / kind)
        write(folder, "tokenizer_config.json", {})
        assert load_tokenizer(folder).unk_id == expected


# --- which part of the text each id stands for -------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_surfaces_are_the_ids_and_together_the_text(name, loaded):
    tokenizer = loaded[name]
    for text in (*CORPUS, "ｶﾞとＡ１、髙﨑𠮷野家🐈\n二行目"):
        found = tokenizer.surfaces(text)
        assert [id_ for id_, _ in found] == tokenizer.encode(text)
        assert "".join(part for _, part in found) == text


@pytest.mark.parametrize("kind", ["unigram", "byte-level", "byte-fallback"])
def test_json_surfaces_are_the_ids_and_together_the_text(kind, from_json):
    tokenizer = from_json[kind]
    for text in (*CORPUS, "ｶﾞとＡ１、髙﨑𠮷野家🐈\n二行目"):
        found = tokenizer.surfaces(text)
        assert [id_ for id_, _ in found] == tokenizer.encode(text)
        assert "".join(part for _, part in found) == text


def test_a_dummy_prefix_of_a_json_stands_for_no_text(json_folders, tmp_path):
    folder = copy_of(json_folders["unigram"], tmp_path / "copy")
    document = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    document["pre_tokenizer"]["prepend_scheme"] = "always"
    write(folder, "tokenizer.json", document)
    tokenizer = load_tokenizer(folder)
    ids, parts = zip(*tokenizer.surfaces("髙は"), strict=True)
    assert tokenizer.pieces(ids)[0] == "▁"
    assert parts[:2] == ("", "髙")


def test_surfaces_of_a_lone_surrogate_are_refused_by_name(loaded, from_json):
    for tokenizer in (loaded["neox"], from_json["unigram"]):
        with pytest.raises(JloraError, match=r"U\+D83D"):
            tokenizer.surfaces("猫\ud83d")


def test_a_wrong_type_of_text_keeps_its_traceback(loaded):
    with pytest.raises((TypeError, RuntimeError)):
        loaded["rinna"].surfaces(object())  # type: ignore[arg-type]


def test_bytes_of_a_piece_are_what_it_adds_behind_other_text(loaded):
    tokenizer = loaded["neox"]
    assert [tokenizer.piece_bytes(id_) for id_ in tokenizer.encode("🐈")] == [
        b"\xf0", b"\x9f", b"\x90", b"\x88",
    ]  # fmt: skip
    assert tokenizer.piece_bytes(tokenizer.eos_id) == b""


def test_model_file_of_another_name_is_found(folders, tmp_path):
    folder = copy_of(folders["rinna"], tmp_path / "copy")
    (folder / "spiece.model").rename(folder / "google_sp.model")
    (folder / "a.model").write_bytes(b"PK\x03\x04")
    assert load_tokenizer(folder).files[0].name == "google_sp.model"


# --- broken folders ----------------------------------------------------------------------


def refusal(folder):
    with pytest.raises(JloraError) as caught:
        load_tokenizer(folder)
    return caught.value.problem


def test_missing_folder_is_named(tmp_path):
    assert str(tmp_path / "nowhere") in refusal(tmp_path / "nowhere")


def test_folder_without_tokenizer_is_named_in_japanese_too(tmp_path):
    use_language("ja")
    problem = refusal(tmp_path)
    assert str(tmp_path) in problem
    assert "トークナイザーがありません" in problem


@pytest.mark.parametrize("size", [0, 10, 1000, -1])
def test_truncated_model_is_named(size, folders, tmp_path):
    folder = copy_of(folders["rinna"], tmp_path / "copy")
    file = folder / "spiece.model"
    file.write_bytes(file.read_bytes()[:size])
    assert str(file) in refusal(folder)


def test_model_cut_between_two_fields_is_broken(folders, tmp_path):
    folder = copy_of(folders["rinna"], tmp_path / "copy")
    file = folder / "spiece.model"
    model = proto.ModelProto.FromString(file.read_bytes())
    model.ClearField("normalizer_spec")
    file.write_bytes(model.SerializeToString())
    assert str(file) in refusal(folder)


def test_model_that_sentencepiece_rejects_is_broken(folders, tmp_path):
    folder = copy_of(folders["rinna"], tmp_path / "copy")
    file = folder / "spiece.model"
    model = proto.ModelProto.FromString(file.read_bytes())
    model.pieces[5].piece = model.pieces[6].piece  # two pieces of one spelling
    file.write_bytes(model.SerializeToString())
    assert str(file) in refusal(folder)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"bos_token": "<s>",', "cannot be read"),
        (b"[1, 2]", "no JSON object"),
        ('{"bos_token": "猫"}'.encode("cp932"), "not UTF-8"),
    ],
)
@pytest.mark.parametrize("name", ["tokenizer_config.json", "added_tokens.json", "tokenizer.json"])
def test_broken_json_is_named(name, content, said, folders, tmp_path):
    folder = copy_of(folders["rinna"], tmp_path / "copy")
    (folder / name).write_bytes(content)
    problem = refusal(folder)
    assert str(folder / name) in problem
    assert said in problem


def test_json_of_no_tokenizer_is_named(tmp_path):
    write(tmp_path, "tokenizer.json", {"model": {"type": "Unheard", "vocab": {}}})
    assert str(tmp_path / "tokenizer.json") in refusal(tmp_path)


def test_unexpected_form_is_one_refusal(folders, tmp_path):
    folder = copy_of(folders["rinna"], tmp_path / "copy")
    write(folder, "tokenizer_config.json", {"added_tokens_decoder": ["<s>"]})
    assert str(folder) in refusal(folder)


def test_unreadable_file_is_named(folders, tmp_path, monkeypatch):
    folder = copy_of(folders["rinna"], tmp_path / "copy")

    def denied(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)
    assert "Permission denied" in refusal(folder)


def test_stream_lets_other_unicode_errors_pass():
    with pytest.raises(UnicodeEncodeError):
        "猫".encode("ascii", errors="jlora.each-byte")


def test_byte_order_mark_is_left_out(folders, tmp_path):
    folder = copy_of(folders["rinna"], tmp_path / "copy")
    (folder / "tokenizer_config.json").write_bytes(b'\xef\xbb\xbf{"eos_token": "[SEP]"}')
    assert load_tokenizer(folder).eos_id == 5
