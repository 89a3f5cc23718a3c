"""The numbers of a model's config.json that sizes follow from. Arithmetic only, no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from jlora_cli.recipe import attention_layers

if TYPE_CHECKING:
    from collections.abc import Sequence

# Architectures whose input and output embeddings are one unless config.json says otherwise.
_TIED = ("gpt2", "gemma")
_LLAMA = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_LAYERS = {
    "gpt2": ("c_attn", "c_proj", "c_fc"),
    "gpt_neox": ("query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"),
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3", "gemma2"), _LLAMA),
}
_STORED_BYTES = {"float16": 2, "bfloat16": 2}


def known_layers(model_type: str) -> tuple[str, ...]:
    """The linear layers of an architecture's blocks; empty where only loading tells."""
    return _LAYERS.get(model_type, ())


def auto_targets(model_type: str) -> tuple[str, ...]:
    """The layers that `auto` most likely means, for the estimate before the base is loaded."""
    return _LAYERS.get(model_type, _LLAMA)


def targets_of(asked: tuple[str, ...], model_type: str) -> tuple[str, ...]:
    """The layers that `lora_targets` means, its words "auto" and "attention" spelled out."""
    if asked == ("attention",):
        return attention_layers(model_type)
    return auto_targets(model_type) if asked == ("auto",) else asked


class Feed(NamedTuple):
    """A tensor of a block that linear layers read: its width, and their names.

    `kept`: what the attention gave, which it keeps for its own backward pass anyway.
    """

    width: int
    names: tuple[str, ...]
    kept: bool = False


@dataclass(frozen=True)
class Shape:
    """The numbers of a model's config.json that sizes follow from.

    `queries` and `keys` are the widths of all query heads and of all key heads, which differ with
    grouped-query attention. `stored_bytes` is the width of a weight in the model's files.
    """

    model_type: str
    layers: int
    hidden: int
    intermediate: int
    vocabulary: int
    context: int
    tied: bool
    queries: int
    keys: int
    heads: int = 1
    activation: str = ""
    soft_capped: bool = False
    parallel: bool = False
    stored_bytes: int = 4

    @property
    def parameters(self) -> int:
        """Weights of the base: embeddings, attention and feed-forward layers."""
        learned = self.context * self.hidden if self.model_type == "gpt2" else 0
        return self.linear_parameters + self.embedding_parameters + learned

    @property
    def linear_parameters(self) -> int:
        """Weights of the blocks' linear layers, which are what quantization packs."""
        widths = self._linear_layers(auto_targets(self.model_type))
        return self.layers * sum(before * after for before, after in widths)

    @property
    def embedding_parameters(self) -> int:
        """Weights of the input and output embeddings."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2)

    @property
    def largest_linear(self) -> int:
        """Weights of the largest linear layer of a block."""
        return max(
            (i * o for i, o in self._linear_layers(auto_targets(self.model_type))), default=0
        )

    @property
    def family(self) -> str:
        """The architecture of those whose memory was counted that this one is built like."""
        return self.model_type if self.model_type in ("gpt2", "gpt_neox") else "llama"

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """What the linear layers of a block read, in the order of its forward pass."""
        h, i = self.hidden, self.intermediate
        if self.family == "gpt2":
            return (
                Feed(h, ("c_attn",)),
                Feed(h, ("c_proj",), kept=True),
                Feed(h, ("c_fc",)),
                Feed(i, ("c_proj",)),
            )
        if self.family == "gpt_neox":
            return (
                Feed(h, ("query_key_value",)),
                Feed(h, ("dense",), kept=True),
                Feed(h, ("dense_h_to_4h",)),
                Feed(i, ("dense_4h_to_h",)),
            )
        return (
            Feed(h, ("q_proj", "k_proj", "v_proj")),
            Feed(self.queries, ("o_proj",), kept=True),
            Feed(h, ("gate_proj", "up_proj")),
            Feed(i, ("down_proj",)),
        )

    def adapter_parameters(self, rank: int, targets: Sequence[str], *, dora: bool = False) -> int:
        """Weights of a LoRA adapter: rank times each layer's width in and out.

        DoRA adds a magnitude for each output (Liu et al. 2024, eq. 5).
        """
        linear = self._linear_layers(targets)
        magnitudes = sum(after for _, after in linear) if dora else 0
        return self.layers * (rank * sum(map(sum, linear)) + magnitudes)

    def widths_out(self, targets: Sequence[str]) -> int:
        """The widths of what a block's linear layers called `targets` give, together."""
        return sum(after for _, after in self._linear_layers(targets))

    def _linear_layers(self, names: Sequence[str]) -> list[tuple[int, int]]:
        """(width in, width out) of a block's linear layers called `names`."""
        h, i, q, k = self.hidden, self.intermediate, self.queries, self.keys
        widths = {
            "c_attn": [(h, 3 * h)],
            "c_proj": [(h, h), (i, h)],  # the attention's and the feed-forward's share the name
            "c_fc": [(h, i)],
            "query_key_value": [(h, 3 * h)],
            "dense_h_to_4h": [(h, i)],
            "dense_4h_to_h": [(i, h)],
            "q_proj": [(h, q)],
            "k_proj": [(h, k)],
            "v_proj": [(h, k)],
            "o_proj": [(q, h)],
            "gate_proj": [(h, i)],
            "up_proj": [(h, i)],
            "down_proj": [(i, h)],
        }
        return [width for name in names for width in widths.get(name, [(h, h)])]


def read_shape(config: dict[str, Any]) -> Shape:
    """The shape that a model's config.json tells; nested text configs (Gemma 3) included."""
    config = {**config, **(config.get("text_config") or {})}

    def first(*names: str, default: int) -> int:
        return next((int(config[n]) for n in names if config.get(n)), default)

    model_type = str(config.get("model_type", ""))
    hidden = first("hidden_size", "n_embd", default=0)
    heads = first("num_attention_heads", "n_head", default=1)
    width = first("head_dim", default=hidden // heads)
    stored = str(config.get("dtype") or config.get("torch_dtype"))
    return Shape(
        model_type=model_type,
        layers=first("num_hidden_layers", "n_layer", default=0),
        hidden=hidden,
        intermediate=first("intermediate_size", "n_inner", default=4 * hidden),
        vocabulary=first("vocab_size", default=0),
        context=first("max_position_embeddings", "n_positions", default=2048),
        tied=bool(config.get("tie_word_embeddings", model_type.startswith(_TIED))),
        queries=heads * width,
        keys=first("num_key_value_heads", default=heads) * width,
        heads=heads,
        activation=_activation(config, model_type),
        # Gemma 2 caps unless config.json says null, and its architecture has no fused attention.
        soft_capped=bool(config.get("attn_logit_softcapping", model_type == "gemma2")),
        parallel=model_type == "gpt_neox" and bool(config.get("use_parallel_residual", True)),
        stored_bytes=_STORED_BYTES.get(stored, 4),
    )


def _activation(config: dict[str, Any], model_type: str) -> str:
    names = ("activation_function", "hidden_activation", "hidden_act")
    default = "gelu_new" if model_type == "gpt2" else "gelu"
    return next((str(config[name]) for name in names if config.get(name)), default)
