"""Figures over rows that are encoded already, and measurements on fixed probes."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from jlora_cli.audit.texts import nfkc, texts_of
from jlora_cli.dataset import Example, Message
from jlora_cli.prompt import pack

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from jlora_cli.audit.texts import Texts
    from jlora_cli.prompt import Encoded, Prompter
    from jlora_cli.tokenizer import Tokenizer

_ROUND_TRIPS = 1000
SHOWN = 10
# Characters that no vocabulary of a few ten thousand pieces has, of four kinds: some are dropped
# by a normalizer (private use by BERT's).
_RARE = "𓀀𒀱ꙮ\U0010fffd"
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
# The last letter with which a byte-level vocabulary spells a byte (GPT-2's bytes_to_unicode).
_LAST_BYTE_LETTER = "\u0143"
# What a template writes in this form is meant as one token; "[INST]" of Llama 2 is not.
_MEANT = re.compile(r"<\|[^\s<>|]{1,40}\|>|</?s>|<(?:bos|eos|pad|start_of_turn|end_of_turn)>")
# What is written, and what of it must come back.
_SURVIVAL = {
    "newlines": ("あ\nい\n\nう", r"\n+"),
    "spaces": ("あ  い   う", " +"),
    "tabs": ("あ\tい\t\tう", r"\t+"),
    "indentation": ("あ\n  い\n    う", r"(?m)^ +"),
    "case": ("aBc XYZ", "[A-Z]+"),
    "width": ("Ａ１！？（）ｶﾞ", "[！-～｡-ﾟ]+"),
}


def embedding_rows(folder: Path) -> int | None:
    """`vocab_size` of the config.json in `folder`; None where that does not tell it."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        size = {**config, **(config.get("text_config") or {})}.get("vocab_size")
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return size if isinstance(size, int) else None


def skeleton_of(prompter: Prompter) -> str:
    """The template around one exchange, its special tokens as literals."""
    probe = Example(messages=(Message("user", "あ"), Message("assistant", "い")))
    return prompter.render(probe, generation=False)


