"""Bytes on their way to disk, which stay in memory where no disk takes them."""

from __future__ import annotations

import io
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

SMALL_BYTES = 4 << 20  # up to here a temporary file is not worth its name


class Scratch:
    """A file that grows: at `path` where that can be, else a temporary one, else in memory.

    A disk that is full or gone is done without: what is there so far goes on in memory.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._file: IO[bytes] = io.BytesIO()
        self._on_disk = False
        self.size = 0
        if path is not None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._file = path.open("x+b", buffering=0)
                self._on_disk = True
                path.chmod(0o600)  # what is in there was somebody's text
            except OSError:
                self.path = None

    def append(self, data: bytes | memoryview) -> None:
        """Write `data` behind what is there."""
        if not self._on_disk and self.path is None and self._is_large(len(data)):
            self._to_disk()
        try:
            self._write(data)
        except OSError:
            self._to_memory()
            self._write(data)
        self.size += len(data)

    def overwrite(self, data: bytes) -> None:
        """Write `data` over the beginning."""
        try:
            self._file.seek(0)
            self._write(data)
        except OSError:
            self._to_memory()
            self._file.seek(0)
            self._write(data)
        self._file.seek(self.size)

    def read(self, start: int, length: int) -> bytes:
        """`length` bytes from `start` on."""
        self._file.seek(start)
        data = _read(self._file, length)
        self._file.seek(self.size)
        return data

    def flush(self) -> bool:
        """Whether all of it lies at `path`, and on the disk itself."""
        if self.path is None:
            return False
        try:
            os.fsync(self._file.fileno())
        except OSError:
            self._to_memory()
            return False
        return True

    def handed_over(self) -> IO[bytes]:
        """The open file, for whoever reads it from now on; its name is gone."""
        self._unlink()
        self.path = None
        return self._file

    def leave(self) -> Path:
        """Close the file and leave it where it lies."""
        path, self.path = self.path, None
        self._file.close()
        return path or Path()

    def close(self) -> None:
        """Leave nothing behind."""
        self._file.close()
        self._unlink()

    def _is_large(self, more: int) -> bool:
        return self.size <= SMALL_BYTES < self.size + more

    def _to_disk(self) -> None:
        """From memory to a temporary file that has no name, where there is room for one."""
        try:
            file: Any = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by `close`
        except OSError:
            return
        held, self._file, self._on_disk = self._file, file, True
        try:
            held.seek(0)
            self._write(held.read())
        except OSError:
            self._file, self._on_disk = held, False
            self._file.seek(self.size)

    def _to_memory(self) -> None:
        held = self._file
        held.seek(0)
        self._file = io.BytesIO(_read(held, self.size))
        self._file.seek(self.size)
        held.close()
        self._unlink()
        self._on_disk, self.path = False, None

    def _unlink(self) -> None:
        if self.path is not None:
            with suppress(OSError):
                self.path.unlink()

    def _write(self, data: bytes | memoryview) -> None:
        left = memoryview(data)
        while left:  # a raw file may take a part only
            left = left[self._file.write(left) :]


def _read(file: IO[bytes], length: int) -> bytes:
    """So many bytes; a raw file may give fewer at once."""
    parts = []
    while length > 0 and (part := file.read(length)):
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
