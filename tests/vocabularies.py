"""Small vocabularies of the kinds that Japanese models have, trained where a test needs them."""

from __future__ import annotations

import json

import sentencepiece
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

# The opening of 夏目漱石『吾輩は猫である』 (1905), and lines of the kinds that go wrong.
CORPUS = """吾輩は猫である。名前はまだ無い。
どこで生れたかとんと見当がつかぬ。何でも薄暗いじめじめした所でニャーニャー泣いていた事だけは記憶している。
吾輩はここで始めて人間というものを見た。しかもあとで聞くとそれは書生という人間中で一番獰悪な種族であったそうだ。
この書生というのは時々我々を捕えて煮て食うという話である。
指示: 次の文を要約してください。
回答: はい、わかりました。
Hello world, a LoRA adapter (rank 8) was trained in 2024.
質問：東京の人口は？　答え：約1,400万人です。
def f(x):  return x + 1
""".splitlines()
COMMON = {"vocab_size": 500, "character_coverage": 1.0, "hard_vocab_limit": False}
BYTES = {"byte_fallback": True, "vocab_size": 600}
FAITHFUL = {"remove_extra_whitespaces": False}
RINNA36 = {
    "pad_id": 0, "unk_id": 1, "bos_id": 2, "eos_id": 3, "pad_piece": "[PAD]", "unk_piece": "[UNK]",
}  # fmt: skip
MODELS = {
    "rinna": {"control_symbols": "[PAD],[CLS],[SEP],[MASK]"},
    "neox": BYTES | FAITHFUL | RINNA36 | {"add_dummy_prefix": False},
    "neox-nl": BYTES
    | FAITHFUL
    | RINNA36
    | {"add_dummy_prefix": False, "user_defined_symbols": "<NL>"},
    "llama": BYTES | FAITHFUL | {"model_type": "bpe", "normalization_rule_name": "identity"},
    "bilingual": BYTES
    | FAITHFUL
    | {
        "add_dummy_prefix": False,
        "normalization_rule_name": "identity",
        "user_defined_symbols": "\n",
    },
    "squeezing-bpe": {"model_type": "bpe", "user_defined_symbols": "<NL>,<|user|>"},
}
CONFIGS = {
    "rinna": {
        "tokenizer_class": "T5Tokenizer", "bos_token": "<s>", "eos_token": "</s>",
        "unk_token": "<unk>", "pad_token": "[PAD]", "do_lower_case": True,
    },
    "llama": {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "pad_token": None},
}  # fmt: skip


def train_pieces(folder, config, **options):
    """A small SentencePiece model in its own folder, with its configuration."""
    folder.mkdir(parents=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS), model_prefix=str(folder / "spiece"), minloglevel=2,
        num_threads=1, **(COMMON | options),
    )  # fmt: skip
    (folder / "spiece.vocab").unlink()
    write(folder, "tokenizer_config.json", config)
    return folder


def write(folder, name, value):
    (folder / name).write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


SPECIAL = ["<unk>", "<s>", "</s>", "<pad>"]


def byte_level(special=SPECIAL):
    """A GPT-2-like vocabulary: BPE over bytes."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=special, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    return tokenizer, trainer


def trained_on_corpus(kind):
    """The tokenizer of a (tokenizer, trainer) pair, trained."""
    tokenizer, trainer = kind
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer
