"""The command line that prepares the same rows and drops the faulty ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jlora_cli.machine import command_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jlora_cli.preparing.values import Audit, Rules


def skip_command(sources: list[str], output: Path, rules: Rules, audit: Audit | None) -> str:
    """What to type to drop faulty rows: everything that was asked, and `--on-bad-row skip`."""
    words = ["jlora", "prepare", *sources, "--output", str(output), *_of_rules(rules)]
    words += _of_audit(audit) if audit else []
    return command_line([*words, "--on-bad-row", "skip"])


def _of_rules(rules: Rules) -> Iterator[str]:
    named = {
        "--format": rules.format,
        "--encoding": rules.encoding,
        "--validation": rules.validation,
        "--limit": rules.limit,
        "--sample": rules.sample,
        "--seed": rules.seed or None,
    }
    for option, value in named.items():
        if value is not None:
            yield from (option, str(value))
    for name, field in (*rules.mapping.columns, *((r, n) for n, r in rules.mapping.speakers)):
        yield from ("--map", f"{name}={field}")
    if rules.dedupe:
        yield from ("--dedupe", *(["near"] if rules.dedupe == "near" else []))
    for switch, on in {"--shuffle": rules.shuffle, "--parquet": rules.parquet}.items():
        if on:
            yield switch


def _of_audit(audit: Audit) -> Iterator[str]:
    yield from ("--model", audit.model)
    if audit.template != "auto":
        yield from ("--template", audit.template)
    if audit.max_length is not None:
        yield from ("--max-length", str(audit.max_length))
    if audit.stock_parity:
        yield "--stock-parity"
