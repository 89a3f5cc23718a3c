"""From what a SOURCE names to a model that answers: where it runs, weights, prompt format."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch

from jlora_cli.artifact import prompt_format, tokenizer_folder
from jlora_cli.errors import refuse
from jlora_cli.events import Notify, Warned, ignore
from jlora_cli.generation.answerer import Answerer
from jlora_cli.hub import find_model
from jlora_cli.messages import say
from jlora_cli.model import DTYPES, Placement, choose_device, load_base, read_adapter
from jlora_cli.prompt import Prompter
from jlora_cli.tokenizer import load_tokenizer
from jlora_cli.weights import trained_elsewhere

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from jlora_cli.run_folder import Artifact
    from jlora_cli.tokenizer import Tokenizer

QUANTIZATIONS = ("none", "8bit", "4bit")


def placement_for(
    artifact: Artifact,
    *,
    quantization: str | None,
    precision: str | None,
    device: str | None,
    notify: Notify = ignore,
) -> Placement:
    """Where and how to load: as asked, else as the adapter was trained where that is possible.

    Where it is not, a base in full precision answers, and that is told.

    Raises:
        JloraError: no such device, precision or quantization, or none on this device.
    """
    _check_asked("--quantization", quantization, QUANTIZATIONS)
    _check_asked("--precision", precision, DTYPES)
    chosen = choose_device(device)
    trained = (artifact.card or {}).get("training", {})
    if quantization is None:
        # A merged model was compared as it is written, whatever its adapter was trained over.
        quantization = trained.get("quantization", "none") if artifact.adapter else "none"
        if quantization != "none" and (why := _cannot_quantise(chosen)):
            notify(Warned(say("generation.unquantized", quantization=quantization, why=why)))
            quantization = "none"
    if quantization != "none" and chosen != "cuda":
        raise refuse("generation.no_quantization", quantization=quantization, device=chosen)
    return Placement(chosen, precision or _precision(chosen, trained), quantization)


def _cannot_quantise(device: str) -> str:
    """Why a base cannot be quantised here; empty where it can."""
    if device != "cuda":
        return say("generation.why_device", device=device)
    return "" if find_spec("bitsandbytes") else say("generation.why_package")


def _check_asked(option: str, value: str | None, known: Iterable[str]) -> None:
    if value is not None and value not in known:
        raise refuse("generation.no_such", option=option, value=value, known=", ".join(known))


def _precision(device: str, trained: dict[str, str]) -> str:
    """On CUDA that of the training, where the GPU has it; elsewhere float32."""
    if device != "cuda":
        return "float32"
    wanted = trained.get("precision", "bfloat16")
    missing = wanted == "bfloat16" and not torch.cuda.is_bf16_supported(including_emulation=False)
    return "float16" if missing else wanted


def load_answerer(
    artifact: Artifact,
    placement: Placement,
    *,
    template: str = "auto",
    remembers: bool = False,
    notify: Notify = ignore,
) -> Answerer:
    """The model that `artifact` names, with the prompt format that it was trained with.

    `remembers`: see `Answerer`.

    Raises:
        JloraError: a file is missing, damaged or does not fit the others.
    """
    base = find_model(artifact.base, what="weights")
    if artifact.adapter is not None and trained_elsewhere(artifact, base):
        text = say("generation.other_base", path=artifact.adapter, base=artifact.base)
        notify(Warned(text))
    tokenizer = load_tokenizer(tokenizer_folder(artifact, base))
    format = prompt_format(artifact, tokenizer, template)
    model = load_base(base, placement, tokenizer=tokenizer)
    if artifact.adapter is not None:
        model = read_adapter(model, artifact.adapter)
    prompter = Prompter(tokenizer, format, also_ends=further_ends(base, tokenizer))
    return Answerer(model, prompter, remembers=remembers)


def further_ends(base: Path, tokenizer: Tokenizer) -> set[int]:
    """The control ids that end an answer as the files of `base` say, of which it may have several.

    generation_config.json counts before config.json; a number that is no control id is left out.
    """
    for name in ("generation_config.json", "config.json"):
        try:
            said = json.loads((base / name).read_text(encoding="utf-8"))["eos_token_id"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        told = said if isinstance(said, list) else [said]
        return {id_ for id_ in told if id_ in tokenizer.special_ids.values()}
    return set()
