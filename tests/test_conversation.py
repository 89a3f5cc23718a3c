"""Whole conversations with a fake model: what is asked, what is told, what is remembered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jlora_cli.conversation import Conversation
from jlora_cli.dataset import Message
from jlora_cli.errors import JloraError, refuse
from jlora_cli.generation import Answer, Answerer, load_answerer
from jlora_cli.messages import say, use_language
from jlora_cli.model import Placement
from jlora_cli.run_folder import Artifact
from jlora_cli.sampling import Sampling
from tests.tiny_models import CONTEXT

SAMPLING = Sampling(max_new_tokens=8, temperature=0.0)


class Parrot:
    """Answers 「X」ですね。 in two pieces, and has room for so many characters."""

    def __init__(self, room=10**9, reason="eos"):
        self.room = room
        self.reason = reason
        self.asked = []
        self.seeds = []

    def fits(self, messages, sampling):
        assert sampling.max_new_tokens == SAMPLING.max_new_tokens
        return sum(len(message.content) for message in messages) <= self.room

    def answer(self, messages, sampling, on_text=None):
        self.seeds.append(sampling.seed)
        if not self.fits(messages, sampling):
            raise refuse("generation.too_long", prompt=99, new=8, context=self.room)
        self.asked.append([message.content for message in messages])
        pieces = f"「{messages[-1].content}」", "ですね。"
        for piece in pieces:
            on_text(piece)
        return Answer("".join(pieces), [1, 2], self.reason, 5)


def talk(conversation, *lines):
    """What stands on the screen, line by line: `<` answers, `*` notes."""
    screen = []
    for line in lines:
        heard = []
        told = conversation.say(line, heard.append)
        screen += [f"> {line}", *(["< " + "".join(heard)] if heard else [])]
        screen += [f"* {told}"] if told else []
    return screen


def test_a_conversation_in_japanese():
    parrot = Parrot()
    conversation = Conversation(parrot, SAMPLING)
    assert talk(conversation, "こんにちは🐈", "ｶﾞｷﾞ Ａ１", "髙﨑と𠮷野") == [
        "> こんにちは🐈",
        "< 「こんにちは🐈」ですね。",
        "> ｶﾞｷﾞ Ａ１",
        "< 「ｶﾞｷﾞ Ａ１」ですね。",
        "> 髙﨑と𠮷野",
        "< 「髙﨑と𠮷野」ですね。",
    ]
    assert parrot.asked[-1] == [
        "こんにちは🐈",
        "「こんにちは🐈」ですね。",
        "ｶﾞｷﾞ Ａ１",
        "「ｶﾞｷﾞ Ａ１」ですね。",
        "髙﨑と𠮷野",
    ]
    assert [message.role for message in conversation.messages] == ["user", "assistant"] * 3


def test_slash_commands_are_answered_without_the_model():
    parrot = Parrot()
    conversation = Conversation(parrot, SAMPLING, "猫として話す")
    assert talk(conversation, "/help", "猫", "/undo", "/undo", "犬", "/reset", "/いぬ 犬") == [
        "> /help",
        "* " + say("chat.help"),
        "> 猫",
        "< 「猫」ですね。",
        "> /undo",
        "* (last exchange taken back)",
        "> /undo",
        "* (nothing to take back)",
        "> 犬",
        "< 「犬」ですね。",
        "> /reset",
        "* (conversation forgotten)",
        "> /いぬ 犬",
        "* There is no /いぬ; commands are /help /reset /undo /exit.",
    ]
    assert parrot.asked == [["猫として話す", "猫"], ["猫として話す", "犬"]]
    assert conversation.messages == [Message("system", "猫として話す")]
    assert not conversation.over


def test_words_behind_a_command_do_not_matter():
    conversation = Conversation(Parrot(), SAMPLING)
    assert talk(conversation, "猫", "/reset  今すぐ")[-1] == "* (conversation forgotten)"
    assert conversation.messages == []


@pytest.mark.parametrize("line", ["/exit", "/exit "])
def test_exit_ends_the_conversation(line):
    conversation = Conversation(Parrot(), SAMPLING)
    assert talk(conversation, line) == [f"> {line}"]
    assert conversation.over


def test_undo_takes_back_the_last_exchange_alone():
    conversation = Conversation(Parrot(), SAMPLING, "猫として話す")
    talk(conversation, "猫", "犬", "/undo")
    said = [message.content for message in conversation.messages]
    assert said == ["猫として話す", "猫", "「猫」ですね。"]


def test_a_reply_that_was_cut_off_is_noted():
    conversation = Conversation(Parrot(reason="length"), SAMPLING)
    assert talk(conversation, "猫")[-1] == "* (cut off at --max-new-tokens)"
    assert len(conversation.messages) == 2


def test_notes_are_in_the_language_of_the_screen():
    use_language("ja")
    conversation = Conversation(Parrot(reason="length"), SAMPLING)
    assert talk(conversation, "猫", "/undo")[2:] == [
        "* （--max-new-tokens で打ち切られました）",
        "> /undo",
        "* （直前のやり取りを取り消しました）",
    ]


def test_a_question_taken_back_and_asked_again_is_answered_by_another_seed():
    parrot = Parrot()
    conversation = Conversation(parrot, replace(SAMPLING, seed=42))
    talk(conversation, "猫", "/undo", "猫", "/reset", "猫")
    assert parrot.asked == [["猫"]] * 3
    assert parrot.seeds == [42, 43, 44]


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), JloraError("x", remedy="y")])
def test_a_reply_that_breaks_off_leaves_the_conversation_as_it_was(fault):
    conversation = Conversation(Parrot(), SAMPLING, "猫として話す")
    talk(conversation, "猫")
    before = list(conversation.messages)

    def break_off(_):
        raise fault

    with pytest.raises(type(fault)):
        conversation.say("犬", break_off)
    assert conversation.messages == before
    assert talk(conversation, "犬")[-1] == "< 「犬」ですね。"


# --- the context's end ----------------------------------------------------------------------

# An exchange about a turn of n characters takes n + (n + 6).


def test_the_oldest_exchanges_go_where_the_conversation_outgrows_the_context():
    parrot = Parrot(room=30)
    conversation = Conversation(parrot, SAMPLING, "猫として")  # 4 characters
    screen = talk(conversation, "一一一一", "二二二二", "三三三三")
    # 4 + 14 + 4 = 22 fit; 4 + 14 + 14 + 4 = 36 do not, without the first exchange 22 again.
    assert parrot.asked == [
        ["猫として", "一一一一"],
        ["猫として", "一一一一", "「一一一一」ですね。", "二二二二"],
        ["猫として", "二二二二", "「二二二二」ですね。", "三三三三"],
    ]
    assert screen[-1] == "* (the conversation no longer fits: its oldest exchanges are forgotten)"
    assert [message.role for message in conversation.messages][:2] == ["system", "user"]
    assert len(conversation.messages) == 5


def test_that_is_told_once_until_the_conversation_is_forgotten():
    conversation = Conversation(Parrot(room=30), SAMPLING)
    note = "* " + say("chat.shortened")
    screen = talk(conversation, *["あいうえおか"] * 5)
    assert screen.count(note) == 1
    again = talk(conversation, "/reset", *["あいうえおか"] * 5)
    assert again.count(note) == 1


def test_both_notes_stand_below_each_other():
    conversation = Conversation(Parrot(room=30, reason="length"), SAMPLING)
    screen = talk(conversation, "あいうえおか", "あいうえおか", "あいうえおか")
    notes = [line for line in screen if "forgotten" in line]
    assert notes == [f"* {say('chat.shortened')}\n{say('chat.cut_off')}"]


def test_several_exchanges_go_at_once_for_one_long_turn():
    parrot = Parrot(room=40)
    conversation = Conversation(parrot, SAMPLING, "猫")
    talk(conversation, "一", "二", "三")
    talk(conversation, "長" * 30)
    assert parrot.asked[-1] == ["猫", "三", "「三」ですね。", "長" * 30]


def test_a_turn_that_fits_nowhere_is_refused_and_nothing_is_forgotten():
    parrot = Parrot(room=30)
    conversation = Conversation(parrot, SAMPLING, "猫")
    talk(conversation, "一")
    before = list(conversation.messages)
    with pytest.raises(JloraError, match="do not fit"):
        talk(conversation, "長" * 31)
    assert conversation.messages == before
    assert not conversation.shortened


def test_a_real_model_talks_on_past_its_context(tiny_base):
    answerer = load_answerer(Artifact(base=str(tiny_base)), Placement())
    conversation = Conversation(answerer, SAMPLING, "猫として話す。")
    lines = ["吾輩は猫である。名前はまだ無い。"] * 12
    screen = talk(conversation, *lines)
    assert screen.count("* " + say("chat.shortened") + "\n" + say("chat.cut_off")) == 1
    assert sum(line.startswith("<") for line in screen) == 12
    assert conversation.messages[0] == Message("system", "猫として話す。")
    assert 4 < len(conversation.messages) < 24
    length = len(answerer.prompter.prompt_ids(conversation.messages[:-1]))
    assert CONTEXT // 2 < length + SAMPLING.max_new_tokens <= CONTEXT
    assert isinstance(answerer, Answerer)
