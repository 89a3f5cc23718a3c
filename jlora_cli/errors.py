"""The one error that a person sees, as a problem and its remedy."""

from __future__ import annotations

from jlora_cli.messages import say


class JloraError(Exception):
    """A refusal or failure that the user can mend; shown as two lines, exit code 1."""

    def __init__(self, problem: str, *, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


def refuse(key: str, /, **values: object) -> JloraError:
    """The error whose problem is the sentence `key` and whose remedy is `key.fix`."""
    return JloraError(say(key, **values), remedy=say(f"{key}.fix", **values))
