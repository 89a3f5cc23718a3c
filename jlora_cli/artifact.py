"""Which tokenizer and prompt format an artifact answers with, by its files; no weights."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from jlora_cli.errors import refuse
from jlora_cli.prompt import CARD_NAME, PromptFormat, choose_template, format_for

if TYPE_CHECKING:
    from pathlib import Path

    from jlora_cli.run_folder import Artifact
    from jlora_cli.tokenizer import Tokenizer


def tokenizer_folder(artifact: Artifact, base: Path) -> Path:
    """Where the tokenizer lies: beside the adapter, else (another tool left none) with the base."""
    beside = artifact.adapter
    if beside is not None and (
        (beside / "tokenizer.json").is_file() or any(beside.glob("*.model"))
    ):
        return beside
    return base


def prompt_format(artifact: Artifact, tokenizer: Tokenizer, template: str = "auto") -> PromptFormat:
    """The format of its training where the artifact has one, else `template`.

    Raises:
        JloraError: its card cannot be read, or no such template.
    """
    if artifact.card is None:
        return format_for(tokenizer, choose_template(template, tokenizer, []), artifact.base)
    try:
        trained = PromptFormat(**artifact.card["prompt"])
    except (KeyError, TypeError) as error:
        raise refuse(
            "prompt.bad_card", path=f"{artifact.adapter or artifact.base}/{CARD_NAME}"
        ) from error
    if template == "auto":
        return trained
    made = format_for(tokenizer, choose_template(template, tokenizer, []), artifact.base)
    # Another template, but text written as in the training: newlines and case stay its own.
    return replace(made, newline=trained.newline, lower_case=trained.lower_case)
