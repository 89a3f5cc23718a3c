from __future__ import annotations

import gzip
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from jlora_cli import messages
from jlora_cli.dataset import (
    FORMATS,
    Asked,
    Example,
    Message,
    documents,
    files,
    parse_mapping,
    read_examples,
)
from jlora_cli.dataset.faults import shown
from jlora_cli.dataset.formats import nearest
from jlora_cli.errors import JloraError

SHARED = Path(__file__).parents[2] / "shared"
ODD = "ｶﾞ Ａ１ 🐈 髙﨑𠮷\n二行目"


def chat(question="猫は？", answer="にゃ"):
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"messages": turns}


def with_turns(*turns):
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


def alpaca(**changes):
    row = {"instruction": "訳して", "input": "cat", "output": "猫"} | changes
    return {key: value for key, value in row.items() if value is not ...}


def lines(*rows):
    texts = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    return "".join(text + "\n" for text in texts)


@pytest.fixture
def write(tmp_path):
    def write_one(content, name="train.jsonl"):
        path = tmp_path / name
        data = content.encode("utf-8") if isinstance(content, str) else content
        path.write_bytes(data)
        return path

    return write_one


def read(path, **options):
    return read_examples(path, Asked(**options))


def refused(path, **options):
    with pytest.raises(JloraError) as caught:
        read_examples(path, Asked(**options))
    return caught.value


def records(loaded):
    return [example.as_record() for example in loaded.examples]


# What a row means


def test_messages_come_back_unchanged(write):
    row = with_turns(("system", "丁寧に"), ("user", ODD), ("assistant", ODD))
    loaded = read(write(lines(row)))
    assert records(loaded) == [row]
    assert (loaded.format, loaded.rows_read, loaded.dropped) == ("messages", 1, {})
    assert loaded.examples[0].origin == "train.jsonl:1"


@pytest.mark.parametrize(
    ("row", "format"),
    [
        ({"instruction": "問", "input": "", "output": "答"}, "alpaca"),
        ({"指示": "問", "入力": "", "応答": "答"}, "alpaca"),
        ({"指示": "問", "出力": "答"}, "alpaca"),
        ({"指示": "問", "回答": "答", "category": "qa"}, "alpaca"),
        ({"instruction": "問", "context": "", "response": "答"}, "dolly"),
        ({"prompt": "問", "completion": "答"}, "prompt_completion"),
        ({"question": "問", "answer": "答"}, "question_answer"),
        ({"質問": "問", "回答": "答"}, "question_answer"),
        ({"input": "問", "output": "答"}, "input_output"),
        ({"入力": "問", "出力": "答"}, "input_output"),
        (
            {"conversations": [{"from": "human", "value": "問"}, {"from": "gpt", "value": "答"}]},
            "sharegpt",
        ),
    ],
)
def test_every_pair_becomes_two_turns(write, row, format):
    loaded = read(write(lines(row)))
    assert loaded.format == format
    assert records(loaded) == [chat("問", "答")]


def test_input_is_kept_beside_the_turn_that_ends_with_it(write):
    loaded = read(write(lines(alpaca())))
    example = loaded.examples[0]
    assert example.messages[0] == Message("user", "訳して\n\ncat")
    assert example.input == "cat"
    assert example.as_record() == chat("訳して\n\ncat", "猫") | {"input": "cat"}


def test_canonical_rows_go_round(write):
    first = read(write(lines(alpaca(), alpaca(input="  ")))).examples
    again = read(write(lines(*[example.as_record() for example in first]))).examples
    assert [example.as_record() for example in again] == [example.as_record() for example in first]
    assert [example.input for example in again] == ["cat", ""]


def test_an_input_that_is_not_in_the_turn_is_another_column(write):
    assert read(write(lines(chat() | {"input": "x"}))).examples[0].input == ""


def test_text_rows_keep_every_character(write):
    loaded = read(write(lines({"text": "  " + ODD, "id": 3})))
    assert loaded.examples[0] == Example(text="  " + ODD, origin="train.jsonl:1")
    assert records(loaded) == [{"text": "  " + ODD}]


def test_code_keeps_its_leading_spaces(write):
    row = {"prompt": "def f():\n", "completion": "    return 1\n"}
    assert records(read(write(lines(row)))) == [chat("def f():\n", "    return 1\n")]


