"""Answers are those of transformers' own loop, whatever the batch, and end where they should."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    GPTNeoXConfig,
    NoRepeatNGramLogitsProcessor,
    Qwen3NextConfig,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from jlora_cli.dataset import Message
from jlora_cli.errors import JloraError
from jlora_cli.events import Answered, Warned
from jlora_cli.generation import (
    Answer,
    Answerer,
    cache,
    choose_tokens,
    context_length,
    engine,
    load_answerer,
    placement_for,
)
from jlora_cli.model import Placement, load_base
from jlora_cli.prompt import Prompter, format_for
from jlora_cli.run_folder import Artifact, open_source
from jlora_cli.sampling import Sampling
from jlora_cli.tokenizer import load_tokenizer
from tests.tiny_models import ARCHITECTURES, BOS_ID, CONTEXT, EOS_ID, WINDOW, save_tiny_model

GREEDY = Sampling(max_new_tokens=16, temperature=0.0)
DRAWN = Sampling(max_new_tokens=16, temperature=1.0, top_p=1.0, top_k=0, seed=7)
PROMPTS = [
    "猫",
    "吾輩は猫である。\nどこで生れたか？",
    "ｶﾞｷﾞとＡ１🐈",
    "髙﨑さんと𠮷野家",
]
FOREIGN_BASE = Path("../shared/bad/good/base")


def asked(text):
    return [Message("user", text)]


@pytest.fixture(scope="module")
def answerers(tiny_base, tmp_path_factory):
    """Answerers over tiny random models by architecture, each loaded once."""
    root, made = tmp_path_factory.mktemp("architectures"), {}

    def get(architecture) -> Answerer:
        if architecture not in made:
            known = tiny_base if architecture == "gpt_neox" else None
            folder = known or save_tiny_model(root / architecture, architecture)
            made[architecture] = load_answerer(Artifact(base=str(folder)), Placement())
        return made[architecture]

    return get


class Scripted:
    """A model that says the given ids, row by row, and counts how often it is asked."""

    def __init__(self, *rows):
        self.rows = rows
        self.asked = 0
        self.device = torch.device("cpu")
        self.config = GPTNeoXConfig(max_position_embeddings=CONTEXT)

    def __call__(self, *, input_ids, **_):
        logits = torch.zeros(len(self.rows), 1, 420)
        for number, row in enumerate(self.rows):
            logits[number, 0, row[self.asked] if self.asked < len(row) else 50] = 9.0
        self.asked += 1
        assert len(input_ids) == len(self.rows)
        return SimpleNamespace(logits=logits, past_key_values=self.asked)


@pytest.fixture
def scripted(tiny_base):
    """An answerer whose model says the given ids; `turn_end` ends its answers beside EOS."""
    tokenizer = load_tokenizer(tiny_base)
    format = format_for(tokenizer, "chat-markdown", "tiny")

    def make(*rows, turn_end=EOS_ID):
        prompter = Prompter(tokenizer, replace(format, turn_end_id=turn_end))
        return Answerer(Scripted(*rows), prompter)

    return make


# --- the loop -------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_greedy_ids_are_those_of_stock_generate(answerers, architecture):
    answerer = answerers(architecture)
    for prompt in PROMPTS:
        ids = answerer.prompter.prompt_ids(asked(prompt))
        stock = answerer.model.generate(
            torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            do_sample=False,
            max_new_tokens=GREEDY.max_new_tokens,
        )[0, len(ids) :].tolist()
        answer = answerer.answer(asked(prompt), GREEDY)
        ending = [EOS_ID] if answer.finish_reason == "eos" else []
        assert answer.ids + ending == stock
        assert answer.prompt_tokens == len(ids)
        assert answer.answer_tokens == len(answer.ids)


@pytest.mark.parametrize("architecture", ["gpt2", "gpt_neox", "llama", "mistral", "gemma2"])
@pytest.mark.parametrize("sampling", [GREEDY, DRAWN], ids=["greedy", "sampled"])
def test_an_answer_does_not_depend_on_its_batch(answerers, architecture, sampling):
    answerer = answerers(architecture)
    singles = [
        answerer.answer(asked(prompt), replace(sampling, seed=sampling.seed + number))
        for number, prompt in enumerate(PROMPTS)
    ]
    conversations = [asked(prompt) for prompt in PROMPTS]
    assert answerer.answer_many(conversations, sampling, batch_size=3) == singles


def test_batches_are_told_as_they_are_done_and_answers_keep_the_order(answerers):
    told = []
    answers = answerers("gpt2").answer_many(
        [asked(prompt) for prompt in PROMPTS[:3]], GREEDY, batch_size=2, notify=told.append
    )
    assert told == [Answered(2, 3), Answered(3, 3)]
    lengths = [len(answerers("gpt2").prompter.prompt_ids(asked(p))) for p in PROMPTS[:3]]
    assert [answer.prompt_tokens for answer in answers] == lengths
    assert lengths != sorted(lengths)  # else keeping the order would prove nothing


def test_answers_come_batch_by_batch_with_their_places_and_seeds_of_their_own(answerers):
    answerer = answerers("llama")
    conversations = [asked(prompt) for prompt in PROMPTS]
    seeds = [5, 9, 7, 8]
    made = dict(answerer.answer_each(conversations, DRAWN, seeds=seeds, batch_size=3))
    assert list(made) != sorted(made)  # the longest first
    assert [made[place] for place in range(4)] == [
        answerer.answer(conversation, replace(DRAWN, seed=seed))
        for conversation, seed in zip(conversations, seeds, strict=True)
    ]


def test_no_conversations_give_no_answers(answerers):
    assert answerers("gpt2").answer_many([], GREEDY) == []


def test_streamed_text_adds_up_to_the_answer(answerers):
    for number, prompt in enumerate(PROMPTS):
        heard: list[str] = []
        sampling = replace(DRAWN, max_new_tokens=60, seed=number)
        answer = answerers("gpt_neox").answer(asked(prompt), sampling, heard.append)
        assert "".join(heard) == answer.text
        assert all(heard)
        assert len(heard) > 5


def test_japanese_is_streamed_whole_characters_at_a_time(scripted, tiny_base):
    ids = load_tokenizer(tiny_base).encode("🐕と髙﨑")  # four bytes and three pieces
    heard: list[str] = []
    answer = scripted([*ids, EOS_ID]).answer(asked("猫"), GREEDY, heard.append)
    assert answer == Answer("🐕と髙﨑", ids, "eos", answer.prompt_tokens)
    assert len(ids) == 7
    assert heard == ["🐕", "と", "髙", "﨑"]


def test_a_cut_character_is_heard_at_the_end(scripted, tiny_base):
    first_bytes = load_tokenizer(tiny_base).encode("🐕")[:2]  # not in the vocabulary
    heard: list[str] = []
    answer = scripted([*first_bytes, EOS_ID]).answer(asked("猫"), GREEDY, heard.append)
    assert "".join(heard) == answer.text
    assert set(answer.text) == {"�"}


def test_an_answer_ends_at_eos_which_is_not_part_of_it(scripted):
    answerer = scripted([100, 101, EOS_ID, 102])
    answer = answerer.answer(asked("猫"), GREEDY)
    assert (answer.ids, answer.finish_reason) == ([100, 101], "eos")
    assert answerer.model.asked == 3


def test_an_answer_ends_where_the_template_ends_a_turn(scripted):
    answer = scripted([100, BOS_ID, 101], turn_end=BOS_ID).answer(asked("猫"), GREEDY)
    assert (answer.ids, answer.finish_reason) == ([100], "eos")


def test_eos_ends_an_answer_although_the_template_ends_turns_otherwise(scripted):
    answer = scripted([100, EOS_ID, 101], turn_end=BOS_ID).answer(asked("猫"), GREEDY)
    assert (answer.ids, answer.finish_reason) == ([100], "eos")


@pytest.mark.parametrize("said", [[EOS_ID, BOS_ID, 9_999, 101], BOS_ID])
@pytest.mark.parametrize("name", ["generation_config.json", "config.json"])
def test_the_further_ends_that_a_model_names_end_an_answer(tiny_base, tmp_path, name, said):
    folder = shutil.copytree(tiny_base, tmp_path / "base")
    path = folder / name
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    (folder / "generation_config.json").unlink(missing_ok=True)
    path.write_text(json.dumps(before | {"eos_token_id": said}), encoding="utf-8")

    answerer = load_answerer(Artifact(base=str(folder)), Placement())

    # 101 is a word, and 9,999 none of its ids.
    assert answerer.prompter.stop_ids == {EOS_ID, BOS_ID}


def test_a_long_answer_is_cut_without_asking_the_model_once_more(scripted):
    answerer = scripted([100] * 99)
    answer = answerer.answer(asked("猫"), replace(GREEDY, max_new_tokens=5))
    assert (answer.ids, answer.finish_reason) == ([100] * 5, "length")
    assert answerer.model.asked == 5


def test_eos_in_the_last_place_still_counts_as_an_end(scripted):
    answer = scripted([100, 101, EOS_ID]).answer(asked("猫"), replace(GREEDY, max_new_tokens=3))
    assert (answer.ids, answer.finish_reason) == ([100, 101], "eos")


def test_a_batch_goes_on_until_its_last_row_has_ended_and_no_further(scripted):
    answerer = scripted([100, EOS_ID, 102, 103], [110, 111, 112, EOS_ID], [EOS_ID])
    answers = answerer.answer_many([asked("猫")] * 3, GREEDY)
    assert [answer.ids for answer in answers] == [[100], [110, 111, 112], []]
    assert {answer.finish_reason for answer in answers} == {"eos"}
    assert answerer.model.asked == 4


def test_a_batch_cuts_each_row_at_the_limit(scripted):
    answerer = scripted([100] * 9, [110, EOS_ID])
    answers = answerer.answer_many([asked("猫")] * 2, replace(GREEDY, max_new_tokens=4))
    found = [(answer.ids, answer.finish_reason) for answer in answers]
    assert found == [([100] * 4, "length"), ([110], "eos")]
    assert answerer.model.asked == 4


# --- a conversation goes on -----------------------------------------------------------------


class Counting:
    """A model that writes down how many tokens of each row it is asked to compute."""

    def __init__(self, model):
        self._model = model
        self.computed = []

    def __getattr__(self, name):
        return getattr(self._model, name)

    def __call__(self, *, input_ids, **rest):
        self.computed.append(input_ids.shape[1])
        return self._model(input_ids=input_ids, **rest)


@pytest.fixture
def counting(answerers):
    """An answerer that remembers, over a model that counts."""

    def make(architecture) -> Answerer:
        plain = answerers(architecture)
        return Answerer(Counting(plain.model), plain.prompter, remembers=True)

    return make


SHORT = replace(GREEDY, max_new_tokens=8)
TURNS = ("吾輩は猫である。\nどこで生れたか？", "髙﨑さんと𠮷野家🐈", "ｶﾞｷﾞとＡ１", "名前はまだ無い。")


def converse(answerer, sampling, turns=TURNS):
    """(answers, prompts' ids) of a conversation, turn by turn."""
    messages, answers, prompts = [], [], []
    for turn in turns:
        messages.append(Message("user", turn))
        prompts.append(answerer.prompter.prompt_ids(messages))
        answers.append(answerer.answer(messages, sampling))
        messages.append(Message("assistant", answers[-1].text))
    return answers, prompts


@pytest.mark.parametrize("architecture", ["gpt2", "gpt_neox", "llama", "qwen3"])
@pytest.mark.parametrize(
    "sampling", [SHORT, replace(DRAWN, max_new_tokens=8)], ids=["greedy", "sampled"]
)
def test_a_turn_computes_only_what_the_one_before_did_not(
    answerers, counting, architecture, sampling
):
    answerer, plain = counting(architecture), answerers(architecture)
    said = {"computed": [], "reused": []}
    answers, prompts = [], []
    messages: list[Message] = []
    held: list[int] = []  # what the model was given so far
    for turn in TURNS:
        messages.append(Message("user", turn))
        prompt = plain.prompter.prompt_ids(messages)
        same = engine._common(prompt[:-1], held)
        answerer.model.computed.clear()
        answer = answerer.answer(messages, sampling)
        assert answer == plain.answer(messages, sampling)
        assert answerer.model.computed[0] == len(prompt) - same
        assert set(answerer.model.computed[1:]) == {1}
        assert answer.reused_tokens == same
        fed = sum(answerer.model.computed) - (len(prompt) - same)
        held = prompt + answer.ids[:fed]
        messages.append(Message("assistant", answer.text))
        said["computed"].append(answerer.model.computed[0])
        said["reused"].append(same)
        answers.append(answer)
        prompts.append(prompt)
    assert said["reused"][0] == 0
    # The whole of the prompt before, at least, is not computed again.
    assert all(r >= len(p) for r, p in zip(said["reused"][1:], prompts[:-1], strict=True))


@pytest.mark.parametrize("architecture", ["mistral", "gemma2"])
def test_a_window_that_was_full_is_computed_anew_and_answers_the_same(
    answerers, counting, architecture
):
    answerer = counting(architecture)
    answers, prompts = converse(answerer, SHORT)
    assert answers == converse(answerers(architecture), SHORT)[0]
    assert [answer.reused_tokens for answer in answers] == [0, 0, 0, 0]
    firsts = [count for count in answerer.model.computed if count > 1]
    assert firsts == [len(prompt) for prompt in prompts]
    assert min(firsts) > WINDOW


def test_layers_that_keep_a_state_alone_are_computed_anew():
    # Of half the tokens, as Qwen3.5 and LFM2 have them.
    config = Qwen3NextConfig(
        num_hidden_layers=2, layer_types=["linear_attention", "full_attention"]
    )
    made = cache.new_cache(config)
    tokens = torch.zeros(1, 2, 5, 8)
    made.layers[1].update(tokens, tokens)

    assert not cache.cut_back(made, 3)


def test_a_window_that_was_never_full_is_cut_back(tmp_path):
    folder = save_tiny_model(tmp_path, "mistral", sliding_window=CONTEXT)
    artifact = Artifact(base=str(folder))
    plain = load_answerer(artifact, Placement())
    remembering = load_answerer(artifact, Placement(), remembers=True)
    answers, prompts = converse(remembering, SHORT)
    assert answers == converse(plain, SHORT)[0]
    assert all(
        answer.reused_tokens >= len(before)
        for answer, before in zip(answers[1:], prompts, strict=False)
    )


def test_the_same_prompt_again_computes_its_last_token_alone(counting):
    answerer = counting("gpt_neox")
    first = answerer.answer(asked(PROMPTS[1]), GREEDY)
    answerer.model.computed.clear()
    assert answerer.answer(asked(PROMPTS[1]), GREEDY) == first
    assert answerer.model.computed[0] == 1


def test_another_conversation_shares_what_the_template_writes_first(answerers, counting):
    answerer = counting("gpt_neox")
    answerer.answer(asked("猫"), GREEDY)
    answer = answerer.answer(asked("犬"), GREEDY)
    assert answer == answerers("gpt_neox").answer(asked("犬"), GREEDY)
    heads = [answerer.prompter.prompt_ids(asked(text)) for text in "猫犬"]
    assert answer.reused_tokens == engine._common(*heads) > 0


def test_a_conversation_longer_than_the_room_kept_ahead_goes_on(answerers, counting, monkeypatch):
    monkeypatch.setattr(cache, "_ROOM", 1)
    found, _ = converse(counting("llama"), SHORT)
    assert found == converse(answerers("llama"), SHORT)[0]


@pytest.mark.parametrize("place", range(6))
def test_an_interruption_amid_the_model_leaves_a_memory_that_can_be_used(
    answerers, monkeypatch, place
):
    plain = answerers("llama")
    answerer = Answerer(plain.model, plain.prompter, remembers=True)
    calls, update = [], cache.RoomyLayer.update

    def interrupted(self, *states):
        calls.append(self)
        if len(calls) == 2 * 3 + place:  # two layers: in the third token, the fourth, ...
            update(self, *states)
            raise KeyboardInterrupt
        return update(self, *states)

    with monkeypatch.context() as patch:
        patch.setattr(cache.RoomyLayer, "update", interrupted)
        with pytest.raises(KeyboardInterrupt):
            answerer.answer(asked(PROMPTS[1]), GREEDY)
    again = answerer.answer(asked(PROMPTS[1]), GREEDY)
    assert again == plain.answer(asked(PROMPTS[1]), GREEDY)
    assert again.reused_tokens == again.prompt_tokens - 1


def test_a_batch_remembers_nothing_and_is_not_remembered(answerers, counting):
    answerer = counting("gpt_neox")
    answerer.answer(asked("猫"), GREEDY)
    batch = answerer.answer_many([asked("猫"), asked("髙﨑さん")], GREEDY)
    assert batch == answerers("gpt_neox").answer_many([asked("猫"), asked("髙﨑さん")], GREEDY)
    assert [answer.reused_tokens for answer in batch] == [0, 0]
    assert answerer.answer(asked("猫"), GREEDY).reused_tokens == 0


def test_an_answerer_computes_everything_unless_it_is_to_remember(answerers):
    plain = answerers("gpt_neox")
    answers = [plain.answer(asked("猫"), GREEDY) for _ in range(2)]
    assert [answer.reused_tokens for answer in answers] == [0, 0]


def test_base_and_adapter_remember_apart(tiny_run, tiny_base):
    tuned = load_answerer(open_source(str(tiny_run)), Placement(), remembers=True)
    stock = Answerer(load_base(tiny_base, Placement()), tuned.prompter)
    first = tuned.answer(asked("猫"), GREEDY)
    for turn in range(2):
        with tuned.base() as base:
            answer = base.answer(asked("猫"), GREEDY)
        assert answer == stock.answer(asked("猫"), GREEDY)
        assert answer.reused_tokens == (answer.prompt_tokens - 1) * turn
    again = tuned.answer(asked("猫"), GREEDY)
    assert (again, again.reused_tokens) == (first, first.prompt_tokens - 1)
    assert (tuned.adapted, stock.adapted) == (True, False)


# --- stop strings ---------------------------------------------------------------------------


@pytest.fixture
def spoken(scripted, tiny_base):
    """(answer, what was heard) where the model says `text` and ends."""
    tokenizer = load_tokenizer(tiny_base)

    def speak(text, *stop):
        heard: list[str] = []
        answerer = scripted([*tokenizer.encode(text), EOS_ID])
        sampling = replace(GREEDY, max_new_tokens=99, stop=stop)
        return answerer.answer(asked("猫"), sampling, heard.append), heard

    return speak


def test_an_answer_ends_before_a_stop_string_that_straddles_tokens(spoken, tiny_base):
    text, stop = "はい、わかりました。髙﨑さん、🐈", "た。髙"
    pieces = load_tokenizer(tiny_base).pieces(load_tokenizer(tiny_base).encode(text))
    answer, heard = spoken(text, stop)
    assert (answer.text, answer.finish_reason) == ("はい、わかりまし", "stop")
    assert "".join(heard) == answer.text
    assert not any(stop in piece for piece in pieces)
    said = load_tokenizer(tiny_base).decode(answer.ids)
    assert said.endswith("髙")  # the token that completed the stop string is the last


def test_what_may_begin_a_stop_string_is_told_as_soon_as_it_does_not(spoken):
    answer, heard = spoken("薄暗い所。。猫", "。。。", "猫🐈")
    assert (answer.text, answer.finish_reason) == ("薄暗い所。。猫", "eos")
    assert heard[-2:] == ["。。", "猫"]  # held until 猫 came, and until the end


def test_the_first_of_several_stop_strings_counts(spoken):
    answer, _ = spoken("吾輩は猫である。", "ある", "猫")
    assert (answer.text, answer.finish_reason) == ("吾輩は", "stop")


def test_a_stop_string_within_one_token_cuts_inside_it(spoken, tiny_base):
    tokenizer = load_tokenizer(tiny_base)
    assert tokenizer.pieces(tokenizer.encode("猫とニャー")) == ["猫", "と", "ニャー"]
    answer, heard = spoken("猫とニャー", "ー")
    assert (answer.text, heard) == ("猫とニャ", ["猫", "と", "ニャ"])


def test_the_very_last_text_can_be_a_stop_string_too(scripted, tiny_base):
    half = load_tokenizer(tiny_base).encode("🐕")[:1]  # a byte whose fellows never come
    answerer = scripted([100, *half, EOS_ID])
    answer = answerer.answer(asked("猫"), replace(GREEDY, stop=("�",)))
    assert answer.finish_reason == "stop"
    assert "�" not in answer.text


def test_an_empty_stop_string_stops_nothing(spoken):
    answer, _ = spoken("猫である。", "")
    assert (answer.text, answer.finish_reason) == ("猫である。", "eos")


def test_each_row_of_a_batch_stops_for_itself(scripted, tiny_base):
    encode = load_tokenizer(tiny_base).encode
    answerer = scripted([*encode("猫。はい"), EOS_ID], [*encode("はい、🐈"), EOS_ID])
    answers = answerer.answer_many([asked("猫")] * 2, replace(GREEDY, stop=("。",)))
    assert [(a.text, a.finish_reason) for a in answers] == [("猫", "stop"), ("はい、🐈", "eos")]


# --- what else the model would have said ----------------------------------------------------


def test_alternatives_are_the_models_own_probabilities_before_any_filter(answerers):
    answerer = answerers("gpt_neox")
    sampling = replace(DRAWN, temperature=0.3, top_k=2, repetition_penalty=2.0, alternatives=3)
    answer = answerer.answer(asked("髙﨑さん🐈"), sampling)
    prompt = answerer.prompter.prompt_ids(asked("髙﨑さん🐈"))
    with torch.inference_mode():
        logits = answerer.model(torch.tensor([prompt + answer.ids])).logits[0]
    wanted = logits[len(prompt) - 1 : -1].softmax(-1)
    assert [token.id for token in answer.tokens] == answer.ids
    assert "".join(token.text for token in answer.tokens) == answer.text
    for token, row in zip(answer.tokens, wanted, strict=True):
        assert token.probability == pytest.approx(row[token.id].item(), abs=1e-5)
        likeliest = row.topk(3)
        assert [id_ for id_, _, _ in token.alternatives] == likeliest.indices.tolist()
        shares = [share for _, _, share in token.alternatives]
        assert shares == pytest.approx(likeliest.values.tolist(), abs=1e-5)
    assert len(answer.tokens) == answer.answer_tokens > 4


def test_alternatives_are_spelled_as_text_bytes_or_the_name_of_what_has_no_text(scripted):
    answerer = scripted([100])
    tokenizer = answerer.prompter.tokenizer
    byte, cat = tokenizer.piece_id("<0xE3>"), tokenizer.piece_id("吾輩は")
    assert [answerer._spelled(i) for i in (cat, byte, EOS_ID)] == ["吾輩は", "<0xE3>", "</s>"]


def test_the_last_token_has_the_text_that_only_the_end_makes_certain(scripted, tiny_base):
    half = load_tokenizer(tiny_base).encode("🐕")[:2]  # bytes whose fellows never come
    answerer = scripted([100, *half, EOS_ID])
    answer = answerer.answer(asked("猫"), replace(GREEDY, alternatives=1))
    assert "".join(token.text for token in answer.tokens) == answer.text
    assert [bool(token.text) for token in answer.tokens] == [True, False, True]


def test_tokens_are_judged_afterwards_as_while_they_were_chosen(answerers):
    answerer = answerers("llama")
    answer = answerer.answer(asked("髙﨑さん🐈"), replace(DRAWN, alternatives=3))
    again = answerer.choices(asked("髙﨑さん🐈"), answer.ids, 3)
    assert [(t.id, t.text) for t in again] == [(t.id, t.text) for t in answer.tokens]
    found = [token.probability for token in again]
    assert found == pytest.approx([token.probability for token in answer.tokens], abs=1e-5)
    assert answerer.choices(asked("猫"), [], 3) == ()


def test_without_alternatives_no_tokens_are_kept(answerers):
    assert answerers("gpt_neox").answer(asked("猫"), GREEDY).tokens == ()


def test_an_answer_says_how_fast_it_came(answerers):
    answer = answerers("gpt_neox").answer(asked("猫"), DRAWN)
    assert answer.seconds_to_first_token > 0
    assert answer.tokens_per_second > 0


@pytest.mark.parametrize("said", [[EOS_ID], [100, EOS_ID]])
def test_the_shortest_answers_have_a_speed(scripted, said):
    assert scripted(said).answer(asked("猫"), GREEDY).tokens_per_second > 0


# --- what fits ------------------------------------------------------------------------------


def test_a_prompt_fits_to_the_last_token(answerers):
    answerer = answerers("gpt2")
    room = CONTEXT - len(answerer.prompter.prompt_ids(asked("猫")))
    assert answerer.fits(asked("猫"), Sampling(max_new_tokens=room))
    assert not answerer.fits(asked("猫"), Sampling(max_new_tokens=room + 1))
    full = answerer.answer(asked("猫"), Sampling(max_new_tokens=room, temperature=0.0))
    assert full.answer_tokens == room


def test_a_prompt_that_is_too_long_is_refused_with_the_three_numbers(answerers):
    answerer = answerers("gpt2")
    prompt = asked("吾輩は猫である。" * 60)
    length = len(answerer.prompter.prompt_ids(prompt))
    with pytest.raises(JloraError) as refusal:
        answerer.answer(prompt, GREEDY)
    assert length > CONTEXT
    expected = f"{length} prompt tokens and 16 new ones do not fit into the model's {CONTEXT}"
    assert refusal.value.problem == expected
    assert "--max-new-tokens" in refusal.value.remedy


def test_one_prompt_that_is_too_long_refuses_its_batch_before_the_model_is_asked(scripted):
    answerer = scripted([100], [100])
    with pytest.raises(JloraError, match="do not fit"):
        answerer.answer_many([asked("猫"), asked("猫" * 300)], GREEDY)
    assert answerer.model.asked == 0


def test_an_empty_prompt_is_refused(tiny_base):
    answerer = load_answerer(Artifact(base=str(tiny_base)), Placement(), template="none")
    with pytest.raises(JloraError, match="the prompt is empty"):
        answerer.answer(asked(""), GREEDY)


@pytest.mark.parametrize(
    ("config", "length"),
    [
        ({"max_position_embeddings": 2048}, 2048),
        ({"n_positions": 1024}, 1024),
        ({"n_positions": None, "max_sequence_length": 64}, 64),
        ({}, 1 << 30),
    ],
)
def test_context_length_goes_by_the_names_that_configs_use(config, length):
    assert context_length(SimpleNamespace(config=SimpleNamespace(**config))) == length


# --- sampling -------------------------------------------------------------------------------


def test_the_same_seed_draws_the_same_and_another_one_another(answerers):
    answerer = answerers("llama")
    first, again = (answerer.answer(asked("猫"), DRAWN) for _ in range(2))
    other = answerer.answer(asked("猫"), replace(DRAWN, seed=8))
    assert first == again
    assert first.ids != other.ids


def test_equal_prompts_of_one_batch_are_answered_differently(answerers):
    answers = answerers("llama").answer_many([asked("猫")] * 3, DRAWN)
    assert len({tuple(answer.ids) for answer in answers}) == 3


@pytest.mark.parametrize("seed", [2**63 - 1, 2**64 + 5])
def test_any_seed_will_do(answerers, seed):
    answers = answerers("llama").answer_many([asked("猫")] * 2, replace(DRAWN, seed=seed))
    assert [answer.answer_tokens for answer in answers] == [16, 16]


@pytest.fixture
def drawn_from(monkeypatch):
    """The probabilities that `choose_tokens` draws from, one row for each of the logits'."""
    draw = torch.multinomial

    def read(logits, sampling, seen=((0,),), mask=((0,),)):
        rows = []
        monkeypatch.setattr(torch, "multinomial", lambda p, *a, **k: rows.append(p) or draw(p, *a))
        random = [torch.Generator()] * len(logits)
        choose_tokens(logits, torch.tensor(seen), torch.tensor(mask), sampling, random)
        return torch.stack(rows)

    return read


# Four tokens of probability 1/2, 1/4, 3/20 and 1/10.
LOGITS = torch.tensor([[0.5, 0.25, 0.15, 0.1]]).log()
PLAIN = Sampling(temperature=1.0, top_p=1.0, top_k=0)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [0.5, 0.25, 0.15, 0.1]),
        # p^2 over their sum: 0.25 + 0.0625 + 0.0225 + 0.01 = 0.345
        ({"temperature": 0.5}, [0.25 / 0.345, 0.0625 / 0.345, 0.0225 / 0.345, 0.01 / 0.345]),
        ({"top_k": 2}, [2 / 3, 1 / 3, 0, 0]),
        ({"top_k": 9}, [0.5, 0.25, 0.15, 0.1]),
        # 0.5 is less than 0.7, 0.5 + 0.25 is not: two tokens are the fewest.
        ({"top_p": 0.7}, [2 / 3, 1 / 3, 0, 0]),
        ({"top_p": 0.76}, [0.5 / 0.9, 0.25 / 0.9, 0.15 / 0.9, 0]),
        ({"top_p": 0.4}, [1, 0, 0, 0]),
        ({"top_p": 0.0}, [1, 0, 0, 0]),
        # After top_k 2 the first has 2/3 of what is left.
        ({"top_k": 2, "top_p": 0.6}, [1, 0, 0, 0]),
    ],
)
def test_hand_made_logits_are_drawn_from_as_computed(drawn_from, changes, expected):
    found = drawn_from(LOGITS, replace(PLAIN, **changes))[0]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float32))


