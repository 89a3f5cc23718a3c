"""What is written for stock tools gives the exact ids there, or is not written."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from jlora_cli import messages
from jlora_cli.events import Stage, Warned
from jlora_cli.tokenizer import load_tokenizer
from jlora_cli.tokenizer.portable import PROBES, spread, write_portable
from jlora_cli.tokenizer.rebuilt import rebuild
from tests.vocabularies import CONFIGS, MODELS, byte_level, train_pieces, trained_on_corpus, write

SHARED = Path(__file__).parents[2] / "shared" / "vectors"
# Space-run pieces overlap, and sentencepiece breaks their ties by float32 rounding.
INEXACT = {"bilingual"}
ROLES = {
    "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "[PAD]",
    "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]",
}  # fmt: skip
KINDS = {
    "rinna": (MODELS["rinna"], CONFIGS["rinna"]),
    "neox": (MODELS["neox"], ROLES | {"tokenizer_class": "T5Tokenizer", "unk_token": "[UNK]"}),
    "neox-nl": (MODELS["neox-nl"], ROLES | {"tokenizer_class": "T5Tokenizer"}),
    "llama": (MODELS["llama"], CONFIGS["llama"]),
    "bilingual": (MODELS["bilingual"], {"tokenizer_class": "T5Tokenizer", "eos_token": "</s>"}),
    "squeezing-bpe": (MODELS["squeezing-bpe"], {"tokenizer_class": "LlamaTokenizer"}),
}
LETTERS = [
    *"あがカｶﾊﾞﾟ゙゚　 \t\n\r<>/s[PAD]Ａ１①㍿～é🐈髙﨑𠮷ab01_|▁", "\u200b", "＜／ｓ＞", "<0x0A>",
    "［ＰＡＤ］", "<NL>", "＜ＮＬ＞", "  ", "    ", "\r\n", "<|user|>", "吾輩は猫", "回答: ",
]  # fmt: skip


def random_texts(count, special=()):
    draw = random.Random(3)
    made = ["".join(draw.choices(LETTERS, k=draw.randint(1, 20))) for _ in range(count)]
    return [text for text in made if not any(literal in text for literal in special)]


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    root = tmp_path_factory.mktemp("sources")
    return {kind: train_pieces(root / kind, config, **o) for kind, (o, config) in KINDS.items()}


@pytest.fixture(scope="module")
def written(sources, tmp_path_factory):
    root, made = tmp_path_factory.mktemp("written"), {}
    for kind, source in sources.items():
        (root / kind).mkdir()
        tokenizer = load_tokenizer(source)
        made[kind] = tokenizer, root / kind, write_portable(tokenizer, root / kind)
    return made


def stock_of(folder):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("kind", KINDS)
def test_every_small_vocabulary_is_rebuilt_exactly(kind, written):
    _, folder, portable = written[kind]
    assert (portable.exact, portable.tokenizer_json, portable.differing) == (True, "rebuilt", ())
    assert portable.checked > 80  # 24 fixed probes, 63 runs of spaces, and more
    assert sorted(path.name for path in folder.iterdir()) == [
        "spiece.model", "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_stock_transformers_gives_the_same_ids_and_text(kind, written):
    tokenizer, folder, _ = written[kind]
    stock = stock_of(folder)
    texts = [*PROBES, *random_texts(400, tokenizer.special_ids)]
    exact = tokenizer.encode_batch(texts)
    assert len(texts) > 250
    bos = [tokenizer.bos_id] if tokenizer.adds_bos else []
    assert [stock.encode(text) for text in texts] == [bos + ids for ids in exact]
    decoded = [stock.decode(ids, skip_special_tokens=False) for ids in exact]
    assert decoded == [tokenizer.decode(ids) for ids in exact]


def test_stock_puts_bos_in_front_only_where_the_model_was_trained_so_and_never_eos(written):
    begun = {kind: stock_of(folder).encode("猫") for kind, (_, folder, _) in written.items()}
    for kind, (tokenizer, _, _) in written.items():
        bos = [tokenizer.bos_id] if kind in ("llama", "squeezing-bpe") else []
        assert begun[kind] == bos + tokenizer.encode("猫")
    assert len(begun) == len(KINDS)


def test_stock_knows_the_same_special_ids_and_asks_for_no_token_types(written):
    tokenizer, folder, _ = written["rinna"]
    stock = stock_of(folder)
    ids = (stock.unk_token_id, stock.bos_token_id, stock.eos_token_id, stock.pad_token_id)
    own = (tokenizer.unk_id, tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id)
    assert ids == own
    assert len(stock) == tokenizer.size
    assert sorted(stock("猫")) == ["attention_mask", "input_ids"]


def test_a_literal_special_token_is_the_one_difference(written):
    tokenizer, folder, _ = written["neox"]
    stock = stock_of(folder)
    assert stock.encode("猫</s>")[-1] == tokenizer.eos_id
    assert tokenizer.eos_id not in tokenizer.encode("猫</s>")
    assert stock.encode("猫＜／ｓ＞") == tokenizer.encode("猫＜／ｓ＞")


@pytest.mark.parametrize("kind", KINDS)
def test_jlora_itself_reads_the_written_folder_as_before(kind, written):
    tokenizer, folder, _ = written[kind]
    again = load_tokenizer(folder)
    for name in (
        "family", "fingerprint", "size", "special_ids", "unk_id", "bos_id", "eos_id", "pad_id",
        "adds_bos", "lower_case_hint", "chat_template", "keeps_newlines", "newline_piece",
    ):  # fmt: skip
        assert getattr(again, name) == getattr(tokenizer, name), name
    texts = [*random_texts(50), "文</s>文"]
    assert again.encode_batch(texts) == tokenizer.encode_batch(texts)


def test_what_was_written_is_written_the_same_again(written, tmp_path):
    _, folder, _ = written["llama"]
    portable = write_portable(load_tokenizer(folder), tmp_path)
    assert (portable.exact, portable.tokenizer_json) == (True, "original")
    for file in folder.iterdir():
        assert (tmp_path / file.name).read_bytes() == file.read_bytes(), file.name


def test_names_without_an_id_are_left_out_and_other_keys_stay(sources, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "spiece.model").write_bytes((sources["llama"] / "spiece.model").read_bytes())
    config = CONFIGS["llama"] | {
        "mask_token": {"content": "[MASK]", "special": True}, "chat_template": "{{ messages }}",
        "additional_special_tokens": ["<|知らない|>", "</s>"], "model_max_length": 2048,
        "auto_map": {"AutoTokenizer": ["code.Own", None]}, "extra_special_tokens": {"x": "</s>"},
    }  # fmt: skip
    write(source, "tokenizer_config.json", config)
    target = tmp_path / "target"
    target.mkdir()
    assert write_portable(load_tokenizer(source), target).exact
    made = json.loads((target / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert made["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert made["additional_special_tokens"] == ["</s>"]
    assert made["extra_special_tokens"] == {"x": "</s>"}
    assert made["padding_side"] == "left"  # as LlamaTokenizer has it
    assert (made["chat_template"], made["model_max_length"]) == ("{{ messages }}", 2048)
    assert not {"mask_token", "auto_map"} & made.keys()


def test_tokens_beyond_the_model_keep_their_ids(sources, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "spiece.model").write_bytes((sources["neox"] / "spiece.model").read_bytes())
    size = load_tokenizer(sources["neox"]).size
    write(source, "tokenizer_config.json", KINDS["neox"][1])
    added = {"<|system|>": size, "<|assistant|>": size + 1}
    write(source, "added_tokens.json", added)
    write(source, "special_tokens_map.json", {"additional_special_tokens": list(added)})
    target = tmp_path / "target"
    target.mkdir()
    tokenizer = load_tokenizer(source)
    assert write_portable(tokenizer, target).exact
    assert load_tokenizer(target).fingerprint == tokenizer.fingerprint
    stock = stock_of(target)
    assert stock.convert_tokens_to_ids(list(added)) == [size, size + 1]
    assert stock.encode("<|assistant|>猫") == [size + 1, *tokenizer.encode("猫")]


def test_where_one_text_differs_only_the_original_files_are_kept(sources, tmp_path, monkeypatch):
    source = sources["rinna"]
    monkeypatch.setattr(
        "jlora_cli.tokenizer.rebuilt._mapping", lambda model, own: [{"type": "NFC"}]
    )
    portable = write_portable(load_tokenizer(source), tmp_path)
    assert (portable.exact, portable.tokenizer_json) == (False, None)
    assert 1 <= len(portable.differing) <= 5
    assert max(map(len, portable.differing)) <= 40
    for file in source.iterdir():
        assert (tmp_path / file.name).read_bytes() == file.read_bytes(), file.name
    assert not (tmp_path / "tokenizer.json").exists()
    event = portable.event()
    assert isinstance(event, Warned)
    assert "original tokenizer files only" in event.text


def test_the_callers_texts_are_compared_too(written, tmp_path):
    tokenizer, _, fixed = written["neox"]
    texts = [f"{number}匹の猫と髙﨑さん" for number in range(300)]
    assert write_portable(tokenizer, tmp_path, texts).checked == fixed.checked + 200


def test_the_outcome_is_one_sentence_in_both_languages(written):
    event = written["rinna"][2].event()
    assert isinstance(event, Stage)
    told = messages.say(event.name, **event.values)
    assert f"{event.values['count']} texts compared" in told
    messages.use_language("ja")
    assert "標準の transformers" in messages.say(event.name, **event.values)


def test_a_byte_level_document_stays_and_only_its_class_changes(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    trained_on_corpus(byte_level()).save(str(source / "tokenizer.json"))
    config = {"tokenizer_class": "GPTNeoXTokenizer", "eos_token": "</s>", "bos_token": "<s>"}
    write(source, "tokenizer_config.json", config)
    tokenizer = load_tokenizer(source)
    portable = write_portable(tokenizer, target)
    assert (portable.exact, portable.tokenizer_json) == (True, "original")
    document = (target / "tokenizer.json").read_bytes()
    assert document == (source / "tokenizer.json").read_bytes()
    assert load_tokenizer(target).fingerprint == tokenizer.fingerprint
    stock = stock_of(target)
    texts = random_texts(100, tokenizer.special_ids)
    assert [stock.encode(t) for t in texts] == tokenizer.encode_batch(texts)


def test_a_document_that_appends_eos_is_not_called_portable(tmp_path):
    from tokenizers.processors import TemplateProcessing

    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    made = trained_on_corpus(byte_level())
    eos = made.token_to_id("</s>")
    made.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", eos)])
    made.save(str(source / "tokenizer.json"))
    write(source, "tokenizer_config.json", {"eos_token": "</s>"})
    portable = write_portable(load_tokenizer(source), target)
    assert not portable.exact
    config = json.loads((target / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert config == {"eos_token": "</s>"}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"model_type": "char"}, "neither Unigram nor BPE"),
        ({"treat_whitespace_as_suffix": True}, "white space"),
        ({"normalization_rule_name": "nmt_nfkc_cf"}, "not NFKC"),
    ],
)
def test_what_the_format_cannot_say_is_refused_with_its_reason(options, reason, tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    target.mkdir()
    tokenizer = load_tokenizer(train_pieces(source, {}, **options))
    file = source / "spiece.model"
    with pytest.raises(ValueError, match=reason):
        rebuild(file, file.read_bytes(), tokenizer.special_ids)
    portable = write_portable(tokenizer, target)
    assert not portable.exact
    assert reason in portable.differing[0]


def test_rows_are_spread_evenly():
    assert spread(range(10), 5) == [0, 2, 4, 6, 8]
    assert spread(range(11), 5) == [0, 3, 6, 9]
    assert spread([], 5) == []


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared vectors are not beside the checkout")
def test_all_nine_vectors_are_exact_or_say_that_they_are_not(tmp_path):
    vectors = json.loads((SHARED / "public.json").read_text(encoding="utf-8"))
    texts = [row["text"] for row in vectors["strings"]]
    found = {}
    for name in vectors["tokenizers"]:
        (tmp_path / name).mkdir()
        tokenizer = load_tokenizer(SHARED / "models" / name)
        found[name] = write_portable(tokenizer, tmp_path / name, texts).exact
    assert len(found) == 9
    assert {name for name, exact in found.items() if not exact} == INEXACT