def test_earlier_turns_of_an_alpaca_row_come_before_its_question(write):
    history = [["髙﨑さんは？", "はい。"], ["ｶﾞは？", "🐈"]]
    rows = (
        alpaca(history=history, system="猫として", input="二行の\n文"),
        alpaca(history=[]),
        alpaca(history="2024-07-26 に作成"),
    )

    first, *others = read(write(lines(*rows))).examples

    said = [(turn.role, turn.content) for turn in first.messages[:-2]]
    pairs = [turn for q, a in history for turn in (("user", q), ("assistant", a))]
    assert said == [("system", "猫として"), *pairs]
    assert first.messages[-2].content.endswith("\n\n二行の\n文")
    assert first.input == ""
    assert [len(other.messages) for other in others] == [2, 2]


def test_an_earlier_turn_without_text_is_named(write):
    with pytest.raises(JloraError, match="history"):
        read(write(lines(alpaca(history=[["問", None]]))))


def test_system_column_becomes_a_system_turn(write):
    loaded = read(write(lines(alpaca(system="猫として"), alpaca(system=""))))
    assert loaded.examples[0].messages[0] == Message("system", "猫として")
    assert len(loaded.examples[1].messages) == 2


def test_text_parts_are_joined(write):
    row = with_turns(("user", [{"type": "text", "text": "ね"}, "こ"]), ("assistant", "にゃ"))
    assert records(read(write(lines(row)))) == [chat("ねこ", "にゃ")]


def test_the_format_can_be_told(write):
    row = {"text": "文章", "prompt": "問", "completion": "答"}
    assert read(write(lines(row))).format == "prompt_completion"
    assert read(write(lines(row)), format="text").examples[0].text == "文章"


def test_unknown_format_names_the_known_ones(write):
    error = refused(write(lines(chat())), format="xml")
    assert '"xml"' in error.problem
    assert all(name in error.remedy for name in FORMATS)


# Faults of rows

BAD_ROWS = [
    ("[1]", "must be a JSON object", "not_an_object"),
    ('"text"', "this is text", "not_an_object"),
    ("null", "this is null", "not_an_object"),
    ('{"a": {}} {"b": 1}', "column 11", "extra_data"),
    ('{"a": "\\x"}', "backslash", "bad_escape"),
    ('{"messages": [1,]}', "comma", "trailing_comma"),
    ('{"messages": 1,}', "comma", "trailing_comma"),
    ('{"a" 1}', "not valid JSON", "not_json"),
    ('{"a": 1 "b": 2}', "comma is missing", "missing_comma"),
    ('{"a": "b', "breaks off", "cut_off"),
    ("{'a': 1}", "single quote", "single_quotes"),
    ('{"a": None}', "Python's None", "python_word"),
    ('{"a"：1}', "U+FF1A", "fullwidth_sign"),
    ("{“a”: 1}", "U+201C", "fullwidth_sign"),
    ('{"a": "\x1b[31m"}', "U+001B", "control_in_json"),
    ('{"a": NaN}', "NaN", "not_a_number"),
    ('{"a": -Infinity}', "-Infinity", "not_a_number"),
    ('{"a": 1e999}', "too large", "number_too_large"),
    ('{"a": ' + "9" * 5000 + "}", "too large", "number_too_large"),
    ("[" * 200_000, "too deeply", "too_deep"),
    ('{"messages": [], "messages": []}', '"messages" stands twice', "duplicate_key"),
    ({"messages": []}, "at least one turn", "no_messages"),
    ({"messages": {}}, "found an object", "no_messages"),
    ({"messages": ["やあ"]}, "a turn must be an object", "turn_not_an_object"),
    ({"messages": [{"role": "user"}]}, 'no "content"', "missing_key"),
    ({"messages": [{"role": "user", "contents": "x"}]}, '"contents"', "misspelt_key"),
    ({"messages": [{"content": "x"}]}, 'no "role"', "missing_key"),
    (with_turns(("bot", "x")), "unknown role: bot", "role"),
    (with_turns((3, "x")), "unknown role: a number", "role"),
    (with_turns(("tool", "x")), "without its tool calls", "tools"),
    (with_turns(("user", None)), "found null", "not_text"),
    (with_turns(("user", 3)), "found a number", "not_text"),
    (with_turns(("user", True)), "found true or false", "not_text"),
    (with_turns(("user", [3])), "found a number", "not_text"),
    (with_turns(("user", [{"type": "image_url"}])), "image_url", "other_part"),
    (with_turns(("user", "　\n")), '"content" is empty', "empty"),
    (with_turns(("user", "問"), ("assistant", "　")), "nothing to learn", "empty_answer"),
    (with_turns(("user", "問")), "no assistant turn", "no_answer"),
    (
        with_turns(("user", "一"), ("assistant", "二"), ("user", "三")),
        "ends with the user",
        "ends_with_user",
    ),
    (
        with_turns(("user", "一"), ("system", "二"), ("assistant", "三")),
        "turn 2",
        "system_not_first",
    ),
    (
        with_turns(("user", "一"), ("user", "二"), ("assistant", "三")),
        "user again",
        "same_role_twice",
    ),
    ('{"messages": [{"role": "user", "content": "\\ud83d"}]}', "U+D83D", "lone_surrogate"),
    ('{"messages": [{"role": "user", "content": "a\\u0000"}]}', "U+0000", "control_character"),
    (alpaca(), "the file began as messages", "other_format"),
    ({"id": 1}, 'no "messages"', "missing_key"),
]


