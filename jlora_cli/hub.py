"""A local folder or a hub id -> a folder with the files; what went wrong in the user's words.

A path that exists is never looked up on a hub, and a string that looks like a path is never
downloaded. Only safetensors weights and data files are fetched: no pickles, no code. This file
knows no rows and no tensors.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from pathlib import Path
from typing import Literal

from jlora_cli.errors import JloraError, refuse

DEMO = "demo"
ASSETS = Path(__file__).parent / "assets"
PUBLIC_HUB = "https://huggingface.co"
CONFIG_FILES = (
    "config.json",
    "generation_config.json",
    "adapter_config.json",
    "jlora.json",
    "tokenizer*.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "*.model",
    "chat_template*",
)
WEIGHT_FILES = ("*.safetensors", "*.safetensors.index.json")
DATA_SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".jsonl.gz")
# Not rows, although their names end like rows.
NOT_DATA = ("dataset_infos.json", "dataset_info.json", "state.json")
FILE_SUFFIXES = (*DATA_SUFFIXES, ".gz", ".txt", ".zip", ".yaml", ".yml", ".safetensors", ".bin")
HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?(@[\w./-]+)?", re.ASCII)
SPLITS = {
    "train": re.compile("train", re.IGNORECASE),
    "validation": re.compile("valid|dev", re.IGNORECASE),
    "test": re.compile("test|eval", re.IGNORECASE),
}


def looks_local(source: str) -> bool:
    """Whether `source` reads as a path on this machine rather than as ORG/NAME[@REVISION]."""
    name = source.partition("@")[0]
    return (
        source.startswith((".", "/", "~"))
        or "\\" in source
        or name.count("/") > 1
        or name.endswith("/")
        or name.lower().endswith(FILE_SUFFIXES)
        or HUB_ID.fullmatch(source) is None
    )


def find_model(model: str, *, what: Literal["weights", "config"]) -> Path:
    """The folder of `model`: the embedded one for "demo", a local folder, or a hub download.

    "config" stands for the configuration and the tokenizer's files; "weights" for these and
    the safetensors.

    Raises:
        JloraError: a path that does not exist, or a hub that did not give the files.
    """
    if model == DEMO:
        return ASSETS / "demo_base"
    folder = Path(model).expanduser()
    if is_here(folder):
        if not folder.is_dir():
            raise refuse("hub.not_a_folder", model=model)
        return folder
    if looks_local(model):
        raise refuse("hub.no_such_folder", model=model)
    wanted = CONFIG_FILES if what == "config" else (*CONFIG_FILES, *WEIGHT_FILES)
    found = _fetch(model, "model", [*wanted], ["*/*", "consolidated*"])
    if what == "weights" and not any(found.glob("*.safetensors")):
        raise refuse("hub.no_safetensors", name=model)
    return found


def fetch_tokenizer_files(model: str) -> Path:
    """The folder with the tokenizer's own files and the configuration of `model`.

    Raises:
        JloraError: as `find_model`.
    """
    return find_model(model, what="config")


def load_hub_rows(dataset_id: str, *, split: str = "train") -> list[Path]:
    """The data files of one split of a hub data set, downloaded.

    A file belongs to a split whose name is in its path; without any such name, all files do.
    The files are read as local ones are, row by row: no loader in between guesses columns.

    Raises:
        JloraError: the hub did not give them, or there are none.
    """
    names = _listed(dataset_id)
    patterns = (
        ["*" + suffix for suffix in DATA_SUFFIXES] if names is None else of_split(names, split)
    )
    folder = _fetch(dataset_id, "dataset", patterns, [*NOT_DATA]) if patterns else None
    here = sorted(path for path in folder.rglob("*") if path.is_file()) if folder else []
    chosen = of_split([str(path.relative_to(folder)) for path in here], split) if folder else []
    if folder is None or not chosen:
        suffixes = ", ".join(DATA_SUFFIXES)
        raise refuse("hub.no_data_files", name=dataset_id, split=split, suffixes=suffixes)
    return [folder / name for name in chosen]


def of_split(names: list[str], split: str) -> list[str]:
    """Which of these repository files hold rows of `split`."""
    data = [
        name
        for name in sorted(names)
        if name.lower().endswith(DATA_SUFFIXES)
        and Path(name).name not in NOT_DATA
        and not any(part.startswith(".") for part in Path(name).parts)
    ]
    named = {
        name: {each for each, pattern in SPLITS.items() if pattern.search(name)} for name in data
    }
    return [name for name in data if split in named[name]] or [
        name for name in data if not named[name] and split == "train"
    ]


def is_offline() -> bool:
    """Whether the user forbade the network (HF_HUB_OFFLINE)."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def endpoint() -> str:
    """The hub's address: HF_ENDPOINT, else the public one."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or PUBLIC_HUB


def is_here(path: Path) -> bool:
    """Whether something of this name is on this machine, be it a link that leads nowhere."""
    try:
        return path.exists() or path.is_symlink()
    except OSError:  # a name too long to be one
        return False


def _listed(dataset_id: str) -> list[str] | None:
    """The files of a data set's repository; None where only the cache can say."""
    if is_offline():
        return None
    from huggingface_hub import HfApi  # noqa: PLC0415 - start-up stays light

    name, _, revision = dataset_id.partition("@")
    api = HfApi(endpoint=endpoint())
    try:
        # Not list_repo_files: without a network it tries again for 23 seconds.
        about = api.dataset_info(name, revision=revision or None)
    except _fetch_errors() as error:
        if _is_final(error):
            raise _translated(error, dataset_id) from error
        return None
    return [sibling.rfilename for sibling in about.siblings or []]


