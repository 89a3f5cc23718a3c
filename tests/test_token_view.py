"""What a text looks like in tokens: its cells, what is lost of it, and stock beside exact."""

from __future__ import annotations

import pytest

from jlora_cli.token_view import (
    Cell,
    Losses,
    View,
    cells,
    chunks_of,
    compare,
    loss_sentences,
    losses,
    marked,
    opening,
    stock_cells,
    stock_sentences,
    together,
    top,
)
from jlora_cli.tokenizer import load_tokenizer
from tests.vocabularies import CONFIGS, MODELS, byte_level, train_pieces, trained_on_corpus


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """rinna's options (unknowns, NFKC, spaces squeezed), Llama's (bytes), and byte-level BPE."""
    root = tmp_path_factory.mktemp("view")
    made = {
        name: load_tokenizer(train_pieces(root / name, CONFIGS[name], **MODELS[name]))
        for name in ("rinna", "llama")
    }
    (root / "json").mkdir()
    trained_on_corpus(byte_level()).save(str(root / "json" / "tokenizer.json"))
    return made | {"json": load_tokenizer(root / "json")}


class Swapped:
    """A stock class in which unknown characters end the text, as in transformers 5."""

    name = "T5Tokenizer"

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def encode(self, texts):
        unknown, end = self.tokenizer.unk_id, self.tokenizer.eos_id
        exact = self.tokenizer.encode_batch(texts)
        return [[end if id_ == unknown else id_ for id_ in ids] for ids in exact]

    def pieces(self, ids):
        return self.tokenizer.pieces(ids)

    def decode(self, ids):
        return self.tokenizer.decode(ids)


# -- cells ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rinna", "llama", "json"])
def test_cells_are_the_text_and_count_every_id(name, loaded):
    text = "吾輩は猫である。髙﨑𠮷野家🐈とｶﾞＡ１\n二行目"
    made = cells(loaded[name], text)
    assert "".join(cell.text for cell in made) == text
    assert sum(cell.ids for cell in made) == len(loaded[name].encode(text))


def test_unknown_and_changed_pieces_are_told_apart(loaded):
    made = cells(loaded["rinna"], "猫🐈は")
    assert [(cell.text, cell.kind) for cell in made if cell.kind != "plain"] == [("🐈", "unknown")]
    # A newline is read as a space; the form of half-width kana is normalized.
    made = cells(loaded["rinna"], "は\nは")
    assert [(cell.text, cell.piece) for cell in made if cell.kind == "changed"] == [("\n", " ")]


@pytest.mark.parametrize(("name", "count"), [("llama", 4), ("json", 4)])
def test_a_character_in_bytes_is_one_cell(name, count, loaded):
    made = cells(loaded[name], "猫🐈")
    assert made[-1] == Cell("🐈", "bytes", "🐈", count)
    assert marked(made)[-1] == ("🐈×4", "bytes")


def test_bytes_that_never_become_a_character_are_shown_as_such(loaded):
    tokenizer = loaded["llama"]
    broken = tokenizer.encode("🐈")[:3]
    made = stock_cells(tokenizer, "猫", [*broken, tokenizer.eos_id])
    assert [cell.kind for cell in made] == ["plain", "changed", "false"]  # "▁" stands in front
    assert set(made[1].text) == {"\ufffd"}


def test_what_is_drawn_shows_line_ends_tabs_and_the_dummy_prefix():
    made = [Cell("", "plain", " "), Cell("\n", "changed", " "), Cell("\t\x07", "plain", "\t\x07")]
    assert marked(made) == [("▁", "plain"), ("↵\n", "changed"), ("⇥\\x07", "plain")]


# -- losses -----------------------------------------------------------------------------------


def lost(tokenizer, text):
    return losses(text, cells(tokenizer, text))


def test_unknown_characters_are_counted_one_by_one(loaded):
    found = lost(loaded["rinna"], "猫🐈🐈は髙")
    assert found.unknown == {"🐈": 2, "髙": 1}
    assert found.unknown_tokens == 2  # two in a row are one token


def test_newlines_spaces_and_widths_are_counted_apart(loaded):
    found = lost(loaded["rinna"], "  は\nは  は\u3000は\tは ")
    # Two in front, one of two inside, one behind; the full-width space and the tab become spaces.
    assert (found.newlines, found.spaces, found.widths) == (1, 4, 2)
    faithful = lost(loaded["llama"], "  は\nは  は\u3000は\tは ")
    assert (faithful.newlines, faithful.spaces, faithful.widths) == (0, 0, 0)


def test_forms_are_what_normalization_makes(loaded):
    found = lost(loaded["rinna"], "東京の１４００万人")
    assert sum(found.forms.values()) > 0
    assert {read for _, read in found.forms} <= {"1", "4", "0", "00", "1400", "14", "400"}
    assert lost(loaded["llama"], "東京の１４００万人").forms == {}


def test_nothing_lost_is_no_sentence(loaded):
    assert loss_sentences(lost(loaded["llama"], "吾輩は猫である。\n  🐈")) == []


def test_each_loss_is_one_sentence():
    found = Losses(unknown_tokens=1, newlines=1234, spaces=2, widths=3)
    found.unknown["髙"] = 1
    found.forms["Ａ", "A"] = 2
    told = loss_sentences(found)
    assert len(told) == 5
    assert "髙 ×1" in told[0]
    assert "1,234" in told[1]
    assert "Ａ → A ×2" in told[4]


