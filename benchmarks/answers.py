"""How fast jlora answers: against stock `model.generate`, and from its start to the first token.

    python benchmarks/answers.py --output benchmarks/results/answers.json

Speed: greedy, on the CPU, the demo base and a random GPT-2 of 110 M parameters (12 layers of 768,
32,000 tokens), the same prompts and threads; the two take turns, and each figure is the median of
the pairs. jlora's side is all of `Answerer.answer`: prompt to ids, model, ids to text. Ids must be
the same, else it stops. Start: whole processes that end with their first token, against `import
torch, transformers`. CPU time counts beside wall time, since neighbours slow the wall only.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from jlora_cli.dataset import Message
from jlora_cli.generation import Answerer, load_answerer
from jlora_cli.model import Placement
from jlora_cli.run_folder import Artifact
from jlora_cli.sampling import Sampling

if TYPE_CHECKING:
    from collections.abc import Callable

Times = tuple[float, float]  # wall and CPU, seconds
PROMPTS = (
    "こんにちは",
    "日本の首都はどこですか？",
    "ﾊﾟｿｺﾝの使い方を\n教えて🐈",
    "髙﨑さんと𠮷田さん",
)
SHAPE = {"n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024, "vocab_size": 32_000}
IMPORT = ("-c", "import torch, transformers")
INFER = ("-m", "jlora_cli", "infer")
FIRST = ("--prompt", "こんにちは", "--temperature", "0", "--max-new-tokens", "1")


def measured(work: Callable[[], Any]) -> tuple[Any, Times]:
    """What `work` returns, and how long it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, (time.perf_counter() - wall, time.process_time() - cpu)


def stock(answerer: Answerer, prompt: list[int], new: int) -> list[int]:
    """The greedy answer of `model.generate`, without the token that ends it."""
    stop = answerer.prompter.stop_ids
    ids = answerer.model.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        do_sample=False,
        max_new_tokens=new,
        eos_token_id=sorted(stop),
        pad_token_id=answerer.prompter.format.pad_id,
    )[0, len(prompt) :].tolist()
    return ids[:-1] if ids and ids[-1] in stop else ids


def speed(answerer: Answerer, new: int, rounds: int) -> dict[str, Any]:
    """Medians over all pairs of an answer by jlora and one by stock transformers."""
    sampling = Sampling(max_new_tokens=new, temperature=0.0)
    pairs: list[tuple[int, Times, Times]] = []
    for number in range(rounds + 1):
        for text in PROMPTS:
            asked = [Message("user", text)]
            prompt = answerer.prompter.prompt_ids(asked)
            theirs, slow = measured(lambda p=prompt: stock(answerer, p, new))
            ours, fast = measured(lambda a=asked: answerer.answer(a, sampling))
            if ours.ids != theirs:
                raise SystemExit(f"another answer to {text!r}: {ours.ids} {theirs}")
            if number:  # the first round warms up
                pairs.append((len(theirs) + (len(theirs) < new), fast, slow))
    told: dict[str, Any] = {"answers": len(pairs), "tokens": sum(pair[0] for pair in pairs)}
    for place, clock in enumerate(("wall", "cpu")):
        told[clock] = {
            "jlora_tokens_per_second": median(n / fast[place] for n, fast, _ in pairs),
            "stock_tokens_per_second": median(n / slow[place] for n, _, slow in pairs),
            "times_as_fast": median(slow[place] / fast[place] for _, fast, slow in pairs),
        }
    return told


def median(values: Any) -> float:
    """The median, in three digits."""
    return float(f"{statistics.median(values):.3g}")


def large(prompter: Any) -> Answerer:
    """A random model of 110 M parameters that gets the demo's prompts."""
    torch.manual_seed(0)
    return Answerer(GPT2LMHeadModel(GPT2Config(**SHAPE)).eval(), prompter)


def process(*words: str) -> Times:
    """How long a Python process takes, from its start to its end."""
    before, wall = os.times(), time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    after = os.times()
    cpu = after.children_user + after.children_system
    return time.perf_counter() - wall, cpu - before.children_user - before.children_system


def start(sources: dict[str, str], rounds: int) -> dict[str, Any]:
    """Medians of the processes, and of the ratio to the import that ran just before."""
    told: dict[str, Any] = {}
    for name, source in sources.items():
        pairs = [(process(*IMPORT), process(*INFER, source, *FIRST)) for _ in range(rounds)]
        told[name] = {
            clock: {
                "import_seconds": median(pair[0][place] for pair in pairs),
                "first_token_seconds": median(pair[1][place] for pair in pairs),
                "times_the_import": median(pair[1][place] / pair[0][place] for pair in pairs),
            }
            for place, clock in enumerate(("wall", "cpu"))
        }
    return told


def train_demo(folder: Path) -> str:
    """A run of two steps on the demo base: an adapter to start with."""
    words = ("train", "--profile", "cpu-small", "--model", "demo", "--data", "demo")
    process("-m", "jlora_cli", *words, "--max-steps", "2", "--output", str(folder))
    return str(folder)


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--only", choices=("speed", "start"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    told: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {asked.threads} thread(s)",
        "versions": {name: version(name) for name in ("torch", "transformers", "peft")},
    }
    if asked.only != "start":
        demo = load_answerer(Artifact("demo"), Placement())
        told["demo base"] = speed(demo, 64, 4 * asked.rounds)
        told["gpt2 110M"] = speed(large(demo.prompter), 64, asked.rounds)
        del demo
        gc.collect()
    if asked.only != "speed":
        with tempfile.TemporaryDirectory() as folder:
            run = train_demo(Path(folder) / "run")
            told["start"] = start({"demo base": "demo", "adapter": run}, asked.rounds)
    text = json.dumps(told, indent=2) + "\n"
    sys.stdout.write(text)
    if asked.output:
        asked.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
