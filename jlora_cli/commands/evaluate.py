"""`jlora evaluate`: scores on held-out rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from jlora_cli import screen
from jlora_cli.commands.options import Asked, Base, Json, Source, with_answer_options
from jlora_cli.messages import say
from jlora_cli.sampling import GREEDY

if TYPE_CHECKING:
    from jlora_cli.evaluation import Evaluation


@with_answer_options(GREEDY, of_model=False)
def evaluate(
    source: Source,
    data: Annotated[str, typer.Option("--data", metavar="FILE", help=say("help.evaluate.data"))],
    base: Base = None,
    compare_base: Annotated[
        bool, typer.Option("--compare-base", help=say("help.evaluate.compare_base"))
    ] = False,
    expect: Annotated[
        str | None, typer.Option("--expect", metavar="REGEX", help=say("help.evaluate.expect"))
    ] = None,
    json: Json = False,
    *,
    asked: Asked,
) -> None:
    """Score, and print one table."""
    from jlora_cli.machine import require_training_packages
    from jlora_cli.preparing import load_data
    from jlora_cli.run_folder import open_source

    artifact = open_source(source, base=base)
    examples = load_data(data).examples
    require_training_packages()
    from jlora_cli.evaluation import Terms
    from jlora_cli.evaluation import evaluate as run_evaluation
    from jlora_cli.generation import placement_for

    placement = placement_for(artifact, **asked.loading)
    sampling = replace(GREEDY, **asked.sampling)
    with screen.Teller() as teller:
        terms = Terms(sampling, expect, compare_base)
        evaluation = run_evaluation(artifact, examples, placement, terms, teller.notify)
    if json:
        screen.json_out(evaluation.as_json())
    else:
        _show(evaluation, adapted=artifact.adapter is not None)


def _show(evaluation: Evaluation, *, adapted: bool) -> None:
    tuned = evaluation.tuned.as_json()
    base = evaluation.base.as_json() if evaluation.base else {}
    columns = [
        say("evaluate.score"),
        *([say("evaluate.base")] if base else []),
        say("evaluate.tuned" if adapted else "evaluate.model"),
    ]
    rows = [
        [name, *([_number(base[name])] if base else []), _number(value)]
        for name, value in tuned.items()
    ]
    screen.table(columns, rows, title=say("evaluate.title", rows=evaluation.rows))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
