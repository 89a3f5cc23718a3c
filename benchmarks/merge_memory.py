"""How much memory a merge takes beside the shards that it reads.

    python benchmarks/merge_memory.py [--output benchmarks/results/merge_memory.json]

A random Llama of some 700 MB, in shards of at most 100 MB and then in one file, gets a random
adapter on every linear layer. A fresh process tells its peak resident set before it merges, after
the weights are written, and after a whole `merge` with verify off, which rebuilds and compares the
tokenizer too: as much for every base. Ends with 1 where the weights took more than one shard and
the adapter. Linux and macOS.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LAYOUTS = {"shards of 100 MB": "100MB", "one file": "10GB"}
RANK = 16
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
MIB = 1 << 20

MERGE = """
import resource, sys
from pathlib import Path
import torch
from jlora_cli.merging import Terms, merge
from jlora_cli.merging.changes import read_changes
from jlora_cli.merging.shards import shard_tensors, shards_of, write_shards
from jlora_cli.run_folder import open_source
from jlora_cli.weights import check_base
def peak():
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
adapter, base, weights, whole = map(Path, sys.argv[1:])
print(peak())
shards = shards_of(base)
shapes = {name: shape for name, (shape, _) in shard_tensors(shards).items()}
weights.mkdir()
write_shards(shards, weights, read_changes(adapter, check_base(base), shapes), None)
print(peak())
merge(open_source(str(adapter), base=str(base)), whole, Terms(verify="off"))
print(peak())
"""


def main() -> int:
    """Measure every layout, print a line each, and say by the exit code whether the bound holds."""
    ask = argparse.ArgumentParser(description="peak memory of a merge beside its shards")
    ask.add_argument("--output", type=Path)
    given = ask.parse_args()
    rows = []
    columns = ("base", "shard", "adapter", "before", "weights", "whole")
    print(f"{'MiB':<18}" + "".join(f"{name:>9}" for name in columns))
    for layout, size in LAYOUTS.items():
        with tempfile.TemporaryDirectory() as folder:
            row = {"layout": layout, **measure(Path(folder), size)}
        print(f"{layout:<18}" + "".join(f"{row[name]:>9.0f}" for name in columns))
        rows.append(row)
    held = all(row["weights"] <= row["shard"] + row["adapter"] for row in rows)
    print(f"weights within one shard and the adapter: {'held' if held else 'exceeded'}")
    if given.output is not None:
        versions = {name: metadata.version(name) for name in ("torch", "safetensors")}
        machine = {"machine": platform.machine(), "system": platform.system()}
        document = {"unit": "MiB", "rows": rows, **machine, "versions": versions}
        given.output.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 0 if held else 1


def measure(folder: Path, shard_size: str) -> dict[str, Any]:
    """The sizes of one layout, and what its merge adds to the peak of its process, MiB."""
    base, adapter = folder / "base", folder / "adapter"
    # In a process of its own: a child's peak begins at what its parent holds when it is forked.
    making = multiprocessing.get_context("spawn").Process(target=build, args=(folder, shard_size))
    making.start()
    making.join()
    places = [adapter, base, folder / "weights", folder / "merged"]
    words = [sys.executable, "-c", MERGE, *map(str, places)]
    done = subprocess.run(words, check=True, capture_output=True, text=True, cwd=ROOT)
    before, weights, whole = map(int, done.stdout.split())
    shards = [path.stat().st_size for path in base.glob("*.safetensors")]
    sizes = {
        "base": sum(shards),
        "shard": max(shards),
        "adapter": (adapter / "adapter_model.safetensors").stat().st_size,
        "before": before,
        "weights": weights - before,
        "whole": whole - before,
    }
    return {name: round(size / MIB, 1) for name, size in sizes.items()}


def build(folder: Path, shard_size: str) -> None:
    """Write a random base with the demo's tokenizer, and a random adapter on it."""
    import torch  # noqa: PLC0415 - the measuring process stays small
    from peft import LoraConfig, get_peft_model  # noqa: PLC0415
    from transformers import LlamaConfig, LlamaForCausalLM  # noqa: PLC0415

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=32000,
        hidden_size=1024,
        intermediate_size=2816,
        num_hidden_layers=10,
        num_attention_heads=8,
    )
    model = LlamaForCausalLM(config)
    base, adapter = folder / "base", folder / "adapter"
    model.save_pretrained(base, max_shard_size=shard_size)
    for name in ("spiece.model", "tokenizer_config.json"):
        shutil.copyfile(ROOT / "jlora_cli" / "assets" / "demo_base" / name, base / name)
    adapted = get_peft_model(model, LoraConfig(r=RANK, target_modules=TARGETS))
    for name, tensor in adapted.named_parameters():
        if "lora_B" in name:
            tensor.data.normal_(std=0.01)
    adapted.save_pretrained(adapter, save_embedding_layers=False)


if __name__ == "__main__":
    sys.exit(main())
