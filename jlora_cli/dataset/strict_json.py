"""JSON as the standard has it: no duplicate keys, no NaN, and a reason for every refusal.

Python's own `json` takes the last of two equal keys, reads NaN and Infinity, and names the
offence in terms of its parser. This file knows single JSON values, not files.
"""

from __future__ import annotations

import json
import math
import re

from jlora_cli.dataset.faults import RowError

LONGEST_NUMBER = 4000  # digits; Python itself refuses to read integers past 4300
PYTHON_WORD = re.compile(r"(None|True|False)\b")
# What a Japanese input method or a word processor leaves where JSON wants its own sign.
PLAIN_SIGN = {
    "：": ":", "，": ",", "、": ",", "｛": "{", "｝": "}", "［": "[", "］": "]",
    "“": '"', "”": '"', "„": '"', "＂": '"', "‘": '"', "’": '"', "\u3000": " ", "\u00a0": " ",
}  # fmt: skip


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise RowError("duplicate_key", key=next(key for key in keys if keys.count(key) > 1))
    return found


def _constant(word: str) -> object:
    raise RowError("not_a_number", word=word)


def _integer(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise RowError("number_too_large")
    return int(digits)


def _decimal(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise RowError("number_too_large")
    return number


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer, parse_float=_decimal
)


def decode(text: str) -> object:
    """The one JSON value that `text` holds.

    Raises:
        RowError: it is not JSON, or JSON that means different things to different readers.
    """
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise explained(text, error) from error
    except RecursionError as error:
        raise RowError("too_deep") from error


def decode_at(text: str, start: int) -> tuple[object, int]:
    """The JSON value that begins at `start`, and where it ends.

    Raises:
        RowError: as in `decode`; its `line` is the line of the offence within `text`.
    """
    try:
        return _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        fault = explained(text, error)
        fault.line = error.lineno
        raise fault from error
    except (RecursionError, RowError) as error:
        fault = error if isinstance(error, RowError) else RowError("too_deep")
        fault.line = text.count("\n", 0, start) + 1
        raise fault from error


def explained(text: str, error: json.JSONDecodeError) -> RowError:
    """Why `text` is not JSON, in the words of someone who typed or exported it."""
    sign, column = text[error.pos : error.pos + 1], error.colno
    if sign == "'":
        return RowError("single_quotes", column=column)
    if sign in PLAIN_SIGN:
        code, plain = f"U+{ord(sign):04X}", PLAIN_SIGN[sign]
        return RowError("fullwidth_sign", column=column, sign=sign, code=code, plain=plain)
    if word := PYTHON_WORD.match(text, error.pos):
        return RowError("python_word", column=column, word=word.group())
    if "control character" in error.msg:
        return RowError("control_in_json", column=column, code=f"U+{ord(sign):04X}")
    return RowError(_syntax_reason(text, error), column=column)


def _syntax_reason(text: str, error: json.JSONDecodeError) -> str:
    before, after = text[: error.pos].rstrip(), text[error.pos :].strip()
    if not after or error.msg.startswith("Unterminated string"):
        return "cut_off"
    if (after[0] in "}]" and before.endswith(",")) or re.match(r",\s*[}\]]", after):
        return "trailing_comma"
    if "',' delimiter" in error.msg:
        return "missing_comma"
    return {"Extra data": "extra_data", "Invalid \\escape": "bad_escape"}.get(error.msg, "not_json")
