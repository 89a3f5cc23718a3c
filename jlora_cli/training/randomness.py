"""The random numbers that are drawn next: kept, and put back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

from contextlib import contextmanager


def random_state() -> dict[str, torch.Tensor]:
    """Where torch's generators stand: the CPU's, and the GPU's where there is one."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def put_back(state: dict[str, torch.Tensor]) -> None:
    """Let the generators draw again what they drew after `random_state` gave `state`."""
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
    if "mps" in state and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])


@contextmanager
def undisturbed() -> Iterator[None]:
    """Whatever is drawn meanwhile, the generators stand afterwards where they stood."""
    state = random_state()
    try:
        yield
    finally:
        put_back(state)
