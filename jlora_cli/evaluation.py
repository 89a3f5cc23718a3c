"""How well does it answer? Perplexity of the reference answers, and scores of its own answers."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from jlora_cli.errors import refuse
from jlora_cli.events import Notify, Stage, Warned, ignore
from jlora_cli.generation import Answerer, context_length, load_answerer
from jlora_cli.messages import say
from jlora_cli.training.loss import mean_loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jlora_cli.dataset import Example
    from jlora_cli.generation import Answer
    from jlora_cli.model import Placement
    from jlora_cli.run_folder import Artifact
    from jlora_cli.sampling import Sampling

_CHRF_ORDER, _CHRF_BETA = 6, 2.0
_BLEU_ORDER = 4


@dataclass(frozen=True)
class Scores:
    """Means over the rows; shares from 0 to 1, chrF and BLEU from 0 to 100.

    perplexity: exp of the mean loss a supervised token, on the reference answers.
    chrf: chrF2 (Popović 2015), characters 1 to 6. bleu: characters 1 to 4, over all rows at once.
    Both look away from white space. rouge_l: F1 of the longest common subsequence of characters,
    since Japanese has no spaces between words.
    expect_share: answers in which the expected pattern was found, None without a pattern.
    eos_share: answers that ended by themselves.
    """

    perplexity: float
    chrf: float
    bleu: float
    rouge_l: float
    exact_match: float
    expect_share: float | None
    eos_share: float

    def as_json(self) -> dict[str, float | None]:
        return asdict(self)


@dataclass(frozen=True)
class Evaluation:
    """Scores with the adapter, without it if asked, and the answers behind them."""

    rows: int
    tuned: Scores
    base: Scores | None
    answers: list[dict[str, str]]

    def as_json(self) -> dict[str, object]:
        base = {"base": self.base.as_json()} if self.base else {}
        return {"rows": self.rows, "tuned": self.tuned.as_json(), **base, "answers": self.answers}


@dataclass(frozen=True)
class Terms:
    """How to score: the sampling of answers, a pattern to look for, and whether the base too."""

    sampling: Sampling
    expect: str | None = None
    compare_base: bool = False


def evaluate(
    artifact: Artifact,
    examples: Sequence[Example],
    placement: Placement,
    terms: Terms,
    notify: Notify = ignore,
) -> Evaluation:
    """Score `artifact` on the rows of `examples` that end in an answer: on that last answer.

    Rows without one, and rows too long for the model, are left out and counted in a warning.

    Raises:
        JloraError: no row is left, a bad pattern, or nothing to compare with.
    """
    rows = [e for e in examples if e.messages and e.messages[-1].role == "assistant"]
    if not rows:
        raise refuse("evaluate.no_rows")
    pattern = compile_pattern(terms.expect)
    if terms.compare_base and artifact.adapter is None:
        raise refuse("evaluate.no_base")
    notify(Stage("evaluate.stage.loading", {"model": artifact.base}))
    answerer = load_answerer(artifact, placement, notify=notify)
    rows = _fitting(answerer, rows, terms.sampling)
    if len(rows) < len(examples):
        notify(Warned(say("evaluate.left_out", count=len(examples) - len(rows))))
    tuned, answers = score(answerer, rows, terms.sampling, pattern, notify)
    base = None
    if terms.compare_base:
        notify(Stage("evaluate.stage.base", {}))
        with answerer.model.disable_adapter():
            base, _ = score(answerer, rows, terms.sampling, pattern, notify)
    shown = [
        {
            "prompt": row.messages[-2].content,
            "reference": row.messages[-1].content,
            "answer": a.text,
        }
        for row, a in zip(rows, answers, strict=True)
        if len(row.messages) > 1
    ]
    return Evaluation(len(rows), tuned, base, shown)


def _fitting(answerer: Answerer, rows: Sequence[Example], sampling: Sampling) -> list[Example]:
    """The rows whose reference and whose answer, at its longest, fit into the model's context."""
    context = context_length(answerer.model)
    encoded = answerer.prompter.encode_examples(rows, max_length=10**9, train_on="last").rows
    fit = [
        row
        for row, made in zip(rows, encoded, strict=True)
        if len(made.ids) <= context and answerer.fits(row.messages[:-1], sampling, input=row.input)
    ]
    if not fit:
        raise refuse("evaluate.all_too_long", new=sampling.max_new_tokens, context=context)
    return fit


