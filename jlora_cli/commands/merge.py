"""`jlora merge`: adapter + base -> a model folder, verified."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jlora_cli import screen
from jlora_cli.commands.options import Base, Json, Source
from jlora_cli.errors import refuse
from jlora_cli.messages import say

DTYPES = ("float32", "bfloat16", "float16")


def merge(
    source: Source,
    output: Annotated[Path, typer.Option("--output", metavar="DIR", help=say("help.merge.output"))],
    base: Base = None,
    dtype: Annotated[
        str | None, typer.Option("--dtype", metavar="|".join(DTYPES), help=say("help.merge.dtype"))
    ] = None,
    json: Json = False,
) -> None:
    """Merge and show how the merged model compares."""
    from jlora_cli.machine import require_training_packages
    from jlora_cli.run_folder import open_source

    if dtype is not None and dtype not in DTYPES:
        raise refuse("merge.bad_dtype", dtype=dtype)
    artifact = open_source(source, base=base)
    require_training_packages()
    from jlora_cli.merging import merge as run_merge

    with screen.Teller() as teller:
        merged = run_merge(artifact, output, dtype=dtype, notify=teller.notify)
    if json:
        screen.json_out(merged.as_json())
        return
    screen.out(
        say(
            "merge.done",
            output=merged.output,
            dtype=merged.dtype,
            prompts=merged.prompts,
            difference=f"{merged.max_logit_difference:.2e}",
            agreement=f"{merged.top1_agreement:.1%}",
            same=say("merge.same" if merged.same_greedy_text else "merge.not_same"),
        )
    )
