"""Whether the memory that a plan foretells is what a run takes.

    python benchmarks/memory_estimate.py [--device cpu|cuda] [--output benchmarks/results/FILE.json]

For every shape, in a process of its own, `jlora train` trains two steps over a base with random
weights; the plan's total in its record is compared with the peak beside it: of the process's
resident set on a CPU, of what torch allocated on CUDA. Ends with 1 where one of them is off by
more than 15 % (CPU) or 10 % (CUDA). Needs the `train` extra, and about 8 GiB (CUDA: 24 GiB).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

from jlora_cli.hub import ASSETS
from jlora_cli.machine import read_machine
from jlora_cli.tokenizer import load_tokenizer
from jlora_cli.training.measuring import write_random_base

_COMMON = {"vocab_size": 32_000, "bos_token_id": 2, "eos_token_id": 3}
SHAPES: dict[str, dict[str, Any]] = {
    "gpt2-110m": _COMMON
    | {"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024},
    "llama-110m": _COMMON
    | {
        "model_type": "llama",
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "num_key_value_heads": 4,
        "intermediate_size": 2048,
        "max_position_embeddings": 2048,
    },
    "neox-320m": _COMMON
    | {
        "model_type": "gpt_neox",
        "hidden_size": 1024,
        "num_hidden_layers": 20,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
        "max_position_embeddings": 2048,
    },
    # rinna/japanese-gpt2-medium and rinna/japanese-gpt-neox-3.6b.
    "gpt2-medium": _COMMON
    | {"model_type": "gpt2", "n_embd": 1024, "n_layer": 24, "n_head": 16, "n_positions": 1024},
    "neox-3.6b": _COMMON
    | {
        "model_type": "gpt_neox",
        "hidden_size": 2816,
        "num_hidden_layers": 36,
        "num_attention_heads": 22,
        "intermediate_size": 11_264,
        "max_position_embeddings": 2048,
        "rotary_pct": 1.0,
        "use_parallel_residual": False,
        "dtype": "bfloat16",
    },
}
# In float32 on a CPU, so that its files are read and converted.
SHAPES["neox-320m-half"] = SHAPES["neox-320m"] | {"dtype": "float16"}
ROWS = 24
TEXT = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。"
TOLERANCE = {"cpu": 0.15, "cuda": 0.10}


def cases(device: str) -> list[dict[str, Any]]:
    """What is trained: shape, tokens a row, settings."""
    if device == "cpu":
        shapes = ("gpt2-110m", "llama-110m", "neox-320m")
        made = [
            {"shape": shape, "tokens": 256, "settings": {"batch_size": size}}
            for shape in shapes
            for size in (2, 8)
        ]
        half = {"shape": "gpt2-110m", "tokens": 512}
        return [
            *made,
            half | {"settings": {"batch_size": 4, "packing": "false"}},
            half | {"settings": {"batch_size": 8, "gradient_checkpointing": "true"}},
            {"shape": "neox-320m-half", "tokens": 64, "settings": {"batch_size": 1}},
        ]
    return [
        {
            "shape": shape,
            "tokens": 512,
            "settings": {"batch_size": size, "precision": "bfloat16", "quantization": packed},
        }
        for shape in ("gpt2-medium", "neox-3.6b")
        for packed in ("none", "8bit", "4bit")
        for size in (2, 8)
    ]


def make_base(folder: Path, shape: str) -> Path:
    """A base with random weights and the demo's tokenizer."""
    made, config = folder / shape, folder / f"{shape}-config"
    if not made.exists():
        made.mkdir()
        config.mkdir()
        (config / "config.json").write_text(json.dumps(SHAPES[shape]), encoding="utf-8")
        write_random_base(config, made)
        for name in ("spiece.model", "tokenizer_config.json"):
            shutil.copyfile(ASSETS / "demo_base" / name, made / name)
    return made


def make_rows(folder: Path, tokens: int) -> Path:
    """Rows of about so many tokens of the demo's tokenizer, half of each an answer."""
    path = folder / f"rows-{tokens}.jsonl"
    tokenizer, half = load_tokenizer(ASSETS / "demo_base"), ""
    while len(tokenizer.encode(half)) < tokens // 2 - 10:
        half += TEXT[len(half) % len(TEXT)]
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"{number}{half}"},
                # The rows of a real data set differ in length.
                {"role": "assistant", "content": f"{number}{half[number:]}"},
            ]
        }
        for number in range(ROWS)
    ]
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def compare(case: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The plan's total and the run's peak, GiB, in a fresh process."""
    options = {
        "model": make_base(folder, case["shape"]),
        "data": make_rows(folder, case["tokens"]),
        "output": folder / "run",
        "max_steps": 2,
        "warmup_steps": 0,
        "sample_prompts": "猫",
        **case["settings"],
    }
    words = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "jlora_cli", "train", "--profile", "cpu-small", "--json"]
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
    shutil.rmtree(folder / "run", ignore_errors=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    record = json.loads(done.stdout)
    terms, peak = record["plan"]["memory_gib"], record["result"]["peak_memory_gib"]
    ratio = terms["total"] / peak
    return case | {
        "estimated_gib": terms["total"],
        "measured_gib": peak,
        "ratio": round(ratio, 3),
        "seconds": record["result"]["seconds"],
        "terms_gib": terms,
    }


def shown(result: dict[str, Any]) -> str:
    """One line of the table."""
    settings = ", ".join(f"{name} {value}" for name, value in result["settings"].items())
    return (
        f"{result['shape']:12} {result['tokens']:4} tokens  {result['estimated_gib']:7.3f} GiB "
        f"estimated {result['measured_gib']:7.3f} measured {result['ratio']:6.3f}  {settings}"
    )


def main() -> int:
    """Measure every case, print a table and write one JSON document."""
    ask = argparse.ArgumentParser(description="a plan's memory beside that of its run")
    ask.add_argument("--device", choices=tuple(TOLERANCE), default="cpu")
    ask.add_argument("--output", type=Path)
    asked = ask.parse_args()
    if asked.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    machine, results = read_machine(), []
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(asked.device):
            results.append(compare(case, Path(folder)))
            print(shown(results[-1]), flush=True)
    worst = max(abs(result["ratio"] - 1) for result in results)
    print(f"worst: {worst:.1%} off, {TOLERANCE[asked.device]:.0%} allowed")
    document = {
        "command": f"python benchmarks/memory_estimate.py --device {asked.device}",
        "machine": {
            "system": machine.system,
            "cores": machine.cores,
            "memory_gib": machine.memory_gib,
            "gpu": machine.usable_gpu.name if machine.usable_gpu else None,
            "python": platform.python_version(),
        },
        "versions": {
            name: metadata.version(name) for name in ("torch", "transformers", "peft", "accelerate")
        },
        "tolerance": TOLERANCE[asked.device],
        "results": results,
    }
    if asked.output is not None:
        text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
        asked.output.write_text(text, encoding="utf-8", newline="\n")
    return int(worst > TOLERANCE[asked.device])


if __name__ == "__main__":
    sys.exit(main())
