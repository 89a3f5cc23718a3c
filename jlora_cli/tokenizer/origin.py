"""What a folder tells of the tokenizer that belongs to it, whichever tool wrote the folder.

Reads small files only, and asks no hub: a base that is elsewhere is named, not looked up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jlora_cli.tokenizer.folder import read_object

if TYPE_CHECKING:
    from pathlib import Path

VOCABULARIES = ("*.model", "*.tiktoken", "tokenizer.json")


@dataclass(frozen=True)
class Origin:
    """`folder` is where the tokenizer's files would lie, and `complete` whether they do.

    `base` is the model that an adapter or a merged model says it was made from; `recorded` the
    fingerprint of the tokenizer that jlora trained it with; None where no file tells.
    """

    folder: Path
    complete: bool
    adapter: bool
    base: str | None
    recorded: str | None


def read_origin(folder: Path) -> Origin:
    """The origin of a run, an adapter, a merged model or a base.

    Raises:
        JloraError: a file that should tell is broken.
    """
    inner = folder / "adapter"
    if not _has_vocabulary(folder) and (inner / "adapter_config.json").is_file():
        folder = inner
    adapter, card = read_object(folder / "adapter_config.json"), read_object(folder / "jlora.json")
    bases = (_in(card, "base", "model"), adapter.get("base_model_name_or_path"))
    return Origin(
        folder=folder,
        complete=_has_vocabulary(folder),
        adapter=bool(adapter),
        base=next((base for base in bases if isinstance(base, str) and base), None),
        recorded=_in(card, "tokenizer", "fingerprint"),
    )


def _has_vocabulary(folder: Path) -> bool:
    return any(next(folder.glob(name), None) for name in VOCABULARIES)


def _in(card: dict[str, object], part: str, key: str) -> str | None:
    inner = card.get(part)
    value = inner.get(key) if isinstance(inner, dict) else None
    return value if isinstance(value, str) and value else None
