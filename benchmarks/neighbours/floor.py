"""How long the matrix products of a LoRA run take by themselves: what no trainer can go below.

The products are those that the gradient of a LoRA run needs, in float32 and at the run's own
shapes: a batch's tokens by the layers' widths, the output layer at the supervised positions only,
attention at half of each row's square, since no token looks ahead. Below the first adapter nothing
is differentiated. A few batches are timed, in the process that trained; the others are taken to go
at the same rate.
"""

from __future__ import annotations

import json
import random
import statistics
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TIMED_BATCHES, REPEATS = 6, 3
Row = TypeVar("Row")
Lengths = list[tuple[int, int]]  # tokens and supervised tokens of each row of a batch


@dataclass(frozen=True)
class Widths:
    """The numbers of a decoder with full attention heads and two layers in its MLP."""

    hidden: int
    layers: int
    heads: int
    inner: int
    vocabulary: int

    @classmethod
    def read(cls, base: Path) -> Widths:
        """Those of a GPT-2 or GPT-NeoX config.json."""
        config = json.loads((base / "config.json").read_text(encoding="utf-8"))
        hidden = config.get("hidden_size") or config["n_embd"]
        return cls(
            hidden,
            config.get("num_hidden_layers") or config["n_layer"],
            config.get("num_attention_heads") or config["n_head"],
            config.get("intermediate_size") or config.get("n_inner") or 4 * hidden,
            config["vocab_size"],
        )


class Product(NamedTuple):
    """`count` products of (batch, rows, inner) by (batch, inner, columns), a `share` of each."""

    batch: int
    rows: int
    inner: int
    columns: int
    count: int = 1
    share: float = 1.0

    @property
    def flops(self) -> float:
        """Multiplications and additions."""
        size = 2.0 * self.batch * self.rows * self.inner * self.columns
        return size * self.count * self.share


def products(rows: Lengths, widths: Widths, rank: int) -> Iterator[Product]:
    """The products of one packed batch, forward and backward."""
    tokens, supervised = sum(n for n, _ in rows), sum(n for _, n in rows)
    hidden, layers, wide = widths.hidden, widths.layers, 3 * widths.hidden
    for inner, outer in ((hidden, hidden), (hidden, widths.inner), (widths.inner, hidden)):
        yield Product(1, tokens, inner, outer, layers)
        yield Product(1, tokens, outer, inner, layers)
    yield Product(1, tokens, hidden, wide, layers)
    yield Product(1, tokens, wide, hidden, layers - 1)
    yield Product(1, supervised, hidden, widths.vocabulary)
    yield Product(1, supervised, widths.vocabulary, hidden)
    yield from _adapter(tokens, hidden, wide, rank, layers)
    size = hidden // widths.heads
    for length, _ in rows:
        half = (length + 1) / (2 * length)
        # Scores and their gradients: queries, keys; values and theirs.
        yield Product(widths.heads, length, size, length, 2 * layers, half)
        yield Product(widths.heads, length, length, size, 4 * layers, half)


def _adapter(tokens: int, hidden: int, wide: int, rank: int, layers: int) -> Iterator[Product]:
    """A LoRA on the layer of queries, keys and values: forward, its gradients, and through it."""
    yield Product(1, tokens, hidden, rank, layers)
    yield Product(1, tokens, rank, wide, layers)
    yield Product(1, rank, tokens, wide, layers)
    yield Product(1, tokens, wide, rank, layers)
    yield Product(1, rank, tokens, hidden, layers)
    yield Product(1, tokens, rank, hidden, layers - 1)


def measure_floor(job: dict[str, Any]) -> dict[str, float]:
    """The CPU seconds that the products of the whole job take here, and at what rate."""
    widths, rank = Widths.read(Path(job["base"])), int(job["lora_r"])
    lengths = [(tokens, supervised) for tokens, supervised in job["lengths"]]
    batches = list(batches_of(lengths, job["batch_size"], job["seed"]))
    flops = [sum(p.flops for p in products(rows, widths, rank)) for rows in batches]
    timed = spread(sorted(range(len(batches)), key=flops.__getitem__), TIMED_BATCHES)
    seconds = sum(_seconds(products(batches[i], widths, rank)) for i in timed)
    rate = sum(flops[i] for i in timed) / seconds
    total = sum(flops) * job["epochs"]
    return {"gflop": total / 1e9, "gflop_per_s": rate / 1e9, "cpu_s": total / rate}


def batches_of(rows: Sequence[Row], size: int, seed: int) -> Iterator[list[Row]]:
    """Batches of `size` rows in a random order; the last may be short."""
    order = list(rows)
    random.Random(seed).shuffle(order)
    for start in range(0, len(order), size):
        yield order[start : start + size]


def spread(items: Sequence[int], most: int) -> list[int]:
    """At most `most` of them, evenly spread from the first to the last."""
    if len(items) <= most:
        return list(items)
    return [items[round(at * (len(items) - 1) / (most - 1))] for at in range(most)]


def _seconds(wanted: Iterator[Product]) -> float:
    """CPU seconds of the products, one of each kind timed."""
    counts: defaultdict[Product, float] = defaultdict(float)
    for each in wanted:
        counts[each._replace(count=1, share=1.0)] += each.count * each.share
    return sum(_one(product) * count for product, count in counts.items())


def _one(product: Product) -> float:
    """The median of a few, after one that does not count."""
    left = torch.randn(product.batch, product.rows, product.inner)
    right = torch.randn(product.batch, product.inner, product.columns)
    made = torch.empty(product.batch, product.rows, product.columns)
    if product.batch == 1:
        left, right, made = left[0], right[0], made[0]
    multiply = torch.mm if product.batch == 1 else torch.bmm
    taken = []
    for _ in range(REPEATS + 1):
        before = time.process_time()
        multiply(left, right, out=made)
        taken.append(time.process_time() - before)
    return statistics.median(taken[1:])
