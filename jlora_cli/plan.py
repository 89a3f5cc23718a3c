"""Steps, tokens and memory of a run, before anything is loaded. Arithmetic only, no torch."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from jlora_cli.messages import say
from jlora_cli.recipe import attention_layers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jlora_cli.config import Resolved, RunConfig
    from jlora_cli.machine import Machine
    from jlora_cli.prompt import EncodedRows

GIB = 2**30
_SHORTEST = 8  # tokens: what `max_length` takes at least
# A process that has imported torch, transformers and peft holds this much before any weight
# (measured: resident set of `python -c "import torch, transformers, peft"` on Linux).
RUNTIME_GIB = 0.6
# Architectures whose input and output embeddings are one unless config.json says otherwise.
_TIED = ("gpt2", "gemma")
_WEIGHT_BYTES = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0, "8bit": 1.1, "4bit": 0.6}


@dataclass(frozen=True)
class Shape:
    """The numbers of a model's config.json that sizes follow from.

    `queries` and `keys` are the widths of all query heads and of all key heads, which differ with
    grouped-query attention.
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

    @property
    def parameters(self) -> int:
        """Weights of the base: embeddings, attention and feed-forward layers."""
        linear = self._linear_layers(auto_targets(self.model_type))
        learned = self.context * self.hidden if self.model_type == "gpt2" else 0
        embeddings = self.vocabulary * self.hidden * (1 if self.tied else 2)
        return self.layers * sum(before * after for before, after in linear) + embeddings + learned

    def adapter_parameters(self, rank: int, targets: Sequence[str], *, dora: bool = False) -> int:
        """Weights of a LoRA adapter: rank times each layer's width in and out.

        DoRA adds a magnitude for each output (Liu et al. 2024, eq. 5).
        """
        linear = self._linear_layers(targets)
        magnitudes = sum(after for _, after in linear) if dora else 0
        return self.layers * (rank * sum(map(sum, linear)) + magnitudes)

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
    )


_LLAMA = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_LAYERS = {
    "gpt2": ("c_attn", "c_proj", "c_fc"),
    "gpt_neox": ("query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"),
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3", "gemma2"), _LLAMA),
}


def known_layers(model_type: str) -> tuple[str, ...]:
    """The linear layers of an architecture's blocks; empty where only loading tells."""
    return _LAYERS.get(model_type, ())


def auto_targets(model_type: str) -> tuple[str, ...]:
    """The layers that `auto` most likely means, for the estimate before the base is loaded."""
    return _LAYERS.get(model_type, _LLAMA)


@dataclass(frozen=True)
class Plan:
    """What a run will do. Memory in GiB by term; `available_gib` is what is free where it runs."""

    rows: int
    tokens: int
    supervised_tokens: int
    padding_share: float
    truncated_rows: int
    cut_answers: int
    dropped_rows: int
    validation_rows: int
    longest_row: int
    optimizer_steps: int
    warmup_steps: int
    peak_learning_rate: float
    trainable_parameters: int
    memory_gib: dict[str, float]
    available_gib: float

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def rows_per_step(config: RunConfig) -> int:
    """The rows of an optimizer step, over all processes."""
    return config.batch_size * config.gradient_accumulation_steps * int(config.processes)


def steps_of(config: RunConfig, rows: int) -> int:
    """Optimizer steps of the run: `max_steps` if given, else `epochs` over `rows`."""
    per_epoch = math.ceil(rows / rows_per_step(config))
    return config.max_steps or max(1, math.ceil(config.epochs * per_epoch)) * (rows > 0)


def settle_for_data(resolved: Resolved, *, rows: int, validation_rows: int) -> Resolved:
    """Turn the settings that depend on the data from "auto" into values."""
    config = resolved.config
    steps = steps_of(config, rows)
    per_epoch = max(1, math.ceil(rows / rows_per_step(config)))
    reasons: dict[str, tuple[object, str]] = {}
    if config.warmup_steps == "auto":
        warmup = min(round(steps * config.warmup_ratio), max(0, steps - 1))
        share = f"{config.warmup_ratio:.0%}"
        reasons["warmup_steps"] = warmup, say("plan.reason.warmup", share=share, steps=steps)
    every = min(per_epoch, steps) or 1
    if config.evaluation_steps == "auto":
        key = "plan.reason.epoch" if validation_rows else "plan.reason.no_validation"
        reasons["evaluation_steps"] = every, say(key)
    if config.checkpoint_steps == "auto":
        reasons["checkpoint_steps"] = (
            max(every, math.ceil(steps / 10)),
            say("plan.reason.checkpoint"),
        )
    return resolved.with_auto(reasons)


