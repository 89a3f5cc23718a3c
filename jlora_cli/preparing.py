"""Sources -> a prepared folder: checked rows in one form, and a record of how they came about.

The folder appears whole or not at all, and the same input gives the same bytes. Training reads
its data through `load_data` as well, so a raw file and a prepared folder are checked alike.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jlora_cli import __version__
from jlora_cli.audit import audit as audit_rows
from jlora_cli.audit import embedding_rows, parity_texts, stock_parity
from jlora_cli.dataset import (
    MANIFEST,
    TRAIN_FILE,
    VALIDATION_FILE,
    Example,
    Loaded,
    OnBadRow,
    files_of,
    is_folder,
    is_prepared,
    join,
    read_examples,
)
from jlora_cli.errors import refuse
from jlora_cli.events import Notify, Stage, ignore
from jlora_cli.finding import Finding, finding
from jlora_cli.hub import ASSETS, DEMO, find_model, is_here, load_hub_rows, looks_local
from jlora_cli.prompt import Prompter, choose_template, format_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jlora_cli.prompt import Encoded

DEMO_DATA = ASSETS / "demo_data"
DEMO_VALIDATION = "demo-validation"
SHOWN_FILES = 8


@dataclass(frozen=True)
class Rules:
    """How sources become rows. `validation` is a share like "0.1" or a source of its own."""

    format: str | None = None
    on_bad_row: OnBadRow = "stop"
    dedupe: bool = False
    validation: str | None = None
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
class Prepared:
    """What was written. Always rows_read - dropped = rows_kept = train_rows + validation_rows."""

    output: Path
    rows_read: int
    rows_kept: int
    dropped: dict[str, int]
    train_rows: int
    validation_rows: int
    format: str
    findings: list[Finding]
    tokens: dict[str, Any] | None = None

    def as_json(self) -> dict[str, object]:
        """What `--json` prints; `tokens` only where a tokenizer was audited."""
        facts = asdict(self) | {"output": str(self.output)}
        if self.tokens is None:
            del facts["tokens"]
        return facts


@dataclass
class _Gathered:
    """The rows on their way: kept examples with their digests, and what fell away."""

    rows_read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    train: list[tuple[bytes, Example]] = field(default_factory=list)
    validation: list[tuple[bytes, Example]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def load_data(source: str, *, format: str | None = None, on_bad_row: OnBadRow = "stop") -> Loaded:
    """The checked examples of "demo", a file, a folder (prepared or not) or a hub id.

    Raises:
        JloraError: nothing there, not data, or faulty rows with `on_bad_row="stop"`.
    """
    files = files_for(source)
    loaded = join([read_examples(file, format=format, on_bad_row=on_bad_row) for file in files])
    folder = Path(source).expanduser()
    if source != DEMO and is_folder(folder) and not is_prepared(folder):
        names = ", ".join(file.name for file in files[:SHOWN_FILES])
        more = ", …" if len(files) > SHOWN_FILES else ""
        loaded.findings.append(
            finding("prepare.several_files", "warning", source=source, files=names + more)
        )
    return loaded


def files_for(source: str) -> list[Path]:
    """The files that hold the training rows of `source`, fetched where it is a hub id.

    Raises:
        JloraError: there are none.
    """
    if source == DEMO:
        return [DEMO_DATA / TRAIN_FILE]
    if source == DEMO_VALIDATION:
        return [DEMO_DATA / VALIDATION_FILE]
    path = Path(source).expanduser()
    if is_here(path) or looks_local(source):
        return files_of(path) if is_folder(path) else [path]
    return load_hub_rows(source)


def find_validation(source: str) -> Path | None:
    """The validation rows that belong to `source`: those of the demo or of a prepared folder."""
    folder = DEMO_DATA if source == DEMO else Path(source).expanduser()
    file = folder / VALIDATION_FILE
    known = source == DEMO or is_prepared(folder)
    return file if known and file.is_file() else None


def prepare(
    sources: list[str],
    *,
    output: Path,
    rules: Rules | None = None,
    audit: Audit | None = None,
    notify: Notify = ignore,
) -> Prepared:
    """Check the rows of `sources` and write them as a prepared folder.

    Raises:
        JloraError: a source cannot be used, or the folder cannot be written. Nothing is left.
    """
    rules = rules or Rules()
    share = _share(rules.validation)
    _check_output(output)
    gathered = _Gathered()
    formats = [_gather(source, rules, gathered, notify) for source in sources]
    _tell_duplicates(gathered, rules)
    if share is not None:
        _set_aside(gathered, share, rules.seed)
    elif rules.validation is not None:
        _add_validation(gathered, rules.validation, rules)
    tokens = _audit(gathered, audit, notify) if audit else None
    made = Prepared(
        output=output,
        rows_read=gathered.rows_read,
        rows_kept=len(gathered.train) + len(gathered.validation),
        dropped=dict(sorted(gathered.dropped.items())),
        train_rows=len(gathered.train),
        validation_rows=len(gathered.validation),
        format=formats[0] if len(set(formats)) == 1 else "mixed",
        findings=gathered.findings,
        tokens=tokens,
    )
    notify(Stage("prepare.writing", {"path": str(output)}))
    _write(output, _contents(gathered, made, sources, rules))
    return made


def _share(validation: str | None) -> float | None:
    """The share that `validation` is; None where it names a source, or nothing."""
    try:
        share = float(validation or "")
    except ValueError:
        return None
    if not 0 < share < 1:
        raise refuse("prepare.bad_validation", value=validation)
    return share


def _check_output(output: Path) -> None:
    if output.is_dir():
        if any(output.iterdir()):
            raise refuse("prepare.output_not_empty", path=output)
    elif is_here(output):
        raise refuse("prepare.output_is_file", path=output)


def _gather(source: str, rules: Rules, gathered: _Gathered, notify: Notify) -> str:
    """Add the rows of `source`; returns its format."""
    notify(Stage("prepare.reading", {"source": source}))
    loaded = load_data(source, format=rules.format, on_bad_row=rules.on_bad_row)
    gathered.train.extend((_digest(example), example) for example in loaded.examples)
    _account(loaded, gathered)
    return loaded.format


def _account(loaded: Loaded, gathered: _Gathered) -> None:
    gathered.rows_read += loaded.rows_read
    gathered.dropped.update(loaded.dropped)
    gathered.findings.extend(loaded.findings)
    if loaded.dropped:
        reasons = ", ".join(f"{reason} {count}" for reason, count in loaded.dropped.items())
        count, rows = sum(loaded.dropped.values()), loaded.rows_read
        gathered.findings.append(
            finding("prepare.skipped", "warning", count=count, rows=rows, reasons=reasons)
        )


def _line(example: Example) -> str:
    return json.dumps(example.as_record(), ensure_ascii=False)


def _digest(example: Example) -> bytes:
    return hashlib.sha256(_line(example).encode("utf-8")).digest()


def _tell_duplicates(gathered: _Gathered, rules: Rules) -> None:
    """Count exact copies of earlier rows; drop them where that was asked."""
    rows = len(gathered.train)
    count = rows - len({digest for digest, _ in gathered.train})
    if not count:
        return
    if rules.dedupe:
        gathered.train = list(dict(gathered.train).items())
        gathered.dropped["duplicate"] += count
    else:
        gathered.findings.append(finding("prepare.duplicates", "warning", count=count, rows=rows))


def _set_aside(gathered: _Gathered, share: float, seed: int) -> None:
    """Move about `share` of the rows to validation, by the hash of their content.

    A row's side depends on nothing else, so it stays when other rows are added, and copies of
    a row stay together.
    """
    place = {digest: _place(digest, seed) for digest, _ in gathered.train}
    if len(place) < 2:
        raise refuse("prepare.too_few_rows", count=len(place))
    chosen = {digest for digest, at in place.items() if at < share}
    chosen = chosen or {min(place, key=lambda digest: place[digest])}
    if len(chosen) == len(place):
        chosen.remove(max(place, key=lambda digest: place[digest]))
    gathered.validation = [row for row in gathered.train if row[0] in chosen]
    gathered.train = [row for row in gathered.train if row[0] not in chosen]


def _place(digest: bytes, seed: int) -> float:
    """Where the row stands between 0 and 1 for this seed."""
    drawn = hashlib.sha256(seed.to_bytes(8, "big") + digest).digest()
    return int.from_bytes(drawn[:8], "big") / 2**64


def _add_validation(gathered: _Gathered, source: str, rules: Rules) -> None:
    """Read validation rows of their own, without those that are trained on."""
    loaded = load_data(source, format=rules.format, on_bad_row=rules.on_bad_row)
    _account(loaded, gathered)
    trained = {digest for digest, _ in gathered.train}
    rows = [(_digest(example), example) for example in loaded.examples]
    gathered.validation = [row for row in rows if row[0] not in trained]
    count = len(rows) - len(gathered.validation)
    if count == len(rows):
        raise refuse("prepare.only_training_rows", value=source)
    if count:
        gathered.dropped["validation_in_training"] += count
        gathered.findings.append(finding("prepare.overlap", "warning", count=count))


def _audit(gathered: _Gathered, asked: Audit, notify: Notify) -> dict[str, Any]:
    """How many tokens the training rows have, and what the tokenizer makes of them."""
    from jlora_cli.tokenizer import load_tokenizer  # noqa: PLC0415 - sentencepiece takes 0.1 s

    notify(Stage("prepare.counting", {"model": asked.model}))
    folder = find_model(asked.model, what="config")
    tokenizer = load_tokenizer(folder)
    examples = [example for _, example in gathered.train]
    template = choose_template(asked.template, tokenizer, examples)
    prompter = Prompter(tokenizer, format_for(tokenizer, template, asked.model))
    rows = prompter.encode_examples(examples, max_length=10**9).rows
    counts = _count(rows)
    limit = asked.max_length
    if limit is not None and counts["longest"] > limit:
        longest = int(counts["longest"])
        found = finding("prepare.too_long", "warning", longest=longest, limit=limit)
        gathered.findings.append(found)
    audited = audit_rows(prompter, examples, rows, embedding=embedding_rows(folder))
    gathered.findings.extend(audited.findings)
    tokens = counts | audited.figures
    if asked.stock_parity:
        tokens["stock_parity"] = stock_parity(tokenizer, parity_texts(prompter, examples))
    return tokens


def _count(rows: Sequence[Encoded]) -> dict[str, float]:
    lengths = [len(row.ids) for row in rows]
    return {
        "total": sum(lengths),
        "supervised": sum(row.supervised for row in rows),
        "longest": max(lengths, default=0),
        "mean": round(sum(lengths) / len(lengths), 1) if lengths else 0.0,
    }


def _contents(
    gathered: _Gathered, made: Prepared, sources: list[str], rules: Rules
) -> dict[str, bytes]:
    """The files of the prepared folder, the manifest last."""
    files = {TRAIN_FILE: _lines(gathered.train)}
    if gathered.validation:
        files[VALIDATION_FILE] = _lines(gathered.validation)
    manifest = {
        "jlora": __version__,
        "sources": [_source_record(source) for source in sources],
        "rules": asdict(rules),
        "format": made.format,
        "rows_read": made.rows_read,
        "rows_kept": made.rows_kept,
        "dropped": made.dropped,
        "train_rows": made.train_rows,
        "validation_rows": made.validation_rows,
        "files": {name: _sha256(content) for name, content in files.items()},
    }
    text = json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"
    return files | {MANIFEST: text.encode("utf-8")}


def _lines(rows: Iterable[tuple[bytes, Example]]) -> bytes:
    return "".join(_line(example) + "\n" for _, example in rows).encode("utf-8")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _source_record(source: str) -> dict[str, object]:
    """A source with the fingerprint of each of its files; no time and no machine's path."""
    files = []
    for path in files_for(source):
        with path.open("rb") as file:
            files.append(
                {"name": path.name, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
            )
    return {"source": source, "files": files}


def _write(output: Path, contents: dict[str, bytes]) -> None:
    """Write the folder beside its place, then rename it there.

    Raises:
        JloraError: it cannot be written; nothing is left.
    """
    partial = output.absolute().with_name(f".{output.name}.partial-{os.getpid()}")
    try:
        partial.mkdir(parents=True)
        for name, content in contents.items():
            (partial / name).write_bytes(content)
        if output.is_dir():
            output.rmdir()
        partial.rename(output)
    except OSError as error:
        raise refuse("prepare.cannot_write", path=output, why=error.strerror) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
