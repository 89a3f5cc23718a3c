"""Memory by term: weights, adapter, optimizer, activations, logits, and what is needed between."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jlora_cli.memory.block import kept_of_blocks
from jlora_cli.recipe import ROWS_APART
from jlora_cli.shape import targets_of

if TYPE_CHECKING:
    from jlora_cli.config import RunConfig
    from jlora_cli.memory.batch import MicroBatch
    from jlora_cli.shape import Shape

GIB = 2**30
# Resident set of a CPU run beyond its tensors: 0.39 GiB once torch, transformers, peft and
# accelerate are imported; the rest (thread pools, kernels' scratch space, the heap of small things)
# is what the runs of benchmarks/memory_estimate.py had beyond theirs. Linux, torch 2.13 for CPUs.
RUNTIME_GIB = 0.45
# A stored token takes four, and the places of a row about twenty: what reading 150,000 rows of 14
# million tokens in an epoch's order made resident, was 4.13 where nothing was given back. These are
# pages of a mapped file: Linux and macOS are told to take them back as rows are read, Windows does
# so when it needs them.
ROW_BYTES_PER_TOKEN = 5
# Words whose logits live at once in the loss: on a CPU so few that these stay in its caches, on a
# GPU as many as give 256 MiB of float32.
WORDS_AT_ONCE, LOGITS_AT_ONCE_ON_GPU = 4096, 1 << 26
_OPTIMIZER_BYTES = {"adamw": 8, "adamw8bit": 2, "paged-adamw8bit": 2}


def adapter_parameters(config: RunConfig, shape: Shape) -> int:
    """How many numbers the optimizer moves."""
    targets = targets_of(config.lora_targets, shape.model_type)
    return shape.adapter_parameters(config.lora_r, targets, dora=config.lora_variant == "dora")


def memory_terms(
    config: RunConfig, shape: Shape, batch: MicroBatch, device: str, *, row_tokens: int = 0
) -> dict[str, float]:
    """Memory by term in GiB, and their sum as "total".

    On a CPU the total is the peak of the process's resident set, `row_tokens` being all tokens of
    the data; elsewhere it is what torch allocates on the device. The loss and a block's backward
    pass come one after the other: `workspace` holds what the second takes beyond `logits`, and
    `loading` what reading the weights takes beyond all of the training.
    """
    trained = adapter_parameters(config, shape)
    kept = kept_of_blocks(config, shape, batch, device)
    logits = _logits(config, shape, batch, device)
    terms = {
        "runtime": (RUNTIME_GIB * GIB if device == "cpu" else 0.0),
        "rows": row_tokens * ROW_BYTES_PER_TOKEN if device == "cpu" else 0,
        "base_weights": _base_bytes(config, shape),
        "adapter": trained * 4,
        "gradients": trained * 4,
        "optimizer": trained * _OPTIMIZER_BYTES.get(config.optimizer, 8),
        "activations": kept.activations,
        "logits": logits,
        "workspace": kept.scores + max(0.0, kept.then - logits) + _copies(config, shape),
    }
    beyond = sum(value for name, value in terms.items() if name not in _WHILE_LOADING)
    terms["loading"] = max(0.0, _loading_bytes(config, shape, device) - beyond)
    terms["total"] = sum(terms.values())
    return {name: value / GIB for name, value in terms.items()}


def kept_by_heap(config: RunConfig, terms: dict[str, float], free: float) -> float:
    """GiB that the C library keeps of tensors that were freed, where there is room for that.

    To give each back costs a fifth of a step's time on a CPU, in fresh pages: it is done only where
    what is `free` would be short of the run's total with what the heap keeps, and with gradient
    checkpointing, which is asked for to save memory and leaves a heap of many sizes.
    """
    if config.gradient_checkpointing is True:
        return 0.0
    kept = _HEAP_SHARE * sum(terms[name] for name in ("activations", "logits", "workspace"))
    return kept if terms["total"] + 3 * kept <= free else 0.0


# Of what comes and goes in a step: 0.0 to 0.24 in the runs of benchmarks/memory_estimate.py.
_HEAP_SHARE = 0.15
_WHILE_LOADING = ("runtime", "rows", "base_weights")


def _base_bytes(config: RunConfig, shape: Shape) -> float:
    """The base's weights: quantization packs linear layers, and leaves the rest as it is.

    NF4 with double quantization has an 8-bit scale for 64 weights and a float32 for 256 scales
    (Dettmers et al. 2023, section 3); int8 a float32 for each output.
    """
    width = 4 if config.precision == "float32" else 2
    if config.quantization == "none":
        return shape.parameters * width
    packed = 0.5 + 1 / 64 + 4 / (64 * 256) if config.quantization == "4bit" else 1.0
    linear = shape.linear_parameters
    return linear * packed + (shape.parameters - linear) * width


def _loading_bytes(config: RunConfig, shape: Shape, device: str) -> float:
    """What the files' tensors take beside the weights made of them.

    float32 files are mapped and become the weights themselves; others are read and converted.
    """
    converts = config.precision != "float32" or shape.stored_bytes != 4
    return shape.parameters * shape.stored_bytes if device == "cpu" and converts else 0.0


def words_at_once(places: int, device: str) -> int:
    """Of how many words the loss makes logits at once, for all its `places`."""
    if device == "cpu":
        return WORDS_AT_ONCE
    return max(1, LOGITS_AT_ONCE_ON_GPU // max(1, places))


def _copies(config: RunConfig, shape: Shape) -> float:
    """One unpacked linear layer of a quantized base."""
    return shape.largest_linear * 2 if config.quantization != "none" else 0.0


def _logits(config: RunConfig, shape: Shape, batch: MicroBatch, device: str) -> float:
    """The loss at its peak: logits and log-probabilities of a part of the words, in float32.

    An architecture whose output layer is used as it is gives logits everywhere when rows are
    padded, and their gradient is made twice (index_put).
    """
    if shape.model_type in ROWS_APART:
        words = min(shape.vocabulary, words_at_once(batch.supervised, device))
        # Beside a part's logits: what is summed of the output layer's rows.
        return batch.supervised * ((16 if shape.soft_capped else 8) * words + 8 * shape.hidden)
    width = 4 if config.precision == "float32" else 2
    everywhere, chosen = batch.scored, batch.supervised
    per_token = float(12 * chosen)
    if batch.scored > batch.supervised:
        forward = width * everywhere + (8 if width == 4 else 10) * chosen
        per_token = max(per_token, forward, 2 * width * everywhere + width * chosen)
    return per_token * shape.vocabulary
