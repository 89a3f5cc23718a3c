"""Adapter + base -> model folder, proven equal before it gets its name.

The base is loaded unquantized; the merged folder is written beside its place, read back from
disk, compared with base + adapter, and only then renamed.
"""

from __future__ import annotations

import gc
import shutil
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from jlora_cli.dataset import Message
from jlora_cli.errors import refuse
from jlora_cli.events import Notify, Stage, Warned, ignore
from jlora_cli.generation import Answerer, Sampling, load_answerer
from jlora_cli.hub import find_model
from jlora_cli.messages import say
from jlora_cli.model import Placement, fingerprint, has_effect
from jlora_cli.prompt import CARD_NAME
from jlora_cli.run_folder import in_use, write_json
from jlora_cli.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jlora_cli.run_folder import Artifact

# Real text with what goes wrong most: used where no prompts of the run's own are at hand.
PROMPTS = (
    "こんにちは",
    "日本の首都はどこですか？",
    "ﾊﾟｿｺﾝの使い方を\n教えて🐈",
    "髙﨑さんと𠮷田さん",
)
_NEW_TOKENS = 32
# Largest difference of a logit that rounding explains, relative to the largest logit.
_TOLERANCE = {"float32": 1e-4, "bfloat16": 0.1, "float16": 2e-2}


@dataclass(frozen=True)
class Merged:
    """What was written and how it compares: the figures over all prompts' positions."""

    output: str
    dtype: str
    prompts: int
    max_logit_difference: float
    top1_agreement: float
    same_greedy_text: bool

    def as_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class _Reading:
    """What a model says to the prompts: logits (positions, vocabulary) and greedy texts."""

    logits: list[torch.Tensor]
    texts: list[str]


def merge(
    artifact: Artifact,
    output: Path,
    *,
    dtype: str | None = None,
    prompts: Sequence[str] = (),
    notify: Notify = ignore,
) -> Merged:
    """Merge `artifact` into a model folder at `output` and compare it with base + adapter.

    Raises:
        JloraError: no adapter, one without effect or of another base, an output in use, or a
            merged model that does not answer the same.
    """
    if artifact.adapter is None:
        raise refuse("merge.no_adapter", source=artifact.base)
    if in_use(output):
        raise refuse("merge.output_in_use", path=output)
    base = find_model(artifact.base, what="weights")
    _check(artifact, artifact.adapter, base, notify)
    if not has_effect(artifact.adapter):
        raise refuse("merge.no_effect", path=artifact.adapter)
    # float32 unless asked otherwise: half-precision sums would be rounded a second time.
    placement = Placement("cpu", dtype or "float32")
    asked = list(prompts) or list(PROMPTS)
    notify(Stage("merge.stage.reading", {"count": len(asked)}))
    answerer = load_answerer(artifact, placement)
    before = _read(answerer, asked)
    notify(Stage("merge.stage.merging", {"dtype": placement.precision}))
    draft = output.with_name(f".{output.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        _write(answerer, artifact, base, draft)
        del answerer
        gc.collect()
        notify(Stage("merge.stage.verifying", {}))
        after = _read(_reload(artifact, draft, placement), asked)
        merged = _compare(before, after, str(output), placement.precision)
        _accept(merged, before, draft)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    output.parent.mkdir(parents=True, exist_ok=True)
    if output.exists():
        output.rmdir()
    draft.replace(output)
    return merged


def _check(artifact: Artifact, adapter: Path, base: Path, notify: Notify) -> None:
    if artifact.card is None:
        notify(Warned(say("merge.unchecked", path=adapter, base=artifact.base)))
        return
    if artifact.card["base"]["fingerprint"] != fingerprint(base):
        raise refuse("merge.other_base", path=adapter, base=base)


def _read(answerer: Answerer, prompts: Sequence[str]) -> _Reading:
    logits, texts = [], []
    sampling = Sampling(max_new_tokens=_NEW_TOKENS, temperature=0.0)
    for prompt in prompts:
        messages = [Message("user", prompt)]
        answer = answerer.answer(messages, sampling)
        ids = answerer.prompter.prompt_ids(messages) + answer.ids
        with torch.inference_mode():
            row = answerer.model(torch.tensor([ids], device=answerer.model.device), use_cache=False)
        logits.append(row.logits[0].float())
        texts.append(answer.text)
    return _Reading(logits, texts)


def _write(answerer: Answerer, artifact: Artifact, base: Path, draft: Path) -> None:
    merged = answerer.model.merge_and_unload(safe_merge=True)
    merged.save_pretrained(str(draft))
    tokenizer = load_tokenizer(artifact.folder or base)
    for file in tokenizer.files:
        shutil.copyfile(file, draft / file.name)
    card: dict[str, Any] = dict(artifact.card or {})
    card["prompt"] = answerer.prompter.format.as_json()
    card["merged"] = True
    card["base"] = {"model": artifact.base, "fingerprint": fingerprint(base)}
    write_json(draft / CARD_NAME, card)


def _reload(artifact: Artifact, folder: Path, placement: Placement) -> Answerer:
    whole = replace(artifact, base=str(folder), adapter=None)
    return load_answerer(whole, placement)


def _compare(before: _Reading, after: _Reading, output: str, dtype: str) -> Merged:
    largest, same, count = 0.0, 0, 0
    for one, other in zip(before.logits, after.logits, strict=True):
        shared = min(len(one), len(other))
        largest = max(largest, float((one[:shared] - other[:shared]).abs().max()))
        same += int((one[:shared].argmax(-1) == other[:shared].argmax(-1)).sum())
        count += shared
    return Merged(
        output, dtype, len(before.texts), largest, same / max(count, 1), before.texts == after.texts
    )


def _accept(merged: Merged, before: _Reading, draft: Path) -> None:
    scale = max(1.0, *(float(row.abs().max()) for row in before.logits))
    if merged.max_logit_difference > _TOLERANCE[merged.dtype] * scale:
        raise refuse(
            "merge.differs",
            difference=f"{merged.max_logit_difference:.2e}",
            agreement=f"{merged.top1_agreement:.1%}",
        )
    write_json(draft / "verification.json", merged.as_json())
