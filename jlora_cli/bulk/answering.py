"""The order of a file of prompts: sorted, batched, answered, kept, written."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from jlora_cli.bulk.journal import Journal
from jlora_cli.bulk.shaping import Said, said_of
from jlora_cli.errors import refuse
from jlora_cli.events import Answered, Notify, Stage, ignore
from jlora_cli.run_folder import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from jlora_cli.bulk.rows import PromptRow
    from jlora_cli.bulk.shaping import Shaping
    from jlora_cli.generation import Answer, Answerer
    from jlora_cli.sampling import Sampling


@dataclass(frozen=True)
class Job:
    """What is answered, how, and where it goes.

    samples: answers a row. model: what tells this model from another, for a run that goes on.
    """

    rows: Sequence[PromptRow]
    input: Path
    output: Path
    sampling: Sampling
    shaping: Shaping
    samples: int = 1
    batch_size: int = 8
    model: Mapping[str, Any] | None = None

    @property
    def journal(self) -> Path:
        """What is done already: beside the output, until that is whole."""
        return self.output.with_name(self.output.name + ".journal")

    def terms(self) -> dict[str, Any]:
        """What must be the same for a run to go on: everything that an answer depends on."""
        content = [[row.record, [asdict(m) for m in row.messages]] for row in self.rows]
        return {
            "rows": hashlib.sha256(json.dumps(content, default=str).encode()).hexdigest(),
            "sampling": self.sampling.as_json(),
            "samples": self.samples,
            "batch_size": self.batch_size,
            "model": dict(self.model or {}),
        }


@dataclass(frozen=True)
class Summary:
    """What came of it. `resumed`: rows that an earlier run had answered; times are this run's."""

    rows: int
    answers: int
    resumed: int
    output: str
    seconds: float
    answer_tokens: int
    tokens_per_second: float
    seconds_to_first_token: float | None
    finish_reasons: dict[str, int]
    not_extracted: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def answer_rows(answerer: Answerer, job: Job, notify: Notify = ignore) -> Summary:
    """Answer every row of `job` into its output, in input order, going on where a run was ended.

    Batches are those of all the rows, whatever is done already, so that a run that went on gives
    the very answers of one that was never ended.

    Raises:
        JloraError: a row is too long for the model, a journal of other terms lies beside the
            output, or it cannot be written.
    """
    batches = _batches(answerer, job)
    journal = Journal(job.journal, job.terms())
    resumed = len(journal.done)
    if resumed:
        notify(Stage("infer.stage.resuming", {"done": resumed, "total": len(job.rows)}))
    pace = _Pace()
    for batch in batches:
        if all(number in journal.done for number in batch):
            continue
        made = _answer(answerer, job, batch)
        pace.add(made.values())
        kept = {n: [asdict(said_of(answer)) for answer in made[n]] for n in made}
        journal.add({n: said for n, said in kept.items() if n not in journal.done})
        notify(Answered(len(journal.done), len(job.rows)))
    said = [[Said(**kept) for kept in journal.done[number]] for number in range(len(job.rows))]
    _write(job, said)
    journal.remove()
    return _summary(job, said, resumed, pace)


class _Pace:
    """How fast answers come, since it was made."""

    def __init__(self) -> None:
        self._begun = time.perf_counter()
        self.tokens = 0
        self.first: float | None = None

    def add(self, made: Iterable[list[Answer]]) -> None:
        """Count the answers of one batch."""
        answers = [answer for row in made for answer in row]
        self.tokens += sum(answer.answer_tokens for answer in answers)
        if self.first is None:
            self.first = answers[0].seconds_to_first_token

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._begun


def _batches(answerer: Answerer, job: Job) -> list[list[int]]:
    """The numbers of the rows, the longest prompts first, in batches of like length."""
    lengths = []
    for row in job.rows:
        length = len(answerer.prompter.prompt_ids(row.messages, input=row.input))
        if length + job.sampling.max_new_tokens > answerer.context:
            raise refuse("infer.row_too_long", path=job.input, line=row.line)
        lengths.append(length)
    order = sorted(range(len(lengths)), key=lambda number: lengths[number], reverse=True)
    size = job.batch_size
    return [order[start : start + size] for start in range(0, len(order), size)]


def _answer(answerer: Answerer, job: Job, batch: list[int]) -> dict[int, list[Answer]]:
    """The answers of each row of a batch, every one from a seed of its own."""
    asked = list(_samples(job, batch))
    made = answerer.answer_each(
        [job.rows[number].messages for number, _ in asked],
        job.sampling,
        inputs=[job.rows[number].input for number, _ in asked],
        seeds=[seed for _, seed in asked],
        batch_size=job.batch_size,
    )
    answers = [answer for _, answer in sorted(made, key=lambda pair: pair[0])]
    count = job.samples
    return {n: answers[place * count : (place + 1) * count] for place, n in enumerate(batch)}


def _samples(job: Job, batch: list[int]) -> Iterator[tuple[int, int]]:
    """(number of a row, seed) of every answer: seeds count up row by row, sample by sample."""
    for number in batch:
        for sample in range(job.samples):
            yield number, job.sampling.seed + number * job.samples + sample


def _write(job: Job, said: Sequence[Sequence[Said]]) -> None:
    pairs = zip(job.rows, said, strict=True)
    lines = [line for row, answers in pairs for line in job.shaping.lines(row.record, answers)]
    try:
        write_whole(job.output, "".join(line + "\n" for line in lines))
    except OSError as error:
        raise refuse("source.cannot_write", path=job.output, problem=error.strerror) from error


def _summary(job: Job, said: Sequence[Sequence[Said]], resumed: int, pace: _Pace) -> Summary:
    every = [answer for answers in said for answer in answers]
    seconds = pace.seconds
    return Summary(
        rows=len(said),
        answers=len(every),
        resumed=resumed,
        output=str(job.output),
        seconds=round(seconds, 3),
        answer_tokens=pace.tokens,
        tokens_per_second=round(pace.tokens / seconds, 1),
        seconds_to_first_token=pace.first,
        finish_reasons=dict(Counter(answer.finish_reason for answer in every)),
        not_extracted=sum(job.shaping.part(answer.text) is None for answer in every),
    )
