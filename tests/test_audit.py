"""What a tokenizer makes of rows: measured, counted by hand here, and silent where all is well."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import sentencepiece

import jlora_cli
from jlora_cli.audit import (
    audit,
    brief,
    describe,
    describe_untrained,
    embedding_rows,
    parity,
    parity_texts,
    stock_note,
    stock_parity,
)
from jlora_cli.audit.figures import stay_text
from jlora_cli.cache import cache_folder, place
from jlora_cli.dataset import Example, Message
from jlora_cli.finding import SEVERITIES
from jlora_cli.messages import use_language
from jlora_cli.preparing import load_data
from jlora_cli.prompt import Prompter, choose_template, format_for
from jlora_cli.tokenizer import load_tokenizer
from tests.vocabularies import (
    CONFIGS,
    CORPUS,
    MODELS,
    byte_level,
    train_pieces,
    trained_on_corpus,
    write,
)

ROOT = Path(__file__).parents[1]
VECTORS = ROOT / ".." / "shared" / "vectors" / "models"
DEMO = Path(jlora_cli.__file__).parent / "assets" / "demo_base"
IDS = {
    "unknown-tokens",
    "newlines-lost",
    "spaces-lost",
    "case-folded",
    "special-tokens-in-text",
    "eos-is-pad",
    "eos-is-unk",
    "template-specials-split",
    "system-not-written",
    "ids-outside-embedding",
}
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder for each kind of vocabulary; not to be written into."""
    home = tmp_path_factory.mktemp("audit")
    made = {
        name: train_pieces(home / name, CONFIGS.get(name, {}) | {"do_lower_case": False}, **options)
        for name, options in MODELS.items()
        if name != "squeezing-bpe"
    }
    folding = {"normalization_rule_name": "nmt_nfkc_cf", "remove_extra_whitespaces": False}
    made["folding"] = train_pieces(home / "folding", {}, **MODELS["neox-nl"] | folding)
    config = {"tokenizer_class": "T5Tokenizer", "chat_template": TEMPLATE}
    made["templated"] = train_pieces(home / "templated", config, **MODELS["neox-nl"])
    made["bytes"] = home / "bytes"
    made["bytes"].mkdir()
    trained_on_corpus(byte_level(["<|endoftext|>"])).save(str(made["bytes"] / "tokenizer.json"))
    names = dict.fromkeys(("bos_token", "eos_token", "unk_token"), "<|endoftext|>")
    write(made["bytes"], "tokenizer_config.json", names)
    return made


def prompter_of(folder, template="none", **changes):
    tokenizer = load_tokenizer(folder)
    format = format_for(tokenizer, template, "org/name")
    return Prompter(tokenizer, dataclasses.replace(format, **changes))


def chat(asked, answer):
    return Example(messages=(Message("user", asked), Message("assistant", answer)))


def audited(prompter, *examples, embedding=None):
    rows = prompter.encode_examples(examples, max_length=10**6).rows
    return audit(prompter, examples, rows, embedding=embedding)


def ids_of(made):
    return [found.id for found in made.findings]


# --- a healthy run ---------------------------------------------------------------------------


def test_the_demo_rows_on_the_demo_base_are_left_in_peace():
    examples = load_data("demo").examples
    tokenizer = load_tokenizer(DEMO)
    prompter = prompter_of(DEMO, choose_template("auto", tokenizer, examples))
    made = audited(prompter, *examples, embedding=embedding_rows(DEMO))
    assert made.findings == []
    assert made.figures["unknown"]["per_thousand"] == 0.0
    assert made.figures["round_trip_share_but_width"] == 1.0
    assert made.figures["literals_stay_text"] is True
    ids = made.figures["special_ids"]
    assert (ids["distinct"], ids["inside_embedding"]) == (True, True)


def test_no_rows_are_no_fault(folders):
    made = audited(prompter_of(folders["rinna"]))
    assert made.findings == []
    assert made.figures["unknown"] == {
        "per_thousand": 0.0, "prompts": 0.0, "answers": 0.0, "characters": {},
    }  # fmt: skip
    assert (made.figures["round_trip_share"], made.figures["characters_per_token"]) == (1.0, 0.0)


