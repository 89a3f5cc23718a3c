"""A source becomes encoded rows: the same ones by one process or several, once, by the piece."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jlora_cli.dataset import Example
from jlora_cli.encoding import Encoder, Wanted, encoder, fitting, pieces, source, spool, wholes
from jlora_cli.encoding.source import Source
from jlora_cli.encoding.spool import Spool
from jlora_cli.errors import JloraError
from jlora_cli.messages import use_language
from jlora_cli.preparing import load_data
from jlora_cli.processes import Processes
from jlora_cli.prompt import Prompter, choose_template, format_for, take_census
from jlora_cli.tokenizer import load_tokenizer
from tests.vocabularies import MODELS, train_pieces

ODD = "髙﨑さんと𠮷野家で🐈‍⬛が\nｶﾞｷﾞ\n\n<NL></s>"
CONTEXT, SHORT = 600, 250


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return load_tokenizer(
        train_pieces(tmp_path_factory.mktemp("base") / "nl", {}, **MODELS["neox-nl"])
    )


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("JLORA_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("JLORA_CACHE_GIB", raising=False)
    return tmp_path / "cache" / "rows"


@pytest.fixture
def many(monkeypatch):
    """Every piece is small and worth another process."""
    monkeypatch.setattr(spool, "PIECE_BYTES", 400)
    for room, name in (
        *((source, "LARGE_BYTES"), (wholes, "LARGE_BYTES")),
        *((fitting, "_LARGE_ROWS"), (fitting, "_LARGE_TOKENS")),
    ):
        monkeypatch.setattr(room, name, 1)
    monkeypatch.setattr(fitting, "_BATCH_ROWS", 3)
    monkeypatch.setattr(fitting, "_LONG_ROWS", 2)


def talk(number):
    """A row of one to three exchanges, some of them longer than the model's context."""
    turns = []
    for turn in range(1, 2 + number % 3):
        turns.append({"role": "user", "content": f"{ODD}{number}の{turn}は？"})
        answer = ("吾輩は猫である。" * (number % 5)) + f"{turn}にゃ\nｶﾞ"
        turns.append({"role": "assistant", "content": answer})
    return {"messages": turns}


TALKS = [talk(number) for number in range(40)]


