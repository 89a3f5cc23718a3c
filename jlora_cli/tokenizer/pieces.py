"""A SentencePiece model, read by sentencepiece itself; ids are exactly the library's."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as proto
from sentencepiece import sentencepiece_pb2 as encoded

from jlora_cli.errors import refuse
from jlora_cli.tokenizer.folder import AddedToken, TokenizerFolder, read_bytes
from jlora_cli.tokenizer.stream import EACH_BYTE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SPACE = "▁"
FAMILIES = {1: "sentencepiece-unigram", 2: "sentencepiece-bpe", 3: "sentencepiece-word"}
FAMILIES[4] = "sentencepiece-char"
UNKNOWN, CONTROL, USER_DEFINED, UNUSED = 2, 3, 4, 5
# These classes prepend BOS unless their configuration says otherwise.
BOS_CLASSES = {"LlamaTokenizer", "CodeLlamaTokenizer", "GemmaTokenizer"}


class PieceVocabulary:
    """The vocabulary of a `.model` file, with the tokens that the folder adds to it.

    An added token becomes a piece of the model: user-defined when it is an ordinary one, so
    that sentencepiece finds it in text, and control when it is special, so that no text ever
    becomes it.
    """

    errors = EACH_BYTE

    def __init__(self, folder: TokenizerFolder, file: Path) -> None:
        content = read_bytes(file)
        model = parse_model(file, content)
        self.family = FAMILIES.get(model.trainer_spec.model_type, "sentencepiece")
        barred = _bar(model, folder)
        added, gaps = _extend(model, folder.added_tokens())
        changed = barred + added
        self._processor = _processor(file, model.SerializeToString() if changed else content)
        self.fingerprint = hashlib.sha256(
            content + repr(changed).encode() * bool(changed)
        ).hexdigest()
        self.size: int = self._processor.get_piece_size()
        kinds = {CONTROL, UNKNOWN}
        self.special = {p.piece: i for i, p in enumerate(model.pieces) if p.type in kinds}
        self.silent = gaps.union(i for i, p in enumerate(model.pieces) if p.type == CONTROL)
        self.own = {role: _own_id(self._processor, role) for role in ("unk", "bos", "eos", "pad")}
        self.adds_bos = bool(folder.config.get("add_bos_token", folder.class_name in BOS_CLASSES))
        # transformers' T5Tokenizer knows no add_bos_token, whatever the configuration holds.
        self.adds_bos &= folder.class_name != "T5Tokenizer"

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        ids: list[list[int]] = self._processor.encode(list(texts))
        return ids

    def surfaces(self, text: str) -> list[tuple[int, str]]:
        content = self._processor.encode(text, out_type="serialized_proto")
        parts = encoded.SentencePieceText.FromString(content).pieces
        return [(part.id, part.surface) for part in parts]

    def decode(self, ids: Sequence[int]) -> str:
        return str(self._processor.decode(list(ids)))

    def piece(self, id: int) -> str:
        return str(self._processor.id_to_piece(id))

    def piece_id(self, literal: str) -> int | None:
        id_: int = self._processor.piece_to_id(literal)
        return id_ if self._processor.id_to_piece(id_) == literal else None

    def continuation(self, id: int) -> bytes:
        piece = self.piece(id)
        if self._processor.is_byte(id):
            return bytes.fromhex(piece[3:5])
        if self._processor.is_unknown(id):
            return self.decode([id]).encode()
        return piece.replace(SPACE, " ").encode()


def parse_model(file: Path, content: bytes) -> Any:
    """The protocol buffer of a `.model` file.

    Raises:
        JloraError: the file is cut off or something else. One that was cut between two fields
            still parses, hence the look at the fields that come last.
    """
    try:
        model = proto.ModelProto.FromString(content)
    except Exception as error:  # protobuf's DecodeError moved between its versions
        raise refuse("tokenizer.broken_model", file=file) from error
    whole = model.HasField("trainer_spec") and model.HasField("normalizer_spec")
    if not model.pieces or not whole:
        raise refuse("tokenizer.broken_model", file=file)
    return model


def _processor(file: Path, content: bytes) -> Any:
    try:
        return sentencepiece.SentencePieceProcessor(model_proto=content)
    except (RuntimeError, OSError, ValueError) as error:
        raise refuse("tokenizer.broken_model", file=file) from error


def _own_id(processor: Any, role: str) -> int | None:
    id_: int = getattr(processor, f"{role}_id")()
    return id_ if id_ >= 0 else None


def _bar(model: Any, folder: TokenizerFolder) -> list[AddedToken]:
    """Turn user-defined pieces that are declared special into control pieces; those turned.

    Otherwise sentencepiece would find them in a user's text.
    """
    declared = {token.literal for token in folder.added_tokens() if token.special}
    declared |= folder.special_literals()
    barred = []
    for id_, piece in enumerate(model.pieces):
        if piece.type == USER_DEFINED and piece.piece in declared:
            piece.type = CONTROL
            barred.append(AddedToken(piece.piece, id_, True))
    return barred


def _extend(model: Any, added: list[AddedToken]) -> tuple[list[AddedToken], frozenset[int]]:
    """Make the added tokens pieces of `model`; what was new, and the textless ids between."""
    pieces = model.pieces
    known = {piece.piece for piece in pieces}
    new = [token for token in added if token.id >= len(pieces) and token.literal not in known]
    gaps: set[int] = set()
    for token in new:
        gaps.update(range(len(pieces), token.id))
        while len(pieces) < token.id:
            pieces.add(piece=f"\ufdd0{len(pieces)}", score=0.0, type=UNUSED)
        kind = CONTROL if token.special else USER_DEFINED
        pieces.add(piece=token.literal, score=0.0, type=kind)
    return new, frozenset(gaps)
