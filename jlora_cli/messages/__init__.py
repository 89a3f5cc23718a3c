"""Every sentence that a person may read, in English and Japanese.

One module an area; each holds `MESSAGES`, a table from key to (English, Japanese).
This file knows the current language and how a key becomes a sentence, and nothing of
who asks.
"""

from __future__ import annotations

import locale
from typing import TYPE_CHECKING

from jlora_cli.messages import (
    audit,
    chat,
    commands,
    data,
    evaluate,
    findings,
    infer,
    live,
    machine,
    merge,
    plan,
    profiles,
    report,
    settings,
    sources,
    tokenizer,
    training,
    watching,
    when,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AREAS = (
    *(commands, settings, profiles, data, tokenizer, audit, machine, plan, findings, live),
    *(training, watching, sources, merge, infer, chat, evaluate, report, when),
)
LANGUAGES = ("en", "ja")
CATALOGUE: dict[str, tuple[str, str]] = {
    key: texts for area in AREAS for key, texts in area.MESSAGES.items()
}

_current = "en"


def use_language(language: str) -> None:
    """Make `language` ("en" or "ja") the language of every later sentence."""
    global _current
    _current = language


def language() -> str:
    """The language now in use: "en" or "ja"."""
    return _current


def choose_language(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """The language that a command line asks for: `--lang`, else `JLORA_LANG`, else the locale."""
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
        asked = word.removeprefix("--lang=") if word.startswith("--lang=") else ""
        asked = following if word == "--lang" else asked
        if asked in LANGUAGES:
            return asked
    if environment.get("JLORA_LANG") in LANGUAGES:
        return environment["JLORA_LANG"]
    variables = ("LC_ALL", "LC_MESSAGES", "LANG")
    named = next((environment[name] for name in variables if environment.get(name)), "")
    # Windows sets none of these; its user locale is what getlocale() reports.
    named = named or (locale.getlocale()[0] or "")
    return "ja" if named.lower().startswith("ja") else "en"


def say(key: str, /, **values: object) -> str:
    """The sentence `key` in the current language, its {placeholders} filled from `values`.

    Raises:
        KeyError: no such sentence, or a placeholder without a value: a bug of the caller.
    """
    text = CATALOGUE[key][LANGUAGES.index(_current)]
    return text.format(**values) if values else text
