"""The jobs that every contestant trains: a base, rows and settings, in a folder.

A base has random weights in a given shape and a tokenizer that stock tools read to jlora's ids.
Every row fits into the job's length, so that no tool's way of cutting counts.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from benchmarks.neighbours.rows import SEED, Row, chat_rows, dolly_rows, joined
from jlora_cli.hub import ASSETS
from jlora_cli.tokenizer import load_tokenizer
from jlora_cli.tokenizer.portable import write_portable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from transformers import PreTrainedTokenizerFast

MAX_LENGTH, HELD_OUT = 512, 100
# rinna/japanese-gpt2-xsmall, and rinna/japanese-gpt-neox-3.6b (no parallel residual, all of every
# head rotates, embeddings not tied) with fewer and narrower layers.
SHAPES: dict[str, dict[str, Any]] = {
    "gpt2": {
        "model_type": "gpt2",
        "n_embd": 512,
        "n_layer": 6,
        "n_head": 8,
        "n_positions": 1024,
    },
    "neox": {
        "model_type": "gpt_neox",
        "hidden_size": 512,
        "num_hidden_layers": 6,
        "num_attention_heads": 8,
        "intermediate_size": 2048,
        "max_position_embeddings": 2048,
        "rotary_pct": 1.0,
        "use_parallel_residual": False,
        "tie_word_embeddings": False,
    },
}
VOCABULARIES = {"gpt2": "rinna_gpt2", "neox": "neox36"}
TARGETS = {"gpt2": "c_attn", "neox": "query_key_value"}
_VOCABULARY_ROWS = 32_000
_TRIES = 16


@dataclass(frozen=True)
class Job:
    """What is trained: `rows` of a corpus for `epochs`, on the base in `base`.

    `lengths`: tokens and supervised tokens of each row.
    """

    name: str
    shape: str
    template: str
    rows: int
    epochs: int
    base: str
    folder: str
    lengths: tuple[tuple[int, int], ...]
    targets: str
    lora_r: int = 8
    lora_alpha: int = 16
    lora_dropout: float = 0.05
    learning_rate: float = 2e-4
    batch_size: int = 4
    max_length: int = MAX_LENGTH
    seed: int = SEED


# name -> shape, template, epochs
KINDS = {
    "chat": ("gpt2", "chat-markdown", 3),
    "dolly": ("neox", "alpaca-ja", 1),
    "long-gpt2": ("gpt2", "alpaca-ja", 1),
    "long-neox": ("neox", "alpaca-ja", 1),
}


def prepare(name: str, rows: int, *, shared: Path | None, cache: Path) -> Job:
    """The job `name` over `rows` rows, its base and its files under `cache`."""
    shape, template, epochs = KINDS[name]
    base = make_base(shape, shared=shared, cache=cache)
    tokenizer = AutoTokenizer.from_pretrained(base)
    train, held_out = _rows(name, rows, shared, tokenizer)
    folder = cache / "jobs" / f"{name}-{base.name}-{len(train)}"
    encoded = _encoded(train, tokenizer)
    job = Job(
        name=name,
        shape=shape,
        template=template,
        rows=len(train),
        epochs=epochs,
        base=str(base),
        folder=str(folder),
        lengths=tuple((len(ids), sum(i != -100 for i in labels)) for ids, labels in encoded),
        targets=TARGETS[shape],
    )
    write_job(job, train, end=tokenizer.eos_token)
    told = [{"ids": ids, "labels": labels} for ids, labels in _encoded(held_out, tokenizer)]
    _write(folder / "validation.json", told)
    return job


def write_job(job: Job, rows: Iterable[Row], *, end: str) -> None:
    """The folder of `job`; `end` is the text of what ends an answer."""
    folder = Path(job.folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _write_rows(folder, list(rows), end)
    _write(folder / "job.json", asdict(job))


def _rows(
    name: str, rows: int, shared: Path | None, tokenizer: PreTrainedTokenizerFast
) -> tuple[list[Row], list[Row]]:
    """The rows to train on and those held out."""
    if name == "chat":
        train, held_out = chat_rows(shared)
        return list(_fitting(train, tokenizer)), list(_fitting(held_out, tokenizer))
    found = _fitting(dolly_rows(shared), tokenizer)
    held_out = list(islice(found, HELD_OUT))
    train = _long(found, tokenizer) if name.startswith("long") else found
    return list(islice(train, rows)), held_out


def _fitting(rows: Iterable[Row], tokenizer: PreTrainedTokenizerFast) -> Iterator[Row]:
    """Those that need no cutting, and whose ids are the same encoded whole or in two parts.

    Some tools do one, some the other.
    """
    for row in rows:
        text = row.prompt + row.completion
        whole = tokenizer(text, add_special_tokens=False)["input_ids"]
        parts = [tokenizer(t, add_special_tokens=False)["input_ids"] for t in row[1:]]
        if len(whole) < MAX_LENGTH and whole == parts[0] + parts[1]:
            yield row


def _long(rows: Iterable[Row], tokenizer: PreTrainedTokenizerFast) -> Iterator[Row]:
    """Rows of almost MAX_LENGTH tokens, each made of several; what does not fit is passed over."""
    held: list[Row] = []
    passed_over = 0
    for row in rows:
        if list(_fitting([joined([*held, row])], tokenizer)):
            held.append(row)
        else:
            passed_over += 1
        if passed_over == _TRIES and held:
            yield joined(held)
            held, passed_over = [], 0


def _encoded(
    rows: Iterable[Row], tokenizer: PreTrainedTokenizerFast
) -> Iterator[tuple[list[int], list[int]]]:
    """(ids, labels): -100 where the loss looks away."""
    for row in rows:
        prompt = tokenizer(row.prompt, add_special_tokens=False)["input_ids"]
        whole = tokenizer(row.prompt + row.completion, add_special_tokens=False)["input_ids"]
        ids = [*whole, tokenizer.eos_token_id]
        yield ids, [-100] * len(prompt) + ids[len(prompt) :]


def _write_rows(folder: Path, rows: list[Row], end: str) -> None:
    """The rows as jlora, the Trainer and TRL, and LLaMA-Factory read them.

    LLaMA-Factory ends an answer itself.
    """
    pairs = [{"prompt": row.prompt, "completion": row.completion + end} for row in rows]
    bare = [{"prompt": row.prompt, "completion": row.completion} for row in rows]
    for name, told in (("own", [r.own for r in rows]), ("pairs", pairs), ("bare", bare)):
        (folder / name).mkdir()
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in told]
        (folder / name / "rows.jsonl").write_text("".join(lines), encoding="utf-8")
    columns = {"prompt": "prompt", "response": "completion"}
    named = {"rows": {"file_name": "rows.jsonl", "columns": columns}}
    _write(folder / "bare" / "dataset_info.json", named)


def _write(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, ensure_ascii=False) + "\n", encoding="utf-8")


# -- bases -------------------------------------------------------------------------------------


def make_base(shape: str, *, shared: Path | None, cache: Path) -> Path:
    """A base of that shape with random weights, made once for each vocabulary."""
    source = ASSETS / "demo_base"
    if shared is not None:
        source = shared / "vectors" / "models" / VOCABULARIES[shape]
    folder = cache / "bases" / f"{shape}-{source.name}"
    if (folder / "model.safetensors").is_file():
        return folder
    tokenizer = load_tokenizer(source)
    folder.mkdir(parents=True, exist_ok=True)
    if not write_portable(tokenizer, folder).exact:
        raise SystemExit(f"no tokenizer.json with the same ids can be made of {source.name}")
    if shared is None:
        _drop_chat_template(folder)
    ends = {"bos_token_id": tokenizer.bos_id, "eos_token_id": tokenizer.eos_id}
    size = max(tokenizer.size, _VOCABULARY_ROWS)
    config = SHAPES[shape] | ends | {"pad_token_id": tokenizer.pad_id, "vocab_size": size}
    write_random_model(config, folder)
    return folder


def write_random_model(config: dict[str, Any], folder: Path) -> None:
    """Random weights as the architecture initialises them, and their config.json."""
    torch.manual_seed(SEED)
    made = AutoConfig.for_model(**config)
    AutoModelForCausalLM.from_config(made, dtype=torch.float32).save_pretrained(folder)


def _drop_chat_template(folder: Path) -> None:
    """Without it, for each tool to take the job's template and no other."""
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config.pop("chat_template", None)
    _write(path, config)


def copy_demo_base(cache: Path) -> Path:
    """The demo's base with its trained weights, and a tokenizer.json."""
    folder, source = cache / "bases" / "demo", ASSETS / "demo_base"
    folder.mkdir(parents=True, exist_ok=True)
    write_portable(load_tokenizer(source), folder)
    for name in ("config.json", "generation_config.json", "model.safetensors"):
        shutil.copyfile(source / name, folder / name)
    return folder


def default_shared() -> Path | None:
    """The checkout's sibling `shared`, where it is there."""
    folder = Path(__file__).resolve().parents[3] / "shared"
    return folder if (folder / "vectors").is_dir() else None
