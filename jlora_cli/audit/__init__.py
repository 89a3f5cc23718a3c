"""What a tokenizer makes of the data: what is unknown, lost, or spelled like a control token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jlora_cli.audit.embedding import describe_untrained
from jlora_cli.audit.figures import (
    Data,
    count_tokens,
    embedding_rows,
    round_trips,
    skeleton_of,
    special_ids_of,
    spellings_in,
    split_specials,
    stay_text,
    survival,
    unknown_characters,
)
from jlora_cli.audit.findings import (
    of_ids,
    of_language,
    of_losses,
    of_places,
    of_spellings,
    of_unknown,
)
from jlora_cli.audit.parity import cache_folder, parity_texts, stock_note, stock_parity
from jlora_cli.audit.wording import brief, describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jlora_cli.dataset import Example
    from jlora_cli.finding import Finding
    from jlora_cli.prompt import Encoded, Prompter

__all__ = [
    "Audited",
    "audit",
    "brief",
    "cache_folder",
    "describe",
    "describe_untrained",
    "embedding_rows",
    "parity_texts",
    "stock_note",
    "stock_parity",
]


@dataclass(frozen=True)
class Audited:
    """`figures` is what `--json` shows under `tokens`; `findings` is empty for healthy rows."""

    figures: dict[str, Any]
    findings: list[Finding]


def audit(
    prompter: Prompter,
    examples: Sequence[Example],
    rows: Sequence[Encoded],
    *,
    embedding: int | None = None,
) -> Audited:
    """What `prompter`'s tokenizer makes of `examples`, whose encoding is `rows`.

    `embedding` is how many ids the model's embedding has room for; None where nothing tells.
    """
    data = Data(examples, skeleton_of(prompter))
    tokens = count_tokens(prompter, rows)
    spellings = spellings_in(prompter.tokenizer, data)
    figures = {
        "unknown": tokens.unknown | {"characters": unknown_characters(prompter, data)},
        "byte_fallback_share": tokens.byte_share,
        **round_trips(prompter, examples),
        "survives": survival(prompter),
        "special_literals": spellings,
        "literals_stay_text": stay_text(prompter, spellings),
        "special_ids": special_ids_of(prompter.tokenizer, embedding),
        "template_specials_split": split_specials(prompter.tokenizer, data.skeleton),
    }
    findings = [
        *of_ids(prompter, figures, embedding),
        *of_unknown(figures["unknown"]),
        *of_losses(prompter, data, figures["survives"]),
        *of_spellings(data, figures),
        *of_language(data, figures),
        *of_places(data),
    ]
    return Audited(figures, findings)
