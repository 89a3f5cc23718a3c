"""Prepared rows -> how many tokens they have, and what the model's tokenizer makes of them.

Every training row is counted, by all cores; the audit looks at ten thousand, evenly spread.
"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from jlora_cli.audit import audit as audit_rows
from jlora_cli.audit import embedding_rows, parity_texts, stock_parity
from jlora_cli.dataset import Example, Lines, example_of, line_blocks
from jlora_cli.errors import JloraError
from jlora_cli.finding import Finding, finding
from jlora_cli.hub import find_model
from jlora_cli.prompt import Prompter, choose_template, format_for
from jlora_cli.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from jlora_cli.preparing.values import Audit
    from jlora_cli.processes import Processes

AUDITED_ROWS = 10_000
SHOWN_ROWS = 3
WHOLE = 10**9  # tokens: longer than any row, so that none is cut
LARGE_BYTES = 4 << 20
FIRST_BIN = 16  # tokens; each bin of the histogram is twice as wide as the one before


@dataclass(frozen=True)
class Counted:
    """What the rows are in tokens; `preview` as `Prepared` has it."""

    tokens: dict[str, Any]
    findings: list[Finding]
    preview: list[tuple[str, list[tuple[str, bool]]]]


@dataclass(frozen=True)
class _Job:
    lines: Lines
    folder: Path
    template: str
    model: str


@dataclass(frozen=True)
class _Lengths:
    """Tokens of each row of a piece, and how many of all are trained; or why they have none."""

    lengths: array[int]
    supervised: int
    refusal: tuple[str, str] | None = None


def count(train: Path, rows: int, asked: Audit, processes: Processes) -> Counted:
    """How many tokens the training rows have, and what the tokenizer makes of them.

    Raises:
        JloraError: the model has no tokenizer that can be used, or its template refuses a row.
    """
    folder = find_model(asked.model, what="config")
    tokenizer = load_tokenizer(folder)
    examples = _spread_over(train, rows)
    template = choose_template(asked.template, tokenizer, examples)
    prompter = Prompter(tokenizer, format_for(tokenizer, template, asked.model))
    blank = _Job(Lines(1, b""), folder, template, asked.model)
    lengths, supervised = _lengths(train, blank, processes)
    figures = _figures(lengths, supervised)
    found = []
    if asked.max_length is not None and figures["longest"] > asked.max_length:
        over = sum(n for length, n in lengths.items() if length > asked.max_length)
        values = {"longest": figures["longest"], "limit": asked.max_length, "count": over}
        found.append(finding("prepare.too_long", "warning", **values))
    encoded = prompter.encode_examples(examples, max_length=WHOLE).rows
    audited = audit_rows(prompter, examples, encoded, embedding=embedding_rows(folder))
    tokens = figures | {"audited_rows": len(examples)} | audited.figures
    if asked.stock_parity:
        tokens["stock_parity"] = stock_parity(tokenizer, parity_texts(prompter, examples))
    shown = prompter.encode_examples(_shown(examples), max_length=WHOLE).rows
    preview = [(row.origin, prompter.spans(row)) for row in shown]
    return Counted(tokens, [*found, *audited.findings], preview)


def _spread_over(train: Path, rows: int) -> list[Example]:
    """Up to ten thousand of the rows, evenly spread."""
    wanted = min(rows, AUDITED_ROWS)
    numbers = {at * rows // wanted for at in range(wanted)} if wanted else set()
    return [
        example_of(line, f"{train.name}:{number + 1}")
        for number, line in enumerate(_lines(train))
        if number in numbers
    ]


def _lines(path: Path) -> Iterable[bytes]:
    with path.open("rb") as file:
        yield from file


def _shown(examples: Sequence[Example]) -> list[Example]:
    """The first row, the last, and one between."""
    last = len(examples) - 1
    return [examples[at] for at in sorted({0, last // 2, last})] if examples else []


def _lengths(train: Path, job: _Job, processes: Processes) -> tuple[Counter[int], int]:
    """How many rows have each length in tokens, and how many tokens are trained."""
    lengths: Counter[int] = Counter()
    supervised = 0
    large = train.stat().st_size >= LARGE_BYTES
    jobs = (replace(job, lines=block) for block in line_blocks(train, "utf-8"))
    for _, done in processes.in_order(_count_piece, jobs, large=large):
        if done.refusal is not None:
            problem, remedy = done.refusal
            raise JloraError(problem, remedy=remedy)
        lengths.update(done.lengths)
        supervised += done.supervised
    return lengths, supervised


def _count_piece(job: _Job) -> _Lengths:
    prompter = _prompter(job.folder, job.template, job.model)
    lines = enumerate(job.lines.data.split(b"\n")[:-1], job.lines.first)
    examples = [example_of(line, f"train.jsonl:{number}") for number, line in lines]
    try:
        rows = prompter.encode_examples(examples, max_length=WHOLE).rows
    except JloraError as error:
        return _Lengths(array("I"), 0, (error.problem, error.remedy))
    lengths = array("I", (len(row.ids) for row in rows))
    return _Lengths(lengths, sum(row.supervised for row in rows))


@cache
def _prompter(folder: Path, template: str, model: str) -> Prompter:
    tokenizer = load_tokenizer(folder)
    return Prompter(tokenizer, format_for(tokenizer, template, model))


def _figures(lengths: Counter[int], supervised: int) -> dict[str, Any]:
    """The sums, the usual quantiles, and the histogram."""
    rows, total = lengths.total(), sum(length * n for length, n in lengths.items())
    return {
        "total": total,
        "supervised": supervised,
        "longest": max(lengths, default=0),
        "mean": round(total / rows, 1) if rows else 0.0,
        "quantiles": {f"p{share}": _quantile(lengths, share) for share in (50, 90, 99)},
        "histogram": _histogram(lengths),
    }


def _quantile(lengths: Counter[int], share: int) -> int:
    """The length that `share` percent of the rows do not pass."""
    left = -(-lengths.total() * share // 100)
    for length in sorted(lengths):
        left -= lengths[length]
        if left <= 0:
            return length
    return 0


def _histogram(lengths: Counter[int]) -> list[dict[str, int]]:
    """Rows by length: bins from nothing on, each up to twice the end of the one before."""
    bins: list[dict[str, int]] = []
    start, end, longest = 1, FIRST_BIN, max(lengths, default=0)
    while start <= longest:
        count = sum(n for length, n in lengths.items() if start <= length <= end)
        bins.append({"from": start, "to": end, "rows": count})
        start, end = end + 1, 2 * end
    while bins and not bins[0]["rows"]:
        bins.pop(0)
    return bins
