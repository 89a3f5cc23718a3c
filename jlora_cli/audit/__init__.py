"""What a tokenizer makes of the data: what is unknown, lost, or spelled like a control token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jlora_cli.audit.embedding import describe_untrained
from jlora_cli.audit.figures import (
    count_tokens,
    embedding_rows,
    figures_of_tokens,
    round_trips,
    skeleton_of,
    special_ids_of,
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
    of_system,
    of_unknown,
)
from jlora_cli.audit.parity import parity_texts, stock_note, stock_parity
from jlora_cli.audit.texts import Texts
from jlora_cli.audit.wording import brief, describe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jlora_cli.dataset import Example
    from jlora_cli.finding import Finding
    from jlora_cli.prompt import Encoded, Prompter

__all__ = [
    "Audited",
    "Texts",
    "audit",
    "brief",
    "conclude",
    "describe",
    "describe_untrained",
    "embedding_rows",
    "figures_of_tokens",
    "parity_texts",
    "round_trips",
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
    return conclude(
        prompter,
        Texts.of(examples, prompter.tokenizer.special_ids),
        figures_of_tokens(prompter, count_tokens(rows)) | round_trips(prompter, examples),
        embedding=embedding,
    )


def conclude(
    prompter: Prompter, texts: Texts, counted: Mapping[str, Any], *, embedding: int | None
) -> Audited:
    """The same of rows that were read before.

    `counted` is what `figures_of_tokens` and `round_trips` gave for them.
    """
    skeleton = skeleton_of(prompter)
    unknown = counted["unknown"] | {"characters": unknown_characters(prompter, texts, skeleton)}
    spellings = dict(texts.spelled.most_common())
    figures = {
        **counted,
        "unknown": unknown,
        "survives": survival(prompter),
        "special_literals": spellings,
        "literals_stay_text": stay_text(prompter, spellings),
        "special_ids": special_ids_of(prompter.tokenizer, embedding),
        "template_specials_split": split_specials(prompter.tokenizer, skeleton),
    }
    findings = [
        *of_ids(prompter, figures, embedding),
        *of_system(prompter, texts),
        *of_unknown(figures["unknown"]),
        *of_losses(prompter, texts, figures["survives"]),
        *of_spellings(texts, spellings),
        *of_language(texts, figures["characters_per_token"]),
        *of_places(texts),
    ]
    return Audited(figures, findings)
