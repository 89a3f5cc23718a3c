"""Labels cover the answer and its end, prompts are those of the training, user text stays text."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jlora_cli.dataset import Example, Message
from jlora_cli.errors import JloraError
from jlora_cli.messages import use_language
from jlora_cli.prompt import (
    CARD_NAME,
    IGNORED,
    Encoded,
    Prompter,
    PromptFormat,
    TextRules,
    choose_template,
    differs_from_own,
    format_for,
    read_card,
    read_rules,
    rules_for,
)
from jlora_cli.prompt.templates import compile_template
from jlora_cli.recipe import wants_lower_case
from jlora_cli.tokenizer import load_tokenizer
from tests.character_tokenizer import CharacterTokenizer, marked
from tests.vocabularies import (
    BYTES,
    CONFIGS,
    FAITHFUL,
    MODELS,
    byte_level,
    train_pieces,
    trained_on_corpus,
    write,
)

# --- the templates that models bring -------------------------------------------------------

# In the style of rinna's 3.6B instruction models, whose newline is the piece <NL>; with EOS.
RINNA = (
    "{% for m in messages %}"
    "{% if m.role == 'user' %}ユーザー: {{ m.content }}<NL>"
    "{% elif m.role == 'assistant' %}システム: {{ m.content }}</s><NL>"
    "{% else %}{{ m.content }}<NL>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}システム: {% endif %}"
)
# The same as the model's card writes it: speakers joined by <NL>, and no end token anywhere.
RINNA_WITHOUT_END = RINNA.replace("</s>", "")
CHATML = (
    "{% for message in messages %}"
    "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
# Qwen3 leaves the thoughts of earlier turns out.
QWEN3 = (
    "{%- for message in messages %}"
    "{%- set content = message.content %}"
    "{%- if message.role == 'assistant' and not loop.last %}"
    "{%- set content = content.split('</think>')[-1].lstrip('\\n') %}{%- endif %}"
    "{{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>\\n' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
# Its newest: an answer of the last turn begins with a thought, an empty one where none is given.
QWEN3_THOUGHT = QWEN3.replace(
    "{{- '<|im_start|>' + message.role + '\\n' + content",
    "{%- if message.role == 'assistant' and loop.last %}"
    "{%- set content = '<think>\\n\\n</think>\\n\\n' + content %}{%- endif %}"
    "{{- '<|im_start|>' + message.role + '\\n' + content",
)
# As llm-jp-4 writes the day, and as Llama 3.2 does.
DATED = 'Today: {{ strftime_now("%Y-%m-%d") }}\n' + CHATML
GUARDED = (
    "{%- if strftime_now is defined %}{%- set day = strftime_now('%d %b %Y') %}"
    "{%- else %}{%- set day = '26 Jul 2024' %}{%- endif %}Today: {{ day }}\n" + CHATML
)
# As google/gemma-2-2b-it brings it.
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/...') }}{% endif %}"
    "{% if (message['role'] == 'assistant') %}{% set role = 'model' %}"
    "{% else %}{% set role = message['role'] %}{% endif %}"
    "{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\\n'}}{% endif %}"
)
# As meta-llama/Llama-2-7b-chat-hf brings it, its check of the roles' order left out.
LLAMA2 = (
    "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}"
    "{% set system_message = messages[0]['content'] %}"
    "{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}"
    "{% for message in loop_messages %}"
    "{% if loop.index0 == 0 and system_message != false %}"
    "{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}"
    "{% else %}{% set content = message['content'] %}{% endif %}"
    "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}"
    "{% endif %}{% endfor %}"
)
TIGHT = (
    "{% for m in messages %}{% if m.role == 'assistant' %}回答: {{ m.content }}{{ eos_token }}"
    "{% else %}質問:{{ m.content }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}回答: {% endif %}"
)

SYSTEM = Message("system", "猫です。")
FIRST, SECOND = Message("user", "髙﨑さんは？"), Message("user", "ｶﾞ とＡ１\nは？")
TALK = (FIRST, Message("assistant", "はい。\n🐈"), SECOND, Message("assistant", "𠮷野家"))


def chatml(template):
    """A tokenizer that brings `template`, with the control tokens that it writes."""
    return CharacterTokenizer(
        "<|im_start|>", "<|im_end|>", eos="<|im_end|>", chat_template=template
    )


def prompter_of(tokenizer, template="model", model="org/name"):
    return Prompter(tokenizer, format_for(tokenizer, template, model))


def sequences(prompter, messages, *, train_on="all", max_length=10**6, input=""):
    example = Example(messages=tuple(messages), input=input, origin="train.jsonl:3")
    return prompter.encode_examples([example], max_length=max_length, train_on=train_on).rows


def texts(prompter, messages, **how):
    rows = sequences(prompter, messages, **how)
    return [marked(prompter.tokenizer, row) for row in rows]


TOKENIZERS = {
    "rinna": CharacterTokenizer("<s>", "</s>", "[PAD]", chat_template=RINNA, newline="nl"),
    "chatml": CharacterTokenizer(
        "<|im_start|>", "<|im_end|>", "<|endoftext|>", eos="<|endoftext|>", chat_template=CHATML
    ),
    "gemma": CharacterTokenizer(
        "<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>",
        eos="<eos>", bos="<bos>", chat_template=GEMMA,
    ),
    "llama2": CharacterTokenizer("<unk>", "<s>", "</s>", bos="<s>", chat_template=LLAMA2),
}  # fmt: skip
PLAIN = CharacterTokenizer("<s>", "</s>", "[PAD]")


# --- what is trained -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tokenizer", "template", "expected"),
    [
        (
            PLAIN,
            "chat-markdown",
            "### User:\n髙﨑さんは？\n\n### Assistant:\n⟦はい。\n🐈</s>⟧\n\n"
            "### User:\nｶﾞ とＡ１\nは？\n\n### Assistant:\n⟦𠮷野家</s>⟧",
        ),
        (
            PLAIN,
            "alpaca-ja",
            "### 指示:\n髙﨑さんは？\n\n### 回答:\n⟦はい。\n🐈</s>⟧\n\n"
            "### 指示:\nｶﾞ とＡ１\nは？\n\n### 回答:\n⟦𠮷野家</s>⟧",
        ),
        (PLAIN, "none", "髙﨑さんは？⟦はい。\n🐈</s>⟧ｶﾞ とＡ１\nは？⟦𠮷野家</s>⟧"),
        (
            TOKENIZERS["rinna"],
            "model",
            "ユーザー: 髙﨑さんは？<NL>システム: ⟦はい。<NL>🐈</s>⟧<NL>"
            "ユーザー: ｶﾞ とＡ１<NL>は？<NL>システム: ⟦𠮷野家</s>⟧",
        ),
        (
            TOKENIZERS["chatml"],
            "model",
            "<|im_start|>user\n髙﨑さんは？<|im_end|>\n"
            "<|im_start|>assistant\n⟦はい。\n🐈<|im_end|>⟧\n"
            "<|im_start|>user\nｶﾞ とＡ１\nは？<|im_end|>\n"
            "<|im_start|>assistant\n⟦𠮷野家<|im_end|>⟧",
        ),
        (
            TOKENIZERS["gemma"],
            "model",
            "<bos><start_of_turn>user\n髙﨑さんは？<end_of_turn>\n"
            "<start_of_turn>model\n⟦はい。\n🐈<end_of_turn>⟧\n"
            "<start_of_turn>user\nｶﾞ とＡ１\nは？<end_of_turn>\n"
            "<start_of_turn>model\n⟦𠮷野家<end_of_turn>⟧",
        ),
        (
            TOKENIZERS["llama2"],
            "model",
            "<s>[INST] 髙﨑さんは？ [/INST]⟦ はい。\n🐈 </s>⟧"
            "<s>[INST] ｶﾞ とＡ１\nは？ [/INST]⟦ 𠮷野家 </s>⟧",
        ),
    ],
    ids=["chat-markdown", "alpaca-ja", "none", "rinna", "chatml", "gemma", "llama2"],
)
def test_every_answer_and_its_end_are_trained_and_nothing_else(tokenizer, template, expected):
    prompter = prompter_of(tokenizer, template)
    assert texts(prompter, TALK) == [expected]
    # The last turn alone: the same ids, and the mark is gone from the first answer.
    before, _, last = expected.rpartition("⟦")
    only_last = before.replace("⟦", "").replace("⟧", "") + "⟦" + last
    assert texts(prompter, TALK, train_on="last") == [only_last]


@pytest.mark.parametrize(
    ("name", "turn_end"),
    [
        ("rinna", "</s>"),
        ("chatml", "<|im_end|>"),
        ("gemma", "<end_of_turn>"),
        ("llama2", "</s>"),
    ],
)
def test_generation_stops_at_the_turn_end_and_at_eos(name, turn_end):
    tokenizer = TOKENIZERS[name]
    prompter = prompter_of(tokenizer)
    assert prompter.format.turn_end_id == tokenizer.special_ids[turn_end]
    assert prompter.stop_ids == {tokenizer.special_ids[turn_end], tokenizer.eos_id}


def test_a_template_without_an_end_trains_eos_behind_the_bare_answer():
    tokenizer = CharacterTokenizer("</s>", chat_template=RINNA_WITHOUT_END, newline="nl")
    assert texts(prompter_of(tokenizer), TALK) == [
        "ユーザー: 髙﨑さんは？<NL>システム: ⟦はい。<NL>🐈</s>⟧",
        "ユーザー: 髙﨑さんは？<NL>システム: はい。<NL>🐈<NL>"
        "ユーザー: ｶﾞ とＡ１<NL>は？<NL>システム: ⟦𠮷野家</s>⟧",
    ]


def test_turn_end_is_found_whatever_words_a_template_adds():
    tail = "<|終|>\n良いですか。い{% endif %}{% endfor %}"
    template = "{% for m in messages %}{% if m.role == 'user' %}Q{% else %}{{ m.content | tojson }}"
    tokenizer = CharacterTokenizer(
        "<s>", "</s>", "<|終|>", bos="<s>", chat_template=template + tail
    )
    assert prompter_of(tokenizer).format.turn_end_id == tokenizer.special_ids["<|終|>"]


def test_a_template_that_hides_answers_falls_back_to_eos():
    tokenizer = CharacterTokenizer(
        "<s>", "</s>", bos="<s>", chat_template="<s>{{ messages | length }}"
    )
    prompter = prompter_of(tokenizer)
    assert prompter.format.turn_end_id == tokenizer.eos_id
    assert texts(prompter, TALK[:2]) == ["<s>1⟦はい。\n🐈</s>⟧"]


def test_an_end_token_that_is_no_literal_is_trained_by_its_id():
    tokenizer = CharacterTokenizer("<s>", chat_template=TIGHT)
    tokenizer.eos_id = tokenizer.encode("。")[0]  # as a file may name an ordinary piece
    prompter = prompter_of(tokenizer)
    assert texts(prompter, [FIRST, Message("assistant", "はい")]) == [
        "質問:髙﨑さんは？回答: ⟦はい。⟧"
    ]
    (row,) = sequences(prompter, TALK)
    assert row.labels.count(tokenizer.eos_id) == 3  # two ends and the one inside はい。


def test_system_line_and_input_stand_where_the_template_puts_them():
    prompter = prompter_of(PLAIN, "alpaca-ja")
    turn = Message("user", "要約して\n\n長い\n\n文章")
    messages = (SYSTEM, turn, Message("assistant", "短文"))
    expected = "猫です。\n\n### 指示:\n要約して\n\n### 入力:\n長い\n\n文章\n\n### 回答:\n⟦短文</s>⟧"
    assert texts(prompter, messages, input="長い\n\n文章") == [expected]
    prompt = prompter.prompt_ids(messages[:2], input="長い\n\n文章")
    assert sequences(prompter, messages, input="長い\n\n文章")[0].ids[: len(prompt)] == prompt
    assert "入力" not in texts(prompter, messages)[0]


def test_a_text_row_trains_every_token_and_eos():
    prompter = prompter_of(TOKENIZERS["llama2"])
    rows = prompter.encode_examples([Example(text="吾輩は\n</s>猫")], max_length=100).rows
    assert [marked(prompter.tokenizer, row) for row in rows] == ["<s>⟦吾輩は\n</s>猫</s>⟧"]
    assert rows[0].ids.count(prompter.tokenizer.eos_id) == 1
    assert rows[0].supervised == 10  # 吾輩は, newline, four of "</s>", 猫 and EOS
    assert prompter_of(PLAIN, "none").encode_examples([Example(text="猫")], max_length=9).rows == [
        Encoded([*PLAIN.encode("猫"), 1], [*PLAIN.encode("猫"), 1])
    ]


def test_supervised_counts_what_the_loss_can_see():
    assert Encoded([5, 6, 7], [5, IGNORED, 7]).supervised == 1  # the first is never predicted


def test_thoughts_of_earlier_turns_are_left_out_as_at_inference():
    tokenizer = CharacterTokenizer(
        "<|im_start|>", "<|im_end|>", eos="<|im_end|>", chat_template=QWEN3
    )
    prompter = prompter_of(tokenizer)
    answers = [f"<think>\n考え{i}\n</think>\n\n答え{i}" for i in range(3)]
    talk = [m for i, a in enumerate(answers) for m in (Message("user", f"問{i}"),
                                                       Message("assistant", a))]  # fmt: skip
    rows = sequences(prompter, talk)
    assert len(rows) == 3
    for number, row in enumerate(rows):
        prompt = prompter.prompt_ids(talk[: 2 * number + 1])
        answer = [*tokenizer.encode(answers[number]), tokenizer.eos_id]
        assert row.ids == prompt + answer
        assert row.labels == [IGNORED] * len(prompt) + answer
    assert "考え0" not in marked(tokenizer, rows[1])
    assert sequences(prompter, talk, train_on="last") == rows[2:]


def test_a_generation_prompt_that_history_lacks_stands_before_each_answer():
    template = CHATML.replace("assistant\\n' }}", "assistant\\n<思>\\n' }}")
    tokenizer = CharacterTokenizer(
        "<|im_start|>", "<|im_end|>", eos="<|im_end|>", chat_template=template
    )
    shown = texts(prompter_of(tokenizer), TALK)
    assert len(shown) == 2
    assert shown[1].endswith("は？<|im_end|>\n<|im_start|>assistant\n<思>\n⟦𠮷野家<|im_end|>⟧")
    assert shown[1].count("<思>") == 1


# --- the same ids in training and at inference ---------------------------------------------------

GEMMA_OPTIONS = BYTES | FAITHFUL | {
    "pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 3, "pad_piece": "<pad>",
    "eos_piece": "<eos>", "bos_piece": "<bos>", "add_dummy_prefix": False,
    "normalization_rule_name": "identity", "model_type": "bpe",
    "user_defined_symbols": "<start_of_turn>,<end_of_turn>",
}  # fmt: skip
GEMMA_CONFIG = {
    "tokenizer_class": "GemmaTokenizer",
    "additional_special_tokens": ["<start_of_turn>", "<end_of_turn>"],
    "chat_template": GEMMA,
}


@pytest.fixture(scope="session")
def real(tmp_path_factory):
    """Real vocabularies by name: SentencePiece models, and byte-level BPE as Qwen has it."""
    root = tmp_path_factory.mktemp("prompt")
    options = {name: (CONFIGS.get(name, {}), MODELS[name]) for name in MODELS}
    options["rinna"] = ({**CONFIGS["rinna"], "do_lower_case": False}, MODELS["rinna"])
    options["llama"] = ({**CONFIGS["llama"], "chat_template": LLAMA2}, MODELS["llama"])
    options["neox-nl"] = ({"chat_template": RINNA}, MODELS["neox-nl"])
    options["gemma"] = (GEMMA_CONFIG, GEMMA_OPTIONS)
    made = {
        name: load_tokenizer(train_pieces(root / name, config, **how))
        for name, (config, how) in options.items()
    }
    return made | {"qwen": load_tokenizer(_qwen(root / "qwen"))}


def _qwen(folder):
    folder.mkdir()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    write(folder, "tokenizer.json", json.loads(trained_on_corpus(byte_level(special)).to_str()))
    config = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "chat_template": CHATML}
    write(folder, "tokenizer_config.json", config)
    return folder


NAMES = [*MODELS, "gemma", "qwen"]
BUILT_IN = ["chat-markdown", "alpaca-ja", "none"]
OWN = {"neox-nl", "llama", "gemma", "qwen"}
CASES = [(name, template) for name in NAMES for template in BUILT_IN]
CASES += [(name, "model") for name in NAMES if name in OWN]
LONG_TALK = (*TALK, Message("user", "a"), Message("assistant", "world ＜／ｓ＞"))


@pytest.mark.parametrize("train_on", ["all", "last"])
@pytest.mark.parametrize(("name", "template"), CASES)
def test_the_prompt_at_inference_begins_the_training_ids(name, template, train_on, real):
    prompter = prompter_of(real[name], template)
    (row,) = sequences(prompter, LONG_TALK, train_on=train_on)
    end, seen = prompter.format.turn_end_id, 0
    for at in (1, 3, 5):
        prompt = prompter.prompt_ids(LONG_TALK[:at])
        assert row.ids[: len(prompt)] == prompt
        length = row.ids[len(prompt) :].index(end) + 1
        labels = row.labels[len(prompt) : len(prompt) + length]
        if train_on == "all" or at == 5:
            assert labels == row.ids[len(prompt) : len(prompt) + length]
            seen += length
        else:
            assert set(labels) == {IGNORED}
    assert row.supervised == seen  # every answer with its end, and nothing else
    assert row.ids[-1] == row.labels[-1] == end


def test_history_whose_prompt_ends_in_a_word_is_cut_as_in_training(real):
    tokenizer = real["llama"]
    tight = PromptFormat("model", TIGHT, "keep", False, 2, 2, None)
    prompter = Prompter(tokenizer, tight)
    answer = "はい、わかりました。"
    talk = (Message("user", "吾輩は"), Message("assistant", answer), FIRST, TALK[3])
    # The premise: encoded in one go, the history would have other ids.
    head = "質問:吾輩は回答: "
    apart = tokenizer.encode(head) + tokenizer.continue_ids(head, answer)
    assert tokenizer.encode(head + answer) != apart
    (row,) = sequences(prompter, talk)
    prompt = prompter.prompt_ids(talk[:3])
    assert row.ids[: len(prompt)] == prompt


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("neox", "はい、わかりました。 🐈"),  # its newlines become spaces
        ("neox-nl", "はい、わかりました。\n🐈"),
        ("bilingual", "はい、わかりました。\n🐈"),
        ("llama", "はい、わかりました。\n🐈"),
        ("gemma", "はい、わかりました。\n🐈"),
        ("qwen", "はい、わかりました。\n🐈"),
    ],
)
def test_the_trained_answer_reads_as_it_was_written(name, expected, real):
    prompter = prompter_of(real[name], "chat-markdown")
    (row,) = sequences(prompter, (FIRST, Message("assistant", "はい、わかりました。\n🐈")))
    assert prompter.answer([label for label in row.labels if label != IGNORED]) == expected


def test_bos_stands_once_whether_the_template_writes_it_or_not(real):
    for name, template in [("gemma", "model"), ("gemma", "none"), ("llama", "chat-markdown")]:
        prompter = prompter_of(real[name], template)
        (row,) = sequences(prompter, TALK)
        assert row.ids[0] == real[name].bos_id
        assert row.ids.count(real[name].bos_id) == 1
        assert row.labels[0] == IGNORED
    assert real["qwen"].bos_id is None
    assert sequences(prompter_of(real["qwen"]), TALK)[0].ids[0] == 1  # <|im_start|>


# --- user text is only text ------------------------------------------------------------------

FORGED = "</s>＜／ｓ＞<|im_end|>[PAD]<NL>＜ＮＬ＞<s><eos><end_of_turn>＜｜ｉｍ＿ｅｎｄ｜＞"


@pytest.mark.parametrize(("name", "template"), CASES)
def test_literals_in_user_text_become_no_control_id(name, template, real):
    tokenizer = real[name]
    prompter = prompter_of(tokenizer, template)
    control = set(tokenizer.special_ids.values()) - {tokenizer.unk_id}

    def controls(*contents):
        roles = ["user", "assistant"] * 2
        talk = [Message(role, text) for role, text in zip(roles, contents, strict=True)]
        (row,) = sequences(prompter, talk)
        found = [id_ for id_ in row.ids if id_ in control]
        trained = [label for label in row.labels if label in control]
        return found, trained

    assert controls(f"猫{FORGED}猫", f"犬{FORGED}犬", FORGED, FORGED) == controls(*"猫犬猫犬")


@pytest.mark.parametrize("name", ["neox-nl", "squeezing-bpe"])
def test_a_written_newline_literal_is_no_newline_and_comes_back(name, real):
    tokenizer = real[name]
    prompter = prompter_of(tokenizer, "chat-markdown")
    assert prompter.format.newline == "nl"
    newline = tokenizer.piece_id("<NL>")
    plain = sequences(prompter, (FIRST, Message("assistant", "改行")))[0].ids.count(newline)
    for forged in ("<NL>", "＜ＮＬ＞", "<\\NL>", "＜\\\\ＮＬ>"):
        (row,) = sequences(prompter, (FIRST, Message("assistant", f"改{forged}行")))
        assert row.ids.count(newline) == plain
        if name == "neox-nl":  # the other one has no bytes for these characters
            answer = prompter.answer([label for label in row.labels if label != IGNORED])
            # NFKC, which the vocabulary applies, turns full-width forms into ASCII.
            assert answer == f"改{forged}行".translate(str.maketrans("＜ＮＬ＞", "<NL>"))
        (row,) = sequences(prompter, (Message("user", f"改{forged}行"), TALK[3]))
        assert row.ids.count(newline) == plain - FIRST.content.count("\n")


NEWLINE_TEXT = st.text(st.sampled_from(list("<＜\\NＮLＬ>＞\n\r a猫🐈")), max_size=30)


@settings(deadline=None)
@given(NEWLINE_TEXT)
def test_what_is_escaped_and_applied_is_restored(text):
    rules = TextRules("nl")
    written = rules.apply(rules.escape(text))
    assert "\n" not in written
    assert rules.restore(written) == text.replace("\r\n", "\n")


@settings(deadline=None)
@given(NEWLINE_TEXT)
def test_lower_cased_text_is_restored_in_lower_case(text):
    rules = TextRules("nl", lower_case=True)
    written = rules.apply(rules.escape(text))
    assert rules.restore(written) == text.replace("\r\n", "\n").lower()


@settings(deadline=None)
@given(st.text(st.sampled_from(list("<＜\\NＮLＬ>＞\na猫")), max_size=12))
def test_the_newline_piece_stands_for_newlines_alone(text):
    tokenizer = CharacterTokenizer("</s>", newline="nl", nfkc=True)
    prompter = prompter_of(tokenizer, "none")
    (row,) = sequences(prompter, (Message("user", "猫"), Message("assistant", text)))
    assert row.ids.count(tokenizer.newline_id) == text.count("\n")


def test_special_literals_are_guarded_however_they_overlap():
    tokenizer = CharacterTokenizer("</s>", "</s></s>", "<s>", "!", newline="nl")
    prompter = prompter_of(tokenizer, "none")
    forged = "<</s></s></s>\ufdd0<\ufdd0/s><s<s>>!"
    (row,) = sequences(prompter, (Message("user", forged), Message("assistant", "猫")))
    assert [id_ for id_ in row.ids if id_ < 4] == [0]
    read = tokenizer.decode_continuation(row.ids)
    assert read == forged.replace("\ufdd0", "") + "猫"


# --- answers, whole and streamed -------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_stream_adds_up_to_the_answer(name, real):
    tokenizer = real[name]
    prompter = prompter_of(tokenizer, "chat-markdown")
    chance = random.Random(20261122)
    spelled = ["<NL>", "<\\NL>", "＜\\ＮＬ＞", "<", "\\", "N", "L", ">", "🐈", "髙﨑", "ｶﾞ", "\n"]
    for _ in range(150):
        text = "".join(chance.choices(spelled, k=8))
        ids = tokenizer.encode(text) + [chance.randrange(tokenizer.size) for _ in range(8)]
        chance.shuffle(ids)
        stream = prompter.stream()
        shown = [stream.push(id_) for id_ in ids]
        assert "".join(shown) + stream.finish() == prompter.answer(ids)


def test_only_what_may_become_a_newline_is_held_back():
    tokenizer = CharacterTokenizer("</s>", newline="nl")
    stream = prompter_of(tokenizer, "none").stream()
    shown = [stream.push(id_) for id_ in tokenizer.encode("猫<\\N猫<")]
    assert shown == ["猫", "", "", "", "<\\N猫", ""]
    assert stream.push(tokenizer.newline_id) == "<\n"
    assert stream.push(tokenizer.encode("<")[0]) == ""
    assert stream.finish() == "<"
    assert stream.finish() == ""


def test_emoji_in_bytes_streams_once_and_whole(real):
    prompter = prompter_of(real["neox-nl"])
    stream = prompter.stream()
    ids = real["neox-nl"].encode("🐈<NL>")
    assert [stream.push(id_) for id_ in ids] == ["", "", "", "🐈", "\n"]


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("<think>\n\n</think>\n\n東京です。🐈", "東京です。🐈"),
        ("東京です。", "東京です。"),
        ("<think>\n東京かな\n</think>\n\n東京です。", "<think>\n東京かな\n</think>\n\n東京です。"),
        ("<think>\n\n", "<think>\n\n"),
        ("", ""),
    ],
)
def test_what_the_template_begins_answers_with_is_learned_and_not_shown(said, heard):
    prompter = prompter_of(chatml(QWEN3_THOUGHT))
    ids = prompter.tokenizer.encode(said)

    stream = prompter.stream()
    pieces = [stream.push(id_) for id_ in ids]

    assert "".join(pieces) + stream.finish() == prompter.answer(ids) == heard


def test_the_template_s_own_beginning_of_an_answer_is_trained():
    prompter = prompter_of(chatml(QWEN3_THOUGHT))
    rows = prompter.encode_examples([Example(messages=TALK[:2])], max_length=10**6).rows
    trained = [text for text, learned in prompter.spans(rows[0]) if learned]
    assert trained == ["<think>\n\n</think>\n\nはい。\n🐈<|im_end|>"]


@pytest.mark.parametrize(("template", "day"), [(DATED, "2024-07-26"), (GUARDED, "26 Jul 2024")])
def test_a_prompt_does_not_change_with_the_day(template, day):
    prompter = prompter_of(chatml(template))

    assert prompter.render(Example(messages=(FIRST,)), generation=True).startswith(
        f"Today: {day}\n"
    )
    # Stock tools, which know the day, are given this text: it asks nobody for one.
    assert "strftime_now" not in prompter.format.chat_template
    assert not differs_from_own(prompter)


def test_control_ids_of_an_answer_are_silent(real):
    tokenizer = real["gemma"]
    prompter = prompter_of(tokenizer)
    ids = [*tokenizer.encode("猫である"), prompter.format.turn_end_id, tokenizer.eos_id]
    assert prompter.answer(ids) == "猫である"


# --- newlines and case -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("rinna", "space"),
        ("neox", "space"),
        ("neox-nl", "nl"),
        ("squeezing-bpe", "nl"),
        ("llama", "keep"),
        ("bilingual", "keep"),
        ("gemma", "keep"),
        ("qwen", "keep"),
    ],
)
def test_newline_rule_is_the_best_that_the_vocabulary_can(name, rule, real):
    assert rules_for(real[name], "org/name") == TextRules(rule, lower_case=False)


def test_rules_that_need_nothing_change_nothing():
    text = "ｶﾞ\r\nＡ１<NL>🐈"
    for rules in (TextRules("keep"), TextRules("space")):
        assert rules.restore(rules.apply(rules.escape(text))) == text


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ("rinna/japanese-gpt2-medium", True),
        ("rinna/japanese-gpt2-xsmall@main", True),
        ("/models/rinna/japanese-gpt2-small/", True),
        ("rinna/japanese-gpt2-medium-tuned", False),
        ("rinna/japanese-gpt-neox-3.6b", False),
        ("demo", False),
    ],
)
def test_lower_case_is_a_quirk_of_named_models(model, wanted):
    assert wants_lower_case(model) is wanted
    assert format_for(PLAIN, "none", model).lower_case is wanted


@pytest.mark.parametrize("newline", ["keep", "nl", "space"])
def test_lower_case_is_the_same_in_training_and_at_inference(newline):
    tokenizer = CharacterTokenizer("</s>", chat_template=RINNA, newline=newline)
    tokenizer.lower_case_hint = True
    prompter = prompter_of(tokenizer)
    talk = (Message("user", "LoRA Ａ１\n</S>"), Message("assistant", "Hello"))
    shown = texts(prompter, talk)
    between, literal = {"nl": ("<NL>",) * 2, "keep": ("\n", "<nl>"), "space": (" ", "<nl>")}[
        newline
    ]
    expected = f"ユーザー: lora ａ１{between}</s>{literal}システム: ⟦hello</s>⟧"
    assert shown == [expected]
    prompt = prompter.prompt_ids(talk[:1])
    assert sequences(prompter, talk)[0].ids[: len(prompt)] == prompt


# --- what is too long ------------------------------------------------------------------------

TURNS = tuple(
    message
    for number in range(4)
    for message in (Message("user", f"問{number}"), Message("assistant", f"答{number}"))
)


def encoded(prompter, example, **how):
    return prompter.encode_examples([example], **how)


def test_early_turns_go_first_and_the_system_line_stays():
    prompter = prompter_of(PLAIN, "none")
    example = Example(messages=(SYSTEM, *TURNS), origin="train.jsonl:7")
    # 猫です。 has 4 tokens, an exchange 2 + 2 + EOS: 14 hold the system line and two of four.
    rows = encoded(prompter, example, max_length=14)
    assert [marked(PLAIN, row) for row in rows.rows] == ["猫です。問2⟦答2</s>⟧問3⟦答3</s>⟧"]
    assert (rows.rows[0].shortened, rows.rows[0].origin) == (True, "train.jsonl:7")
    assert (rows.shortened, rows.dropped) == (1, [])


def test_a_row_that_just_fits_is_left_alone():
    prompter = prompter_of(PLAIN, "none")
    rows = encoded(prompter, Example(messages=TURNS), max_length=20)
    assert len(rows.rows[0].ids) == 20
    assert (rows.shortened, rows.rows[0].shortened) == (0, False)


def test_an_answer_is_never_cut_but_its_row_dropped_and_named():
    prompter = prompter_of(PLAIN, "none")
    long = Example(messages=(Message("user", "問"), Message("assistant", "答" * 9)), origin="a:2")
    kept = Example(messages=TURNS[:2], origin="a:3")
    rows = prompter.encode_examples([long, kept], max_length=10)
    assert rows.dropped == ["a:2"]
    assert [row.origin for row in rows.rows] == ["a:3"]


def test_truncate_drop_leaves_the_whole_row_out():
    prompter = prompter_of(PLAIN, "none")
    example = Example(messages=TURNS, origin="a:1")
    rows = encoded(prompter, example, max_length=19, truncate="drop")
    assert (rows.rows, rows.dropped, rows.shortened) == ([], ["a:1"], 0)


def test_truncate_cut_cuts_the_end_off_and_counts_the_answers():
    prompter = prompter_of(PLAIN, "none")
    talks = [
        Example(messages=(Message("user", "問"), Message("assistant", "答" * n)), origin=f"a:{n}")
        for n in (3, 9)
    ]
    asked = Example(messages=(Message("user", "問" * 9), Message("assistant", "答")), origin="a:7")
    rows = prompter.encode_examples([*talks, asked], max_length=6, truncate="cut")
    assert [marked(PLAIN, row) for row in rows.rows] == ["問⟦答答答</s>⟧", "問⟦答答答答答⟧"]
    assert [row.origin for row in rows.rows] == ["a:3", "a:9"]
    # Of the last row nothing is left that the loss looks at.
    assert (rows.cut, rows.shortened, rows.dropped) == (1, 0, ["a:7"])


def test_truncate_cut_leaves_plain_text_to_its_windows():
    prompter = prompter_of(PLAIN, "none")
    rows = encoded(prompter, Example(text="吾輩は猫である"), max_length=5, truncate="cut")
    assert (len(rows.rows), rows.cut, rows.shortened) == (2, 0, 1)


def test_spans_tell_what_the_loss_looks_at():
    prompter = prompter_of(PLAIN, "none")
    rows = encoded(prompter, Example(messages=TURNS[:4]), max_length=99).rows
    assert prompter.spans(rows[0]) == [
        ("問0", False),
        ("答0</s>", True),
        ("問1", False),
        ("答1</s>", True),
    ]


def test_spans_are_the_text_that_the_model_sees():
    tokenizer = CharacterTokenizer("<s>", "</s>", bos="<s>", newline="nl")
    prompter = prompter_of(tokenizer, "none")
    row = encoded(prompter, Example(text="髙﨑\n𠮷🐈"), max_length=99).rows[0]
    assert prompter.spans(row) == [("<s>", False), ("髙﨑<NL>𠮷🐈</s>", True)]


def test_shortened_rows_train_the_last_turn_only_where_asked():
    prompter = prompter_of(PLAIN, "none")
    rows = encoded(prompter, Example(messages=TURNS), max_length=10, train_on="last")
    assert [marked(PLAIN, row) for row in rows.rows] == ["問2答2</s>問3⟦答3</s>⟧"]


def test_each_turn_of_its_own_sequence_is_shortened_by_itself():
    tokenizer = CharacterTokenizer("</s>", chat_template=RINNA_WITHOUT_END.replace("<NL>", "\n"))
    prompter = prompter_of(tokenizer)
    rows = encoded(prompter, Example(messages=TURNS, origin="a:1"), max_length=18)
    # An exchange alone has 17 tokens, two have 34: every turn stands once, alone.
    expected = [f"ユーザー: 問{i}\nシステム: ⟦答{i}</s>⟧" for i in range(4)]
    assert [marked(tokenizer, row) for row in rows.rows] == expected
    assert [row.shortened for row in rows.rows] == [False, True, True, True]
    assert rows.shortened == 3


def test_input_stays_with_its_turn_when_earlier_ones_go():
    prompter = prompter_of(PLAIN, "alpaca-ja")
    messages = (*TURNS[:2], Message("user", "要約\n\n文章"), Message("assistant", "短文"))
    rows = encoded(prompter, Example(messages=messages, input="文章"), max_length=50)
    assert [marked(PLAIN, row) for row in rows.rows] == [
        "### 指示:\n要約\n\n### 入力:\n文章\n\n### 回答:\n⟦短文</s>⟧"
    ]


def test_long_text_is_cut_into_windows_that_lose_no_token():
    prompter = prompter_of(PLAIN, "none")
    rows = encoded(prompter, Example(text="吾輩は猫である", origin="a:1"), max_length=4).rows
    assert [marked(PLAIN, row) for row in rows] == ["⟦吾輩は猫⟧", "⟦猫である⟧", "⟦る</s>⟧"]
    assert all(row.shortened for row in rows)
    # Each token but the very first is predicted once: 7 characters and EOS, less one.
    assert sum(row.supervised for row in rows) == 7
    exact = encoded(prompter, Example(text="吾輩は"), max_length=4)
    assert [row.shortened for row in exact.rows] == [False]


def test_rows_keep_their_order_among_many():
    prompter = prompter_of(PLAIN, "none")
    examples = [
        Example(messages=(Message("user", str(i)), Message("assistant", "猫")), origin=f"a:{i}")
        for i in range(50)
    ]
    rows = prompter.encode_examples(examples, max_length=10).rows
    assert [row.origin for row in rows] == [f"a:{i}" for i in range(50)]
    assert [PLAIN.pieces(row.ids)[0] for row in rows[:10]] == list("0123456789")


def test_a_conversation_without_an_answer_has_no_sequence():
    prompter = prompter_of(PLAIN, "none")
    for train_on in ("all", "last"):
        assert sequences(prompter, (FIRST,), train_on=train_on) == []


# --- templates from anywhere -----------------------------------------------------------------


def refusal(template, messages=TALK):
    tokenizer = CharacterTokenizer("<s>", "</s>", bos="<s>", chat_template=template)
    prompter = Prompter(tokenizer, PromptFormat("model", template, "keep", False, 1, 1, None))
    with pytest.raises(JloraError) as caught:
        sequences(prompter, messages)
    return caught.value


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (
            "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
            "more than 100,000 loop steps",
        ),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ messages.append(1) }}", "unsafe"),
        ("{{ raise_exception('役割が違います') }}", "役割が違います"),
        ("{{ nothing.at.all }}", "undefined"),
        ("{{ 1 // 0 }}", "zero"),
        ("{{ 'あ'.index('い') }}", "substring"),
        ("{{ messages[0].content + 1 }}", "str"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "recursion"),
        ("{{ range(2 ** 70) | list }}", "large"),
    ],
)
def test_a_template_that_fails_names_the_row(template, said):
    problem = refusal(template).problem
    assert said in problem
    assert "train.jsonl:3" in problem


def test_a_template_that_refuses_a_role_names_the_row_in_japanese_too():
    prompter = prompter_of(TOKENIZERS["gemma"])
    use_language("ja")
    with pytest.raises(JloraError, match=r"train\.jsonl:3.*System role not supported") as caught:
        sequences(prompter, (SYSTEM, *TALK))
    assert "テンプレート" in caught.value.problem


def test_loops_of_many_rows_do_not_add_up():
    counting = "{% for i in range(messages | length) %}{% set m = messages[i] %}{{ m.content }}"
    template = counting + "{% if m.role == 'assistant' %}</s>{% endif %}{% endfor %}"
    template += "{% for i in range(9000) %}{% endfor %}"
    tokenizer = CharacterTokenizer("</s>", chat_template=template)
    examples = [Example(messages=TALK)] * 20  # 80 renderings of 9,000 steps
    assert len(prompter_of(tokenizer).encode_examples(examples, max_length=99).rows) == 20


def test_a_broken_template_names_its_line():
    with pytest.raises(JloraError, match="line 3"):
        format_for(CharacterTokenizer(chat_template="\n\n{% for %}"), "model", "org/name")


def test_templates_may_break_out_of_loops():
    template = "{% for m in messages %}{{ m.content }}{% break %}{% endfor %}"
    prompter = prompter_of(CharacterTokenizer(chat_template=template))
    assert prompter.tokenizer.decode_continuation(prompter.prompt_ids(TALK[:1])) == FIRST.content


# --- which template, and what is saved of it -------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "own", "input", "chosen"),
    [
        ("auto", CHATML, "x", "model"),
        ("auto", None, "", "chat-markdown"),
        ("auto", None, "x", "alpaca-ja"),
        ("model", CHATML, "", "model"),
        ("none", CHATML, "", "none"),
        ("alpaca-ja", None, "", "alpaca-ja"),
    ],
)
def test_template_is_as_asked_else_the_models_else_what_suits_the_rows(asked, own, input, chosen):
    tokenizer = CharacterTokenizer(chat_template=own)
    examples = [Example(messages=TALK), Example(messages=TALK, input=input)]
    assert choose_template(asked, tokenizer, examples) == chosen


def test_unknown_and_missing_templates_are_refused():
    with pytest.raises(JloraError, match="chatml") as caught:
        choose_template("chatml", PLAIN, [])
    assert "chat-markdown" in caught.value.problem
    with pytest.raises(JloraError, match="characters"):
        choose_template("model", PLAIN, [])


def test_a_tokenizer_without_an_end_is_refused():
    with pytest.raises(JloraError, match="end token") as caught:
        format_for(CharacterTokenizer("<s>", eos="</s>"), "none", "org/name")
    assert "eos_token" in caught.value.remedy


def test_the_card_gives_the_very_format_back(tmp_path):
    format = format_for(TOKENIZERS["rinna"], "model", "rinna/japanese-gpt2-small")
    card = {"prompt": format.as_json()}
    (tmp_path / CARD_NAME).write_text(json.dumps(card, ensure_ascii=False), encoding="utf-8")
    assert PromptFormat(**read_card(tmp_path)["prompt"]) == format
    assert read_rules(tmp_path) == TextRules("nl", lower_case=True) == format.rules
    again = Prompter(TOKENIZERS["rinna"], PromptFormat(**read_card(tmp_path)["prompt"]))
    assert again.prompt_ids(TALK[:3]) == prompter_of(
        TOKENIZERS["rinna"], model="rinna/japanese-gpt2-small"
    ).prompt_ids(TALK[:3])


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"prompt": {"newline": "nl"}}', '{"prompt": 1}']
)
def test_a_damaged_card_is_refused(text, tmp_path):
    (tmp_path / CARD_NAME).write_text(text, encoding="utf-8")
    with pytest.raises(JloraError, match=r"jlora\.json cannot be read"):
        read_card(tmp_path)


def test_a_missing_card_is_refused(tmp_path):
    with pytest.raises(JloraError, match=r"jlora\.json is missing"):
        read_rules(tmp_path)


def test_template_renders_as_in_transformers():
    """The same text as transformers' own renderer, marks, white space and filters included."""
    from transformers.utils.chat_template_utils import render_jinja_template

    text = (
        "{% for m in messages %}{{ m.role }}:\n  {%- generation %}\n{{ m.content }}"
        "{% endgeneration %}\n{{ m | tojson }}\n{% endfor %}"
        "{% if add_generation_prompt %}>{% endif %}\n"
    )
    messages = [{"role": "user", "content": "髙﨑さん<b>🐈"}]

    ours = compile_template(text)(messages=messages, add_generation_prompt=True)

    theirs, _ = render_jinja_template([messages], chat_template=text, add_generation_prompt=True)
    assert ours == theirs[0]
    assert "髙﨑さん<b>🐈" in ours
