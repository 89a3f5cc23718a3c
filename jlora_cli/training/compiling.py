"""torch.compile of the network's blocks: one is compiled, the others are like it.

Block by block and not the whole decoder: dozens of equal blocks as one graph take as many times as
long, and what could be fused between two of them is little. The first block, whose input wants no
gradient, is compiled by itself.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from transformers.modeling_layers import GradientCheckpointingLayer

from jlora_cli.memory import heaviest

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from transformers import PreTrainedModel

    from jlora_cli.config import RunConfig
    from jlora_cli.prompt import EncodedRows

_ROUND = 64  # tokens: matrix products are made of tiles


def compile_blocks(base: PreTrainedModel, **how: Any) -> int:
    """Let every block of `base` run compiled from now on; returns how many do.

    `how`: arguments of torch.compile.
    """
    blocks = _blocks(base)
    for block in blocks:
        block.compile(**how)
    return len(blocks)


def undo_compile(base: PreTrainedModel) -> None:
    """Let every block of `base` run as it is."""
    for block in _blocks(base):
        block._compiled_call_impl = None


def is_compiled(base: PreTrainedModel) -> bool:
    """Whether `base`, as a whole or by blocks, runs compiled."""
    parts = (base.base_model, *_blocks(base))
    return any(part._compiled_call_impl is not None for part in parts)


def uncompiled(base: PreTrainedModel) -> AbstractContextManager[object]:
    """Meanwhile a compiled `base` runs as it is: tensors of many shapes would each be compiled."""
    if not is_compiled(base):
        return nullcontext()
    stance: AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
    return stance


def let_length_vary(borders: torch.Tensor) -> None:
    """Compile once for all lengths of `borders`, a tensor that compiled blocks are given."""
    from torch._dynamo import maybe_mark_dynamic  # noqa: PLC0415 - takes 1 s, once a run compiles

    maybe_mark_dynamic(borders, 0)


def tokens_of_pack(config: RunConfig, train: EncodedRows, size: int) -> int:
    """The tokens that packs of `train` are filled up to, where kernels are compiled for one shape.

    size: the most rows of a pack, fewer than the config's where memory ran out. 0 where nothing is
    to be filled up.
    """
    if config.compile is not True or config.packing is not True:
        return 0
    parts = math.ceil(config.batch_size * config.gradient_accumulation_steps / size)
    smaller = replace(config, batch_size=size, gradient_accumulation_steps=parts)
    places = heaviest(train.lengths, train.supervised, smaller).places
    return math.ceil(places / _ROUND) * _ROUND


def _blocks(base: PreTrainedModel) -> list[torch.nn.Module]:
    """The layers of the decoder, which transformers marks as what a checkpoint makes anew."""
    return [each for each in base.modules() if isinstance(each, GradientCheckpointingLayer)]
