"""The recipe that was run on an A100, as its author had it: stock transformers and PEFT.

NF4 with double quantization, float16 with loss scaling, 16 x 2 rows, each padded to the cut at 256
tokens; logits everywhere, the loss on all tokens; LoRA r 8 on query_key_value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import get_scheduler

from benchmarks.gpu.bases import random_base
from benchmarks.gpu.rows import Lengths, make_row
from benchmarks.gpu.shapes import flops_of, work_of
from benchmarks.gpu.timing import Pace, reset_peak, take_steps
from jlora_cli.model import device_memory_gib
from jlora_cli.order import epoch_order
from jlora_cli.prompt import IGNORED, Encoded
from jlora_cli.shape import read_shape

if TYPE_CHECKING:
    from peft import PeftModel

    from benchmarks.gpu.shapes import Work

CUT, ROWS, PARTS = 256, 16, 2


def measure(
    made_of: dict[str, Any], lengths: Lengths, device: str, pace: Pace, *, cut: int = CUT
) -> dict[str, object]:
    """Figures of the recipe's optimizer steps."""
    shape, half = read_shape(made_of), device == "cuda"
    precision = "float16" if half else "float32"
    base = random_base(made_of, device, precision=precision, quantization="4bit")
    adapter = LoraConfig(
        r=8,
        lora_alpha=32,
        lora_dropout=0.1,
        target_modules=["query_key_value"],
        task_type="CAUSAL_LM",
    )
    run = _Run(get_peft_model(base, adapter).train(), device, half, cut)
    reset_peak(device)
    order, size = epoch_order(len(lengths.lengths), seed=42, epoch=0), ROWS * PARTS
    starts = range(0, (pace.warm + pace.timed) * size, size)
    # Made before the steps, as jlora's are.
    left = iter(
        [[make_row(at, lengths, shape.vocabulary) for at in order[i : i + size]] for i in starts]
    )

    def step() -> Work:
        return run.step(next(left))

    timed = take_steps(step, pace, device)
    return {
        "settings": {
            "precision": precision,
            "quantization": "4bit",
            "attention": "sdpa, masked",
            "batch_size": ROWS,
            "gradient_accumulation_steps": PARTS,
            "max_length": cut,
        },
        "peak_gib": device_memory_gib(device),
        "flops_per_s": flops_of(shape, timed.work) / sum(timed.seconds),
        **timed.as_json(),
    }


class _Run:
    """Optimizer steps as transformers' Trainer takes them."""

    def __init__(self, adapted: PeftModel, device: str, half: bool, cut: int) -> None:
        self._adapted, self._device, self._half, self._cut = adapted, device, half, cut
        self._moved = [p for p in adapted.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(self._moved, lr=2e-4, fused=True)
        self._schedule = get_scheduler("linear", self._optimizer, 100, 470)
        self._scaler = torch.amp.GradScaler(device, enabled=half)

    def step(self, rows: list[Encoded]) -> Work:
        for start in range(0, len(rows), ROWS):
            batch = self._padded(rows[start : start + ROWS])
            with torch.autocast(self._device, torch.float16, enabled=self._half):
                loss = self._adapted(**batch, use_cache=False).loss / PARTS
            self._scaler.scale(loss).backward()
        self._scaler.unscale_(self._optimizer)
        torch.nn.utils.clip_grad_norm_(self._moved, 1.0)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._schedule.step()
        self._optimizer.zero_grad(set_to_none=True)
        return work_of([Encoded(r.ids[: self._cut], r.labels[: self._cut]) for r in rows])

    def _padded(self, rows: list[Encoded]) -> dict[str, torch.Tensor]:
        cut = [row.ids[: self._cut] for row in rows]
        ids = torch.tensor([each + [0] * (self._cut - len(each)) for each in cut])
        mask = torch.tensor([[1] * len(each) + [0] * (self._cut - len(each)) for each in cut])
        labels = ids.masked_fill(mask == 0, IGNORED)
        told = {"input_ids": ids, "attention_mask": mask, "labels": labels}
        return {name: each.to(self._device) for name, each in told.items()}
