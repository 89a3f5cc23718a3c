"""Chat templates: which one to use, and Jinja in a sandbox."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jlora_cli.errors import refuse
from jlora_cli.recipe import TEMPLATES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jlora_cli.dataset import Example
    from jlora_cli.tokenizer import Tokenizer

LOOP_STEPS = 100_000


class RenderError(Exception):
    """A template refused these messages, or failed over them."""


def choose_template(asked: str, tokenizer: Tokenizer, examples: Sequence[Example]) -> str:
    """The template's name: as asked; "auto" is the model's own, else what suits the rows."""
    return template_for(asked, tokenizer, has_input=any(example.input for example in examples))


def template_for(asked: str, tokenizer: Tokenizer, *, has_input: bool) -> str:
    """`choose_template`, of rows that are known to have, or not to have, an input."""
    if asked == "model" and tokenizer.chat_template is None:
        raise refuse("prompt.no_chat_template", folder=tokenizer.folder)
    if asked not in ("auto", "model", *TEMPLATES):
        raise refuse(
            "prompt.no_template", name=asked, names=", ".join(["auto", "model", *TEMPLATES])
        )
    if asked != "auto":
        return asked
    if tokenizer.chat_template is not None:
        return "model"
    return "alpaca-ja" if has_input else "chat-markdown"


def compile_template(text: str) -> Callable[..., str]:
    """The template ready to render; a rendering that fails raises RenderError.

    Raises:
        JloraError: it is not Jinja.
    """
    import jinja2  # noqa: PLC0415 - `prepare` need not pay for it
    from jinja2 import sandbox  # noqa: PLC0415

    def raise_exception(message: str) -> None:
        raise jinja2.TemplateError(message)

    # The same settings as transformers' own (utils/chat_template_utils.py): the model was trained
    # on what they render.
    environment = sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals.update(raise_exception=raise_exception)
    environment.filters["tojson"] = _to_json
    try:
        template = environment.from_string(_without_generation_marks(text))
    except jinja2.TemplateSyntaxError as error:
        raise refuse("prompt.template_syntax", line=error.lineno, problem=error.message) from error
    failures = (jinja2.TemplateError, *_FAILURES)

    def render(**values: object) -> str:
        try:
            return template.render(range=_counted_range(), **values)
        except failures as error:
            raise RenderError(str(error)) from error

    return render


def with_fixed_day(text: str) -> str:
    """The template without what day it is, which llm-jp-4 and Llama 3.2 write into every prompt.

    A prompt would differ from those of the training from the next day on. Where a template has a
    day of its own to fall back on it is that one, else the same: so stock tools, which are given
    this text, and jlora ask with one prompt.
    """
    text = re.sub(r"strftime_now\s+is\s+not\s+defined", "true", text)
    text = re.sub(r"strftime_now\s+is\s+defined", "false", text)
    return _DAY_CALL.sub(lambda found: json.dumps(_DAY.strftime(found[2])), text)


# That of Llama 3.2's own template.
_DAY = datetime(2024, 7, 26, tzinfo=UTC)
_DAY_CALL = re.compile(r"""strftime_now\(\s*(["'])(.*?)\1\s*\)""")


def _without_generation_marks(text: str) -> str:
    """The template with {% generation %}, a mark of transformers' own, made a plain block."""
    text = re.sub(r"(\{%[-+]?\s*)generation(\s*[-+]?%\})", r"\1if true\2", text)
    return re.sub(r"(\{%[-+]?\s*)endgeneration(\s*[-+]?%\})", r"\1endif\2", text)


def _to_json(value: object, indent: int | None = None) -> str:
    """Jinja's own filter would write HTML entities, and Japanese as escapes."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


# What an expression of a template may raise: 1 / 0, [][1:"a"], a macro that calls itself.
_FAILURES = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError)


def _counted_range() -> Callable[..., range]:
    """A `range` for one rendering.

    A template comes with a model from anywhere; nested loops must not hold the machine.
    """
    spent = 0

    def counted(*bounds: int) -> range:
        nonlocal spent
        steps = range(*bounds)
        spent += len(steps)
        if spent > LOOP_STEPS:
            raise ValueError(f"more than {LOOP_STEPS:,} loop steps")
        return steps

    return counted
