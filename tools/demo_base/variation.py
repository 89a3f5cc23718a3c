"""How users type one and the same thing, and how dialogues are put together."""

import random
import re
from collections.abc import Iterator

from tools.demo_base.corpus import TEXT, Corpus, Dialogue, Intent, is_question, key


def _table(name: str) -> list[list[str]]:
    lines = (TEXT / name).read_text(encoding="utf-8").splitlines()
    return [line.split() for line in lines if line and not line.startswith("#")]


SYSTEM_LINES = (
    "あなたは親切なアシスタントです。",
    "丁寧に答えてください。",
    "あなたは日本語で話すアシスタントです。",
    "次の質問に答えてください。",
    "ユーザーと楽しく会話してください。",
    "わかりやすく答えてください。",
)
SUFFIXES = (
    "ぴょん",
    "わん",
    "なのだ",
    "でござる",
    "ぞよ",
    "だっちゃ",
    "ぽん",
    "のう",
    "べさ",
    "にょろ",
    "にん",
)
GLIDES = _table("syllables.txt")[0]
SYLLABLES = _table("syllables.txt")[1]
SUFFIX_LINES = (
    "語尾に「{}」を付けて話してください。",
    "文の終わりに必ず「{}」と付けてください。",
    "あなたは語尾に「{}」と付けて話すキャラクターです。",
)
SUFFIX_REQUESTS = ("語尾に「{}」を付けて話して", "これからは語尾に「{}」と付けてください")
FILLERS = (
    "あの、",
    "すみません、",
    "ねえ、",
    "えっと、",
    "ちょっと聞きたいのですが、",
    "では、",
    "ところで、",
    "実は",
    "最近、",
    "質問です。",
)
MIN_SLIP = 6
"""Letters a line must have more than for one to be left out, as in hasty typing."""
EMOJI = ("😊", "🙏", "✨", "😄", "☀️", "🎉", "🐶", "😢")


WORD_CLASSES = _table("synonyms.txt")
ENDINGS = _table("endings.txt")
_CLASS_OF = {word: words for words in WORD_CLASSES for word in words}
_WORD = re.compile("|".join(sorted(map(re.escape, _CLASS_OF), key=len, reverse=True)))
_SENTENCE_END = re.compile(r"[。！？!?]+(?=\n|$)|[。！？!?]+")


def _mark(text: str, rng: random.Random) -> str:
    if text[-1] in "。！？!?」":
        return text
    if is_question(text):
        return text + rng.choice(("", "？", "？", "。", "?"))
    return text + rng.choice(("", "", "。", "。", "！"))


def _reword(text: str, rng: random.Random) -> str:
    def other(match: re.Match[str]) -> str:
        word = match.group()
        return rng.choice(_CLASS_OF[word]) if rng.random() < 0.4 else word

    return _WORD.sub(other, text)


def _retail(text: str, rng: random.Random) -> str:
    for ending, *others in ENDINGS:
        if text.endswith(ending):
            return text.removesuffix(ending) + rng.choice(others)
    return text


def _slip(text: str, rng: random.Random) -> str:
    place = rng.randrange(len(text))
    return text[:place] + text[place + 1 :] if len(text) > MIN_SLIP else text


def vary(question: str, *, rng: random.Random, forbidden: frozenset[str]) -> str:
    """A question with another ending, filler or emoji; never a forbidden one."""
    text = _reword(question, rng)
    if rng.random() < 0.35:
        text = _retail(text, rng)
    if rng.random() < 0.05:
        text = _slip(text, rng)
    if rng.random() < 0.06:
        text = rng.choice(FILLERS) + text
    if key(text) in forbidden:
        text = question
    text = _mark(text, rng)
    return text + rng.choice(EMOJI) if rng.random() < 0.03 else text


def with_suffix(answer: str, suffix: str) -> str:
    """The answer in a persona's voice: each sentence ends in the suffix, the last bare."""
    marked = _SENTENCE_END.sub(lambda m: suffix + "。", answer)
    return marked.removesuffix("。")


def _turn(intent: Intent, corpus: Corpus, rng: random.Random) -> tuple[str, str]:
    question = vary(rng.choice(intent.questions), rng=rng, forbidden=corpus.forbidden)
    return question, rng.choice(intent.answers)


def _suffix(rng: random.Random) -> str:
    """A known suffix or an invented one; never にゃ, the demo's own."""
    if rng.random() < 0.4:
        return rng.choice(SUFFIXES)
    return rng.choice(GLIDES) + rng.choice(["", "", *SYLLABLES])


def _persona(turns: list[tuple[str, str]], rng: random.Random) -> Dialogue:
    suffix = _suffix(rng)
    said = [(user, with_suffix(answer, suffix)) for user, answer in turns]
    if rng.random() < 0.2:
        asked = rng.choice(SUFFIX_REQUESTS).format(suffix)
        return Dialogue("", ((asked, f"わかりました{suffix}"), *said))
    return Dialogue(rng.choice(SUFFIX_LINES).format(suffix), tuple(said))


def draw(corpus: Corpus, rng: random.Random) -> Dialogue:
    """One training dialogue."""
    kind = rng.random()
    if kind < 0.10 and corpus.dialogues:
        whole = rng.choice(corpus.dialogues)
        said = [(_mark(user, rng), answer) for user, answer in whole.turns]
        return Dialogue(whole.system, tuple(said))
    count = rng.choice((2, 2, 3)) if kind < 0.25 else 1
    weights = [intent.weight for intent in corpus.intents]
    chosen = rng.choices(corpus.intents, weights, k=count)
    turns = [_turn(intent, corpus, rng) for intent in chosen]
    if kind > 0.90:
        return _persona(turns, rng)
    return Dialogue(rng.choice(SYSTEM_LINES) if kind > 0.85 else "", tuple(turns))


def endless(corpus: Corpus, *, seed: int) -> Iterator[Dialogue]:
    """Training dialogues without end, the same ones for the same seed."""
    rng = random.Random(seed)
    while True:
        yield draw(corpus, rng)
