"""The optimizer, its schedule, and what acts on the base while it trains."""

from __future__ import annotations

import math
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
    """NEFTune (Jain et al. 2023): uniform noise of alpha / sqrt(length * width) on embeddings."""

    def noisy(module: torch.nn.Module, _: object, output: torch.Tensor) -> torch.Tensor:
        if not module.training:
            return output
        size = alpha / math.sqrt(output.shape[1] * output.shape[2])
        return output + torch.empty_like(output).uniform_(-size, size)

    base.get_input_embeddings().register_forward_hook(noisy)
