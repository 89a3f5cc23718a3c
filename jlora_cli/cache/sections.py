"""A file of flat arrays with some facts about them, mapped into memory.

A header of 64 bytes tells the size of the file, where the directory is (JSON with the place of
each array, and the facts), and a checksum of all that and of all that follows.
"""

from __future__ import annotations

import io
import json
import mmap
import os
import struct
import zlib
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from array import array
    from collections.abc import Mapping
    from pathlib import Path

    from jlora_cli.cache.scratch import Scratch

_MAGIC = b"jlora\r\n\x01"
_HEADER = struct.Struct("<8sIQQ")  # magic, checksum, size, place of the directory
_FIRST = 64
_ALIGNED = 8
_CHUNK = 1 << 20


class DamagedError(Exception):
    """A file that is not as it was written: cut off, changed or something else."""


class Sections:
    """Arrays by name, as views of `held`: a map of a file, or bytes.

    `facts` are what else was written; `path` is the file where it has a name.
    """

    def __init__(self, held: mmap.mmap | bytes, path: Path | None = None) -> None:
        self.path = path
        self._held = held
        content = memoryview(held)
        *_, directory = _HEADER.unpack_from(content)
        told = json.loads(bytes(content[directory:]))
        self.facts: dict[str, Any] = told["facts"]
        self._arrays = {
            name: content[start : start + length].cast(kind)
            for name, (kind, start, length) in told["arrays"].items()
        }

    def __getitem__(self, name: str) -> memoryview:
        return self._arrays[name]

    def __contains__(self, name: object) -> bool:
        return name in self._arrays

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process: the file by its name, else all of it."""
        if self.path is not None and self.path.is_file():
            return open_sections, (self.path,)
        return Sections, (bytes(self._held),)

    def release(self) -> None:
        """Give back the memory of the pages that were read; they come again when asked for."""
        if isinstance(self._held, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            self._held.madvise(mmap.MADV_DONTNEED)


def open_sections(path: Path, *, checked: bool = True) -> Sections:
    """What lies at `path`; where it is to be `checked`, after a look at every byte.

    Raises:
        DamagedError: it is not as it was written.
        OSError: it cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        if checked:
            _check(file)
        return Sections(_mapped(file), path)


def sections_in(scratch: Scratch) -> Sections:
    """What was written into `scratch`, which has no name to be found by later."""
    with scratch.handed_over() as file:
        return Sections(_mapped(file))


def _check(file: IO[bytes]) -> None:
    head = file.read(_FIRST)
    if len(head) < _FIRST:
        raise DamagedError
    magic, checksum, size, directory = _HEADER.unpack_from(head)
    if magic != _MAGIC or size != os.fstat(file.fileno()).st_size:
        raise DamagedError
    found = 0
    while part := file.read(_CHUNK):
        found = zlib.crc32(part, found)
    if _sealed(found, size, directory) != checksum:
        raise DamagedError


def _sealed(checksum: int, size: int, directory: int) -> int:
    """The checksum of what follows, with what the header says besides."""
    return zlib.crc32(struct.pack("<QQ", size, directory), checksum)


def _mapped(file: IO[bytes]) -> mmap.mmap | bytes:
    if isinstance(file, io.BytesIO):
        return file.getvalue()
    try:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # a file system that maps nothing
        file.seek(0)
        return b"".join(iter(lambda: file.read(_CHUNK), b""))


class Writer:
    """Writes sections into `scratch`: one array that grows, then whole ones, then the facts."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._sum = 0
        self._append(bytes(_FIRST), counted=False)

    def extend(self, values: array[int]) -> None:
        """Add `values` to the array that grows."""
        self._append(values)

    def finish(
        self, growing: tuple[str, str], arrays: Mapping[str, array[int]], facts: Mapping[str, Any]
    ) -> None:
        """Write the rest; `growing` is the name and the type code of the array that grew."""
        scratch = self._scratch
        name, kind = growing
        places = {name: (kind, _FIRST, scratch.size - _FIRST)}
        for name, values in arrays.items():
            self._append(bytes(-scratch.size % _ALIGNED))
            places[name] = (values.typecode, scratch.size, len(values) * values.itemsize)
            self._append(values)
        directory = scratch.size
        self._append(json.dumps({"arrays": places, "facts": facts}).encode())
        checksum = _sealed(self._sum, scratch.size, directory)
        scratch.overwrite(_HEADER.pack(_MAGIC, checksum, scratch.size, directory))

    def _append(self, data: bytes | array[int], *, counted: bool = True) -> None:
        flat = memoryview(data).cast("B") if len(data) else memoryview(b"")
        if counted:
            self._sum = zlib.crc32(flat, self._sum)
        self._scratch.append(flat)
