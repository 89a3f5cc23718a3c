"""Bytes of a file -> lines of text, or a refusal that says what the file really is.

Lines end at LF, CRLF or an old Mac's CR and nowhere else: U+2028 or U+0085 inside a JSON
string is text. This file knows encodings, not rows.
"""

from __future__ import annotations

import codecs
import errno
import gzip
import re
import stat
import zlib
from contextlib import contextmanager
from difflib import get_close_matches
from typing import IO, TYPE_CHECKING

from jlora_cli.dataset.faults import RowError
from jlora_cli.errors import JloraError, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BinaryFile = IO[bytes] | gzip.GzipFile
HEAD_BYTES = 1 << 16
CHUNK_BYTES = 1 << 20
LONGEST_LINE = 64 << 20
LARGEST_DOCUMENT = 1 << 30
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
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
KANA = re.compile("[ぁ-ゖァ-ヺー、。]")


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
    if encoding := _wide_encoding(head):
        raise refuse("data.encoding", path=path, line=1, encoding=encoding)
    return head


def _wide_encoding(head: bytes) -> str:
    """UTF-16's name where these bytes are that: by its mark, or by where the zero bytes stand."""
    if head.startswith(UTF16_MARKS):
        return "UTF-16"
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if even + odd <= len(head) / 10:
        return ""
    return "UTF-16BE" if even > odd else "UTF-16LE"


def raw_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Each line's number, from 1, and its bytes without the line end.

    Raises:
        JloraError: a line is longer than 64 MiB, or the file cannot be read.
    """
    with opened(path) as file:
        pending = file.read(HEAD_BYTES).removeprefix(codecs.BOM_UTF8)
        end = b"\r" if b"\r" in pending and b"\n" not in pending else b"\n"
        number = 0
        while chunk := file.read(CHUNK_BYTES):
            *whole, pending = (pending + chunk).split(end)
            for line in whole:
                number += 1
                yield number, line.removesuffix(b"\r")
            if len(pending) > LONGEST_LINE:
                raise refuse("data.long_line", path=path, line=number + 1, mib=LONGEST_LINE >> 20)
        *whole, pending = pending.split(end)
        for last, line in enumerate([*whole, pending] if pending else whole, number + 1):
            yield last, line.removesuffix(b"\r")


def text_lines(path: Path) -> Iterator[tuple[int, str | RowError]]:
    """Each line as text; a damaged line as its fault.

    Raises:
        JloraError: the file as a whole is in another encoding, which the error names.
    """
    known_utf8 = False
    for number, raw in raw_lines(path):
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            encoding = "" if known_utf8 else likely_encoding(raw)
            if encoding:
                raise refuse("data.encoding", path=path, line=number, encoding=encoding) from error
            byte = f"0x{raw[error.start]:02X}"
            yield number, RowError("not_utf8", column=error.start + 1, byte=byte)
            continue
        known_utf8 = known_utf8 or not line.isascii()
        yield number, line


def whole_text(path: Path) -> str:
    """The whole file as text, for JSON that is not one row a line; line ends become LF.

    Raises:
        JloraError: it is not UTF-8, or larger than 1 GiB.
    """
    with opened(path) as file:
        raw = file.read(LARGEST_DOCUMENT + 1)
    if len(raw) > LARGEST_DOCUMENT:
        raise refuse("data.large_document", path=path, gib=LARGEST_DOCUMENT >> 30)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        encoding = likely_encoding(raw)
        if encoding:
            raise refuse("data.encoding", path=path, line=line, encoding=encoding) from error
        raise refuse("data.not_utf8", path=path, line=line) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def likely_encoding(raw: bytes) -> str:
    """The encoding, of those that Japanese systems write, in which `raw` reads as Japanese.

    Empty where none does. Kana decide: wrongly decoded Japanese has next to none of them.
    """
    shares = {}
    for encoding in ("cp932", "euc_jp"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        foreign = sum(not char.isascii() for char in text)
        shares[encoding] = len(KANA.findall(text)) / max(foreign, 1)
    best = max(shares, key=lambda name: shares[name], default="")
    return best if best and shares[best] >= 0.15 else ""
