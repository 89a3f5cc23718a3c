"""Chat templates: which one to use, and Jinja in a sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jlora_cli.errors import refuse
from jlora_cli.recipe import TEMPLATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jinja2 import Template

    from jlora_cli.dataset import Example
    from jlora_cli.tokenizer import Tokenizer


def choose_template(asked: str, tokenizer: Tokenizer, examples: Sequence[Example]) -> str:
    """The template's name: as asked; "auto" is the model's own, else what suits the rows."""
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
    return "alpaca-ja" if any(example.input for example in examples) else "chat-markdown"


def compile_template(text: str) -> Template:
    """The template ready to render.

    Raises:
        JloraError: it is not Jinja.
    """
    import jinja2  # noqa: PLC0415 - `--help` need not pay for it
    from jinja2 import sandbox  # noqa: PLC0415

    spent = 0

    def counted_range(*bounds: int) -> Iterable[int]:
        # A template comes with a model from anywhere; nested loops must not hold the machine.
        nonlocal spent
        steps = range(*bounds)
        spent += len(steps)
        if spent > 100_000:
            raise jinja2.TemplateRuntimeError("more than 100,000 loop steps")
        return steps

    def raise_exception(message: str) -> None:
        raise jinja2.TemplateError(message)

    environment = sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        extensions=["jinja2.ext.loopcontrols"],
    )
    environment.globals.update(range=counted_range, raise_exception=raise_exception)
    try:
        return environment.from_string(text)
    except jinja2.TemplateSyntaxError as error:
        raise refuse("prompt.template_syntax", line=error.lineno, problem=error.message) from error
