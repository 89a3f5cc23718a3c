"""A plain script: transformers, PEFT and a loop, with what costs nothing to write done right.

Rows are padded to the longest of a batch, logits are made at the supervised places only, and the
base drops nothing. Where all rows are almost as long as allowed, packing them would change nothing.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_
from transformers import AutoTokenizer, get_linear_schedule_with_warmup

from benchmarks.neighbours.contestants.seed import make_model
from benchmarks.neighbours.contestants.watch import FLOOR, Watch, arguments, count
from benchmarks.neighbours.floor import batches_of, measure_floor

LOOK_AWAY = -100


@dataclass(frozen=True)
class Row:
    """Ids, and as many labels: LOOK_AWAY where the loss does."""

    ids: list[int]
    labels: list[int]


def main() -> None:
    """Train the job that is named."""
    job, output, options = arguments(sys.argv[1:])
    watch = Watch()
    tokenizer = AutoTokenizer.from_pretrained(job["base"])
    rows, model = read_rows(job, tokenizer), make_model(job)
    drop_nothing_in_the_base(model)
    watch.begin()
    watch.end(train(model, rows, job, pad_id=tokenizer.pad_token_id))
    model.save_pretrained(output / "adapter")
    watch.saved(output / "adapter")
    seen = count([{"input_ids": row.ids, "labels": row.labels} for row in rows])
    more = {"floor": measure_floor(job)} if FLOOR in options else {}
    watch.write(output / "figures.json", seen, **more)


def read_rows(job: dict[str, Any], tokenizer: Any) -> list[Row]:
    """The rows, with the loss on the answers."""
    text = Path(job["folder"], "pairs", "rows.jsonl").read_text(encoding="utf-8")
    rows = []
    for pair in map(json.loads, text.splitlines()):
        prompt, whole = (
            tokenizer(said, add_special_tokens=False)["input_ids"]
            for said in (pair["prompt"], pair["prompt"] + pair["completion"])
        )
        rows.append(Row(whole, [LOOK_AWAY] * len(prompt) + whole[len(prompt) :]))
    return rows


def drop_nothing_in_the_base(model: Any) -> None:
    """Turn off all dropout but the adapter's."""
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Dropout) and "lora_" not in name:
            module.p = 0.0


def train(model: Any, rows: list[Row], job: dict[str, Any], *, pad_id: int) -> int:
    """All epochs; returns how many steps that were."""
    trained = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=job["learning_rate"], weight_decay=0.0)
    seeds = range(job["seed"], job["seed"] + job["epochs"])
    batches = [each for seed in seeds for each in batches_of(rows, job["batch_size"], seed)]
    schedule = get_linear_schedule_with_warmup(optimizer, 0, len(batches))
    model.train()
    for batch in batches:
        loss_of(model, batch, pad_id).backward()
        clip_grad_norm_(trained, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return len(batches)


def loss_of(model: Any, rows: list[Row], pad_id: int) -> torch.Tensor:
    """The mean loss of the supervised tokens, in nats. No token looks ahead, so none at padding."""
    longest = max(len(row.ids) for row in rows)
    ids = torch.tensor([row.ids + [pad_id] * (longest - len(row.ids)) for row in rows])
    labels = torch.tensor([row.labels + [LOOK_AWAY] * (longest - len(row.ids)) for row in rows])
    base = model.get_base_model()
    hidden = base.base_model(input_ids=ids, use_cache=False).last_hidden_state
    targets = labels[:, 1:]
    supervised = targets != LOOK_AWAY
    logits = base.get_output_embeddings()(hidden[:, :-1][supervised])
    return cross_entropy(logits, targets[supervised])


if __name__ == "__main__":
    main()
