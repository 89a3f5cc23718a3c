"""Scores are the published ones, taken on the last answer, with the adapter and without it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from jlora_cli import evaluation
from jlora_cli.dataset import Example, Message
from jlora_cli.errors import JloraError
from jlora_cli.evaluation import Terms, bleu, chrf, compile_pattern, evaluate, rouge_l, score
from jlora_cli.events import Answered, Stage, Warned
from jlora_cli.generation import Answer, Answerer, load_answerer
from jlora_cli.model import Placement
from jlora_cli.run_folder import Artifact, open_source
from jlora_cli.sampling import Sampling
from tests.tiny_models import CONTEXT
from tests.tiny_runs import PAIRS

GREEDY = Sampling(max_new_tokens=8, temperature=0.0)


def example(*turns, input="", origin=""):
    """User and assistant in turns."""
    roles = ["user", "assistant"] * len(turns)
    messages = tuple(Message(role, text) for role, text in zip(roles, turns, strict=False))
    return Example(messages=messages, input=input, origin=origin)


EXAMPLES = [example(question, answer) for question, answer in PAIRS]


@pytest.fixture(scope="module")
def answerer(tiny_base):
    return load_answerer(Artifact(base=str(tiny_base)), Placement())


@pytest.fixture
def saying(answerer, monkeypatch):
    """`answerer`, but its answers are these texts, in order, with these reasons to end."""

    def make(*texts, reasons=None):
        made = [
            Answer(text, [9], reason, 5)
            for text, reason in zip(texts, reasons or ["eos"] * len(texts), strict=True)
        ]
        monkeypatch.setattr(answerer, "answer_many", lambda *_, **__: made, raising=True)
        return answerer

    return make


# --- texts against texts --------------------------------------------------------------------

# chrF and BLEU: sacrebleu 2.6.0, CHRF().sentence_score (chrF2, nc 6, nw 0, space no) and
# BLEU(tokenize="char", smooth_method="none").corpus_score. ROUGE-L: rouge-score 0.1.2 with a
# tokenizer that lists the characters.
SCORED = [
    (
        "吾輩は猫である。名前はまだ無い。",
        "吾輩は猫である。名前はもう有る。",
        63.39493839493839,
        0.75,
    ),
    ("東京です", "日本の首都は東京です。", 29.71215652509538, 8 / 15),
    ("ｶﾞｷﾞ Ａ１ 🐈", "ｶﾞｷﾞ、Ａ１、🐈です", 25.080056642297304, 0.7),
    ("はい", "いいえ", 17.857142857142854, 0.4),
    ("髙﨑さん\nと𠮷田さん", "髙﨑さんと𠮷野さん", 56.005291005291, 16 / 19),
]
TEXTS = [(answer, reference) for answer, reference, *_ in SCORED]


@pytest.mark.parametrize(("answer", "reference", "expected", "_"), SCORED)
def test_chrf_is_that_of_sacrebleu(answer, reference, expected, _):
    assert chrf(answer, reference) == pytest.approx(expected, abs=1e-9)


def test_chrf_of_two_characters_worked_by_hand():
    # "はい" against "いいえ": 1 of 2 characters said is right (P 1/2), 1 of 3 wanted (R 1/3);
    # its pair はい is none of いい, いえ. Means P 1/4, R 1/6; F2 = 5 P R / (4 P + R) = 5/28.
    assert chrf("はい", "いいえ") == pytest.approx(100 * 5 / 28)


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        ("", "猫", 0.0),
        ("猫", "", 0.0),
        ("", "", 0.0),
        ("犬", "猫", 0.0),
        ("猫 である", "猫\nである", 100.0),
    ],
)
def test_chrf_at_its_ends(answer, reference, expected):
    assert chrf(answer, reference) == pytest.approx(expected)


def test_bleu_is_the_corpus_bleu_of_sacrebleu_over_characters():
    assert bleu(TEXTS) == pytest.approx(48.33427333803733, abs=1e-9)
    assert bleu(TEXTS[:3]) == pytest.approx(44.90849873311805, abs=1e-9)


def test_bleu_worked_by_hand():
    # 5 of 5 characters right, 3 of 4 pairs, 1 of 3 triples, 0 quadruples: nothing without them.
    assert bleu([("吾輩は猫も", "吾輩は犬猫も")]) == 0.0
    # One quadruple of one is right, as are all shorter ones; 4 characters for 5: exp(1 - 5/4).
    assert bleu([("吾輩は猫", "吾輩は猫だ")]) == pytest.approx(100 * math.exp(-0.25))
    # Longer than the reference: no penalty, 4/5 * 3/4 * 2/3 * 1/2 = 1/5 under the fourth root.
    assert bleu([("吾輩は猫だ", "吾輩は猫")]) == pytest.approx(100 * 0.2**0.25)


@pytest.mark.parametrize("pairs", [[("", "猫である")], [("猫", "猫である")], [("", "")]])
def test_bleu_of_answers_shorter_than_four_characters_is_nothing(pairs):
    assert bleu(pairs) == 0.0


@pytest.mark.parametrize(("answer", "reference", "_", "expected"), SCORED)
def test_rouge_l_is_that_of_rouge_score_over_characters(answer, reference, _, expected):
    assert rouge_l(answer, reference) == pytest.approx(expected)


def test_rouge_l_counts_the_longest_subsequence():
    # 私は…を読む is common: 5 of 6 characters said, 5 of 8 wanted; F1 = 2 * 5 / (6 + 8).
    assert rouge_l("私は本を読む", "私は小説を毎読む") == pytest.approx(10 / 14)
    assert rouge_l("", "猫") == rouge_l("犬", "猫") == 0.0
    assert rouge_l("🐈🐈", "🐈🐈") == 1.0


# --- the pattern ----------------------------------------------------------------------------


def test_a_pattern_is_searched_for_anywhere():
    pattern = compile_pattern("にゃ。?$")
    found = [bool(pattern.search(text)) for text in ("そうにゃ", "そうにゃ。", "にゃあ", "猫")]
    assert found == [True, True, False, False]
    assert compile_pattern(None) is None


def test_a_bad_pattern_is_refused_before_anything_is_loaded(tiny_run, monkeypatch):
    monkeypatch.setattr(evaluation, "load_answerer", lambda *a, **k: pytest.fail("loaded"))
    with pytest.raises(JloraError) as refusal:
        evaluate(open_source(str(tiny_run)), EXAMPLES, Placement(), Terms(GREEDY, "にゃ("))
    assert refusal.value.problem.startswith("--expect にゃ( is no regular expression: missing )")
    assert "backslash" in refusal.value.remedy


# --- one model ------------------------------------------------------------------------------


def test_perplexity_is_exp_of_the_cross_entropy_of_the_answers(answerer):
    scores, _ = score(answerer, EXAMPLES[:3], GREEDY, None)
    losses = []
    for row in EXAMPLES[:3]:
        prompt = answerer.prompter.prompt_ids(row.messages[:1])
        tokenizer = answerer.prompter.tokenizer
        said = [*tokenizer.encode(row.messages[1].content), answerer.prompter.format.eos_id]
        with torch.inference_mode():
            logits = answerer.model(torch.tensor([prompt + said])).logits[0]
        chances = logits.log_softmax(-1)[len(prompt) - 1 : -1]
        losses += [-float(row[id]) for row, id in zip(chances, said, strict=True)]
    assert len(losses) > 20
    assert scores.perplexity == pytest.approx(math.exp(sum(losses) / len(losses)), rel=1e-5)


def test_shares_and_means_are_over_the_rows(saying):
    rows = [example("a", "猫です"), example("b", "犬です"), example("c", "鳥"), example("d", "🐈")]
    said = saying("猫です\n", "犬でした", "鳥", "犬", reasons=["eos", "length", "eos", "length"])
    scores, answers = score(said, rows, GREEDY, compile_pattern("^.で"))
    assert [answer.text for answer in answers] == ["猫です\n", "犬でした", "鳥", "犬"]
    assert (scores.exact_match, scores.expect_share, scores.eos_share) == (0.5, 0.5, 0.5)
    texts = [("猫です\n", "猫です"), ("犬でした", "犬です"), ("鳥", "鳥"), ("犬", "🐈")]
    assert scores.chrf == pytest.approx(sum(chrf(*pair) for pair in texts) / 4)
    assert scores.rouge_l == pytest.approx(sum(rouge_l(*pair) for pair in texts) / 4)
    assert scores.bleu == bleu(texts)


def test_without_a_pattern_there_is_no_share_of_it(saying):
    scores, _ = score(saying("猫"), [example("a", "猫")], GREEDY, None)
    assert scores.expect_share is None
    assert list(scores.as_json()) == [
        *("perplexity", "chrf", "bleu", "rouge_l", "exact_match", "expect_share", "eos_share")
    ]


def test_a_hopeless_model_has_a_finite_perplexity(saying, monkeypatch):
    monkeypatch.setattr(evaluation, "mean_loss", lambda *_, **__: 1e4)
    scores, _ = score(saying("猫"), [example("a", "猫")], GREEDY, None)
    assert scores.perplexity == math.exp(700)


def test_only_the_last_answer_of_a_conversation_is_scored(answerer, monkeypatch):
    row = example("猫は？", "います。", "犬は？", "いません。🐕")
    asked, losses = [], []
    answer_many, mean_loss = Answerer.answer_many, evaluation.mean_loss

    def listen(self, conversations, *rest, **terms):
        asked.extend(conversations)
        return answer_many(self, conversations, *rest, **terms)

    def look(model, rows, **terms):
        losses.extend(rows)
        return mean_loss(model, rows, **terms)

    monkeypatch.setattr(Answerer, "answer_many", listen)
    monkeypatch.setattr(evaluation, "mean_loss", look)
    score(answerer, [row], GREEDY, None)
    (encoded,) = losses
    supervised = [label for label in encoded.labels if label != -100]
    assert answerer.prompter.answer(supervised) == "いません。🐕"
    assert asked == [row.messages[:3]]


def test_an_input_that_was_kept_apart_is_asked_as_in_the_training(tiny_base, monkeypatch):
    base = Artifact(base=str(tiny_base))
    answerer = load_answerer(base, Placement(), template="alpaca-ja")
    row = example("訳して。\n\n吾輩は猫", "I am a cat", input="吾輩は猫")
    _, (answer,) = score(answerer, [row], GREEDY, None)
    trained = answerer.prompter.encode_examples([row], max_length=CONTEXT).rows[0]
    assert answer.prompt_tokens == trained.labels.count(-100)


# --- a whole evaluation ---------------------------------------------------------------------


def test_rows_without_an_answer_are_left_out_and_counted(tiny_run):
    told = []
    rows = [
        *EXAMPLES[:2],
        example("質問だけ"),
        Example(text="吾輩は猫である。"),
        example("問", "答", "もう一つの問"),
    ]
    found = evaluate(open_source(str(tiny_run)), rows, Placement(), Terms(GREEDY), told.append)
    assert found.rows == 2
    assert [each["prompt"] for each in found.answers] == [PAIRS[0][0], PAIRS[1][0]]
    assert [each["reference"] for each in found.answers] == [PAIRS[0][1], PAIRS[1][1]]
    (warning,) = [event for event in told if isinstance(event, Warned)]
    assert warning.text.startswith("3 rows left out: ")
    assert [event for event in told if isinstance(event, Answered)] == [Answered(2, 2)]


def test_all_rows_scored_is_worth_no_warning(tiny_run):
    told = []
    evaluate(open_source(str(tiny_run)), EXAMPLES[:1], Placement(), Terms(GREEDY), told.append)
    assert not [event for event in told if isinstance(event, Warned)]


def test_a_row_that_is_nothing_but_an_answer_is_scored_and_not_listed(tiny_run):
    alone = Example(messages=(Message("assistant", "吾輩は猫である。"),))
    rows = [alone, EXAMPLES[0]]
    found = evaluate(open_source(str(tiny_run)), rows, Placement(), Terms(GREEDY))
    assert (found.rows, len(found.answers)) == (2, 1)


@pytest.mark.parametrize(
    "long",
    [example("猫" * 300, "はい"), example("猫" * 100, "は" * 200), example("猫" * 230, "は")],
)
def test_rows_too_long_for_the_model_are_left_out(tiny_run, long):
    told = []
    rows = [long, EXAMPLES[0]]
    terms = Terms(replace(GREEDY, max_new_tokens=20))
    found = evaluate(open_source(str(tiny_run)), rows, Placement(), terms, told.append)
    assert found.rows == 1
    assert sum(isinstance(event, Warned) for event in told) == 1


def test_nothing_but_rows_too_long_is_refused(tiny_run):
    terms = Terms(replace(GREEDY, max_new_tokens=CONTEXT))
    with pytest.raises(JloraError) as refusal:
        evaluate(open_source(str(tiny_run)), EXAMPLES, Placement(), terms)
    expected = f"no row fits: with {CONTEXT} new tokens, each exceeds the model's {CONTEXT}"
    assert refusal.value.problem == expected


@pytest.mark.parametrize("rows", [[], [Example(text="吾輩は猫である。")], [example("質問だけ")]])
def test_nothing_to_compare_with_is_refused(tiny_run, rows):
    with pytest.raises(JloraError, match="no row ends in an answer"):
        evaluate(open_source(str(tiny_run)), rows, Placement(), Terms(GREEDY))


def test_the_base_is_scored_by_setting_the_adapter_aside_not_by_a_second_load(
    tiny_run, tiny_base, monkeypatch
):
    load, loads = evaluation.load_answerer, []
    monkeypatch.setattr(
        evaluation, "load_answerer", lambda *a, **k: loads.append(a) or load(*a, **k)
    )
    told = []
    terms = Terms(GREEDY, "。", compare_base=True)
    both = evaluate(open_source(str(tiny_run)), EXAMPLES, Placement(), terms, told.append)
    assert len(loads) == 1
    alone = evaluate(Artifact(base=str(tiny_base)), EXAMPLES, Placement(), Terms(GREEDY, "。"))
    assert both.base == alone.tuned
    assert both.tuned.perplexity < both.base.perplexity  # it was trained on these very rows
    assert told[0] == Stage("evaluate.stage.loading", {"model": str(tiny_base)})
    assert Stage("evaluate.stage.base", {}) in told


def test_a_whole_model_cannot_be_compared_with_its_base(tiny_base):
    with pytest.raises(JloraError, match="--compare-base needs an adapter"):
        evaluate(
            Artifact(base=str(tiny_base)), EXAMPLES, Placement(), Terms(GREEDY, compare_base=True)
        )


def test_json_names_the_base_only_where_it_was_scored(tiny_run):
    terms = Terms(GREEDY, compare_base=True)
    both = evaluate(open_source(str(tiny_run)), EXAMPLES[:1], Placement(), terms).as_json()
    assert list(both) == ["rows", "tuned", "base", "answers"]
    assert both["base"].keys() == both["tuned"].keys()
    tuned = evaluate(open_source(str(tiny_run)), EXAMPLES[:1], Placement(), Terms(GREEDY)).as_json()
    assert list(tuned) == ["rows", "tuned", "answers"]
    assert tuned["tuned"] == both["tuned"]
