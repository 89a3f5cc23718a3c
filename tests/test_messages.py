"""The catalogue is whole: both languages, the same placeholders, no key missing and none idle."""

from __future__ import annotations

import ast
import locale
import string
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

import pytest

import jlora_cli
from jlora_cli import messages
from jlora_cli.errors import JloraError, refuse
from jlora_cli.finding import finding
from jlora_cli.messages import CATALOGUE, choose_language, say

PACKAGE = Path(jlora_cli.__file__).parent
DOCUMENTS = PACKAGE.parent / "tools" / "docs.py"  # what only the documents say
SOURCES = [path for path in PACKAGE.rglob("*.py") if path.parent.name != "messages"]
SOURCES += [DOCUMENTS]
PARTS = ("evidence", "consequence", "remedy")


def placeholders(text):
    """The names that a sentence has filled in; literal braces such as {"prompt": ...} aside."""
    names = {name for _, name, _, _ in string.Formatter().parse(text) if name}
    return {name for name in names if name.isidentifier()}


def needed(keys):
    """Every placeholder of these sentences."""
    return {name for key in keys for name in placeholders(CATALOGUE[key][0])}


def keys_of(node):
    """The keys that an argument names: a literal, or either side of a choice between literals."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.IfExp):
        return [*keys_of(node.body), *keys_of(node.orelse)]
    return []


def prefix_of(node):
    """The beginning of an f-string, or nothing."""
    if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
        return node.values[0].value
    return ""


@cache
def nodes():
    """(path, node) of everything in all sources."""
    trees = [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in SOURCES]
    return [
        (path.relative_to(PACKAGE.parent), node) for path, tree in trees for node in ast.walk(tree)
    ]


def calls(*names):
    """(place, call) of every call of these functions by their bare names, in all sources."""
    for path, node in nodes():
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in names and node.args:
            yield f"{path}:{node.lineno}", node


def parts_of(call, key):
    """The sentences that `finding(key, severity)` or `found(key)` reads."""
    severities = keys_of(call.args[1]) if len(call.args) > 1 else []
    told = [f"{key}.{part}" for part in PARTS if severities != ["ok"]]
    return [*told, *([f"{key}.ok"] if "ok" in severities else [])]


def used_sentences():
    """(place, call, sentences) of every call with a literal key."""
    for place, call in calls("say", "Stage"):
        for key in keys_of(call.args[0]):
            yield place, call, [key]
    for place, call in calls("refuse"):
        for key in keys_of(call.args[0]):
            yield place, call, [key, f"{key}.fix"]
    for place, call in calls("finding", "found"):
        for key in keys_of(call.args[0]):
            yield place, call, parts_of(call, key)


def values_of(call):
    """The names of the values that a call brings along; None where they cannot be read here."""
    if call.func.id == "Stage":
        given = call.args[1]
        return {key.value for key in given.keys} if isinstance(given, ast.Dict) else None
    names = [keyword.arg for keyword in call.keywords]
    return None if None in names else set(names)


def test_every_sentence_is_written_in_both_languages():
    assert len(CATALOGUE) > 400
    for key, texts in CATALOGUE.items():
        assert len(texts) == 2, key
        assert all(text.strip() for text in texts), key


def test_both_languages_fill_in_the_same_placeholders():
    differing = [
        key for key, (english, japanese) in CATALOGUE.items()
        if placeholders(english) != placeholders(japanese)
    ]  # fmt: skip
    assert differing == []
    assert len([key for key in CATALOGUE if placeholders(CATALOGUE[key][0])]) > 100


def test_every_sentence_shows_single_braces_once_it_is_filled_in():
    """`refuse` and `finding` fill in all their sentences alike, literal braces or not."""
    groups = defaultdict(list)
    for key in CATALOGUE:
        stem, _, part = key.rpartition(".")
        groups[stem if part in ("fix", "ok", *PARTS) else key].append(key)
    for keys in groups.values():
        values = dict.fromkeys(needed(keys), 7)
        for key in keys:
            for text in CATALOGUE[key]:
                shown = text.format(**values) if values else text
                assert "{{" not in shown, key
    assert len(groups) > 250


def test_no_key_stands_in_two_places():
    written = Counter()
    files = sorted((PACKAGE / "messages").glob("*.py"))
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Dict):
                written.update(key.value for key in node.keys if isinstance(key, ast.Constant))
    assert len(files) >= 8
    assert [key for key, count in written.items() if count > 1] == []
    assert set(written) == set(CATALOGUE)


def test_every_key_that_the_source_names_exists():
    missing = [
        f"{place} {key}" for place, _, keys in used_sentences() for key in keys
        if key not in CATALOGUE
    ]  # fmt: skip
    assert missing == []
    assert len(list(used_sentences())) > 250


def test_every_prefix_that_the_source_builds_on_has_sentences():
    prefixes = {
        (place, prefix_of(call.args[0])) for place, call in calls("say", "refuse", "Stage")
        if prefix_of(call.args[0])
    }  # fmt: skip
    idle = [each for each in prefixes if not any(key.startswith(each[1]) for key in CATALOGUE)]
    assert idle == []
    assert len(prefixes) >= 5


def test_every_call_brings_the_values_that_its_sentence_fills_in():
    short = [
        f"{place} {keys[0]}: {sorted(needed(keys) - values)}"
        for place, call, keys in used_sentences()
        if (values := values_of(call)) is not None and not needed(keys) <= values
    ]
    assert short == []


def test_every_sentence_is_used_somewhere():
    words, prefixes = set(), set()
    for _, node in nodes():
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words.add(node.value)
        elif "." in prefix_of(node):
            prefixes.add(prefix_of(node))
    families = tuple(prefix for prefix in prefixes if not prefix.startswith(("--", ".")))

    def is_used(key):
        stem, _, part = key.rpartition(".")
        of_stem = part in ("fix", "ok", *PARTS) and (stem in words or stem.startswith(families))
        return key in words or of_stem or key.startswith(families)

    assert [key for key in CATALOGUE if not is_used(key)] == []
    assert "setting." in families


@pytest.mark.parametrize(
    ("words", "environment", "expected"),
    [
        (["jlora", "--lang", "ja"], {"JLORA_LANG": "en"}, "ja"),
        (["jlora", "--lang=ja", "train"], {"LANG": "en_US.UTF-8"}, "ja"),
        (["jlora", "train", "--lang=en"], {"JLORA_LANG": "ja"}, "en"),
        (["jlora", "--lang", "fr"], {"JLORA_LANG": "ja"}, "ja"),
        (["jlora", "--lang"], {"JLORA_LANG": "ja"}, "ja"),
        (["jlora"], {"JLORA_LANG": "ja", "LC_ALL": "en_US.UTF-8"}, "ja"),
        (["jlora"], {"JLORA_LANG": "de", "LANG": "ja_JP.UTF-8"}, "ja"),
        (["jlora"], {"LC_ALL": "C", "LANG": "ja_JP.UTF-8"}, "en"),
        (["jlora"], {"LC_ALL": "", "LC_MESSAGES": "ja_JP", "LANG": "en_US"}, "ja"),
        (["jlora"], {"LANG": "de_DE.UTF-8"}, "en"),
    ],
)
def test_language_is_the_option_then_jlora_lang_then_the_locale(words, environment, expected):
    assert choose_language(words, environment) == expected


@pytest.mark.parametrize(
    ("named", "expected"), [("Japanese_Japan", "ja"), ("English_US", "en"), (None, "en")]
)
def test_without_variables_the_system_is_asked(monkeypatch, named, expected):
    monkeypatch.setattr(locale, "getlocale", lambda: (named, "932"))
    assert choose_language(["jlora"], {}) == expected


def test_a_sentence_comes_in_the_language_in_use():
    messages.use_language("ja")
    assert messages.language() == "ja"
    assert say("settings.not_a_number") == "数値を指定してください"
    messages.use_language("en")
    assert say("profile.empty", path="髙﨑/🐈.yaml") == "髙﨑/🐈.yaml is empty"


def test_a_sentence_without_values_keeps_its_braces():
    assert say("help.infer.input").startswith('JSONL or JSON rows of {"prompt": ...} or')


def test_a_refusal_carries_problem_and_remedy():
    refusal = refuse("profile.empty", path="a.yaml")
    assert isinstance(refusal, JloraError)
    assert (refusal.problem, str(refusal)) == ("a.yaml is empty", "a.yaml is empty")
    assert refusal.remedy == "write at least one setting, or `extends: cpu-small`"


def test_an_ok_finding_has_evidence_alone():
    found = finding("profile-fit", "ok", name="cpu-small", other="a100")
    assert found.as_json() == {
        "id": "profile-fit", "severity": "ok", "evidence": say("profile-fit.ok", name="cpu-small"),
        "consequence": "", "remedy": "",
    }  # fmt: skip


def test_any_other_finding_has_three_sentences():
    messages.use_language("ja")
    found = finding("few-rows", "warning", rows=3)
    assert found.evidence == "データが 3 行しかありません"
    assert found.consequence.endswith("。")
    assert found.remedy != ""
