"""Adapter + base -> model folder, proven equal before it gets its name.

Base and adapter are added up in float32, whatever is written: half-precision sums would be
rounded twice, and on most CPUs take 40 times as long. The merged folder is written beside its
place, read back from disk, compared with base + adapter, and only then renamed.
"""

from __future__ import annotations

import gc
import json
import shutil
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError

from jlora_cli.artifact import tokenizer_folder
from jlora_cli.dataset import Message
from jlora_cli.errors import refuse
from jlora_cli.events import Notify, Stage, Warned, ignore
from jlora_cli.generation import Answerer, context_length, load_answerer
from jlora_cli.hub import find_model
from jlora_cli.messages import say
from jlora_cli.model import DTYPES, Placement, has_effect, is_dropout
from jlora_cli.prompt import CARD_NAME
from jlora_cli.run_folder import in_use, write_json
from jlora_cli.sampling import Sampling
from jlora_cli.tokenizer import load_tokenizer
from jlora_cli.tokenizer.portable import write_portable
from jlora_cli.weights import check_base, fingerprint, trained_elsewhere

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jlora_cli.run_folder import Artifact
    from jlora_cli.tokenizer.portable import Portable

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
class _Job:
    """What to merge, from where, and as what it is written."""

    artifact: Artifact
    base: Path
    prompts: list[str]
    dtype: str


