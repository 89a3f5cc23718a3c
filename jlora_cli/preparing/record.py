"""What was done, as a value for the caller and as the dataset.json of the folder."""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jlora_cli import __version__
from jlora_cli.messages import say
from jlora_cli.preparing.sources import name_of
from jlora_cli.preparing.values import Prepared

if TYPE_CHECKING:
    from jlora_cli.finding import Finding
    from jlora_cli.preparing.counting import Counted
    from jlora_cli.preparing.deciding import Decision
    from jlora_cli.preparing.gathering import Gathered
    from jlora_cli.preparing.values import Audit, Rules

TOLD_ALIKE = 3
TOKENS = ("total", "supervised", "longest", "mean")


def made_of(
    output: Path, sides: list[Gathered], decision: Decision, counted: Counted | None
) -> Prepared:
    """The sums over both sides; the first is that of the training rows."""
    dropped, turns, characters = (
        sum((getattr(side, name) for side in sides), start=Counter[str]())
        for name in ("dropped", "turns", "characters")
    )
    formats = sides[0].formats
    return Prepared(
        output=output,
        rows_read=sum(side.rows_read for side in sides),
        rows_kept=decision.train_rows + decision.validation_rows,
        dropped=dict(sorted(dropped.items())),
        train_rows=decision.train_rows,
        validation_rows=decision.validation_rows,
        format=formats.pop() if len(formats) == 1 else "mixed",
        findings=[
            *condensed([found for side in sides for found in side.findings]),
            *(counted.findings if counted else []),
        ],
        tokens=counted.tokens if counted else None,
        duplicates=decision.duplicates,
        roles={
            role: {"turns": turns[role], "characters": characters[role]} for role in sorted(turns)
        },
        files=[file for side in sides for _, files in side.sources for file in files],
        preview=counted.preview if counted else [],
    )


def condensed(findings: list[Finding]) -> list[Finding]:
    """The findings; what was noticed in more than three files is told of the first."""
    counts = Counter(found.id for found in findings)
    told: set[str] = set()
    kept = []
    for found in findings:
        more = counts[found.id] - 1
        if more < TOLD_ALIKE:
            kept.append(found)
        elif found.id not in told:
            told.add(found.id)
            evidence = say("prepare.and_more_files", evidence=found.evidence, count=more)
            kept.append(replace(found, evidence=evidence))
    return kept


def manifest_of(
    made: Prepared, sides: list[Gathered], rules: Rules, audit: Audit | None
) -> dict[str, Any]:
    """What dataset.json says: no time, machine or path, so that the same input gives the same.

    The Unicode version is what NFKC went by.
    """
    decisions = asdict(rules)
    if rules.validation is not None and len(sides) > 1:
        decisions["validation"] = name_of(rules.validation)
    versions = {"jlora": __version__, "unicode": unicodedata.unidata_version}
    if rules.dedupe == "near":
        versions["rensa"] = version("rensa")
    facts = {
        "versions": versions,
        "sources": [
            {"source": name_of(source), "files": [asdict(file) for file in files]}
            for side in sides
            for source, files in side.sources
        ],
        "decisions": decisions,
        "format": made.format,
        "rows_read": made.rows_read,
        "rows_kept": made.rows_kept,
        "dropped": made.dropped,
        "duplicates": made.duplicates,
        "train_rows": made.train_rows,
        "validation_rows": made.validation_rows,
        "roles": made.roles,
    }
    if audit is not None and made.tokens is not None:
        model = Path(audit.model).name if Path(audit.model).is_dir() else audit.model
        facts["tokens"] = {"model": model} | {name: made.tokens[name] for name in TOKENS}
    return facts
