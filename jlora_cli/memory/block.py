"""What autograd keeps of a block of the network, in bytes.

Read from the modelling code of transformers 5.23 and PEFT 0.21, and counted with
`torch.autograd.graph.saved_tensors_hooks`; a test holds the sum against such a count for every
architecture. The base is frozen: a linear layer keeps its input only where an adapter needs it
for A's gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from jlora_cli.shape import targets_of

if TYPE_CHECKING:
    from jlora_cli.config import RunConfig
    from jlora_cli.memory.batch import MicroBatch
    from jlora_cli.shape import Feed, Shape

# Tensors of a feed-forward layer's inner width that its activation function keeps. GPT-2's
# `gelu_new` is written out in Python: the input, its cube's sum, the tanh and the product.
_KEPT_BY_ACTIVATION = {"gelu_new": 4, "gelu_fast": 4}


@dataclass(frozen=True)
class _Arithmetic:
    """How wide numbers are. `mixed`: autocast computes in half precision, LoRA stays in float32.

    On CUDA, autocast takes layer norms and powers to float32, on a CPU it does not. That was
    counted with these operations made so on a CPU; nothing here was measured on a GPU yet.
    """

    width: int
    mixed: bool
    cuda: bool
    quantized: bool

    @property
    def norm(self) -> int:
        return 4 if self.mixed and self.cuda else self.width

    @property
    def residual(self) -> int:
        """With a packed base, embeddings and norms are float32, and what follows from them."""
        return 4 if self.quantized else self.width


def _arithmetic(config: RunConfig, device: str) -> _Arithmetic:
    mixed = config.precision != "float32"
    quantized = config.quantization != "none"
    return _Arithmetic(2 if mixed else 4, mixed, device != "cpu", quantized)


class Kept(NamedTuple):
    """Bytes: activations of all blocks, their attention masks and scores, the most one takes then.

    With gradient checkpointing the blocks keep no more than what goes between them, and `then`
    is a block made anew for its backward pass.
    """

    activations: float
    scores: float
    then: float


def kept_of_blocks(config: RunConfig, shape: Shape, batch: MicroBatch, device: str) -> Kept:
    """What all blocks keep until the backward pass reaches them."""
    numbers = _arithmetic(config, device)
    pairs = batch.places * batch.span
    block = batch.places * _kept_in_block(config, shape, batch, numbers)
    scores = pairs * _kept_of_scores(config, shape, batch, numbers)
    mask = pairs * batch.masked
    passing = _passing(config, shape, batch, numbers)
    if config.gradient_checkpointing is True:
        between = shape.layers * batch.places * shape.hidden * numbers.residual
        return Kept(between, mask, block + scores + passing)
    return Kept(shape.layers * block, shape.layers * scores + mask, passing)


def _passing(config: RunConfig, shape: Shape, batch: MicroBatch, numbers: _Arithmetic) -> float:
    """What the forward or backward pass of a block takes and frees again, at most.

    Counted for GPT-2, GPT-NeoX, Llama and Gemma 2: 2 to 2.5 float32 tensors of the feed-forward
    layer's inner width (on a CPU 2 of any precision where the block was just made anew), or 1.25
    of all heads' scores where they are made; DoRA weighs a whole layer in four copies.
    """
    remade = config.gradient_checkpointing is True
    less = remade and not numbers.cuda
    widest = (2.0 * numbers.width if less else 10.0) * shape.intermediate
    if _is_eager(config, shape) and not remade:
        widest = max(widest, 5.0 * shape.heads * batch.span)
    whole = 16.0 * shape.largest_linear if config.lora_variant == "dora" else 0.0
    return batch.places * widest + whole


def _kept_in_block(
    config: RunConfig, shape: Shape, batch: MicroBatch, numbers: _Arithmetic
) -> float:
    """Bytes that autograd keeps for a token of a block, attention scores aside."""
    return (
        _kept_by_norms(shape, numbers)
        + _kept_by_attention(config, shape, batch, numbers)
        + _kept_by_feed_forward(shape, numbers)
        + _kept_by_adapter(config, shape, numbers)
        + _kept_by_dropout(config, shape, numbers)
    )


def _kept_by_norms(shape: Shape, numbers: _Arithmetic) -> float:
    """The norms' inputs and statistics; RMS norms compute in float32 everywhere."""
    if shape.family == "llama":
        count = 4 if shape.model_type.startswith(("gemma2", "gemma3")) else 2
        heads = shape.queries + shape.keys if shape.model_type.startswith(_NORMED_HEADS) else 0
        return 4 * (count * (shape.hidden + 1) + heads)
    # GPT-NeoX's two norms read the same tensor, which autocast on CUDA converts for each.
    shared = shape.family == "gpt_neox" and numbers.norm == numbers.width
    return (1 if shared else 2) * shape.hidden * max(numbers.norm, numbers.residual) + 16


