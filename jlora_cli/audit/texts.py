"""What the texts of a data set come to: counts that add up, so that parts can be read apart."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from jlora_cli.dataset import Example

# How each kind of white space shows in a text.
SPACING = {"spaces": "  ", "tabs": "\t", "indentation": "\n  "}
# Control tokens as families spell them, for text that came from another model's rows.
_SPELLINGS = (
    *("</s>", "<unk>", "<pad>", "<mask>", "<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"),
    *("[pad]", "[unk]", "[cls]", "[sep]", "[mask]", "[inst]", "[/inst]"),
)
_FORMS = (r"<\|[^\s<>|]{1,40}\|>", r"<0x[0-9a-f]{2}>")
# How scripts write an answer's place into one text, where the loss then covers the question too.
_ANSWER_PLACES = re.compile(
    r"^#+ ?(?:Response|Assistant|Answer|Output|回答|応答|出力|アシスタント) ?[:：]?\s*$"
    r"|^(?:Assistant|システム|アシスタント|AI) ?[:：]"
    r"|\[/INST\]|<\|im_start\|>assistant|<start_of_turn>model|<\|assistant\|>",
    re.MULTILINE,
)


@dataclass
class Texts:
    """What was read so far.

    Of all rows: how often each character occurs; how many have a newline, or a capital letter, in
    any text and in the answer; how many answers have each kind of `SPACING`. spelled: the control
    tokens spelled out, with their texts, and in how many rows. texts: rows that are one text;
    marked: those with the place of an answer in it, the first being `mark`. system_rows: those that
    have a system message.
    """

    rows: int = 0
    characters: Counter[str] = field(default_factory=Counter)
    newline_rows: int = 0
    newline_answers: int = 0
    capital_rows: int = 0
    capital_answers: int = 0
    spaced_answers: Counter[str] = field(default_factory=Counter)
    spelled: Counter[str] = field(default_factory=Counter)
    spelled_rows: int = 0
    system_rows: int = 0
    texts: int = 0
    marked: int = 0
    mark: str = ""

    @classmethod
    def of(cls, examples: Sequence[Example], specials: Iterable[str]) -> Texts:
        """What these examples come to; `specials` are the tokenizer's own control tokens."""
        rows = [texts_of(example) for example in examples]
        answers = [_answer(example) for example in examples]
        made = cls(rows=len(rows))
        for text in chain.from_iterable(rows):
            made.characters.update(text)
        made._count_newlines(rows, answers)
        made._count_capitals(rows, answers)
        made.spaced_answers.update(
            name for answer in answers for name, shown in SPACING.items() if shown in answer
        )
        made._find_spellings(rows, specials)
        made._find_places(examples)
        made.system_rows = sum(
            any(turn.role == "system" for turn in example.messages) for example in examples
        )
        return made

    def merge(self, later: Texts) -> None:
        """Take in what a later part of the rows comes to."""
        for name, value in vars(later).items():
            mine = getattr(self, name)
            if isinstance(mine, Counter):
                mine.update(value)  # in their order, which decides between equal counts
            elif name == "mark":
                self.mark = self.mark or value
            else:
                setattr(self, name, mine + value)

    def as_json(self) -> dict[str, Any]:
        return {k: dict(v) if isinstance(v, Counter) else v for k, v in vars(self).items()}

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Texts:
        """What `as_json` gave."""
        values: dict[str, Any] = {
            name: Counter(value) if isinstance(value, dict) else value
            for name, value in told.items()
        }
        return cls(**values)

    def _count_newlines(self, rows: list[list[str]], answers: list[str]) -> None:
        self.newline_rows = _rows_with(rows, lambda text: "\n" in text)
        self.newline_answers = sum("\n" in answer for answer in answers)

    def _count_capitals(self, rows: list[list[str]], answers: list[str]) -> None:
        if self.has_capitals:
            self.capital_rows = _rows_with(rows, lambda text: text != text.lower())
            self.capital_answers = sum(answer != answer.lower() for answer in answers)

    @property
    def has_capitals(self) -> bool:
        """Whether any character has another lower case."""
        return any(c != c.lower() for c in self.characters)

    def _find_spellings(self, rows: list[list[str]], specials: Iterable[str]) -> None:
        """Control tokens spelled out, in any case and width, with their counts of rows."""
        # Only letters that fold to one letter, so that a place in the folded text is one in the
        # data.
        folded = {c: nfkc(c).lower() for c in self.characters}
        table = {ord(c): to for c, to in folded.items() if len(to) == 1 and to != c}
        pattern, first = _pattern(tuple(specials))
        openers = "".join(c for c, to in folded.items() if to[:1] in first)
        if not openers:
            return
        opener = re.compile(f"[{re.escape(openers)}]")
        for texts in rows:
            spelled = {
                text[match.start() : match.end()]
                for text in texts
                if opener.search(text)
                for match in pattern.finditer(text.translate(table))
            }
            self.spelled.update(sorted(spelled))
            self.spelled_rows += bool(spelled)

    def _find_places(self, examples: Sequence[Example]) -> None:
        texts = [example.text for example in examples if example.text is not None]
        marks = [match[0].strip() for text in texts if (match := _ANSWER_PLACES.search(text))]
        self.texts, self.marked = len(texts), len(marks)
        self.mark = marks[0] if marks else ""


@cache
def _pattern(specials: tuple[str, ...]) -> tuple[re.Pattern[str], set[str]]:
    """What finds spellings in folded text, and the letters that they begin with."""
    own = (nfkc(special).lower() for special in specials if len(special) > 1)
    literals = sorted({*own, *_SPELLINGS}, key=len, reverse=True)
    pattern = re.compile("|".join([*map(re.escape, literals), *_FORMS]))
    return pattern, {literal[0] for literal in literals} | {"<"}


def _rows_with(rows: list[list[str]], matches: Callable[[str], bool]) -> int:
    return sum(any(matches(text) for text in texts) for texts in rows)


def texts_of(example: Example) -> list[str]:
    """The texts of an example that a person wrote."""
    if example.text is not None:
        return [example.text]
    return [message.content for message in example.messages]


def _answer(example: Example) -> str:
    """What is trained of a row, end to end."""
    if example.text is not None:
        return example.text
    return "\n".join(m.content for m in example.messages if m.role == "assistant").strip("\n")


def nfkc(text: str) -> str:
    """The text with its characters in their usual width and form."""
    return unicodedata.normalize("NFKC", text)
