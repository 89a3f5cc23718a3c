"""Ids to text while they arrive; holds back nothing but incomplete UTF-8 sequences."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

EACH_BYTE = "jlora.each-byte"


def _replace_each_byte(error: UnicodeError) -> tuple[str, int]:
    """One U+FFFD for every byte that is no UTF-8, as SentencePiece's DecodeUTF8 counts them."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\ufffd" * (error.end - error.start), error.end


codecs.register_error(EACH_BYTE, _replace_each_byte)


class StreamDecoder:
    """Text that is certain, id by id; all of it together is `Tokenizer.decode_continuation`."""

    def __init__(self, continuation: Callable[[int], bytes], *, errors: str) -> None:
        self._continuation = continuation
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors=errors)

    def push(self, id: int) -> str:
        """The text that `id` makes certain; empty while a character still lacks bytes."""
        return self._decoder.decode(self._continuation(id))

    def finish(self) -> str:
        """The rest: U+FFFD for a character whose bytes never came, else empty."""
        return self._decoder.decode(b"", final=True)