_NORMED_HEADS = ("qwen3", "gemma3")


def _kept_by_attention(
    config: RunConfig, shape: Shape, batch: MicroBatch, numbers: _Arithmetic
) -> float:
    """Queries, keys and values as they were multiplied, and what came of it."""
    # Keys of grouped queries are repeated for a mask, and always on a CPU.
    repeated = batch.masked or not numbers.cuda
    kept = {
        "gpt2": 3 * shape.hidden,
        "gpt_neox": 5 * shape.hidden,  # values lie in what the linear layer gave
        "llama": shape.queries + 2 * (shape.queries if repeated else shape.keys),
    }[shape.family]
    if _is_eager(config, shape):
        return kept * numbers.width
    return (kept + shape.queries) * numbers.width + 4 * shape.heads


def _is_eager(config: RunConfig, shape: Shape) -> bool:
    return config.attention == "eager" or shape.soft_capped


def _kept_of_scores(
    config: RunConfig, shape: Shape, batch: MicroBatch, numbers: _Arithmetic
) -> float:
    """Bytes that a block keeps for a pair of places: a mask, or every head's scores.

    Fused attention takes a mask of additions, which each block makes anew and keeps.
    """
    dropped = 4 + numbers.width if config.base_dropout else 0
    if not _is_eager(config, shape):
        softmax = 4 if config.base_dropout else 0  # dropout has no fused attention
        return numbers.width * batch.masked + shape.heads * (softmax + dropped)
    softmax = 4 + (2 if numbers.mixed else 0)
    if shape.family == "gpt2" and not numbers.cuda:  # its softmax stays in half precision
        softmax = numbers.width
    return shape.heads * (softmax + dropped + numbers.width * shape.soft_capped)


def _kept_by_feed_forward(shape: Shape, numbers: _Arithmetic) -> float:
    if shape.family == "llama":
        return 3 * shape.intermediate * numbers.width
    kept = _KEPT_BY_ACTIVATION.get(shape.activation, 1)
    # All but the input are of a power, which autocast takes to float32 on CUDA.
    return shape.intermediate * (numbers.width + (kept - 1) * numbers.norm)


def _kept_by_adapter(config: RunConfig, shape: Shape, numbers: _Arithmetic) -> float:
    """Inputs of A and of B. Dropout and autocast copy A's for every layer that reads it."""
    targets = targets_of(config.lora_targets, shape.model_type)
    kept = 0.0
    for feed in shape.feeds:
        readers = sum(name in targets for name in feed.names)
        kept += readers * config.lora_r * numbers.width
        kept += _kept_of_feed(config, shape, feed, readers, numbers)
    if config.lora_variant == "dora":  # what the base gave and what the adapter gave
        kept += 2 * shape.widths_out(targets) * numbers.width
    return kept


def _kept_of_feed(
    config: RunConfig, shape: Shape, feed: Feed, readers: int, numbers: _Arithmetic
) -> float:
    if config.quantization == "8bit":  # bitsandbytes keeps the input, whoever reads it
        return feed.width * (4 + readers * (2 + (config.lora_dropout > 0)))
    if config.lora_dropout:
        mask = 1 if numbers.cuda else 4  # a CPU multiplies by zeros and ones in float32
        return readers * feed.width * (numbers.width + mask)
    if numbers.mixed:
        return readers * feed.width * 2
    # On a CPU, GPT-NeoX's attention gives its result transposed, and it is copied.
    elsewhere = not feed.kept or _is_eager(config, shape)
    copied = elsewhere or (shape.family == "gpt_neox" and not numbers.cuda)
    return feed.width * 4 if readers and copied else 0.0


def _kept_by_dropout(config: RunConfig, shape: Shape, numbers: _Arithmetic) -> float:
    """Masks of the base's own dropout behind attention and feed-forward layer."""
    if not config.base_dropout or shape.family == "llama":
        return 0.0
    return 2 * shape.hidden * (1 if numbers.cuda else numbers.width)
