"""Stock class against exact ids; the only part that imports transformers, and only when called."""

from __future__ import annotations

import hashlib
import json
import os
from importlib import metadata
from typing import TYPE_CHECKING, Any

from jlora_cli.audit.figures import sample, written
from jlora_cli.audit.texts import texts_of
from jlora_cli.cache import cache_folder
from jlora_cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from jlora_cli.dataset import Example
    from jlora_cli.prompt import Prompter
    from jlora_cli.tokenizer import Tokenizer

_PARITY_ROWS = 200
_PARITY_PROBES = (
    *("吾輩は猫である。", "一行目\n二行目\n\n四行目", "a  b   c", "def f(x):\n\treturn x", " 先頭"),
    *("髙﨑さんと𠮷野家", "🐈と👨‍👩‍👧‍👦", "ｶﾞｷﾞ Ａ１ ①㍻", "か\u3099", "Hello, LoRA!", "\u3000段落"),
    *("</s>", "＜／ｓ＞", "[PAD]", "<0x0A>", "<|im_start|>user", "한국어 العربية 😀\r\n"),
)


def parity_texts(prompter: Prompter, examples: Sequence[Example]) -> list[str]:
    """What `stock_parity` compares: fixed probes and 200 rows, as the tokenizer gets them."""
    sampled = ["\n".join(texts_of(example)) for example in sample(examples, _PARITY_ROWS)]
    return [written(prompter, text) for text in (*_PARITY_PROBES, *sampled)]


def stock_parity(tokenizer: Tokenizer, texts: Sequence[str]) -> dict[str, Any]:
    """How many of `texts` transformers' AutoTokenizer gives other ids.

    Measured once for a tokenizer, a version of transformers and these texts, then read from the
    user's cache.
    Never raises for what transformers cannot do: `reason` tells it instead.
    """
    try:
        version = metadata.version("transformers")
    except metadata.PackageNotFoundError:
        return {"reason": say("audit.no_transformers")}
    asked = hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:16]
    kept = cache_folder() / "stock-parity" / f"{_identity(tokenizer)}-{version}-{asked}.json"
    known = _read(kept)
    if known is not None:
        return known
    measured = _compare(tokenizer, texts) | {"transformers": version}
    if "reason" not in measured:
        _keep(kept, measured)
    return measured


def stock_note(parity: Mapping[str, Any]) -> str:
    """What `stock_parity` measured, in one sentence."""
    if "reason" in parity:
        return say("audit.stock_failed", reason=parity["reason"])
    key = "audit.stock_differs" if parity["differ"] else "audit.stock_same"
    named = {"name": parity["class"], "version": parity["transformers"]}
    return say(key, count=parity["differ"], total=parity["texts"], **named)


def _identity(tokenizer: Tokenizer) -> str:
    """The tokenizer's fingerprint with its other files: the class is named in its configuration."""
    digest = hashlib.sha256(tokenizer.fingerprint.encode())
    for file in tokenizer.files:
        digest.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _compare(tokenizer: Tokenizer, texts: Sequence[str]) -> dict[str, Any]:
    exact = tokenizer.encode_batch(texts)
    try:
        from transformers import AutoTokenizer
        from transformers.utils import logging

        before = logging.get_verbosity()
        logging.set_verbosity_error()
        try:
            stock = AutoTokenizer.from_pretrained(str(tokenizer.folder), local_files_only=True)
            given = stock(list(texts), add_special_tokens=False)["input_ids"]
        finally:
            logging.set_verbosity(before)
    except Exception as error:  # noqa: BLE001 - any class of any version; only a note hangs on it
        return {"reason": str(error).strip().partition("\n")[0] or type(error).__name__}
    differ = sum(list(theirs) != ours for theirs, ours in zip(given, exact, strict=True))
    return {"class": type(stock).__name__, "texts": len(exact), "differ": differ}


def _read(file: Path) -> dict[str, Any] | None:
    """A kept measurement; None where there is none, or none that can be read."""
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(known, dict) and {"class", "texts", "differ", "transformers"} <= known.keys()
    return known if whole else None


def _keep(file: Path, measured: Mapping[str, Any]) -> None:
    """Keep a measurement for the next time; a cache that cannot be written is done without."""
    partial = file.with_suffix(f".partial-{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(measured, ensure_ascii=False), encoding="utf-8")
        partial.replace(file)
    except OSError:
        return
