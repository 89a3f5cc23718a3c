"""What is written of an answer: a row, a part of its text, or a line of a person's own."""

from __future__ import annotations

import json

import pytest

from jlora_cli.bulk import Said, Shaping
from jlora_cli.errors import JloraError

ONE = Said(" 猫です。\n犬です。 ", "eos", 3, 4)
TWO = Said('結果: ```json\n{"名": "髙﨑", "数": [1, 2]}\n```', "length", 3, 9)


@pytest.mark.parametrize(
    ("extract", "text", "expected"),
    [
        (None, " 猫 ", " 猫 "),
        ("strip", "\n 猫　\n", "猫"),
        ("first-line", "\n  \n 猫です。\n犬", "猫です。"),
        ("first-line", "\n", None),
        ("json", TWO.text, '{"名": "髙﨑", "数": [1, 2]}'),
        ("json", "{猫} [ と {} 。", "{}"),
        ("json", "なし", None),
        ("json", "[" * 50_000, None),
        ("regex:答え[：:](.+?)。", "では答え：四十二。以上", "四十二"),
        ("regex:[0-9]+", "全部で42匹", "42"),
        ("regex:犬", "猫", None),
    ],
)
def test_a_part_of_an_answer_is_taken(extract, text, expected):
    assert Shaping(extract).part(text) == expected


def test_a_row_keeps_its_keys_and_gains_the_answer_and_its_figures():
    made = Shaping().row({"id": 7, "answer": "古い"}, [ONE])
    assert made == {
        "id": 7,
        "answer": ONE.text,
        "finish_reason": "eos",
        "prompt_tokens": 3,
        "answer_tokens": 4,
    }


def test_several_answers_stand_in_a_list_beside_the_first():
    made = Shaping("json").row({}, [ONE, TWO])
    assert (made["answer"], made["extracted"]) == (ONE.text, None)
    assert made["answers"] == [ONE.text, TWO.text]
    assert made["all_extracted"] == [None, '{"名": "髙﨑", "数": [1, 2]}']


def test_a_line_of_json_keeps_japanese_as_it_is():
    (line,) = Shaping().lines({"prompt": "𠮷野"}, [ONE])
    assert "𠮷野" in line
    assert json.loads(line)["answer"] == ONE.text


def test_a_template_is_filled_once_an_answer():
    shaping = Shaping("first-line", "{id}\t{answer}\t{finish_reason} {{}}")
    record = {"id": 7, "tags": ["髙"]}
    assert shaping.lines(record, [ONE, TWO]) == [
        "7\t猫です。\teos {}",
        "7\t結果: ```json\tlength {}",
    ]
    assert Shaping(None, "{tags}").lines(record, [ONE]) == ['["髙"]']
    assert Shaping("regex:無い", "[{answer}]").lines(record, [ONE]) == ["[]"]


def test_without_a_template_the_text_is_the_part_that_is_asked_for():
    assert Shaping("first-line").text({}, ONE) == "猫です。"


@pytest.mark.parametrize(
    ("extract", "template", "said"),
    [
        ("third-line", None, "--extract third-line is not known"),
        ("regex:(", None, "is no regular expression"),
        (None, "{answer", "cannot be read"),
        (None, "{answer!r}", "is no name of a key"),
        (None, "{answer.__class__}", "is no name of a key"),
        (None, "{answer[0]}", "is no name of a key"),
        (None, "{}", "is no name of a key"),
        (None, "{answer:>9}", "is no name of a key"),
    ],
)
def test_what_cannot_be_followed_is_refused_at_once(extract, template, said):
    with pytest.raises(JloraError, match=said.replace("(", r"\(")):
        Shaping(extract, template)


def test_a_name_that_a_row_has_not_is_refused_with_its_place():
    with pytest.raises(JloraError) as refused:
        Shaping(None, "{id} {answer}").check(["prompt"], "rows.csv:3")
    assert refused.value.problem == "--output-template names {id}, which rows.csv:3 has not"
    Shaping(None, "{prompt} {answer} {prompt_tokens}").check(["prompt"], "rows.csv:3")
