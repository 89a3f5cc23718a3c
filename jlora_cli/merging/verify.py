"""Base + adapter beside the merged model: the same questions, one model in memory at a time.

What the first says is kept on disk, position by position, and compared as the second says it.
"""

from __future__ import annotations

import gc
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save_file

from jlora_cli.errors import JloraError, refuse
from jlora_cli.events import Notify, Stage, Warned, ignore
from jlora_cli.generation import load_answerer
from jlora_cli.messages import say
from jlora_cli.model import Placement
from jlora_cli.sampling import Sampling

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from jlora_cli.generation import Answerer
    from jlora_cli.merging.questions import Question
    from jlora_cli.run_folder import Artifact

NEW_TOKENS = 32
# The CPU: half-precision sums and a GPU's shortcuts would be compared instead of weights.
_EXACT = Placement("cpu", "float32")
# Largest difference of a logit that rounding explains, relative to the largest logit.
_TOLERANCE = {"float32": 1e-4, "bfloat16": 0.1, "float16": 2e-2}


@dataclass(frozen=True)
class Comparison:
    """How two models compare over all positions of their answers.

    max_logit_difference: of any logit; top1_agreement: share of the positions at which both
    choose the same token first; same_greedy_text: whether each wrote what the other did.
    """

    max_logit_difference: float
    top1_agreement: float
    same_greedy_text: bool

    def as_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class Reading:
    """What a model says to each question.

    ids: prompt and answer; texts: its own greedy answers;
    new: the most tokens of these; folder: its logits where an answer's tokens are chosen, a file a
    question.
    """

    ids: list[list[int]]
    texts: list[str]
    new: int
    folder: Path

    def logits(self, place: int) -> torch.Tensor:
        """(positions, vocabulary) of question `place`, float32."""
        return load_file(self.folder / f"{place}.safetensors")["logits"]


def read_adapted(
    artifact: Artifact, questions: Sequence[Question], folder: Path
) -> tuple[Reading, list[Question]]:
    """What base + adapter say in full precision, and which of the questions leave them room.

    Raises:
        JloraError: base or adapter cannot be loaded, or no question leaves room for an answer.
    """
    answerer = _load(artifact, _EXACT)
    asked, new = _fitting(answerer, questions)
    return _read(answerer, asked, folder / "adapted", new), asked


def read_as_trained(
    artifact: Artifact, questions: Sequence[Question], along: Reading, notify: Notify = ignore
) -> Reading | None:
    """What the adapter says on the base quantised as it was in its training.

    None where it was trained on the base as it is, or where this machine cannot quantise.
    """
    quantization = (artifact.card or {}).get("training", {}).get("quantization", "none")
    if quantization == "none":
        return None
    notify(Stage("merge.stage.as_trained", {"quantization": quantization}))
    try:
        answerer = _load(artifact, replace(_EXACT, quantization=quantization))
    except JloraError as error:
        text = say("merge.no_as_trained", quantization=quantization, problem=error.problem)
        notify(Warned(text))
        return None
    return _read(answerer, questions, along.folder.with_name("as-trained"), along.new, along)


def read_merged(
    artifact: Artifact, merged: Path, questions: Sequence[Question], along: Reading
) -> Reading:
    """What the written model says; in float32, so that its weights are compared, not arithmetic."""
    answerer = _load(replace(artifact, base=str(merged), adapter=None), _EXACT)
    return _read(answerer, questions, along.folder.with_name("merged"), along.new, along)


def compare(one: Reading, other: Reading) -> Comparison:
    """The figures over all questions."""
    largest, same, count = torch.tensor(0.0), 0, 0
    for mine, theirs in zip(_all_logits(one), _all_logits(other), strict=True):
        # torch's max, unlike Python's, passes a NaN on.
        largest = torch.maximum(largest, (mine - theirs).abs().max())
        same += int((mine.argmax(-1) == theirs.argmax(-1)).sum())
        count += len(mine)
    return Comparison(float(largest), same / count, one.texts == other.texts)


def accept(found: Comparison, before: Reading, dtype: str) -> None:
    """Nothing, where rounding to `dtype` explains the difference.

    Raises:
        JloraError: it does not.
    """
    scale = max(1.0, *(float(logits.abs().max()) for logits in _all_logits(before)))
    # Not `>`: a difference that is NaN is larger than any.
    if not found.max_logit_difference <= _TOLERANCE[dtype] * scale:
        raise refuse(
            "merge.differs",
            difference=f"{found.max_logit_difference:.2e}",
            agreement=f"{found.top1_agreement:.1%}",
        )


def _load(artifact: Artifact, placement: Placement) -> Answerer:
    """An answerer, once the one before it, which nobody names any more, has left the memory."""
    gc.collect()
    return load_answerer(artifact, placement)


def _all_logits(reading: Reading) -> Iterator[torch.Tensor]:
    return (reading.logits(place) for place in range(len(reading.ids)))


def _fitting(answerer: Answerer, questions: Sequence[Question]) -> tuple[list[Question], int]:
    """The questions that leave room for an answer, and for how long a one.

    All of them where none does, to be refused.
    """
    for new in (NEW_TOKENS, 1):
        room = Sampling(max_new_tokens=new)
        fit = [q for q in questions if answerer.fits(q.messages, room, input=q.input)]
        if fit:
            return fit, new
    return list(questions), 1


def _read(
    answerer: Answerer,
    questions: Sequence[Question],
    folder: Path,
    new: int,
    along: Reading | None = None,
) -> Reading:
    """Greedy answers, and logits at their ids or at those of `along`, another model's.

    Where rounding tips one token, everything behind it differs: logits compare along the same ids.
    """
    folder.mkdir(parents=True)
    greedy = Sampling(max_new_tokens=new, temperature=0.0)
    answers = answerer.answer_many(
        [q.messages for q in questions], greedy, inputs=[q.input for q in questions]
    )
    prompts = [answerer.prompter.prompt_ids(q.messages, input=q.input) for q in questions]
    own = [prompt + answer.ids for prompt, answer in zip(prompts, answers, strict=True)]
    ids = along.ids if along is not None else own
    for place, (told, prompt) in enumerate(zip(ids, prompts, strict=True)):
        logits = _logits(answerer, told, len(prompt))
        save_file({"logits": logits}, folder / f"{place}.safetensors")
    return Reading(ids, [answer.text for answer in answers], new, folder)


def _logits(answerer: Answerer, ids: list[int], prompt: int) -> torch.Tensor:
    """At the prompt's last token and at each of the answer's: (answer + 1, vocabulary)."""
    with torch.inference_mode():
        told = torch.tensor([ids], device=answerer.model.device)
        made = answerer.model(told, use_cache=False, logits_to_keep=len(ids) - prompt + 1)
        logits: torch.Tensor = made.logits[0]
    return logits.float().cpu().contiguous()
