"""Kinds of files that users have beside JSON Lines, and what they call their columns."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jlora_cli.dataset import (
    Asked,
    Example,
    Message,
    documents,
    encodings,
    example_of,
    files,
    parse_mapping,
    read_examples,
    rows,
)
from jlora_cli.dataset.mapping import propose, samples
from jlora_cli.errors import JloraError

ODD = "ｶﾞ Ａ１ 🐈 髙﨑𠮷\n二行目"
PASSAGE = "　吾輩は猫である。名前はまだ無い。\nどこで生れたか、とんと見当がつかぬ。"


@pytest.fixture
def write(tmp_path):
    def write_one(content, name="rows.jsonl"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_one


def read(path, *maps, **options):
    return read_examples(path, Asked(mapping=parse_mapping(maps), **options))


def refused(path, *maps, **options):
    with pytest.raises(JloraError) as caught:
        read(path, *maps, **options)
    return caught.value


def lines(*records):
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def turns(loaded, row=0):
    return [(turn.role, turn.content) for turn in loaded.examples[row].messages]


def chat(answer="にゃ"):
    return {
        "messages": [
            {"role": "user", "content": "猫は？"},
            {"role": "assistant", "content": answer},
        ]
    }


# Encodings


@pytest.mark.parametrize(
    ("text", "encoding", "known"),
    [
        ("東京", "cp932", "cp932"),  # no kana at all
        ("問,答\nあ,い\n", "cp932", "cp932"),
        ("①髙﨑、これは機種依存文字です", "cp932", "cp932"),
        ("これは猫です。", "euc_jp", "euc_jp"),
        ("①から⑨まで、これは拡張漢字です", "euc_jis_2004", "euc_jis_2004"),
        ("これは猫です。", "iso2022_jp", "iso2022_jp"),
        ("これは猫です。", "utf-8", "utf-8"),
        ("これは猫です。", "utf-8-sig", "utf-8"),
        ("これは猫です。", "utf-16", "utf-16"),
        ("Général, où, naïve, côté", "cp1252", "utf-8"),  # no Japanese: the lines say what is wrong
        ("中文测试文本这是一个例子我们看看它会不会被认成日文", "gbk", "utf-8"),
        ("", "utf-8", "utf-8"),
    ],
)
def test_encodings_are_told_by_content(write, text, encoding, known):
    assert encodings.encoding_of(write(text.encode(encoding))).name == known


@pytest.mark.parametrize("at", [100, files.HEAD_BYTES - 1, files.HEAD_BYTES, 3 * files.HEAD_BYTES])
@pytest.mark.parametrize("encoding", ["utf-8", "cp932", "euc_jp"])
def test_what_comes_first_may_be_ascii_for_long(write, at, encoding):
    path = write(b"a" * at + "これは猫です。".encode(encoding))
    assert encodings.encoding_of(path).name == encoding


def test_a_sample_may_end_inside_a_character(write):
    path = write(("あ" * files.HEAD_BYTES).encode())
    assert encodings.encoding_of(path).name == "utf-8"


def test_one_damaged_line_does_not_make_a_file_another_encoding(write):
    good = lines(chat()).encode()
    path = write(good + good.replace("猫".encode(), b"\x94L") + good)
    error = refused(path)
    assert "line 2: the bytes are not UTF-8 (byte 0x94" in error.problem


def test_a_damaged_line_in_cp932_is_named(write):
    good = lines(chat("これは猫です。")).encode("cp932")
    path = write(good * 2 + good.replace("猫".encode("cp932"), b"\x94\x20") + good)
    loaded = read(path, on_bad_row="skip", encoding="cp932")
    assert (loaded.rows_read, loaded.dropped) == (4, {"not_decodable": 1})
    assert "line 3: the bytes are not cp932" in refused(path, encoding="cp932").problem


def test_a_file_that_breaks_off_in_utf16_names_its_line(write):
    raw = lines(chat(), chat()).encode("utf-16")[:-3]
    assert "line 2 holds bytes that are not UTF-16" in refused(write(raw)).problem


def test_an_encoding_can_be_named(write):
    path = write(lines({"prompt": "ü", "completion": "ä"}).encode("latin-1"))
    assert turns(read(path, encoding="latin-1"))[1] == ("assistant", "ä")
    assert read(path, encoding="latin-1").findings == []
    assert "no encoding klingon" in refused(path, encoding="klingon").problem


def test_shift_jis_means_what_windows_writes(write):
    path = write(lines(chat("①髙﨑～")).encode("cp932"))
    assert turns(read(path, encoding="shift_jis"))[1] == ("assistant", "①髙﨑～")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp932", "euc_jp"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_encoding_with_every_line_end(write, encoding, end):
    text = lines(chat("これは猫です。"), chat("それも猫です。")).replace("\n", end)
    loaded = read(write(text.encode(encoding)))
    assert [example.origin for example in loaded.examples] == ["rows.jsonl:1", "rows.jsonl:2"]
    assert turns(loaded, 1)[1] == ("assistant", "それも猫です。")


# Containers


def array_of(count):
    return (
        "[\n"
        + ",\n".join(json.dumps(chat(f"答{at}"), ensure_ascii=False) for at in range(count))
        + "\n]"
    )


@pytest.mark.parametrize("size", [7, 64, 1000])
def test_a_document_is_read_by_the_piece(write, monkeypatch, size):
    monkeypatch.setattr(files, "CHUNK_BYTES", size)
    loaded = read(write(array_of(50).replace("\n", "\r\n"), "rows.json"))
    assert [turns(loaded, at)[1][1] for at in range(50)] == [f"答{at}" for at in range(50)]
    assert [example.origin for example in loaded.examples][::49] == ["rows.json:2", "rows.json:51"]


@pytest.mark.parametrize("size", [7, 100, 10_000])
def test_a_fault_far_into_a_document_has_its_line_and_column(write, monkeypatch, size):
    monkeypatch.setattr(files, "CHUNK_BYTES", size)
    text = array_of(30)[:-2] + ',\n  {"messages": None}]'
    error = refused(write(text, "rows.json"))
    assert "line 32: column 16 has Python's None" in error.problem


@pytest.mark.parametrize("size", [9, 10_000])
def test_the_column_counts_from_the_start_of_a_long_line(write, monkeypatch, size):
    monkeypatch.setattr(files, "CHUNK_BYTES", size)
    text = "[" + ", ".join([json.dumps(chat())] * 9)
    error = refused(write(text + " {}]", "rows.json"))
    assert f"line 1: column {len(text) + 2}: a comma is missing" in error.problem


def wrapped(*lists):
    parts = [f'"{name}": {json.dumps(value, ensure_ascii=False)}' for name, value in lists]
    return "{" + ",\n ".join(parts) + "}"


def test_a_large_object_is_read_by_its_one_list(write, monkeypatch):
    monkeypatch.setattr(documents, "LONGEST_LINE", 400)
    monkeypatch.setattr(files, "CHUNK_BYTES", 100)
    text = wrapped(("version", 1), ("tags", ["a"]), ("data", [chat()] * 20), ("end", {"a": 1}))
    loaded = read(write(text, "rows.json"))
    assert (loaded.rows_read, len(loaded.examples)) == (20, 20)


def test_a_large_object_with_two_lists_is_refused(write, monkeypatch):
    monkeypatch.setattr(documents, "LONGEST_LINE", 400)
    monkeypatch.setattr(files, "CHUNK_BYTES", 100)
    text = wrapped(("train", [chat()] * 20), ("test", [chat()]))
    assert "a second list of objects" in refused(write(text, "rows.json")).problem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": [{"b": 1}] "c": 1}', "comma is missing"),
        ('{"a": [{"b": 1}], "c" 1}', "not valid JSON|comma is missing"),
        ('{"a": [{"b": 1}], "c"', "breaks off"),
    ],
)
def test_a_large_object_that_is_broken_is_refused(write, monkeypatch, text, said):
    monkeypatch.setattr(documents, "LONGEST_LINE", 4)
    monkeypatch.setattr(files, "CHUNK_BYTES", 6)
    error = refused(write(text, "rows.json"), on_bad_row="skip", format="text")
    assert pytest.approx(1) == len([part for part in said.split("|") if part in error.problem])


def test_rows_come_in_pieces_of_about_a_mebibyte(write, monkeypatch):
    monkeypatch.setattr(rows, "CHUNK_BYTES", 300)
    path = write(array_of(40), "rows.json")
    opened = rows.open_rows(path, encoding=None, mapping=parse_mapping([]), as_text=False)
    sizes = [len(piece) for piece in opened.pieces]
    assert sum(sizes) == 40
    assert max(sizes) < 6  # a row has about 90 characters


def test_content_decides_where_the_name_says_nothing(write):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    assert read(write(lines(chat()), "stdin")).rows_read == 1
    assert read(write(array_of(2), "stdin")).rows_read == 2
    assert read(write("question,answer\n問,答\n", "stdin")).format == "question_answer"
    assert read(write("question\tanswer\n問\t答\n", "stdin")).format == "question_answer"
    path = write(b"", "stdin")
    parquet.write_table(pyarrow.Table.from_pylist([chat()]), path)
    assert read(path).rows_read == 1
    assert "--format text" in refused(write(PASSAGE, "stdin")).remedy


def test_a_null_column_of_parquet_is_no_column(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    mixed = [{"text": "文", "system": None}, {"text": "章", "system": "x"}]
    parquet.write_table(pyarrow.Table.from_pylist(mixed), tmp_path / "a.parquet")
    assert [example.text for example in read(tmp_path / "a.parquet").examples] == ["文", "章"]


# Plain text


def test_passages_stand_between_blank_lines(write):
    loaded = read(write(f"{PASSAGE}\r\n\r\n　\n{PASSAGE}二\n", "novel.txt"))
    assert [example.text for example in loaded.examples] == [PASSAGE, PASSAGE + "二"]
    assert [example.origin for example in loaded.examples] == ["novel.txt:1", "novel.txt:5"]
    assert loaded.format == "text"


def test_text_may_begin_with_a_bracket_or_a_quote(write):
    for text in ("[1] 参照。", '"引用"から。', "{括弧}から。"):
        assert read(write(text, "a.txt")).examples[0].text == text


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz"])
def test_rows_named_txt_are_rows(write, name):
    def packed(text):
        return gzip.compress(text.encode()) if name.endswith("gz") else text

    assert read(write(packed(lines(chat())), name)).format == "messages"
    assert read(write(packed(array_of(2)), name)).rows_read == 2
    assert read(write(packed("question\tanswer\n問\t答\n"), name)).format == "question_answer"


def test_any_text_is_read_where_that_is_asked(write):
    assert read(write(PASSAGE, "a.md"), format="text").examples[0].text == PASSAGE


def test_a_damaged_line_of_text_is_named(write):
    path = write(PASSAGE.encode() + b"\n\n\xff\xff\n")
    path = path.rename(path.with_suffix(".txt"))
    assert "line 4: the bytes are not UTF-8" in refused(path).problem


def test_a_passage_without_end_is_refused(write, monkeypatch):
    from jlora_cli.dataset import passages

    monkeypatch.setattr(passages, "LONGEST_LINE", 30)
    assert "line 1: a passage" in refused(write(PASSAGE * 3, "a.txt")).problem


AOZORA = """夢十夜
夏目漱石

