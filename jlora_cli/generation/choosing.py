"""How the next token is chosen, from logits alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jlora_cli.sampling import Sampling


def choose_tokens(
    logits: torch.Tensor,
    seen: torch.Tensor,
    mask: torch.Tensor,
    sampling: Sampling,
    random: Sequence[torch.Generator],
) -> torch.Tensor:
    """The next token of each row, shape (batch, 1), from logits of shape (batch, vocabulary).

    `seen`, `mask`: (batch, length), the ids so far and which of them are no padding; `random`: a
    generator for each row.
    """
    if sampling.repetition_penalty != 1.0:
        logits = _penalise(logits, seen, mask, sampling.repetition_penalty)
    if sampling.no_repeat_ngram_size:
        logits = _forbid_repeats(logits, seen, mask, sampling.no_repeat_ngram_size)
    if sampling.temperature == 0:
        return logits.argmax(-1, keepdim=True)
    logits = logits / sampling.temperature
    if sampling.top_k:
        kth = logits.topk(min(sampling.top_k, logits.shape[-1])).values[:, -1:]
        logits = logits.masked_fill(logits < kth, -torch.inf)
    if sampling.top_p < 1:
        logits = _keep_nucleus(logits, sampling.top_p)
    rows = zip(logits.softmax(-1), random, strict=True)
    return torch.stack([torch.multinomial(row, 1, generator=own) for row, own in rows])


def _penalise(
    logits: torch.Tensor, seen: torch.Tensor, mask: torch.Tensor, penalty: float
) -> torch.Tensor:
    """CTRL's repetition penalty (Keskar et al. 2019, eq. 6, signs as in transformers)."""
    # Padding may carry the id of a token that the prompt holds as well: count, do not overwrite.
    times = torch.zeros_like(logits).scatter_add(1, seen, mask.to(logits.dtype))
    punished = torch.where(logits < 0, logits * penalty, logits / penalty)
    return torch.where(times > 0, punished, logits)


def _forbid_repeats(
    logits: torch.Tensor, seen: torch.Tensor, mask: torch.Tensor, size: int
) -> torch.Tensor:
    """No run of `size` tokens twice, as transformers' NoRepeatNGramLogitsProcessor has it."""
    length = seen.shape[1]
    if length < size:
        return logits
    runs, real = seen.unfold(1, size, 1), mask.unfold(1, size, 1).bool().all(-1)
    begun = seen[:, None, length - size + 1 :]
    again = (runs[..., :-1] == begun).all(-1) & real
    times = torch.zeros_like(logits).scatter_add(1, runs[..., -1], again.to(logits.dtype))
    return logits.masked_fill(times > 0, -torch.inf)


def _keep_nucleus(logits: torch.Tensor, top_p: float) -> torch.Tensor:
    """Nucleus sampling (Holtzman et al. 2019): the fewest tokens whose probability is `top_p`."""
    ordered, order = logits.sort(descending=True)
    probabilities = ordered.softmax(-1)
    beyond = probabilities.cumsum(-1) - probabilities >= top_p
    beyond[:, 0] = False  # with `top_p` 0 too, the first remains
    return logits.masked_fill(beyond.scatter(1, order, beyond), -torch.inf)
