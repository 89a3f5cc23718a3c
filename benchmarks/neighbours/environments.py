"""A virtual environment for each neighbour, made once, with everything pinned that decides."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

# By itself and first: a build that is there already then satisfies what the others ask for.
TORCH = ("torch==2.13.0",)
STACK = (
    *("transformers==5.23.0", "peft==0.21.2", "accelerate==1.15.0", "datasets==5.2.0"),
    *("sentencepiece==0.2.3", "protobuf==7.36.2"),
)
# What LLaMA-Factory 0.9.5 allows at most, and what a text job imports of the rest. All that it
# names does not start beside a torch without CUDA: torchvision and torchaudio are built for one.
FACTORY = (
    *("transformers==5.6.0", "peft==0.18.1", "accelerate==1.11.0", "datasets==4.0.0"),
    *("trl==0.24.0", "sentencepiece==0.2.3", "protobuf==7.36.2", "omegaconf==2.4.0"),
    *("matplotlib==3.11.2", "scipy==1.17.1", "av==16.0.0", "fire==0.7.1", "einops==0.8.2"),
    *("pillow==11.3.0", "requests==2.34.2"),
)
STEPS: dict[str, tuple[tuple[str, ...], ...]] = {
    "trainer": (TORCH, STACK),
    "trl": (TORCH, (*STACK, "trl==1.16.0")),
    "llamafactory": (TORCH, FACTORY, ("--no-deps", "llamafactory==0.9.5")),
}
MADE = "made.json"


class Environment(NamedTuple):
    """An environment's interpreter; `problem` is the last line of what kept it from being made."""

    python: Path
    problem: str = ""


def make(name: str, cache: Path) -> Environment:
    """The environment `name` under `cache`, as it is there or made anew."""
    folder, steps = cache / name, STEPS[name]
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    wanted = json.dumps(steps)
    made = folder / MADE
    if made.is_file() and made.read_text(encoding="utf-8") == wanted:
        return Environment(python)
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    for step in steps:
        words = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", *step)
        done = subprocess.run(
            [str(python), *words], capture_output=True, text=True, encoding="utf-8", check=False
        )
        if done.returncode:
            return Environment(python, last_line(done.stderr))
    made.write_text(wanted, encoding="utf-8")
    return Environment(python)


def last_line(text: str) -> str:
    """The last line that says something."""
    said = [line.strip() for line in text.splitlines() if line.strip()]
    return said[-1] if said else "ended without a word"
