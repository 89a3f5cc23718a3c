"""`jlora tokens` prints what the model's own tokenizer makes of a text."""

from __future__ import annotations

import io
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
    row = json.loads(result.stdout)
    nothing = {"unknown_tokens": 0, "unknown": {}, "newlines": 0, "spaces": 0, "widths": 0}
    assert result.exit_code == 0
    assert row.pop("lost") == {**nothing, "forms": []}
    assert row == expected


def test_json_counts_the_characters_that_are_lost(model):
    lost = json.loads(call("猫🐈🐈髙", "--json").stdout)["lost"]
    assert lost["unknown"] == {"🐈": 2, "髙": 1}


def test_table_is_data_and_remarks_are_for_a_person(model):
    result = call("猫🐈")
    assert [line.split() for line in result.stdout.split("\n") if "猫" in line] == [
        ["2", "猫", "猫"]
    ]
    assert "2 tokens from 2 characters." in result.stderr
    assert "They decode to: 猫" in result.stderr
    assert "which the model cannot see: 1 (1 different): 🐈 ×1" in result.stderr


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

    def __call__(self, texts, *, add_special_tokens):
        assert add_special_tokens is False
        tokenizer = load_tokenizer(self.folder)
        ids = [tokenizer.encode(text) for text in texts]
        return {"input_ids": [[1 if id_ == 0 else id_ for id_ in each] for each in ids]}

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
    assert "The stock class Stock gives the same ids." in result.stderr


def test_against_stock_marks_a_difference(stock):
    result = call("🐈a", "--against-stock", "--json")
    row = json.loads(result.stdout)
    assert row["ids"] == [0, 9]
    assert row["stock"]["ids"] == [1, 9]
    assert row["stock"]["same"] is False
    figures = ("class", "differing_texts", "false_ends", "damaged_chunks", "chunks")
    assert [row["stock"][name] for name in figures] == ["Stock", 1, 1, 1, 1]
    shown = call("🐈a", "--against-stock")
    assert "100.0 % of your chunks (1 of 1) contain a false end token </s>" in shown.stderr


def test_rows_against_stock_are_summed_up_for_a_person(stock, tmp_path):
    file = tmp_path / "texts.jsonl"
    texts = ["猫", "🐈", "a🐈", "る"]
    file.write_text("\n".join(json.dumps({"text": text}) for text in texts), encoding="utf-8")
    result = call("--input", file, "--against-stock")
    ends = [json.loads(line)["stock"]["false_ends"] for line in result.stdout.splitlines()]
    assert ends == [0, 1, 1, 0]
    assert "50.0 % of your chunks (2 of 4) contain a false end token </s>" in result.stderr


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


# -- long texts, pictures, folders of other tools ---------------------------------------------

NOVEL = "猫である。\n" * 100 + "🐈髙🐈"


def test_a_text_file_is_one_text_and_a_long_one_is_summed_up(model, tmp_path):
    file = tmp_path / "novel.txt"
    file.write_text(NOVEL + "\n", encoding="utf-8")
    result = call("--input", file)
    lines = [line.strip().partition("  ") for line in result.stdout.splitlines()]
    shown = {name: value.strip() for name, _, value in lines}
    assert shown["characters"] == "603"
    assert shown["tokens"] == "601"  # unknown characters in a row are one token
    assert shown["unknown tokens"] == "1 (1.7 per 1,000)"
    assert shown["unknown characters"] == "🐈 ×2, 髙 ×1"
    assert shown["first pieces"].startswith("猫 | で | あ | る")
    assert len(result.stdout.splitlines()) < 25


def test_a_picture_is_of_one_text(model, tmp_path):
    result = call("--input", tmp_path / "texts.jsonl", "--svg", tmp_path / "a.svg")
    assert result.exit_code == 2
    assert not (tmp_path / "a.svg").exists()


@pytest.mark.parametrize("name", ["svg", "html"])
def test_a_picture_holds_pieces_stock_and_sentences(name, stock, tmp_path):
    file = tmp_path / f"picture.{name}"
    result = call("猫で🐈ある", "--against-stock", f"--{name}", file)
    content = file.read_text(encoding="utf-8")
    for shown in ("猫", "🐈", "&lt;/s&gt;", "Stock", "jlora"):
        assert shown in content
    assert "#c62828" in content or "#a31515" in content  # the false end, in red
    assert str(tmp_path) not in content
    assert f"The picture is in {file}" in result.stderr


def test_a_picture_that_cannot_be_written_is_refused(model, tmp_path):
    with pytest.raises(JloraError, match="cannot be written"):
        call(TEXT, "--svg", tmp_path / "nowhere" / "a.svg")


