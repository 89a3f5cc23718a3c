"""A SentencePiece model as a `tokenizer.json` document, step by step as SentencePiece works.

What cannot be said in that format is a ValueError; whether what was said comes out the same is
for `portable.py` to measure.
"""

from __future__ import annotations

import base64
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import sentencepiece
from tokenizers import normalizers

from jlora_cli.tokenizer.pieces import CONTROL, SPACE, UNKNOWN, UNUSED, USER_DEFINED, parse_model

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

BYTE_PIECE, UNIGRAM, BPE = 6, 1, 2
# Stands between characters that are normalized in one call, and in no rule.
_BETWEEN = "\ufdd2"
# Private use: what stands in for text that must pass a normalizer unchanged.
_SHELTER = 0xF0000
# Unicode has no compatibility forms outside these planes.
_CODE_POINTS = (range(0x20), range(0x20, 0xD800), range(0xE000, 0x34000), range(0xE0000, 0xE1000))
# Where NFKC changes more characters otherwise than the rules do, the rules are something else.
_MOST_EXCEPTIONS = 200

Step = dict[str, Any]


class _Pieces(NamedTuple):
    """The vocabulary by what its pieces are: each list holds their spellings."""

    ordinary: list[str]
    own: list[str]
    barred: list[str]
    unknown: str


def rebuild(file: Path, content: bytes, special: Mapping[str, int]) -> Step:
    """The `tokenizer.json` of a `.model` file, without added tokens and post-processor.

    `special`: literal to id of what no text may become, user-defined pieces among them.

    Raises:
        ValueError: the model uses what `tokenizer.json` cannot say.
    """
    model = parse_model(file, content)
    trainer, rules = model.trainer_spec, model.normalizer_spec
    pieces = _sort(model.pieces, special)
    if trainer.treat_whitespace_as_suffix or not rules.escape_whitespaces:
        raise ValueError("white space is treated in a way of its own")
    if model.HasField("denormalizer_spec") and model.denormalizer_spec.precompiled_charsmap:
        raise ValueError("decoded text is changed by rules of its own")
    if trainer.model_type == UNIGRAM:
        vocabulary = _unigram(model, pieces)
    elif trainer.model_type == BPE:
        vocabulary = _bpe(model, pieces)
    else:
        raise ValueError("the model is neither Unigram nor BPE")
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": _sequence("normalizers", _normalizer(model, pieces)),
        "pre_tokenizer": _sequence("pretokenizers", _splits(model, pieces)),
        "post_processor": None,
        "decoder": _sequence("decoders", _decoder(model, pieces.unknown)),
        "model": vocabulary,
    }


def _sort(pieces: Any, special: Mapping[str, int]) -> _Pieces:
    sorted_ = _Pieces([], [], [], next(p.piece for p in pieces if p.type == UNKNOWN))
    for id_, piece in enumerate(pieces):
        if piece.type == UNUSED:
            raise ValueError("the vocabulary has pieces that are switched off")
        if piece.type in (CONTROL, UNKNOWN, BYTE_PIECE) or special.get(piece.piece) == id_:
            sorted_.barred.append(piece.piece)
        elif piece.type == USER_DEFINED:
            sorted_.own.append(piece.piece)
        else:
            sorted_.ordinary.append(piece.piece)
    return sorted_


def _sequence(inner: str, steps: list[Step]) -> Step | None:
    return {"type": "Sequence", inner: steps} if steps else None


# -- text before the vocabulary ------------------------------------------------------------------


def _unknown(model: Any, pieces: _Pieces) -> list[str]:
    """The barred literals of which the vocabulary knows no character."""
    known = set("".join(pieces.ordinary + pieces.own))
    bytes_for_all = model.trainer_spec.byte_fallback
    return [] if bytes_for_all else [p for p in pieces.barred if p and not known & set(p)]


