"""A tokenizer that a person can read: one id a character, and special ids before them."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from jlora_cli.tokenizer import StreamDecoder

FIRST_CHARACTER = 100
NEWLINE = "<NL>"


class CharacterTokenizer:
    """The interface of `Tokenizer` over characters.

    `special` are the literals with ids 0, 1, ...; `newline` says what becomes of a newline: "keep",
    "nl" (lost, but <NL> is a piece) or "space". Text is normalised by NFKC where `nfkc` says so.
    """

    unk_id = None
    lower_case_hint = False
    family = "characters"
    fingerprint = "characters"
    folder = Path("characters")
    files = ()

    def __init__(
        self, *special, eos="</s>", bos=None, chat_template=None, newline="keep", nfkc=False
    ):
        self.special_ids = {literal: id_ for id_, literal in enumerate(special or ["</s>"])}
        self.eos_id = self.special_ids.get(eos)
        self.bos_id = self.special_ids.get(bos)
        self.pad_id = self.special_ids.get("[PAD]")
        self.adds_bos = bos is not None
        self.chat_template = chat_template
        self.keeps_newlines = newline == "keep"
        self.newline_piece = NEWLINE if newline == "nl" else None
        self.newline_id = len(self.special_ids)
        self._normalise = (lambda text: unicodedata.normalize("NFKC", text)) if nfkc else str
        self.size = self.rows = FIRST_CHARACTER + 0x110000

    def encode(self, text):
        pattern = f"{NEWLINE}|." if self.newline_piece else "."
        return [self._id(piece) for piece in re.findall(pattern, self._normalise(text), re.DOTALL)]

    def _id(self, piece):
        if piece == NEWLINE:
            return self.newline_id
        if piece == "\n" and not self.keeps_newlines:
            piece = " "
        return FIRST_CHARACTER + ord(piece)

    def encode_batch(self, texts):
        return [self.encode(text) for text in texts]

    def continue_batch(self, pairs):
        return [self.encode(answer) for _, answer in pairs]

    def pieces(self, ids):
        literals = {id_: literal for literal, id_ in self.special_ids.items()}
        if self.newline_piece:
            literals[self.newline_id] = NEWLINE
        return [literals[i] if i in literals else chr(i - FIRST_CHARACTER) for i in ids]

    def decode_continuation(self, ids):
        return "".join(self.pieces([id_ for id_ in ids if id_ not in self.special_ids.values()]))

    def decode(self, ids):
        return self.decode_continuation(ids)

    def stream(self):
        return StreamDecoder(lambda id_: self.decode_continuation([id_]).encode(), errors="replace")


def marked(tokenizer, row):
    """The row as text, special ids as their literals, what is trained between ⟦ and ⟧."""
    shown, inside = "", False
    for piece, label in zip(tokenizer.pieces(row.ids), row.labels, strict=True):
        trained = label >= 0
        shown += ("⟦" if trained else "⟧") if trained != inside else ""
        shown, inside = shown + piece, trained
    return shown + "⟧" * inside
