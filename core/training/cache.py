"""The KV cache of the sampler: transformers' own, with room to grow for full-attention layers.

`DynamicLayer` copies the whole cache for every token; `RoomyLayer` writes into space reserved once.
Layers that are not plain full attention (sliding windows) keep the class of transformers.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer


class RoomyLayer(DynamicLayer):
    """A DynamicLayer whose `keys` and `values` are views of a buffer with `room` spare columns.

    For inference only: it writes in place, which autograd must not see.
    """

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room = room
        self._length = 0
        self._buffers: tuple[Tensor, Tensor] | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        if self._length == 0:
            # The prompt: kept as it is, it is repeated or selected before anything is added.
            self.keys, self.values = key_states, value_states
            self._length = key_states.shape[-2]
            return self.keys, self.values
        if self._buffers is None:
            keys, values = self.keys, self.values
            assert keys is not None
            assert values is not None
            self._buffers = (self._spacious(keys), self._spacious(values))
        end = self._length + key_states.shape[-2]
        keys, values = self._buffers
        keys[:, :, self._length : end] = key_states
        values[:, :, self._length : end] = value_states
        self._length = end
        self.keys, self.values = keys[:, :, :end], values[:, :, :end]
        return self.keys, self.values

    def batch_repeat_interleave(self, repeats: int) -> None:
        super().batch_repeat_interleave(repeats)
        self._buffers = None

    def batch_select_indices(self, indices: Tensor) -> None:
        if self._buffers is None:
            super().batch_select_indices(indices)
            return
        keys, values = self._buffers
        self._buffers = (keys.index_select(0, indices), values.index_select(0, indices))
        self.keys = self._buffers[0][:, :, : self._length]
        self.values = self._buffers[1][:, :, : self._length]

    def _spacious(self, states: Tensor) -> Tensor:
        batch, heads, length, size = states.shape
        buffer = states.new_empty(batch, heads, length + self._room, size)
        buffer[:, :, :length] = states
        return buffer


def new_cache(model: Any, room: int = 0) -> DynamicCache:
    """An empty cache for `model`, with `room` columns reserved for tokens after the prompt.

    room 0: transformers' own cache, through which gradients flow.
    """
    cache = DynamicCache(config=model.config)
    if room:
        cache.layers = [
            RoomyLayer(room) if type(layer) is DynamicLayer else layer for layer in cache.layers
        ]
    return cache
