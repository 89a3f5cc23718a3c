"""Chosen rows -> the files of a prepared folder, which appears whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from importlib import import_module
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from jlora_cli.dataset import MANIFEST, line_blocks
from jlora_cli.drafts import draft_for, put_in_place
from jlora_cli.errors import refuse
from jlora_cli.hub import is_here

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType
    from typing import BinaryIO

    from jlora_cli.preparing.gathering import Spool

SCRATCH = "scratch"
_DRAFT = "partial-"
COPIED_BYTES = 1 << 20
ENDING_SIGNALS = ("SIGTERM", "SIGHUP")


def check_output(output: Path) -> None:
    """Nothing, where a folder can be made of this name.

    Raises:
        JloraError: there is something already.
    """
    if output.is_dir():
        # Of a process that was killed a draft may lie there, which is nobody's folder.
        draft = f".{output.absolute().name}.{_DRAFT}"
        if any(not each.name.startswith(draft) for each in output.iterdir()):
            raise refuse("prepare.output_not_empty", path=output)
    elif is_here(output):
        raise refuse("prepare.output_is_file", path=output)


@contextmanager
def draft_of(output: Path) -> Iterator[Path]:
    """A hidden folder that becomes `output` when all went well, else vanishes.

    Its subfolder `scratch` vanishes in any case. Only `kill -9` can leave the hidden folder, which
    has no dataset.json then.

    Raises:
        JloraError: the disk is full, or the folder cannot be written.
    """
    draft = draft_for(output, f"{_DRAFT}{os.getpid()}")
    made = [parent for parent in output.absolute().parents if not parent.exists()]
    try:
        with _ended_by_signals():
            (draft / SCRATCH).mkdir(parents=True)
            yield draft
            shutil.rmtree(draft / SCRATCH)
            put_in_place(draft, output, last=MANIFEST)
    except OSError as error:
        raise refuse("prepare.cannot_write", path=output, why=error.strerror) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        for parent in made:
            with suppress(OSError):  # not empty: the folder stands in it
                parent.rmdir()


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Ends by SIGTERM and SIGHUP like any other, so that what was begun is cleared away."""
    names = ENDING_SIGNALS if threading.current_thread() is threading.main_thread() else ()
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]  # not on Windows
    before = {
        number: signal.signal(number, _leave)
        for number in numbers
        if signal.getsignal(number) is signal.SIG_DFL
    }
    try:
        yield
    finally:
        for number in before:
            signal.signal(number, signal.SIG_DFL)


def _leave(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


def write_chosen(spool: Spool, fates: bytearray, fate: int, target: Path) -> None:
    """Write the rows of one fate, in the order of the spool."""
    with spool.path.open("rb") as source, target.open("wb") as file:
        for start, length in _runs(spool.sizes, fates, fate):
            source.seek(start)
            _copy(source, file, length)


def _runs(sizes: array[int], fates: bytearray, fate: int) -> Iterator[tuple[int, int]]:
    """Where rows of one fate begin that stand together, and their bytes."""
    start = at = 0
    for size, its in zip(sizes, fates, strict=True):
        if its != fate:
            if at > start:
                yield start, at - start
            start = at + size
        at += size
    if at > start:
        yield start, at - start


def _copy(source: BinaryIO, file: BinaryIO, length: int) -> None:
    while length:
        data = source.read(min(length, COPIED_BYTES))
        file.write(data)
        length -= len(data)


def write_ordered(spool: Spool, order: array[int], target: Path) -> None:
    """Write these rows, in this order."""
    starts = type(spool.keys)("Q", accumulate(spool.sizes, initial=0))
    with spool.path.open("rb") as source, target.open("wb") as file:
        for at in order:
            source.seek(starts[at])
            file.write(source.read(spool.sizes[at]))


def write_parquet(lines: Path, target: Path) -> None:
    """Write canonical rows as Parquet as well; a column that no row has is left out.

    Raises:
        JloraError: pyarrow is not installed.
    """
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        raise refuse("prepare.no_pyarrow") from error
    turn = arrow.struct([("role", arrow.string()), ("content", arrow.string())])
    kinds = {"messages": arrow.list_(turn), "input": arrow.string(), "text": arrow.string()}
    there = _columns_of(lines)
    schema = arrow.schema([(name, kind) for name, kind in kinds.items() if name in there])
    with parquet.ParquetWriter(target, schema) as file:
        for block in line_blocks(lines, "utf-8"):
            rows = [json.loads(line) for line in block.data.splitlines()]
            file.write_table(arrow.Table.from_pylist(rows, schema=schema))


def _columns_of(lines: Path) -> set[str]:
    """The columns that any of the canonical rows has; bytes tell, as they have one spelling."""
    marks = {b'{"messages": [{': "messages", b'{"text": "': "text"}
    there: set[str] = set()
    for block in line_blocks(lines, "utf-8"):
        there |= {name for mark, name in marks.items() if mark in block.data}
        if b'}], "input": "' in block.data:
            there.add("input")
    return there


def write_manifest(folder: Path, facts: dict[str, Any], names: list[str]) -> None:
    """Write dataset.json, the last file: with the fingerprints of the others."""
    for name in names:
        _settle(folder / name)
    files = {name: _sha256(folder / name) for name in names}
    text = json.dumps(facts | {"files": files}, ensure_ascii=False, indent=2) + "\n"
    (folder / MANIFEST).write_bytes(text.encode("utf-8"))
    _settle(folder / MANIFEST)


def _settle(path: Path) -> None:
    """Bring a file to the disk, so that a power cut leaves none of another's name half empty."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
