"""How long the tokenizer's audit takes beside one pass of raw sentencepiece over the same texts.

    python benchmarks/audit_speed.py DATA MODEL... [--runs 7]

DATA is a file of rows, MODEL a folder with a SentencePiece model. The rows are read and encoded
before the clock starts, as `prepare` and `train` have them; the audit and the raw pass take turns,
so that a busy machine slows both alike. Prints medians of CPU time, their ratio, and the audit's
seconds per 5,000 rows; ends with 1 where these are above the limit.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import sentencepiece

from jlora_cli.audit import audit
from jlora_cli.preparing import load_data
from jlora_cli.prompt import Prompter, choose_template, format_for
from jlora_cli.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT = 1.0  # seconds per 5,000 rows


def main() -> int:
    """Measure every model, print a line each, and say by the exit code whether the limit holds."""
    ask = argparse.ArgumentParser(description="the tokenizer's audit beside raw sentencepiece")
    ask.add_argument("data")
    ask.add_argument("models", nargs="+", type=Path)
    ask.add_argument("--runs", type=int, default=7)
    given = ask.parse_args()
    examples = load_data(given.data).examples
    print(
        f"{'model':<24}{'rows':>7}{'raw, s':>9}{'audit, s':>10}{'ratio':>7}{'s / 5,000 rows':>16}"
    )
    held = True
    for folder in given.models:
        tokenizer = load_tokenizer(folder)
        template = choose_template("auto", tokenizer, examples)
        prompter = Prompter(tokenizer, format_for(tokenizer, template, folder.name))
        rows = prompter.encode_examples(examples, max_length=10**9).rows
        (model,) = [file for file in tokenizer.files if file.suffix == ".model"]
        raw = sentencepiece.SentencePieceProcessor(model_file=str(model))
        texts = [message.content for example in examples for message in example.messages]
        passes: list[Callable[[], object]] = [
            lambda raw=raw, texts=texts: raw.encode(texts, num_threads=1),
            lambda prompter=prompter, rows=rows: audit(prompter, examples, rows),
        ]
        plain, audited = measure(passes, given.runs)
        each = audited * 5000 / len(examples)
        held = held and each <= LIMIT
        shown = f"{plain:>9.3f}{audited:>10.3f}{audited / plain:>7.2f}{each:>16.3f}"
        print(f"{folder.name:<24}{len(examples):>7}{shown}")
    print(f"limit {LIMIT} s per 5,000 rows: {'held' if held else 'exceeded'}")
    return 0 if held else 1


def measure(passes: list[Callable[[], object]], runs: int) -> list[float]:
    """Median CPU seconds of each; the first round only warms up."""
    taken: list[list[float]] = [[] for _ in passes]
    for _ in range(runs + 1):
        for each, done in zip(passes, taken, strict=True):
            begun = time.process_time()
            each()
            done.append(time.process_time() - begun)
    return [statistics.median(done[1:]) for done in taken]


if __name__ == "__main__":
    sys.exit(main())
