"""A local folder or a hub id -> a folder with the files; what went wrong in the user's words.

A path that exists is never looked up on a hub, and a string that looks like a path is never
downloaded. Only safetensors weights and data files are fetched: no pickles, no code. This file
knows no tensors, and rows only where `datasets` has to unpack them into a file first.
"""

from __future__ import annotations

import errno
import importlib.util
import json
import lzma
import os
import re
import sys
import zipfile
import zlib
from contextlib import suppress
from datetime import date, time
from decimal import Decimal
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jlora_cli.errors import JloraError, refuse
from jlora_cli.machine import install_line, read_machine

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    "*.tiktoken",
    "chat_template*",
)
WEIGHT_FILES = ("*.safetensors", "*.safetensors.index.json")
LINES_AND_TABLES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv")
DATA_SUFFIXES = (*LINES_AND_TABLES, ".parquet", *(kind + ".gz" for kind in LINES_AND_TABLES))
# What only `datasets` opens. No .txt and no .tar: a licence is no row, nor is a picture.
LOADED_SUFFIXES = (
    ".arrow",
    ".zip",
    *(kind + packed for kind in LINES_AND_TABLES for packed in (".bz2", ".xz", ".zst")),
)
# Not rows, although their names end like rows.
NOT_DATA = ("dataset_infos.json", "dataset_info.json", "dataset_dict.json", "state.json")
NO_FILE = "/"  # a pattern that no file of a repository matches
BATCH_ROWS = 1000
SHOWN_FILES = 4
FILE_SUFFIXES = (
    *DATA_SUFFIXES,
    *LOADED_SUFFIXES,
    *(".gz", ".txt", ".yaml", ".yml", ".safetensors", ".bin"),
)
HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?(@[\w./-]+)?", re.ASCII)
SPLITS = {
    "train": re.compile("train", re.IGNORECASE),
    "validation": re.compile("valid|dev", re.IGNORECASE),
    "test": re.compile("test|eval", re.IGNORECASE),
}


def looks_local(source: str) -> bool:
    """Whether `source` reads as a path on this machine rather than as ORG/NAME[@REVISION]."""
    name = source.partition("@")[0]
    first, inside, _ = name.partition("/")
    return (
        # runs/none, or data/none beside a folder data: never the name of somebody's repository
        (bool(inside) and (first == "runs" or _is_folder(Path(first))))
        or source.startswith((".", "/", "~"))
        or "\\" in source
        or name.count("/") > 1
        or name.endswith("/")
        or name.lower().endswith(FILE_SUFFIXES)
        or HUB_ID.fullmatch(source) is None
    )


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name too long to be one
        return False


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
    The files are read as local ones are, row by row: no loader in between guesses columns. Only
    where there is none of that kind does `datasets` unpack what there is, into one JSONL file.

    Raises:
        JloraError: the hub did not give them, or there are none.
    """
    names = _listed(dataset_id)
    plain = of_split(names, split)
    chosen = plain or of_split(names, split, LOADED_SUFFIXES)
    if not chosen:
        suffixes = ", ".join((*LINES_AND_TABLES, ".parquet", ".arrow", ".zip"))
        raise refuse("hub.no_data_files", name=dataset_id, split=split, suffixes=suffixes)
    folder = _fetch(dataset_id, "dataset", [escape(name) for name in chosen], [])
    files = [folder / name for name in chosen]
    return files if plain else [_unpacked(files, dataset_id, split, folder.name)]


def of_split(names: list[str], split: str, suffixes: tuple[str, ...] = DATA_SUFFIXES) -> list[str]:
    """Which of these repository files hold rows of `split`."""
    data = [
        name
        for name in sorted(names)
        if name.lower().endswith(suffixes)
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


def _listed(dataset_id: str) -> list[str]:
    """The files of a data set's repository; as the cache knows them where the hub is away."""
    if is_offline():
        return _cached_names(dataset_id)
    from huggingface_hub import HfApi  # noqa: PLC0415 - start-up stays light

    name, _, revision = dataset_id.partition("@")
    api = HfApi(endpoint=endpoint())
    try:
        # Not list_repo_files: without a network it tries again for 23 seconds.
        about = api.dataset_info(name, revision=revision or None)
    except _fetch_errors() as error:
        if _is_final(error):
            raise _translated(error, dataset_id) from error
        return _cached_names(dataset_id)
    return [sibling.rfilename for sibling in about.siblings or []]