def test_the_figures_are_json_and_every_line_for_a_person_has_a_name(folders):
    made = audited(prompter_of(folders["rinna"]), chat("髙﨑</s>", "猫\n🐈"))
    assert json.loads(json.dumps(made.figures)) == made.figures
    lines = describe(made.figures)
    assert [name for name, _ in lines] == [
        "unknown tokens", "unknown characters", "byte fallback", "characters per token",
        "round trip", "survives", "is lost", "control ids", "control tokens in the text",
    ]  # fmt: skip
    assert all(text for _, text in lines)
    use_language("ja")
    assert describe(made.figures)[0][0] == "未知語トークン"


def test_nothing_heavy_is_imported():
    code = (
        "import sys, jlora_cli.audit;"
        "heavy = {'torch', 'transformers', 'sentencepiece', 'tokenizers', 'numpy', 'rich'};"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


# --- unknown characters and bytes ------------------------------------------------------------


def test_unknown_tokens_are_those_of_raw_sentencepiece(folders):
    asked, answer = "髙﨑と🐈の話", "🐈は𠮷野家にいる🐈"
    raw = sentencepiece.SentencePieceProcessor(model_file=str(folders["rinna"] / "spiece.model"))
    prompts, answers = raw.encode(asked), raw.encode(asked + answer)[len(raw.encode(asked)) :]
    made = audited(prompter_of(folders["rinna"]), chat(asked, answer))
    unknown = made.figures["unknown"]
    # The row is prompt, answer and the end token, which is trained with the answer.
    assert unknown["prompts"] == round(1000 * prompts.count(0) / len(prompts), 2) > 0
    assert unknown["answers"] == round(1000 * answers.count(0) / (len(answers) + 1), 2) > 0
    total = prompts.count(0) + answers.count(0)
    assert unknown["per_thousand"] == round(1000 * total / (len(prompts) + len(answers) + 1), 2)
    assert unknown["characters"]["🐈"] == 3
    assert unknown["characters"].keys() >= {"🐈", "髙", "﨑", "𠮷"}
    assert "猫" not in unknown["characters"]


def test_many_unknown_tokens_are_told_with_the_commonest_first(folders):
    (found,) = audited(prompter_of(folders["rinna"]), chat("猫", "🐈🐈𠮷")).findings
    assert (found.id, found.severity) == ("unknown-tokens", "warning")
    assert ": 🐈 2, 𠮷 1" in found.evidence
    assert "prompts 0.0" in found.evidence
    assert found.remedy


def test_few_unknown_tokens_are_only_counted(folders):
    rows = [chat("吾輩は猫である。", "名前はまだ無い。")] * 99 + [
        chat("吾輩は猫🐈である。", "名前")
    ]
    made = audited(prompter_of(folders["rinna"]), *rows)
    assert made.findings == []
    assert 0 < made.figures["unknown"]["per_thousand"] < 5
    assert made.figures["unknown"]["characters"] == {"🐈": 1}


def test_unknown_characters_of_the_template_are_named(folders):
    made = audited(prompter_of(folders["rinna"], "chat-markdown"), chat("猫", "吾輩"))
    assert "#" in made.figures["unknown"]["characters"]  # "### User:", and "#" is no piece
    assert "/" not in made.figures["unknown"]["characters"]  # "</s>" is written by its id


def test_bytes_leave_nothing_unknown_and_are_counted(folders):
    prompter = prompter_of(folders["neox"])
    made = audited(prompter, chat("猫", "🐈"))
    # 猫 is a piece; 🐈 are four bytes; the end.
    (row,) = prompter.encode_examples([chat("猫", "🐈")], max_length=99).rows
    pieces = prompter.tokenizer.pieces(row.ids)
    in_bytes = [piece for piece in pieces if piece.startswith("<0x")]
    assert in_bytes == ["<0xF0>", "<0x9F>", "<0x90>", "<0x88>"]
    assert made.figures["byte_fallback_share"] == round(4 / len(pieces), 4)
    assert made.figures["unknown"]["per_thousand"] == 0.0
    assert made.findings == []


def test_parts_of_characters_count_as_bytes_in_a_byte_level_vocabulary(folders):
    prompter = prompter_of(folders["bytes"])
    assert audited(prompter, chat("a", "b")).figures["byte_fallback_share"] == 0.0
    made = audited(prompter, chat("a", "𠮷"))
    assert made.figures["byte_fallback_share"] == round(4 / 6, 4)  # a, four bytes, the end


def test_an_id_that_the_template_writes_is_not_counted_as_unknown(folders):
    made = audited(prompter_of(folders["rinna"], eos_id=0, turn_end_id=0), chat("猫", "🐈"))
    assert made.figures["unknown"]["per_thousand"] is None
    assert made.figures["unknown"]["characters"] == {"🐈": 1}
    assert "cannot be counted" in describe(made.figures)[0][1]
    assert "cannot be counted" in brief(made.figures)


def test_characters_per_token_are_those_of_the_data(folders):
    text = "吾輩は猫である。"
    tokenizer = load_tokenizer(folders["neox"])
    made = audited(prompter_of(folders["neox"]), chat(text, text))
    assert made.figures["characters_per_token"] == round(8 / len(tokenizer.encode(text)), 2)


# --- a base for another language, and questions that are trained too ----------------------------

NOVEL = (
    "吾輩は猫である。名前はまだ無い。どこで生れたか頓と見当がつかぬ。何でも薄暗いじめじめした所で"
    "ニャーニャー泣いて居た事丈は記憶して居る。吾輩はこゝで始めて人間といふものを見た。髙﨑𠮷🐈ｶﾞ"
)


@pytest.fixture
def foreign(tmp_path):
    """A byte-level vocabulary that has seen English alone, as GPT-2's."""
    tokenizer, trainer = byte_level(["<|endoftext|>"])
    tokenizer.train_from_iterator(["The cat has no name yet. I am a cat."] * 9, trainer)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    write(tmp_path, "tokenizer_config.json", {"eos_token": "<|endoftext|>"})
    return tmp_path


def test_a_vocabulary_that_spells_japanese_in_bytes_is_not_made_for_it(foreign):
    rows = [chat(NOVEL, NOVEL) for _ in range(8)]  # 96 letters twice in each: above 1,000
    (found,) = audited(prompter_of(foreign), *rows).findings
    assert (found.id, found.severity) == ("model-not-for-language", "warning")
    # Three bytes a character, nearly all of them tokens of their own.
    assert "0.3" in found.evidence
    assert ids_of(audited(prompter_of(foreign), rows[0])) == []  # too little to judge
    english = [chat("What is your name?", "I have no name yet. " * 20) for _ in range(8)]
    assert ids_of(audited(prompter_of(foreign), *english)) == []


def test_a_japanese_vocabulary_is_for_the_language(folders):
    rows = [chat(line, line) for line in CORPUS * 2]
    made = audited(prompter_of(folders["llama"]), *rows)
    assert sum(map(len, CORPUS)) * 4 > 1000
    assert made.figures["characters_per_token"] > 0.8
    assert "model-not-for-language" not in ids_of(made)


@pytest.mark.parametrize(
    "text",
    [
        "### 指示:\n要約して\n\n### 回答:\n短い。",
        "### User:\n猫は？\n\n### Assistant:\nにゃ",
        "ユーザー: 猫は？\nシステム: にゃ",
        "[INST] 猫は？ [/INST] にゃ",
        "<|im_start|>user\n猫<|im_end|>\n<|im_start|>assistant\nにゃ",
    ],
)
def test_a_text_that_holds_its_question_is_told(text, folders):
    rows = [Example(text=text), Example(text="吾輩は猫である。")]
    found = {f.id: f for f in audited(prompter_of(folders["bytes"]), *rows).findings}
    assert "1 of 2 texts" in found["prompts-supervised"].evidence
    assert found["prompts-supervised"].severity == "warning"


def test_a_heading_here_and_there_is_no_question(folders):
    rows = [Example(text="### 回答:\n短い。"), *[Example(text="吾輩は猫である。")] * 4]
    assert ids_of(audited(prompter_of(folders["bytes"]), *rows)) == []
    conversation = chat("### 回答:\n猫", "にゃ")  # its question is masked
    assert ids_of(audited(prompter_of(folders["bytes"]), conversation)) == []


# --- the end token's embedding -------------------------------------------------------------------


def save_embedding(folder, name, rows, file="model.safetensors"):
    import torch
    from safetensors.torch import save_file

    folder.mkdir(exist_ok=True)
    save_file(
        {name: torch.tensor(rows, dtype=torch.bfloat16), "other": torch.ones(2)}, folder / file
    )
    return folder


@pytest.mark.parametrize("name", ["lm_head.weight", "transformer.wte.weight"])
def test_an_embedding_row_of_zeros_was_never_trained(name, tmp_path):
    folder = save_embedding(tmp_path, name, [[1.0, 2.0], [0.0, 0.0], [3.0, 4.0]])
    assert describe_untrained(folder, 1, [0, 1, 2]) == "all zeros"
    assert describe_untrained(folder, 2, [0, 1, 2]) == ""


def test_an_embedding_row_like_that_of_another_special_token_was_never_trained(tmp_path):
    folder = save_embedding(tmp_path, "lm_head.weight", [[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]])
    assert describe_untrained(folder, 2, [0, 1, 2]) == "the same as of token 0"
    assert describe_untrained(folder, 2, [1]) == ""


def test_the_output_embedding_counts_where_a_model_has_two(tmp_path):
    save_embedding(tmp_path, "gpt_neox.embed_in.weight", [[0.0, 0.0]], "a.safetensors")
    save_embedding(tmp_path, "embed_out.weight", [[1.0, 2.0]], "b.safetensors")
    assert describe_untrained(tmp_path, 0, []) == ""


def test_without_weights_or_with_damaged_ones_nothing_is_told(tmp_path):
    assert describe_untrained(tmp_path, 0, [1]) == ""
    for number, content in enumerate((b"", b"\x00", b"\xff" * 9, b"\x02" + b"\0" * 7 + b"[]")):
        (tmp_path / f"{number}.safetensors").write_bytes(content)
    assert describe_untrained(tmp_path, 0, [1]) == ""
    folder = save_embedding(tmp_path / "small", "lm_head.weight", [[1.0, 2.0]])
    assert describe_untrained(folder, 7, [0]) == ""


# --- what survives ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        # rinna's options squeeze white space, and its normalizer is NFKC.
        ("rinna", {"newlines", "spaces", "tabs", "indentation", "case", "width"}),
        ("neox", {"newlines", "tabs", "indentation", "width"}),
        ("neox-nl", {"tabs", "width"}),
        ("llama", set()),
        ("bilingual", set()),
        ("folding", {"tabs", "case", "width"}),
        ("bytes", set()),
    ],
)
def test_what_survives_is_measured(name, lost, folders):
    survives = audited(prompter_of(folders[name]), chat("猫", "吾輩")).figures["survives"]
    assert len(survives) == 6
    assert {what for what, kept in survives.items() if not kept} == lost


