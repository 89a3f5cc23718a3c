"""A piece of a file -> canonical lines and a tally: the work that other processes take over."""

from __future__ import annotations

import re
import unicodedata
from array import array
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeVar

from jlora_cli.dataset.rows import rows_in
from jlora_cli.dataset.sieve import Sieve, Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jlora_cli.dataset.examples import Example
    from jlora_cli.dataset.reading import FileReading
    from jlora_cli.dataset.rows import Piece
    from jlora_cli.dataset.sieve import Asked
    from jlora_cli.processes import Processes

Made = TypeVar("Made")
KEY_BYTES = 8
# Neither stands in a checked text, so that no two rows are alike by their seams.
BETWEEN_TURNS, AFTER_ROLE = "\0\0", "\0"
# All but ASCII, Japanese punctuation, kana of full width and the common kanji.
MAY_CHANGE = re.compile("[^\0-\x7f\u3001-\u303f\u3041-\u3096\u30a1-\u30fe\u4e00-\u9fff]+")


@dataclass(frozen=True)
class Job:
    """A piece, and how its rows are read; no more than `limit` good ones."""

    piece: Piece
    name: str
    asked: Asked
    limit: int | None = None


@dataclass(frozen=True)
class Sifted:
    """The good rows of a piece as one UTF-8 text; of each, its key and its length in bytes."""

    tally: Tally
    lines: bytes
    keys: array[int]
    sizes: array[int]


def sift(job: Job) -> Sifted:
    """The rows of one piece, checked and written in canonical form."""
    tally = Tally()
    sieve = Sieve(job.name, job.asked, tally)
    keys, sizes, lines = array("Q"), array("I"), []
    for example in sieve.sifted(rows_in(job.piece), job.limit):
        line = f"{example.as_line()}\n".encode()
        keys.append(key_of(example))
        sizes.append(len(line))
        lines.append(line)
    return Sifted(tally, b"".join(lines), keys, sizes)


def key_of(example: Example) -> int:
    """64 bits that rows share which differ in width of letters and in white space only.

    Of five million different rows, two share theirs by chance once in 1.5 million data sets.
    """
    digest = blake2b(folded(example).encode(), digest_size=KEY_BYTES).digest()
    return int.from_bytes(digest, "big")


def folded(example: Example) -> str:
    """What a row says, after NFKC and with every run of white space as one space."""
    if example.text is not None:
        return _fold(example.text)
    return BETWEEN_TURNS.join(
        f"{turn.role}{AFTER_ROLE}{_fold(turn.content)}" for turn in example.messages
    )


def _fold(text: str) -> str:
    """The text after NFKC, with every run of white space as one space.

    Normalizing only what may need it gives the same, as NFKC of a part never changes NFKC of the
    whole; of 76 characters with three of another width it takes 6 µs instead of 28.
    """
    if not text.isascii() and not unicodedata.is_normalized("NFKC", text):
        text = unicodedata.normalize("NFKC", MAY_CHANGE.sub(_nfkc, text))
    return " ".join(text.split())


def _nfkc(found: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", found[0])


def jobs_of(reading: FileReading) -> Iterator[Job]:
    """The file's pieces as jobs; those after the first good row know its format."""
    for piece in reading.opened.pieces:
        asked = replace(reading.asked, format=reading.format or None)
        yield Job(piece, reading.opened.path.name, asked)


def worked(
    reading: FileReading, work: Callable[[Job], Made], processes: Processes, *, large: bool
) -> Iterator[tuple[Job, Made]]:
    """The file's pieces in order, each with what `work` made of it, until the file is lost.

    The first good row decides the format, so a `large` file is shared out from there on: whoever
    asks for the next piece has put the tally of the one before into `reading`.
    """
    jobs = jobs_of(reading)
    for job in jobs:
        yield job, work(job)
        if reading.format or reading.is_lost:
            break
    if not reading.is_lost:
        yield from processes.in_order(work, jobs, large=large)