class Terminal(io.TextIOWrapper):
    def isatty(self):
        return True


def drawn(monkeypatch, text):
    """What a terminal of stdout gets."""
    content = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", Terminal(content, encoding="utf-8", write_through=True))
    screen.forget_consoles()
    tokens("demo", text)
    return content.getvalue().decode()


def test_a_terminal_gets_coloured_pieces(model, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)
    # The codes themselves are not asked: rich keeps those of the first terminal of a process.
    shown = drawn(monkeypatch, "猫で🐈").partition("   2")[0]
    assert "m猫\x1b" in shown
    assert "|" not in shown


def test_a_terminal_without_colours_gets_bars(model, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "猫|で" in drawn(monkeypatch, "猫で")


def test_a_terminal_of_sixteen_colours_gets_bars_too(model, monkeypatch):
    # Both light grounds would be its one white.
    monkeypatch.setenv("TERM", "xterm")
    for name in ("COLORTERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    shown = drawn(monkeypatch, "猫で")
    assert "|" in shown.partition("で")[0]


def adapter(folder, base, files=()):
    """An adapter folder as PEFT writes it, with these files of `base`'s tokenizer."""
    folder.mkdir(parents=True)
    config = {"base_model_name_or_path": str(base), "peft_type": "LORA"}
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    for name in files:
        (folder / name).write_bytes((base / name).read_bytes())
    return folder


FILES = ("tokenizer.json", "tokenizer_config.json")


def opened(monkeypatch, folder, base):
    """The command on an adapter folder; `base` is found under its own name."""
    places = {"demo": folder, str(base): base}
    monkeypatch.setattr(hub, "fetch_tokenizer_files", lambda name: places[name])
    return call(TEXT)


def test_an_adapter_of_another_tool_is_read_with_its_own_tokenizer(model, tmp_path, monkeypatch):
    result = opened(monkeypatch, adapter(tmp_path / "adapter", model, FILES), model)
    assert "1 (" not in result.stderr
    assert f"An adapter for {model} with its own tokenizer files" in result.stderr
    assert "5 tokens from 5 characters." in result.stderr


def test_an_adapter_without_a_tokenizer_is_read_with_its_bases(model, tmp_path, monkeypatch):
    result = opened(monkeypatch, adapter(tmp_path / "adapter", model), model)
    assert f"An adapter for {model} without tokenizer files" in result.stderr
    assert "5 tokens from 5 characters." in result.stderr


def test_an_adapter_whose_base_is_not_at_hand_is_refused_by_both_names(tmp_path, monkeypatch):
    folder = adapter(tmp_path / "adapter", "./models/rinna")
    find = hub.fetch_tokenizer_files
    monkeypatch.setattr(
        hub, "fetch_tokenizer_files", lambda name: folder if name == "demo" else find(name)
    )
    with pytest.raises(JloraError, match=r"\./models/rinna does not exist") as caught:
        call(TEXT)
    assert str(folder) in caught.value.problem
    assert "jlora tokens BASE" in caught.value.remedy


def test_an_adapter_without_tokenizer_and_base_has_none(model, tmp_path, monkeypatch):
    folder = adapter(tmp_path / "adapter", "x")
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}', encoding="utf-8")
    with pytest.raises(JloraError, match="has no tokenizer"):
        opened(monkeypatch, folder, model)


def test_a_run_folder_is_read_by_its_adapter(model, tmp_path, monkeypatch):
    adapter(tmp_path / "run" / "adapter", model, FILES)
    assert "An adapter for" in opened(monkeypatch, tmp_path / "run", model).stderr


def test_a_merged_folder_names_its_base_and_whether_the_tokenizer_is_the_recorded_one(model):
    for fingerprint, said in (
        (load_tokenizer(model).fingerprint, "records that the training used exactly this"),
        ("0" * 64, "records another tokenizer"),
    ):
        card = {"base": {"model": "org/base"}, "tokenizer": {"fingerprint": fingerprint}}
        (model / "jlora.json").write_text(json.dumps(card), encoding="utf-8")
        result = call(TEXT)
        assert "A model made from org/base" in result.stderr
        assert said in result.stderr


def test_files_that_turn_unknown_characters_into_the_end_are_told(model):
    """As transformers 5 writes them for a T5Tokenizer: `unk_id` is the end token's."""
    file = model / "tokenizer.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    document["model"]["unk_id"] = 1
    file.write_text(json.dumps(document), encoding="utf-8")
    result = call("猫🐈")
    assert "In tokenizer.json, unknown characters are </s>" in result.stderr
    assert "which the model cannot see: 1 (1 different): 🐈 ×1" in result.stderr