@pytest.fixture
def write(tmp_path):
    def make(rows, name="行.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        (tmp_path / name).write_text("".join(lines), encoding="utf-8")
        return str(tmp_path / name)

    return make


def wanted(tokenizer, template="auto", train_on="all", model="猫/base"):
    return Wanted(tokenizer, model, template, train_on, CONTEXT)


def encoded(data, asked, *, held_out=None, max_length=SHORT, truncate="turns", processes=1):
    """The training rows, the held-out ones, what is told, and whether all came from the cache."""
    with Encoder(data, held_out, asked, processes) as made:
        made.encode()
        train, others = made.fit(max_length, truncate)
        return train, others, made.told, made.from_cache


def as_before(data, tokenizer, *, train_on="all", max_length=SHORT, truncate="turns"):
    """What encoding all rows at once gives."""
    examples = load_data(data).examples
    template = choose_template("auto", tokenizer, examples)
    prompter = Prompter(tokenizer, format_for(tokenizer, template, "猫/base"))
    how = {"max_length": max_length, "train_on": train_on, "truncate": truncate}
    return prompter.encode_examples(examples, **how), prompter.format


@pytest.mark.parametrize("truncate", ["turns", "cut", "drop"])
@pytest.mark.parametrize("train_on", ["all", "last"])
@pytest.mark.parametrize("max_length", [SHORT, 2000])
def test_the_rows_are_those_of_encoding_all_at_once(
    truncate, train_on, max_length, write, tokenizer
):
    data = write(TALKS)
    how = {"max_length": max_length, "truncate": truncate}
    train, others, told, _ = encoded(data, wanted(tokenizer, train_on=train_on), **how)
    expected, format = as_before(data, tokenizer, train_on=train_on, **how)
    made = train.rows
    assert made.rows == expected.rows
    assert (made.dropped, made.shortened, made.cut) == (
        *(expected.dropped, expected.shortened, expected.cut),
    )
    assert made.census == take_census(expected.rows, {format.eos_id, format.turn_end_id})
    assert list(made.rows.lengths) == [len(row.ids) for row in expected.rows]
    assert list(made.rows.supervised) == [row.supervised for row in expected.rows]
    assert list(made.rows.keys) == [row.key for row in expected.rows]
    assert (others.rows.rows, told.conversations) == ([], 40)
    # The last answer of a talk begins behind SHORT, so that nothing of it is left when it is cut.
    remade = {"turns": made.shortened, "cut": made.cut if train_on == "all" else 9}
    assert max_length != SHORT or remade.get(truncate, 9) > 5


def test_plain_text_is_cut_into_windows(write, tokenizer):
    data = write([{"text": f"{ODD}吾輩は猫である。{number}" * 9} for number in range(20)])
    train, _, told, _ = encoded(data, wanted(tokenizer))
    assert train.rows.rows == as_before(data, tokenizer)[0].rows
    assert train.rows.shortened == 20
    assert (told.conversations, told.prompts) == (0, [])


@pytest.mark.parametrize("train_on", ["all", "last"])
def test_several_processes_write_the_same_bytes(
    train_on, write, tokenizer, many, cache, monkeypatch
):
    data, held_out = write(TALKS), write(TALKS[:7], "検証.jsonl")
    asked = wanted(tokenizer, train_on=train_on)
    alone = encoded(data, asked, held_out=held_out)
    files = {path.name: path.read_bytes() for path in cache.iterdir()}
    assert len(files) == 4
    monkeypatch.setenv("JLORA_CACHE", str(cache.parent / "other"))
    together = encoded(data, asked, held_out=held_out, processes=2)
    other = cache.parent / "other" / "rows"
    assert {path.name: path.read_bytes() for path in other.iterdir()} == files
    assert together[0].fingerprint == alone[0].fingerprint
    assert together[1].rows.rows == alone[1].rows.rows
    assert together[3] is False


def test_rows_are_encoded_once(write, tokenizer, monkeypatch):
    data, held_out = write(TALKS), write(TALKS[:7], "検証.jsonl")
    first = encoded(data, wanted(tokenizer), held_out=held_out)
    monkeypatch.setattr(Source, "spool", None)
    monkeypatch.setattr(encoder, "make_whole", None)
    monkeypatch.setattr(encoder, "make_fitted", None)
    again = encoded(data, wanted(tokenizer), held_out=held_out)
    assert (first[3], again[3]) == (False, True)
    assert again[:3] == first[:3]
    assert again[2].prompts == [f"{ODD}{number}の1は？" for number in range(3)]


def test_another_length_encodes_only_what_does_not_fit(write, tokenizer, monkeypatch):
    data = write(TALKS)
    encoded(data, wanted(tokenizer))
    monkeypatch.setattr(encoder, "make_whole", None)
    train, _, _, from_cache = encoded(data, wanted(tokenizer), max_length=300)
    assert train.rows.rows == as_before(data, tokenizer, max_length=300)[0].rows
    assert from_cache is False


def test_whatever_changes_the_ids_encodes_anew(write, tokenizer, monkeypatch):
    data = write(TALKS)
    asked = wanted(tokenizer)
    encoded(data, asked)

    def is_known(data=data, asked=asked, **how):
        return encoded(data, asked, **how)[3]

    assert is_known()
    assert not is_known(truncate="cut")
    assert not is_known(asked=wanted(tokenizer, train_on="last"))
    assert not is_known(asked=wanted(tokenizer, template="none"))
    assert not is_known(asked=wanted(tokenizer, model="rinna/japanese-gpt2-small"))  # lower case
    assert not is_known(write(TALKS, "別.jsonl"))  # its name stands in the origins
    monkeypatch.setattr(tokenizer, "fingerprint", "another")
    assert not is_known()
    monkeypatch.undo()
    monkeypatch.setenv("JLORA_CACHE", str(Path(data).parent / "cache"))
    monkeypatch.setattr(encoder, "_version", lambda _: "9.9")
    assert not is_known()


def test_other_content_under_the_same_name_is_encoded_anew(write, tokenizer):
    encoded(write(TALKS), wanted(tokenizer))
    data = write([*TALKS[:39], talk(41)])
    train, *_, from_cache = encoded(data, wanted(tokenizer))
    assert from_cache is False
    assert train.rows.rows == as_before(data, tokenizer)[0].rows


def test_rows_that_change_while_they_are_read_are_not_kept(write, tokenizer, cache, monkeypatch):
    data = write(TALKS)
    check = source.check_piece

    def written_to(job):
        write(TALKS[:5])
        return check(job)

    monkeypatch.setattr(source, "check_piece", written_to)
    encoded(data, wanted(tokenizer))
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("processes", [1, 2])
def test_a_row_that_the_template_refuses_is_named(processes, write, tokenizer, many, monkeypatch):
    refusing = (
        "{% for m in messages %}{% if '37の' in m.content %}{{ raise_exception('嫌') }}{% endif %}"
        "{{ m.content }}</s>{% endfor %}"
    )
    monkeypatch.setattr(tokenizer, "chat_template", refusing)
    with pytest.raises(JloraError) as caught:
        encoded(write(TALKS), wanted(tokenizer), processes=processes)
    assert "行.jsonl:38" in caught.value.problem
    assert "嫌" in caught.value.problem


@pytest.mark.parametrize("processes", [1, 2])
def test_faulty_rows_are_told_as_load_data_tells_them(processes, write, tokenizer, many, cache):
    data = write([*TALKS, {"messages": []}, *TALKS, {"messages": [{"role": "user"}]}])
    with pytest.raises(JloraError) as expected:
        load_data(data)
    with pytest.raises(JloraError) as caught:
        encoded(data, wanted(tokenizer), processes=processes)
    assert (caught.value.problem, caught.value.remedy) == (
        *(expected.value.problem, expected.value.remedy),
    )
    assert "41" in caught.value.problem
    assert not cache.exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("空.jsonl", ""),
        ("unknown.jsonl", '{"a": 1}\n' * 120),
        ("cut.json", '[{"instruction": "髙", "output": "﨑"}, {"instr'),
        ("text.md", "吾輩は猫である。"),
        ("lfs.jsonl", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
    ],
)
def test_files_that_are_no_data_are_refused_as_before(name, content, tmp_path, tokenizer):
    (tmp_path / name).write_text(content, encoding="utf-8")
    refusals = []
    for read in (load_data, lambda data: encoded(data, wanted(tokenizer))):
        with pytest.raises(JloraError) as caught:
            read(str(tmp_path / name))
        refusals.append((caught.value.problem, caught.value.remedy))
    assert refusals[0] == refusals[1]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, tokenizer):
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(JloraError) as caught:
        encoded(str(tmp_path / "pipe.jsonl"), wanted(tokenizer))
    assert "pipe.jsonl" in caught.value.problem


