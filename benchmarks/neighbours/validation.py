"""The mean loss of adapters over a job's validation rows, by one judge for all contestants.

    python -m benchmarks.neighbours.validation JOB [ADAPTER]...

Writes one number a line: of the base alone, then with each adapter; nats per supervised token.
Plain PEFT and torch, no code of any contestant's training.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM


def main(words: list[str]) -> None:
    """Judge the base and every adapter that is named."""
    folder, *adapters = words
    job = json.loads(Path(folder, "job.json").read_text(encoding="utf-8"))
    rows = json.loads(Path(folder, "validation.json").read_text(encoding="utf-8"))
    base = AutoModelForCausalLM.from_pretrained(job["base"], dtype=torch.float32).eval()
    print(mean_loss(base, rows))
    for adapter in adapters:
        adapted = PeftModel.from_pretrained(base, adapter).eval()
        print(mean_loss(adapted, rows))
        base = adapted.unload()


@torch.inference_mode()
def mean_loss(model: Any, rows: list[dict[str, list[int]]]) -> float:
    """Nats per supervised token."""
    total, count = 0.0, 0
    for row in rows:
        targets = torch.tensor(row["labels"][1:])
        logits = model(input_ids=torch.tensor([row["ids"]]), use_cache=False).logits[0, :-1]
        total += float(cross_entropy(logits.float(), targets, reduction="sum"))
        count += int((targets != -100).sum())
    return total / count


if __name__ == "__main__":
    main(sys.argv[1:])
