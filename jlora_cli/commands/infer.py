"""`jlora infer`: one answer, or a file of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jlora_cli import screen
from jlora_cli.commands.options import (
    Base,
    Device,
    Json,
    MaxNewTokens,
    Precision,
    Quantization,
    RepetitionPenalty,
    Seed,
    Source,
    Temperature,
    TopK,
    TopP,
)
from jlora_cli.errors import refuse
from jlora_cli.messages import say

if TYPE_CHECKING:
    from jlora_cli.generation import Answerer, Sampling


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
    max_new_tokens: MaxNewTokens = 256,
    temperature: Temperature = 0.7,
    top_p: TopP = 0.75,
    top_k: TopK = 40,
    repetition_penalty: RepetitionPenalty = 1.0,
    seed: Seed = 42,
    quantization: Quantization = None,
    precision: Precision = None,
    device: Device = None,
    json: Json = False,
) -> None:
    """Load once, answer, print to stdout or write to a file."""
    if (prompt is None) == (input is None):
        raise typer.BadParameter(say("infer.prompt_or_input"))
    if (input is None) != (output is None):
        raise typer.BadParameter(say("infer.input_needs_output"))
    from jlora_cli.machine import require_training_packages
    from jlora_cli.run_folder import in_use, open_source

    rows = _read(input) if input is not None else []
    if output is not None and in_use(output):
        raise refuse("infer.output_in_use", path=output)
    artifact = open_source(source, base=base)
    require_training_packages()
    from jlora_cli.generation import Sampling, load_answerer, placement_for

    placement = placement_for(
        artifact, quantization=quantization, precision=precision, device=device
    )
    sampling = Sampling(max_new_tokens, temperature, top_p, top_k, repetition_penalty, seed)
    answerer = load_answerer(artifact, placement, template=template)
    if prompt is not None:
        _answer_one(answerer, prompt, system, sampling, json=json)
    elif output is not None:
        _answer_all(answerer, rows, output, sampling, batch_size)


def _messages(row: dict[str, Any], system: str | None = None) -> list[Any]:
    from jlora_cli.dataset import Message

    if "messages" in row:
        return [Message(m["role"], m["content"]) for m in row["messages"]]
    first = [Message("system", system)] if system else []
    return [*first, Message("user", row["prompt"])]


def _answer_one(
    answerer: Answerer, prompt: str, system: str | None, sampling: Sampling, *, json: bool
) -> None:
    on_text = None if json else lambda text: screen.out(text, end="")
    answer = answerer.answer(_messages({"prompt": prompt}, system), sampling, on_text)
    if not json:
        screen.out("")
        return
    screen.json_out(
        {
            "prompt": prompt,
            "answer": answer.text,
            "finish_reason": answer.finish_reason,
            "prompt_tokens": answer.prompt_tokens,
            "answer_tokens": answer.answer_tokens,
        }
    )


def _read(path: Path) -> list[dict[str, Any]]:
    """Rows of `{"prompt": ...}` or `{"messages": [...]}`; a bad one is refused with its line."""
    import json

    rows = []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise refuse("infer.cannot_read", path=path, problem=error) from error
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            _messages(row)
        except (ValueError, KeyError, TypeError) as error:
            raise refuse("infer.bad_row", path=path, line=number) from error
        rows.append(row)
    return rows


def _answer_all(
    answerer: Answerer,
    rows: list[dict[str, Any]],
    output: Path,
    sampling: Sampling,
    batch_size: int,
) -> None:
    import json

    from jlora_cli.run_folder import write_whole

    with screen.Teller() as teller:
        answers = answerer.answer_many(
            [_messages(row) for row in rows], sampling, batch_size=batch_size, notify=teller.notify
        )
    lines = [
        json.dumps(
            {
                **row,
                "answer": answer.text,
                "finish_reason": answer.finish_reason,
                "prompt_tokens": answer.prompt_tokens,
                "answer_tokens": answer.answer_tokens,
            },
            ensure_ascii=False,
        )
        for row, answer in zip(rows, answers, strict=True)
    ]
    write_whole(output, "".join(line + "\n" for line in lines))
    screen.note(say("infer.written", count=len(lines), path=output))
