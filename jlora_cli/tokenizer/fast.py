"""A `tokenizer.json`, read by the tokenizers library directly and never by a named class."""

from __future__ import annotations

import hashlib
import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import tokenizers

from jlora_cli.errors import refuse
from jlora_cli.tokenizer.folder import read_bytes
from jlora_cli.tokenizer.stream import EACH_BYTE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from jlora_cli.tokenizer.folder import TokenizerFolder

BYTE = re.compile(r"<0x[0-9A-F]{2}>")
# A Unigram lattice takes a written "<0x0A>" for the piece of that byte, hence for a newline. The
# pieces cannot be respelled, because byte fallback looks them up by name: cut behind the "<".
CUT = {
    "type": "Split",
    "pattern": {"Regex": "<(?=0x[0-9A-F]{2}>)"},
    "behavior": "Isolated",
    "invert": False,
}


class FastVocabulary:
    """The vocabulary of a `tokenizer.json`, without its truncation, padding and post-processor."""

    family = "tokenizer.json"

    def __init__(self, folder: TokenizerFolder) -> None:
        file = folder.path / "tokenizer.json"
        document = dict(folder.document or {})
        added = folder.added_tokens()
        self.special = {token.literal: token.id for token in added if token.special}
        pieces = vocabulary_of(document)
        named = folder.special_literals() & pieces.keys()
        self.special |= {literal: pieces[literal] for literal in sorted(named)}
        try:
            self._tokenizer = _build(document, self.special)
        except Exception as error:  # tokenizers raises nothing narrower
            raise refuse("tokenizer.broken_json", file=file, reason=error) from error
        self.fingerprint = hashlib.sha256(read_bytes(file)).hexdigest()
        self._literals = {token.id: token.literal for token in added}
        self._literals |= {id_: literal for literal, id_ in self.special.items()}
        self.size = max(*pieces.values(), *self._literals, -1, -1) + 1
        self.silent = frozenset(self.special.values())
        self.own: dict[str, int | None] = dict.fromkeys(("unk", "bos", "eos", "pad"))
        model = (folder.document or {})["model"]
        self.own["unk"] = model.get("unk_id", pieces.get(model.get("unk_token") or ""))
        self.adds_bos = _adds_bos(folder, document)
        decoders = {part["type"] for part in _parts(document.get("decoder"), "decoders")}
        self._byte_level = decoders == {"ByteLevel"}
        self._byte_fallback = "ByteFallback" in decoders
        self.errors = "replace" if self._byte_level else EACH_BYTE
        self._anchor: list[int] = self.encode_batch(["あa"])[0][-1:]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        encoded = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in encoded]

    def surfaces(self, text: str) -> list[tuple[int, str]]:
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        if not encoding.ids:
            return []
        begins = [*(begin for begin, _ in encoding.offsets[1:]), len(text)]
        parts: list[tuple[int, str]] = []
        done = 0
        for id_, (begin, end), after in zip(encoding.ids, encoding.offsets, begins, strict=True):
            gap = text[done:begin]
            if gap and parts and not gap.isspace():
                # Of "ｶﾞ" that became "ガ", the library points to the first character only.
                parts[-1] = parts[-1][0], parts[-1][1] + gap
                done = begin
            # A dummy prefix and all bytes of a character point to the same one: the last has it.
            stop = max(done, min(end, after))
            parts.append((id_, text[done:stop]))
            done = stop
        if text[done:].strip():
            parts[-1] = parts[-1][0], parts[-1][1] + text[done:]
        return parts

    def decode(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=False))

    def piece(self, id: int) -> str:
        return self._literals.get(id) or self._tokenizer.id_to_token(id) or ""

    def piece_id(self, literal: str) -> int | None:
        if literal in self.special:
            return self.special[literal]
        id_: int | None = self._tokenizer.token_to_id(literal)
        return id_

    def continuation(self, id: int) -> bytes:
        piece = self.piece(id)
        if self._byte_fallback and BYTE.fullmatch(piece):
            return bytes.fromhex(piece[3:5])
        if self._byte_level:
            table = byte_of_letter()
            known = all(letter in table for letter in piece)
            return bytes(table[letter] for letter in piece) if known else piece.encode()
        before, both = self.decode(self._anchor), self.decode([*self._anchor, id])
        return (both.removeprefix(before) if before else both).encode()


