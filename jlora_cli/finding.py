"""A finding: one fact about a machine, a tokenizer or a plan, and what follows from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from jlora_cli.messages import say

Severity = Literal["ok", "note", "warning", "error"]

# The findings of a training, one table: an error only where the run cannot do what was asked. What
# a base was trained with and training follows alike is no fault: NFKC's width.
SEVERITIES: dict[str, Severity] = {
    "no-supervised-tokens": "error",
    "eos-not-supervised": "error",
    "eos-is-pad": "warning",
    "eos-is-unk": "warning",
    "rows-dropped": "warning",
    "duplicate-rows": "warning",
    "validation-in-training": "warning",
    "few-rows": "warning",
    "warmup-exceeds-run": "error",
    "too-few-steps": "warning",
    "learning-rate-unusual": "warning",
    "targets-match-nothing": "error",
    "unknown-tokens": "warning",
    "newlines-lost": "warning",
    "spaces-lost": "warning",
    "case-folded": "warning",
    "special-tokens-in-text": "warning",
    "template-specials-split": "warning",
    "ids-outside-embedding": "error",
    "precision-unavailable": "warning",
    "quantization-unavailable": "error",
    "memory-exceeded": "error",
    "output-in-use": "error",
}


@dataclass(frozen=True)
class Finding:
    """`id` is part of the contract; the three sentences are in the user's language."""

    id: str
    severity: Severity
    evidence: str
    consequence: str = ""
    remedy: str = ""

    def as_json(self) -> dict[str, str]:
        """The five fields, as `--json` prints them."""
        return asdict(self)


def finding(id: str, severity: Severity, /, **values: object) -> Finding:
    """The finding `id`, its sentences read from the catalogue.

    An "ok" finding has its own evidence sentence (`ID.ok`) and needs neither consequence nor
    remedy; any other takes `ID.evidence`, `ID.consequence` and `ID.remedy`.
    """
    if severity == "ok":
        return Finding(id, severity, say(f"{id}.ok", **values))
    parts = (say(f"{id}.{part}", **values) for part in ("evidence", "consequence", "remedy"))
    return Finding(id, severity, *parts)


def found(id: str, /, **values: object) -> Finding:
    """The finding `id` of a training, with the severity that the table gives it."""
    return finding(id, SEVERITIES[id], **values)