def test_held_out_rows_are_checked_before_any_are_encoded(write, tokenizer, monkeypatch):
    monkeypatch.setattr(encoder, "make_whole", None)
    with pytest.raises(JloraError) as caught:
        encoded(write(TALKS), wanted(tokenizer), held_out=write([{"messages": []}], "検証.jsonl"))
    assert "検証.jsonl" in caught.value.problem


def test_the_template_follows_the_rows(write, tokenizer):
    row = {"instruction": "髙を説明", "input": "﨑", "output": "𠮷"}
    for rows, template in (
        ([row | {"input": ""}] * 3, "chat-markdown"),
        ([row | {"input": ""}] * 3 + [row], "alpaca-ja"),
    ):
        data = write(rows)
        for _ in range(2):  # made, and from the cache
            with Encoder(data, None, wanted(tokenizer)) as made:
                assert made.prompter.format.template == template
                made.encode()


def test_what_was_noticed_in_the_files_is_told_every_time_in_the_users_language(
    write, tokenizer, tmp_path
):
    write([{"instruction": "これは</s>何", "output": "髙"}], "data/a.jsonl")
    write(TALKS[:3], "data/b.jsonl")
    folder = str(tmp_path / "data")
    expected = load_data(folder).warnings
    assert len(expected) == 3  # control tokens in each file, and which files were read
    assert encoded(folder, wanted(tokenizer))[2].warnings == expected
    again = encoded(folder, wanted(tokenizer))
    assert (again[2].warnings, again[3]) == (expected, True)
    use_language("ja")
    assert encoded(folder, wanted(tokenizer))[2].warnings == load_data(folder).warnings != expected


