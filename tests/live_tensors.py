"""Counts what a step keeps and how much lives at once: bytes of tensors, no timing, no process."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedModel


def storages_of(model: PreTrainedModel) -> set[int]:
    tensors = [*model.parameters(), *model.buffers()]
    return {tensor.untyped_storage()._cdata for tensor in tensors}


def kept_bytes(model: PreTrainedModel, loss: Callable[[], torch.Tensor]) -> int:
    """Bytes of all tensors that the forward pass keeps for the backward pass, each once."""
    own, kept = storages_of(model), {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        made = loss()
    assert made.requires_grad
    return sum(storage.nbytes() for storage in kept.values())


class LiveTensors(TorchDispatchMode):
    """Follows every tensor from its making to its end; `peak` is the most bytes at once."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known = storages_of(model)

    def __torch_dispatch__(self, function, types, args=(), kwargs=None) -> Any:
        result = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self._follow(leaf.untyped_storage())
        return result

    def _follow(self, storage: torch.UntypedStorage) -> None:
        place, size = storage._cdata, storage.nbytes()
        if place in self._known:
            return
        self._known.add(place)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._end, place, size)

    def _end(self, place: int, size: int) -> None:
        self._known.discard(place)
        self.now -= size
