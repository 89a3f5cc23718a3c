"""Prompts are read from lines, documents and tables; every row at fault is named with its line."""

from __future__ import annotations

import json

import pytest

from jlora_cli.bulk import read_rows
from jlora_cli.dataset import Message
from jlora_cli.errors import JloraError


@pytest.fixture
def write(tmp_path):
    def to(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return path

    return to


def asked(path, system=None):
    return [[turn.content for turn in row.messages] for row in read_rows(path, system)]


def test_a_table_is_read_by_its_column_and_carries_the_others_along(write):
    path = write("表.csv", '\ufeffid,prompt,メモ\r\n7,"吾輩は,\r\n猫",髙﨑\r\n8,ｶﾞ🐈,\r\n')
    rows = read_rows(path)
    assert [row.record for row in rows] == [
        {"id": "7", "prompt": "吾輩は,\n猫", "メモ": "髙﨑"},
        {"id": "8", "prompt": "ｶﾞ🐈", "メモ": ""},
    ]
    assert [row.line for row in rows] == [2, 4]
    assert rows[1].messages == (Message("user", "ｶﾞ🐈"),)


def test_tabs_and_documents_are_read_too(write):
    assert asked(write("a.tsv", "prompt\tx\n猫\t1\n")) == [["猫"]]
    assert asked(write("a.json", json.dumps([{"prompt": "猫"}, {"prompt": "犬"}]))) == [
        ["猫"],
        ["犬"],
    ]


def test_a_table_without_a_column_prompt_is_refused(write):
    path = write("a.csv", "text,x\n猫,1\n")
    with pytest.raises(JloraError) as refused:
        read_rows(path)
    assert str(path) in refused.value.problem


def test_a_table_of_another_encoding_is_read_in_it(write):
    path = write("a.csv", "prompt\n吾輩は猫である。名前はまだない。\n".encode("cp932"))
    assert read_rows(path)[0].messages[0].content == "吾輩は猫である。名前はまだない。"


def test_every_row_at_fault_is_named_with_its_line(write):
    lines = ['{"prompt": "猫"}', '{"prompt": "  "}', "{", '{"prompt": 7}']
    path = write("a.jsonl", "\n".join(lines))
    with pytest.raises(JloraError) as refused:
        read_rows(path)
    problem = refused.value.problem
    assert all(f"line {number}" in problem for number in (2, 3, 4))
    assert "line 1" not in problem


def test_half_a_character_in_a_column_that_is_carried_along_is_named_before_anything_is_asked(
    write,
):
    rows = [
        '{"prompt": "要約して", "題": "🐈"}',
        '{"prompt": "要約して", "題": ["猫\\ud83d"]}',
        '{"messages": [{"role": "user", "content": "猫"}, '
        '{"role": "assistant", "content": "\\udc08"}]}',
    ]
    with pytest.raises(JloraError) as refused:
        read_rows(write("行.jsonl", "\n".join(rows)))

    assert "has 2 rows that cannot be used" in refused.value.problem
    assert 'line 2: "題" holds half a character (lone surrogate U+D83D)' in refused.value.problem
    assert 'line 3: "messages" holds half a character' in refused.value.problem


def test_a_ragged_row_of_a_table_is_named(write):
    with pytest.raises(JloraError, match="3"):
        read_rows(write("a.csv", "prompt,x\n猫,1\n犬\n"))


def test_a_cell_that_never_closes_is_refused(write):
    with pytest.raises(JloraError):
        read_rows(write("a.csv", 'prompt\n猫\n"犬\n'))


def test_a_file_without_rows_is_refused(write):
    with pytest.raises(JloraError, match=r"a\.jsonl"):
        read_rows(write("a.jsonl", "\n\n"))


def test_the_system_message_goes_to_the_rows_that_have_none(write):
    own = {"messages": [{"role": "system", "content": "犬"}, {"role": "user", "content": "名"}]}
    path = write("a.jsonl", "\n".join(map(json.dumps, [{"prompt": "猫"}, own])))
    assert asked(path, "ｶﾞ") == [["ｶﾞ", "猫"], ["犬", "名"]]