-------------------------------------------------------
【テキスト中に現れる記号について】

《》：ルビ
-------------------------------------------------------

［＃５字下げ］第一夜［＃「第一夜」は中見出し］
　こんな夢を見た。
　腕組をして枕元に坐《すわ》っていると、この際｜唯一《ゆいいつ》の手段。
［＃ここから２字下げ］
静かな声で※［＃小書き片仮名マ、695-8］もう死にますと云う。

底本：「夏目漱石全集10」ちくま文庫
入力：野口英司
"""


def test_the_notation_of_aozora_bunko_is_taken_away(write):
    loaded = read(write(AOZORA.replace("\n", "\r\n").encode("cp932"), "768_ruby.txt"))
    assert [example.text for example in loaded.examples] == [
        "夢十夜\n夏目漱石",
        "第一夜\n　こんな夢を見た。\n　腕組をして枕元に坐っていると、この際唯一の手段。\n"
        "静かな声で※もう死にますと云う。",
    ]
    assert [found.id for found in loaded.findings] == ["data.encoding_guessed", "data.aozora"]


def test_brackets_of_ordinary_text_stay(write):
    assert read(write("彼は《本》を読む。", "a.txt")).examples[0].text == "彼は《本》を読む。"


def test_a_folder_of_texts_is_read_and_a_licence_beside_rows_is_not(write, tmp_path):
    write(PASSAGE, "b.txt")
    write(PASSAGE, "a.txt")
    assert [e.origin for e in read(tmp_path).examples] == ["a.txt:1", "b.txt:1"]
    write(lines(chat()), "rows.jsonl")
    assert [e.origin for e in read(tmp_path).examples] == ["rows.jsonl:1"]


def test_a_folder_may_hold_a_file_of_faulty_rows_where_they_are_skipped(write, tmp_path):
    write(lines(chat(" ")), "a.jsonl")
    write(lines(chat()), "b.jsonl")
    assert "a.jsonl line 1" in refused(tmp_path).problem
    assert read(tmp_path, on_bad_row="skip").dropped == {"empty_answer": 1}
    write(lines(chat(" ")), "b.jsonl")
    assert "a.jsonl line 1" in refused(tmp_path, on_bad_row="skip").problem


# Names that a file uses


def test_columns_are_mapped(write):
    path = write(lines({"設問": "問", "解説": "答", "補足": "足"}))
    assert read(path, "question=設問", "answer=解説").format == "question_answer"
    loaded = read(path, "instruction=設問", "input=補足", "output=解説")
    assert turns(loaded) == [("user", "問\n\n足"), ("assistant", "答")]
    assert loaded.format == "alpaca"


def test_a_mapped_name_decides_between_formats(write):
    path = write(lines({"instruction": "問", "output": "答", "body": "文章"}))
    assert read(path).format == "alpaca"
    assert read(path, "text=body").examples[0].text == "文章"


def test_columns_of_a_table_without_header_are_numbered(write):
    path = write("問一,あ,い,B\n問二,あ,い,18\n", "a.csv")
    error = refused(path)
    assert "1 = 問一 | 2 = あ | 3 = い | 4 = B" in error.problem
    assert "--map question=1 --map answer=4" in error.remedy
    loaded = read(path, "question=1", "answer=4")
    assert turns(loaded, 1) == [("user", "問二"), ("assistant", "18")]
    assert loaded.examples[0].origin == "a.csv:1"


def test_a_column_that_is_not_there_is_named(write):
    error = refused(write("a,b\n1,2\n", "a.csv"), "question=a", "answer=c")
    assert 'no column "c" (a | b)' in error.problem
    error = refused(write(lines({"a": "1", "b": "2"}, {"a": "1"})), "question=a", "answer=b")
    assert 'line 2: no "b", which --map names for answer' in error.problem


@pytest.mark.parametrize("word", ["answer", "=b", "answer=", "nonsense=b", "\x1b[31m=b"])
def test_a_mapping_that_says_nothing_is_refused(word):
    with pytest.raises(JloraError) as caught:
        parse_mapping([word])
    assert "is not NAME=FIELD" in caught.value.problem
    assert "\x1b" not in caught.value.problem
    assert "instruction" in caught.value.remedy


TALK = {
    "utterances": [
        {"name": "客", "text": "すみません"},
        {"name": "客", "text": "猫はいますか"},
        {"name": "店員", "text": "はい"},
        {"name": "店員", "text": "います"},
        {"name": "客", "text": "どうも"},
    ]
}
TALKING = ("messages=utterances", "role=name", "content=text")


def test_a_dialogue_is_told_by_its_speakers(write):
    loaded = read(write(lines(TALK)), *TALKING, "user=客", "assistant=店員")
    assert turns(loaded) == [("user", "すみません\n猫はいますか"), ("assistant", "はい\nいます")]
    assert loaded.format == "dialogue"
    (found,) = loaded.findings
    assert (found.id, "3 turns were joined" in found.evidence) == ("data.repaired", True)


def test_anyone_else_is_a_star(write):
    loaded = read(write(lines(TALK)), *TALKING, "user=*", "assistant=店員")
    assert [role for role, _ in turns(loaded)] == ["user", "assistant"]


def test_a_speaker_who_was_not_named_is_a_fault(write):
    error = refused(write(lines(TALK)), *TALKING, "assistant=店員")
    assert "unknown role: 客" in error.problem
    assert "--map user=NAME" in error.remedy


def test_only_the_speakers_may_have_other_names(write):
    row = {"messages": [{"role": "客", "content": "問"}, {"role": "店員", "content": "答"}]}
    assert turns(read(write(lines(row)), "user=客", "assistant=店員"))[0] == ("user", "問")


def test_a_system_speaker_is_one_in_a_dialogue_and_a_column_elsewhere(write):
    told = {"utterances": [{"name": "説明", "text": "設定"}, *TALK["utterances"]]}
    loaded = read(write(lines(told)), *TALKING, "user=客", "assistant=店員", "system=説明")
    assert turns(loaded)[0] == ("system", "設定")
    loaded = read(
        write(lines({"q": "問", "a": "答", "s": "設定"})), "question=q", "answer=a", "system=s"
    )
    assert turns(loaded)[0] == ("system", "設定")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (TALK, " ".join(f"--map {w}" for w in (*TALKING, "user=客", "assistant=店員"))),
        (
            {"log": [{"who": "a b", "said": "長い発言です"}, {"who": "bot", "said": "はい"}]},
            "--map messages=log --map role=who --map content=said"
            ' --map "user=a b" --map assistant=bot',
        ),
        ({"prompt": "問", "id": "3", "model_answer": "答"}, "--map completion=model_answer"),
        ({"question": "問", "body": "答"}, "--map answer=COLUMN"),
        ({"turns": ["問"], "x": 1}, ""),
        ({"turns": [{"text": "一"}]}, ""),
    ],
)
def test_a_mapping_is_proposed_from_what_is_there(row, words):
    assert propose(row) == words


def test_samples_are_short_and_few():
    record = {f"列{at}": "あ" * 99 for at in range(20)} | {"列0": [1]}
    shown = samples(record).split("\n")
    assert shown[:2] == ["  列0 = [1]", "  列1 = " + "あ" * 40 + "…"]
    assert (len(shown), shown[-1]) == (13, "  …")


def test_rows_of_unknown_columns_are_not_all_read(write):
    path = write(lines(*[{"あ": str(at)} for at in range(5000)]))
    assert "line 1: these columns" in refused(path, on_bad_row="skip").problem


def test_a_stray_first_row_is_skipped(write):
    loaded = read(write(lines({"license": "MIT"}, chat())), on_bad_row="skip")
    assert (loaded.format, loaded.dropped) == ("messages", {"unknown_columns": 1})


# Tools, and content in parts


CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
RESULT = {"role": "tool", "content": "晴れ"}


def test_turns_of_tools_are_left_out_and_counted(write):
    user, assistant = chat("晴れです")["messages"]
    loaded = read(write(lines({"messages": [user, CALL, RESULT, assistant]}, chat())))
    assert turns(loaded) == [("user", "猫は？"), ("assistant", "晴れです")]
    (found,) = loaded.findings
    assert found.evidence.endswith("2 turns of tools were left out.")


def test_a_row_of_nothing_but_tools_is_a_fault(write):
    error = refused(write(lines(chat(), {"messages": [chat()["messages"][0], CALL, RESULT]})))
    assert "line 2: nothing that can be trained is left" in error.problem


def test_the_developer_is_the_system(write):
    row = {"messages": [{"role": "developer", "content": "丁寧に"}, *chat()["messages"]]}
    assert turns(read(write(lines(row))))[0] == ("system", "丁寧に")


def test_content_in_parts_is_joined_in_every_format(write):
    part = [{"type": "text", "text": "ね"}, {"type": "text", "text": "こ"}]
    loaded = read(write(lines({"instruction": part, "input": part, "output": part})))
    assert turns(loaded) == [("user", "ねこ\n\nねこ"), ("assistant", "ねこ")]
    picture = [{"type": "image_url", "image_url": {"url": "http://x/y.png"}}]
    error = refused(write(lines({"prompt": picture, "completion": "猫"})))
    assert "a part of the type image_url" in error.problem


def test_the_evidence_of_a_format_is_its_columns(write):
    from jlora_cli.dataset import FileReading, Sieve, rows_in

    path = write(lines({"id": 1, "質問": "問", "回答": "答"}))
    reading = FileReading.of(path, Asked())
    sieve = Sieve("x", Asked(), reading.tally)
    for piece in reading.opened.pieces:
        list(sieve.sifted(rows_in(piece)))
    assert (reading.format, reading.tally.evidence) == ("question_answer", "質問, 回答")


# Canonical lines

texts = st.text(st.characters(exclude_categories=["Cs"]))
chats = st.lists(
    st.builds(Message, st.sampled_from(["system", "user", "assistant"]), texts), min_size=1
)
examples = st.one_of(
    st.builds(Example, text=texts), st.builds(Example, chats.map(tuple), input=texts)
)


@given(examples)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine
def test_a_line_is_what_json_writes_and_comes_back(example):
    line = example.as_line()
    assert line == json.dumps(example.as_record(), ensure_ascii=False)
    assert example_of(line) == example


def test_a_line_of_odd_characters_comes_back():
    example = Example((Message("user", ODD + '\\"\u2028\x7f'), Message("assistant", ODD)))
    assert example_of(example.as_line().encode(), "") == example