def _normalizer(model: Any, pieces: _Pieces) -> list[Step]:
    """Prefix, rules, white space: in SentencePiece's order."""
    rules = model.normalizer_spec
    squeezed = rules.remove_extra_whitespaces
    prefix = [{"type": "Prepend", "prepend": SPACE}] if rules.add_dummy_prefix else []
    steps = [] if squeezed else prefix
    steps += _mapping(model, pieces.own) if rules.precompiled_charsmap else []
    if squeezed:
        steps += [_replace(r"\A +| +\z", "", regex=True), _replace(" {2,}", " ", regex=True)]
    steps.append(_replace(" ", SPACE))
    # Wholly unknown, a barred literal is one unknown token, as any unknown character is.
    steps += [_replace(literal, chr(_SHELTER - 1)) for literal in _unknown(model, pieces)]
    return steps + (prefix if squeezed else [])


def _mapping(model: Any, own: list[str]) -> list[Step]:
    """SentencePiece's character rules as NFKC and what they do otherwise.

    Not the library's Precompiled alone, which looks at whole graphemes and takes the shortest
    rule: a half-width kana loses its voiced mark, and a line feed behind a carriage return
    vanishes. It serves for what is left: characters newer than the library's NFKC.
    """
    before: dict[str, str] = {}
    after: dict[str, list[str]] = {"": [], " ": []}
    newer = False
    for character, wanted, composed in _exceptions(model):
        if composed != character:
            before[character] = wanted
        elif wanted in after:
            after[wanted].append(character)
        else:
            newer = True
    # A user-defined piece passes SentencePiece's rules as it is written.
    nfkc, lost = normalizers.NFKC(), set(after[""] + after[" "])
    kept = [p for p in own if nfkc.normalize_str(p) != p or lost & set(p)]
    before |= {piece: piece for piece in sorted(kept, key=len, reverse=True) if SPACE not in piece}
    shelters = {text: chr(_SHELTER + place) for place, text in enumerate(before)}
    steps = [_replace(text, shelter) for text, shelter in shelters.items()]
    steps.append({"type": "NFKC"})
    for wanted, characters in after.items():
        if not characters:
            continue
        group = "".join(f"\\x{{{ord(c):X}}}" for c in characters)
        steps.append(_replace(f"[{group}]", wanted, regex=True))
    if newer:
        charsmap = base64.b64encode(model.normalizer_spec.precompiled_charsmap).decode()
        steps.append({"type": "Precompiled", "precompiled_charsmap": charsmap})
    return steps + [_replace(shelter, before[text]) for text, shelter in shelters.items()]


def _exceptions(model: Any) -> list[tuple[str, str, str]]:
    """(character, what SentencePiece makes of it, what NFKC does) where the two differ.

    Raises:
        ValueError: they differ so often that the rules are not NFKC.
    """
    plain = type(model)()
    plain.CopyFrom(model)
    plain.normalizer_spec.add_dummy_prefix = False
    plain.normalizer_spec.remove_extra_whitespaces = False
    plain.normalizer_spec.escape_whitespaces = False
    processor = sentencepiece.SentencePieceProcessor(model_proto=plain.SerializeToString())
    characters = [chr(c) for span in _CODE_POINTS for c in span if c not in (0, ord(_BETWEEN))]
    text = _BETWEEN.join(characters)
    wanted = processor.normalize(text).split(_BETWEEN)
    composed = normalizers.NFKC().normalize_str(text).split(_BETWEEN)
    found = zip(characters, wanted, composed, strict=True)
    exceptions = [row for row in found if row[1] != row[2]]
    if sum(row[0] != row[2] for row in exceptions) > _MOST_EXCEPTIONS:
        raise ValueError("the text is normalized by rules that are not NFKC")
    return exceptions


def _replace(text: str, content: str, *, regex: bool = False) -> Step:
    return {
        "type": "Replace",
        "pattern": {"Regex" if regex else "String": text},
        "content": content,
    }