@pytest.mark.parametrize(("row", "said", "reason"), BAD_ROWS)
def test_a_bad_row_stops_with_file_line_and_remedy(write, row, said, reason):
    path = write(lines(chat(), row, chat()))
    error = refused(path)
    assert error.problem.startswith(f"{path} line 2: ")
    assert said in error.problem
    assert error.remedy
    assert "\x1b" not in error.problem
    skipped = read(path, on_bad_row="skip")
    assert (len(skipped.examples), skipped.rows_read, skipped.dropped) == (2, 3, {reason: 1})


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (alpaca(output=...), 'no "output"'),
        (alpaca(output=..., ouput="猫"), 'no "output", but "ouput"'),
        (alpaca(output=""), '("output") is empty'),
        (alpaca(output=18), "found a number"),
        (alpaca(instruction=" "), '"instruction" is empty'),
        (alpaca(input=3), '"input" must be text'),
        (alpaca(system=3), '"system" must be text'),
        (chat(), "of the format messages"),
    ],
)
def test_a_bad_instruction_row_is_named(write, row, said):
    assert said in refused(write(lines(alpaca(), row))).problem


def test_a_role_name_of_another_format_counts_only_there(write):
    loaded = read(write(lines({"conversations": [{"from": "bot", "value": "x"}]})))
    assert loaded.examples[0].messages == (Message("assistant", "x"),)


def test_ten_faults_are_named_and_the_rest_counted(write):
    path = write(lines(chat(), *[chat(answer=" ")] * 13))
    error = refused(path)
    assert error.problem.startswith(f"{path} has 13 rows that cannot be used:")
    assert [f"  line {line}:" in error.problem for line in (2, 11, 12)] == [True, True, False]
    assert error.problem.endswith("  and 3 more")
    assert "--on-bad-row skip" in error.remedy


def test_a_fault_of_every_row_is_said_once(write):
    error = refused(write(lines(*[alpaca(output=..., ouput="猫")] * 12)))
    assert 'line 1: no "output", but "ouput"' in error.problem
    assert "All 12 rows" in error.problem
    assert error.remedy == 'rename "ouput" to "output".'


def test_skipping_never_leaves_nothing(write):
    assert "All 3 rows" in refused(write(lines(*[chat(answer="")] * 3)), on_bad_row="skip").problem


def test_a_later_row_decides_where_the_first_is_broken(write):
    assert read(write(lines("{", chat())[2:]), on_bad_row="skip").format == "messages"
    loaded = read(write(lines('{"a', chat())), on_bad_row="skip")
    assert (loaded.format, loaded.dropped) == ("messages", {"cut_off": 1})


def test_unknown_columns_are_shown(write):
    error = refused(write(lines({"質": "a", "turns": []})))
    assert "  質 = a\n  turns = []\n" in error.problem
    assert "alpaca (instruction, output)" in error.problem
    assert "--map instruction=COLUMN" in error.remedy


def test_an_error_answer_is_recognised(write):
    assert "web service" in refused(write('{"error": "Not Found"}\n')).problem


def test_japanese_users_read_japanese(write):
    messages.use_language("ja")
    error = refused(write(lines(chat(), chat(answer=""))))
    assert "2 行目" in error.problem
    assert "応答を書くか" in error.remedy


# Layouts


