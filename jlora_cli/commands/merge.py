"""`jlora merge`: adapter + base -> a model folder, verified."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jlora_cli import screen
from jlora_cli.commands.options import Base, Json, Source
from jlora_cli.errors import refuse
from jlora_cli.messages import say

if TYPE_CHECKING:
    from jlora_cli.merging import Merged

DTYPES = ("float32", "bfloat16", "float16")
VERIFY = ("full", "sample", "off")


def merge(
    source: Source,
    output: Annotated[Path, typer.Option("--output", metavar="DIR", help=say("help.merge.output"))],
    base: Base = None,
    dtype: Annotated[
        str | None, typer.Option("--dtype", metavar="|".join(DTYPES), help=say("help.merge.dtype"))
    ] = None,
    verify: Annotated[
        str, typer.Option("--verify", metavar="|".join(VERIFY), help=say("help.merge.verify"))
    ] = "sample",
    json: Json = False,
) -> None:
    """Merge and show how the merged model compares."""
    from jlora_cli.machine import require_training_packages
    from jlora_cli.run_folder import open_source

    if dtype is not None and dtype not in DTYPES:
        raise refuse("merge.bad_dtype", dtype=dtype)
    if verify not in VERIFY:
        raise refuse("merge.bad_verify", verify=verify)
    artifact = open_source(source, base=base)
    require_training_packages()
    from jlora_cli.merging import Terms
    from jlora_cli.merging import merge as run_merge

    with screen.Teller() as teller:
        merged = run_merge(artifact, output, Terms(dtype, verify), teller.notify)
    if json:
        screen.json_out(merged.as_json())
    else:
        screen.out(_told(merged))


def _told(merged: Merged) -> str:
    if merged.verify == "off":
        return say("merge.done_unverified", output=merged.output, dtype=merged.dtype)
    figures = _figures(merged.as_json())
    done = say(
        "merge.done",
        output=merged.output,
        dtype=merged.dtype,
        prompts=merged.prompts,
        **figures,
    )
    if merged.as_trained is None:
        return done
    trained = _figures(merged.as_trained)
    quantization = merged.as_trained["quantization"]
    return done + "\n" + say("merge.as_trained", quantization=quantization, **trained)


def _figures(found: dict[str, Any]) -> dict[str, str]:
    return {
        "difference": f"{found['max_logit_difference']:.2e}",
        "agreement": f"{found['top1_agreement']:.1%}",
        "same": say("merge.same" if found["same_greedy_text"] else "merge.not_same"),
    }