def _splits(model: Any, pieces: _Pieces) -> list[Step]:
    """Cuts that keep control and byte pieces out of reach, and in BPE user-defined ones whole."""
    steps: list[Step] = []
    if model.trainer_spec.model_type == BPE:
        if not pieces.own:
            return []
        longest = sorted(pieces.own, key=len, reverse=True)
        steps = [_split("|".join(map(_literal, longest)), "Isolated")]
    cuts = _cuts(model, pieces)
    return steps + ([_split("|".join(cuts), "MergedWithNext")] if cuts else [])


def _split(pattern: str, behavior: str) -> Step:
    return {
        "type": "Split",
        "pattern": {"Regex": pattern},
        "behavior": behavior,
        "invert": False,
    }


def _cuts(model: Any, pieces: _Pieces) -> list[str]:
    """Patterns of the tails of barred literals, each behind a place that no piece spans.

    A cut there changes no segmentation; but two unknown neighbours would become two unknowns.
    """
    spanned = {pair for piece in pieces.ordinary + pieces.own for pair in pairwise(piece)}
    known = {piece for piece in pieces.ordinary + pieces.own if len(piece) == 1}
    whole = model.trainer_spec.byte_fallback
    found: dict[str, None] = {}
    for literal in pieces.barred:
        for place, pair in enumerate(pairwise(literal), start=1):
            if pair not in spanned and (whole or known & set(pair)):
                head, tail = literal[:place], literal[place:]
                hexadecimal = re.fullmatch(r"(.*)[0-9A-F]{2}>", tail)
                if literal.startswith("<0x") and hexadecimal:
                    tail_pattern = _literal(hexadecimal[1]) + "[0-9A-F]{2}>"
                else:
                    tail_pattern = _literal(tail)
                found[f"(?<={_literal(head)}){tail_pattern}"] = None
                break
    return list(found)


def _literal(text: str) -> str:
    """`text` as a pattern of the tokenizers library, whose syntax is Oniguruma's."""
    return "".join(c if c.isalnum() else f"\\x{{{ord(c):X}}}" for c in text)


# -- vocabularies --------------------------------------------------------------------------------


def _unigram(model: Any, pieces: _Pieces) -> Step:
    own, barred = set(pieces.own), set(pieces.barred)

    def score(piece: Any) -> float:
        if piece.piece in barred:
            return 0.0
        # Measured: sentencepiece 0.2.3 always takes user-defined pieces, the longer ones first.
        return len(piece.piece) / 2 if piece.piece in own else float(piece.score)

    return {
        "type": "Unigram",
        "unk_id": next(i for i, p in enumerate(model.pieces) if p.type == UNKNOWN),
        "vocab": [[piece.piece, score(piece)] for piece in model.pieces],
        "byte_fallback": bool(model.trainer_spec.byte_fallback),
    }


def _bpe(model: Any, pieces: _Pieces) -> Step:
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": pieces.unknown,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": True,
        "byte_fallback": bool(model.trainer_spec.byte_fallback),
        # The cuts leave user-defined pieces alone, and no merge leads to them.
        "ignore_merges": bool(pieces.own),
        "vocab": {piece.piece: id_ for id_, piece in enumerate(model.pieces)},
        "merges": list(_merges(model.pieces, set(pieces.ordinary))),
    }


def _merges(pieces: Any, ordinary: set[str]) -> Iterable[tuple[str, str]]:
    """Every pair that makes an ordinary piece, the best piece first: SentencePiece's order."""
    ranked = sorted((p for p in pieces if p.piece in ordinary), key=lambda p: -p.score)
    for piece in ranked:
        text = piece.piece
        for place in range(1, len(text)):
            left, right = text[:place], text[place:]
            if left in ordinary and right in ordinary:
                yield left, right


# -- ids back to text ----------------------------------------------------------------------------


def _decoder(model: Any, unknown: str) -> list[Step]:
    steps = [_replace(unknown, model.trainer_spec.unk_surface), _replace(SPACE, " ")]
    if model.trainer_spec.byte_fallback:
        steps.append({"type": "ByteFallback"})
    steps.append({"type": "Fuse"})
    if model.normalizer_spec.add_dummy_prefix:
        steps.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    return steps
