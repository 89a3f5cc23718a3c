"""One model's tokenizer: plain text to ids and back, and what its files say about it."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from jlora_cli.errors import refuse
from jlora_cli.tokenizer.fast import FastVocabulary, vocabulary_of
from jlora_cli.tokenizer.folder import TokenizerFolder, read_bytes, read_folder
from jlora_cli.tokenizer.pieces import SPACE, PieceVocabulary, parse_model
from jlora_cli.tokenizer.stream import StreamDecoder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from jlora_cli.errors import JloraError

    # Both answer alike: `special` names control pieces and unknown; `silent` are the ids without
    # text; `own` is what the vocabulary itself says of unk, bos, eos and pad; `continuation(id)`
    # are the bytes that an id adds behind other text, and `errors` the codec error handler that
    # replaces broken ones as the library does.
    Vocabulary = PieceVocabulary | FastVocabulary

NEWLINE_PIECE = "<NL>"
NEWLINE_PROBES = ("あ\nい", "。\n「", "a\nb", "1\n\n2", "です。\n\n- ")
_NO_TEXT = re.compile("image|video|audio", re.IGNORECASE)  # <image_soft_token>
SURROGATE = re.compile("[\ud800-\udfff]")
# What may stand before an answer so that it is encoded as a continuation: several, because an
# answer can join with any one of them into a longer piece.
ANCHORS = ("。", "\n", ":", "あ", "a", "1", ")", "字", "=")
# Their classes move every id of the .model by a few, and only the class knows by how many.
SHIFTED = {
    "XLMRobertaTokenizer",
    "XGLMTokenizer",
    "MBartTokenizer",
    "MBart50Tokenizer",
    "CamembertTokenizer",
    "BarthezTokenizer",
    "NllbTokenizer",
    "PegasusTokenizer",
}


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer that the files of `folder` describe, whatever class they name.

    Raises:
        JloraError: there is no such folder, it holds no vocabulary, or a file is broken.
    """
    facts = read_folder(folder)
    try:
        return Tokenizer(facts, _vocabulary(facts))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise refuse("tokenizer.unexpected", folder=folder, reason=repr(error)) from error


def _vocabulary(facts: TokenizerFolder) -> Vocabulary:
    """The .model is the truth, unless tokenizer.json has ordinary pieces beyond it."""
    if facts.model_file is None:
        return FastVocabulary(facts)
    shifted = facts.class_name in SHIFTED
    if facts.document is None:
        if shifted:
            raise refuse("tokenizer.shifted", folder=facts.path, name=facts.class_name)
        return PieceVocabulary(facts, facts.model_file)
    size = len(parse_model(facts.model_file, read_bytes(facts.model_file)).pieces)
    added = {token.id for token in facts.added_tokens()}
    ordinary = vocabulary_of(facts.document).values()
    larger = any(id_ >= size and id_ not in added for id_ in ordinary)
    wider = shifted or larger
    return FastVocabulary(facts) if wider else PieceVocabulary(facts, facts.model_file)


