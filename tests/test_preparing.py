from __future__ import annotations

import errno
import hashlib
import json
from pathlib import Path

import pytest

from jlora_cli.dataset import Example, Message, read_examples
from jlora_cli.errors import JloraError
from jlora_cli.events import Stage
from jlora_cli.preparing import Audit, Rules, counting, find_validation, load_data, prepare, sources
from jlora_cli.prompt import Prompter, format_for
from jlora_cli.tokenizer import load_tokenizer
from tests.vocabularies import MODELS, train_pieces


def chat(number):
    turns = [
        {"role": "user", "content": f"問{number} ｶﾞ Ａ１ 🐈 髙﨑𠮷\n二行目"},
        {"role": "assistant", "content": f"答{number}にゃ"},
    ]
    return {"messages": turns}


@pytest.fixture
def write(tmp_path):
    def write_one(rows, name="rows.jsonl"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return str(path)

    return write_one


@pytest.fixture
def output(tmp_path):
    return tmp_path / "prepared"


def refused(*sources, **options):
    with pytest.raises(JloraError) as caught:
        prepare(list(sources), **options)
    return caught.value


def rows_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def test_rows_are_written_in_canonical_form(write, output):
    source = write([{"instruction": "訳して", "input": "cat", "output": "猫"}])
    made = prepare([source], output=output)
    turns = [{"role": "user", "content": "訳して\n\ncat"}, {"role": "assistant", "content": "猫"}]
    assert rows_of(output / "train.jsonl") == [{"messages": turns, "input": "cat"}]
    assert sorted(path.name for path in output.iterdir()) == ["dataset.json", "train.jsonl"]
    assert (made.rows_read, made.rows_kept, made.train_rows, made.validation_rows) == (1, 1, 1, 0)


def test_the_manifest_records_sources_and_counts(write, output):
    source = write([chat(1), {"messages": []}])
    prepare([source], output=output, rules=Rules(on_bad_row="skip"))
    manifest = json.loads((output / "dataset.json").read_text(encoding="utf-8"))
    digest = hashlib.sha256(Path(source).read_bytes()).hexdigest()
    ((named, (file,)),) = [(each["source"], each["files"]) for each in manifest["sources"]]
    assert (named, file["name"], file["sha256"]) == ("rows.jsonl", "rows.jsonl", digest)
    assert (file["layout"], file["encoding"], file["evidence"]) == ("lines", "UTF-8", "messages")
    assert manifest["dropped"] == {"no_messages": 1}
    assert (manifest["rows_read"], manifest["rows_kept"], manifest["format"]) == (2, 1, "messages")
    train = (output / "train.jsonl").read_bytes()
    assert manifest["files"] == {"train.jsonl": hashlib.sha256(train).hexdigest()}


def test_same_input_gives_the_same_bytes(write, tmp_path):
    source = write([chat(number) for number in range(40)])
    for name in ("a", "b"):
        prepare([source], output=tmp_path / name, rules=Rules(validation="0.2"))
    for name in ("train.jsonl", "validation.jsonl", "dataset.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_prepared_folder_goes_round(write, tmp_path):
    source = write([chat(number) for number in range(40)])
    prepare([source], output=tmp_path / "a", rules=Rules(validation="0.2"))
    prepare([str(tmp_path / "a")], output=tmp_path / "b")
    assert (tmp_path / "a/train.jsonl").read_bytes() == (tmp_path / "b/train.jsonl").read_bytes()
    assert find_validation(str(tmp_path / "a")) == tmp_path / "a/validation.jsonl"
    assert find_validation(str(tmp_path / "b")) is None
    assert find_validation(source) is None


def test_a_share_is_set_aside_by_content(write, tmp_path):
    rows = [chat(number) for number in range(400)]
    made = prepare([write(rows)], output=tmp_path / "a", rules=Rules(validation="0.1"))
    assert made.train_rows + made.validation_rows == 400
    assert 20 <= made.validation_rows <= 60  # 40 expected; five sigma
    prepare([write([*rows[::-1], chat(900)])], output=tmp_path / "b", rules=Rules(validation="0.1"))
    before = {json.dumps(row) for row in rows_of(tmp_path / "a/validation.jsonl")}
    after = {json.dumps(row) for row in rows_of(tmp_path / "b/validation.jsonl")}
    assert before == after - {json.dumps(chat(900))}


def test_another_seed_sets_other_rows_aside(write, tmp_path):
    source = write([chat(number) for number in range(40)])
    for seed in (0, 1):
        rules = Rules(validation="0.5", seed=seed)
        prepare([source], output=tmp_path / str(seed), rules=rules)
    assert rows_of(tmp_path / "0/validation.jsonl") != rows_of(tmp_path / "1/validation.jsonl")


@pytest.mark.parametrize("share", ["0.000001", "0.999999"])
def test_both_sides_have_a_row(write, output, share):
    made = prepare(
        [write([chat(1), chat(2), chat(3)])], output=output, rules=Rules(validation=share)
    )
    assert min(made.train_rows, made.validation_rows) == 1


def test_copies_of_one_row_cannot_be_split(write, output):
    error = refused(write([chat(1)] * 9), output=output, rules=Rules(validation="0.5"))
    assert error.problem.startswith("1 different rows are too few")
    assert not output.exists()


@pytest.mark.parametrize("share", ["0", "1", "1.5", "-0.1", "nan"])
def test_a_share_must_be_a_share(write, output, share):
    assert share in refused(write([chat(1)]), output=output, rules=Rules(validation=share)).problem


def test_validation_from_a_file_without_what_is_trained_on(write, output):
    validation = write([chat(1), chat(7), chat(8)], "validation.jsonl")
    source = write([chat(1), chat(2)])
    made = prepare([source], output=output, rules=Rules(validation=validation))
    assert rows_of(output / "validation.jsonl") == [chat(7), chat(8)]
    assert made.dropped == {"validation_in_training": 1}
    assert made.rows_read - sum(made.dropped.values()) == made.rows_kept == 4
    assert [found.id for found in made.findings] == ["prepare.overlap"]


def test_validation_must_hold_something_new(write, output):
    source = write([chat(1)])
    assert (
        "also a training row"
        in refused(source, output=output, rules=Rules(validation=source)).problem
    )


def test_copies_are_counted(write, output):
    made = prepare([write([chat(1), chat(2), chat(1)])], output=output)
    assert made.train_rows == 3
    assert made.findings[0].evidence == (
        "1 of 3 rows repeat an earlier row, width of letters and white space aside."
    )


def test_copies_are_dropped_where_asked(write, output):
    made = prepare([write([chat(1), chat(2), chat(1)])], output=output, rules=Rules(dedupe="exact"))
    assert rows_of(output / "train.jsonl") == [chat(1), chat(2)]
    assert (made.dropped, made.rows_kept) == ({"duplicate": 1}, 2)


def test_skipped_rows_are_told(write, output):
    made = prepare(
        [write([chat(1), {"messages": 3}])], output=output, rules=Rules(on_bad_row="skip")
    )
    assert made.findings[0].evidence == "1 of 2 rows were dropped: no_messages 1."


def test_several_sources_are_joined_and_announced(write, output):
    told = []
    sources = [write([chat(1)]), write([{"text": "文章"}], "b.jsonl")]
    made = prepare(sources, output=output, notify=told.append)
    assert (made.train_rows, made.format) == (2, "mixed")
    assert [event.name for event in told if isinstance(event, Stage)] == [
        "prepare.reading",
        "prepare.reading",
        "prepare.writing",
    ]


def test_a_folder_says_which_files_were_read(write, tmp_path):
    for number in range(10):
        write([chat(number)], f"many/{number}.jsonl")
    found = load_data(str(tmp_path / "many")).findings[0]
    assert found.id == "prepare.several_files"
    assert "0.jsonl, 1.jsonl" in found.evidence
    assert "9.jsonl" not in found.evidence


def test_a_bad_row_leaves_nothing(write, output, tmp_path):
    source = write([chat(1), {"messages": []}])
    assert "line 2" in refused(source, output=output / "deep").problem
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.jsonl"]


def test_a_folder_in_use_is_not_touched(write, output):
    output.mkdir()
    (output / "mine.txt").write_text("x", encoding="utf-8")
    assert "not empty" in refused(write([chat(1)]), output=output).problem
    assert [path.name for path in output.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_taken(write, output):
    output.mkdir()
    assert prepare([write([chat(1)])], output=output).train_rows == 1


def test_a_file_is_no_output(write):
    source = write([chat(1)])
    assert "is a file" in refused(source, output=Path(source)).problem


def test_a_full_disk_leaves_nothing(write, output, tmp_path, monkeypatch):
    source = write([chat(1)])
    before = Path.write_bytes

    def full(self, data):
        if self.name == "dataset.json":
            raise OSError(errno.ENOSPC, "No space left on device")
        return before(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    assert "No space left" in refused(source, output=output).problem
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_an_interruption_leaves_nothing(write, output, tmp_path, monkeypatch):
    source = write([chat(1)])

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare([source], output=output)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """The files of a small tokenizer with bytes, as a model folder without weights."""
    folder = tmp_path_factory.mktemp("preparing") / "neox-nl"
    return str(train_pieces(folder, {}, **MODELS["neox-nl"]))


def prompter_of(model, name="org/name", template="alpaca-ja"):
    tokenizer = load_tokenizer(Path(model))
    return Prompter(tokenizer, format_for(tokenizer, template, name))


def test_tokens_are_counted_on_the_training_rows_as_they_will_be_trained(write, output, model):
    audit = Audit(model, "alpaca-ja", max_length=16)
    made = prepare([write([chat(1), chat(2)])], output=output, audit=audit)
    rows = prompter_of(model).encode_examples(load_data(str(output)).examples, max_length=999).rows
    lengths = [len(row.ids) for row in rows]
    tokens = made.as_json()["tokens"]
    assert (tokens["total"], tokens["longest"]) == (sum(lengths), max(lengths))
    assert tokens["mean"] == sum(lengths) / 2
    assert tokens["supervised"] == sum(row.supervised for row in rows) > 0
    assert made.findings[0].evidence == (
        f"2 rows are longer than --max-length 16; the longest has {max(lengths)} tokens."
    )


def test_counting_knows_the_model_by_its_name_not_by_its_folder(
    write, tmp_path, model, monkeypatch
):
    monkeypatch.setattr(counting, "find_model", lambda name, what: Path(model))
    turns = [{"role": "user", "content": "Ａ１ LORA"}, {"role": "assistant", "content": "HELLO"}]
    source = write([{"messages": turns}])
    named, other = (
        prepare([source], output=tmp_path / str(at), audit=Audit(name, "none"))
        for at, name in enumerate(["rinna/japanese-gpt2-medium", "org/name"])
    )
    assert [found.id for found in named.findings] == ["case-folded"]
    assert named.tokens["total"] < other.tokens["total"]  # capitals are mostly bytes here
    assert other.findings == []


def test_the_tokenizers_figures_stand_beside_the_counts(write, output, model):
    rows = [
        chat(1),
        {"messages": [*chat(2)["messages"][:1], {"role": "assistant", "content": "</s>"}]},
    ]
    made = prepare([write(rows)], output=output, audit=Audit(model))
    tokens = json.loads(json.dumps(made.as_json()))["tokens"]
    assert tokens["unknown"]["per_thousand"] == 0.0
    assert tokens["special_literals"] == {"</s>": 1}
    assert tokens["special_ids"]["inside_embedding"] is None  # the folder has no config.json
    # The reader, which knows no tokenizer, has named the line; the audit says how many and what.
    assert [found.id for found in made.findings] == [
        "data.special_tokens",
        "special-tokens-in-text",
    ]
    assert "stock_parity" not in tokens


def test_the_stock_class_is_asked_only_where_that_was_asked_for(write, output, model, monkeypatch):
    asked = []

    def parity(tokenizer, texts):
        asked.append((tokenizer.folder, texts))
        return {"class": "T5Tokenizer", "texts": len(texts), "differ": 2, "transformers": "5"}

    monkeypatch.setattr(counting, "stock_parity", parity)
    audit = Audit(model, stock_parity=True)
    made = prepare([write([chat(1)])], output=output, audit=audit)
    ((folder, texts),) = asked
    assert folder == Path(model)
    assert "髙﨑𠮷<NL>二行目" in texts[-1]
    assert made.tokens["stock_parity"]["differ"] == 2
    assert made.findings == []


def test_rows_that_fit_are_not_told_of(write, output, model):
    audit = Audit(model, max_length=999)
    assert prepare([write([chat(1)])], output=output, audit=audit).findings == []


def test_facts_without_a_model_have_no_tokens(write, output):
    facts = prepare([write([chat(1)])], output=output).as_json()
    assert "tokens" not in facts
    assert json.loads(json.dumps(facts))["rows_kept"] == 1


def test_the_demo_rows_are_found_anywhere(tmp_path, monkeypatch):
    for name, number in (("train", 1), ("validation", 2)):
        text = json.dumps(chat(number)) + "\n"
        (tmp_path / f"{name}.jsonl").write_text(text, encoding="utf-8")
    monkeypatch.setattr(sources, "DEMO_DATA", tmp_path)
    loaded = load_data("demo")
    assert loaded.rows_read == 1
    assert loaded.findings == []
    assert find_validation("demo") == tmp_path / "validation.jsonl"


@pytest.mark.parametrize("source", ["./nothing.jsonl", "nothing.jsonl", "a/b/c", "長" * 200 + "/"])
def test_what_looks_local_is_never_downloaded(source):
    with pytest.raises(JloraError):
        load_data(source)


def test_text_rows_are_prepared(write, output):
    prepare([write([{"text": "吾輩は"}])], output=output)
    assert read_examples(output).examples == [Example(text="吾輩は", origin="train.jsonl:1")]
    assert load_data(str(output)).examples[0].messages == ()


def test_messages_survive_to_training(write, output):
    prepare([write([chat(1)])], output=output)
    assert load_data(str(output)).examples[0].messages[1] == Message("assistant", "答1にゃ")
