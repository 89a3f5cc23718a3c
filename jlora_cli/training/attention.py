"""Attention of rows that stand end to end in one pack, each as if it stood alone.

transformers keeps packed rows apart by a mask over the whole pack: its memory and the products
spent on it grow with the square of all tokens, fused kernels do not take it, and with a cache or a
mask of ones it is silently left out. Here each row is computed by itself, so that there is nothing
to leak through. `varlen` computes all rows in one kernel of torch (CUDA, half precision), `sdpa`
row by row in torch's fused attention wherever torch runs, `eager` with the scores written out.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.nn.functional import scaled_dot_product_attention, softmax
from transformers import AttentionInterface

from jlora_cli.recipe import ROWS_APART
from jlora_cli.training.compiling import uncompiled
from jlora_cli.training.last_block import focus_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from transformers import PreTrainedModel

_PREFIX = "jlora_"
_WIDEST = 256  # a head, in FlashAttention's kernels
_FLASH_FROM = (8, 0)
_SPARSE_FROM, _SPARSE_TO = 256, 768  # tokens, see `_Heads.gathered`


class Rows(NamedTuple):
    """How long the rows of a pack are, in tokens.

    borders: (rows + 1,) int32, where each begins and the last one ends; on the pack's device.
    longest: none is longer.
    """

    lengths: tuple[int, ...]
    borders: torch.Tensor
    longest: int


def rows_of(lengths: tuple[int, ...], *, longest: int = 0) -> Rows:
    """Rows of these lengths, end to end; `longest` is told where it should not change.

    A kernel leaves out what is behind the longest, so a row that is longer counts all the same.
    """
    ends = torch.tensor((0, *lengths), dtype=torch.int32).cumsum(0, dtype=torch.int32)
    return Rows(lengths, ends, max(longest, *lengths))


class _Asked(NamedTuple):
    """How a layer attends: the scale of its scores, a window in tokens, a cap on the scores."""

    scale: float
    dropout: float
    window: int | None
    cap: float | None

    def reaches(self, length: int) -> bool:
        """Whether every token of a row of `length` sees all before it."""
        return self.window is None or length <= self.window


def keep_rows_apart(base: PreTrainedModel, kind: str) -> bool:
    """Let `base` compute its attention here, as `kind` says, where its architecture is known to.

    Its forward pass then takes `rows`; a cache and masks it ignores: see `answering`.
    """
    if base.config.model_type in ROWS_APART:
        # cuDNN's fused attention, which torch takes first on H100s and newer, makes a plan for each
        # shape that it meets: a row of another length waits for it longer than for its attention.
        torch.backends.cuda.enable_cudnn_sdp(False)
        base.config._attn_implementation = _PREFIX + kind
        return True
    return False


def keeps_rows_apart(base: PreTrainedModel) -> bool:
    """Whether `keep_rows_apart` acts on `base`."""
    return str(base.config._attn_implementation).startswith(_PREFIX)


@contextmanager
def answering(base: PreTrainedModel) -> Iterator[None]:
    """Meanwhile `base` attends as transformers does, for prompts with masks and a cache."""
    config, before = base.config, base.config._attn_implementation
    if keeps_rows_apart(base):
        # Soft-capped scores have no fused kernel.
        capped = getattr(config, "attn_logit_softcapping", None)
        config._attn_implementation = "eager" if capped else "sdpa"
    focus_on(base, None)
    try:
        with uncompiled(base):
            yield
    finally:
        config._attn_implementation = before


class _Heads(NamedTuple):
    """query: (batch, heads, length, width); key and value with as many heads or a divisor."""

    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor

    @property
    def grouped(self) -> int:
        """How many heads of the query share one of key and value."""
        return self.query.shape[1] // self.key.shape[1]

    def in_one_precision(self) -> _Heads:
        """The same in autocast's, as torch's own attention takes them.

        Layers that compute by themselves may give another: PEFT's DoRA over a packed base does.
        """
        device = self.query.device.type
        if not torch.is_autocast_enabled(device):
            return self
        return _Heads(*(each.to(torch.get_autocast_dtype(device)) for each in self))

    def gathered(self) -> _Heads:
        """The same, each head's numbers side by side where torch's kernel for CPUs gains by it.

        As a layer's output they are as far apart as that is wide, and few of its lines fit the
        nearest cache together: of 496 tokens a fifth of the kernel's time. Of fewer the products
        are too small to tell, and for more than 768 it takes them in larger parts.
        """
        if self.query.is_cuda or not _SPARSE_FROM <= self.query.shape[2] < _SPARSE_TO:
            return self
        return _Heads(*(each if _side_by_side(each) else each.contiguous() for each in self))

    def spread(self) -> _Heads:
        """The same with key and value repeated, for each head of the query its own."""
        if self.grouped == 1:
            return self
        key, value = (each.repeat_interleave(self.grouped, 1) for each in self[1:])
        return _Heads(self.query, key, value)


def _side_by_side(heads: torch.Tensor) -> bool:
    """Whether a head's numbers are; heads: (batch, heads, length, width)."""
    return heads.stride()[2:] == (heads.shape[3], 1)


