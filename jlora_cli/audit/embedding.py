"""Whether a token's row in the output embedding was ever trained, read from the file's bytes.

No tensor library: a row is a slice of a safetensors file, whose header says where it lies
(https://huggingface.co/docs/safetensors, "Format").
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# The matrix that an answer is read from; the input's where a model ties the two.
_OUTPUTS = ("lm_head.weight", "embed_out.weight")
_INPUTS = ("wte.weight", "embed_in.weight", "embed_tokens.weight")
_MOST_HEADER = 100 << 20  # as the format's own reader


def describe_untrained(folder: Path, id: int, others: Iterable[int]) -> str:
    """Why the row of token `id` cannot have been trained; empty where it was, or nothing tells.

    A row of zeros, or the very values of one of `others`: so look the rows of tokens that were
    added for later, such as the reserved ones of Llama 3.
    """
    place = _find(folder)
    row = _row(place, id) if place else b""
    if not place or not row:
        return ""
    if not any(row):
        return say("eos-untrained.zero")
    twin = next((other for other in others if other != id and _row(place, other) == row), None)
    return "" if twin is None else say("eos-untrained.copy", other=twin)


# (file, first byte of the matrix, its rows, bytes of a row)
_Place = tuple["Path", int, int, int]


def _find(folder: Path) -> _Place | None:
    """Where the output embedding lies among the safetensors files of `folder`."""
    places: dict[str, _Place] = {}
    for path in sorted(folder.glob("*.safetensors")):
        for name, place in _matrices(path):
            places[name] = place
    return next((places[name] for name in (*_OUTPUTS, *_INPUTS) if name in places), None)


def _matrices(path: Path) -> Iterable[tuple[str, _Place]]:
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if length <= _MOST_HEADER else {}
        for name, about in header.items():
            kind = next((end for end in (*_OUTPUTS, *_INPUTS) if name.endswith(end)), None)
            if kind is not None:
                start, end = about["data_offsets"]
                rows = about["shape"][0]
                yield kind, (path, 8 + length + start, rows, (end - start) // max(rows, 1))
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError):
        return  # a damaged file is told of where the weights are loaded


def _row(place: _Place, id: int) -> bytes:
    path, first, rows, width = place
    if not 0 <= id < rows:
        return b""
    with path.open("rb") as file:
        file.seek(first + id * width)
        return file.read(width)
