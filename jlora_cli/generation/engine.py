"""The model, token after token: ids in, the next ids out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from jlora_cli.errors import refuse
from jlora_cli.generation.sampling import choose_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from transformers import PreTrainedModel

    from jlora_cli.sampling import Sampling


class Step(NamedTuple):
    """The next token of every row, and the logits behind them: (batch, vocabulary), float32."""

    tokens: list[int]
    logits: torch.Tensor


class Engine:
    """Runs a model over prompts; `pad_id` fills the left of the shorter ones."""

    def __init__(self, model: PreTrainedModel, pad_id: int) -> None:
        self.model = model
        self.pad_id = pad_id

    def steps(
        self, prompts: list[list[int]], seeds: list[int], sampling: Sampling
    ) -> Iterator[Step]:
        """The next token of every prompt, again and again, up to the limit.

        `seeds`: of the generator that each prompt draws from.
        """
        device = self.model.device
        width = max(map(len, prompts))
        ids = torch.tensor([[self.pad_id] * (width - len(p)) + p for p in prompts], device=device)
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=device)
        random = [torch.Generator(device=device).manual_seed(seed % 2**63) for seed in seeds]
        seen, past, step = ids, None, ids
        for _ in range(sampling.max_new_tokens):
            positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, -step.shape[1] :]
            result = self.model(
                input_ids=step,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=past,
                use_cache=True,
                logits_to_keep=1,
            )
            past = result.past_key_values
            logits = result.logits[:, -1].float()
            chosen = choose_tokens(logits, seen, mask, sampling, random)
            yield Step(chosen[:, 0].tolist(), logits)
            step = chosen
            seen = torch.cat([seen, chosen], dim=1)
            mask = torch.cat([mask, torch.ones_like(chosen)], dim=1)


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
