"""A base's safetensors, written anew tensor by tensor with what an adapter changes.

Each tensor goes to the disk before the next is read, so memory holds the adapter and one tensor,
a few times over where it is changed: `benchmarks/merge_memory.py`. Mapped, as safetensors reads
it, a whole shard would come to lie in memory.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open

from jlora_cli.errors import refuse
from jlora_cli.weights import reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
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
_CHUNK = 1 << 20
NAMES = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}


class _Entry(NamedTuple):
    """A tensor in a file: its type as the format names it, and where its bytes lie in the data."""

    dtype: str
    shape: list[int]
    begin: int
    end: int


class _Shard:
    """An open safetensors file, one tensor at a time (the Format of huggingface/safetensors)."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        size = int.from_bytes(file.read(8), "little")
        head = json.loads(file.read(size))
        head.pop("__metadata__", None)
        self._data = 8 + size
        self.entries = {
            name: _Entry(told["dtype"], told["shape"], *told["data_offsets"])
            for name, told in head.items()
        }

    def read(self, name: str) -> torch.Tensor:
        """A tensor of one of FLOATS."""
        entry = self.entries[name]
        raw = bytearray()
        for chunk in self.chunks(name):
            raw += chunk
        return torch.frombuffer(raw, dtype=FLOATS[entry.dtype][0]).reshape(entry.shape)

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of a tensor, piece by piece."""
        entry = self.entries[name]
        self._file.seek(self._data + entry.begin)
        for place in range(entry.begin, entry.end, _CHUNK):
            yield self._file.read(min(_CHUNK, entry.end - place))


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


# What older versions of transformers stored and none reads: -1e9, which in float16 is infinite.
_OF_NOBODY = ".masked_bias"


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
        with path.open("rb") as file:
            shard = _Shard(file)
            entries = _planned(shard.entries, dtype)
            _write(shard, entries, folder / path.name, changes)
        index |= dict.fromkeys(entries, path.name)
        total += sum(entry.end - entry.begin for entry in entries.values())
    if [path.name for path in shards] != [WHOLE]:
        document = {"metadata": {"total_size": total}, "weight_map": dict(sorted(index.items()))}
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        (folder / INDEX).write_text(text, encoding="utf-8", newline="\n")


def _planned(stored: Mapping[str, _Entry], dtype: str | None) -> dict[str, _Entry]:
    """The tensors of a file to be written, in their order: widest numbers first.

    So every tensor begins at a multiple of its number's size, as safetensors' own writer has it.
    """
    planned = {}
    begin = 0
    for name, entry in sorted(stored.items(), key=lambda item: (-_width(item[1]), item[0])):
        kind, size = entry.dtype, entry.end - entry.begin
        if dtype is not None and kind in FLOATS and not name.endswith(_OF_NOBODY):
            kind = NAMES[dtype]
            size = math.prod(entry.shape) * FLOATS[kind][1]
        planned[name] = _Entry(kind, entry.shape, begin, begin + size)
        begin += size
    return planned


def _width(entry: _Entry) -> int:
    """The bytes of one number."""
    return (entry.end - entry.begin) // max(1, math.prod(entry.shape))


def _write(
    shard: _Shard,
    entries: Mapping[str, _Entry],
    target: Path,
    changes: Mapping[str, Change | Replacement],
) -> None:
    with target.open("wb") as file:
        file.write(_header(entries))
        for name, entry in entries.items():
            if entry.end == entry.begin:
                continue
            if name in changes or shard.entries[name].dtype != entry.dtype:
                file.write(_changed(shard, name, entry, changes.get(name)))
            else:
                file.writelines(shard.chunks(name))
        file.flush()
        os.fsync(file.fileno())


def _changed(
    shard: _Shard, name: str, entry: _Entry, change: Change | Replacement | None
) -> memoryview:
    tensor = shard.read(name)
    if change is not None:
        tensor = change.apply(tensor)
    made = tensor.to(FLOATS[entry.dtype][0])
    if not torch.isfinite(made).all():
        raise refuse("merge.overflow", name=name, dtype=entry.dtype)
    return made.contiguous().reshape(-1).view(torch.uint8).numpy().data


def _header(entries: Mapping[str, _Entry]) -> bytes:
    head: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    for name, entry in entries.items():
        place = [entry.begin, entry.end]
        head[name] = {"dtype": entry.dtype, "shape": entry.shape, "data_offsets": place}
    text = json.dumps(head, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text
