"""A finding: one fact about a machine, a tokenizer or a plan, and what follows from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from jlora_cli.messages import say

Severity = Literal["ok", "note", "warning", "error"]

# The findings of a training, one table: an error only where the run cannot do what was asked. What
# a base was trained with and training follows alike is no fault: NFKC's width.
SEVERITIES: dict[str, Severity] = {
    # of the base
    "base-is-adapter": "error",
    "model-not-for-language": "warning",
    "template-differs": "warning",
    "template-specials-split": "warning",
    "system-not-written": "warning",
    "ids-outside-embedding": "error",
    "eos-is-pad": "warning",
    "eos-is-unk": "warning",
    "eos-untrained": "warning",
    # of the rows
    "no-supervised-tokens": "error",
    "few-supervised-tokens": "warning",
    "prompts-supervised": "warning",
    "eos-not-supervised": "error",
    "answers-truncated": "warning",
    "rows-dropped": "warning",
    "few-rows": "warning",
    "duplicate-rows": "warning",
    "validation-in-training": "warning",
    "unknown-tokens": "warning",
    "newlines-lost": "warning",
    "spaces-lost": "warning",
    "case-folded": "warning",
    "special-tokens-in-text": "warning",
    # of the settings
    "warmup-exceeds-run": "error",
    "too-few-steps": "warning",
    "learning-rate-unusual": "warning",
    "unused-setting": "warning",
    "padding-wasted": "warning",
    "targets-match-nothing": "error",
    # of the machine and the place
    "profile-does-not-fit": "warning",
    "precision-unavailable": "warning",
    "quantization-unavailable": "error",
    "memory-exceeded": "error",
    "output-in-use": "error",
    "loss-not-falling": "warning",
    "out-of-memory": "warning",
    "memory-spilled": "warning",
}
# What can be overridden by `--allow`: the run can be done, and its owner may know better.
ALLOWABLE = ("eos-not-supervised", "warmup-exceeds-run", "memory-exceeded")


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
