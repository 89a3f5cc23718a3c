"""`jlora infer`: one answer, or a file of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jlora_cli import screen
from jlora_cli.commands.options import Asked, Base, Json, Source, with_answer_options
from jlora_cli.errors import refuse
from jlora_cli.messages import say
from jlora_cli.sampling import DEFAULTS, settle_sampling

if TYPE_CHECKING:
    from jlora_cli.dataset import Message
    from jlora_cli.generation import Answer, Answerer
    from jlora_cli.sampling import Sampling


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
    json: Json = False,
    *,
    asked: Asked,
) -> None:
    """Load once, answer, print to stdout or write to a file."""
    if prompt is not None and not prompt.strip():
        raise refuse("generation.empty_prompt")
    if (prompt is None) == (input is None):
        raise typer.BadParameter(say("infer.prompt_or_input"))
    if (input is None) != (output is None):
        raise typer.BadParameter(say("infer.input_needs_output"))
    from jlora_cli.lean_imports import import_lean, spare_bitsandbytes
    from jlora_cli.machine import require_training_packages
    from jlora_cli.run_folder import open_source

    rows = _read(input, system) if input is not None else []
    if output is not None and output.exists():
        raise refuse("infer.output_in_use", path=output)
    if output is not None and not output.absolute().parent.is_dir():
        raise refuse("infer.no_folder", path=output)
    artifact = open_source(source, base=base)
    require_training_packages()
    import_lean()
    from jlora_cli.generation import load_answerer, placement_for

    placement = placement_for(artifact, **asked.loading)
    spare_bitsandbytes(placement.quantization)
    settled = settle_sampling(asked.sampling, artifact)
    sampling = settled.sampling
    screen.note(settled.describe())
    notify = screen.Teller().notify
    answerer = load_answerer(artifact, placement, template=template, notify=notify)
    if prompt is not None:
        _answer_one(answerer, prompt, system, sampling, json=json)
    elif input is not None and output is not None:
        _answer_all(answerer, rows, (input, output), sampling, batch_size)


@dataclass(frozen=True)
class _Row:
    """One row of `--input` and what the model is asked."""

    line: int
    record: dict[str, Any]
    messages: list[Message]

    @property
    def input(self) -> str:
        """What a prepared row of an instruction with an input keeps apart."""
        return str(self.record.get("input") or "")


def _messages(record: dict[str, Any], system: str | None) -> list[Message]:
    """The conversation up to its last question: an answer at its end is what is asked for.

    Raises:
        ValueError: this is no conversation with a question.
    """
    from jlora_cli.dataset import ROLES, Message

    if "messages" in record:
        turns = [Message(turn["role"], turn["content"]) for turn in record["messages"]]
    else:
        turns = [Message("user", record["prompt"])]
    while turns and turns[-1].role == "assistant":
        turns.pop()
    sound = all(turn.role in ROLES and isinstance(turn.content, str) for turn in turns)
    if not sound or not turns or turns[-1].role != "user":
        raise ValueError("no question")
    if system and turns[0].role != "system":
        turns.insert(0, Message("system", system))
    return turns


def _answer_one(
    answerer: Answerer, prompt: str, system: str | None, sampling: Sampling, *, json: bool
) -> None:
    on_text = None if json else lambda text: screen.out(text, end="")
    messages = _messages({"prompt": prompt}, system)
    answer = answerer.answer(messages, sampling, on_text)
    if not json:
        screen.out("")
        return
    screen.json_out({"prompt": prompt, "answer": answer.text, **_figures(answer)})


def _read(path: Path, system: str | None) -> list[_Row]:
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
            record = json.loads(line)
            rows.append(_Row(number, record, _messages(record, system)))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise refuse("infer.bad_row", path=path, line=number) from error
    return rows


def _answer_all(
    answerer: Answerer, rows: list[_Row], files: tuple[Path, Path], sampling: Sampling, size: int
) -> None:
    import json

    from jlora_cli.run_folder import write_whole

    source, output = files
    for row in rows:
        if not answerer.fits(row.messages, sampling, input=row.input):
            raise refuse("infer.row_too_long", path=source, line=row.line)
    with screen.Teller() as teller:
        answers = answerer.answer_many(
            [row.messages for row in rows],
            sampling,
            inputs=[row.input for row in rows],
            batch_size=size,
            notify=teller.notify,
        )
    lines = [
        json.dumps({**row.record, "answer": answer.text, **_figures(answer)}, ensure_ascii=False)
        for row, answer in zip(rows, answers, strict=True)
    ]
    try:
        write_whole(output, "".join(line + "\n" for line in lines))
    except OSError as error:
        raise refuse("source.cannot_write", path=output, problem=error.strerror) from error
    screen.note(say("infer.written", count=len(lines), path=output))


def _figures(answer: Answer) -> dict[str, object]:
    return {
        "finish_reason": answer.finish_reason,
        "prompt_tokens": answer.prompt_tokens,
        "answer_tokens": answer.answer_tokens,
    }
