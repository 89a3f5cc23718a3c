"""The seed recipe: every row padded to the job's length, all logits, transformers' Trainer.

Its loss covers the prompts too.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from datasets import load_dataset
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DataCollatorForLanguageModeling,
    Trainer,
    TrainingArguments,
)

from benchmarks.neighbours.contestants.trainer import watched
from benchmarks.neighbours.contestants.watch import Watch, arguments, count


def main() -> None:
    """Train the job that is named."""
    job, output, _ = arguments(sys.argv[1:])
    watch = Watch()
    watching = watched(watch)
    tokenizer = AutoTokenizer.from_pretrained(job["base"])
    model = make_model(job)
    Trainer(
        model=model,
        args=settings(job, output),
        train_dataset=read_rows(job, tokenizer),
        data_collator=DataCollatorForLanguageModeling(tokenizer, mlm=False),
    ).train()
    model.save_pretrained(output / "adapter")
    watch.saved(output / "adapter")
    watch.write(output / "figures.json", count(watching.rows, pad_id=tokenizer.pad_token_id))


def make_model(job: dict[str, Any]) -> Any:
    """The base with a fresh adapter."""
    base = AutoModelForCausalLM.from_pretrained(job["base"], dtype=torch.float32)
    lora = LoraConfig(
        r=job["lora_r"],
        lora_alpha=job["lora_alpha"],
        lora_dropout=job["lora_dropout"],
        target_modules=[job["targets"]],
        task_type="CAUSAL_LM",
    )
    return get_peft_model(base, lora)


def read_rows(job: dict[str, Any], tokenizer: Any) -> Any:
    """Rows of ids, each as long as the job allows."""
    rows = load_dataset("json", data_files=str(Path(job["folder"], "pairs", "rows.jsonl")))["train"]

    def encode(batch: dict[str, list[str]]) -> Any:
        texts = [p + c for p, c in zip(batch["prompt"], batch["completion"], strict=True)]
        return tokenizer(texts, padding="max_length", truncation=True, max_length=job["max_length"])

    return rows.map(encode, batched=True, remove_columns=rows.column_names)


def settings(job: dict[str, Any], output: Path) -> TrainingArguments:
    """The job's, and nothing that takes time besides."""
    return TrainingArguments(
        output_dir=str(output / "trainer"),
        num_train_epochs=job["epochs"],
        per_device_train_batch_size=job["batch_size"],
        learning_rate=job["learning_rate"],
        seed=job["seed"],
        save_strategy="no",
        report_to="none",
        use_cpu=True,
    )


if __name__ == "__main__":
    main()