def test_an_array_counts_file_lines(write):
    text = "[\n" + json.dumps(chat()) + ",\n\n" + json.dumps(chat(), indent=1) + "\n]\n"
    loaded = read(write(text, "rows.json"))
    assert [example.origin for example in loaded.examples] == ["rows.json:2", "rows.json:4"]


def test_an_object_with_one_list_is_unwrapped(write):
    text = json.dumps({"version": 1, "tags": ["a"], "data": [alpaca()]}, indent=1)
    assert read(write(text, "rows.json")).examples[0].origin == "rows.json:7"


def test_one_pretty_printed_row_is_a_row(write):
    assert read(write(json.dumps(chat(), indent=2), "row.json")).rows_read == 1
    assert read(write(json.dumps(chat(), indent=2), "row.jsonl")).rows_read == 1


def test_lines_named_json_are_lines(write):
    assert read(write(lines(chat(), chat()), "rows.json")).rows_read == 2
    assert "line 1:" in refused(write(lines('{"a": tru}', chat()), "rows.json")).problem


def test_an_array_named_jsonl_is_read_and_told(write):
    loaded = read(write(json.dumps([chat(), chat()]), "rows.jsonl"))
    assert loaded.rows_read == 2
    assert "begins a JSON array" in loaded.warnings[0]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[\n{},\n]", 3, "a comma stands before"),
        ('[\n{"a": 1}\n{"a": 2}]', 3, "comma is missing"),
        ('[\n{"a": 1}\n', 3, "breaks off"),
        ('[\n{"a": 1},\n{"a": ', 3, "breaks off"),
        ('[\n{"a": 1},\n{"a": NaN}]', 3, "NaN"),
        ('[\n{"a": 1},\n' + "[" * 100_000, 3, "too deeply"),
        ("[]\n[]", 2, "follows the end"),
        ('{\n"a": [{"b": 1}]\n', 3, "comma is missing|breaks off"),
    ],
)
def test_a_broken_document_names_its_line(write, text, line, said):
    error = refused(write(text, "rows.json"), on_bad_row="skip", format="text")
    assert re.search(rf"line {line}: .*({said})", error.problem)


def test_an_empty_list_has_no_rows(write):
    assert "has no rows" in refused(write("[]", "rows.json")).problem


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv"])
def test_an_empty_file_has_no_rows(write, content, name):
    path = write(content, name)
    assert str(path) in refused(path).problem


def test_a_table_reads_cells_with_newlines(write):
    text = 'instruction,input,output\n訳して,"a\r\nb","猫、""にゃ"""\n\n数えて,,18\n'
    loaded = read(write("\ufeff" + text, "rows.csv"))
    assert loaded.examples[0].messages == (
        Message("user", "訳して\n\na\nb"),
        Message("assistant", '猫、"にゃ"'),
    )
    assert [example.origin for example in loaded.examples] == ["rows.csv:2", "rows.csv:5"]
    assert loaded.examples[1].messages[1].content == "18"


def test_a_tab_separated_table(write):
    assert records(read(write("question\tanswer\n問\t答\n", "rows.tsv"))) == [chat("問", "答")]


def test_json_named_csv_is_json(write):
    assert read(write(lines(chat()), "rows.csv")).format == "messages"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("問,答\nあ,い\n", 1, "names no columns"),
        ("instruction;output\nあ;い\n", 1, 'separated by ";"'),
        ("instruction,output,output\nあ,い,う\n", 1, "stands twice"),
        ("instruction,output\nあ,い\nあ,い,う\n", 3, "expected 2 columns, found 3"),
        ('instruction,output\nあ,い\n"あ,い\nあ,い\n', 3, "never closed"),
        ('instruction,output\nあ,い\nあ,"い"う\n', 3, "never closed"),
    ],
)
def test_a_broken_table_names_its_line(write, text, line, said):
    error = refused(write(text, "rows.csv"))
    assert f"line {line}: " in error.problem
    assert said in error.problem