def _build(document: dict[str, Any], special: Mapping[str, int]) -> Any:
    """The library's tokenizer, in which no text can become one of the `special` ids.

    Its own switch, `encode_special_tokens`, covers the search for added tokens but not the
    vocabulary: a Unigram lattice finds "</s>" like any other piece.
    """
    document |= {"truncation": None, "padding": None, "post_processor": None}
    inside = {k for k, i in special.items() if vocabulary_of(document).get(k) == i}
    added = document.get("added_tokens") or []
    document["added_tokens"] = [token for token in added if token["content"] not in inside]
    document["model"] = _unreachable(dict(document["model"]), inside)
    if document["model"].get("byte_fallback") and isinstance(document["model"]["vocab"], list):
        steps = [*_parts(document.get("pre_tokenizer"), "pretokenizers"), CUT]
        document["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": steps}
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(document))
    tokenizer.encode_special_tokens = True
    return tokenizer


def _unreachable(model: dict[str, Any], literals: set[str]) -> dict[str, Any]:
    """The model with `literals` respelled so that no text and no merge leads to their ids."""
    if isinstance(model["vocab"], list):
        # No text matches the empty piece; the unknown piece is known by its number.
        model["vocab"] = [["" if p in literals else p, score] for p, score in model["vocab"]]
        return model
    spelled = {literal: f"\ufdd0{literal}\ufdd1" for literal in literals}
    model["vocab"] = {spelled.get(piece, piece): id_ for piece, id_ in model["vocab"].items()}
    if model.get("unk_token") in literals:
        model["unk_token"] = spelled[model["unk_token"]]
    if "merges" in model:
        model["merges"] = [m for m in model["merges"] if _merged(m) not in literals]
    return model


def _merged(merge: str | list[str]) -> str:
    return merge.replace(" ", "", 1) if isinstance(merge, str) else "".join(merge)


def vocabulary_of(document: Mapping[str, Any]) -> dict[str, int]:
    """Piece to id of the document's model, without added tokens; {} where it has none."""
    pieces = (document.get("model") or {}).get("vocab") or {}
    if isinstance(pieces, list):
        return {entry[0]: id_ for id_, entry in enumerate(pieces)}
    return dict(pieces)


def _parts(part: Mapping[str, Any] | None, inner: str) -> Iterator[Mapping[str, Any]]:
    """The steps of a pipeline part, sequences opened."""
    if part and part.get("type") == "Sequence":
        for each in part.get(inner) or []:
            yield from _parts(each, inner)
    elif part:
        yield part


def _adds_bos(folder: TokenizerFolder, document: Mapping[str, Any]) -> bool:
    """Whether the document's post-processor puts BOS in front, and nothing forbids it."""
    if folder.config.get("add_bos_token") is False:
        return False
    bos = folder.name_of("bos_token")
    for part in _parts((folder.document or document).get("post_processor"), "processors"):
        first = (part.get("single") or [{}])[0]
        literal = first.get("SpecialToken", {}).get("id")
        if literal is not None and literal == (bos or literal):
            return True
    return False


@cache
def byte_of_letter() -> dict[str, int]:
    """The byte that each letter of a byte-level vocabulary stands for.

    Source: GPT-2's `bytes_to_unicode`: printable Latin-1 is itself, the rest follows U+0100.
    """
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    other = [byte for byte in range(256) if byte not in set(plain)]
    letters = {chr(byte): byte for byte in plain}
    return letters | {chr(0x100 + place): byte for place, byte in enumerate(other)}