def test_lost_newlines_matter_where_answers_have_some(folders):
    two, one = chat("猫", "吾輩は\n猫"), chat("吾\n輩", "猫")
    (found,) = audited(prompter_of(folders["neox"]), two, one, one).findings
    assert (found.id, found.severity) == ("newlines-lost", "warning")
    assert "of 3 rows 3 have some, 1 in answers" in found.evidence
    (noted,) = audited(prompter_of(folders["neox"]), one).findings
    assert (noted.id, noted.severity) == ("newlines-lost", "note")
    assert audited(prompter_of(folders["neox-nl"]), two).findings == []


def test_a_plain_text_is_an_answer(folders):
    made = audited(prompter_of(folders["neox"]), Example(text="吾輩は\n猫である。"))
    assert ids_of(made) == ["newlines-lost"]
    assert made.figures["round_trip_share"] == 0.0


def test_lost_spaces_and_tabs_are_named(folders):
    rows = [chat("猫", "吾輩  は"), chat("猫", "a\tb"), chat("a  b", "猫")]
    found = {f.id: f for f in audited(prompter_of(folders["rinna"]), *rows).findings}
    assert "loses runs of spaces, tabs; 1 of 3 answers" in found["spaces-lost"].evidence
    assert "spaces-lost" not in ids_of(audited(prompter_of(folders["rinna"]), rows[2]))
    assert ids_of(audited(prompter_of(folders["llama"]), *rows)) == []