def test_the_most_frequent_stand_first_and_the_rest_is_counted():
    found = Losses()
    found.unknown.update("髙髙髙﨑﨑𠮷")
    assert top(found.unknown, limit=2) == "髙 ×3, 﨑 ×2, and 1 more"


# -- chunks, and stock beside exact -----------------------------------------------------------


def test_chunks_end_between_lines_or_behind_a_full_stop():
    text = "一行目。\n二行目。\n" + "長い文です。" * 3 + "\n\n" + "切れ目のない" * 3
    assert chunks_of(text, size=12) == [
        "一行目。\n二行目。", "長い文です。長い文です。", "長い文です。",
        "切れ目のない切れ目のない", "切れ目のない",
    ]  # fmt: skip
    assert chunks_of("\n \n", size=12) == []


def test_an_opening_is_at_least_one_chunk():
    assert opening(["あ" * 50, "い" * 50, "う" * 50], limit=100) == ["あ" * 50, "い" * 50]
    assert opening(["あ" * 500], limit=100) == ["あ" * 500]
    assert opening([], limit=100) == []


def test_false_ends_are_counted_by_chunk(loaded):
    tokenizer = loaded["rinna"]
    chunks = ["吾輩は猫である。", "🐈と髙", "名前はまだ無い。", "🐈"]
    found = compare(tokenizer, chunks, Swapped(tokenizer).encode)
    assert (found.chunks, found.differing, found.damaged) == (4, 2, (1, 3))
    assert found.false == {"</s>": (3, 2)}
    assert found.as_json()["false_ends"] == 3
    assert found.as_json()["damaged_chunks"] == 2


def test_a_false_unknown_and_a_false_start_are_no_false_end(loaded):
    tokenizer = loaded["llama"]

    def stock(texts):
        return [[tokenizer.bos_id, tokenizer.unk_id, *ids] for ids in tokenizer.encode_batch(texts)]

    found = compare(tokenizer, ["猫"], stock)
    assert found.false == {"<s>": (1, 1), "<unk>": (1, 1)}
    assert found.as_json()["false_ends"] == 0


def test_comparisons_of_many_texts_add_up(loaded):
    tokenizer = loaded["rinna"]
    encode = Swapped(tokenizer).encode
    both = together([compare(tokenizer, [text], encode) for text in ("🐈と髙", "猫")])
    assert (both.chunks, both.differing, len(both.damaged)) == (2, 1, 1)
    assert both.false == {"</s>": (2, 1)}


def test_stock_cells_show_the_false_end_where_it_stands(loaded):
    tokenizer = loaded["rinna"]
    (ids,) = Swapped(tokenizer).encode(["猫🐈は"])
    made = stock_cells(tokenizer, "猫🐈は", ids)
    assert [cell.text for cell in made if cell.kind == "false"] == ["</s>"]
    exact = stock_cells(tokenizer, "猫🐈は", tokenizer.encode("猫🐈は"))
    assert [cell.kind for cell in exact if cell.text == "<unk>"] == ["unknown"]


def test_stock_that_agrees_is_said_to_and_no_stock_is_silent(loaded):
    tokenizer = loaded["rinna"]
    view = View(tokenizer, "吾輩は猫である。")
    view.add_stock(Swapped(tokenizer))
    assert stock_sentences([view.stock]) == ["The stock class T5Tokenizer gives the same ids."]
    assert stock_sentences([]) == []


# -- a text with all that is told of it -------------------------------------------------------


def test_a_long_text_shows_its_first_damaged_chunks(loaded):
    tokenizer = loaded["rinna"]
    view = View(tokenizer, "名前はまだ無い。\n" * 200 + "🐈が来た。\n" + "名前はまだ無い。\n" * 200)
    assert view.is_long
    assert "🐈" not in "".join(text for text, _ in view.blocks()[0][1])
    view.add_stock(Swapped(tokenizer))
    exact, stock = view.blocks()
    assert exact[0] == "exact (jlora), a part of the text"
    assert ("🐈", "unknown") in exact[1]
    assert stock[0] == "stock: T5Tokenizer"
    assert ("</s>", "false") in stock[1]
    assert [kind for _, kind in view.legend()] == ["changed", "unknown", "false"]


def test_the_table_of_a_short_text_has_stock_beside_it(loaded):
    tokenizer = loaded["rinna"]
    view = View(tokenizer, "猫🐈")
    assert view.columns() == ["id", "piece", "text"]
    view.add_stock(Swapped(tokenizer))
    assert view.columns() == ["id", "piece", "text", "stock id", "stock piece"]
    assert view.rows()[-1] == ["0", "<unk>", " ⁇ ", "2", "</s>"]


def test_rules_are_applied_before_and_shown_as_trained(loaded):
    view = View(loaded["rinna"], "HELLO", str.lower)
    row = view.as_json()
    assert (row["text"], row["as_trained"]) == ("HELLO", "hello")
    assert row["ids"] == loaded["rinna"].encode("hello")


def test_an_empty_text_has_no_share_to_divide(loaded):
    view = View(loaded["rinna"], "")
    view.add_stock(Swapped(loaded["rinna"]))
    assert view.as_json()["stock"]["chunks"] == 0
    assert dict(view.summary())["characters per token"] == "0.00"
