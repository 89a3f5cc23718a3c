"""What a merged folder holds besides its weights: all that a model needs to answer as trained."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from jlora_cli.artifact import prompt_format, tokenizer_folder
from jlora_cli.events import Notify, Warned
from jlora_cli.merging.stock import carry_template
from jlora_cli.messages import say
from jlora_cli.prompt import CARD_NAME, Prompter
from jlora_cli.run_folder import read_model_config, write_json
from jlora_cli.tokenizer import load_tokenizer
from jlora_cli.tokenizer.portable import write_portable
from jlora_cli.weights import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from jlora_cli.run_folder import Artifact

_GENERATION = "generation_config.json"


def write_settings(base: Path, draft: Path, dtype: str | None) -> None:
    """The base's config.json and generation_config.json; `dtype` where the weights' changed."""
    config = read_model_config(base)
    if dtype is not None:
        # transformers before 4.56 knows the longer name only, and later ones know both.
        config["dtype" if "dtype" in config else "torch_dtype"] = dtype
    text = json.dumps(config, ensure_ascii=False, indent=2) + "\n"
    (draft / "config.json").write_text(text, encoding="utf-8", newline="\n")
    if (base / _GENERATION).is_file():
        shutil.copyfile(base / _GENERATION, draft / _GENERATION)


def write_description(
    artifact: Artifact, base: Path, draft: Path, texts: Iterable[str], notify: Notify
) -> None:
    """The tokenizer, its template and jlora.json; tells how far stock tools read them alike.

    `texts`: what the written tokenizer is compared on besides its own probes.
    """
    tokenizer = load_tokenizer(tokenizer_folder(artifact, base))
    portable = write_portable(tokenizer, draft, texts)
    notify(portable.event())
    prompter = Prompter(tokenizer, prompt_format(artifact, tokenizer))
    if not (portable.exact and carry_template(prompter, draft)):
        notify(Warned(say("merge.own_template", template=prompter.format.template)))
    card: dict[str, Any] = dict(artifact.card or {})
    card["prompt"] = prompter.format.as_json()
    card["merged"] = True
    card["base"] = {"model": artifact.base, "fingerprint": fingerprint(base)}
    known = {"family": tokenizer.family, "fingerprint": tokenizer.fingerprint}
    card["tokenizer"] = known | (card.get("tokenizer") or {}) | {"portable": portable.as_json()}
    write_json(draft / CARD_NAME, card)
