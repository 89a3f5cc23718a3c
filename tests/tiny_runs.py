"""A tiny run: five steps of real training on a tiny model, for what is done with a run later."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

STEPS = 5
PAIRS = (
    ("吾輩は何ですか？", "猫です。🐈"),
    ("名前はありますか？", "名前はまだ無い。"),
    ("どこで生れましたか？", "とんと見当がつかぬ。\n薄暗い所です。"),
    ("ｶﾞｷﾞとＡ１の違いは？", "半角と全角です。"),
    ("髙﨑さんと𠮷野さん", "はい、わかりました。"),
    ("Hello", "Hello, 書生です。"),
)


def write_rows(path: Path, pairs: tuple[tuple[str, str], ...] = PAIRS) -> Path:
    """A JSONL file of one exchange a row."""
    rows = [
        {
            "messages": [
                {"role": "user", "content": question},
                {"role": "assistant", "content": answer},
            ]
        }
        for question, answer in pairs
    ]
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def train_tiny_run(folder: Path, base: Path) -> Path:
    """A finished run folder, `folder`/run, whose adapter on `base` changes what it answers."""
    from jlora_cli.machine import Machine
    from jlora_cli.proposal import propose
    from jlora_cli.training.session import train

    machine = Machine(
        system="Linux",
        python="3.11",
        in_virtual_environment=True,
        cpu="x86_64",
        cores=2,
        memory_gib=16.0,
        free_memory_gib=12.0,
        disk_free_gib=100.0,
    )
    folder.mkdir(parents=True, exist_ok=True)
    options = {
        "model": str(base),
        "data": str(write_rows(folder / "rows.jsonl")),
        "output": str(folder / "run"),
        "max_steps": str(STEPS),
        "learning_rate": "0.02",
        "max_length": "256",
    }
    train(propose("cpu-small", options, machine))
    return folder / "run"