@pytest.mark.parametrize("rule", [True, False], ids=["by rule", "by the normalizer"])
def test_folded_capitals_are_told_where_rows_have_some(rule, folders):
    name, changes = ("neox-nl", {"lower_case": True}) if rule else ("folding", {})
    prompter = prompter_of(folders[name], **changes)
    rows = [chat("LoRA", "猫"), chat("猫", "Ａ１"), chat("猫", "lora")]
    (found,) = audited(prompter, *rows).findings
    assert found.id == "case-folded"
    assert "2 of 3 rows have some (1 in answers)" in found.evidence
    assert audited(prompter, rows[2]).findings == []
    assert audited(prompter_of(folders["neox-nl"]), *rows).findings == []


def test_round_trips_are_counted_by_row_and_but_for_the_width(folders):
    rows = [chat("猫", "吾輩"), chat("猫", "Ａ１"), chat("Ａ１", "a\tb"), chat("<NL>\n", "猫")]
    figures = audited(prompter_of(folders["neox-nl"]), *rows).figures
    assert (figures["round_trip_share"], figures["round_trip_share_but_width"]) == (0.5, 0.75)


def test_of_many_rows_some_are_sent_round(folders, monkeypatch):
    monkeypatch.setattr("jlora_cli.audit.figures._ROUND_TRIPS", 10)
    rows = [chat("猫", "Ａ" if number % 2 else "a") for number in range(55)]
    figures = audited(prompter_of(folders["neox-nl"]), *rows).figures
    assert (figures["round_trip_rows"], figures["round_trip_share"]) == (10, 0.5)