class Tokenizer:
    """Ids are the vocabulary's own; text never becomes a control id, and no BOS or EOS is added.

    `size` counts ids up to the highest; `special_ids` are for templates, which insert control
    ids by number; `keeps_newlines` was measured; `newline_piece` is "<NL>" where that is one
    piece; `fingerprint` is the sha256 of what determines the ids.
    """

    def __init__(self, facts: TokenizerFolder, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self.folder: Path = facts.path
        self.files = facts.files()
        self.family = vocabulary.family
        self.size = vocabulary.size
        self.fingerprint = vocabulary.fingerprint
        self.special_ids: Mapping[str, int] = vocabulary.special
        self.chat_template = facts.chat_template()
        self.lower_case_hint = bool(facts.config.get("do_lower_case"))
        self.unk_id = self._role(facts, "unk")
        self.bos_id = self._role(facts, "bos")
        self.eos_id = self._role(facts, "eos")
        self.pad_id = self._role(facts, "pad")
        self.adds_bos = vocabulary.adds_bos and self.bos_id is not None
        self._anchors = self._usable_anchors()
        self.keeps_newlines = self._measure_newlines()
        self.newline_piece = self._find_newline_piece()

    @cached_property
    def rows(self) -> int:
        """How many rows an embedding must have for all ids that text, roles and template can give.

        Without the places of pictures and sound above all others, where the template writes none:
        Gemma 3's has no row in its models for text alone.
        """
        roles = {self.unk_id, self.bos_id, self.eos_id, self.pad_id}
        written = self.chat_template or ""
        unused = {
            id_
            for literal, id_ in self.special_ids.items()
            if id_ not in roles and _NO_TEXT.search(literal) and literal not in written
        }
        return next((id_ + 1 for id_ in range(self.size - 1, -1, -1) if id_ not in unused), 0)

    def encode(self, text: str) -> list[int]:
        """The ids of `text` as plain text; a typed "</s>" stays text, after NFKC as well.

        Raises:
            JloraError: the text holds a lone surrogate, which no encoding can carry.
        """
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` of every text, in order, in one call."""
        try:
            return self._vocabulary.encode_batch(texts)
        except (RuntimeError, TypeError, ValueError) as error:
            fault = _surrogate_fault(texts)
            if fault is None:
                raise
            raise fault from error

    def surfaces(self, text: str) -> list[tuple[int, str]]:
        """Each id of `encode(text)` with the part of `text` that it stands for.

        A dummy prefix stands for none; of a character in bytes, one id has all of it. Spaces that
        the vocabulary strips at the ends belong to no id.
        """
        try:
            return self._vocabulary.surfaces(text)
        except (RuntimeError, TypeError, ValueError) as error:
            fault = _surrogate_fault([text])
            if fault is None:
                raise
            raise fault from error

    def piece_bytes(self, id: int) -> bytes:
        """The bytes that `id` adds behind other text; empty where it has no text."""
        return self._continuation(id)

    def continue_ids(self, prompt: str, answer: str) -> list[int]:
        """The ids of `answer` behind `prompt`, so that they follow `encode(prompt)`.

        The tail of the joint encoding where that begins with the prompt's own ids, else the
        answer encoded without a dummy prefix.
        """
        return self.continue_batch([(prompt, answer)])[0]

    def continue_batch(self, pairs: Sequence[tuple[str, str]]) -> list[list[int]]:
        """`continue_ids` of every (prompt, answer), in order."""
        heads = self.encode_batch([prompt for prompt, _ in pairs])
        joints = self.encode_batch([prompt + answer for prompt, answer in pairs])
        tails = [_tail(joint, head) for joint, head in zip(joints, heads, strict=True)]
        return [
            self._unprefixed(answer) if tail is None else tail
            for tail, (_, answer) in zip(tails, pairs, strict=True)
        ]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, exactly as the vocabulary's library gives it, control ids left out."""
        return self._vocabulary.decode(self._with_text(ids))

    def decode_continuation(self, ids: Sequence[int]) -> str:
        """The text that `ids` add behind other text: a leading "▁" is a space."""
        stream = self.stream()
        return "".join(map(stream.push, ids)) + stream.finish()

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The vocabulary's own spelling of each id; empty for an id that it does not have."""
        inside = range(self.size)
        return [self._vocabulary.piece(id_) if id_ in inside else "" for id_ in ids]

    def piece_id(self, literal: str) -> int | None:
        """The id of the piece spelled `literal`, control pieces included."""
        return self._vocabulary.piece_id(literal)

    def stream(self) -> StreamDecoder:
        """A decoder for ids that arrive one after the other, behind other text."""
        return StreamDecoder(self._continuation, errors=self._vocabulary.errors)

    def _continuation(self, id_: int) -> bytes:
        known = self._with_text([id_])
        return self._vocabulary.continuation(id_) if known else b""

    def _with_text(self, ids: Sequence[int]) -> list[int]:
        """`ids` without control ids, and without those that only padded embedding rows have."""
        silent, inside = self._vocabulary.silent, range(self.size)
        return [id_ for id_ in ids if id_ in inside and id_ not in silent]

    def _unprefixed(self, answer: str) -> list[int]:
        """The ids of `answer` as they are behind other text."""
        for anchor, head in self._anchors:
            tail = _tail(self.encode(anchor + answer), head)
            if tail is not None:
                return tail
        ids = self.encode(answer)
        return ids[1:] if self.pieces(ids[:1]) == [SPACE] else ids

    def _usable_anchors(self) -> list[tuple[str, list[int]]]:
        """Anchors that the vocabulary can spell: an unknown one would swallow a neighbour."""
        encoded = zip(ANCHORS, self.encode_batch(ANCHORS), strict=True)
        return [(text, ids) for text, ids in encoded if ids and self.unk_id not in ids]

    def _measure_newlines(self) -> bool:
        decoded = [self.decode(ids) for ids in self.encode_batch(NEWLINE_PROBES)]
        pairs = zip(NEWLINE_PROBES, decoded, strict=True)
        return all(text.count("\n") == back.count("\n") for text, back in pairs)

    def _find_newline_piece(self) -> str | None:
        id_ = self.piece_id(NEWLINE_PIECE)
        found = id_ is not None and id_ in self.encode(f"あ{NEWLINE_PIECE}い")
        return NEWLINE_PIECE if found else None

    def _role(self, facts: TokenizerFolder, role: str) -> int | None:
        name = facts.name_of(f"{role}_token")
        named = None if name is None else self.piece_id(name)
        return self._vocabulary.own[role] if named is None else named


def _tail(joint: list[int], head: list[int]) -> list[int] | None:
    """What follows `head` in `joint`; None when `joint` begins otherwise."""
    return joint[len(head) :] if joint[: len(head)] == head else None


def _surrogate_fault(texts: Sequence[str]) -> JloraError | None:
    """The refusal of the first text with a lone surrogate; None when there is none."""
    for text in texts:
        match = SURROGATE.search(text) if isinstance(text, str) else None
        if match:
            character, place = f"U+{ord(match[0]):04X}", match.start()
            around = text[max(0, place - 10) : place]
            return refuse(
                "tokenizer.surrogate", character=character, place=place + 1, around=around
            )
    return None