def test_a_repeated_token_is_halved_above_zero_and_doubled_below(drawn_from):
    logits = torch.tensor([[2.0, -1.0, 0.5, -0.5]])
    found = drawn_from(logits, replace(PLAIN, repetition_penalty=2.0), [[0, 1, 1]], [[1, 1, 1]])
    torch.testing.assert_close(found, torch.tensor([[1.0, -2.0, 0.5, -0.5]]).softmax(-1))


@pytest.mark.parametrize("mask", [[[1, 0]], [[0, 1]]])
def test_padding_with_a_repeated_id_does_not_spare_it(drawn_from, mask):
    logits = torch.tensor([[2.0, 1.0, 0.5, -0.5]])
    found = drawn_from(logits, replace(PLAIN, repetition_penalty=2.0), [[0, 0]], mask)
    torch.testing.assert_close(found, torch.tensor([[1.0, 1.0, 0.5, -0.5]]).softmax(-1))


def test_padding_alone_is_not_punished(drawn_from):
    found = drawn_from(LOGITS, replace(PLAIN, repetition_penalty=2.0), [[0, 0]], [[0, 0]])
    torch.testing.assert_close(found, LOGITS.exp())


def test_greedy_takes_the_largest_after_the_penalty():
    logits, mask = torch.tensor([[3.0, 2.0], [3.0, 2.0]]), torch.ones(2, 1, dtype=torch.long)
    sampling = replace(GREEDY, repetition_penalty=2.0)
    chosen = choose_tokens(logits, torch.tensor([[0], [1]]), mask, sampling, [])
    assert chosen.tolist() == [[1], [0]]


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": 0.7},
        {"temperature": 1.3, "top_k": 12},
        {"temperature": 0.9, "top_p": 0.6},
        {"temperature": 0.7, "top_k": 40, "top_p": 0.75},
        {"temperature": 1.0, "top_k": 5, "top_p": 0.95, "repetition_penalty": 1.3},
    ],
)
def test_random_logits_are_drawn_from_as_by_the_warpers_of_transformers(drawn_from, changes):
    random = torch.Generator().manual_seed(1)
    logits = torch.randn(3, 64, generator=random) * 4
    seen = torch.randint(0, 64, (3, 9), generator=random)
    sampling = replace(PLAIN, **changes)
    wanted = RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty)(seen, logits.clone())
    wanted = TemperatureLogitsWarper(sampling.temperature)(seen, wanted)
    if sampling.top_k:
        wanted = TopKLogitsWarper(sampling.top_k)(seen, wanted)
    if sampling.top_p < 1:
        wanted = TopPLogitsWarper(sampling.top_p)(seen, wanted)
    found = drawn_from(logits, sampling, seen.tolist(), torch.ones_like(seen).tolist())
    assert torch.equal(found > 0, wanted.softmax(-1) > 0)
    torch.testing.assert_close(found, wanted.softmax(-1))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_repeated_runs_are_forbidden_as_by_the_processor_of_transformers(drawn_from, size):
    random = torch.Generator().manual_seed(2)
    logits = torch.randn(4, 9, generator=random)
    seen = torch.randint(0, 6, (4, 30), generator=random)
    wanted = NoRepeatNGramLogitsProcessor(size)(seen, logits.clone()).softmax(-1)
    sampling = replace(PLAIN, no_repeat_ngram_size=size)
    found = drawn_from(logits, sampling, seen.tolist(), torch.ones_like(seen).tolist())
    torch.testing.assert_close(found, wanted)
    assert (found == 0).any()


