"""A finding: one fact about a machine, a tokenizer or a plan, and what follows from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from jlora_cli.messages import say

Severity = Literal["ok", "warning", "error"]


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
