"""The model, token after token: ids in, the next ids out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from jlora_cli.errors import refuse
from jlora_cli.generation.cache import cut_back, new_cache
from jlora_cli.generation.choosing import choose_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from transformers import DynamicCache, PreTrainedModel

    from jlora_cli.sampling import Sampling


class Step(NamedTuple):
    """The next token of every row, and the logits behind them: (batch, vocabulary), float32."""

    tokens: list[int]
    logits: torch.Tensor


class Engine:
    """Runs a model over prompts; `pad_id` fills the left of the shorter ones.

    With `remembers`, a single prompt is computed only from where it differs from the last one:
    for conversations, whose prompts begin alike, and as long as nobody changes the model.
    """

    def __init__(self, model: PreTrainedModel, pad_id: int, *, remembers: bool = False) -> None:
        self.model = model
        self.pad_id = pad_id
        self.remembers = remembers
        self.reused = 0  # tokens of the last prompt that were not computed again
        self._told: list[int] = []
        self._cache: DynamicCache | None = None

    def steps(
        self, prompts: list[list[int]], seeds: list[int], sampling: Sampling
    ) -> Iterator[Step]:
        """The next token of every prompt, again and again, up to the limit.

        `seeds`: of the generator that each prompt draws from.
        """
        batch = _Batch(prompts, self.pad_id, sampling.max_new_tokens, self.model.device)
        random = [
            torch.Generator(device=self.model.device).manual_seed(seed % 2**63) for seed in seeds
        ]
        cache, begin = self._recall(prompts)
        for end in range(batch.width, batch.width + sampling.max_new_tokens):
            result = self.model(
                input_ids=batch.ids[:, begin:end],
                attention_mask=batch.mask[:, :end] if batch.padded else None,
                position_ids=batch.positions[:, begin:end],
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            self._told += batch.ids[0, begin:end].tolist() if self._cache else []
            logits = result.logits[:, -1].float()
            seen = batch.ids[:, :end]
            chosen = choose_tokens(logits, seen, batch.mask[:, :end], sampling, random)
            yield Step(chosen[:, 0].tolist(), logits)
            batch.ids[:, end : end + 1] = chosen
            begin = end

    def _recall(self, prompts: list[list[int]]) -> tuple[DynamicCache, int]:
        """A cache, and how many tokens of the prompt it holds."""
        cache, self._cache = self._cache, None
        same, self.reused = 0, 0
        if not self.remembers or len(prompts) > 1:
            return new_cache(self.model.config), 0
        if cache is not None:
            same = _common(prompts[0][:-1], self._told)  # the last must be computed for its logits
        if cache is None or not same or not cut_back(cache, same):
            cache, same = new_cache(self.model.config), 0
        self._cache, self._told, self.reused = cache, prompts[0][:same], same
        return cache, same


class _Batch:
    """Prompts as tensors with room for their answers: (batch, width + new)."""

    def __init__(
        self, prompts: list[list[int]], pad_id: int, new: int, device: torch.device
    ) -> None:
        self.width = max(map(len, prompts))
        gaps = [self.width - len(prompt) for prompt in prompts]
        self.padded = any(gaps)
        rows = [[pad_id] * gap + prompt for gap, prompt in zip(gaps, prompts, strict=True)]
        masks = [[0] * gap + [1] * (self.width - gap) for gap in gaps]
        room = torch.ones(len(prompts), new, dtype=torch.long, device=device)
        self.ids = torch.cat([torch.tensor(rows, device=device), room], dim=1)
        self.mask = torch.cat([torch.tensor(masks, device=device), room], dim=1)
        self.positions = (self.mask.cumsum(-1) - 1).clamp(min=0)


def _common(one: list[int], other: list[int]) -> int:
    """How many ids two sequences share from their beginning."""
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def check_length(prompts: Iterable[list[int]], new: int, context: int) -> None:
    """Refuse prompts of which one is empty or, with `new` tokens behind it, exceeds `context`.

    Raises:
        JloraError: there is such a prompt.
    """
    for prompt in prompts:
        if not prompt:
            raise refuse("generation.empty_prompt")
        if len(prompt) + new > context:
            raise refuse("generation.too_long", prompt=len(prompt), new=new, context=context)


def context_length(model: PreTrainedModel) -> int:
    """The most tokens that the model's positions reach."""
    config = model.config
    names = ("max_position_embeddings", "n_positions", "max_sequence_length")
    return next((int(v) for n in names if (v := getattr(config, n, None))), 1 << 30)
