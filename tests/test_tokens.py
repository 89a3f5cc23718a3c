"""`jlora tokens` prints what the model's own tokenizer makes of a text."""

from __future__ import annotations

import json
import sys
from types import ModuleType, SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from jlora_cli import hub, screen
from jlora_cli.commands.tokens import tokens
from jlora_cli.errors import JloraError
from jlora_cli.tokenizer import load_tokenizer

# Characters, a space, a newline and their ids: small enough to read every number below.
LETTERS = ["<unk>", "</s>", "猫", "で", "あ", "る", "。", " ", "\n", "a"]
TEXT = "猫である。"
IDS = [2, 3, 4, 5, 6]


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A model folder with a character vocabulary, found under the name demo."""
    folder = tmp_path / "model"
    folder.mkdir()
    vocabulary = [[letter, -1.0] for letter in LETTERS]
    document = {"version": "1.0", "added_tokens": [], "decoder": {"type": "Fuse"}}
    document["model"] = {"type": "Unigram", "unk_id": 0, "vocab": vocabulary}
    (folder / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")
    config = {"eos_token": "</s>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    asked = {"demo": folder}
    monkeypatch.setattr(hub, "fetch_tokenizer_files", lambda name: asked[name])
    screen.forget_consoles()
    yield folder
    screen.forget_consoles()


def call(*arguments, stdin=None):
    """The command, run as the front door would; its refusal is raised."""
    app = typer.Typer()
    app.command()(tokens)
    screen.forget_consoles()
    result = CliRunner().invoke(app, ["demo", *map(str, arguments)], input=stdin)
    if isinstance(result.exception, JloraError):
        raise result.exception
    return result


def test_json_holds_ids_pieces_and_the_decoded_text(model):
    result = call(TEXT, "--json")
    expected = {"text": TEXT, "ids": IDS, "pieces": list(TEXT), "decoded": TEXT}
    assert result.exit_code == 0
    assert json.loads(result.stdout) == expected


def test_table_is_data_and_remarks_are_for_a_person(model):
    result = call("猫🐈")
    assert [line.split() for line in result.stdout.split("\n") if "猫" in line] == [
        ["2", "猫", "猫"]
    ]
    assert "2 tokens from 2 characters." in result.stderr
    assert "They decode to: 猫" in result.stderr
    assert "1 of them are the unknown token" in result.stderr


def test_newline_is_shown_by_its_escape(model):
    assert [line.split() for line in call("猫\n").stdout.splitlines() if "8" in line] == [
        ["8", "\\n", "\\n"]
    ]


def test_text_that_comes_back_is_said_to(model):
    assert "They decode to the same text." in call(TEXT).stderr


def test_input_file_gives_one_json_line_each(model, tmp_path):
    file = tmp_path / "texts.jsonl"
    rows = [{"text": TEXT}, {"text": "", "note": "空"}, {"text": "a\nる"}]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    file.write_text("\r\n".join(lines) + "\n\n", encoding="utf-8-sig")
    result = call("--input", file)
    printed = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["text"] for row in printed] == [TEXT, "", "a\nる"]
    assert [row["ids"] for row in printed] == [IDS, [], [9, 8, 5]]


def test_standard_input_is_one_text_without_its_last_line_break(model):
    assert json.loads(call("--json", stdin="猫\na\r\n").stdout)["text"] == "猫\na"
    assert json.loads(call("--json", stdin="猫").stdout)["ids"] == [2]


def test_terminal_without_text_is_refused(model, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    with pytest.raises(JloraError, match="no text") as caught:
        tokens("demo")
    assert "jlora tokens demo" in caught.value.remedy


def test_text_and_input_together_are_a_usage_error(model, tmp_path):
    assert call(TEXT, "--input", tmp_path / "texts.jsonl").exit_code == 2


@pytest.mark.parametrize("line", ['{"text": ', "[]", '"text"', '{"texts": "猫"}', '{"text": 3}'])
def test_bad_line_is_named_by_its_number(line, model, tmp_path):
    file = tmp_path / "texts.jsonl"
    file.write_text('{"text": "猫"}\n' + line, encoding="utf-8")
    with pytest.raises(JloraError, match=r"texts\.jsonl line 2") as caught:
        call("--input", file)
    assert caught.value.remedy == 'write every line as {"text": "..."}.'


def test_unreadable_input_is_named(model, tmp_path):
    with pytest.raises(JloraError, match=r"absent\.jsonl"):
        call("--input", tmp_path / "absent.jsonl")
    (tmp_path / "sjis.jsonl").write_bytes('{"text": "猫"}'.encode("cp932"))
    with pytest.raises(JloraError, match=r"sjis\.jsonl"):
        call("--input", tmp_path / "sjis.jsonl")


def test_as_trained_applies_the_rules_of_the_adapter(model, monkeypatch):
    from jlora_cli import prompt

    rules = prompt.TextRules(lower_case=True)
    (model / "jlora.json").write_text("{}", encoding="utf-8")
    monkeypatch.setattr(prompt, "read_rules", lambda folder: rules)
    row = json.loads(call("A猫", "--as-trained", "--json").stdout)
    assert (row["text"], row["as_trained"], row["ids"]) == ("A猫", "a猫", [9, 2])


def test_as_trained_needs_an_adapter(model):
    with pytest.raises(JloraError, match=r"no jlora\.json"):
        call(TEXT, "--as-trained")


class Stock:
    """Stands in for transformers' tokenizer: the wrong ids that this option is there to show."""

    def __call__(self, text, *, add_special_tokens):
        assert add_special_tokens is False
        return {"input_ids": load_tokenizer(self.folder).encode(text.replace("🐈", "</s>a"))}

    def convert_ids_to_tokens(self, ids):
        return [LETTERS[id_] for id_ in ids]

    def decode(self, ids):
        return "".join(LETTERS[id_] for id_ in ids)


def stand_in(monkeypatch, load):
    module = ModuleType("transformers")
    module.AutoTokenizer = SimpleNamespace(from_pretrained=load)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "transformers", module)


@pytest.fixture
def stock(model, monkeypatch):
    tokenizer = Stock()
    tokenizer.folder = model  # type: ignore[attr-defined]
    stand_in(monkeypatch, lambda folder, **options: tokenizer)


def test_against_stock_shows_both(stock):
    result = call("猫", "--against-stock")
    row = next(line for line in result.stdout.splitlines() if "猫" in line)
    assert row.split() == ["2", "猫", "猫", "2", "猫"]
    assert "AutoTokenizer gives the same ids." in result.stderr


def test_against_stock_marks_a_difference(stock):
    result = call("🐈a", "--against-stock", "--json")
    row = json.loads(result.stdout)
    assert row["ids"] == [0, 9]
    assert row["stock"]["ids"] != row["ids"]
    assert row["stock"]["same"] is False
    shown = call("🐈a", "--against-stock")
    assert "AutoTokenizer gives other ids" in shown.stderr


def test_against_stock_without_transformers_is_refused(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(JloraError, match="not installed"):
        call(TEXT, "--against-stock")


def test_stock_class_that_cannot_load_is_refused_in_one_line(model, monkeypatch):
    def load(folder, **options):
        raise ValueError("unknown class\nand forty more lines")

    stand_in(monkeypatch, load)
    with pytest.raises(JloraError, match="unknown class") as caught:
        call(TEXT, "--against-stock")
    assert "forty" not in caught.value.problem
