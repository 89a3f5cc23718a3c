"""Rows of the jobs: as jlora reads them, and as prompt and completion for its neighbours.

Where the shared folder is not there, the demo's rows stand in, again and again where more are
asked for. Knows no model and no tokenizer.
"""

from __future__ import annotations

import json
import random
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "jlora_cli" / "assets" / "demo_data"
CHAT, DOLLY = Path("data/messages"), Path("data/dolly_ja/dolly_like_ja.json")
SEED = 42


class Row(NamedTuple):
    """`own` is the row in jlora's format; `prompt` and `completion` the template's text of it."""

    own: dict[str, Any]
    prompt: str
    completion: str


def chat_row(user: str, assistant: str) -> Row:
    """A row of jlora's template `chat-markdown`, the seed recipe's."""
    turns = [{"role": "user", "content": user}, {"role": "assistant", "content": assistant}]
    return Row({"messages": turns}, f"### User:\n{user}\n\n### Assistant:\n", assistant)


def dolly_row(instruction: str, extra: str, output: str) -> Row:
    """A row of jlora's template `alpaca-ja`, the dolly recipe's."""
    own = {"instruction": instruction, "input": extra, "output": output}
    given = f"### 入力:\n{extra}\n\n" if extra else ""
    return Row(own, f"### 指示:\n{instruction}\n\n{given}### 回答:\n", output)


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def chat_rows(shared: Path | None) -> tuple[list[Row], list[Row]]:
    """The 55 chat rows, and those held out."""
    folder = shared / CHAT if shared else DEMO
    name = "training_data.jsonl" if shared else "train.jsonl"
    held_out = "validation_data.jsonl" if shared else "validation.jsonl"
    return _chats(folder / name), _chats(folder / held_out)


def _chats(path: Path) -> list[Row]:
    """The rows of a file, of which only the first question and answer count."""
    told = ([turn["content"] for turn in row["messages"]] for row in read_jsonl(path))
    return [chat_row(user, assistant) for user, assistant, *_ in told]


def dolly_rows(shared: Path | None) -> Iterator[Row]:
    """Instruction rows in a seeded order; endless where the demo's stand in."""
    if shared is None:
        chats = [row.own["messages"] for row in _chats(DEMO / "train.jsonl")]
        told = ([turn["content"] for turn in turns] for turns in cycle(chats))
        return (dolly_row(user, "", assistant) for user, assistant in told)
    found = json.loads((shared / DOLLY).read_text(encoding="utf-8"))
    random.Random(SEED).shuffle(found)
    whole = (row for row in found if row["instruction"].strip() and row["output"].strip())
    return (dolly_row(row["instruction"], row["input"], row["output"]) for row in whole)


def joined(rows: Sequence[Row]) -> Row:
    """Instruction rows as a single one: their texts one after the other."""
    own = [row.own for row in rows]
    asked = "\n".join(f"{row['instruction']}\n{row['input']}".strip() for row in own)
    return dolly_row(asked, "", "\n".join(row["output"] for row in own))


def words(count: int, *, seed: int = SEED) -> Iterator[Row]:
    """`count` chat rows of random Japanese words, no two alike, of about the same length."""
    vocabulary = sorted({text for row in islice(dolly_rows(None), 55) for text in _pieces(row)})
    drawn = random.Random(seed)
    for number in range(count):
        asked = "".join(drawn.choices(vocabulary, k=8))
        yield chat_row(f"{number}番、{asked}", "".join(drawn.choices(vocabulary, k=8)))


def _pieces(row: Row) -> list[str]:
    text = row.completion
    return [text[at : at + 3] for at in range(0, len(text) - 2, 3)]