def _cached_names(dataset_id: str) -> list[str]:
    """The repository's files of an earlier download, those included that were not fetched.

    So a shard that an interrupted download left out is missed, and another split's is not.
    """
    import huggingface_hub  # noqa: PLC0415 - start-up stays light

    folder = _fetch(dataset_id, "dataset", [NO_FILE], [])
    # Not in huggingface_hub 1.x, which keeps no such list.
    list_tree = getattr(huggingface_hub, "get_cached_repo_tree", None)
    if list_tree is not None:
        name, cache = dataset_id.partition("@")[0], os.environ.get("HF_HUB_CACHE")
        # What another program fetched one by one has no list either.
        with suppress(huggingface_hub.errors.CachedRepoTreeNotFoundError):
            tree = list_tree(name, repo_type="dataset", revision=folder.name, cache_dir=cache)
            return [file.path for file in tree]
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*.*")]


def _unpacked(files: list[Path], dataset_id: str, split: str, commit: str) -> Path:
    """The rows of `files` as one JSONL file in the cache of `datasets`, made once per commit.

    Raises:
        JloraError: `datasets` is missing, or cannot read them. Nothing half-written is left.
    """
    from huggingface_hub import constants  # noqa: PLC0415 - start-up stays light

    name = dataset_id.partition("@")[0]
    cache = Path(os.environ.get("HF_DATASETS_CACHE") or Path(constants.HF_HOME) / "datasets")
    made = cache.expanduser() / "jlora" / name.replace("/", "--") / commit / f"{split}.jsonl"
    if made.is_file():
        return made
    if importlib.util.find_spec("datasets") is None:
        line = install_line(read_machine(), ["datasets"]).replace("\n", " && ")
        raise refuse("hub.needs_datasets", name=name, files=_shown(files), line=line)
    try:
        _write_rows(files, made)
    except _reading_errors() as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise _of_system(error, name) from error
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise refuse("hub.unreadable", name=name, files=_shown(files), why=why) from error
    return made


def _write_rows(files: list[Path], made: Path) -> None:
    """Write what `datasets` reads from `files` as JSON lines: whole or not at all."""
    made.parent.mkdir(parents=True, exist_ok=True)
    partial = made.with_name(f".{made.name}.partial-{os.getpid()}")
    try:
        with partial.open("w", encoding="utf-8", newline="\n") as file:
            for row in _loaded_rows(files, made.parent):
                file.write(json.dumps(row, ensure_ascii=False, default=_as_text) + "\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(made)
    finally:
        partial.unlink(missing_ok=True)


def _loaded_rows(files: list[Path], folder: Path) -> Iterator[dict[str, object]]:
    """What `datasets` makes of `files`, which are here: it asks no hub, so knows no endpoint.

    `folder` has no README that could name other files. Streaming, because that leaves no second
    copy of the rows in the cache; as Arrow, because that decodes no pictures. There is no
    `trust_remote_code` to switch off since datasets 4: it runs no code of a repository.
    """
    import datasets

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    rows = datasets.load_dataset(
        str(folder),
        data_files={"rows": [escape(str(file)) for file in files]},
        split="rows",
        streaming=True,
        cache_dir=str(folder),
    )
    for batch in rows.with_format("arrow").iter(BATCH_ROWS):
        yield from batch.to_pylist()


def _as_text(value: object) -> str:
    """A date or an exact number as text; JSON has neither, and bytes are no text at all."""
    if isinstance(value, (date, time, Decimal)):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no text")


def _reading_errors() -> tuple[type[Exception], ...]:
    """What `datasets` and the readers below it raise for files that they cannot read."""
    kinds = {
        "pyarrow": "ArrowException",
        "datasets.exceptions": "DatasetsError",
        "datasets.table": "CastError",
    }
    loaded = [getattr(sys.modules[name], kinds[name]) for name in kinds if name in sys.modules]
    packed = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError)
    found = (OSError, ValueError, TypeError, LookupError, RuntimeError, ImportError)
    return (*found, *packed, *loaded)


def _shown(files: list[Path]) -> str:
    more = ", …" if len(files) > SHOWN_FILES else ""
    return ", ".join(file.name for file in files[:SHOWN_FILES]) + more


def _fetch(source: str, kind: str, allow: list[str], ignore: list[str]) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - start-up stays light
    from huggingface_hub.utils.tqdm import disable_progress_bars  # noqa: PLC0415

    name, _, revision = source.partition("@")
    if not sys.stderr.isatty() and "HF_HUB_DISABLE_PROGRESS_BARS" not in os.environ:
        disable_progress_bars()
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
