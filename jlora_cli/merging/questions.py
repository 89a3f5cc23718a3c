"""What the models of a merge are asked: the run's own validation prompts, where it has any."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jlora_cli.dataset import Message
from jlora_cli.errors import JloraError
from jlora_cli.hub import is_here
from jlora_cli.preparing import DEMO_VALIDATION, load_data
from jlora_cli.run_folder import read_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jlora_cli.dataset import Example

# Real text with what goes wrong most: used where no prompts of the run's own are at hand.
PROMPTS = (
    "こんにちは",
    "日本の首都はどこですか？",
    "ﾊﾟｿｺﾝの使い方を\n教えて🐈",
    "髙﨑さんと𠮷田さん",
)
SAMPLE = 8
Origin = Literal["given", "validation", "samples", "built-in"]


@dataclass(frozen=True)
class Question:
    """A conversation up to its answer; `input` where a row keeps an instruction's apart."""

    messages: tuple[Message, ...]
    input: str = ""


def questions_for(
    run: Path | None, *, given: Sequence[str] = (), every: bool = False
) -> tuple[list[Question], Origin]:
    """What is asked, and where it comes from; `every`: all the validation prompts, else eight.

    `given` beats the run's validation rows, these the prompts that it answered before and after
    its training, these `PROMPTS`.
    """
    if given:
        return _plain(given), "given"
    held_out = _validation(run) if run is not None else []
    if held_out:
        return held_out if every else spread(held_out), "validation"
    sampled = _sampled(run) if run is not None else []
    return (_plain(sampled), "samples") if sampled else (_plain(PROMPTS), "built-in")


def spread(questions: list[Question]) -> list[Question]:
    """At most eight of them, evenly spread."""
    step = len(questions) / min(SAMPLE, len(questions))
    return [questions[int(place * step)] for place in range(min(SAMPLE, len(questions)))]


def _plain(prompts: Sequence[str]) -> list[Question]:
    return [Question((Message("user", prompt),)) for prompt in prompts]


def _validation(run: Path) -> list[Question]:
    """The prompts of the run's validation rows, as far as these still lie where they were."""
    try:
        named = read_record(run)["config"]["validation"]["value"]
        if not isinstance(named, str) or not (named == DEMO_VALIDATION or is_here(Path(named))):
            return []
        examples = load_data(named).examples
    except (JloraError, KeyError, TypeError):
        return []
    return list(dict.fromkeys(filter(None, map(_question, examples))))


def _question(example: Example) -> Question | None:
    messages = example.messages
    if not messages or messages[-1].role != "assistant" or len(messages) < 2:
        return None
    return Question(tuple(messages[:-1]), example.input)


def _sampled(run: Path) -> list[str]:
    """The prompts that the run answered before and after its training, as far as it kept them."""
    try:
        lines = (run / "samples.jsonl").read_text(encoding="utf-8").splitlines()
        return list(dict.fromkeys(json.loads(line)["prompt"] for line in lines))
    except (OSError, ValueError, KeyError, TypeError):
        return []