def compile_pattern(expect: str | None) -> re.Pattern[str] | None:
    """The regular expression of `--expect`.

    Raises:
        JloraError: it is not one.
    """
    if expect is None:
        return None
    try:
        return re.compile(expect)
    except re.error as error:
        raise refuse("evaluate.bad_pattern", pattern=expect, problem=error) from error


def score(
    answerer: Answerer,
    rows: Sequence[Example],
    sampling: Sampling,
    pattern: re.Pattern[str] | None,
    notify: Notify = ignore,
) -> tuple[Scores, list[Answer]]:
    """The scores of one model, and its answers."""
    prompter = answerer.prompter
    encoded = prompter.encode_examples(rows, max_length=10**9, train_on="last").rows
    loss = mean_loss(
        answerer.model, encoded, batch_size=8, packing=False, pad_id=prompter.format.pad_id or 0
    )
    answers = answerer.answer_many(
        [row.messages[:-1] for row in rows],
        sampling,
        inputs=[row.input for row in rows],
        notify=notify,
    )
    pairs = [(a.text, row.messages[-1].content) for a, row in zip(answers, rows, strict=True)]
    count = len(pairs)
    matched = sum(bool(pattern.search(text)) for text, _ in pairs) / count if pattern else None
    return Scores(
        perplexity=math.exp(min(loss, 700.0)),
        chrf=sum(chrf(*pair) for pair in pairs) / count,
        bleu=bleu(pairs),
        rouge_l=sum(rouge_l(*pair) for pair in pairs) / count,
        exact_match=sum(text.strip() == said.strip() for text, said in pairs) / count,
        expect_share=matched,
        eos_share=sum(a.finish_reason == "eos" for a in answers) / count,
    ), answers


def _grams(text: str, size: int) -> Counter[str]:
    return Counter(text[i : i + size] for i in range(len(text) - size + 1))


def _without_space(text: str) -> str:
    return "".join(text.split())


def chrf(answer: str, reference: str) -> float:
    """chrF2 of one answer, 0 to 100 (Popović 2015): F of the mean precision and the mean recall.

    The means are over the orders 1 to 6 that both texts are long enough for, as in sacrebleu.
    """
    answer, reference = _without_space(answer), _without_space(reference)
    precision, recall, orders = 0.0, 0.0, 0
    for size in range(1, _CHRF_ORDER + 1):
        made, wanted = _grams(answer, size), _grams(reference, size)
        if made and wanted:
            hit = (made & wanted).total()
            precision += hit / made.total()
            recall += hit / wanted.total()
            orders += 1
    if not precision:
        return 0.0
    weight = _CHRF_BETA**2
    # Numerator and denominator over `orders` times the means: one factor is left to divide by.
    return 100 * (1 + weight) * precision * recall / (weight * precision + recall) / orders


def bleu(pairs: Sequence[tuple[str, str]]) -> float:
    """Corpus BLEU over characters, 0 to 100 (Papineni et al. 2002), orders 1 to 4, unsmoothed."""
    pairs = [(_without_space(answer), _without_space(reference)) for answer, reference in pairs]
    logs = 0.0
    for size in range(1, _BLEU_ORDER + 1):
        hit = sum((_grams(a, size) & _grams(r, size)).total() for a, r in pairs)
        total = sum(_grams(a, size).total() for a, _ in pairs)
        if not hit:
            return 0.0
        logs += math.log(hit / total) / _BLEU_ORDER
    made, wanted = sum(len(a) for a, _ in pairs), sum(len(r) for _, r in pairs)
    return 100 * math.exp(logs) * min(1.0, math.exp(1 - wanted / made))


def rouge_l(answer: str, reference: str) -> float:
    """ROUGE-L F1 over characters, 0 to 1 (Lin 2004)."""
    common = _longest_common(answer, reference)
    if not common:
        return 0.0
    precision, recall = common / len(answer), common / len(reference)
    return 2 * precision * recall / (precision + recall)


def _longest_common(one: str, other: str) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(other) + 1)
    for letter in one:
        corner = 0
        for i, against in enumerate(other, start=1):
            corner, row[i] = row[i], corner + 1 if letter == against else max(row[i], row[i - 1])
    return row[-1]
