"""A conversation -> an answer: batches, streams, and the sampling that chooses each token.

Works on ids; what they mean to a person is the prompter's business. An answer does not depend on
its batch: rows are padded on the left, padding is masked and given no position, and every row
draws from a generator of its own.

`sampling` chooses tokens, `engine` runs the model over them, `draft` is one answer while it is
written, `answerer` makes answers of conversations, `loading` makes answerers of sources.
"""

from __future__ import annotations

from jlora_cli.generation.answer import Answer, FinishReason, TokenChoice
from jlora_cli.generation.answerer import Answerer
from jlora_cli.generation.choosing import choose_tokens
from jlora_cli.generation.engine import context_length
from jlora_cli.generation.loading import (
    QUANTIZATIONS,
    load_answerer,
    placement_for,
)
from jlora_cli.sampling import Sampling

__all__ = [
    "QUANTIZATIONS",
    "Answer",
    "Answerer",
    "FinishReason",
    "Sampling",
    "TokenChoice",
    "choose_tokens",
    "context_length",
    "load_answerer",
    "placement_for",
]
