"""The pre-training loop of the demo base: batches, loss and schedule."""

import math
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

import sentencepiece as spm
import torch
from torch import Tensor
from torch.nn import functional
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from tools.demo_base.corpus import Corpus
from tools.demo_base.variation import endless
from tools.demo_base.vocabulary import EOS, NEWLINE, encode

PROSE_LENGTH = 192
BATCH_TOKENS = 1536
POOL = 2048
PEAK, FLOOR = 2.5e-3, 2e-5
WARMUP = 60
USER_WEIGHT = 0.25


@dataclass(frozen=True)
class Batch:
    """ids: (batch, length), 0 where padded; weight: (batch, length), of each id as a target."""

    ids: Tensor
    weight: Tensor


@dataclass(frozen=True)
class Budget:
    """How long to train (whichever is used up first) and how fast at the peak."""

    steps: int
    minutes: float
    peak: float = PEAK

    def spent(self, step: int, started: float) -> float:
        """The share of the budget used up, 0 to 1."""
        elapsed = (time.monotonic() - started) / 60
        return max(step / self.steps, elapsed / self.minutes)


def new_model(pieces: int, *, hidden: int = 256, layers: int = 4) -> GPTNeoXForCausalLM:
    """A model with random weights; four heads of 64, tied embeddings."""
    config = GPTNeoXConfig(
        vocab_size=pieces,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=4 * hidden,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        use_parallel_residual=False,
        hidden_act="gelu",
        hidden_dropout=0.0,
        attention_dropout=0.0,
        rotary_pct=1.0,
        bos_token_id=2,
        eos_token_id=EOS,
        pad_token_id=0,
    )
    config._attn_implementation = "sdpa"
    return GPTNeoXForCausalLM(config)


def _pad(rows: list[tuple[list[int], list[bool]]]) -> Batch:
    length = max(len(ids) for ids, _ in rows)
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    weight = torch.zeros(len(rows), length)
    for i, (row, answered) in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
        weight[i, : len(row)] = torch.tensor([1.0 if a else USER_WEIGHT for a in answered])
    return Batch(ids, weight)


def dialogue_batches(
    corpus: Corpus, sp: spm.SentencePieceProcessor, *, seed: int
) -> Iterator[Batch]:
    """Dialogues of like length together, about `BATCH_TOKENS` ids a batch."""
    rng = random.Random(seed)
    source = endless(corpus, seed=seed)
    while True:
        pool = sorted((encode(sp, next(source)) for _ in range(POOL)), key=lambda r: len(r[0]))
        batches: list[list[tuple[list[int], list[bool]]]] = [[]]
        for row in pool:
            if len(row[0]) * (len(batches[-1]) + 1) > BATCH_TOKENS:
                batches.append([])
            batches[-1].append(row)
        rng.shuffle(batches)
        yield from (_pad(batch) for batch in batches if batch)


def prose_batches(
    works: list[str], sp: spm.SentencePieceProcessor, *, seed: int
) -> Iterator[Batch]:
    """Random windows of the works, an EOS between one work and the next."""
    stream = torch.tensor(
        [i for work in works for i in [*sp.encode(work.replace("\n", NEWLINE)), EOS]]
    )
    generator = torch.Generator().manual_seed(seed)
    rows = BATCH_TOKENS // PROSE_LENGTH
    while True:
        starts = torch.randint(0, len(stream) - PROSE_LENGTH, (rows,), generator=generator)
        ids = torch.stack([stream[s : s + PROSE_LENGTH] for s in starts.tolist()])
        yield Batch(ids, torch.ones(ids.shape))


def batch_loss(model: GPTNeoXForCausalLM, batch: Batch) -> Tensor:
    """Weighted mean cross-entropy; padding stands last, so causal attention is enough."""
    hidden = model.gpt_neox(input_ids=batch.ids, use_cache=False).last_hidden_state[:, :-1]
    weight = batch.weight[:, 1:]
    looked_at = weight > 0
    logits = model.get_output_embeddings()(hidden[looked_at])
    losses = functional.cross_entropy(logits, batch.ids[:, 1:][looked_at], reduction="none")
    weights = weight[looked_at]
    return (losses * weights).sum() / weights.sum()


def learning_rate(step: int, spent: float, *, peak: float) -> float:
    """Linear warm-up, then a cosine from `peak` to `FLOOR` over the budget."""
    cosine = FLOOR + (peak - FLOOR) * (1 + math.cos(math.pi * min(1.0, spent))) / 2
    return cosine * min(1.0, (step + 1) / WARMUP)


def prose_share(spent: float) -> float:
    """A quarter of the steps are prose at first, none in the second half."""
    return max(0.0, 0.25 * (1 - spent / 0.5))


def _optimizer(model: GPTNeoXForCausalLM) -> torch.optim.AdamW:
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    groups = [
        {"params": matrices, "weight_decay": 0.1},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=PEAK, betas=(0.9, 0.98), fused=True)


def _note(step: int, spent: float, tokens: int, started: float, losses: dict[str, float]) -> str:
    speed = tokens / (time.monotonic() - started)
    means = " ".join(f"{kind} {loss:.3f}" for kind, loss in losses.items())
    return f"step {step} spent {spent:.2f} {means} {speed:.0f} tok/s"


def pretrain(
    model: GPTNeoXForCausalLM,
    *,
    dialogues: Iterator[Batch],
    prose: Iterator[Batch] | None,
    budget: Budget,
    seed: int,
) -> Iterator[str]:
    """Trains in place; yields a line of progress now and then."""
    rng = random.Random(seed)
    optimizer = _optimizer(model)
    started = time.monotonic()
    step, tokens, spent = 0, 0, 0.0
    means: dict[str, float] = {}
    while spent < 1:
        kind = "prose" if prose and rng.random() < prose_share(spent) else "talk"
        batch = next(prose) if prose and kind == "prose" else next(dialogues)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, spent, peak=budget.peak)
        loss = batch_loss(model, batch)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        means[kind] = 0.95 * means.get(kind, loss.item()) + 0.05 * loss.item()
        step, tokens = step + 1, tokens + batch.ids.numel()
        spent = budget.spent(step, started)
        if step % 50 == 0 or spent >= 1:
            yield _note(step, spent, tokens, started, means)
