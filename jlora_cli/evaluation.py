"""How well does it answer? Perplexity of the reference answers, and scores of its own answers."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from jlora_cli.errors import refuse
from jlora_cli.events import Notify, Stage, ignore
from jlora_cli.generation import Answerer, Sampling, load_answerer
from jlora_cli.training.loss import mean_loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jlora_cli.dataset import Example
    from jlora_cli.generation import Answer
    from jlora_cli.model import Placement
    from jlora_cli.run_folder import Artifact

_CHRF_ORDER, _CHRF_BETA = 6, 2.0
_BLEU_ORDER = 4


@dataclass(frozen=True)
class Scores:
    """Means over the rows; shares from 0 to 1, chrF and BLEU from 0 to 100.

    perplexity: exp of the mean loss a supervised token, on the reference answers.
    chrf: chrF2 (Popović 2015), characters 1 to 6. bleu: characters 1 to 4. rouge_l: F1 of the
    longest common subsequence of characters, since Japanese has no spaces between words.
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
    """Score `artifact` on the rows of `examples` that end in an answer.

    Raises:
        JloraError: no such row, a bad pattern, or nothing to compare with.
    """
    rows = [e for e in examples if e.messages and e.messages[-1].role == "assistant"]
    if not rows:
        raise refuse("evaluate.no_rows")
    pattern = compile_pattern(terms.expect)
    if terms.compare_base and artifact.adapter is None:
        raise refuse("evaluate.no_base")
    notify(Stage("evaluate.stage.loading", {"model": artifact.base}))
    answerer = load_answerer(artifact, placement)
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
    answers = answerer.answer_many([row.messages[:-1] for row in rows], sampling, notify=notify)
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


def chrf(answer: str, reference: str) -> float:
    """chrF2 of one answer, 0 to 100 (Popović 2015): white space left out, orders 1 to 6."""
    answer, reference = "".join(answer.split()), "".join(reference.split())
    scores = []
    for size in range(1, _CHRF_ORDER + 1):
        made, wanted = _grams(answer, size), _grams(reference, size)
        if not made or not wanted:
            continue
        hit = (made & wanted).total()
        precision, recall = hit / made.total(), hit / wanted.total()
        weight = _CHRF_BETA**2
        below = weight * precision + recall
        scores.append((1 + weight) * precision * recall / below if below else 0.0)
    return 100 * sum(scores) / len(scores) if scores else 0.0


def bleu(pairs: Sequence[tuple[str, str]]) -> float:
    """Corpus BLEU over characters, 0 to 100 (Papineni et al. 2002), orders 1 to 4."""
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
