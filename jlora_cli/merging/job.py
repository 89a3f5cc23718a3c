"""The order of a merge: checked, read, written beside its place, compared, and only then named."""

from __future__ import annotations

import gc
import math
import platform
import shutil
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from jlora_cli.drafts import draft_for, forget_draft, put_in_place
from jlora_cli.errors import refuse
from jlora_cli.events import Notify, Stage, Warned, ignore
from jlora_cli.hub import find_model
from jlora_cli.machine.system import read_memory
from jlora_cli.merging.changes import read_changes
from jlora_cli.merging.folder import write_description, write_settings
from jlora_cli.merging.questions import questions_for
from jlora_cli.merging.shards import main_dtype, shard_tensors, shards_of, write_shards
from jlora_cli.messages import say
from jlora_cli.run_folder import in_use, write_json
from jlora_cli.weights import check_base, trained_elsewhere

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jlora_cli.merging.changes import Change, Replacement
    from jlora_cli.merging.questions import Origin, Question
    from jlora_cli.merging.verify import Comparison
    from jlora_cli.run_folder import Artifact


DRAFT = "part"


@dataclass(frozen=True)
class Merged:
    """What was written, and how it compares with base + adapter; None where it was not compared.

    as_trained: the figures against the adapter on the base as it was quantised in its training;
    asked: where the prompts come from; unchecked: what no file told, in sentences.
    """

    output: str
    dtype: str
    prompts: int = 0
    max_logit_difference: float | None = None
    top1_agreement: float | None = None
    same_greedy_text: bool | None = None
    verify: str = "off"
    asked: Origin | None = None
    as_trained: dict[str, object] | None = None
    unchecked: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        return {**asdict(self), "unchecked": list(self.unchecked)}


@dataclass(frozen=True)
class Terms:
    """How to merge.

    dtype: of the weights that are written, the base's own where nothing is said; verify: "full"
    asks every validation prompt of the run, "sample" eight, "off" none; prompts: asked instead.
    """

    dtype: str | None = None
    verify: str = "sample"
    prompts: Sequence[str] = ()


@dataclass(frozen=True)
class _Job:
    """What is merged: the base's files and what the adapter does to them."""

    artifact: Artifact
    base: Path
    shards: list[Path]
    changes: dict[str, Change | Replacement]
    numbers: int
    stored: str
    terms: Terms

    @property
    def written(self) -> str:
        """The precision of the weights as they are written."""
        return self.terms.dtype or self.stored


def merge(
    artifact: Artifact, output: Path, terms: Terms | None = None, notify: Notify = ignore
) -> Merged:
    """Merge `artifact` into a model folder at `output` and compare it with base + adapter.

    Raises:
        JloraError: no adapter, one without effect, of another base or with bad tensors, an output
            in use, or a merged model that does not answer the same.
    """
    if artifact.adapter is None:
        raise refuse("merge.no_adapter", source=artifact.base)
    forget_draft(output, DRAFT)
    if in_use(output):
        raise refuse("merge.output_in_use", path=output)
    base = find_model(artifact.base, what="weights")
    unchecked = _check_base(artifact, artifact.adapter, base)
    for sentence in unchecked:
        notify(Warned(sentence))
    job = _job(artifact, artifact.adapter, base, terms or Terms())
    draft = draft_for(output, DRAFT)
    try:
        draft.mkdir(parents=True)
        made = replace(_merge_into(draft, job, notify), output=str(output), unchecked=unchecked)
        write_json(draft / "verification.json", made.as_json())
        put_in_place(draft, output, last="config.json")
    except (OSError, SafetensorError) as error:
        raise refuse("source.cannot_write", path=output, problem=error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return made


def _check_base(artifact: Artifact, adapter: Path, base: Path) -> tuple[str, ...]:
    """Refuse a base that the adapter cannot be merged into; what could not be checked."""
    if "quantization_config" in check_base(base):
        raise refuse("merge.quantized_base", base=base)
    if artifact.card is None:
        return (say("merge.unchecked", path=adapter, base=artifact.base),)
    if trained_elsewhere(artifact, base):
        raise refuse("merge.other_base", path=adapter, base=base)
    return ()


def _job(artifact: Artifact, adapter: Path, base: Path, terms: Terms) -> _Job:
    shards = shards_of(base)
    tensors = shard_tensors(shards)
    shapes = {name: shape for name, (shape, _) in tensors.items()}
    changes = read_changes(adapter, check_base(base), shapes)
    numbers = sum(math.prod(shape) for shape in shapes.values())
    return _Job(artifact, base, shards, changes, numbers, main_dtype(tensors), terms)


def _merge_into(draft: Path, job: _Job, notify: Notify) -> Merged:
    """Write the model into `draft` and compare it, if that was asked for."""
    terms, artifact = job.terms, job.artifact
    questions, asked = questions_for(
        artifact.run, given=terms.prompts, every=terms.verify == "full"
    )
    if terms.verify == "off":
        _write(draft, job, questions, notify)
        return Merged(str(draft), job.written)
    # transformers and peft take ten times as long to load as a small adapter to merge.
    from jlora_cli.merging import verify  # noqa: PLC0415

    _warn_of_memory(job.numbers, notify)
    readings = draft / ".readings"
    notify(Stage("merge.stage.reading", {"count": len(questions)}))
    before, fitting = verify.read_adapted(artifact, questions, readings)
    trained = verify.read_as_trained(artifact, fitting, before, notify)
    _write(draft, job, questions, notify)
    notify(Stage("merge.stage.verifying", {}))
    after = verify.read_merged(artifact, draft, fitting, before)
    found = verify.compare(before, after)
    verify.accept(found, before, job.written)
    as_trained = _as_trained(artifact, verify.compare(trained, after)) if trained else None
    shutil.rmtree(readings)
    return Merged(
        str(draft),
        job.written,
        prompts=len(fitting),
        **asdict(found),
        verify=terms.verify,
        asked=asked,
        as_trained=as_trained,
    )


def _warn_of_memory(numbers: int, notify: Notify) -> None:
    """Say so where a model in float32 takes more memory than is free: the system may end jlora."""
    need, free = 4 * numbers / 2**30, read_memory(platform.system())[1]
    if free and need > free:
        notify(Warned(say("merge.memory", need=f"{need:.0f}", free=f"{free:.0f}")))


def _as_trained(artifact: Artifact, found: Comparison) -> dict[str, object]:
    quantization = (artifact.card or {})["training"]["quantization"]
    return {"quantization": quantization, **found.as_json()}


def _write(draft: Path, job: _Job, questions: Sequence[Question], notify: Notify) -> None:
    gc.collect()  # of the models that were asked, nobody names one any more
    notify(Stage("merge.stage.merging", {"dtype": job.written}))
    write_shards(job.shards, draft, job.changes, job.terms.dtype)
    write_settings(job.base, draft, job.terms.dtype)
    texts = [question.messages[-1].content for question in questions]
    write_description(job.artifact, job.base, draft, texts, notify)
