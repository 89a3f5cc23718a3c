"""Keys and values of the tokens so far, with room kept ahead, and cut back where turns differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig

_ROOM = 256


class RoomyLayer(DynamicLayer):  # type: ignore[misc]
    """A layer of a cache that writes new tokens behind the old ones, into room kept for them.

    transformers' own copies everything at every token (`torch.cat`). `keys` and `values` are views
    of the tokens so far: (batch, heads, tokens, width of a head).
    """

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Take the keys and values of new tokens; all of them so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self._key_room, self._value_room = key_states[:, :, :0], value_states[:, :, :0]
        begin = self.get_seq_length()
        end = begin + key_states.shape[2]
        if end > self._key_room.shape[2]:
            self._key_room = _larger(self._key_room, begin, end)
            self._value_room = _larger(self._value_room, begin, end)
        self._key_room[:, :, begin:end] = key_states
        self._value_room[:, :, begin:end] = value_states
        self.cut_back(end)
        return self.keys, self.values

    def cut_back(self, length: int) -> None:
        """Hold the first `length` tokens only."""
        self.keys, self.values = self._key_room[:, :, :length], self._value_room[:, :, :length]


def _larger(room: torch.Tensor, used: int, needed: int) -> torch.Tensor:
    """`room` with its first `used` tokens in a copy twice as long, and `needed` at least."""
    batch, heads, length, width = room.shape
    wanted = max(needed + _ROOM, 2 * length)
    made = room.new_empty(batch, heads, wanted, width)
    made[:, :, :used] = room[:, :, :used]
    return made


def new_cache(config: PretrainedConfig) -> DynamicCache:
    """An empty cache for a model of this architecture."""
    cache = DynamicCache(config=config)
    cache.layers = [RoomyLayer() if type(each) is DynamicLayer else each for each in cache.layers]
    return cache


def cut_back(cache: DynamicCache, length: int) -> bool:
    """Whether `cache` could be brought to hold its first `length` tokens only.

    A sliding window that was full has forgotten what it would need, and layers that keep a state
    in place of tokens cannot go back either. An answer that was interrupted leaves layers of
    different lengths: each is cut for itself.
    """
    # Layers that keep a state alone do not say whether they have one.
    layers = [layer for layer in cache.layers if getattr(layer, "is_initialized", True)]
    if not all(isinstance(each, RoomyLayer) or _still_whole(each) for each in layers):
        return False
    for layer in layers:
        if isinstance(layer, RoomyLayer):
            layer.cut_back(length)
        else:
            layer.crop(length - layer.get_seq_length())
    return True


def _still_whole(layer: Any) -> bool:
    """Whether a layer with a sliding window still holds every token that it was given."""
    if not isinstance(layer, DynamicSlidingWindowLayer):
        return False
    held = {layer.get_seq_length(), layer.keys.shape[2], layer.values.shape[2]}
    return len(held) == 1 and layer.get_seq_length() < layer.sliding_window