def _interface(
    attend: Callable[[_Heads, Rows | None, _Asked], torch.Tensor],
) -> Callable[..., tuple[torch.Tensor, None]]:
    """`attend` as transformers calls it; its mask is not looked at."""

    def forward(  # noqa: PLR0913 - transformers' signature
        module: torch.nn.Module,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        _mask: object,
        *,
        scaling: float | None = None,
        dropout: float = 0.0,
        sliding_window: int | None = None,
        softcap: float | None = None,
        rows: Rows | None = None,
        **_: Any,
    ) -> tuple[torch.Tensor, None]:
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        asked = _Asked(scale, dropout if module.training else 0.0, sliding_window, softcap)
        return attend(_Heads(query, key, value), rows, asked), None

    return forward


def _row_by_row(
    heads: _Heads, rows: Rows | None, asked: _Asked, *, eager: bool = False
) -> torch.Tensor:
    """Returns (batch, length, heads, width).

    Without `rows` the batch's rows are padded on the right, where no token looks.
    """
    one = _eager if eager or asked.cap else _fused
    if rows is None or len(rows.lengths) == 1:
        return one(heads, asked).transpose(1, 2)
    parts = zip(*(torch.split(each, list(rows.lengths), dim=2) for each in heads), strict=True)
    return torch.cat([one(_Heads(*part), asked).transpose(1, 2) for part in parts], dim=1)


def _fused(heads: _Heads, asked: _Asked) -> torch.Tensor:
    length = heads.query.shape[2]
    whole = asked.reaches(length)
    if not _takes_groups(heads.query, masked=not whole):
        heads = heads.spread()
    return scaled_dot_product_attention(
        *heads.gathered(),
        attn_mask=None if whole else _seen(length, asked, heads.query.device),
        dropout_p=asked.dropout,
        is_causal=whole,
        scale=asked.scale,
        enable_gqa=heads.grouped > 1,
    )


def _takes_groups(query: torch.Tensor, *, masked: bool) -> bool:
    """Whether a fused kernel takes fewer heads of key and value than of the query.

    On CUDA FlashAttention's alone does (torch 2.13, of scaled_dot_product_attention): from Ampere
    on, in half precision, without a mask. Elsewhere torch would write the scores out.
    """
    if not query.is_cuda:
        return True
    half = query.dtype in (torch.float16, torch.bfloat16)
    return half and not masked and torch.cuda.get_device_capability(query.device) >= _FLASH_FROM


def _eager(heads: _Heads, asked: _Asked) -> torch.Tensor:
    """The scores written out, capped as in Gemma 2 (Gemma Team 2024, section 2.3)."""
    query, key, value = heads.spread()
    scores = query @ key.transpose(2, 3) * asked.scale
    if asked.cap:
        scores = torch.tanh(scores / asked.cap) * asked.cap
    hidden = ~_seen(query.shape[2], asked, query.device)
    wide = torch.promote_types(scores.dtype, torch.float32)
    weights = softmax(scores.masked_fill(hidden, -math.inf), -1, dtype=wide)
    weights = torch.dropout(weights.to(query.dtype), asked.dropout, asked.dropout > 0)
    return weights @ value


def _seen(length: int, asked: _Asked, device: torch.device) -> torch.Tensor:
    """(length, length): whether a token, by row, sees one, by column."""
    seen = torch.ones(length, length, dtype=torch.bool, device=device).tril()
    return seen if asked.window is None else seen.triu(1 - asked.window)


def _in_one_kernel(heads: _Heads, rows: Rows | None, asked: _Asked) -> torch.Tensor:
    """See `_row_by_row`; what the kernel cannot compute is computed there."""
    heads = heads.in_one_precision()
    if rows is None or asked.cap or asked.dropout or not _fits_kernel(heads.query):
        return _row_by_row(heads, rows, asked)
    from torch.nn.attention.varlen import varlen_attn  # noqa: PLC0415 - not in every torch

    query, key, value = (each.squeeze(0).transpose(0, 1) for each in heads)
    borders, longest = rows.borders, rows.longest
    made: torch.Tensor = varlen_attn(  # type: ignore[assignment]
        *(query, key, value, borders, borders, longest, longest),
        scale=asked.scale,
        window_size=(-1 if asked.window is None else asked.window - 1, 0),
        enable_gqa=heads.grouped > 1,
    )
    return made.unsqueeze(0)


def _fits_kernel(query: torch.Tensor) -> bool:
    width = query.shape[-1]
    half = query.dtype in (torch.float16, torch.bfloat16)
    return half and width % 8 == 0 and width <= _WIDEST


def _written_out(heads: _Heads, rows: Rows | None, asked: _Asked) -> torch.Tensor:
    return _row_by_row(heads, rows, asked, eager=True)


for _name, _attend in (
    ("sdpa", _row_by_row),
    ("eager", _written_out),
    ("varlen", _in_one_kernel),
):
    AttentionInterface.register(_PREFIX + _name, _interface(_attend))