def test_parquet_rows(write, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist([alpaca(), alpaca()]), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet").rows_read == 2
    assert "not a whole Parquet" in refused(write(b"PAR1xx", "b.parquet")).problem


def test_parquet_without_pyarrow_says_what_to_install(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert "pip install pyarrow" in refused(write(b"PAR1", "b.parquet")).remedy


# Bytes


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_system(write, end):
    path = write(lines(chat(), chat(answer="")).replace("\n", end))
    assert "line 2:" in refused(path).problem


def test_line_separators_inside_a_text_are_text(write):
    text = "一\u2028二\u2029三\u0085四\x0b\x0c\x1c\x1d\x1e五"
    row = chat(answer=text)
    raw = json.dumps(row, ensure_ascii=False)
    loaded = read(write(raw + "\n" + raw))
    assert records(loaded) == [row, row]


def test_a_byte_order_mark_is_no_part_of_the_first_key(write):
    assert records(read(write("\ufeff" + lines(chat())))) == [chat()]
    assert read(write("\ufeff" + json.dumps([chat()]), "a.json")).rows_read == 1


def test_a_damaged_line_is_named(write):
    good = lines(chat()).encode()
    path = write(good + good.replace("猫".encode(), b"\xe7\x8c") + good)
    assert "line 2: the bytes are not UTF-8 (byte 0xE7" in refused(path).problem
    assert read(path, on_bad_row="skip").dropped == {"not_decodable": 1}


@pytest.mark.parametrize("encoding", ["cp932", "euc_jp"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv"])
def test_japanese_encodings_are_named(write, encoding, name):
    rows = [chat("これは何ですか、教えてください。", "それは猫です。")] * 3
    text = lines(*rows) if name == "a.jsonl" else json.dumps(rows, ensure_ascii=False)
    text = "question,answer\nこれは何ですか,それは猫です\n" if name == "a.csv" else text
    loaded = read(write(text.encode(encoding), name))
    assert loaded.examples[0].messages[0].content.startswith("これは何ですか")
    (found,) = loaded.findings
    assert (found.id, found.severity) == ("data.encoding_guessed", "note")
    assert {"cp932": "cp932 (Shift_JIS)", "euc_jp": "EUC-JP"}[encoding] in found.evidence


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "iso2022_jp"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_encodings_that_can_be_told_for_certain_are_named(write, encoding, name):
    rows = [chat("猫は？\n\u3000二行目", "にゃ")] * 2
    text = lines(*rows) if name == "a.jsonl" else json.dumps(rows, ensure_ascii=False)
    loaded = read(write(text.encode(encoding), name))
    assert records(loaded) == rows
    assert [found.id for found in loaded.findings] == ["data.encoding"]
    assert encoding.partition("-")[0].upper()[:3] in loaded.findings[0].evidence


def test_a_document_of_no_known_encoding_names_its_line(write):
    error = refused(write(b'[\n{"text": "\xff\xfe\xff"}]', "a.json"))
    assert "line 2 holds bytes that are not UTF-8" in error.problem


def test_a_table_with_a_damaged_line_names_it(write):
    text = "question,answer\n猫,にゃ\n".encode() + b"\xff\xff,x\n"
    assert "line 3: the bytes" in refused(write(text, "a.csv")).problem


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04 xl/workbook.xml", "Excel"),
        (b"PK\x03\x04 a.txt", "archive"),
        (b"\xd0\xcf\x11\xe0", "Excel"),
        (b"7z\xbc\xaf", "archive"),
        (b"%PDF-1.7", "document"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS"),
        (b"\n<!DOCTYPE html><html></html>", "web page"),
        (b"<HTML>", "web page"),
        (gzip.compress(gzip.compress(b"x")), "archive"),
        (gzip.compress(lines(chat()).encode())[:-12], "cut off or damaged"),
        (b"\x1f\x8bnothing", "cut off or damaged"),
    ],
)
def test_what_is_no_data_is_named(write, content, said):
    assert said in refused(write(content)).problem


def test_gzip_is_unpacked(write):
    assert read(write(gzip.compress(lines(chat()).encode()), "a.jsonl.gz")).rows_read == 1


def test_plain_text_is_refused(write):
    assert "--format text" in refused(write("吾輩は猫である。\n", "a.json")).remedy


def test_an_endless_line_is_refused_before_memory_ends(write, monkeypatch):
    monkeypatch.setattr(files, "LONGEST_LINE", 1000)
    monkeypatch.setattr(files, "CHUNK_BYTES", 500)
    monkeypatch.setattr(files, "HEAD_BYTES", 500)
    path = write(lines(chat(), chat(answer="あ" * 2000)))
    assert "line 2 is longer than" in refused(path).problem


def test_chunks_do_not_change_lines(write, monkeypatch):
    monkeypatch.setattr(files, "CHUNK_BYTES", 7)
    path = write(lines(*[chat(answer=str(number)) for number in range(2000)]))
    loaded = read(path)
    assert [example.messages[1].content for example in loaded.examples] == [
        str(n) for n in range(2000)
    ]
    assert loaded.examples[-1].origin == "train.jsonl:2000"


def test_a_row_without_end_in_a_document_is_refused_before_memory_ends(write, monkeypatch):
    monkeypatch.setattr(documents, "LONGEST_LINE", 1000)
    monkeypatch.setattr(files, "CHUNK_BYTES", 500)
    text = "[\n" + json.dumps(chat()) + ",\n" + json.dumps(chat(answer="a" * 9000))[:-4]
    error = refused(write(text, "a.json"))
    assert "line 3: a row that begins here is longer than" in error.problem


# Paths


def test_a_missing_file_suggests_its_neighbour(write, tmp_path):
    write(lines(chat()))
    assert "train.jsonl?" in refused(tmp_path / "trian.jsonl").remedy
    assert "does not exist" in refused(tmp_path / "none/a.jsonl").problem


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX links and pipes")
def test_links_and_pipes_do_not_hang(tmp_path):
    (tmp_path / "a.jsonl").symlink_to("b.jsonl")
    (tmp_path / "b.jsonl").symlink_to("a.jsonl")
    os.mkfifo(tmp_path / "pipe.jsonl")
    assert "leads to itself" in refused(tmp_path / "a.jsonl").problem
    assert "a pipe or a device" in refused(tmp_path / "pipe.jsonl").problem


def test_a_name_that_is_too_long(tmp_path):
    assert "cannot be read" in refused(tmp_path / ("長" * 200 + ".jsonl")).problem


def test_a_file_that_may_not_be_read(write, monkeypatch):
    path = write(lines(chat()))

    def forbidden(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)
    assert "Permission denied" in refused(path).problem


def test_a_folder_gives_its_files_by_name(write, tmp_path):
    write(lines(chat("b", "b")), "b.jsonl")
    write(json.dumps([alpaca()]), "a.json")
    write("x", "notes.md")
    loaded = read(tmp_path)
    assert [example.origin for example in loaded.examples] == ["a.json:1", "b.jsonl:1"]
    assert (loaded.format, loaded.rows_read) == ("mixed", 2)


def test_a_prepared_folder_gives_its_training_rows(write, tmp_path):
    for name in ("train.jsonl", "validation.jsonl"):
        write(lines(chat()), name)
    write("{}", "dataset.json")
    assert read(tmp_path).rows_read == 1


def test_a_folder_without_data_says_so(tmp_path):
    assert "without data files" in refused(tmp_path).problem


# What is noticed


@pytest.mark.parametrize(
    "word", ["</s>", "<|endoftext|>", "＜／ｓ＞", "[INST]", "<unk>", "<<SYS>>"]
)
def test_control_words_are_told(write, word):
    loaded = read(
        write(lines(chat(), chat(answer=f"これは{word}です"), chat(answer="<b>太字</b> [1]")))
    )
    assert [found.id for found in loaded.findings] == ["data.special_tokens"]
    assert "line 2" in loaded.warnings[0]
    assert loaded.examples[1].messages[1].content == f"これは{word}です"


def test_shown_text_is_short_and_harmless():
    assert shown("\x1b[31m" + "あ" * 100) == "\\u001b[31m" + "あ" * 55 + "…"
    assert shown(3) == 3


def test_nearest_format_needs_something_in_common():
    assert nearest(["a", "b"]) is None
    assert nearest(["Prompt ", "b"]).name == "prompt_completion"
    assert nearest(["question_id", "turns"]) is None


def test_reading_needs_no_heavy_package():
    heavy = {"torch", "datasets", "pyarrow", "huggingface_hub"}
    code = f"import sys, jlora_cli.dataset; print({heavy} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    assert done.stdout.strip() == "set()"


# What users really have: (rows, format), or a word of the refusal

REAL = {
    "messages/training_data.jsonl": (55, "messages"),
    "messages/validation_data.jsonl": (10, "messages"),
    "messages/instruction_ja_messages.jsonl": (501, "messages"),
    "messages/rpc_multiturn.jsonl": (24, "messages"),
    "sharegpt/rpc_sharegpt.json": (48, "sharegpt"),
    "sharegpt/fastchat_dummy_conversation.json": (500, "sharegpt"),
    "alpaca/jsquad_alpaca.json": (800, "alpaca"),
    "dolly_en_keys/jaquad_dev_0000.jsonl": (400, "dolly"),
    "dolly_ja/dolly_like_ja.json": (4278, "alpaca"),
    "prompt_completion/jhumaneval_pc.jsonl": (110, "prompt_completion"),
    "csv/jcommonsenseqa_utf8.csv": (150, "alpaca"),
    "eval/rakuda_v1_questions.jsonl": (40, "text"),
    "csv/jcommonsenseqa_cp932.csv": (199, "alpaca"),  # 200 with the header, as csv.reader has it
    "prose/aozora_clean.txt": (1702, "text"),  # passages between blank lines, of 106 works
    "real_broken/git_lfs_pointer.jsonl": "Git LFS",
    "squad/jaquad_train_0019.json": "paragraphs = [",
    "eval/ja_vicuna_qa_question.jsonl": "turns = [",
}


# What a refusal proposes for files of other names, and the rows that SOURCES.md counts

PROPOSED = {
    "prompt_completion/jhuman-eval.jsonl.gz": (164, "--map completion=canonical_solution"),
    "dialog/instruction_ja.data.public.jsonl": (
        501,
        "--map messages=utterances --map role=name --map content=text --map user=user"
        " --map assistant=agent",
    ),
    "dialog/asdc_talk.jsonl": (
        184,
        '--map messages=utterances --map role=name --map content=text --map "user=*"'
        " --map assistant=agent",
    ),
    "dialog/real_persona_chat/00001.json": (
        1,
        "--map messages=utterances --map role=interlocutor_id --map content=text --map user=AA"
        " --map assistant=AB",
    ),
    "csv/jmmlu_anatomy.csv": (132, "--map question=1 --map answer=6"),
    "csv/jmmlu_japanese_history.csv": (150, "--map question=1 --map answer=6"),
    "csv/jmmlu_computer_security.csv": (99, "--map question=1 --map answer=6"),
    "csv/jmmlu_philosophy.csv": (150, "--map question=1 --map answer=6"),
    "tsv/mgsm_ja.tsv": (250, "--map question=1 --map answer=2"),
}
TEXTS = ("768_ruby_2686", "38_ruby_3638", "46608_ruby_31998", "1754_ruby_5376", "2469_ruby_9297")
needs_shared = pytest.mark.skipif(
    not (SHARED / "data").is_dir(), reason="the shared data are not here"
)


@needs_shared
@pytest.mark.parametrize("name", REAL)
def test_real_files_convert_or_are_refused_in_words(name):
    expected = REAL[name]
    if isinstance(expected, str):
        assert expected in refused(SHARED / "data" / name).problem
    else:
        loaded = read(SHARED / "data" / name)
        assert (len(loaded.examples), loaded.format) == expected


@needs_shared
@pytest.mark.parametrize("name", PROPOSED)
def test_what_is_proposed_for_a_real_file_converts_it(name):
    rows, options = PROPOSED[name]
    assert options in refused(SHARED / "data" / name).remedy
    words = [word for word in shlex.split(options) if word != "--map"]
    assert read(SHARED / "data" / name, mapping=parse_mapping(words)).rows_read == rows


@needs_shared
def test_the_other_real_files():
    names = {"a": "question", "b": "answer"}
    mapping = parse_mapping([f"{ours}={theirs}" for theirs, ours in names.items()])
    loaded = read(SHARED / "data/csv/nkmk_sample_header_shift_jis.csv", mapping=mapping)
    assert [row["messages"][0]["content"] for row in records(loaded)] == ["あ", "い", "う"]
    mapping = parse_mapping(
        ["messages=utterances", "role=interlocutor_id", "content=text", "assistant=AA", "user=*"]
    )
    chats = [*(SHARED / "data/dialog/real_persona_chat").glob("*.json")]
    loaded = read(SHARED / "data/dialog/real_persona_chat", mapping=mapping, on_bad_row="skip")
    assert (loaded.rows_read, len(chats)) == (40, 40)
    assert loaded.dropped == {"no_answer": 15}  # the talks that AA has no part in


@needs_shared
@pytest.mark.parametrize("name", TEXTS)
def test_a_real_novel_is_read_without_its_notation(name):
    loaded = read(SHARED / f"data/text_sjis/{name}.txt")
    text = "\n".join(example.text for example in loaded.examples)
    assert [found.id for found in loaded.findings] == ["data.encoding_guessed", "data.aozora"]
    assert not re.search("《|》|［＃|｜|底本：|テキスト中に現れる記号", text)
    assert len(text) > 5000