# --- control tokens --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spelling",
    ["</s>", "＜／ｓ＞", "</S>", "[PAD]", "［ＰＡＤ］", "<0x0A>", "<|im_start|>", "＜｜im_end｜＞",
     "[INST]", "<start_of_turn>"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["rinna", "neox-nl", "llama", "bytes"])
def test_control_tokens_spelled_out_are_found_as_written_and_stay_text(spelling, name, folders):
    prompter = prompter_of(folders[name])
    made = audited(prompter, chat(f"これは{spelling}です", "猫"), chat("猫", "吾輩"))
    (found,) = (f for f in made.findings if f.id == "special-tokens-in-text")
    assert f"1 of 2 rows spell control tokens out in their text: {spelling} 1" in found.evidence
    assert made.figures["special_literals"] == {spelling: 1}
    assert made.figures["literals_stay_text"] is True


def test_a_row_counts_once_for_each_spelling(folders):
    rows = [chat("</s></s>", "[PAD]"), chat("猫", "</s>")]
    made = audited(prompter_of(folders["llama"]), *rows)
    assert made.figures["special_literals"] == {"</s>": 2, "[PAD]": 1}
    assert "2 of 2 rows" in made.findings[-1].evidence


@pytest.mark.parametrize(
    "text", ["1 < 2 > 0", "[猫]", "<b>太字</b>", "a[0]", "＜注＞", "<|>", "s>"]
)
def test_ordinary_brackets_are_no_control_tokens(text, folders):
    made = audited(prompter_of(folders["neox-nl"]), chat(text, "猫"))
    assert made.figures["special_literals"] == {}
    assert made.findings == []


def test_a_spelling_that_became_a_control_id_would_be_seen(folders):
    prompter = prompter_of(folders["neox-nl"])
    end = prompter.tokenizer.eos_id
    prompter.tokenizer.encode_batch = lambda texts: [[end] if "</s>" in t else [9] for t in texts]
    assert stay_text(prompter, {"</s>": 1}) is False
    assert stay_text(prompter, {"[PAD]": 1}) is True


def test_ids_that_fall_together_are_told(folders):
    prompter = prompter_of(folders["rinna"])
    prompter.tokenizer.pad_id = prompter.tokenizer.eos_id
    made = audited(prompter, chat("猫", "吾輩"))
    assert ids_of(made) == ["eos-is-pad"]
    assert "same id 2" in made.findings[0].evidence
    assert made.figures["special_ids"]["distinct"] is False
    prompter.tokenizer.unk_id, prompter.tokenizer.pad_id = 2, None
    assert ids_of(audited(prompter, chat("猫", "吾輩"))) == ["eos-is-unk"]


def test_one_token_for_every_role_is_no_fault_where_bytes_leave_nothing_unknown(folders):
    prompter = prompter_of(folders["bytes"])
    assert prompter.tokenizer.unk_id == prompter.tokenizer.eos_id == 0
    made = audited(prompter, chat("髙﨑", "🐈"))
    assert made.findings == []
    assert made.figures["unknown"]["per_thousand"] == 0.0


