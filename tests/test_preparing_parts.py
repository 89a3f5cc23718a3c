"""The parts of `prepare`: what is drawn, split and dropped, other processes, and the folder."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import subprocess
import sys
import time
import unicodedata
from array import array
from pathlib import Path

import pytest

from jlora_cli import preparing
from jlora_cli import processes as processes_
from jlora_cli.dataset import Asked, Example, Message, folded, parse_mapping
from jlora_cli.dataset.sifting import key_of
from jlora_cli.errors import JloraError
from jlora_cli.preparing import Audit, Rules, choosing, counting, gathering, load_data, prepare
from jlora_cli.preparing.choosing import DROPPED, TRAIN, VALIDATION
from jlora_cli.preparing.command import skip_command
from jlora_cli.preparing.sources import name_of
from jlora_cli.processes import Processes

REPOSITORY = Path(__file__).parents[1]


def chat(number):
    turns = [
        {"role": "user", "content": f"問{number} 髙﨑𠮷は？"},
        {"role": "assistant", "content": f"答{number}にゃ"},
    ]
    return {"messages": turns}


def lines(*rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


@pytest.fixture
def write(tmp_path):
    def write_one(rows, name="rows.jsonl"):
        path = tmp_path / name
        path.write_text(lines(*rows), encoding="utf-8")
        return str(path)

    return write_one


@pytest.fixture
def output(tmp_path):
    return tmp_path / "out"


def refused(*sources, **options):
    with pytest.raises(JloraError) as caught:
        prepare(list(sources), **options)
    return caught.value


def rows_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


# What makes two rows the same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ｶﾞ Ａ１！", "ガ A1!"),
        ("が", "か\u3099"),
        ("二行\n目", "二行 目"),
        ("二行\u3000\u2028目 ", " 二行\t目"),
        ("①㍻𠮷髙🐈", "1平成𠮷髙🐈"),
    ],
)
def test_width_and_white_space_make_no_other_row(one, other):
    rows = [Example((Message("user", text), Message("assistant", "答"))) for text in (one, other)]
    assert folded(rows[0]) == folded(rows[1])
    assert key_of(rows[0]) == key_of(rows[1])


def test_folding_is_nfkc_and_white_space():
    every = [chr(code) for code in range(0x20, 0x30000) if not 0xD800 <= code < 0xE000]
    for start in range(0, len(every), 50):
        text = "".join(every[start : start + 50]) + "か\u3099ｶﾞ"
        assert folded(Example(text=text)) == " ".join(unicodedata.normalize("NFKC", text).split())


def test_the_seams_of_a_row_count():
    one = Example((Message("user", "a b"), Message("assistant", "c")))
    other = Example((Message("user", "a"), Message("assistant", "b c")))
    assert key_of(one) != key_of(other)
    assert key_of(Example(text="c")) != key_of(Example((Message("assistant", "c"),)))


# Choosing


def test_repeats_are_found_part_by_part(monkeypatch):
    keys = array("Q", [7, 8, 7, 2**64 - 1, 8, 2**64 - 1, 9])
    assert list(choosing.repeated(keys)) == [0, 0, 1, 0, 1, 1, 0]
    monkeypatch.setattr(choosing, "KEYS_AT_ONCE", 2)
    assert list(choosing.repeated(keys)) == [0, 0, 1, 0, 1, 1, 0]


def test_a_sample_keeps_the_order_of_the_rows(write, output):
    made = prepare([write(map(chat, range(50)))], output=output, rules=Rules(sample=10))
    numbers = [int(row["messages"][1]["content"][1:-2]) for row in rows_of(output / "train.jsonl")]
    assert (made.train_rows, made.dropped) == (10, {"not_drawn": 40})
    assert numbers == sorted(numbers)
    assert numbers != list(range(10))


def test_a_sample_of_more_than_there_is_is_everything(write, output):
    made = prepare([write(map(chat, range(3)))], output=output, rules=Rules(sample=10))
    assert (made.train_rows, made.dropped) == (3, {})


def test_a_sample_is_drawn_by_what_rows_say(write, tmp_path):
    rows = [chat(number) for number in range(200)]
    for name, given in (("a", rows), ("b", rows[::-1])):
        prepare([write(given)], output=tmp_path / name, rules=Rules(sample=20))
    drawn = [{json.dumps(row) for row in rows_of(tmp_path / name / "train.jsonl")} for name in "ab"]
    assert drawn[0] == drawn[1]


def test_the_order_is_shuffled_by_the_seed(write, tmp_path):
    rows = [chat(number) for number in range(50)]
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        rules = Rules(shuffle=True, seed=seed, validation="0.2")
        prepare([write(rows)], output=tmp_path / name, rules=rules)
    a, b, c = (rows_of(tmp_path / name / "train.jsonl") for name in "abc")
    assert a == b != c
    assert sorted(map(json.dumps, a)) != list(map(json.dumps, a))
    assert all(row in rows for row in a)


@pytest.mark.parametrize("limit", [1, 5, 6, 7, 12])
def test_a_limit_reads_no_further(write, output, limit):
    first = write([chat(at) if at != 2 else {"messages": 3} for at in range(7)])
    second = write([*map(chat, range(10, 20)), {"messages": 3}], "b.jsonl")
    rules = Rules(limit=limit, on_bad_row="skip")
    made = prepare([first, second], output=output, rules=rules)
    assert made.train_rows == limit
    assert made.rows_read == limit + (1 if limit > 2 else 0)
    assert len(rows_of(output / "train.jsonl")) == limit


def test_a_limit_leaves_faults_beyond_it_alone(write, output):
    source = write([chat(1), chat(2), {"messages": 3}])
    assert prepare([source], output=output, rules=Rules(limit=2)).rows_read == 2


@pytest.mark.parametrize("count", [1, 2])
def test_a_limit_holds_in_the_middle_of_many_pieces(write, output, monkeypatch, count):
    monkeypatch.setattr(gathering, "LARGE_BYTES", 0)
    monkeypatch.setattr("jlora_cli.dataset.files.CHUNK_BYTES", 400)
    source = write(map(chat, range(200)))
    made = prepare([source], output=output, rules=Rules(limit=77), processes=count)
    assert (made.rows_read, made.train_rows) == (77, 77)
    assert rows_of(output / "train.jsonl") == [chat(number) for number in range(77)]


def test_a_table_that_cannot_be_read_to_its_end_is_refused(output, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('question,answer\nあ,い\n"あ,い\n', encoding="utf-8")
    error = refused(str(path), output=output, rules=Rules(on_bad_row="skip"))
    assert "line 3: a quote opened here is never closed" in error.problem
    assert not output.exists()


def test_a_folder_where_every_row_is_at_fault_says_why(write, output, tmp_path):
    for name in ("data/a.jsonl", "data/b.jsonl"):
        (tmp_path / "data").mkdir(exist_ok=True)
        write([{"messages": 1}], name)
    rules = Rules(on_bad_row="skip")
    error = refused(str(tmp_path / "data"), output=output, rules=rules)
    assert "a.jsonl line 1" in error.problem
    write([chat(1)], "data/b.jsonl")
    made = prepare([str(tmp_path / "data")], output=output, rules=rules)
    assert (made.rows_read, made.dropped) == (2, {"no_messages": 1})


def test_columns_of_no_format_are_refused_by_prepare_too(write, output):
    error = refused(write([{"あ": "い"}] * 300), output=output, rules=Rules(on_bad_row="skip"))
    assert "  あ = い\n" in error.problem


def test_near_duplicates_of_nothing_are_none(tmp_path):
    pytest.importorskip("rensa")
    from jlora_cli.preparing import near
    from jlora_cli.preparing.gathering import Spool

    spool = Spool(tmp_path / "rows")
    spool.path.touch()
    assert near.drop_near(spool, bytearray(), Processes(1)) == 0


def test_rows_that_differ_in_width_stand_on_one_side(write, output):
    rows = [chat(number) for number in range(60)]
    wide = [json.loads(json.dumps(row).replace('"role"', '"role" ')) for row in rows]
    for row in wide:
        row["messages"][0]["content"] = row["messages"][0]["content"].replace(" ", "\u3000")
    prepare([write([*rows, *wide])], output=output, rules=Rules(validation="0.3"))
    sides = [
        {row["messages"][0]["content"].replace("\u3000", " ") for row in rows_of(output / name)}
        for name in ("train.jsonl", "validation.jsonl")
    ]
    assert not sides[0] & sides[1]


def test_both_sides_get_a_row_even_of_two():
    for share in (1e-9, 1 - 1e-9):
        fates = bytearray(2)
        choosing.set_aside(fates, array("Q", [5, 6]), share, 0)
        assert sorted(fates) == [TRAIN, VALIDATION]


def test_what_was_dropped_is_not_set_aside():
    fates = bytearray([TRAIN, DROPPED, TRAIN, TRAIN])
    choosing.set_aside(fates, array("Q", [1, 2, 3, 4]), 0.5, 0)
    assert fates[1] == DROPPED


# Other processes


def test_the_bytes_are_the_same_whatever_the_processes(write, tmp_path, monkeypatch):
    monkeypatch.setattr(gathering, "LARGE_BYTES", 0)
    monkeypatch.setattr("jlora_cli.dataset.files.CHUNK_BYTES", 5000)
    rows = [chat(number) if number % 50 else {"messages": number} for number in range(1000)]
    source = write(rows)
    for name, count in (("a", 1), ("b", 2)):
        rules = Rules(on_bad_row="skip", validation="0.1", shuffle=True)
        made = prepare([source], output=tmp_path / name, rules=rules, processes=count)
        assert (made.rows_read, made.dropped) == (1000, {"no_messages": 20})
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_faults_are_in_order_whatever_the_processes(write, output, monkeypatch):
    monkeypatch.setattr(gathering, "LARGE_BYTES", 0)
    monkeypatch.setattr("jlora_cli.dataset.files.CHUNK_BYTES", 300)
    rows = [chat(number) if number % 10 else {"messages": number} for number in range(1, 200)]
    error = refused(write(rows), output=output, processes=2)
    assert "has 19 rows" in error.problem
    named = [int(line.split()[1][:-1]) for line in error.problem.split("\n")[1:-1]]
    assert named == [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]


def test_an_error_of_the_pieces_comes_after_their_results():
    def pieces():
        yield from (1, 2, 3)
        raise JloraError("x", remedy="y")

    seen = []
    with Processes(2) as workers, pytest.raises(JloraError):
        seen.extend(workers.in_order(str, pieces(), large=True))
    assert seen == [(1, "1"), (2, "2"), (3, "3")]


def test_a_worker_that_was_killed_is_told():
    with Processes(2) as workers, pytest.raises(JloraError) as caught:
        list(workers.in_order(os._exit, iter([1, 1]), large=True))
    assert "want of memory" in caught.value.problem


def test_a_worker_speaks_the_language_of_its_parent(monkeypatch):
    from jlora_cli import messages

    monkeypatch.setattr(processes_.signal, "signal", lambda *_: None)
    monkeypatch.setattr(processes_, "_end_with_parent", lambda: None)
    processes_.begin_worker("ja")
    assert messages.language() == "ja"


def test_cores_are_counted(monkeypatch):
    assert processes_.core_count() >= 1
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processes_.core_count() == 1


# Signals


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(("number", "left"), [("SIGINT", 0), ("SIGTERM", 0), ("SIGKILL", 1)])
def test_an_ended_prepare_leaves_nothing_that_looks_finished(tmp_path, number, left):
    place = tmp_path / "made"
    place.mkdir()
    words = [sys.executable, "-m", "jlora_cli", "prepare", "-", "--output", str(place / "out")]
    with subprocess.Popen(
        words, cwd=REPOSITORY, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        while not list(place.iterdir()):  # it waits for standard input now
            time.sleep(0.02)
        child.send_signal(getattr(signal, number))
        code = child.wait(timeout=60)
    assert code == {"SIGINT": 130, "SIGTERM": 143, "SIGKILL": -9}[number]
    kept = [path.name for path in place.iterdir()]
    assert len(kept) == left
    assert all(name.startswith(".out.partial-") for name in kept)
    assert not list(place.rglob("dataset.json"))


# Sources


class Stdin:
    def __init__(self, data):
        self.buffer = io.BytesIO(data)


def test_standard_input_is_a_source(output, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Stdin(gzip.compress(lines(chat(1), chat(2)).encode())))
    made = prepare(["-"], output=output)
    assert made.rows_read == 2
    manifest = json.loads((output / "dataset.json").read_text(encoding="utf-8"))
    assert [source["source"] for source in manifest["sources"]] == ["-"]


def test_a_fault_of_standard_input_says_how_to_skip_it(output, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Stdin(lines(chat(1), chat(2), {"messages": 1}).encode()))
    error = refused("-", output=output, rules=Rules(validation="0.5", seed=3))
    assert error.problem.startswith("- line 3: ")
    assert error.remedy.endswith(
        f"jlora prepare - --output {output} --validation 0.5 --seed 3 --on-bad-row skip"
    )


def test_only_prepare_reads_standard_input():
    with pytest.raises(JloraError) as caught:
        load_data("-")
    assert "only jlora prepare" in caught.value.problem


def test_rows_of_a_hub_say_how_to_skip_them(write, output, monkeypatch):
    path = Path(write([chat(1), {"messages": 1}]))
    monkeypatch.setattr("jlora_cli.preparing.sources.load_hub_rows", lambda source: [path])
    error = refused("org/rows", output=output)
    assert f"jlora prepare org/rows --output {output} --on-bad-row skip" in error.remedy
    made = prepare(["org/rows"], output=output, rules=Rules(on_bad_row="skip"))
    assert made.rows_kept == 1
    manifest = json.loads((output / "dataset.json").read_text(encoding="utf-8"))
    assert manifest["sources"][0]["source"] == "org/rows"


def test_faults_of_a_file_of_ones_own_name_the_whole_command(write, output):
    error = refused(write([{"messages": 1}, chat(1), {"messages": []}]), output=output)
    assert error.remedy.endswith(f"--output {output} --on-bad-row skip")
    error = refused(write([{"messages": 1}, chat(1)]), output=output)
    assert "--on-bad-row" not in error.remedy  # one row is mended sooner


def test_the_command_to_skip_with_is_complete():
    rules = Rules(
        format="dialogue",
        mapping=parse_mapping(["messages=発話 欄", "role=name", "user=*"]),
        encoding="cp932",
        dedupe="near",
        validation="0.1",
        shuffle=True,
        limit=9,
        sample=8,
        parquet=True,
        seed=7,
    )
    audit = Audit("org/m", "alpaca-ja", 64, stock_parity=True)
    assert skip_command(["a b", "-"], Path("out"), rules, audit) == (
        "jlora prepare 'a b' - --output out --format dialogue --encoding cp932 --validation 0.1"
        " --limit 9 --sample 8 --seed 7 --map 'messages=発話 欄' --map role=name --map 'user=*'"
        " --dedupe near --shuffle --parquet --model org/m --template alpaca-ja --max-length 64"
        " --stock-parity --on-bad-row skip"
    )
    plain = skip_command(["a"], Path("out"), Rules(dedupe="exact"), Audit("m"))
    assert plain == "jlora prepare a --output out --dedupe --model m --on-bad-row skip"


def test_a_record_knows_no_path_of_the_machine(write, tmp_path):
    source = write([chat(1), chat(2)])
    validation = write([chat(3)], "held.jsonl")
    prepare([source], output=tmp_path / "a", rules=Rules(validation=validation))
    text = (tmp_path / "a/dataset.json").read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    assert json.loads(text)["decisions"]["validation"] == "held.jsonl"
    assert (name_of("demo"), name_of("org/x"), name_of("./a/b.jsonl")) == (
        "demo",
        "org/x",
        "b.jsonl",
    )


def test_the_same_data_elsewhere_give_the_same_bytes(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "rows.jsonl").write_text(lines(chat(1)), encoding="utf-8")
        prepare([str(tmp_path / name / "rows.jsonl")], output=tmp_path / f"out-{name}")
    a, b = ((tmp_path / f"out-{name}/dataset.json").read_bytes() for name in "ab")
    assert a == b


def test_roles_are_counted(write, output):
    made = prepare(
        [write([chat(1), {"text": "文章"}])[:]], output=output, rules=Rules(on_bad_row="skip")
    )
    assert made.roles == {
        "assistant": {"turns": 1, "characters": 4},
        "user": {"turns": 1, "characters": 8},
    }
    assert made.dropped == {"other_format": 1}


# Writing


def test_parquet_is_written_beside_the_lines(write, output):
    pytest.importorskip("pyarrow")
    rows = [*map(chat, range(5)), chat(9) | {"input": "は？"}]
    rows[-1]["messages"][0]["content"] = "問\n\nは？"
    made = prepare([write(rows)], output=output, rules=Rules(parquet=True, validation="0.5"))
    assert sorted(path.name for path in output.iterdir()) == [
        "dataset.json", "train.jsonl", "train.parquet", "validation.jsonl", "validation.parquet",
    ]  # fmt: skip
    for side in ("train", "validation"):
        written = load_data(str(output / f"{side}.parquet")).examples
        assert [example.as_record() for example in written] == rows_of(output / f"{side}.jsonl")
    manifest = json.loads((output / "dataset.json").read_text(encoding="utf-8"))
    assert set(manifest["files"]) == {path.name for path in output.iterdir()} - {"dataset.json"}
    assert made.rows_kept == 6


def test_parquet_of_texts_has_no_other_column(write, output):
    parquet = pytest.importorskip("pyarrow.parquet")
    prepare([write([{"text": "文"}])], output=output, rules=Rules(parquet=True))
    assert parquet.read_schema(output / "train.parquet").names == ["text"]


def test_parquet_needs_pyarrow(write, output, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    error = refused(write([chat(1)]), output=output, rules=Rules(parquet=True))
    assert "pip install pyarrow" in error.remedy
    assert not output.exists()


def test_a_bad_validation_source_leaves_no_folders(write, tmp_path):
    place = tmp_path / "x" / "y" / "out"
    refused(write([chat(1)]), output=place, rules=Rules(validation="./none.jsonl"))
    assert not (tmp_path / "x").exists()
    prepare([write([chat(1)])], output=place)
    assert (place / "dataset.json").is_file()


# Tokens


def test_every_row_is_counted_and_some_are_audited(write, output, monkeypatch):
    monkeypatch.setattr(counting, "AUDITED_ROWS", 7)
    made = prepare([write(map(chat, range(40)))], output=output, audit=Audit("demo", max_length=9))
    tokens = made.tokens
    assert sum(each["rows"] for each in tokens["histogram"]) == 40
    assert (tokens["audited_rows"], tokens["round_trip_rows"]) == (7, 7)
    assert tokens["quantiles"]["p50"] <= tokens["quantiles"]["p90"] <= tokens["longest"]
    assert made.findings[0].evidence.startswith("40 rows are longer than --max-length 9")
    assert [origin for origin, _ in made.preview] == [
        "train.jsonl:1", "train.jsonl:18", "train.jsonl:35",
    ]  # fmt: skip
    trained = [text for _, runs in made.preview for text, is_trained in runs if is_trained]
    assert trained[0].startswith("答0にゃ")


def test_tokens_are_the_same_whatever_the_processes(write, tmp_path, monkeypatch):
    monkeypatch.setattr(counting, "LARGE_BYTES", 0)
    monkeypatch.setattr("jlora_cli.dataset.files.CHUNK_BYTES", 2000)
    source = write(map(chat, range(100)))
    one, two = (
        prepare([source], output=tmp_path / str(n), audit=Audit("demo"), processes=n).tokens
        for n in (1, 2)
    )
    assert one == two


def test_a_template_that_refuses_a_row_is_told(tmp_path, monkeypatch):
    def refuses(*_, **__):
        raise JloraError("problem", remedy="remedy")

    monkeypatch.setattr(
        counting, "_prompter", lambda *_: type("P", (), {"encode_examples": refuses})
    )
    path = tmp_path / "train.jsonl"
    path.write_text(lines(chat(1)), encoding="utf-8")
    blank = counting._Job(None, None, "none", "x")
    with pytest.raises(JloraError) as caught, Processes(1) as workers:
        counting._lengths(path, blank, workers)
    assert caught.value.remedy == "remedy"


def test_a_histogram_doubles_its_bins():
    from collections import Counter

    figures = counting._figures(Counter({17: 2, 64: 1, 70: 1}), 5)
    assert figures["histogram"] == [
        {"from": 17, "to": 32, "rows": 2},
        {"from": 33, "to": 64, "rows": 1},
        {"from": 65, "to": 128, "rows": 1},
    ]
    assert figures["quantiles"] == {"p50": 17, "p90": 70, "p99": 70}
    assert counting._figures(Counter(), 0)["mean"] == 0.0


# Rows that say nearly the same

STORY = (
    "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。何でも薄暗い所で泣いていた。"
)


def test_near_duplicates_fall_away(write, output, monkeypatch):
    pytest.importorskip("rensa")
    monkeypatch.setattr("jlora_cli.preparing.near.LARGE_ROWS", 10**9)
    rows = [
        {"text": STORY},
        {"text": "まったく別の文章です。"},
        {"text": STORY + "！"},
        {"text": "あ"},
    ]
    made = prepare([write(rows)], output=output, rules=Rules(dedupe="near"))
    assert made.dropped == {"near_duplicate": 1}
    assert [row["text"] for row in rows_of(output / "train.jsonl")] == [
        STORY, "まったく別の文章です。", "あ",
    ]  # fmt: skip
    assert sorted(path.name for path in output.iterdir()) == ["dataset.json", "train.jsonl"]


def test_near_duplicates_are_the_same_whatever_the_parts(write, tmp_path, monkeypatch):
    pytest.importorskip("rensa")
    rows = [{"text": f"{STORY}{'。' * (at % 3)}{at // 3}番目の話。" * 2} for at in range(60)]
    source = write(rows)
    prepare([source], output=tmp_path / "a", rules=Rules(dedupe="near"))
    monkeypatch.setattr("jlora_cli.preparing.near.KEYS_AT_ONCE", 20)
    prepare([source], output=tmp_path / "b", rules=Rules(dedupe="near"))
    assert (tmp_path / "a/train.jsonl").read_bytes() == (tmp_path / "b/train.jsonl").read_bytes()


def test_near_duplicates_need_a_library(write, output, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    error = refused(write([chat(1)]), output=output, rules=Rules(dedupe="near"))
    assert "jlora[dedupe]" in error.remedy


def test_reading_many_rows_is_not_heavy():
    code = (
        "import sys, jlora_cli.preparing; print({'torch', 'datasets', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert done.stdout.strip() == "set()"
    assert preparing.prepare is prepare
    assert Asked().editable
