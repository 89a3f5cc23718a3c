"""`--try`: one proposal for every combination of settings."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from jlora_cli.config import FIELDS, nearest
from jlora_cli.errors import refuse
from jlora_cli.preflight import FindingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jlora_cli.proposal.values import Proposal

FOLDER = "tries"


@dataclass(frozen=True)
class Trial:
    """A combination of settings, and the run that they make."""

    settings: Mapping[str, str]
    proposal: Proposal

    @property
    def name(self) -> str:
        """The settings in one line."""
        return ", ".join(f"{name}={value}" for name, value in self.settings.items())


def make_trials(proposal: Proposal, texts: Sequence[str]) -> list[Trial]:
    """`proposal` once for each combination of `KEY=VALUE,VALUE` texts, under its own output.

    In a value `+` stands for a comma: `lora_targets=attention,q_proj+v_proj`.

    Raises:
        JloraError: a text that cannot be read, a setting that cannot be varied, no held-out rows
            to compare on, or an output in use.
    """
    choices = _read(texts)
    for finding in proposal.findings:
        # Each try has a folder of its own; the best one becomes this.
        if finding.id == "output-in-use":
            raise FindingError(finding)
    if not proposal.validation.rows:
        raise refuse("try.no_validation")
    output = Path(proposal.config.output or "") / FOLDER
    combinations = [
        dict(zip(choices, values, strict=True)) for values in product(*choices.values())
    ]
    return [
        Trial(one, proposal.varied({**one, "output": str(output / f"{number:02}")}))
        for number, one in enumerate(combinations, start=1)
    ]


def _read(texts: Sequence[str]) -> dict[str, list[str]]:
    """The values to try of each setting."""
    choices: dict[str, list[str]] = {}
    for text in texts:
        name, found, values = text.partition("=")
        name = name.strip().replace("-", "_")
        tried = [value.strip().replace("+", ",") for value in values.split(",")]
        if not found or not all(tried) or name not in FIELDS or name == "output":
            raise refuse("try.unknown", text=text, hint=nearest(name, FIELDS))
        if name in choices:
            raise refuse("settings.set_twice", name=name)
        choices[name] = list(dict.fromkeys(tried))
    return choices