def test_runs_that_reach_into_padding_are_not_forbidden():
    logits = torch.tensor([[0.0, 1.0, 3.0, 2.0]])
    seen, sampling = torch.tensor([[0, 2, 0]]), replace(GREEDY, no_repeat_ngram_size=2)
    chosen = [
        choose_tokens(logits, seen, torch.tensor([mask]), sampling, []).item()
        for mask in ([1, 1, 1], [0, 1, 1])
    ]
    assert chosen == [3, 2]  # 0 2 was said, or the first 0 is padding


def test_before_a_run_is_full_nothing_is_forbidden():
    seen, sampling = torch.tensor([[1]]), replace(GREEDY, no_repeat_ngram_size=2)
    chosen = choose_tokens(LOGITS, seen, torch.ones_like(seen), sampling, [])
    assert chosen.tolist() == [[0]]


def test_no_run_of_two_tokens_is_said_twice(answerers):
    answerer = answerers("gpt_neox")
    sampling = replace(GREEDY, max_new_tokens=40, no_repeat_ngram_size=2)
    prompt = answerer.prompter.prompt_ids(asked("猫"))
    ids = [*prompt, *answerer.answer(asked("猫"), sampling).ids]
    pairs = list(pairwise(ids))[len(prompt) - 1 :]
    assert len(set(pairs)) == len(pairs) > 20


