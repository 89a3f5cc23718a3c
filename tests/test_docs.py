"""What the documents say of the code is what the code says."""

from __future__ import annotations

import re

import pytest

from jlora_cli.config import FIELDS
from jlora_cli.finding import SEVERITIES
from jlora_cli.messages import language
from jlora_cli.profile import profile_names
from tools import docs
from tools.explained import EXPLAINED


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """The documents in a folder of their own, as they stand."""
    for path in docs.documents():
        there = tmp_path / path.relative_to(docs.ROOT)
        there.parent.mkdir(exist_ok=True)
        there.write_text(path.read_text(encoding="utf-8"), encoding="utf-8", newline="\n")
    monkeypatch.setattr(docs, "ROOT", tmp_path)
    return tmp_path


def test_every_generated_document_is_current(capsys):
    assert (docs.main(["--check"]), capsys.readouterr().err) == (0, "")
    assert len(docs.documents()) >= 4
    assert language() == "en"


def test_what_is_stale_is_named_and_written_anew(copy, capsys):
    page, readme = copy / "docs" / "settings.ja.md", copy / "README.md"
    fresh = readme.read_text(encoding="utf-8")
    page.unlink()
    readme.write_text(fresh.replace("| `t4` |", "| `t5` |"), encoding="utf-8", newline="\n")

    code, told = docs.main(["--check"]), capsys.readouterr().err
    assert (code, page.exists()) == (1, False)
    assert [line.split()[0] for line in told.splitlines()] == ["README.md", "docs/settings.ja.md"]

    assert docs.main([]) == 0
    assert readme.read_text(encoding="utf-8") == fresh
    assert docs.main(["--check"]) == 0


def test_a_document_without_the_place_is_no_silent_success(copy):
    (copy / "README.md").write_text("# jlora\n", encoding="utf-8")

    with pytest.raises(ValueError, match="0 places for profiles"):
        docs.main([])


def test_the_table_has_every_profile_and_no_column_that_is_the_same_everywhere():
    head, _, *rows = docs.profile_table().splitlines()
    cells = [row.strip("| ").split(" | ") for row in rows]

    assert sorted(row[0].strip("`") for row in cells) == profile_names()
    columns = dict(zip(head.strip("| ").split(" | "), zip(*cells, strict=True), strict=True))
    assert [name for name, column in columns.items() if len(set(column)) == 1] == []
    assert len(columns) == 8


def test_the_page_has_an_entry_for_every_setting_in_both_languages():
    for name in ("settings.md", "settings.ja.md"):
        text = (docs.ROOT / "docs" / name).read_text(encoding="utf-8")
        assert sorted(re.findall(r"^- \*\*`(\w+)`\*\*", text, re.M)) == sorted(FIELDS)
        assert text.count("使いどころ:" if "ja" in name else "*When:*") >= 20


def test_the_page_of_findings_has_an_entry_for_every_id_in_both_languages():
    assert EXPLAINED.keys() == SEVERITIES.keys()
    for name in ("findings.md", "findings.ja.md"):
        text = (docs.ROOT / "docs" / name).read_text(encoding="utf-8")
        assert re.findall(r"^## (\S+)$", text, re.M) == sorted(SEVERITIES)
        assert "{" not in text


def test_every_finding_is_planted_in_some_test():
    """By its name: a finding that no test expects could never come."""
    tests = docs.ROOT / "tests"
    written = "".join(
        path.read_text(encoding="utf-8")
        for path in tests.rglob("test_*.py")
        if path.name != "test_docs.py"
    )
    assert [id for id in SEVERITIES if f'"{id}"' not in written] == []
