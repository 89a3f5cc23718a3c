"""SOURCE -> files, and files -> rows: what `prepare` and `train` read alike."""

from __future__ import annotations

import hashlib
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from jlora_cli.dataset import (
    TRAIN_FILE,
    VALIDATION_FILE,
    Asked,
    Loaded,
    files_of,
    is_folder,
    is_prepared,
    read_files,
)
from jlora_cli.errors import JloraError, refuse
from jlora_cli.finding import Finding, finding
from jlora_cli.hub import ASSETS, DEMO, is_here, load_hub_rows, looks_local

DEMO_DATA = ASSETS / "demo_data"
DEMO_VALIDATION = "demo-validation"
STDIN = "-"
SPOOLED = "stdin"
SHOWN_FILES = 8


def load_data(source: str, asked: Asked | None = None) -> Loaded:
    """The checked examples of "demo", a file, a folder (prepared or not) or a hub id.

    Raises:
        JloraError: nothing there, not data, or faulty rows that are not to be skipped.
    """
    asked = replace(asked or Asked(), editable=is_editable(source))
    files = files_for(source)
    loaded = read_files(files, asked)
    loaded.findings.extend(of_folder(source, files))
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
    if source == STDIN:
        raise refuse("data.stdin_only_prepare")
    path = Path(source).expanduser()
    if is_here(path) or looks_local(source):
        return files_of(path) if is_folder(path) else [path]
    return load_hub_rows(source)


def is_editable(source: str) -> bool:
    """Whether the rows lie in files of the user's own."""
    if source in {DEMO, DEMO_VALIDATION, STDIN}:
        return False
    return is_here(Path(source).expanduser()) or looks_local(source)


def of_folder(source: str, files: list[Path]) -> list[Finding]:
    """Which files were read, where a folder was named that nobody prepared."""
    folder = Path(source).expanduser()
    if source in {DEMO, DEMO_VALIDATION, STDIN} or not is_folder(folder) or is_prepared(folder):
        return []
    names = ", ".join(file.name for file in files[:SHOWN_FILES])
    more = ", …" if len(files) > SHOWN_FILES else ""
    return [finding("prepare.several_files", "warning", source=source, files=names + more)]


def find_validation(source: str) -> Path | None:
    """The validation rows that belong to `source`: those of the demo or of a prepared folder."""
    folder = DEMO_DATA if source == DEMO else Path(source).expanduser()
    file = folder / VALIDATION_FILE
    known = source == DEMO or is_prepared(folder)
    return file if known and file.is_file() else None


def spool_stdin(folder: Path) -> Path:
    """Standard input as a file in `folder`: its kind is told by content, which takes two looks."""
    path = folder / SPOOLED
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return path


def shown_as_stdin(error: JloraError, path: Path) -> JloraError:
    """The error with standard input called so, not by the file it was kept in."""
    problem, remedy = (text.replace(str(path), STDIN) for text in (error.problem, error.remedy))
    return JloraError(problem, remedy=remedy)


def sha256_of(path: Path) -> str:
    """The fingerprint of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def name_of(source: str) -> str:
    """What a record calls a source: no machine's path, so that the same data give the same."""
    if source in {DEMO, DEMO_VALIDATION, STDIN} or not is_editable(source):
        return source
    return Path(source).expanduser().resolve().name
