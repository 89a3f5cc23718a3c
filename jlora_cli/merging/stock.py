"""The template of the training as stock tools read it, where it gives them the same prompt."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import tokenizers

from jlora_cli.dataset import Message
from jlora_cli.prompt.templates import RenderError, compile_template
from jlora_cli.run_folder import write_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jlora_cli.prompt import Prompter

_CONFIG, _TEMPLATE, _DOCUMENT = "tokenizer_config.json", "chat_template.jinja", "tokenizer.json"
# Opening questions. Behind an answer, jlora goes on where stock encodes anew, and pieces of equal
# score may fall otherwise.
_PROBES = tuple(
    (Message("user", text),)
    for text in ("こんにちは", "ﾊﾟｿｺﾝの使い方を\n教えて🐈", "髙﨑さんと𠮷田さん")
)


def carry_template(prompter: Prompter, draft: Path) -> bool:
    """Give the tokenizer in `draft` the template that this prompter asks with, if stock can use it.

    False where transformers' apply_chat_template would build another prompt; then the folder keeps
    what it has.
    """
    config = json.loads((draft / _CONFIG).read_text(encoding="utf-8"))
    stock = tokenizers.Tokenizer.from_file(str(draft / _DOCUMENT))
    wanted = [prompter.prompt_ids(probe) for probe in _PROBES]
    for text in _candidates(prompter):
        if _ids(text, stock) == wanted:
            write_json(draft / _CONFIG, config | {"chat_template": text})
            (draft / _TEMPLATE).unlink(missing_ok=True)
            return True
    return False


def _candidates(prompter: Prompter) -> Iterator[str]:
    """The template in what stock knows: `content` alone, newlines replaced, tokens by literal."""
    text = re.sub(r"\b(\w+)\.instruction\b", r"\1.content", prompter.format.chat_template)
    if prompter.format.newline == "nl":
        text = "{% set told %}" + text + '{% endset %}{{ told | replace("\\n", "<NL>") }}'
    tokenizer = prompter.tokenizer
    literals = {id: literal for literal, id in tokenizer.special_ids.items()}
    named = {"bos": tokenizer.bos_id, "eos": prompter.format.eos_id, "pad": tokenizer.pad_id}
    for role, id in named.items():
        # Stock knows these names only where the configuration, not its class, gives them.
        if f"{role}_token" in text and id in literals:
            text = f"{{% set {role}_token = {json.dumps(literals[id])} %}}" + text
    yield text
    yield literals.get(-1 if tokenizer.bos_id is None else tokenizer.bos_id, "") + text


def _ids(text: str, stock: tokenizers.Tokenizer) -> list[list[int]]:
    """The ids of every probe as transformers' apply_chat_template makes them; none if it fails."""
    render = compile_template(text)
    made = []
    for probe in _PROBES:
        messages = [{"role": turn.role, "content": turn.content} for turn in probe]
        try:
            told = render(messages=messages, add_generation_prompt=True)
        except RenderError:
            return []
        made.append(stock.encode(told, add_special_tokens=False).ids)
    return made
