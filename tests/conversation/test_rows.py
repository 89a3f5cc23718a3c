"""Conversations are saved as rows that train, and read back as they were."""

from __future__ import annotations

import json
import os

import pytest

from jlora_cli.conversation import Conversation, Exchange
from jlora_cli.dataset import read_examples
from jlora_cli.errors import JloraError
from tests.conversation.parrot import SAMPLING, Parrot, talk

SAID = "「髙﨑🐈」ですね。"


@pytest.fixture
def conversation():
    made = Conversation(Parrot(), SAMPLING, "猫として話す")
    talk(made, "髙﨑🐈", "一行目\nｶﾞｷﾞ")
    return made


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def refused(conversation, line):
    with pytest.raises(JloraError) as refusal:
        talk(conversation, line)
    return refusal.value.problem


def test_a_conversation_is_saved_as_a_canonical_row_and_loaded_again(conversation, tmp_path):
    path = tmp_path / "会話 一.jsonl"
    screen = talk(conversation, f"/save {path}")
    assert screen[-1] == f"* (exchanges saved as one row: 2, in {path})"
    assert rows(path)[0]["messages"][:3] == [
        {"role": "system", "content": "猫として話す"},
        {"role": "user", "content": "髙﨑🐈"},
        {"role": "assistant", "content": SAID},
    ]
    other = Conversation(Parrot(), SAMPLING, "別の人")
    assert talk(other, f"/load {path}")[-1] == f"* (exchanges loaded: 2, from {path})"
    assert other.messages() == conversation.messages()
    assert talk(other, "/retry")[-1] == "< 「一行目\nｶﾞｷﾞ」ですね。"


def test_rows_are_appended_and_the_last_is_loaded(conversation, tmp_path):
    path = tmp_path / "chat.jsonl"
    path.write_text("", encoding="utf-8")
    talk(conversation, f"/save {path}", "/reset", "/system -", "犬", f"/save {path}")
    assert [len(row["messages"]) for row in rows(path)] == [5, 2]
    assert len(read_examples(path).examples) == 2
    talk(conversation, "/system 鳥", f"/load {path}")
    assert (conversation.system, len(conversation.exchanges)) == (None, 1)


def test_a_last_line_without_an_end_is_ended_first(conversation, tmp_path):
    path = tmp_path / "chat.jsonl"
    talk(conversation, f"/save {path}")
    path.write_bytes(path.read_bytes().rstrip())
    talk(conversation, f"/save {path}")
    assert len(rows(path)) == 2


def test_answers_that_were_stopped_are_saved_with_a_word_and_empty_ones_are_not(tmp_path):
    path = tmp_path / "chat.jsonl"
    exchanges = [Exchange("一", " \n"), Exchange("二", "途中", whole=False), Exchange("三", "全部")]
    conversation = Conversation(Parrot(), SAMPLING, exchanges=exchanges)
    screen = talk(conversation, f"/save {path}")
    assert screen[-1] == (
        f"* (exchanges saved as one row: 2, in {path})\n"
        "(replies among them that you stopped: 1; complete or remove them before training)"
    )
    assert [turn["content"] for turn in rows(path)[0]["messages"]] == ["二", "途中", "三", "全部"]


def test_home_is_known(conversation, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    talk(conversation, "/save ~/chat.jsonl")
    assert len(rows(tmp_path / "chat.jsonl")) == 1


@pytest.mark.parametrize("command", ["/save", "/load"])
def test_what_cannot_be_a_file_of_rows_is_refused(conversation, tmp_path, command):
    assert talk(conversation, command)[-1] == f"* (name the file: {command} FILE.jsonl)"
    assert refused(conversation, f"{command} {tmp_path}") == f"{tmp_path} is a folder"
    other = tmp_path / "chat.txt"
    assert refused(conversation, f"{command} {other}") == f"{other} does not end in .jsonl"


@pytest.mark.parametrize("command", ["/save", "/load"])
def test_a_file_of_other_rows_is_refused_by_line_and_left_alone(conversation, tmp_path, command):
    path = tmp_path / "rows.jsonl"
    good = (
        '{"messages": [{"role": "user", "content": "あ"}, {"role": "assistant", "content": "い"}]}'
    )
    broken = good + '\n{"messages": [{"role": "usr", "content": "あ"}]}\n'
    texts = {
        broken: "line 2",
        '{"question": "あ", "answer": "い"}\n': "question_answer",
        '{"messages": [{"role": "assistant", "content": "い"}]}\n': "rows.jsonl:1 begins with",
    }
    for text, named in texts.items():
        path.write_text(text, encoding="utf-8")
        assert named in refused(conversation, f"{command} {path}")
        assert path.read_text(encoding="utf-8") == text
    assert len(conversation.exchanges) == 2


@pytest.mark.parametrize("encoding", ["cp932", "utf-16", "utf-8"])
def test_a_file_that_a_line_would_ruin_is_left_as_it_is(conversation, tmp_path, encoding):
    row = (
        '{"messages": [{"role": "user", "content": "猫"}, {"role": "assistant", "content": "犬"}]}'
    )
    path = tmp_path / "会話.jsonl"
    # In UTF-8, an array.
    path.write_bytes((f"[{row}]" if encoding == "utf-8" else row).encode(encoding))
    before = path.read_bytes()

    assert "is not JSON Lines in UTF-8" in refused(conversation, f"/save {path}")

    assert path.read_bytes() == before


def test_a_file_that_does_not_exist_cannot_be_loaded(conversation, tmp_path):
    assert str(tmp_path / "無い.jsonl") in refused(conversation, f"/load {tmp_path}/無い.jsonl")


def test_a_place_that_cannot_be_written_to_is_refused(conversation, tmp_path):
    path = tmp_path / "無い" / "chat.jsonl"
    assert refused(conversation, f"/save {path}").startswith(f"cannot write {path}")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_file_without_rights_is_refused(conversation, tmp_path):
    path = tmp_path / "chat.jsonl"
    path.touch(mode=0o400)
    assert refused(conversation, f"/save {path}").startswith(f"cannot write {path}")


def test_an_empty_conversation_is_not_saved(tmp_path):
    path = tmp_path / "chat.jsonl"
    conversation = Conversation(Parrot(), SAMPLING, "猫として話す")
    assert refused(conversation, f"/save {path}") == "there is nothing to save yet"
    assert not path.exists()


def test_what_no_row_can_hold_is_not_saved(tmp_path):
    path = tmp_path / "chat.jsonl"
    conversation = Conversation(Parrot(), SAMPLING, exchanges=[Exchange("猫", "\x00")])
    problem = refused(conversation, f"/save {path}")
    assert problem.startswith("this conversation is no training row: ")
    assert not path.exists()