def test_origins_name_each_file_of_a_folder(write, tokenizer, tmp_path):
    write(TALKS[:3], "data/a.jsonl")
    write(TALKS[3:5], "data/b.jsonl")
    train, *_ = encoded(str(tmp_path / "data"), wanted(tokenizer), max_length=2000)
    assert [row.origin for row in train.rows.rows] == [
        *("a.jsonl:1", "a.jsonl:2", "a.jsonl:3", "b.jsonl:1", "b.jsonl:2"),
    ]


def test_few_examples_are_in_memory_at_once(write, tokenizer, many, monkeypatch):
    data = write([talk(number) for number in range(600)])
    alive = []
    encode = pieces.Work.encode

    def counted(work, rows):
        gc.collect()
        alive.append(sum(type(each) is Example for each in gc.get_objects()))
        return encode(work, rows)

    monkeypatch.setattr(pieces.Work, "encode", counted)
    # What other tests have left is not looked through each time: that took minutes.
    gc.freeze()
    try:
        encoded(data, wanted(tokenizer))
    finally:
        gc.unfreeze()
    assert len(alive) > 100
    assert max(alive) < 50


def test_nothing_stays_in_the_temporary_folder(write, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setenv("JLORA_CACHE_GIB", "0")
    monkeypatch.setattr("jlora_cli.cache.scratch.SMALL_BYTES", 10)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    data = write(TALKS)
    train, *_, from_cache = encoded(data, wanted(tokenizer))
    assert train.rows.rows == as_before(data, tokenizer)[0].rows
    assert from_cache is False
    assert list((tmp_path / "temporary").iterdir()) == []
    assert not (tmp_path / "cache").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_ends_all_processes_and_leaves_nothing(write, cache):
    data = write([talk(number) for number in range(20_000)])
    words = [sys.executable, "-m", "jlora_cli", "train", "--dry-run", "--model", "demo"]
    with subprocess.Popen(
        [*words, "--data", data],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as child:
        while not (cache.is_dir() and list(cache.iterdir())):
            assert child.poll() is None
            time.sleep(0.02)
        child.send_signal(signal.SIGINT)
        _, told = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "Traceback" not in told.decode()
    assert list(cache.iterdir()) == []


def test_a_worker_loads_the_tokenizer_itself(write, tokenizer):
    prompter = Prompter(tokenizer, format_for(tokenizer, "none", "猫/base"))
    work = pieces.Work(prompter, "all")
    assert work.prompter is prompter
    elsewhere = object.__new__(pieces.Work)
    elsewhere.__dict__.update(work.__getstate__())
    assert elsewhere.prompter is not prompter
    assert elsewhere.prompter is elsewhere.prompter
    assert elsewhere.prompter.format == prompter.format


def test_a_spool_is_its_examples(write, monkeypatch):
    monkeypatch.setattr(spool, "PIECE_BYTES", 300)
    data = write(TALKS)
    with Processes(1) as workers:
        made = Source(data, workers)
        expected = load_data(data).examples
        assert list(made.spool) == expected
        assert [made.spool[at] for at in (0, 39, -1, 17)] == [
            expected[at] for at in (0, 39, -1, 17)
        ]
        assert made.spool[3:30:9] == expected[3:30:9]
        assert sum(len(rows.numbers) for rows in made.spool.pieces()) == 40
        made.close()


def test_an_empty_spool_has_no_pieces():
    made = Spool()
    assert (list(made.pieces()), list(made), len(made)) == ([], [], 0)


def test_a_file_that_goes_while_it_is_looked_at_has_no_content(write, monkeypatch):
    data = write(TALKS)
    with Processes(1) as workers:
        made = Source(data, workers)
        assert made.content is not None
        assert made.is_as_hashed
        Path(data).unlink()
        assert not made.is_as_hashed


def test_rows_are_asked_for_in_order(tokenizer, write):
    with Encoder(write(TALKS), None, wanted(tokenizer)) as made, pytest.raises(RuntimeError):
        made.fit(SHORT, "turns")


def test_a_package_without_metadata_has_no_version():
    assert encoder._version("no-such-package") is None
