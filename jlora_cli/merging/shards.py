"""A base's safetensors, written anew tensor by tensor with what an adapter changes.

A shard is mapped, not read, and each tensor goes to the disk before the next is touched; so memory
holds no more than one shard's pages, one tensor in float32, and the adapter.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open

from jlora_cli.errors import refuse
from jlora_cli.weights import reason_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jlora_cli.merging.changes import Change, Replacement

WHOLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
# What may be added to, and the format's name of it: (dtype, bytes of one number).
FLOATS = {
    "F64": (torch.float64, 8),
    "F32": (torch.float32, 4),
    "F16": (torch.float16, 2),
    "BF16": (torch.bfloat16, 2),
}
NAMES = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}


class _Entry(NamedTuple):
    """A tensor of a file to be written: its type as the format names it, its bytes."""

    dtype: str
    shape: list[int]
    size: int


def shards_of(base: Path) -> list[Path]:
    """The files that hold the base's weights, as transformers would choose them.

    Raises:
        JloraError: the index cannot be read, or names a file that is not there.
    """
    if (base / WHOLE).is_file():
        return [base / WHOLE]
    index = base / INDEX
    try:
        named = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except FileNotFoundError as error:
        raise refuse("model.no_weights", folder=base) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise refuse("source.bad_json", path=index, problem=reason_of(error)) from error
    for name in named:
        if "/" in name or "\\" in name or not (base / name).is_file():
            raise refuse("merge.no_shard", path=index, name=name)
    return [base / name for name in named]


def shard_tensors(shards: list[Path]) -> dict[str, tuple[list[int], str]]:
    """(shape, dtype) of every tensor in these files, by name.

    Raises:
        JloraError: a file is empty or cut off.
    """
    found = {}
    for path in shards:
        try:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 - safe_open is no dict
                    part = file.get_slice(name)
                    found[name] = (part.get_shape(), part.get_dtype())
        except (SafetensorError, OSError) as error:
            raise refuse("model.damaged", path=path, problem=reason_of(error)) from error
    return found


def main_dtype(tensors: Mapping[str, tuple[list[int], str]]) -> str:
    """The precision of most tensors, as `--dtype` names it; float32 where it has no name there."""
    kinds = Counter(dtype for _, dtype in tensors.values() if dtype in FLOATS)
    most = kinds.most_common(1)
    written = {name: dtype for dtype, name in NAMES.items()}
    return written.get(most[0][0], "float32") if most else "float32"


def write_shards(
    shards: list[Path],
    folder: Path,
    changes: Mapping[str, Change | Replacement],
    dtype: str | None,
) -> None:
    """Write the shards into `folder`, changed and in `dtype`; None keeps each tensor's own.

    Raises:
        JloraError: a number is too large for float16.
        OSError: a file cannot be written.
    """
    index: dict[str, str] = {}
    total = 0
    for path in shards:
        with safe_open(path, framework="pt") as shard:
            entries = _entries(shard, dtype)
            _write(shard, entries, folder / path.name, changes)
        index |= dict.fromkeys(entries, path.name)
        total += sum(entry.size for entry in entries.values())
    if [path.name for path in shards] != [WHOLE]:
        document = {"metadata": {"total_size": total}, "weight_map": dict(sorted(index.items()))}
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        (folder / INDEX).write_text(text, encoding="utf-8", newline="\n")


def _entries(shard: Any, dtype: str | None) -> dict[str, _Entry]:
    """The tensors of a shard in the order of the file to be written: widest numbers first.

    So every tensor begins at a multiple of its number's size, as safetensors' own writer has it.
    """
    found = {}
    for name in shard.keys():  # noqa: SIM118 - safe_open is no dict
        part = shard.get_slice(name)
        stored, shape = part.get_dtype(), part.get_shape()
        kind = NAMES[dtype] if dtype is not None and stored in FLOATS else stored
        width = FLOATS[kind][1] if kind in FLOATS else shard.get_tensor(name).element_size()
        found[name] = (-width, name, _Entry(kind, shape, width * _count(shape)))
    return {name: entry for _, name, entry in sorted(found.values())}


def _count(shape: list[int]) -> int:
    return int(torch.Size(shape).numel())


def _write(
    shard: Any,
    entries: Mapping[str, _Entry],
    target: Path,
    changes: Mapping[str, Change | Replacement],
) -> None:
    with target.open("wb") as file:
        file.write(_header(entries))
        for name, entry in entries.items():
            _write_tensor(file, _changed(shard.get_tensor(name), changes.get(name), name, entry))
        file.flush()
        os.fsync(file.fileno())


def _changed(
    tensor: torch.Tensor, change: Change | Replacement | None, name: str, entry: _Entry
) -> torch.Tensor:
    whole = tensor if change is None else change.apply(tensor)
    if entry.dtype not in FLOATS:
        return whole
    made = whole.to(FLOATS[entry.dtype][0])
    if made is not tensor and not torch.isfinite(made).all():
        raise refuse("merge.overflow", name=name, dtype=entry.dtype)
    return made


def _header(entries: Mapping[str, _Entry]) -> bytes:
    """The head of a safetensors file (huggingface/safetensors, "Format")."""
    head: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    begin = 0
    for name, entry in entries.items():
        end = begin + entry.size
        head[name] = {"dtype": entry.dtype, "shape": entry.shape, "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(head, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _write_tensor(file: IO[bytes], tensor: torch.Tensor) -> None:
    flat = tensor.detach().contiguous().reshape(-1)
    if flat.numel():
        file.write(flat.view(torch.uint8).numpy().data)
