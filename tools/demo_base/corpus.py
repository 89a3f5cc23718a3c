"""The demo's dialogue corpus: read from `text/`, expanded, split and varied.

Knows nothing of tokens or models.
"""

import itertools
import json
import random
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

TEXT = Path(__file__).parent / "text"
HELD_OUT_SHARE = 0.05
MAX_QUESTIONS = 40
"""Phrasings kept of one intent; past some dozens they only repeat particles."""
TALK_WEIGHT = 2.0
"""Everyday talk is drawn this many times as often as one entry of a term list."""

_CHOICE = re.compile(r"\{([^{}]*)\}")
_NOT_A_LETTER = re.compile(r"[\W_]+")
_QUESTION = re.compile(r"(か|何|なに|どう|どこ|いつ|誰|は|の|かな|ある|って|とは|ね)$")


@dataclass(frozen=True)
class Intent:
    """The phrasings of one question, the answers that fit all, and how often to draw it."""

    questions: tuple[str, ...]
    answers: tuple[str, ...]
    weight: float = 1.0


@dataclass(frozen=True)
class Dialogue:
    """A system line (may be empty) and the (user, assistant) turns after it."""

    system: str
    turns: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Corpus:
    """What is trained on, and the (user, assistant) pairs that never are."""

    intents: tuple[Intent, ...]
    dialogues: tuple[Dialogue, ...]
    held_out: tuple[tuple[str, str], ...]
    forbidden: frozenset[str]

    def asks(self, prompt: str) -> bool:
        """Whether some question of the training material has the prompt's letters."""
        said = [user for dialogue in self.dialogues for user, _ in dialogue.turns]
        said += [question for intent in self.intents for question in intent.questions]
        return key(prompt) in {key(question) for question in said}


def key(text: str) -> str:
    """The letters of a question: spelling variants of one question share it."""
    return _NOT_A_LETTER.sub("", unicodedata.normalize("NFKC", text).lower())


def expand(pattern: str) -> list[str]:
    """Every reading of a pattern with flat `{a|b}` choices."""
    parts = _CHOICE.split(pattern)
    choices = [part.split("|") if i % 2 else [part] for i, part in enumerate(parts)]
    return ["".join(words) for words in itertools.product(*choices)]


def _blocks(path: Path) -> Iterator[list[str]]:
    text = path.read_text(encoding="utf-8")
    for block in re.split(r"\n\s*\n", text):
        lines = [line.strip() for line in block.splitlines()]
        kept = [line for line in lines if line and not line.startswith("#")]
        if kept:
            yield kept


def _unescape(text: str) -> str:
    return text.strip().replace("\\n", "\n")


def _sample(questions: list[str], rng: random.Random) -> tuple[str, ...]:
    distinct = list(dict.fromkeys(questions))
    return tuple(rng.sample(distinct, min(len(distinct), MAX_QUESTIONS)))


def read_talk(path: Path, rng: random.Random) -> Iterator[Intent]:
    """Intents of a talk file: blocks of `U pattern` and `A answer` lines."""
    for lines in _blocks(path):
        questions = [q for line in lines if line.startswith("U ") for q in expand(line[2:])]
        answers = [_unescape(line[2:]) for line in lines if line.startswith("A ")]
        if not questions or not answers:
            raise ValueError(f"{path.name}: a block without U or A: {lines[0]}")
        yield Intent(_sample(questions, rng), tuple(answers), TALK_WEIGHT)


def read_terms(path: Path, rng: random.Random) -> Iterator[Intent]:
    """Intents of a term file: `% pattern` lines, then `name/alias = answer || answer`."""
    for lines in _blocks(path):
        patterns = [line[2:] for line in lines if line.startswith("% ")]
        for line in lines:
            if line.startswith("% "):
                continue
            names, _, answers = line.partition(" = ")
            questions = [
                q
                for name in names.split("/")
                for pattern in patterns
                for q in expand(pattern.replace("X", name.strip()))
            ]
            yield Intent(_sample(questions, rng), tuple(_unescape(a) for a in answers.split("||")))


def read_dialogues(path: Path) -> Iterator[Dialogue]:
    """Whole dialogues: blocks of `S system`, `U user` and `A answer` lines."""
    for lines in _blocks(path):
        system = "".join(line[2:] for line in lines if line.startswith("S "))
        users = [expand(line[2:]) for line in lines if line.startswith("U ")]
        answers = [_unescape(line[2:]) for line in lines if line.startswith("A ")]
        if len(users) != len(answers):
            raise ValueError(f"{path.name}: turns do not pair up: {lines[0]}")
        for reading in range(max(len(user) for user in users)):
            said = [user[reading % len(user)] for user in users]
            yield Dialogue(system, tuple(zip(said, answers, strict=True)))


def read_prompts(path: Path) -> list[str]:
    """The prompts of a jsonl file with a `prompt` field, or of plain lines."""
    lines = path.read_text(encoding="utf-8").splitlines()
    if path.suffix == ".jsonl":
        return [json.loads(line)["prompt"] for line in lines if line]
    return [line for line in lines if line and not line.startswith("#")]


def _without(intent: Intent, keys: frozenset[str]) -> Intent:
    kept = tuple(q for q in intent.questions if key(q) not in keys)
    return replace(intent, questions=kept)


def _hold_out(intents: list[Intent], rng: random.Random) -> list[tuple[str, str]]:
    """A seeded share of the questions; every intent keeps at least two."""
    spare = [(i, q) for i, intent in enumerate(intents) for q in intent.questions[2:]]
    total = sum(len(intent.questions) for intent in intents)
    chosen = rng.sample(spare, min(len(spare), round(total * HELD_OUT_SHARE)))
    return [(q, intents[i].answers[0]) for i, q in chosen]


def _allowed(intents: Iterable[Intent], barred: frozenset[str]) -> list[Intent]:
    return [i for i in (_without(intent, barred) for intent in intents) if i.questions]


def load(*, seed: int, unseen: list[Path]) -> Corpus:
    """The corpus of a seed; no question of the `unseen` files is in it.

    The rephrasings are held out apart from the rest, so that adding to them leaves
    the held-out pairs of the rest as they were.
    """
    rng = random.Random(seed)
    intents = [i for path in sorted(TEXT.glob("talk*.txt")) for i in read_talk(path, rng)]
    intents += [i for path in sorted(TEXT.glob("terms*.txt")) for i in read_terms(path, rng)]
    barred = frozenset(key(p) for path in unseen if path.exists() for p in read_prompts(path))
    first = _allowed(intents, barred)
    held_out = _hold_out(first, rng)
    more = _allowed(read_talk(TEXT / "phrasing.txt", rng), barred)
    held_out += _hold_out(more, rng)
    forbidden = barred | {key(question) for question, _ in held_out}
    dialogues = tuple(read_dialogues(TEXT / "dialogues.txt"))
    spoken = {key(user) for dialogue in dialogues for user, _ in dialogue.turns}
    return Corpus(
        tuple(_allowed(first + more, forbidden)),
        dialogues,
        tuple((user, answer) for user, answer in held_out if key(user) not in spoken),
        forbidden,
    )


def is_question(text: str) -> bool:
    """Whether a sentence without its mark reads as a question."""
    return bool(_QUESTION.search(text))
