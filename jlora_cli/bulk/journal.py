"""What of a file is answered already: one line a row, on the disk before the next batch begins."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from jlora_cli.errors import refuse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Journal:
    """The rows that are done, by number, each with what was said of it.

    A journal belongs to its `terms`: the rows, the model and the settings that answer them. Its
    last line may be cut off by whatever ended the run; it is dropped and the row done again.

    Raises:
        JloraError: it belongs to other terms, or cannot be read or written.
    """

    def __init__(self, path: Path, terms: Mapping[str, Any]) -> None:
        self.path = path
        self.done: dict[int, Any] = {}
        opening = {"journal": 1, **terms}
        try:
            # Killed before its first line was on the disk, it is begun anew.
            if path.exists() and not _line(opening).startswith(path.read_bytes()):
                self._resume(opening)
            else:
                path.write_bytes(b"")
                self._append([opening])
        except OSError as error:
            raise self._refused(error) from error

    def add(self, rows: Mapping[int, Any]) -> None:
        """Put rows on the disk; once this returns, no kill loses them."""
        try:
            self._append([{"row": number, "said": said} for number, said in rows.items()])
        except OSError as error:
            raise self._refused(error) from error
        self.done.update(rows)

    def remove(self) -> None:
        """Forget it: the output is whole."""
        self.path.unlink(missing_ok=True)

    def _refused(self, error: OSError) -> Exception:
        return refuse("source.cannot_write", path=self.path, problem=error.strerror)

    def _resume(self, opening: Mapping[str, Any]) -> None:
        written = self.path.read_bytes()
        whole = written[: written.rfind(b"\n") + 1]
        try:
            first, *rows = [json.loads(line) for line in whole.splitlines()]
            differing = [name for name in opening if first[name] != opening[name]]
            done = {row["row"]: row["said"] for row in rows}
        except (ValueError, KeyError, TypeError) as error:
            raise refuse("infer.bad_journal", path=self.path) from error
        if differing:
            raise refuse("infer.other_journal", path=self.path, names=", ".join(differing))
        with self.path.open("r+b") as file:
            file.truncate(len(whole))
        self.done = done

    def _append(self, rows: list[dict[str, Any]]) -> None:
        with self.path.open("ab") as file:
            file.writelines(map(_line, rows))
            file.flush()
            os.fsync(file.fileno())


def _line(row: Mapping[str, Any]) -> bytes:
    return json.dumps(row).encode() + b"\n"
