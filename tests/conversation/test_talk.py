"""Whole conversations with a fake model: what is asked, what is told, what is remembered."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import pytest

from jlora_cli.conversation import Conversation, Exchange, take
from jlora_cli.dataset import Message
from jlora_cli.errors import JloraError
from jlora_cli.generation import Answerer, load_answerer
from jlora_cli.messages import say, use_language
from jlora_cli.model import Placement
from jlora_cli.run_folder import Artifact, open_source
from jlora_cli.sampling import Sampling
from tests.conversation.parrot import SAMPLING, Parrot, talk
from tests.tiny_models import CONTEXT


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
    assert [message.role for message in conversation.messages()] == ["user", "assistant"] * 3


def test_a_reply_that_was_cut_off_is_noted_with_what_to_do():
    conversation = Conversation(Parrot(reason="length"), SAMPLING)
    assert talk(conversation, "猫")[-1] == (
        "* (cut off at 8 tokens; /params max_new_tokens=16 allows more)"
    )
    assert len(conversation.exchanges) == 1


def test_an_empty_answer_is_noted():
    conversation = Conversation(Parrot(says=("",)), SAMPLING)
    assert talk(conversation, "猫") == ["> 猫", "* (the answer is empty)"]


def test_notes_are_in_the_language_of_the_screen():
    use_language("ja")
    conversation = Conversation(Parrot(reason="length"), SAMPLING)
    assert talk(conversation, "猫", "/undo")[2:] == [
        "* （8 トークンで打ち切りました。/params max_new_tokens=16 で延ばせます）",
        "> /undo",
        "* （直前のやり取りを取り消しました）",
    ]


def test_a_question_taken_back_and_asked_again_is_answered_by_another_seed():
    parrot = Parrot()
    conversation = Conversation(parrot, replace(SAMPLING, seed=42))
    talk(conversation, "猫", "/undo", "猫", "/reset", "猫", "/retry")
    assert parrot.asked == [["猫"]] * 4
    assert parrot.seeds == [42, 43, 44, 45]


def test_a_refused_reply_leaves_the_conversation_as_it_was():
    conversation = Conversation(Parrot(), SAMPLING, "猫として話す")
    talk(conversation, "猫")
    before = conversation.messages()

    def break_off(_):
        raise JloraError("x", remedy="y")

    with pytest.raises(JloraError):
        take(conversation, "犬", break_off)
    assert conversation.messages() == before
    assert talk(conversation, "犬")[-1] == "< 「犬」ですね。"


# --- an interruption ------------------------------------------------------------------------


def test_a_stopped_reply_stays_as_far_as_it_was_heard():
    parrot = Parrot(stops_after=1)
    conversation = Conversation(parrot, SAMPLING)
    assert talk(conversation, "髙﨑🐈") == [
        "> 髙﨑🐈",
        "< 「髙﨑🐈」",
        "* (reply stopped; what was said stays, /undo takes it back)",
    ]
    assert conversation.exchanges == [Exchange("髙﨑🐈", "「髙﨑🐈」", whole=False)]
    parrot.stops_after = None
    talk(conversation, "次")
    assert parrot.asked[-1] == ["髙﨑🐈", "「髙﨑🐈」", "次"]


def test_a_reply_stopped_before_its_first_text_never_was():
    conversation = Conversation(Parrot(stops_after=0), SAMPLING)
    assert talk(conversation, "猫", "/retry") == [
        "> 猫",
        "* (reply stopped before it began)",
        "> /retry",
        "* (nothing was asked yet)",
    ]
    assert conversation.exchanges == []


# --- the context's end ----------------------------------------------------------------------

# An exchange about a message of n characters takes n + (n + 6); an answer needs 8 tokens of room.


def test_the_oldest_exchanges_are_left_out_where_the_conversation_outgrows_the_context():
    parrot = Parrot(room=46)
    conversation = Conversation(parrot, SAMPLING, "猫として")  # 4 characters
    screen = talk(conversation, "一一一一", "二二二二", "三三三三", "四四四四")
    # 4 + 14 + 4 + 8 = 30 and 44 fit; 58 does not, nor does 44 with a quarter of 46 left free.
    assert parrot.asked == [
        ["猫として", "一一一一"],
        ["猫として", "一一一一", "「一一一一」ですね。", "二二二二"],
        [
            "猫として",
            "一一一一",
            "「一一一一」ですね。",
            "二二二二",
            "「二二二二」ですね。",
            "三三三三",
        ],
        ["猫として", "三三三三", "「三三三三」ですね。", "四四四四"],
    ]
    assert screen[-1] == (
        "* (the conversation has outgrown the context: the model no longer sees "
        "its first 2 exchanges)"
    )
    assert len(conversation.exchanges) == 4  # none is forgotten


def test_it_is_told_once_for_as_long_as_nothing_more_is_left_out():
    conversation = Conversation(Parrot(room=80), SAMPLING)
    screen = talk(conversation, *["あいうえおか"] * 7)
    counts = [line.split("first ")[1].split()[0] for line in screen if "outgrown" in line]
    assert counts == ["2", "4"]
    again = talk(conversation, "/reset", *["あいうえおか"] * 5)
    assert sum("outgrown" in line for line in again) == 1


def test_both_notes_stand_below_each_other():
    conversation = Conversation(Parrot(room=46, reason="length"), SAMPLING)
    screen = talk(conversation, "あいうえおか", "あいうえおか", "あいうえおか")
    assert screen[-2:] == [
        f"* {say('chat.left_out', count=1)}",
        f"* {say('chat.cut_off', count=8, more=16)}",
    ]


def test_what_fits_again_is_shown_again():
    parrot = Parrot(room=40)
    conversation = Conversation(parrot, SAMPLING)
    screen = talk(conversation, "一一一一", "二二二二", "三三三三", "四四四四")
    assert "its first 2 exchanges" in screen[-1]
    talk(conversation, "/undo", "/undo", "四")
    assert parrot.asked[-1][::2] == ["一一一一", "二二二二", "四"]


def test_several_exchanges_go_at_once_for_one_long_message():
    parrot = Parrot(room=70)
    conversation = Conversation(parrot, SAMPLING, "猫")
    talk(conversation, "一", "二", "三")
    talk(conversation, "長" * 40)
    assert parrot.asked[-1] == ["猫", "長" * 40]


def test_a_message_that_fits_nowhere_is_refused_and_nothing_is_left_out():
    parrot = Parrot(room=38)
    conversation = Conversation(parrot, SAMPLING, "猫")
    talk(conversation, "一")
    before = conversation.messages()
    with pytest.raises(JloraError, match="do not fit"):
        talk(conversation, "長" * 31)
    assert conversation.messages() == before
    assert talk(conversation, "二") == ["> 二", "< 「二」ですね。"]
    assert parrot.asked[-1] == ["猫", "一", "「一」ですね。", "二"]


def test_where_nothing_can_be_left_free_the_answer_is_enough():
    parrot = Parrot(room=30)
    conversation = Conversation(parrot, SAMPLING)
    talk(conversation, "一", "長" * 20)  # 20 + 8 fit, 7 more do not
    assert parrot.asked[-1] == ["長" * 20]


def test_a_real_model_talks_on_past_its_context(tiny_base):
    artifact = Artifact(base=str(tiny_base))
    answerer = load_answerer(artifact, Placement(), remembers=True)
    plain = Conversation(load_answerer(artifact, Placement()), SAMPLING, "猫として話す。")
    conversation = Conversation(answerer, SAMPLING, "猫として話す。")
    lines = ["吾輩は猫である。名前はまだ無い。"] * 12
    screen = talk(conversation, *lines)
    assert screen == talk(plain, *lines)  # without memory
    assert sum(line.startswith("<") for line in screen) == 12
    assert 1 <= sum("outgrown" in line for line in screen) <= 6
    assert conversation.messages()[0] == Message("system", "猫として話す。")
    assert len(conversation.exchanges) == 12
    assert conversation.last.answer.prompt_tokens + SAMPLING.max_new_tokens <= CONTEXT
    assert conversation.tally.reused_tokens > conversation.tally.prompt_tokens / 2
    assert isinstance(answerer, Answerer)


# --- base beside tuned ----------------------------------------------------------------------


def test_the_last_answer_is_shown_beside_the_bases():
    parrot = Parrot()
    conversation = Conversation(parrot, SAMPLING)
    assert (
        talk(conversation, "猫", "犬", "/compare")[-1] == "| base: 「犬」ですね。 | 「犬」ですね。"
    )
    assert parrot.asked_base == [["猫", "「猫」ですね。", "犬"]]
    assert parrot.seeds[-1] == SAMPLING.seed + 1  # drawn as the answer it stands beside


def test_a_message_is_compared_without_becoming_part_of_the_conversation():
    parrot = Parrot()
    conversation = Conversation(parrot, SAMPLING)
    screen = talk(conversation, "猫", "/compare 髙﨑 さん", "犬")
    assert screen[3] == "| base: 「髙﨑 さん」ですね。 | 「髙﨑 さん」ですね。"
    assert parrot.asked[-1] == ["猫", "「猫」ですね。", "犬"]


def test_every_turn_can_be_compared():
    parrot = Parrot(reason="length")
    conversation = Conversation(parrot, SAMPLING, compare=True)
    assert talk(conversation, "猫", "犬") == [
        "> 猫",
        "| base: 「猫」ですね。 | 「猫」ですね。",
        "* (cut off at 8 tokens; /params max_new_tokens=16 allows more)",
        "> 犬",
        "| base: 「犬」ですね。 | 「犬」ですね。",
        "* (cut off at 8 tokens; /params max_new_tokens=16 allows more)",
    ]
    assert parrot.asked_base == parrot.asked


def test_ctrl_c_while_the_base_answers_leaves_nothing_that_was_not_shown():
    parrot = Parrot()
    conversation = Conversation(parrot, SAMPLING, compare=True)

    @contextmanager
    def stopped():
        raise KeyboardInterrupt
        yield

    parrot.base = stopped

    assert talk(conversation, "猫") == ["> 猫", "* (reply stopped before it began)"]
    assert conversation.exchanges == []
    assert conversation.last is None


def test_comparing_every_turn_wants_an_adapter():
    conversation = Conversation(Parrot(adapted=False), SAMPLING, compare=True)
    with pytest.raises(JloraError, match="no adapter that could be switched off"):
        take(conversation, "猫", pytest.fail)
    assert conversation.exchanges == []


@pytest.mark.parametrize("line", ["/compare", "/compare 猫"])
def test_without_an_adapter_there_is_nothing_to_compare(line):
    conversation = Conversation(Parrot(adapted=False), SAMPLING)
    talk(conversation, "猫")
    with pytest.raises(JloraError, match="no adapter that could be switched off"):
        take(conversation, line, pytest.fail)


def test_a_real_adapter_is_switched_off_for_the_base(tiny_run, tiny_base):
    greedy = Sampling(max_new_tokens=8, temperature=0.0)
    tuned = load_answerer(open_source(str(tiny_run)), Placement(), remembers=True)
    base = load_answerer(Artifact(base=str(tiny_base)), Placement())
    conversation = Conversation(tuned, greedy)
    talk(conversation, "吾輩は何ですか？")
    ((compared),) = take(conversation, "/compare", pytest.fail)
    asked = [Message("user", "吾輩は何ですか？")]
    plain = Answerer(base.model, tuned.prompter)
    assert compared.base == plain.answer(asked, greedy).text
    assert compared.tuned == conversation.exchanges[0].answer != compared.base


# --- probabilities --------------------------------------------------------------------------


def test_probabilities_are_those_that_the_answer_was_made_with(tiny_run):
    tuned = load_answerer(open_source(str(tiny_run)), Placement(), remembers=True)
    sampling = Sampling(max_new_tokens=12, temperature=1.0, top_k=0, top_p=1.0, alternatives=5)
    conversation = Conversation(tuned, sampling)
    talk(conversation, "吾輩は何ですか？", "髙﨑さん🐈")
    (shown,) = take(conversation, "/probs", pytest.fail)
    made = conversation.last.answer.tokens
    assert [token.id for token in shown.answer.tokens] == [token.id for token in made]
    assert [token.text for token in shown.answer.tokens] == [token.text for token in made]
    found = [token.probability for token in shown.answer.tokens]
    assert found == pytest.approx([token.probability for token in made], abs=1e-5)
    ids = [[id_ for id_, _, _ in token.alternatives] for token in shown.answer.tokens]
    assert ids == [[id_ for id_, _, _ in token.alternatives] for token in made]


def test_an_answer_without_tokens_has_no_probabilities(tiny_run):
    tuned = load_answerer(open_source(str(tiny_run)), Placement())
    assert tuned.choices([Message("user", "猫")], [], 5) == ()
