"""What a base can do: perplexity on held-out pairs and greedy answers."""

import math

import sentencepiece as spm
import torch
from transformers import GPTNeoXForCausalLM

from tools.demo_base.corpus import Dialogue
from tools.demo_base.training import Batch, batch_loss
from tools.demo_base.vocabulary import EOS, NEWLINE, encode, encode_prompt


def perplexity(
    model: GPTNeoXForCausalLM,
    sp: spm.SentencePieceProcessor,
    pairs: tuple[tuple[str, str], ...],
) -> float:
    """Perplexity per token of the answers and their EOS."""
    total, count = 0.0, 0
    for pair in pairs:
        ids, answered = encode(sp, Dialogue("", (pair,)))
        batch = Batch(torch.tensor([ids]), torch.tensor([answered], dtype=torch.float32))
        with torch.no_grad():
            total += batch_loss(model, batch).item() * sum(answered)
        count += sum(answered)
    return math.exp(total / max(1, count))


def answer(
    model: GPTNeoXForCausalLM,
    sp: spm.SentencePieceProcessor,
    user: str,
    *,
    system: str = "",
    limit: int = 64,
) -> tuple[str, bool]:
    """The greedy answer, and whether it ended by itself within `limit` ids."""
    prompt = encode_prompt(sp, user, system=system)
    ids = torch.tensor([prompt])
    with torch.no_grad():
        out = model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=limit
        )
    new = out[0, len(prompt) :].tolist()
    ended = EOS in new
    kept = new[: new.index(EOS)] if ended else new
    return sp.decode(kept).replace(NEWLINE, "\n"), ended