def sample(examples: Sequence[Example], count: int) -> Sequence[Example]:
    """`count` of the examples, evenly spread; all where there are no more."""
    rows = len(examples)
    return [examples[at * rows // count] for at in range(count)] if rows > count else examples


def written(prompter: Prompter, text: str) -> str:
    """User text as the tokenizer gets it."""
    return prompter.rules.apply(prompter.rules.escape(text))


def _back(prompter: Prompter, text: str) -> str:
    """The text as it comes back from the tokenizer."""
    tokenizer = prompter.tokenizer
    return prompter.rules.restore(tokenizer.decode(tokenizer.encode(written(prompter, text))))


def count_tokens(rows: Iterable[Encoded]) -> Counter[int]:
    """How often each token occurs in the rows, as they are stored: see `pack`."""
    return Counter(chain.from_iterable(map(pack, rows)))


def figures_of_tokens(prompter: Prompter, stored: Mapping[int, int]) -> dict[str, Any]:
    """Unknown and byte tokens of rows, from the counts of their tokens alone."""
    every, answers = _counted_ids(stored)
    total, trained = every.total(), answers.total()
    unknown_ids = unknown_ids_of(prompter.tokenizer)
    unknown = sum(every[id_] for id_ in unknown_ids)
    in_answers = sum(answers[id_] for id_ in unknown_ids)
    shares = {
        "per_thousand": _per_thousand(unknown, total),
        "prompts": _per_thousand(unknown - in_answers, total - trained),
        "answers": _per_thousand(in_answers, trained),
    }
    if unknown_ids & {*prompter.stop_ids, prompter.tokenizer.bos_id}:
        # The template writes this id itself: what was unknown can no longer be told from it.
        shares = dict.fromkeys(shares)
    in_bytes = sum(every[id_] for id_ in _part_ids(prompter.tokenizer, every))
    share = round(in_bytes / total, 4) if total else 0.0
    return {"unknown": shares, "byte_fallback_share": share}


def _counted_ids(stored: Mapping[int, int]) -> tuple[Counter[int], Counter[int]]:
    """How often each id occurs, and how often among what is trained."""
    answers = Counter({~token: count for token, count in stored.items() if token < 0})
    every = Counter({token: count for token, count in stored.items() if token >= 0})
    every.update(answers)
    return every, answers


def _per_thousand(count: int, total: int) -> float | None:
    return round(1000 * count / total, 2) if total else 0.0


def unknown_ids_of(tokenizer: Tokenizer) -> set[int]:
    """The ids that characters outside the vocabulary really become; empty where none does."""
    possible = {*tokenizer.special_ids.values(), tokenizer.unk_id}
    return {id_ for id_ in tokenizer.encode(_RARE) if id_ in possible}


def _part_ids(tokenizer: Tokenizer, ids: Mapping[int, int]) -> list[int]:
    """Those of `ids` that stand for one byte, or for a part of a character."""
    known = list(ids)
    pairs = zip(known, tokenizer.pieces(known), strict=True)
    return [id_ for id_, piece in pairs if _is_part(tokenizer, id_, piece)]


def _is_part(tokenizer: Tokenizer, id_: int, piece: str) -> bool:
    if _BYTE.fullmatch(piece):
        return tokenizer.decode_continuation([id_]) != piece
    if tokenizer.family != "tokenizer.json" or not piece or max(piece) > _LAST_BYTE_LETTER:
        return False
    return "\ufffd" in tokenizer.decode_continuation([id_])


def unknown_characters(prompter: Prompter, texts: Texts, skeleton: str) -> dict[str, int]:
    """The characters that the vocabulary does not have, with their counts, the commonest first."""
    unknown_ids = unknown_ids_of(prompter.tokenizer)
    if not unknown_ids:
        return {}
    characters = texts.characters.copy()
    fixed = skeleton
    for literal in prompter.tokenizer.special_ids:
        fixed = fixed.replace(literal, "")
    for character in fixed:
        characters[character] += texts.rows
    distinct = list(characters)
    encoded = prompter.tokenizer.encode_batch([prompter.rules.apply(c) for c in distinct])
    unknown = {
        character: characters[character]
        for character, ids in zip(distinct, encoded, strict=True)
        if not unknown_ids.isdisjoint(ids)
    }
    return dict(Counter(unknown).most_common(SHOWN))


def round_trips(prompter: Prompter, examples: Sequence[Example]) -> dict[str, Any]:
    """Characters a token, and the share of rows whose texts all come back unchanged."""
    tokenizer = prompter.tokenizer
    rows = [texts_of(example) for example in sample(examples, _ROUND_TRIPS)]
    texts = list(chain.from_iterable(rows))
    encoded = tokenizer.encode_batch([written(prompter, text) for text in texts])
    decoded = [prompter.rules.restore(tokenizer.decode(ids)) for ids in encoded]
    pairs = list(zip(texts, decoded, strict=True))
    tokens = sum(map(len, encoded))
    return {
        "characters_per_token": round(sum(map(len, texts)) / tokens, 2) if tokens else 0.0,
        "round_trip_share": _whole(rows, [text == back for text, back in pairs]),
        "round_trip_share_but_width": _whole(rows, [nfkc(a) == nfkc(b) for a, b in pairs]),
        "round_trip_rows": len(rows),
    }


def _whole(rows: Sequence[Sequence[str]], same: Sequence[bool]) -> float:
    """The share of rows all of whose texts are the same; `same` tells it text by text."""
    told = iter(same)
    whole = sum(all(list(islice(told, len(row)))) for row in rows)
    return round(whole / len(rows), 4) if rows else 1.0


def survival(prompter: Prompter) -> dict[str, bool]:
    """What comes back from the tokenizer as it was written, measured on fixed probes."""
    return {
        name: re.findall(pattern, _back(prompter, probe)) == re.findall(pattern, probe)
        for name, (probe, pattern) in _SURVIVAL.items()
    }


def folds_case(prompter: Prompter) -> bool:
    """Whether capitals become small letters: by rule, or in the vocabulary's own normalizer."""
    return prompter.rules.lower_case or any(_back(prompter, c) == c.lower() for c in "AKZ")


def special_ids_of(tokenizer: Tokenizer, embedding: int | None) -> dict[str, Any]:
    """The ids of EOS, BOS, PAD and UNK, and whether they are distinct and in the embedding."""
    ids = {role: getattr(tokenizer, f"{role}_id") for role in ("eos", "bos", "pad", "unk")}
    known = [id_ for id_ in ids.values() if id_ is not None]
    return {
        **ids,
        "distinct": len(set(known)) == len(known),
        "inside_embedding": None if embedding is None else max(known, default=-1) < embedding,
    }


def split_specials(tokenizer: Tokenizer, skeleton: str) -> dict[str, int]:
    """Control tokens that the template writes and the vocabulary lacks, with their token counts."""
    meant = dict.fromkeys(_MEANT.findall(skeleton))
    return {
        literal: len(tokenizer.encode(literal))
        for literal in meant
        if literal not in tokenizer.special_ids and tokenizer.piece_id(literal) is None
    }


def stay_text(prompter: Prompter, spellings: Mapping[str, int]) -> bool:
    """Whether none of these spellings becomes a control id."""
    tokenizer = prompter.tokenizer
    control = set(tokenizer.special_ids.values()) - unknown_ids_of(tokenizer)
    encoded = tokenizer.encode_batch([written(prompter, text) for text in spellings])
    return control.isdisjoint(chain.from_iterable(encoded))
