"""Run folders, and what a SOURCE names: a run, an adapter, a model or a hub id.

Knows what lies in which file; loads no weights.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jlora_cli.errors import JloraError, refuse
from jlora_cli.hub import find_model, is_here
from jlora_cli.messages import say
from jlora_cli.prompt import CARD_NAME, read_card

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
RECORD = "run.json"


@dataclass(frozen=True)
class Artifact:
    """What a SOURCE is: a base (hub id or folder), an adapter on it or none, and its card.

    `card` is the `jlora.json` that lies beside the adapter or the merged model; None where
    another tool made it.
    """

    base: str
    adapter: Path | None = None
    card: dict[str, Any] | None = None
    run: Path | None = None


def open_source(source: str, *, base: str | None = None) -> Artifact:
    """What `source` names; `base` overrides the base that an adapter remembers.

    A path that exists is never looked up on a hub.

    Raises:
        JloraError: not there, unfinished, or neither run nor adapter nor model.
    """
    path = Path(source).expanduser()
    if source == "demo" or not is_here(path):
        path = find_model(source, what="config")
        if (path / ADAPTER_CONFIG).is_file():  # as large as a base's weights are not
            path = find_model(source, what="weights")
    if path.is_file():
        raise refuse("source.is_file", path=path)
    if (path / RECORD).is_file() or (path / "adapter").is_dir():
        return _open_run(path, base)
    if (path / ADAPTER_CONFIG).is_file() or any(path.glob("adapter_model*")):
        return open_adapter(path, base)
    if (path / "config.json").is_file():
        card = read_card(path) if (path / CARD_NAME).is_file() else None
        return Artifact(base=base or source, card=card)
    raise refuse("source.unknown", path=path)


def _open_run(path: Path, base: str | None) -> Artifact:
    record = read_record(path)
    if record.get("status") != "finished":
        raise refuse("source.unfinished", path=path, status=record.get("status", "?"))
    found = open_adapter(path / "adapter", base)
    return Artifact(found.base, found.adapter, found.card, run=path)


def open_adapter(folder: Path, base: str | None = None) -> Artifact:
    """The adapter in `folder`, checked for being whole as far as file names tell."""
    config_path = folder / ADAPTER_CONFIG
    if not config_path.is_file():
        raise refuse("source.no_adapter_config", path=config_path)
    if not (folder / ADAPTER_WEIGHTS).is_file():
        pickled = folder / "adapter_model.bin"
        key = "source.pickled_adapter" if pickled.is_file() else "source.no_adapter_weights"
        raise refuse(key, path=pickled if pickled.is_file() else folder / ADAPTER_WEIGHTS)
    config = _read_object(config_path)
    card = read_card(folder) if (folder / CARD_NAME).is_file() else None
    own = (card or {}).get("base")
    named = own.get("model") if isinstance(own, dict) else None
    remembered = named or config.get("base_model_name_or_path")
    if not (base or remembered):
        raise refuse("source.no_base", path=config_path)
    return Artifact(base=str(base or remembered), adapter=folder, card=card)


def read_record(run: Path) -> dict[str, Any]:
    """The `run.json` of a run.

    Raises:
        JloraError: there is none (the run is unfinished), or it cannot be read.
    """
    if not is_here(run):
        raise refuse("source.missing", path=run)
    if not (run / RECORD).is_file():
        raise refuse("source.unfinished", path=run, status="?")
    return _read_object(run / RECORD)


def _read_object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise refuse("source.bad_json", path=path, problem=error) from error
    except OSError as error:
        raise refuse("source.bad_json", path=path, problem=error.strerror) from error
    if not isinstance(content, dict):
        raise refuse("source.bad_json", path=path, problem=say("source.no_object"))
    return content


def read_model_config(folder: Path) -> dict[str, Any]:
    """The config.json of the model in `folder`.

    Raises:
        JloraError: it is missing or no JSON object, or it asks for code that came with the model.
    """
    path = folder / "config.json"
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise refuse("model.no_config", path=path) from error
    except ValueError as error:
        raise refuse("source.bad_json", path=path, problem=error) from error
    if not isinstance(config, dict):
        raise refuse("source.bad_json", path=path, problem=say("source.no_object"))
    if "auto_map" in config:
        raise refuse("model.needs_code", path=path)
    return config


def newest_run(folder: Path = Path("runs")) -> Path:
    """The newest finished run under `folder`, by the time its record was written.

    A demo keeps its run one folder deeper, beside its data: both are found. A record that cannot
    be read is passed over.

    Raises:
        JloraError: there is none.
    """
    records = [*folder.glob(f"*/{RECORD}"), *folder.glob(f"*/run/{RECORD}")]
    for record in sorted(records, key=lambda path: path.stat().st_mtime_ns, reverse=True):
        if _is_finished(record.parent):
            return record.parent
    raise refuse("source.no_run", folder=folder)


def _is_finished(run: Path) -> bool:
    try:
        return read_record(run).get("status") == "finished"
    except JloraError:
        return False


def choose_output(asked: str | None, model: str) -> Path:
    """Where a run goes: as asked, else `runs/DATE-NAME`, not there yet."""
    if asked is not None:
        return Path(asked).expanduser()
    name = re.sub(r"[^\w.-]+", "-", Path(model).name).strip("-.") or "run"
    first = Path("runs") / f"{datetime.now().astimezone():%Y%m%d-%H%M%S}-{name}"
    path, number = first, 2
    while path.exists():
        path, number = first.with_name(f"{first.name}-{number}"), number + 1
    return path


def in_use(output: Path) -> bool:
    """True when something lies at `output` already."""
    return is_here(output) and (not output.is_dir() or any(output.iterdir()))


def make_run_folder(output: Path) -> None:
    """Create the run's folder; `runs/` gets a .gitignore of its own.

    Raises:
        JloraError: it cannot be written to.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        ignore = output.parent / ".gitignore"
        if output.parent.name == "runs" and not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise refuse("source.cannot_write", path=output, problem=error.strerror) from error


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that it is there whole or not at all."""
    draft = path.with_name(path.name + ".part")
    try:
        with draft.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def write_json(path: Path, document: object) -> None:
    """Write a JSON document so that it is there whole or not at all."""
    write_whole(path, json.dumps(document, ensure_ascii=False, indent=2, default=str) + "\n")


def append_json(path: Path, row: object) -> None:
    """Append one row to a JSONL file."""
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