def _fetch(source: str, kind: str, allow: list[str], ignore: list[str]) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - start-up stays light

    name, _, revision = source.partition("@")
    try:
        folder = snapshot_download(
            name,
            repo_type=kind,
            revision=revision or None,
            allow_patterns=allow,
            ignore_patterns=ignore,
            cache_dir=os.environ.get("HF_HUB_CACHE"),
            local_files_only=is_offline(),
            endpoint=endpoint(),
        )
    except _fetch_errors() as error:
        raise _translated(error, source) from error
    return Path(str(folder))


def _fetch_errors() -> tuple[type[Exception], ...]:
    """What a download may raise; the HTTP client is whichever huggingface_hub brought along."""
    clients = (sys.modules.get(name) for name in ("httpx", "httpx2"))
    return (OSError, ValueError, *(client.HTTPError for client in clients if client is not None))


def _is_final(error: Exception) -> bool:
    """Whether the hub itself refused, so that a cached copy is not what was asked for."""
    from huggingface_hub import errors  # noqa: PLC0415

    return isinstance(error, (errors.RepositoryNotFoundError, errors.RevisionNotFoundError))


def _translated(error: Exception, source: str) -> JloraError:
    """The hub library's error as a problem and a remedy, the most specific kind first."""
    from huggingface_hub import errors  # noqa: PLC0415

    name, _, revision = source.partition("@")
    kinds: tuple[tuple[type[Exception], str], ...] = (
        (errors.GatedRepoError, "hub.gated"),
        (errors.RepositoryNotFoundError, "hub.not_found"),
        (errors.RevisionNotFoundError, "hub.no_revision"),
        (errors.OfflineModeIsEnabled, "hub.offline"),
    )
    for kind, key in kinds:
        if isinstance(error, kind):
            return refuse(key, name=name, revision=revision, endpoint=endpoint())
    if isinstance(error, errors.LocalEntryNotFoundError):
        if isinstance(error.__cause__, errors.HfHubHTTPError):
            return _of_status(error.__cause__, name)
        key = "hub.offline" if is_offline() else "hub.unreachable"
        return refuse(key, name=name, endpoint=endpoint())
    if isinstance(error, errors.HfHubHTTPError):
        return _of_status(error, name)
    return _of_system(error, name)


def _of_status(error: Exception, name: str) -> JloraError:
    status = getattr(getattr(error, "response", None), "status_code", 0)
    key = "hub.unauthorized" if status in {401, 403} else "hub.http"
    return refuse(key, name=name, status=status)


def _of_system(error: Exception, name: str) -> JloraError:
    """A full disk, a folder without rights, or a connection that broke off."""
    if isinstance(error, ValueError):  # no hub has such names
        return refuse("hub.no_such_folder", model=name)
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return refuse("hub.disk_full", name=name)
    if isinstance(error, OSError) and error.errno is not None:
        return refuse("hub.cannot_save", name=name, why=error.strerror)
    return refuse("hub.unreachable", name=name, endpoint=endpoint())
