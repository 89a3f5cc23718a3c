"""What is asked of `prepare`, and what it made."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from jlora_cli.dataset import Mapping, OnBadRow

if TYPE_CHECKING:
    from pathlib import Path

    from jlora_cli.finding import Finding

Dedupe = Literal["exact", "near"]
NOTHING_MAPPED = Mapping()


@dataclass(frozen=True)
class Rules:
    """How sources become rows. `validation` is a share like "0.1" or a source of its own.

    `limit` takes the first good rows and reads no further; `sample` draws from all of them.
    """

    format: str | None = None
    on_bad_row: OnBadRow = "stop"
    mapping: Mapping = NOTHING_MAPPED
    encoding: str | None = None
    dedupe: Dedupe | None = None
    validation: str | None = None
    shuffle: bool = False
    limit: int | None = None
    sample: int | None = None
    parquet: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Audit:
    """The model whose tokenizer is audited on the rows; longer ones than `max_length` are told.

    `stock_parity` compares it with transformers' stock class as well.
    """

    model: str
    template: str = "auto"
    max_length: int | None = None
    stock_parity: bool = False


@dataclass(frozen=True)
class FileRecord:
    """A file that was read: what it is called, what it is, and how that was told."""

    name: str
    sha256: str
    layout: str
    encoding: str
    format: str
    evidence: str
    rows_read: int
    rows_kept: int


@dataclass(frozen=True)
class Prepared:
    """What was written. Always rows_read - dropped = rows_kept = train_rows + validation_rows.

    `roles`: of each, how many turns and characters; `preview`: rows as (origin, runs of text that
    is trained or only read).
    """

    output: Path
    rows_read: int
    rows_kept: int
    dropped: dict[str, int]
    train_rows: int
    validation_rows: int
    format: str
    findings: list[Finding]
    tokens: dict[str, Any] | None = None
    duplicates: int = 0
    roles: dict[str, dict[str, int]] = field(default_factory=dict)
    files: list[FileRecord] = field(default_factory=list)
    preview: list[tuple[str, list[tuple[str, bool]]]] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """What `--json` prints; `tokens` only where a tokenizer was audited."""
        facts = asdict(self) | {"output": str(self.output)}
        del facts["preview"]
        if self.tokens is None:
            del facts["tokens"]
        return facts