# --- where it runs --------------------------------------------------------------------------


def artifact_trained(**training):
    return Artifact(base="tiny", adapter=Path("adapter"), card={"training": training})


def placed(artifact, quantization=None, precision=None, device=None):
    return placement_for(artifact, quantization=quantization, precision=precision, device=device)


@pytest.fixture
def cuda(monkeypatch):
    """A machine with a CUDA GPU, which has bfloat16 or not."""

    def there(bfloat16):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: bfloat16)

    return there


def test_a_cpu_computes_in_float32_whatever_was_trained(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    trained = artifact_trained(quantization="4bit", precision="bfloat16")
    assert placed(trained) == Placement("cpu", "float32", "none")
    assert placed(trained, precision="bfloat16") == Placement("cpu", "bfloat16", "none")


def test_a_cpu_cannot_quantize_and_says_what_to_do():
    with pytest.raises(JloraError) as refusal:
        placed(artifact_trained(), quantization="4bit", device="cpu")
    assert refusal.value.problem == "4bit needs a CUDA GPU; the device is cpu"
    assert refusal.value.remedy == "use --quantization none"


@pytest.mark.parametrize(
    ("trained", "bfloat16", "expected"),
    [
        ({"quantization": "4bit", "precision": "bfloat16"}, True, ("bfloat16", "4bit")),
        ({"quantization": "8bit", "precision": "float16"}, True, ("float16", "8bit")),
        ({"quantization": "none", "precision": "float32"}, True, ("float32", "none")),
        ({"quantization": "4bit", "precision": "bfloat16"}, False, ("float16", "4bit")),
        ({}, True, ("bfloat16", "none")),
        ({}, False, ("float16", "none")),
    ],
)
def test_a_gpu_loads_as_the_adapter_was_trained_where_it_can(cuda, trained, bfloat16, expected):
    cuda(bfloat16)
    assert placed(artifact_trained(**trained)) == Placement("cuda", *expected)


def test_a_merged_model_answers_as_it_was_written_and_compared(cuda):
    cuda(bfloat16=True)
    merged = replace(artifact_trained(quantization="4bit", precision="bfloat16"), adapter=None)
    assert placed(merged) == Placement("cuda", "bfloat16", "none")
    assert placed(merged, quantization="4bit") == Placement("cuda", "bfloat16", "4bit")


def test_without_bitsandbytes_a_gpu_answers_in_full_precision_and_says_so(cuda, monkeypatch):
    from jlora_cli.generation import loading

    cuda(bfloat16=True)
    monkeypatch.setattr(loading, "find_spec", lambda _: None)
    told = []
    chosen = placement_for(
        artifact_trained(quantization="4bit", precision="bfloat16"),
        quantization=None,
        precision=None,
        device=None,
        notify=told.append,
    )
    assert chosen == Placement("cuda", "bfloat16", "none")
    (warning,) = told
    assert warning.text.endswith("in full precision: bitsandbytes is not installed")


def test_options_beat_the_training(cuda):
    cuda(bfloat16=True)
    trained = artifact_trained(quantization="4bit", precision="bfloat16")
    found = placed(trained, quantization="none", precision="float16")
    assert found == Placement("cuda", "float16", "none")
    assert placed(trained, device="cpu") == Placement("cpu", "float32", "none")


@pytest.mark.parametrize(
    ("asked_for", "problem", "remedy"),
    [
        (
            {"quantization": "2bit"},
            "--quantization 2bit is not known",
            "use one of none, 8bit, 4bit",
        ),
        (
            {"precision": "fp8"},
            "--precision fp8 is not known",
            "use one of float32, bfloat16, float16",
        ),
    ],
)
def test_an_unknown_way_to_load_is_refused(cuda, asked_for, problem, remedy):
    cuda(bfloat16=True)
    with pytest.raises(JloraError) as refusal:
        placed(artifact_trained(), **asked_for)
    assert (refusal.value.problem, refusal.value.remedy) == (problem, remedy)


# --- loading --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run_copy(tiny_run, tmp_path_factory):
    """A copy of the adapter of `tiny_run`, with its card changed."""

    def make(**changes):
        folder = tmp_path_factory.mktemp("copy") / "adapter"
        shutil.copytree(tiny_run / "adapter", folder)
        card = json.loads((folder / "jlora.json").read_text(encoding="utf-8"))
        card = {**card, **changes}
        (folder / "jlora.json").write_text(json.dumps(card), encoding="utf-8")
        return folder

    return make


def test_an_adapter_answers_under_the_prompt_of_its_training(tiny_run):
    told = []
    answerer = load_answerer(open_source(str(tiny_run)), Placement(), notify=told.append)
    card = json.loads((tiny_run / "adapter" / "jlora.json").read_text(encoding="utf-8"))
    assert answerer.prompter.format.as_json() == card["prompt"]
    assert told == []
    lines = (tiny_run / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    after = [row for row in map(json.loads, lines) if row["when"] == "after"]
    sampling = Sampling(max_new_tokens=64, temperature=0.0)
    again = [answerer.answer(asked(row["prompt"]), sampling).text for row in after]
    assert again == [row["answer"] for row in after]
    assert len(after) == 3


def test_another_template_keeps_the_newline_and_case_rules_of_the_training(run_copy, tiny_run):
    card = json.loads((tiny_run / "adapter" / "jlora.json").read_text(encoding="utf-8"))
    folder = run_copy(prompt={**card["prompt"], "newline": "nl", "lower_case": True})
    answerer = load_answerer(open_source(str(folder)), Placement(), template="none")
    ids = answerer.prompter.prompt_ids(asked("ABC\n猫"))
    assert answerer.prompter.tokenizer.decode(ids) == "abc<NL>猫"


def test_an_adapter_on_other_weights_answers_with_a_warning(run_copy):
    folder = run_copy(base={"model": "tiny", "fingerprint": "0" * 64})
    told = []
    base = json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"]
    load_answerer(open_source(str(folder), base=base), Placement(), notify=told.append)
    (warning,) = told
    assert isinstance(warning, Warned)
    assert f"{folder} was trained on other weights than those of {base}" in warning.text


@pytest.mark.parametrize(
    "prompt",
    [{"newline": "keep", "lower_case": False}, {"newline": "keep", "lower_case": 0, "x": 1}],
)
def test_a_card_without_a_whole_prompt_is_refused_by_name(run_copy, prompt):
    folder = run_copy(prompt=prompt)
    with pytest.raises(JloraError) as refusal:
        load_answerer(open_source(str(folder)), Placement())
    assert str(folder / "jlora.json") in refusal.value.problem


def test_an_adapter_without_a_tokenizer_takes_that_of_the_base(tiny_run, tiny_base, tmp_path):
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copyfile(tiny_run / "adapter" / name, tmp_path / name)
    answerer = load_answerer(open_source(str(tmp_path), base=str(tiny_base)), Placement())
    assert answerer.prompter.tokenizer.folder == tiny_base
    own = load_answerer(open_source(str(tiny_run)), Placement())
    assert own.prompter.tokenizer.folder == tiny_run / "adapter"
    assert answerer.answer(asked("猫"), GREEDY).text == own.answer(asked("猫"), GREEDY).text


def test_the_adapter_is_what_changes_the_answers(tiny_run, tiny_base):
    tuned = load_answerer(open_source(str(tiny_run)), Placement())
    base = Answerer(load_base(tiny_base, Placement()), tuned.prompter)
    with tuned.model.disable_adapter():
        without = tuned.answer(asked("猫"), GREEDY)
    assert without == base.answer(asked("猫"), GREEDY)
    assert tuned.answer(asked("猫"), GREEDY) != without


def test_a_prepared_input_is_written_where_the_template_wants_it(tiny_base):
    base = Artifact(base=str(tiny_base))
    answerer = load_answerer(base, Placement(), template="alpaca-ja")
    messages = asked("訳して。\n\n吾輩は猫である。")
    (answer,) = answerer.answer_many([messages], GREEDY, inputs=["吾輩は猫である。"])
    ids = answerer.prompter.prompt_ids(messages, input="吾輩は猫である。")
    assert answerer.prompter.tokenizer.decode(ids) == (
        "### 指示:\n訳して。\n\n### 入力:\n吾輩は猫である。\n\n### 回答:\n"
    )
    assert answer.prompt_tokens == len(ids)
    assert answer.prompt_tokens != len(answerer.prompter.prompt_ids(messages))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_no_file_holds_is_computed_as_in_a_model_built_in_memory(answerers, architecture):
    loaded = answerers(architecture).model
    built = AutoModelForCausalLM.from_config(loaded.config)
    found, wanted = dict(loaded.named_buffers()), dict(built.named_buffers())
    assert found.keys() == wanted.keys()
    for name, buffer in wanted.items():
        assert torch.equal(found[name], buffer), name


@pytest.mark.skipif(not FOREIGN_BASE.is_dir(), reason="the shared inputs are not here")
def test_a_base_of_another_maker_answers_under_a_template_of_ours():
    answerer = load_answerer(open_source(str(FOREIGN_BASE)), Placement())
    answer = answerer.answer(asked("猫"), replace(GREEDY, max_new_tokens=4))
    assert answerer.prompter.format.template == "chat-markdown"
    assert answer.answer_tokens == 4


def test_tokens_are_chosen_in_float32_whatever_the_model_computes_in(scripted, monkeypatch):
    answerer, types = scripted([100, EOS_ID]), []
    choose = engine.choose_tokens

    def read(logits, *rest):
        types.append(logits.dtype)
        return choose(logits, *rest)

    speak = Scripted.__call__

    def in_half(self, **given):
        result = speak(self, **given)
        return SimpleNamespace(logits=result.logits.bfloat16(), past_key_values=1)

    monkeypatch.setattr(Scripted, "__call__", in_half)
    monkeypatch.setattr(engine, "choose_tokens", read)
    answerer.answer(asked("猫"), GREEDY)
    assert types == [torch.float32] * 2
