"""The demo's SentencePiece vocabulary and the exact encoding of a dialogue."""

import re
from pathlib import Path

import sentencepiece as spm

from tools.demo_base.corpus import Corpus, Dialogue

EOS = 3
NEWLINE = "<NL>"
USER, SYSTEM = "ユーザー: ", "システム: "
_INDENT = re.compile(r"^[\s　]+", re.MULTILINE)


def prose_works(path: Path) -> list[str]:
    """The works of a prose file (blank line between works), without indents."""
    text = path.read_text(encoding="utf-8")
    return [_INDENT.sub("", work).strip() for work in re.split(r"\n\n+", text) if work.strip()]


def _sentences(corpus: Corpus, works: list[str]) -> list[str]:
    """Text the pieces are learned from: contents only, never a joined prefix."""
    said = [q for intent in corpus.intents for q in intent.questions]
    said += [a for intent in corpus.intents for a in intent.answers for _ in range(20)]
    said += [text for d in corpus.dialogues for turn in d.turns for text in turn]
    said += ["ユーザー", "システム", ":"] * 3000
    prose = [s + "。" for work in works[::4] for s in re.split(r"。|\n", work) if s]
    return [line for text in said + prose for line in text.split("\n") if line]


def train(corpus: Corpus, works: list[str], *, pieces: int, prefix: Path) -> None:
    """Writes `prefix.model`, laid out as rinna/japanese-gpt-neox-3.6b does."""
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(_sentences(corpus, works)),
        model_prefix=str(prefix),
        model_type="unigram",
        vocab_size=pieces,
        character_coverage=0.992,
        pad_id=0,
        unk_id=1,
        bos_id=2,
        eos_id=3,
        pad_piece="[PAD]",
        unk_piece="[UNK]",
        control_symbols=["[CLS]", "[SEP]", "[MASK]"],
        user_defined_symbols=[NEWLINE],
        byte_fallback=True,
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        normalization_rule_name="nmt_nfkc",
        num_threads=2,
        minloglevel=1,
    )
    prefix.with_suffix(".vocab").unlink()


def encode_prompt(sp: spm.SentencePieceProcessor, user: str, *, system: str = "") -> list[int]:
    """The ids of a one-turn prompt."""
    lead = f"{system}\n" if system else ""
    return list(sp.encode(f"{lead}{USER}{user}\n{SYSTEM}".replace("\n", NEWLINE)))


def encode(sp: spm.SentencePieceProcessor, dialogue: Dialogue) -> tuple[list[int], list[bool]]:
    """Ids of a dialogue, and which of them an answer (with its EOS) is made of."""
    ids: list[int] = []
    answered: list[bool] = []
    lead = f"{dialogue.system}\n" if dialogue.system else ""
    for user, answer in dialogue.turns:
        prompt = sp.encode(f"{lead}{USER}{user}\n{SYSTEM}".replace("\n", NEWLINE))
        reply = [*sp.encode(answer.replace("\n", NEWLINE)), EOS]
        ids += [*prompt, *reply]
        answered += [False] * len(prompt) + [True] * len(reply)
        lead = "\n"
    return ids, answered