def test_ids_outside_the_embedding_are_an_error(folders):
    prompter = prompter_of(folders["neox-nl"])
    size = prompter.tokenizer.size
    assert audited(prompter, chat("猫", "吾輩"), embedding=size).findings == []
    made = audited(prompter, chat("猫", "吾輩"), embedding=3)
    (found,) = made.findings
    assert (found.id, found.severity) == ("ids-outside-embedding", "error")
    assert f"{size} ids" in found.evidence
    assert made.figures["special_ids"]["inside_embedding"] is False  # EOS is 3
    assert "outside the embedding" in dict(describe(made.figures))["control ids"]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('{"vocab_size": 7}', 7),
        ('{"text_config": {"vocab_size": 9}}', 9),
        ("{}", None),
        ('{"vocab_size": "7"}', None),
        ("[]", None),
        ("{", None),
        (None, None),
    ],
)
def test_the_embedding_is_as_config_json_tells_it(text, rows, tmp_path):
    if text is not None:
        (tmp_path / "config.json").write_text(text, encoding="utf-8")
    assert embedding_rows(tmp_path) == rows


def test_a_templates_tokens_that_the_vocabulary_lacks_are_told(folders):
    prompter = prompter_of(folders["templated"], "model")
    made = audited(prompter, chat("猫", "吾輩"))
    pieces = len(prompter.tokenizer.encode("<|im_start|>"))
    assert pieces > 1
    assert made.figures["template_specials_split"] == {"<|im_start|>": pieces}
    (found,) = made.findings
    assert found.id == "template-specials-split"
    assert f"<|im_start|> ({pieces})" in found.evidence


def passing_over_system(prompter):
    """The same with a sentence of its own for every system message, as llm-jp-3's template."""
    own = "{% for m in messages %}{% if m.role == 'system' %}指示です。{% else %}"
    template = own + "{{ m.content }}</s>{% endif %}{% endfor %}"
    return Prompter(
        prompter.tokenizer, dataclasses.replace(prompter.format, chat_template=template)
    )


def with_persona(example):
    return dataclasses.replace(
        example, messages=(Message("system", "猫として話す"), *example.messages)
    )


def test_system_messages_that_the_template_passes_over_are_told(folders):
    prompter, exchange = prompter_of(folders["templated"], "model"), chat("猫", "吾輩")
    persona = with_persona(exchange)

    def told(prompter, *examples):
        return [f for f in audited(prompter, *examples).findings if f.id == "system-not-written"]

    (found,) = told(passing_over_system(prompter), persona, persona, exchange)
    assert found.evidence.startswith("2 rows have a system message")
    assert not told(passing_over_system(prompter), exchange)
    assert not told(prompter, persona)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_finding_says_what_it_does_and_what_to_do(language, folders):
    use_language(language)
    prompter = prompter_of(folders["rinna"], lower_case=True)
    prompter.tokenizer.pad_id = prompter.tokenizer.unk_id = prompter.tokenizer.eos_id
    made = audited(prompter, chat("A", "🐈\n  </s>"), embedding=2).findings
    templated = prompter_of(folders["templated"], "model")
    made += audited(templated, chat("猫", "吾輩")).findings
    made += audited(passing_over_system(templated), with_persona(chat("猫", "吾輩"))).findings
    assert {found.id for found in made} == IDS
    for found in made:
        assert found.severity == SEVERITIES[found.id]
        assert all([found.evidence, found.consequence, found.remedy])


# --- the stock class -------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("JLORA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_parity_texts_are_probes_and_200_rows_as_trained(folders):
    prompter = prompter_of(folders["neox-nl"])
    rows = [chat(f"猫{number}", "吾輩\n🐈") for number in range(1000)]
    texts = parity_texts(prompter, rows)
    probes = parity_texts(prompter, [])
    assert texts[: len(probes)] == probes
    assert texts[len(probes)] == "猫0<NL>吾輩<NL>🐈"
    assert texts[-1] == "猫995<NL>吾輩<NL>🐈"
    assert len(texts) == len(probes) + 200
    assert {"</s>", "＜／ｓ＞"} <= {*probes}


