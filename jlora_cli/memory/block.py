"""What autograd keeps of a block of the network, in bytes.

Read from the modelling code of transformers 5.23 and PEFT 0.21, and counted with
`torch.autograd.graph.saved_tensors_hooks`; a test holds the sum against such a count for every
architecture. The base is frozen: a linear layer keeps its input only where an adapter needs it
for A's gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from jlora_cli.recipe import ROWS_APART
from jlora_cli.shape import targets_of

if TYPE_CHECKING:
    from jlora_cli.config import RunConfig
    from jlora_cli.memory.batch import MicroBatch
    from jlora_cli.shape import Feed, Shape


@dataclass(frozen=True)
class _Arithmetic:
    """How wide numbers are. `mixed`: autocast computes in half precision, LoRA stays in float32.

    Counted on a CPU; nothing here was measured on a GPU yet.
    """

    width: int
    mixed: bool
    cuda: bool


def _arithmetic(config: RunConfig, device: str) -> _Arithmetic:
    mixed = config.precision != "float32"
    return _Arithmetic(2 if mixed else 4, mixed, device != "cpu")


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
    pairs = _pairs(shape, batch)
    block = batch.places * _kept_in_block(config, shape, batch, numbers)
    scores = pairs * _kept_of_scores(config, shape, batch, numbers)
    mask = pairs * _is_masked(shape, batch)
    passing = _passing(config, shape, batch, numbers)
    if config.gradient_checkpointing is True:
        between = shape.hidden * numbers.width + _kept_all_the_same(config, shape)
        return Kept(shape.layers * batch.places * between, mask, block + scores + passing)
    return Kept(shape.layers * block, shape.layers * scores + mask, passing)


def _kept_all_the_same(config: RunConfig, shape: Shape) -> float:
    """Bytes that a token of a block keeps although the block is made anew.

    bitsandbytes' 8-bit layers put their inputs, in half precision, where no checkpoint sees them.
    """
    return 2.0 * sum(feed.width for feed in shape.feeds) * (config.quantization == "8bit")


def _is_apart(shape: Shape) -> bool:
    """Whether rows are computed each by itself, without a mask."""
    return shape.model_type in ROWS_APART


def _is_masked(shape: Shape, batch: MicroBatch) -> bool:
    """Whether transformers needs a mask, which more than one row does."""
    return not _is_apart(shape) and batch.rows > 1


def _pairs(shape: Shape, batch: MicroBatch) -> int:
    """Pairs of places for which a score may be held: a mask is made over a whole pack."""
    return batch.places**2 if batch.packed and not _is_apart(shape) else batch.pairs


def _passing(config: RunConfig, shape: Shape, batch: MicroBatch, numbers: _Arithmetic) -> float:
    """What the forward or backward pass of a block takes and frees again, at most.

    Counted for GPT-2, GPT-NeoX, Llama and Gemma 2: 1.75 tensors of the feed-forward layer's inner
    width (0.75 where the block was just made anew), or 1.25 of all heads' scores where they are
    made; DoRA weighs a whole layer in four copies.
    """
    remade = config.gradient_checkpointing is True
    widest = (0.75 if remade else 1.75) * numbers.width * shape.intermediate
    if _is_eager(config, shape) and not remade:
        widest = max(widest, 5.0 * shape.heads * batch.longest)
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
        + _kept_by_adapter(config, shape, batch, numbers)
        + _kept_by_dropout(config, shape, numbers)
    )


def _kept_by_norms(shape: Shape, numbers: _Arithmetic) -> float:
    """The norms' inputs and statistics; RMS norms compute in float32 everywhere."""
    if shape.family == "llama":
        count = 4 if shape.model_type.startswith(("gemma2", "gemma3")) else 2
        heads = shape.queries + shape.keys if shape.model_type.startswith(_NORMED_HEADS) else 0
        return 4 * (count * (shape.hidden + 1) + heads)
    # GPT-NeoX's two norms read the same tensor, where its residual is parallel.
    return (1 if shape.parallel else 2) * shape.hidden * numbers.width + 16


