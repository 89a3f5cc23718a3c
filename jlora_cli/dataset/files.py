"""Bytes of a file -> blocks of whole lines, or a refusal that says what the file really is.

Lines end at LF, CRLF or an old Mac's CR and nowhere else: U+2028 or U+0085 inside a JSON
string is text. This file knows bytes and line ends, neither encodings nor rows.
"""

from __future__ import annotations

import codecs
import errno
import gzip
import re
import stat
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import IO, TYPE_CHECKING

from jlora_cli.errors import JloraError, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BinaryFile = IO[bytes] | gzip.GzipFile
HEAD_BYTES = 1 << 16
CHUNK_BYTES = 1 << 20
LONGEST_LINE = 64 << 20
MAGIC = (
    (b"\xd0\xcf\x11\xe0", "data.excel"),
    (b"version https://git-lfs", "data.lfs_pointer"),
    (b"7z\xbc\xaf", "data.archive"),
    (b"Rar!", "data.archive"),
    (b"BZh", "data.archive"),
    (b"\xfd7zXZ", "data.archive"),
    (b"\x28\xb5\x2f\xfd", "data.archive"),
    (b"\x1f\x8b", "data.archive"),
    (b"%PDF", "data.binary"),
)
# Encodings in which the byte 0x0A is a newline and nothing else: their lines are cut as bytes.
# Any other is turned into UTF-8 before it is cut.
CUT_AS_BYTES = {"utf-8", "cp932", "euc_jp", "euc_jis_2004"}

ENCODING_NAMES = {
    "cp932": "cp932 (Shift_JIS)",
    "euc_jp": "EUC-JP",
    "euc_jis_2004": "EUC-JIS-2004",
    "iso2022_jp": "ISO-2022-JP",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16LE",
    "utf-16-be": "UTF-16BE",
    "utf-32": "UTF-32",
    "utf-8": "UTF-8",
}


@dataclass(frozen=True)
class Lines:
    """Whole lines of a file with their ends; `first` is the number of the first, from 1."""

    first: int
    data: bytes
    end: bytes = b"\n"
    encoding: str = "utf-8"


def encoding_name(name: str) -> str:
    """What people call the encoding that Python calls `name`."""
    return ENCODING_NAMES.get(name, name)


def is_folder(path: Path) -> bool:
    """Whether `path` is a folder; a name too long to be one is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def check_file(path: Path) -> None:
    """Nothing, where `path` is a file that can be read.

    Raises:
        JloraError: it does not exist, is a looping link, or a pipe or device.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise _unopenable(path, error) from error
    if not stat.S_ISREG(mode):
        raise refuse("data.not_a_file", path=path)


def _unopenable(path: Path, error: OSError) -> JloraError:
    if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
        return refuse("data.cannot_open", path=path, why=error.strerror)
    if path.is_symlink():
        return refuse("data.bad_link", path=path)
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        names = []
    near = get_close_matches(path.name, names, n=1)
    if near:
        return refuse("data.missing_file_near", path=path, near=path.parent / near[0])
    return refuse("data.missing_file", path=path)


@contextmanager
def opened(path: Path) -> Iterator[BinaryFile]:
    """The bytes of `path`, unpacked where it is gzip.

    Raises:
        JloraError: it cannot be opened or read, or its gzip data are damaged.
    """
    check_file(path)
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if packed:
                with gzip.open(file) as unpacked:
                    yield unpacked
            else:
                yield file
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise refuse("data.broken_gzip", path=path) from error
    except OSError as error:
        raise refuse("data.cannot_open", path=path, why=error.strerror) from error


def head_of(path: Path) -> bytes:
    """The first 64 KiB, for deciding what the file is.

    Raises:
        JloraError: it is something that holds no rows: an archive, a workbook, a web page.
    """
    with opened(path) as file:
        head = file.read(HEAD_BYTES)
    for magic, key in MAGIC:
        if head.startswith(magic):
            raise refuse(key, path=path)
    if head.startswith(b"PK\x03\x04"):
        workbook = b"[Content_Types].xml" in head or b"xl/" in head
        raise refuse("data.excel" if workbook else "data.archive", path=path)
    if re.match(rb"\s*<(!doctype|html|\?xml)", head.removeprefix(codecs.BOM_UTF8), re.IGNORECASE):
        raise refuse("data.web_page", path=path, line=1)
    return head


def line_blocks(path: Path, encoding: str) -> Iterator[Lines]:
    """The whole file in blocks of whole lines, about a MiB each.

    Raises:
        JloraError: a line is longer than 64 MiB, or the file cannot be read or is not `encoding`.
    """
    number, pending, waiting, end = 1, [b""], 0, b""
    codec = encoding if encoding in CUT_AS_BYTES else "utf-8"
    for chunk in _utf8_or_cut_as_bytes(path, encoding):
        end = end or _line_end(chunk)
        cut = chunk.rfind(end) + 1
        if cut:
            block = Lines(number, b"".join([*pending, chunk[:cut]]), end, codec)
            yield block
            number += block.data.count(end)
            pending, waiting = [], 0
        pending.append(chunk[cut:])
        waiting += len(chunk) - cut
        if waiting > LONGEST_LINE:
            raise refuse("data.long_line", path=path, line=number, mib=LONGEST_LINE >> 20)
    if rest := b"".join(pending):
        yield Lines(number, rest, end, codec)


def _line_end(chunk: bytes) -> bytes:
    return b"\r" if b"\r" in chunk[:-1] and b"\n" not in chunk else b"\n"


def _utf8_or_cut_as_bytes(path: Path, encoding: str) -> Iterator[bytes]:
    chunks = byte_chunks(path)
    if encoding in CUT_AS_BYTES:
        return chunks
    return (text.encode("utf-8") for text in decoded(chunks, encoding, path))


def byte_chunks(path: Path) -> Iterator[bytes]:
    """The bytes of the file, unpacked and without the mark of UTF-8 in front."""
    with opened(path) as file:
        chunk = file.read(CHUNK_BYTES).removeprefix(codecs.BOM_UTF8)
        while chunk:
            yield chunk
            chunk = file.read(CHUNK_BYTES)


def decoded(chunks: Iterator[bytes], encoding: str, path: Path) -> Iterator[str]:
    """The chunks as text.

    Raises:
        JloraError: they are not `encoding`; it names the line.
    """
    decoder, line = codecs.getincrementaldecoder(encoding)(), 1
    try:
        for chunk in chunks:
            text = decoder.decode(chunk)
            line += text.count("\n")
            yield text
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        line += error.object[: error.start].count(b"\n")
        name = encoding_name(encoding)
        raise refuse("data.not_encoded", path=path, line=line, encoding=name) from error
