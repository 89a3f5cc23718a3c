"""The optimizer, its schedule, and what acts on the base while it trains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import get_scheduler

if TYPE_CHECKING:
    from peft import PeftModel
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler
    from transformers import PreTrainedModel

    from jlora_cli.config import RunConfig


def make_optimizer(adapted: PeftModel, config: RunConfig) -> Optimizer:
    """The optimizer over the adapter's tensors, A and B in groups of their own."""
    plain: list[torch.nn.Parameter] = []
    fast: list[torch.nn.Parameter] = []
    for name, parameter in adapted.named_parameters():
        if parameter.requires_grad:
            (fast if "lora_B" in name else plain).append(parameter)
    groups: list[dict[str, Any]] = [
        {"params": plain},
        # LoRA+ (Hayou et al. 2024): B learns faster than A.
        {"params": fast, "lr": config.learning_rate * config.loraplus_ratio},
    ]
    rate, decay = config.learning_rate, config.weight_decay
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=rate, weight_decay=decay, fused=True)
    import bitsandbytes  # noqa: PLC0415 - takes 1.5 s and needs CUDA

    paged = config.optimizer == "paged-adamw8bit"
    kind = bitsandbytes.optim.PagedAdamW8bit if paged else bitsandbytes.optim.AdamW8bit
    optimizer: Optimizer = kind(groups, lr=rate, weight_decay=decay)
    return optimizer


def make_scheduler(optimizer: Optimizer, config: RunConfig, steps: int) -> LRScheduler:
    """The learning rate over `steps` optimizer steps: warm-up, then as `lr_scheduler` says."""
    name = "constant_with_warmup" if config.lr_scheduler == "constant" else config.lr_scheduler
    scheduler: LRScheduler = get_scheduler(
        name, optimizer, num_warmup_steps=int(config.warmup_steps), num_training_steps=steps
    )
    return scheduler


def add_noise(base: PreTrainedModel, alpha: float) -> None:
    """NEFTune (Jain et al. 2023): uniform noise of alpha / sqrt(length * width) on embeddings.

    `length` is that of the row a token belongs to, also where rows are packed end to end.
    """
    lengths: list[torch.Tensor] = []

    def measure(module: torch.nn.Module, _: object, named: dict[str, Any]) -> None:
        if module.training:
            lengths[:] = [row_lengths(named["position_ids"])]

    def noisy(module: torch.nn.Module, _: object, output: torch.Tensor) -> torch.Tensor:
        if not module.training:
            return output
        size = alpha / (lengths[0].unsqueeze(-1) * output.shape[-1]).sqrt()
        # In float32 it would make all that follows wider than the base is.
        return output + torch.empty_like(output).uniform_(-1, 1) * size.to(output.dtype)

    # PEFT calls the base's forward past its hooks; the decoder inside it is called properly.
    base._jlora_noise = (
        base.base_model.register_forward_pre_hook(measure, with_kwargs=True),
        base.get_input_embeddings().register_forward_hook(noisy),
    )


def remove_noise(base: PreTrainedModel) -> None:
    """Take back what `add_noise` did, where it did."""
    for hook in base.__dict__.pop("_jlora_noise", ()):
        hook.remove()


def row_lengths(positions: torch.Tensor) -> torch.Tensor:
    """For each token the length of its row, as float: (rows, length); a row starts at position 0.

    positions: (rows, length), as a batch has them.
    """
    row = (positions == 0).flatten().cumsum(0) - 1
    # Not bincount: how long its result is, a GPU would have to be waited for.
    counts = torch.zeros_like(row).index_add_(0, row, torch.ones_like(row))
    return counts[row].view_as(positions).float()