def settle_max_length(
    resolved: Resolved, context: int, lengths: Sequence[int] = (), room: int | None = None
) -> Resolved:
    """Turn `max_length` "auto" into the 99th percentile of `lengths`, within context and memory.

    `lengths` are the tokens of whole rows, `room` the longest row that memory holds, None where
    that is not known. The longest hundredth costs as much memory as all others need.
    """
    config = resolved.config
    if config.max_length == "auto":
        return resolved.with_auto({"max_length": _auto_length(context, sorted(lengths), room)})
    if int(config.max_length) > context:
        reason = say("plan.reason.context_less", asked=config.max_length)
        return resolved.with_auto({"max_length": (context, reason)})
    return resolved


def _auto_length(context: int, lengths: Sequence[int], room: int | None) -> tuple[int, str]:
    if not lengths:
        return context, say("plan.reason.context")
    wanted = max(_SHORTEST, lengths[math.ceil(0.99 * len(lengths)) - 1])
    if room is not None and room < min(wanted, context):
        return max(_SHORTEST, room), say("plan.reason.memory", wanted=min(wanted, context))
    if context < wanted:
        return context, say("plan.reason.context_rows", wanted=wanted)
    return wanted, say("plan.reason.percentile", longest=lengths[-1])


def peak_learning_rate(config: RunConfig, steps: int) -> float:
    """The highest learning rate that the run reaches; lower than asked when warm-up is too long."""
    warmup = int(config.warmup_steps)
    return config.learning_rate * min(1.0, steps / warmup if warmup else 1.0)


def make_plan(
    config: RunConfig,
    shape: Shape,
    machine: Machine,
    train: EncodedRows,
    *,
    validation_rows: int,
) -> Plan:
    """The plan of a settled config over encoded rows."""
    rows = train.rows
    lengths = [len(row.ids) for row in rows]
    steps = steps_of(config, len(rows))
    longest = max(lengths, default=0)
    terms, trainable = memory_terms(config, shape, machine, longest=longest)
    gpu = machine.usable_gpu
    return Plan(
        rows=len(rows),
        tokens=sum(lengths),
        supervised_tokens=sum(row.supervised for row in rows),
        padding_share=0.0 if config.packing is True else round(_padding(lengths, config), 4),
        truncated_rows=train.shortened,
        cut_answers=train.cut,
        dropped_rows=len(train.dropped),
        validation_rows=validation_rows,
        longest_row=longest,
        optimizer_steps=steps,
        warmup_steps=int(config.warmup_steps),
        peak_learning_rate=peak_learning_rate(config, steps),
        trainable_parameters=trainable,
        memory_gib={**terms, "total": round(sum(terms.values()), 3)},
        available_gib=round(gpu.free_gib if gpu else machine.free_memory_gib, 2),
    )


def _padding(lengths: Sequence[int], config: RunConfig) -> float:
    """The expected share of padding when batches of random rows are padded to their longest."""
    if not lengths:
        return 0.0
    size = config.batch_size
    groups = [lengths[i : i + size] for i in range(0, len(lengths), size)]
    padded = sum(max(group) * len(group) for group in groups)
    return 1 - sum(lengths) / padded


def _targets(asked: tuple[str, ...], model_type: str) -> tuple[str, ...]:
    if asked == ("attention",):
        return attention_layers(model_type)
    return auto_targets(model_type) if asked == ("auto",) else asked


def memory_terms(
    config: RunConfig, shape: Shape, machine: Machine, *, longest: int
) -> tuple[dict[str, float], int]:
    """Memory by term in GiB, and the number of trainable weights.

    Activations: about 34 values a token, layer and hidden unit with full back-propagation
    (Korthikanti et al. 2022, eq. 2, attention scores left out: SDPA does not store them), and 2
    with gradient checkpointing; logits three times (values, softmax, gradient) in float32.
    """
    quantized = config.quantization != "none"
    base_bytes = _WEIGHT_BYTES[config.quantization if quantized else config.precision]
    targets = _targets(config.lora_targets, shape.model_type)
    dora = config.lora_variant == "dora"
    adapter = shape.adapter_parameters(config.lora_r, targets, dora=dora)
    tokens = config.batch_size * longest
    values = 2 if config.gradient_checkpointing is True else 34
    width = 4 if config.precision == "float32" else 2
    terms = {
        "runtime": RUNTIME_GIB,
        "base_weights": shape.parameters * base_bytes / GIB,
        "adapter": adapter * 4 / GIB,
        "gradients": adapter * 4 / GIB,
        "optimizer": adapter * 8 / GIB,
        "activations": tokens * shape.layers * shape.hidden * values * width / 2 / GIB,
        "logits": tokens * shape.vocabulary * 3 * 4 / GIB,
    }
    return {name: round(value, 4) for name, value in terms.items()}, adapter
