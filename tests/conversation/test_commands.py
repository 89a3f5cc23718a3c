"""Every slash command by its transcript, without a model."""

from __future__ import annotations

import pytest

from jlora_cli.conversation import COMMANDS, Conversation, take
from jlora_cli.dataset import Message
from jlora_cli.errors import JloraError
from jlora_cli.messages import use_language
from jlora_cli.sampling import Sampling
from tests.conversation.parrot import SAMPLING, Parrot, talk

LISTED = "/help /reset /undo /retry /edit /system /params /save /load /compare /probs /stats /exit"


@pytest.fixture
def conversation():
    return Conversation(Parrot(room=512), SAMPLING, "猫として話す")


def test_the_commands_are_those_of_the_contract():
    assert list(COMMANDS) == LISTED.split()


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("line", ["/help", "/?"])
def test_help_has_a_line_for_every_command(conversation, language, line):
    use_language(language)
    lines = talk(conversation, line)[1].split("\n")
    assert [text.removeprefix("* ").split()[0] for text in lines[:-1]] == [*COMMANDS]
    assert all(len(text) > 24 for text in lines)
    assert "Ctrl-C" in lines[-1]


def test_undo_and_reset(conversation):
    assert talk(conversation, "猫", "犬", "/undo", "/undo", "/undo", "鳥", "/reset") == [
        "> 猫",
        "< 「猫」ですね。",
        "> 犬",
        "< 「犬」ですね。",
        "> /undo",
        "* (last exchange taken back)",
        "> /undo",
        "* (last exchange taken back)",
        "> /undo",
        "* (nothing to take back)",
        "> 鳥",
        "< 「鳥」ですね。",
        "> /reset",
        "* (conversation forgotten)",
    ]
    assert conversation.messages() == [Message("system", "猫として話す")]


def test_retry_and_edit_ask_in_place_of_the_last_message(conversation):
    assert talk(conversation, "/retry", "/edit", "猫", "/retry", "/edit", "/edit 髙﨑 🐈") == [
        "> /retry",
        "* (nothing was asked yet)",
        "> /edit",
        "* (nothing was asked yet)",
        "> 猫",
        "< 「猫」ですね。",
        "> /retry",
        "< 「猫」ですね。",
        "> /edit",
        "_ 猫",
        "> /edit 髙﨑 🐈",
        "< 「髙﨑 🐈」ですね。",
    ]
    assert [each.question for each in conversation.exchanges] == ["髙﨑 🐈"]


def test_an_edited_message_may_have_several_lines(conversation):
    talk(conversation, "猫", "/edit 一行目\n二行目🐈")
    assert conversation.exchanges[0].question == "一行目\n二行目🐈"


def test_a_retry_that_is_refused_or_stopped_early_keeps_the_exchange(conversation):
    talk(conversation, "猫")
    conversation.answerer.room = 0
    with pytest.raises(JloraError):
        talk(conversation, "/retry")
    conversation.answerer.room, conversation.answerer.stops_after = 999, 0
    assert talk(conversation, "/retry")[-1] == "* (reply stopped before it began)"
    assert [each.answer for each in conversation.exchanges] == ["「猫」ですね。"]


def test_the_system_message_can_be_seen_changed_and_removed(conversation):
    assert talk(conversation, "/system", "/system 犬として　話す", "/system -", "猫") == [
        "> /system",
        "* (system message: 猫として話す)",
        "> /system 犬として　話す",
        "* (system message: 犬として　話す)",
        "> /system -",
        "* (no system message)",
        "> 猫",
        "< 「猫」ですね。",
    ]
    assert conversation.answerer.asked == [["猫"]]


PARAMS = """\
* {}max_new_tokens = 8
  temperature = {}
  top_p = 0.75
  top_k = {}
  repetition_penalty = 1
  no_repeat_ngram_size = 0
  stop ={}
  seed = 42"""


def test_the_sampling_can_be_seen_and_changed(conversation):
    lines = ("/params", "/params temperature=0.25  top_k = 5", r"/params stop=終 わり\n")
    screen = [text.replace("stop = ", "stop =").rstrip() for text in talk(conversation, *lines)]
    assert screen == [
        "> /params",
        PARAMS.format("  ", "0", "40", ""),
        "> /params temperature=0.25  top_k = 5",
        PARAMS.format("  ", "0.25", "5", ""),
        r"> /params stop=終 わり\n",
        PARAMS.format("  ", "0.25", "5", r'"終 わり\n"'),
    ]
    wanted = Sampling(max_new_tokens=8, temperature=0.25, top_k=5, stop=("終 わり\n",))
    assert conversation.sampling == wanted


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("temperature=-1", "temperature cannot take this value: -1"),
        ("top_p=0.5 top_k=三十", "top_k cannot take this value: 三十"),
        ("tempreture=1", "there is no setting tempreture; did you mean temperature?"),
        ("temperature", "temperature cannot take this value: "),
    ],
)
def test_a_setting_that_makes_no_sense_changes_nothing(conversation, typed, problem):
    with pytest.raises(JloraError) as refusal:
        take(conversation, f"/params {typed}", pytest.fail)
    assert refusal.value.problem == problem
    assert conversation.sampling == SAMPLING


def test_figures_of_the_last_answer_and_of_all(conversation):
    assert talk(conversation, "/stats", "猫", "犬", "/stats") == [
        "> /stats",
        "* (there is no answer to look at yet)",
        "> 猫",
        "< 「猫」ですね。",
        "> 犬",
        "< 「犬」ですね。",
        "> /stats",
        "* last answer: 2 tokens, 12.3 tokens/s, the first after 0.25 s; prompt 10 tokens, "
        "4 of them from the cache; context 12 of 512\n"
        "so far: answers 2, tokens 4; from the cache 40% of all prompts' tokens",
    ]


def test_probabilities_and_comparisons_need_an_answer(conversation):
    assert talk(conversation, "/probs", "/compare", "猫", "/probs", "/undo", "/probs") == [
        "> /probs",
        "* (there is no answer to look at yet)",
        "> /compare",
        "* (there is no answer to look at yet)",
        "> 猫",
        "< 「猫」ですね。",
        "> /probs",
        "% 猫0.5 猫0.5",
        "> /undo",
        "* (last exchange taken back)",
        "> /probs",
        "* (there is no answer to look at yet)",
    ]


def test_another_sampling_leaves_the_last_answer_to_be_looked_at(conversation):
    screen = talk(conversation, "猫", "/params temperature=1", "/system 犬", "/probs")
    assert screen[-1] == "% 猫0.5 猫0.5"


@pytest.mark.parametrize("line", ["/exit", "/exit ", "/quit", "/bye"])
def test_exit_ends_the_conversation(conversation, line):
    assert talk(conversation, line) == [f"> {line}"]
    assert conversation.over


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("/helo", "There is no /helo; did you mean /help?"),
        ("/いぬ 犬", "There is no /いぬ "),
        ("/", "There is no / "),
        ("/ 猫", "There is no / "),
    ],
)
def test_an_unknown_command_names_the_nearest(conversation, line, told):
    (_, note) = talk(conversation, line)
    assert note.startswith(f"* {told}")
    assert "// begins a message with a slash" in note


def test_two_slashes_begin_a_message_with_one(conversation):
    assert talk(conversation, "//help とは？") == ["> //help とは？", "< 「/help とは？」ですね。"]
