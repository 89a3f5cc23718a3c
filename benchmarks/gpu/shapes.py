"""The shapes that are trained, and what training them takes in floating-point operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jlora_cli.prompt import Encoded
    from jlora_cli.shape import Shape

SHAPES: dict[str, dict[str, Any]] = {
    # rinna/japanese-gpt-neox-3.6b
    "neox-3.6b": {
        "model_type": "gpt_neox",
        "hidden_size": 2816,
        "num_hidden_layers": 36,
        "num_attention_heads": 22,
        "intermediate_size": 11_264,
        "max_position_embeddings": 2048,
        "vocab_size": 32_000,
        "rotary_pct": 1.0,
        "use_parallel_residual": False,
        "tie_word_embeddings": False,
    },
    # Qwen/Qwen3-8B
    "qwen3-8b": {
        "model_type": "qwen3",
        "hidden_size": 4096,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "intermediate_size": 12_288,
        "max_position_embeddings": 40_960,
        "vocab_size": 151_936,
        "tie_word_embeddings": False,
    },
}
_TINY = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 256,
    "vocab_size": 320,
}


def shape_of(name: str, *, tiny: bool) -> dict[str, Any]:
    """The config.json of shape `name`, or of a tiny model built like it."""
    if not tiny:
        return SHAPES[name]
    narrow = {"num_key_value_heads": 2, "head_dim": 16} if name == "qwen3-8b" else {}
    return SHAPES[name] | _TINY | narrow


class Work(NamedTuple):
    """What was learned from. pairs: of tokens where one sees the other; padding is no work."""

    tokens: int = 0
    supervised: int = 0
    pairs: int = 0
    rows: int = 0

    def plus(self, other: Work) -> Work:
        """Both together."""
        return Work(*(a + b for a, b in zip(self, other, strict=True)))


def work_of(rows: Sequence[Encoded]) -> Work:
    """What there is to learn from in `rows`."""
    lengths = [len(row.ids) for row in rows]
    pairs = sum(length * (length + 1) // 2 for length in lengths)
    return Work(sum(lengths), sum(row.supervised for row in rows), pairs, len(rows))


def flops_of(shape: Shape, work: Work) -> float:
    """Floating-point operations of `work` that matrix products must do, however they are done.

    Forward, and backward by the activations: 2 FLOPs each for a weight of the blocks and a token
    (Kaplan et al. 2020, section 2.1), and for a weight of the output layer and a supervised token.
    Attention has 2 products of the heads' width forward and 4 backward for a pair of tokens. A
    frozen base has no gradients of its own, and LoRA's products, 1 in 300, are left out. Nothing is
    asked of what comes before the first adapter, which is in the first block's first layers, nor
    of places that are not supervised behind the last block's attention.
    """
    first = shape.hidden * shape.widths_out(shape.feeds[0].names)
    behind = shape.linear_parameters / shape.layers - first
    looked_away = work.tokens - work.supervised
    linear = 4.0 * (shape.linear_parameters * work.tokens - behind * looked_away)
    linear -= 2.0 * first * work.tokens
    logits = 4.0 * shape.vocabulary * shape.hidden * work.supervised
    attention = 12.0 * shape.layers * shape.queries * work.pairs
    return linear + logits + attention