_NORMED_HEADS = ("qwen3", "gemma3")


def _kept_by_attention(
    config: RunConfig, shape: Shape, batch: MicroBatch, numbers: _Arithmetic
) -> float:
    """Queries, keys and values as they were multiplied, and what came of it."""
    # Keys of grouped queries are repeated for a mask, to write out scores, and row by row: on CUDA
    # that is done where FlashAttention cannot be, which alone does without.
    repeated = _is_masked(shape, batch) or config.attention != "varlen" or not numbers.cuda
    kept = {
        "gpt2": 3 * shape.hidden,
        "gpt_neox": 5 * shape.hidden,  # values lie in what the linear layer gave
        "llama": shape.queries + 2 * (shape.queries if repeated else shape.keys),
    }[shape.family]
    joined = shape.queries if _is_joined(config, shape, batch) else 0
    if _is_eager(config, shape):
        return (kept + joined) * numbers.width
    return (kept + joined + shape.queries) * numbers.width + 4 * shape.heads


def _is_joined(config: RunConfig, shape: Shape, batch: MicroBatch) -> bool:
    """Whether what attention gave row by row is put into one tensor, which a layer keeps."""
    reads = set(shape.feeds[1].names) & set(targets_of(config.lora_targets, shape.model_type))
    apart = _is_apart(shape) and config.attention != "varlen"
    return bool(reads) and apart and batch.packed and batch.rows > 1


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
        return numbers.width * _is_masked(shape, batch) + shape.heads * (softmax + dropped)
    softmax = 4 + (2 if numbers.mixed else 0)
    hidden = 1  # which scores are left out
    return shape.heads * (softmax + dropped + numbers.width * shape.soft_capped) + hidden


def _kept_by_feed_forward(shape: Shape, numbers: _Arithmetic) -> float:
    if shape.family == "llama":
        return 3 * shape.intermediate * numbers.width
    return shape.intermediate * numbers.width


def _kept_by_adapter(
    config: RunConfig, shape: Shape, batch: MicroBatch, numbers: _Arithmetic
) -> float:
    """Inputs of A and of B; the layers that read one input keep it once."""
    targets = targets_of(config.lora_targets, shape.model_type)
    kept = 0.0
    for feed in shape.feeds:
        readers = sum(name in targets for name in feed.names)
        kept += readers * config.lora_r * numbers.width
        kept += _kept_of_feed(config, shape, feed, readers, numbers)
    if shape.family == "gpt_neox" and not numbers.cuda and not _is_joined(config, shape, batch):
        # Its attention gives what it gives transposed, and that is copied for who reads it.
        kept += shape.feeds[1].width * numbers.width * (shape.feeds[1].names[0] in targets)
    if config.lora_variant == "dora":  # what the base gave and what the adapter gave
        kept += 2 * shape.widths_out(targets) * numbers.width
    return kept


def _kept_of_feed(
    config: RunConfig, shape: Shape, feed: Feed, readers: int, numbers: _Arithmetic
) -> float:
    """A layer's input, and a byte a number for each dropout that acts on it."""
    dropped = readers * feed.width * (config.lora_dropout > 0)
    if config.quantization == "8bit":  # bitsandbytes keeps the input, whoever reads it
        return feed.width * (4 + 2 * readers) + dropped
    # What attention gave is kept already.
    own = bool(readers) and not feed.kept
    return feed.width * numbers.width * own + dropped


def _kept_by_dropout(config: RunConfig, shape: Shape, numbers: _Arithmetic) -> float:
    """Masks of the base's own dropout behind attention and feed-forward layer."""
    if not config.base_dropout or shape.family == "llama":
        return 0.0
    return 2 * shape.hidden * (1 if numbers.cuda else numbers.width)
