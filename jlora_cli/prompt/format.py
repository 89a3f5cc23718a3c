"""What a `jlora.json` holds: the prompt format, saved with adapters and merged models."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from jlora_cli.errors import refuse
from jlora_cli.prompt.rules import NewlineRule, TextRules

if TYPE_CHECKING:
    from pathlib import Path

CARD_NAME = "jlora.json"


@dataclass(frozen=True)
class PromptFormat:
    """Everything that turns a conversation into ids; stored in `jlora.json` as `prompt`."""

    template: str
    chat_template: str
    newline: NewlineRule
    lower_case: bool
    eos_id: int
    turn_end_id: int
    pad_id: int | None

    @property
    def rules(self) -> TextRules:
        return TextRules(self.newline, self.lower_case)

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def read_card(folder: Path) -> dict[str, Any]:
    """The `jlora.json` of an adapter or merged model.

    Raises:
        JloraError: there is none, or it cannot be read.
    """
    path = folder / CARD_NAME
    try:
        card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        card["prompt"]["newline"], card["prompt"]["lower_case"]
    except FileNotFoundError as error:
        raise refuse("prompt.no_card", path=path) from error
    except (ValueError, KeyError, TypeError) as error:
        raise refuse("prompt.bad_card", path=path) from error
    return card


def read_rules(folder: Path) -> TextRules:
    """The rules that the adapter or merged model in `folder` was trained with.

    Raises:
        JloraError: as `read_card`.
    """
    prompt = read_card(folder)["prompt"]
    return TextRules(newline=prompt["newline"], lower_case=prompt["lower_case"])
