"""`jlora infer`: one answer, or a file of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jlora_cli import screen
from jlora_cli.commands.options import Asked, Base, Json, Source, with_answer_options
from jlora_cli.errors import refuse
from jlora_cli.messages import say
from jlora_cli.sampling import DEFAULTS, settle_sampling, unescape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jlora_cli.bulk import Job, PromptRow, Shaping
    from jlora_cli.generation import Answer, Answerer
    from jlora_cli.model import Placement
    from jlora_cli.run_folder import Artifact
    from jlora_cli.sampling import SettledSampling

ALTERNATIVES = 5
_PAGE_WIDTH = 110


@dataclass(frozen=True)
class _Loaded:
    """A model that answers, and what it answers with."""

    artifact: Artifact
    answerer: Answerer
    placement: Placement
    settled: SettledSampling

    def as_json(self) -> dict[str, Any]:
        return {"sampling": self.settled.as_json(), "placement": asdict(self.placement)}


@dataclass(frozen=True)
class _Question:
    """What `--prompt` asks, and how its answers are shown; `html` is a page to write."""

    prompt: str
    system: str | None
    samples: int
    shaping: Shaping
    probabilities: bool
    html: Path | None


@with_answer_options(DEFAULTS)
def infer(
    source: Source,
    base: Base = None,
    prompt: Annotated[str | None, typer.Option("--prompt", help=say("help.infer.prompt"))] = None,
    system: Annotated[str | None, typer.Option("--system", help=say("help.system"))] = None,
    input: Annotated[
        Path | None, typer.Option("--input", metavar="FILE", help=say("help.infer.input"))
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help=say("help.infer.output"))
    ] = None,
    template: Annotated[str, typer.Option("--template", help=say("help.infer.template"))] = "auto",
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=1, help=say("help.infer.batch_size"))
    ] = 8,
    num_samples: Annotated[
        int, typer.Option("--num-samples", min=1, help=say("help.infer.num_samples"))
    ] = 1,
    extract: Annotated[
        str | None,
        typer.Option(
            "--extract", metavar="strip|first-line|json|regex:PATTERN", help=say("help.extract")
        ),
    ] = None,
    output_template: Annotated[
        str | None,
        typer.Option("--output-template", metavar="TEXT", help=say("help.output_template")),
    ] = None,
    show_probabilities: Annotated[
        bool, typer.Option("--show-probabilities", help=say("help.show_probabilities"))
    ] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help=say("help.infer.html"))
    ] = None,
    json: Json = False,
    *,
    asked: Asked,
) -> None:
    """Load once, answer, print to stdout or write to a file."""
    from jlora_cli.bulk import Job, Shaping
    from jlora_cli.run_folder import open_source

    probabilities = show_probabilities or html is not None
    _check_usage(prompt, input, output, probabilities=probabilities)
    shaping = Shaping(extract, None if output_template is None else unescape(output_template))
    rows = _rows(input, system, shaping) if input is not None else []
    if prompt is not None:
        _check_prompt(prompt, shaping)
    if output is not None:
        _check_output(output)
    artifact = open_source(source, base=base)
    settled = settle_sampling(asked.sampling, artifact)
    if num_samples > 1 and settled.sampling.temperature == 0:
        raise refuse("infer.same_samples", count=num_samples)
    loaded = _load(artifact, settled, template, asked.loading)
    if prompt is not None:
        question = _Question(prompt, system, num_samples, shaping, probabilities, html)
        _answer_one(loaded, question, json=json)
    elif input is not None and output is not None:
        model = _identity(loaded)
        job = Job(rows, input, output, settled.sampling, shaping, num_samples, batch_size, model)
        _answer_all(loaded, job, json=json)


def _check_usage(
    prompt: str | None, input: Path | None, output: Path | None, *, probabilities: bool
) -> None:
    if (prompt is None) == (input is None):
        raise typer.BadParameter(say("infer.prompt_or_input"))
    if (input is None) != (output is None):
        raise typer.BadParameter(say("infer.input_needs_output"))
    if probabilities and prompt is None:
        raise typer.BadParameter(say("infer.probabilities_of_one"))


def _check_prompt(prompt: str, shaping: Shaping) -> None:
    if not prompt.strip():
        raise refuse("generation.empty_prompt")
    shaping.check(["prompt"], "--prompt")


def _check_output(output: Path) -> None:
    if output.exists():
        raise refuse("infer.output_in_use", path=output)
    if not output.absolute().parent.is_dir():
        raise refuse("infer.no_folder", path=output)


def _rows(input: Path, system: str | None, shaping: Shaping) -> list[PromptRow]:
    from jlora_cli.bulk import read_rows

    rows = read_rows(input, system)
    for row in rows:
        shaping.check(row.record, f"{input}:{row.line}")
    return rows


def _load(
    artifact: Artifact, settled: SettledSampling, template: str, loading: dict[str, Any]
) -> _Loaded:
    from jlora_cli.lean_imports import import_lean, spare_bitsandbytes
    from jlora_cli.machine import require_training_packages

    require_training_packages()
    import_lean()
    from jlora_cli.generation import load_answerer, placement_for

    notify = screen.Teller().notify
    placement = placement_for(artifact, **loading, notify=notify)
    spare_bitsandbytes(placement.quantization)
    screen.note(settled.describe())
    answerer = load_answerer(artifact, placement, template=template, notify=notify)
    return _Loaded(artifact, answerer, placement, settled)


# -- one prompt --------------------------------------------------------------------------------


def _answer_one(loaded: _Loaded, question: _Question, *, json: bool) -> None:
    from jlora_cli.bulk import conversation, said_of

    messages = conversation({"prompt": question.prompt}, question.system)
    sampling = loaded.settled.sampling
    if question.probabilities:
        sampling = replace(sampling, alternatives=ALTERNATIVES)
    shaping, record = question.shaping, {"prompt": question.prompt}
    if question.samples == 1:
        plain = not json and shaping.extract is None and shaping.template is None
        on_text = (lambda text: screen.out(text, end="")) if plain else None
        answers = [loaded.answerer.answer(messages, sampling, on_text)]
        if plain:
            screen.out("")
    else:
        made = loaded.answerer.answer_each([messages] * question.samples, sampling)
        answers = [answer for _, answer in sorted(made, key=lambda pair: pair[0])]
        plain = False
    if json:
        screen.json_out(_document(loaded, question, answers))
    elif not plain:
        texts = [shaping.text(record, said_of(answer)) for answer in answers]
        # An answer may hold lines of its own; a template says itself where one ends.
        screen.out(("\n" if shaping.template else "\n\n").join(texts))
    if question.probabilities:
        _show_probabilities(answers, question, json=json)


def _document(loaded: _Loaded, question: _Question, answers: Sequence[Answer]) -> dict[str, Any]:
    from jlora_cli import odds
    from jlora_cli.bulk import said_of

    made = question.shaping.row({"prompt": question.prompt}, [said_of(a) for a in answers])
    first = answers[0]
    pace = {
        "seconds_to_first_token": round(first.seconds_to_first_token, 4),
        "tokens_per_second": round(first.tokens_per_second, 1),
    }
    tokens = {"tokens": odds.as_json(first.tokens)} if question.probabilities else {}
    return {**made, **pace, **loaded.as_json(), **tokens}


def _show_probabilities(answers: Sequence[Answer], question: _Question, *, json: bool) -> None:
    from rich.console import Group

    from jlora_cli import odds

    terminal, colours = screen.draws_pieces()
    blocks = [(say("odds.title"), odds.pieces(answer)) for answer in answers]
    tables = [screen.build_table(odds.columns(), odds.rows(answer.tokens)) for answer in answers]
    if not json:
        if terminal:
            screen.draw(screen.build_pieces(blocks, odds.legend(), borders=not colours))
        for table in tables:
            screen.draw(table)
    if question.html is not None:
        page = Group(screen.build_pieces(blocks, odds.legend()), *tables)
        _save(page, question.html, title=question.prompt)


def _save(page: object, path: Path, *, title: str) -> None:
    try:
        screen.save_html(page, str(path), title=title, width=_PAGE_WIDTH)
    except OSError as error:
        raise refuse("source.cannot_write", path=path, problem=error.strerror) from error
    screen.note(say("infer.page_written", path=path))


# -- a file of them ----------------------------------------------------------------------------


def _identity(loaded: _Loaded) -> dict[str, Any]:
    """What tells this model and the way it is asked from another."""
    from jlora_cli.hub import find_model
    from jlora_cli.weights import fingerprint

    adapter = loaded.artifact.adapter
    return {
        "base": fingerprint(find_model(loaded.artifact.base, what="weights")),
        "adapter": fingerprint(adapter) if adapter is not None else None,
        "prompt": loaded.answerer.prompter.format.as_json(),
        "placement": asdict(loaded.placement),
    }


def _answer_all(loaded: _Loaded, job: Job, *, json: bool) -> None:
    from jlora_cli.bulk import answer_rows

    try:
        with screen.Teller() as teller:
            summary = answer_rows(loaded.answerer, job, teller.notify)
    except KeyboardInterrupt:
        screen.note(say("infer.kept", path=job.journal))
        raise
    screen.note(say("infer.written", count=summary.rows, path=job.output))
    if summary.not_extracted:
        screen.warn(say("infer.not_extracted", count=summary.not_extracted))
    if json:
        screen.json_out({**summary.as_json(), **loaded.as_json()})
