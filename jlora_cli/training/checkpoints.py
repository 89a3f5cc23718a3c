"""Checkpoints: written whole or not at all, found again by their manifest.

A checkpoint is a folder `step-000100` whose `manifest.json`, written last, holds the sha256 of
every file. It is made under another name and renamed, so that a killed run leaves either the
whole or nothing that `newest` would take.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from jlora_cli.errors import refuse
from jlora_cli.events import Warned
from jlora_cli.messages import say
from jlora_cli.model import adapter_state
from jlora_cli.run_folder import write_json
from jlora_cli.training.randomness import put_back, random_state

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from peft import PeftModel
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from jlora_cli.errors import JloraError
    from jlora_cli.events import Notify
    from jlora_cli.training.precision import Precision

MANIFEST = "manifest.json"
ADAPTER, STATE, PROGRESS = "adapter_model.safetensors", "optimizer.pt", "progress.json"
BEST = "best.safetensors"  # only where a run keeps its best adapter

# What a file that fits its manifest but was not written here can make the readers raise.
_UNREADABLE = (
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SafetensorError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
)


class Trained(NamedTuple):
    """What moves while a run goes on, and must be put back to go on from there."""

    adapted: PeftModel
    optimizer: Optimizer
    scheduler: LRScheduler
    precision: Precision


class Beside(NamedTuple):
    """What a checkpoint also holds.

    `best`: the tensors of the best adapter so far, where the run keeps one. `random`: where the
    generators of each of the run's processes stand, if it has more than this one.
    """

    best: dict[str, torch.Tensor] | None = None
    random: Sequence[dict[str, torch.Tensor]] = ()


def save(
    folder: Path,
    step: int,
    trained: Trained,
    progress: dict[str, Any],
    beside: Beside | None = None,
) -> Path:
    """Write the checkpoint of `step` under `folder`; returns its path.

    Raises:
        JloraError: it cannot be written; older checkpoints are untouched.
    """
    path = folder / f"step-{step:06d}"
    draft = folder / f".{path.name}.part"
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(parents=True)
        beside = beside or Beside()
        tensors = {ADAPTER: adapter_state(trained.adapted), BEST: beside.best}
        _write(draft, tensors, _state(trained, beside.random), {"step": step, **progress})
        shutil.rmtree(path, ignore_errors=True)
        draft.replace(path)
        _sync_folder(folder)
    except (OSError, RuntimeError, SafetensorError) as error:
        # torch and safetensors have their own words for a full disk.
        shutil.rmtree(draft, ignore_errors=True)
        raise refuse("checkpoint.cannot_save", path=path, problem=error) from error
    return path


def _write(
    draft: Path,
    tensors: dict[str, dict[str, torch.Tensor] | None],
    state: dict[str, Any],
    progress: dict[str, Any],
) -> None:
    for name, named in tensors.items():
        if named is not None:
            whole = {key: tensor.detach().cpu().contiguous() for key, tensor in named.items()}
            save_file(whole, draft / name)
    torch.save(state, draft / STATE)
    write_json(draft / PROGRESS, progress)
    for file in sorted(draft.iterdir()):
        _sync(file)
    write_json(draft / MANIFEST, {file.name: _sha256(file) for file in sorted(draft.iterdir())})


def _state(trained: Trained, random: Sequence[dict[str, torch.Tensor]]) -> dict[str, Any]:
    state = {
        "optimizer": trained.optimizer.state_dict(),
        "scheduler": trained.scheduler.state_dict(),
        "random": list(random) or [random_state()],
    }
    scaler = trained.precision.scaler
    return state if scaler is None else {**state, "scaler": scaler.state_dict()}


def keep_newest(folder: Path, count: int, *, step: int) -> None:
    """Delete all but the newest `count` checkpoints up to `step`, where the run now stands.

    Later ones can only be damaged ones that a resumed run went past.
    """
    reached = [path for number, path in _numbered(folder) if number <= step]
    for _, path in _numbered(folder):
        if path not in reached[-count:]:
            shutil.rmtree(path, ignore_errors=True)


def newest(folder: Path) -> tuple[Path | None, list[Path]]:
    """The newest checkpoint that is whole, and the damaged ones that are newer than it."""
    damaged: list[Path] = []
    for _, path in reversed(_numbered(folder)):
        if _is_whole(path):
            return path, damaged
        damaged.append(path)
    return None, damaged


def _numbered(folder: Path) -> list[tuple[int, Path]]:
    """(step, path) of every checkpoint, the oldest first."""
    matches = [(re.fullmatch(r"step-(\d+)", path.name), path) for path in folder.glob("step-*")]
    return sorted((int(match[1]), path) for match, path in matches if match)


def find_to_resume(run: Path, wanted: dict[str, Any], notify: Notify) -> Path:
    """The newest whole checkpoint of the run folder `run`; damaged ones are told and passed over.

    Raises:
        JloraError: there is none, or the run it belongs to is another than `wanted`.
    """
    path, damaged = newest(run / "checkpoints")
    for broken in damaged:
        notify(Warned(say("resume.damaged", path=broken)))
    if path is None:
        raise refuse("resume.nothing", path=run)
    check_same_run(read_progress(path)["identity"], wanted, path)
    return path


def read_progress(path: Path) -> dict[str, Any]:
    """What the checkpoint at `path` remembers besides tensors.

    Raises:
        JloraError: it was not written by jlora.
    """
    try:
        progress: dict[str, Any] = json.loads((path / PROGRESS).read_text(encoding="utf-8"))
        progress["identity"], progress["progress"]
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error
    return progress


def restore(path: Path, trained: Trained, *, rank: int = 0) -> dict[str, torch.Tensor] | None:
    """Put the state of the checkpoint at `path` back; returns the best adapter, if it has one.

    `rank` is this process's among those of the run. Nothing is unpickled but tensors and plain
    values.

    Raises:
        JloraError: it was not written by jlora, or for another adapter or optimizer.
    """
    from peft import set_peft_model_state_dict  # noqa: PLC0415

    try:
        set_peft_model_state_dict(trained.adapted, load_file(path / ADAPTER))
        state = torch.load(path / STATE, weights_only=True, map_location="cpu")
        trained.optimizer.load_state_dict(state["optimizer"])
        trained.scheduler.load_state_dict(state["scheduler"])
        scaler = trained.precision.scaler
        if scaler is not None and "scaler" in state:
            scaler.load_state_dict(state["scaler"])
        best = load_file(path / BEST) if (path / BEST).is_file() else None
        # Last, because everything before it may draw random numbers.
        put_back(state["random"][rank])
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error
    return best


def _unreadable(path: Path, error: Exception) -> JloraError:
    text = str(error).strip() or type(error).__name__
    return refuse("resume.unreadable", path=path, problem=text.splitlines()[0])


def check_same_run(saved: dict[str, Any], wanted: dict[str, Any], path: Path) -> None:
    """Refuse to resume a run whose data, base or settings have changed.

    Raises:
        JloraError: names what differs.
    """
    differing = [
        f"{name} {_short(saved.get(name))} → {_short(value)}"
        for name, value in wanted.items()
        if saved.get(name) != value
    ]
    if differing:
        raise refuse("resume.differs", path=path, names=", ".join(differing))


def _short(value: object) -> str:
    """A setting's value; of a fingerprint its first digits."""
    text = "/".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text[:8] if len(text) == _SHA256_DIGITS else text


_SHA256_DIGITS = 64


def _is_whole(path: Path) -> bool:
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        named = {ADAPTER, STATE, PROGRESS} <= manifest.keys()
        return named and all(_sha256(path / n) == digest for n, digest in manifest.items())
    except (OSError, ValueError, AttributeError):
        return False


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    for chunk in _chunks(path):
        digest.update(chunk)
    return digest.hexdigest()


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            yield chunk


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    """Make a rename last; Windows opens no folders, and has nothing like it."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
