"""Train a random GPT-NeoX base on a CUDA GPU in bfloat16, 8 and 4 bits, and record the figures.

    python benchmarks/gpu_train.py --output benchmarks/results/gpu_train.json

Needs a CUDA GPU and the `train` extra. The base has the 3.6B's shape at a tenth of its size, the
rows are the demo's, repeated; what is compared is speed and peak memory within one run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from jlora_cli.hub import ASSETS
from jlora_cli.machine import read_machine
from jlora_cli.proposal import propose
from jlora_cli.training.session import train

VARIANTS = (("bfloat16", "none"), ("bfloat16", "8bit"), ("bfloat16", "4bit"), ("float16", "none"))


def make_base(folder: Path) -> None:
    """A random base with the demo's vocabulary, saved in bfloat16."""
    config = GPTNeoXConfig(
        vocab_size=4608,
        hidden_size=1024,
        num_hidden_layers=24,
        num_attention_heads=16,
        intermediate_size=4096,
        max_position_embeddings=2048,
    )
    GPTNeoXForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    for name in ("spiece.model", "tokenizer_config.json"):
        shutil.copyfile(ASSETS / "demo_base" / name, folder / name)


def measure(
    base: Path, data: Path, run: Path, precision: str, quantization: str
) -> dict[str, object]:
    """The result of one short run."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    options = {
        "model": str(base),
        "data": str(data),
        "output": str(run),
        "precision": precision,
        "quantization": quantization,
        "max_steps": "30",
        "batch_size": "32",
    }
    record = train(propose("cpu-small", options, read_machine(try_torch=True)))
    return {"precision": precision, "quantization": quantization, **record["result"]}


def main() -> None:
    """Measure every variant and write one JSON document."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--output", type=Path, required=True)
    output = ask.parse_args().output
    if not torch.cuda.is_available():
        raise SystemExit("no CUDA GPU that torch can use: nothing measured")
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        make_base(here / "base")
        rows = (ASSETS / "demo_data" / "train.jsonl").read_text(encoding="utf-8")
        data = here / "rows.jsonl"
        data.write_text(rows * 20, encoding="utf-8")
        results = [measure(here / "base", data, here / f"run-{p}-{q}", p, q) for p, q in VARIANTS]
    document = {"gpu": torch.cuda.get_device_name(), "torch": torch.__version__, "runs": results}
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
