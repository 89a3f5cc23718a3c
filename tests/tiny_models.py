"""Tiny random models with a real tokenizer: two layers of 32, in the folder layout of a hub.

Weights are drawn wide (0.1 and not 0.02), so that what a token attends to changes the logits well
above rounding; the same seed gives the same weights.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sentencepiece

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

HIDDEN, LAYERS, HEADS, CONTEXT = 32, 2, 4, 256
PAD_ID, UNK_ID, BOS_ID, EOS_ID = 0, 1, 2, 3
SPREAD = 0.1
# So short that a row of a test is longer: what a sliding window does must show.
WINDOW = 8

# The opening of 夏目漱石『吾輩は猫である』 (1905), and lines of the kinds that go wrong.
CORPUS = """吾輩は猫である。名前はまだ無い。
どこで生れたかとんと見当がつかぬ。何でも薄暗いじめじめした所でニャーニャー泣いていた事だけは記憶している。
吾輩はここで始めて人間というものを見た。しかもあとで聞くとそれは書生という人間中で一番獰悪な種族であったそうだ。
### User: 指示 ### Assistant: 回答
はい、わかりました。髙﨑さん、𠮷野家、ｶﾞｷﾞ、Ａ１、🐈。
Hello world, a LoRA adapter (rank 8) was trained.
""".splitlines()

_SHAPE = {
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": 2 * HIDDEN,
    "max_position_embeddings": CONTEXT,
}
_GROUPED = _SHAPE | {"num_key_value_heads": HEADS // 2}
ARCHITECTURES: dict[str, tuple[str, Mapping[str, Any]]] = {
    "gpt2": (
        "GPT2Config",
        {"n_embd": HIDDEN, "n_layer": LAYERS, "n_head": HEADS, "n_positions": CONTEXT},
    ),
    "gpt_neox": ("GPTNeoXConfig", _SHAPE),
    "llama": ("LlamaConfig", _GROUPED),
    "mistral": ("MistralConfig", _GROUPED | {"sliding_window": WINDOW}),
    "qwen2": ("Qwen2Config", _GROUPED),
    "qwen3": ("Qwen3Config", _GROUPED | {"head_dim": HIDDEN // HEADS}),
    "gemma2": (
        "Gemma2Config",
        _GROUPED
        | {
            "head_dim": HIDDEN // HEADS,
            "query_pre_attn_scalar": HIDDEN // HEADS,
            "sliding_window": WINDOW,
        },
    ),
    "gemma3_text": (
        "Gemma3TextConfig",
        _GROUPED
        | {
            "head_dim": HIDDEN // HEADS,
            "query_pre_attn_scalar": HIDDEN // HEADS,
            "sliding_window": WINDOW,
            "layer_types": ["sliding_attention", "full_attention"],
        },
    ),
}


def save_tiny_tokenizer(folder: Path, corpus: Sequence[str] = CORPUS) -> None:
    """A SentencePiece model of about 400 pieces, in rinna's 3.6B layout: bytes, no dummy prefix.

    It keeps newlines and writes every text, so that nothing is unknown.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus),
        model_prefix=str(folder / "spiece"),
        vocab_size=420,
        hard_vocab_limit=False,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=False,
        pad_id=PAD_ID,
        unk_id=UNK_ID,
        bos_id=BOS_ID,
        eos_id=EOS_ID,
        pad_piece="[PAD]",
        unk_piece="[UNK]",
        num_threads=1,
        minloglevel=2,
    )
    (folder / "spiece.vocab").unlink()
    names = {
        "tokenizer_class": "T5Tokenizer",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "[UNK]",
        "pad_token": "[PAD]",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(names), encoding="utf-8")


def save_tiny_picture_model(folder: Path) -> Path:
    """Gemma 3 as its larger models are: a text model beside a tower that sees pictures."""
    import torch
    import transformers

    save_tiny_tokenizer(folder)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / "spiece.model"))
    ids = {"bos_token_id": BOS_ID, "eos_token_id": EOS_ID, "pad_token_id": PAD_ID}
    text = {**ARCHITECTURES["gemma3_text"][1], "vocab_size": processor.get_piece_size()}
    seen = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    config = transformers.Gemma3Config(
        text_config={**text, **ids, "initializer_range": SPREAD},
        vision_config={**seen, "num_attention_heads": 2, "image_size": 28, "patch_size": 14},
        mm_tokens_per_image=4,
        **ids,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = transformers.Gemma3ForConditionalGeneration(config)
    transformers.utils.logging.disable_progress_bar()
    model.save_pretrained(folder)
    return folder


def save_tiny_model(
    folder: Path, architecture: str = "gpt_neox", *, seed: int = 0, **settings: Any
) -> Path:
    """A random causal LM with its tokenizer in `folder`; `settings` go to the config."""
    import torch
    import transformers

    save_tiny_tokenizer(folder)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / "spiece.model"))
    kind, shape = ARCHITECTURES[architecture]
    config = getattr(transformers, kind)(
        **{
            **shape,
            "vocab_size": processor.get_piece_size(),
            "initializer_range": SPREAD,
            "bos_token_id": BOS_ID,
            "eos_token_id": EOS_ID,
            "pad_token_id": PAD_ID,
            **settings,
        }
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = transformers.AutoModelForCausalLM.from_config(config)
    transformers.utils.logging.disable_progress_bar()
    model.save_pretrained(folder)
    return folder