@dataclass(frozen=True)
class _Reading:
    """What a model says to each prompt.

    ids: the prompt and an answer behind it; logits: at each of them, (length, vocabulary); texts:
    its own greedy answers.
    """

    ids: list[list[int]]
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

    `dtype`: of the weights that are written, float32 where nothing is said. `prompts`: what both
    are asked; by default what the run sampled with, else `PROMPTS`.

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
    asked = list(prompts) or _sampled(artifact.run) or list(PROMPTS)
    job = _Job(artifact, base, asked, dtype or "float32")
    place = output.absolute()
    draft = place.with_name(f".{place.name}.part")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        merged = replace(_merge_into(draft, job, notify), output=str(output))
        write_json(draft / "verification.json", merged.as_json())
        if place.exists():
            place.rmdir()
        draft.replace(place)
    except (OSError, SafetensorError) as error:
        raise refuse("source.cannot_write", path=output, problem=error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return merged


def _merge_into(draft: Path, job: _Job, notify: Notify) -> Merged:
    notify(Stage("evaluate.stage.loading", {"model": job.artifact.base}))
    answerer = load_answerer(job.artifact, Placement())
    prompts = _fitting(answerer, job.prompts)
    notify(Stage("merge.stage.reading", {"count": len(prompts)}))
    before = _read(answerer, prompts)
    notify(Stage("merge.stage.merging", {"dtype": job.dtype}))
    _write(answerer, job, draft)
    notify(_describe(answerer, job, draft).event())
    del answerer  # one model in memory at a time
    gc.collect()
    notify(Stage("merge.stage.verifying", {}))
    after = _read(_reload(job.artifact, draft), prompts, along=before.ids)
    merged = _compare(before, after, str(draft), job.dtype)
    _accept(merged, before)
    return merged


def _check(artifact: Artifact, adapter: Path, base: Path, notify: Notify) -> None:
    if "quantization_config" in check_base(base):
        raise refuse("merge.quantized_base", base=base)
    if artifact.card is None:
        notify(Warned(say("merge.unchecked", path=adapter, base=artifact.base)))
    elif trained_elsewhere(artifact, base):
        raise refuse("merge.other_base", path=adapter, base=base)
    if not has_effect(adapter):
        raise refuse("merge.no_effect", path=adapter)


def _sampled(run: Path | None) -> list[str]:
    """The prompts that the run answered before and after its training, as far as it kept them."""
    if run is None:
        return []
    try:
        lines = (run / "samples.jsonl").read_text(encoding="utf-8").splitlines()
        return list(dict.fromkeys(json.loads(line)["prompt"] for line in lines))
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _fitting(answerer: Answerer, prompts: Sequence[str]) -> list[str]:
    """The prompts that leave room for an answer; all of them where none does, to be refused."""
    one_token = Sampling(max_new_tokens=1)
    fit = [p for p in prompts if answerer.fits([Message("user", p)], one_token)]
    return fit or list(prompts)


def _read(
    answerer: Answerer, prompts: Sequence[str], *, along: Sequence[list[int]] | None = None
) -> _Reading:
    """Greedy answers, and logits at their ids or at those of `along`, another model's.

    Where rounding tips one token, everything behind it differs: logits compare along the same ids.
    """
    told, logits, texts = [], [], []
    context = context_length(answerer.model)
    for number, prompt in enumerate(prompts):
        messages = [Message("user", prompt)]
        begun = answerer.prompter.prompt_ids(messages)
        room = max(1, min(_NEW_TOKENS, context - len(begun)))
        answer = answerer.answer(messages, Sampling(max_new_tokens=room, temperature=0.0))
        ids = along[number] if along is not None else begun + answer.ids
        with torch.inference_mode():
            row = answerer.model(torch.tensor([ids], device=answerer.model.device), use_cache=False)
        told.append(ids)
        logits.append(row.logits[0].float())
        texts.append(answer.text)
    return _Reading(told, logits, texts)


def _write(answerer: Answerer, job: _Job, draft: Path) -> None:
    merged = answerer.model.merge_and_unload(safe_merge=True).to(DTYPES[job.dtype])
    merged.save_pretrained(str(draft))
    _restore_dropout(draft / "config.json", check_base(job.base))


def _describe(answerer: Answerer, job: _Job, draft: Path) -> Portable:
    """Write the tokenizer and jlora.json."""
    tokenizer = load_tokenizer(tokenizer_folder(job.artifact, job.base))
    portable = write_portable(tokenizer, draft, job.prompts)
    card: dict[str, Any] = dict(job.artifact.card or {})
    card["prompt"] = answerer.prompter.format.as_json()
    card["merged"] = True
    card["base"] = {"model": job.artifact.base, "fingerprint": fingerprint(job.base)}
    known = {"family": tokenizer.family, "fingerprint": tokenizer.fingerprint}
    card["tokenizer"] = known | (card.get("tokenizer") or {}) | {"portable": portable.as_json()}
    write_json(draft / CARD_NAME, card)
    return portable


def _restore_dropout(path: Path, original: dict[str, Any]) -> None:
    """The base was loaded with its dropouts at 0; the merged model keeps those of the base."""
    config = json.loads(path.read_text(encoding="utf-8"))
    kept = {name: value for name, value in config.items() if not is_dropout(name)}
    write_json(path, kept | {name: original[name] for name in filter(is_dropout, original)})


def _reload(artifact: Artifact, folder: Path) -> Answerer:
    """The written model; in float32, so that what differs is its weights and not the arithmetic."""
    return load_answerer(replace(artifact, base=str(folder), adapter=None), Placement())


def _compare(before: _Reading, after: _Reading, output: str, dtype: str) -> Merged:
    pairs = list(zip(before.logits, after.logits, strict=True))
    # torch's max, unlike Python's, passes a NaN on.
    largest = torch.stack([(one - other).abs().max() for one, other in pairs]).max()
    same = sum(int((one.argmax(-1) == other.argmax(-1)).sum()) for one, other in pairs)
    count = sum(len(one) for one, _ in pairs)
    texts = before.texts == after.texts
    return Merged(output, dtype, len(pairs), float(largest), same / count, texts)


def _accept(merged: Merged, before: _Reading) -> None:
    scale = max(1.0, *(float(row.abs().max()) for row in before.logits))
    # Not `>`: a difference that is NaN is larger than any.
    if not merged.max_logit_difference <= _TOLERANCE[merged.dtype] * scale:
        raise refuse(
            "merge.differs",
            difference=f"{merged.max_logit_difference:.2e}",
            agreement=f"{merged.top1_agreement:.1%}",
        )