def test_the_stock_class_is_compared_once_and_the_result_kept(folders, cache):
    tokenizer = load_tokenizer(folders["rinna"])
    texts = ["吾輩は猫である。", "髙﨑と🐈", "</s>"]
    measured = stock_parity(tokenizer, texts)
    # transformers 5 makes the unknown token, and a typed </s>, the end token.
    assert (measured["class"], measured["texts"]) == ("T5Tokenizer", 3)
    assert 2 <= measured["differ"] <= 3
    (kept,) = (cache / "stock-parity").iterdir()
    assert measured["transformers"] in kept.name
    kept.write_text(json.dumps(measured | {"differ": 77}), encoding="utf-8")
    assert stock_parity(tokenizer, texts)["differ"] == 77
    kept.write_text("{", encoding="utf-8")
    assert stock_parity(tokenizer, texts) == measured
    assert "would give other ids for" in stock_note(measured)
    assert "same ids for all 3 texts" in stock_note(measured | {"differ": 0})


def test_another_class_in_the_configuration_is_another_tokenizer(folders, tmp_path):
    model = (folders["rinna"] / "spiece.model").read_bytes()
    made = []
    for name in ("T5Tokenizer", "LlamaTokenizer"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "spiece.model").write_bytes(model)
        write(folder, "tokenizer_config.json", {"tokenizer_class": name})
        made.append(load_tokenizer(folder))
    assert made[0].fingerprint == made[1].fingerprint
    assert parity._identity(made[0]) != parity._identity(made[1])


def test_a_class_that_transformers_cannot_load_is_told_and_not_kept(folders, cache, tmp_path):
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "odd.model").write_bytes((folders["rinna"] / "spiece.model").read_bytes())
    write(folder, "tokenizer_config.json", {"tokenizer_class": "NoSuchTokenizer"})
    measured = stock_parity(load_tokenizer(folder), ["猫"])
    assert measured.keys() == {"reason", "transformers"}
    assert stock_note(measured).startswith("not compared with the stock class: ")
    assert not cache.exists()


def test_without_transformers_nothing_is_compared(folders, cache, monkeypatch):
    def missing(name):
        raise parity.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(parity, "metadata", SimpleNamespace(
        version=missing, PackageNotFoundError=parity.metadata.PackageNotFoundError
    ))  # fmt: skip
    measured = stock_parity(load_tokenizer(folders["rinna"]), ["猫"])
    assert "transformers is not installed" in stock_note(measured)


def test_a_cache_that_cannot_be_written_is_done_without(folders, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("JLORA_CACHE", str(tmp_path / "file"))
    assert stock_parity(load_tokenizer(folders["llama"]), ["猫"])["texts"] == 1


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"JLORA_CACHE": "/own"}, "/own"),
        ("linux", {}, "/home/猫/.cache/jlora"),
        ("linux", {"XDG_CACHE_HOME": "/var/猫"}, "/var/猫/jlora"),
        ("darwin", {}, "/home/猫/Library/Caches/jlora"),
        ("win32", {}, "/home/猫/AppData/Local/jlora"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/jlora"),
    ],
)
def test_the_cache_stands_where_the_platform_keeps_one(platform, variables, expected, monkeypatch):
    for name in ("JLORA_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(place.sys, "platform", platform)
    monkeypatch.setattr(place.Path, "home", lambda: Path("/home/猫"))
    assert cache_folder() == Path(expected)


# --- real vocabularies -----------------------------------------------------------------------


@pytest.mark.skipif(not VECTORS.is_dir(), reason="the shared vocabularies are not beside")
def test_lower_casing_halves_what_rinna_does_not_know():
    rows = [chat("CPU と GPU の違いは？", "CPU は汎用、GPU は並列。"), chat("AI", "LoRA")]
    whole, lower = (
        audited(prompter_of(VECTORS / "rinna_gpt2", lower_case=lower), *rows)
        for lower in (False, True)
    )
    assert whole.figures["unknown"]["characters"].keys() >= {"P", "U", "G"}
    assert lower.figures["unknown"]["per_thousand"] < whole.figures["unknown"]["per_thousand"] / 2
    assert ids_of(whole) == ["unknown-tokens"]
    assert "case-folded" in ids_of(lower)
