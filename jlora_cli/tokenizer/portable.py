"""Tokenizer files that stock tools read to the same ids, where that can be had.

Stock transformers rebuilds a SentencePiece tokenizer by the class that the configuration names,
and goes wrong; a whole `tokenizer.json` under the generic class it reads as it stands. What is
written here is compared with the exact tokenizer first; where one id differs, the folder keeps the
original files only. One difference is allowed: a special literal such as `</s>` in a text is text
to jlora and the control id to stock tools.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import tokenizers

from jlora_cli.errors import JloraError
from jlora_cli.events import Stage, Warned
from jlora_cli.messages import say
from jlora_cli.tokenizer.folder import TokenizerFolder, read_bytes, read_folder
from jlora_cli.tokenizer.pieces import BOS_CLASSES, parse_model
from jlora_cli.tokenizer.rebuilt import rebuild
from jlora_cli.tokenizer.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from jlora_cli.tokenizer.tokenizer import Tokenizer

_Row = TypeVar("_Row")
ROLES = ("bos", "eos", "unk", "pad", "cls", "sep", "mask")
# What goes wrong first: voiced marks apart, white space, bytes, compatibility forms, rare kanji.
PROBES = (
    "吾輩は猫である。名前はまだ無い。",
    "ｶﾞｷﾞｸﾞ ﾊﾟﾋﾟ カ\u3099ハ\u309aか\u3099は\u309a カﾞハﾟ ｳﾞ ﾞ ﾟ",
    "行末 \r\n次の行\r\n\r\n \r終わり\n",
    "\n",
    "\n\n",
    "\t字下げ\n    四つ\n\t\tdef f(x):\n        return x  # 二つ",
    " 前",
    "後 ",
    "   ",
    "　全角　　空白　",
    "a b  c   d    e",
    "🐈と👨‍👩‍👧‍👦と🇯🇵と👍🏽と☕️",
    "髙島屋の﨑さんと𠮷野家の𩸽、葛\U000e0100城",
    "Ａ１ｂ！？～〜ー－—",
    "㍿①㈱㌔㎡ﬁ½²Ⅷ㋿令和",
    "é e\u0301 X\u0304 Å A\u030a",
    "한국어 русский العربية ไทย ﷽",
    "ゼロ幅\u200bと\u200cと\u200d、\ufeffと\u00a0と\u2028、\u00ad",
    "\x01\x07\x1f\x7f\x85",
    "▁と▁▁",
    "<0x0A>と<0xE3><0x81>",
    "�と\ufffd",
    "1,234,567円 (3.14%) https://example.com/a?b=c&d=e#f",
    "",
)
_KANA = "".join(map(chr, [*range(0x3041, 0x3097), *range(0x30A1, 0x30FB), *range(0xFF66, 0xFF9E)]))
_MARKS = "\u3099\u309aﾞﾟ"
_SPACES = range(2, 65)
_MOST_TEXTS = 200
_MOST_SHOWN = 5
_LONGEST_SHOWN = 40
# What only the named class or another machine would read.
_DROPPED = ("auto_map", "tokenizer_file", "vocab_file", "special_tokens_map_file", "backend")


@dataclass(frozen=True)
class Portable:
    """How the written folder compares with the exact tokenizer.

    tokenizer_json: "rebuilt" from the .model, "original", or None where the folder keeps the files
    that it came with; checked: texts compared; differing: the first of those that came out
    otherwise, shortened, or why no comparison was possible.
    """

    exact: bool
    tokenizer_json: str | None
    checked: int
    differing: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        return asdict(self) | {"differing": list(self.differing)}

    def event(self) -> Stage | Warned:
        """The outcome for a person, in one sentence."""
        if self.exact:
            return Stage("tokenizer.portable", {"count": self.checked})
        return Warned(say("tokenizer.not_portable", example=self.differing[0]))


def write_portable(tokenizer: Tokenizer, target: Path, texts: Iterable[str] = ()) -> Portable:
    """Write the tokenizer's files into `target`, so that stock tools read the same where possible.

    `texts`: what is compared besides fixed probes, of which the first 200.

    Raises:
        JloraError: a file cannot be read.
        OSError: a file cannot be written.
    """
    facts = read_folder(tokenizer.folder)
    literals = [literal for literal in tokenizer.special_ids if literal]
    probes = [*_probes(literals), *islice(texts, _MOST_TEXTS)]
    probes = [p for p in dict.fromkeys(probes) if not any(word in p for word in literals)]
    differing: list[str] = []
    for source, content in _candidates(tokenizer, facts, differing):
        found = _differing(tokenizer, content, probes)
        if not found and _write(tokenizer, facts, target, content):
            return Portable(True, source, len(probes), ())
        differing += found or ["jlora would read the written folder otherwise"]
    _copy(tokenizer, target)
    shown = tuple(dict.fromkeys(differing[:_MOST_SHOWN]))
    return Portable(False, None, len(probes), shown)


def spread(rows: Sequence[_Row], most: int = _MOST_TEXTS) -> list[_Row]:
    """At most `most` of `rows`, evenly spread."""
    return list(rows[:: max(1, -(-len(rows) // most))])


def _copy(tokenizer: Tokenizer, target: Path) -> None:
    for file in tokenizer.files:
        shutil.copyfile(file, target / file.name)


# -- what may be written -------------------------------------------------------------------------


def _candidates(
    tokenizer: Tokenizer, facts: TokenizerFolder, faults: list[str]
) -> Iterator[tuple[str, bytes]]:
    """(where from, content) of every tokenizer.json that may be the same.

    `faults` gains the reason where none can be made.
    """
    if facts.document is not None:
        yield "original", read_bytes(facts.path / "tokenizer.json")
    if facts.model_file is None or tokenizer.family == "tokenizer.json":
        return
    content = read_bytes(facts.model_file)
    try:
        document = rebuild(facts.model_file, content, tokenizer.special_ids)
    except ValueError as error:
        faults.append(str(error))
        return
    document["added_tokens"] = _added_tokens(tokenizer, facts, facts.model_file)
    document["post_processor"] = _post_processor(tokenizer)
    yield "rebuilt", json.dumps(document, ensure_ascii=False).encode()


def _added_tokens(tokenizer: Tokenizer, facts: TokenizerFolder, file: Path) -> list[dict[str, Any]]:
    """The control pieces, and what the folder adds beyond the .model at `file`."""
    inside = {piece.piece for piece in parse_model(file, read_bytes(file)).pieces}
    found = {id_: (literal, True) for literal, id_ in tokenizer.special_ids.items()}
    for token in facts.added_tokens():
        if tokenizer.piece_id(token.literal) == token.id and token.literal not in inside:
            found.setdefault(token.id, (token.literal, token.special))
    return [
        {
            "id": id_,
            "content": literal,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": special,
        }
        for id_, (literal, special) in sorted(found.items())
    ]


def _post_processor(tokenizer: Tokenizer) -> dict[str, Any] | None:
    """BOS in front where the model was trained so; EOS never, because a prompt goes on."""
    if not tokenizer.adds_bos or tokenizer.bos_id is None:
        return None
    bos = tokenizer.pieces([tokenizer.bos_id])[0]
    token = {"SpecialToken": {"id": bos, "type_id": 0}}
    first, second = ({"Sequence": {"id": id_, "type_id": n}} for n, id_ in enumerate("AB"))
    return {
        "type": "TemplateProcessing",
        "single": [token, first],
        "pair": [token, first, {"SpecialToken": {"id": bos, "type_id": 1}}, second],
        "special_tokens": {bos: {"id": bos, "ids": [tokenizer.bos_id], "tokens": [bos]}},
    }


# -- is it the same? -----------------------------------------------------------------------------


def _probes(literals: Sequence[str]) -> list[str]:
    """The fixed probes, runs of spaces, voiced kana, and the special literals in full width."""
    wide = ["".join(map(_widened, literal)) for literal in literals]
    spaces = ["あ" + " " * count + "b" for count in _SPACES]
    voiced = ["".join(kana + mark for kana in _KANA) for mark in _MARKS]
    mixed = [f"あ{literal}い {literal}" for literal in wide]
    tags = [f"一{tag}二 {tag}{tag}" for tag in ("<NL>", "＜ＮＬ＞", "<|user|>", "[UNK", "</S>")]
    return [*PROBES, *spaces, *voiced, *mixed, *tags]


def _widened(character: str) -> str:
    """The full-width form of a printable ASCII character."""
    return chr(ord(character) + 0xFEE0) if "!" <= character <= "~" else character


def _differing(tokenizer: Tokenizer, content: bytes, texts: Sequence[str]) -> list[str]:
    """The texts whose ids, or the text made of these again, differ in the document `content`."""
    try:
        candidate = tokenizers.Tokenizer.from_str(content.decode())
    except Exception as error:  # noqa: BLE001 - tokenizers raises nothing narrower
        return [str(error)]
    exact = tokenizer.encode_batch(texts)
    bos = [tokenizer.bos_id] if tokenizer.adds_bos else []
    candidate.no_truncation()
    candidate.no_padding()
    found = []
    for text, ids in zip(texts, exact, strict=True):
        same = candidate.encode(text, add_special_tokens=True).ids == bos + ids
        if not same or candidate.decode(ids, skip_special_tokens=False) != tokenizer.decode(ids):
            found.append(text[:_LONGEST_SHOWN])
    return found


# -- the folder ----------------------------------------------------------------------------------


def _write(tokenizer: Tokenizer, facts: TokenizerFolder, target: Path, content: bytes) -> bool:
    """Write the folder with `content` as its tokenizer.json; False if jlora reads it otherwise."""
    _copy(tokenizer, target)
    (target / "tokenizer.json").write_bytes(content)
    config = json.dumps(
        _config(tokenizer, facts, json.loads(content)), ensure_ascii=False, indent=2
    )
    (target / "tokenizer_config.json").write_text(config + "\n", encoding="utf-8", newline="\n")
    try:
        same = _told(load_tokenizer(target)) == _told(tokenizer)
    except JloraError:
        same = False
    if not same:
        (target / "tokenizer.json").unlink()
        (target / "tokenizer_config.json").unlink()
    return same


def _told(tokenizer: Tokenizer) -> tuple[object, ...]:
    """What must stay the same for jlora itself."""
    return (
        tokenizer.family,
        tokenizer.fingerprint,
        tokenizer.size,
        dict(tokenizer.special_ids),
        (tokenizer.unk_id, tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id),
        tokenizer.adds_bos,
        tokenizer.chat_template,
        tokenizer.lower_case_hint,
        tokenizer.newline_piece,
    )


def _config(
    tokenizer: Tokenizer, facts: TokenizerFolder, document: dict[str, Any]
) -> dict[str, Any]:
    """The configuration under the generic class, without names that have no id.

    Stock transformers would add those to the vocabulary, behind the embedding's last row.
    """
    config = {key: value for key, value in facts.config.items() if key not in _DROPPED}
    if facts.class_name in BOS_CLASSES:
        config.setdefault("padding_side", "left")
    for role in ROLES:
        name = facts.name_of(f"{role}_token")
        if name is not None and tokenizer.piece_id(name) is None:
            config.pop(f"{role}_token", None)
        elif name is not None:
            config[f"{role}_token"] = name
    for key in ("additional_special_tokens", "extra_special_tokens"):
        if key in config:
            config[key] = _known(tokenizer, config[key])
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    config["add_bos_token"], config["add_eos_token"] = tokenizer.adds_bos, False
    config["clean_up_tokenization_spaces"] = False
    # The generic class would return token_type_ids too, which a causal model refuses.
    config.setdefault("model_input_names", ["input_ids", "attention_mask"])
    config["added_tokens_decoder"] = {
        str(token["id"]): {key: value for key, value in token.items() if key != "id"}
        for token in document.get("added_tokens") or []
    }
    return config


def _known(tokenizer: Tokenizer, named: Any) -> Any:
    """The special tokens of a list, or of a mapping from name to token, that have an id."""

    def has_id(token: Any) -> bool:
        literal = token.get("content") if isinstance(token, dict) else token
        return isinstance(literal, str) and tokenizer.piece_id(literal) is not None

    if isinstance(named, dict):
        return {name: token for name, token in named.items() if has_id(token)}
    return [token for token in named or [] if has_id(token)]
