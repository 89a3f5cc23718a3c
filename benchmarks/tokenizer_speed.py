"""How fast jlora encodes beside raw sentencepiece, on the same text in the same run.

    python benchmarks/tokenizer_speed.py MODEL_FOLDER... [--text FILE] [--runs 7]

Each folder holds a SentencePiece model. The lines of the text, some 200 characters each, are
encoded in one batch by `Tokenizer.encode_batch` and by `SentencePieceProcessor.encode`, in turns,
so that a busy machine slows both alike. Prints medians of wall time and their ratio, writes them to
benchmarks/results/tokenizer_speed.json, and ends with 1 where jlora has less than half the speed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import sentencepiece

from jlora_cli.token_view import chunks_of
from jlora_cli.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT = 0.5
RESULT = Path(__file__).parent / "results" / "tokenizer_speed.json"
TEXT = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n" * 20_000


def main() -> int:
    """Measure every folder, and say by the exit code whether the limit holds."""
    ask = argparse.ArgumentParser(description="encode_batch beside raw sentencepiece")
    ask.add_argument("folders", nargs="+", type=Path)
    ask.add_argument("--text", type=Path, help="UTF-8 text; without it, one sentence repeated")
    ask.add_argument("--runs", type=int, default=7)
    asked = ask.parse_args()
    text = asked.text.read_text(encoding="utf-8") if asked.text else TEXT
    chunks = chunks_of(text)
    rows = [measured(folder, chunks, asked.runs) for folder in asked.folders]
    about = {
        "text": asked.text.name if asked.text else "one sentence, repeated",
        "characters": sum(map(len, chunks)),
        "chunks": len(chunks),
        "runs": asked.runs,
        "sentencepiece": version("sentencepiece"),
        "limit": LIMIT,
    }
    RESULT.parent.mkdir(exist_ok=True)
    result = json.dumps({**about, "models": rows}, ensure_ascii=False, indent=2)
    RESULT.write_text(result + "\n", encoding="utf-8")
    held = all(row["ratio"] >= LIMIT and row["same_ids"] for row in rows)
    print(f"limit {LIMIT}: {'held' if held else 'not held'}")
    return 0 if held else 1


def measured(folder: Path, chunks: list[str], runs: int) -> dict[str, object]:
    """The row of one folder, printed as well; the first round only warms up."""
    tokenizer = load_tokenizer(folder)
    raw = sentencepiece.SentencePieceProcessor(model_file=str(tokenizer.files[0]))
    tokens = sum(map(len, tokenizer.encode_batch(chunks)))
    same = tokenizer.encode_batch(chunks) == raw.encode(chunks)
    taken: dict[str, list[float]] = {"jlora": [], "raw": []}
    for _ in range(runs + 1):
        taken["jlora"].append(seconds(tokenizer.encode_batch, chunks))
        taken["raw"].append(seconds(raw.encode, chunks))
    jlora, alone = (statistics.median(each[1:]) for each in taken.values())
    row = {
        "model": folder.resolve().name,
        "family": tokenizer.family,
        "tokens": tokens,
        "same_ids": same,
        "jlora_seconds": round(jlora, 4),
        "raw_seconds": round(alone, 4),
        "jlora_tokens_per_second": round(tokens / jlora),
        "ratio": round(alone / jlora, 3),
    }
    print("  ".join(f"{name} {value}" for name, value in row.items()))
    return row


def seconds(encode: Callable[[list[str]], object], chunks: list[str]) -> float:
    """Wall seconds of one call."""
    begun = time.perf_counter()
    encode(chunks)
    return time.perf_counter() - begun


if __name__ == "__main__":
    sys.exit(main())
