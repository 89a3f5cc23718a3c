"""Whether text that is streamed is the exact text, and how soon it begins.

    python benchmarks/streaming.py [--streams 2000] [--output benchmarks/results/streaming.json]

For every vocabulary at hand (the demo base's; those of ../shared/vectors/models where present) the
strings of the vectors and random id streams go through `Tokenizer.stream()` one id at a time. All
that it gave must be what the library itself decodes behind other text; "first text" is the mean
share of a text's tokens after which something could be shown. Ends with 1 where anything is wrong.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jlora_cli.hub import ASSETS
from jlora_cli.tokenizer import load_tokenizer
from jlora_cli.tokenizer.portable import PROBES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jlora_cli.tokenizer import Tokenizer

ROOT = Path(__file__).resolve().parent.parent
VECTORS = ROOT.parent / "shared" / "vectors"
SEED = 20260107
LONGEST = 40
# A piece in front makes the library decode what follows as a continuation.
ANCHOR = "a"


def streamed(tokenizer: Tokenizer, ids: Sequence[int]) -> tuple[str, int]:
    """The concatenation, and after how many ids its first character was there (0: never)."""
    decoder, text, first = tokenizer.stream(), "", 0
    for place, id_ in enumerate(ids, start=1):
        text += decoder.push(id_)
        first = first or (place if text else 0)
    return text + decoder.finish(), first


def exact(tokenizer: Tokenizer, anchor: list[int], ids: Sequence[int]) -> str:
    """What the library decodes behind `anchor`."""
    return tokenizer.decode([*anchor, *ids]).removeprefix(tokenizer.decode(anchor))


def check(tokenizer: Tokenizer, texts: Sequence[str], streams: int) -> dict[str, object]:
    """The figures of one vocabulary."""
    draw = random.Random(SEED)
    anchor = tokenizer.encode(ANCHOR)[-1:]
    encoded = [ids for ids in tokenizer.encode_batch(texts) if ids]
    noise = [
        [draw.randrange(tokenizer.size) for _ in range(draw.randint(1, LONGEST))]
        for _ in range(streams)
    ]
    wrong = {"texts": 0, "streams": 0}
    firsts = []
    for kind, rows in (("texts", encoded), ("streams", noise)):
        for ids in rows:
            text, first = streamed(tokenizer, ids)
            wrong[kind] += text != exact(tokenizer, anchor, ids)
            if kind == "texts" and first:
                firsts.append(first / len(ids))
    return {
        "texts": len(encoded),
        "wrong_texts": wrong["texts"],
        "streams": len(noise),
        "wrong_streams": wrong["streams"],
        "first_text_after": round(statistics.mean(firsts), 4),
    }


def main() -> int:
    """Check every vocabulary and write one JSON document."""
    ask = argparse.ArgumentParser(description="streamed text beside the exact decode")
    ask.add_argument("--streams", type=int, default=2000)
    ask.add_argument("--output", type=Path)
    asked = ask.parse_args()
    folders = {"demo": ASSETS / "demo_base"}
    texts = [text for text in PROBES if text]
    if VECTORS.is_dir():
        folders |= {folder.name: folder for folder in sorted((VECTORS / "models").iterdir())}
        vectors = json.loads((VECTORS / "public.json").read_text(encoding="utf-8"))
        texts = list(dict.fromkeys([*(row["text"] for row in vectors["strings"]), *texts]))
    found = {
        name: check(load_tokenizer(folder), texts, asked.streams)
        for name, folder in folders.items()
    }
    document = json.dumps({"seed": SEED, "vocabularies": found}, indent=1) + "\n"
    print(document, end="")
    if asked.output is not None:
        asked.output.parent.mkdir(parents=True, exist_ok=True)
        asked.output.write_text(document, encoding="utf-8", newline="\n")
    return 1 if any(r["wrong_texts"] or r["wrong_streams"] for r in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
