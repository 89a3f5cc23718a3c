"""Checked rows -> sequences at their full lengths, and what of their texts is asked for later."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

from jlora_cli.audit import Texts, parity_texts, round_trips
from jlora_cli.cache import Draft
from jlora_cli.encoding.source import LARGE_BYTES

if TYPE_CHECKING:
    from jlora_cli.cache import Sections
    from jlora_cli.encoding.pieces import Made, Work
    from jlora_cli.encoding.source import Source
    from jlora_cli.encoding.spool import Spool
    from jlora_cli.processes import Processes
    from jlora_cli.prompt import Prompter

PROMPTS = 3


def make_whole(
    source: Source, work: Work, workers: Processes, *, key: str | None, context: int
) -> Sections:
    """The rows of `source` as `StoredRows` has them, each with its example ("of", "ends").

    Its facts: "told" as the spool has it, and what `Told` has but its warnings; "prompts" are
    the first that leave half of `context` free.

    Raises:
        JloraError: the rows cannot be used, or the template refuses one.
    """
    spool = source.spool
    with Draft(key) as draft:
        rows = _Rows(draft, spool)
        large = spool.size >= LARGE_BYTES
        for piece, made in workers.in_order(work.encode, spool.pieces(), large=large):
            made.check()
            rows.begin(piece.name)
            rows.add(made)
        facts = rows.facts() | _facts(spool, work.prompter, context)
        return draft.finish(("tokens", "i"), rows.arrays, facts, keep=source.is_as_hashed)


class _Rows:
    """Rows on their way into `draft`."""

    def __init__(self, draft: Draft, spool: Spool) -> None:
        self._draft, self._spool = draft, spool
        self._texts, self._tokens = Texts(), 0
        self._files: list[tuple[int, str]] = []
        codes = {"starts": "q", "lengths": "I", "supervised": "I", "lines": "I"}
        codes |= {"of": "I", "ends": "I"}
        self.arrays = {name: array(code) for name, code in codes.items()}

    def begin(self, name: str) -> None:
        """The rows that follow come from the file `name`."""
        if not self._files or self._files[-1][1] != name:
            self._files.append((len(self.arrays["lengths"]), name))

    def add(self, made: Made) -> None:
        """Take in a piece."""
        self._draft.extend(made.tokens)
        for name in ("lengths", "supervised", "of", "ends"):
            self.arrays[name].extend(getattr(made, name))
        for length in made.lengths:
            self.arrays["starts"].append(self._tokens)
            self._tokens += length
        self.arrays["lines"].extend(self._spool.line(number) for number in made.of)
        self._texts.merge(made.texts or Texts())

    def facts(self) -> dict[str, Any]:
        """What is known of all of them."""
        conversations = sum(end > 0 for end in self.arrays["ends"])
        return {
            "files": self._files,
            "texts": self._texts.as_json(),
            "conversations": conversations,
        }


def _facts(spool: Spool, prompter: Prompter, context: int) -> dict[str, Any]:
    return {
        "told": spool.told,
        "template": prompter.format.template,
        "round_trips": round_trips(prompter, spool),
        "parity": parity_texts(prompter, spool),
        "prompts": _prompts(spool, prompter, context),
    }


def _prompts(spool: Spool, prompter: Prompter, context: int) -> list[str]:
    """The first few different questions of the rows that leave room for an answer."""
    shown: dict[str, None] = {}
    for example in spool:
        first = example.messages[:1]
        if first and first[0].role == "user" and len(prompter.prompt_ids(first)) <= context // 2:
            shown[first[0].content] = None
        if len(shown) == PROMPTS:
            break
    return list(shown)
