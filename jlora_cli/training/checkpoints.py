"""Checkpoints: written whole or not at all, found again by their manifest.

A checkpoint is a folder `step-000100` whose `manifest.json`, written last, holds the sha256 of
every file. It is made under another name and renamed, so that a killed run leaves either the
whole or nothing that `newest` would take.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file

from jlora_cli.errors import refuse
from jlora_cli.model import adapter_state
from jlora_cli.run_folder import write_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from peft import PeftModel
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

MANIFEST = "manifest.json"


class Trained(NamedTuple):
    """What moves while a run goes on, and must be put back to go on from there."""

    adapted: PeftModel
    optimizer: Optimizer
    scheduler: LRScheduler


def save(folder: Path, step: int, trained: Trained, progress: dict[str, Any]) -> Path:
    """Write the checkpoint of `step` under `folder`; returns its path."""
    path = folder / f"step-{step:06d}"
    draft = folder / f".{path.name}.part"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    state = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in adapter_state(trained.adapted).items()
    }
    save_file(state, draft / "adapter_model.safetensors")
    random = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        random["cuda"] = torch.cuda.get_rng_state()
    torch.save(
        {
            "optimizer": trained.optimizer.state_dict(),
            "scheduler": trained.scheduler.state_dict(),
            "random": random,
        },
        draft / "optimizer.pt",
    )
    write_json(draft / "progress.json", {"step": step, **progress})
    write_json(draft / MANIFEST, {file.name: _sha256(file) for file in sorted(draft.iterdir())})
    for file in draft.iterdir():
        _sync(file)
    shutil.rmtree(path, ignore_errors=True)
    draft.replace(path)
    return path


def keep_newest(folder: Path, count: int) -> None:
    """Delete all but the newest `count` checkpoints."""
    for path in sorted(folder.glob("step-*"))[:-count]:
        shutil.rmtree(path)


def newest(folder: Path) -> tuple[Path | None, list[Path]]:
    """The newest checkpoint that is whole, and the damaged ones that are newer than it."""
    damaged: list[Path] = []
    for path in sorted(folder.glob("step-*"), reverse=True):
        if _is_whole(path):
            return path, damaged
        damaged.append(path)
    return None, damaged


def restore(path: Path, trained: Trained) -> dict[str, Any]:
    """Put the state of the checkpoint at `path` back; returns its progress.

    Nothing in it is unpickled but tensors and plain values.
    """
    from peft import set_peft_model_state_dict  # noqa: PLC0415

    set_peft_model_state_dict(trained.adapted, load_file(path / "adapter_model.safetensors"))
    state = torch.load(path / "optimizer.pt", weights_only=True, map_location="cpu")
    trained.optimizer.load_state_dict(state["optimizer"])
    trained.scheduler.load_state_dict(state["scheduler"])
    torch.set_rng_state(state["random"]["cpu"])
    if "cuda" in state["random"] and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["random"]["cuda"])
    progress: dict[str, Any] = json.loads((path / "progress.json").read_text(encoding="utf-8"))
    return progress


def check_same_run(progress: dict[str, Any], wanted: dict[str, Any], path: Path) -> None:
    """Refuse to resume a run whose data, base or settings have changed.

    Raises:
        JloraError: names what differs.
    """
    differing = [name for name, value in wanted.items() if progress.get(name) != value]
    if differing:
        raise refuse("resume.differs", path=path, names=", ".join(differing))


def _is_whole(path: Path) -> bool:
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        return bool(manifest) and all(_sha256(path / n) == digest for n, digest in manifest.items())
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
