"""Attention while completions are sampled: each prompt's keys and values are kept once.

Rows of a group look at their prompt together, as one matrix product, and at their own tokens each
(bifurcated attention, arXiv 2403.08845). All rows are as long as one another, so nothing of their
own is padded. For inference only. Knows nothing of tokens or probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


class PrefillLayout:
    """Prompts one behind the other in a flat row; keeps their keys and values by layer."""

    def __init__(self, lengths: Sequence[int], device: torch.device) -> None:
        self.lengths = torch.tensor(list(lengths), device=device)
        self.keys: dict[int, Tensor] = {}
        self.values: dict[int, Tensor] = {}
        width = max(lengths)
        columns = torch.arange(width, device=device)
        self.real = columns < self.lengths[:, None]
        """(P, L): which places of the padded prompts hold a token."""
        starts = self.lengths.cumsum(0) - self.lengths
        self._places = torch.where(self.real, starts[:, None] + columns, 0).flatten()
        self._flat = self.real.flatten().nonzero()[:, 0]

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        query, key, value = (
            x[0].index_select(1, self._places).unflatten(1, tuple(self.real.shape)).transpose(0, 1)
            for x in (query, key, value)
        )
        self.keys[layer], self.values[layer] = key.contiguous(), value.contiguous()
        out = functional.scaled_dot_product_attention(
            query, key, value, is_causal=True, scale=scale, enable_gqa=True
        )
        return out.transpose(1, 2).flatten(0, 1).index_select(0, self._flat)[None]


class DecodeLayout:
    """One new token per row, behind prompts that were prefilled. `advance` after each forward.

    groups: for each row, which prompt it continues; ascending. room: most tokens per row.
    """

    def __init__(self, prefilled: PrefillLayout, groups: Tensor, room: int) -> None:
        self._prompts = prefilled
        self._room = room
        self._length = 0
        self._keys: dict[int, Tensor] = {}
        self._values: dict[int, Tensor] = {}
        self._arrange(groups)

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        rows, heads, _, size = query.shape
        kv_heads = key.shape[1]
        end = self._length + 1
        if layer not in self._keys:
            self._keys[layer] = key.new_empty(rows, kv_heads, self._room, size)
            self._values[layer] = value.new_empty(rows, kv_heads, self._room, size)
        self._keys[layer][:, :, end - 1 : end] = key
        self._values[layer][:, :, end - 1 : end] = value
        own_keys = self._keys[layer][:, :, :end]
        own_values = self._values[layer][:, :, :end]
        prompt_keys, prompt_values = self._of_prompts(layer)

        query = (query * scale).view(rows, kv_heads, heads // kv_heads, size)
        far = self._together(query) @ prompt_keys.transpose(-1, -2)
        if self._padding is not None:
            far = far + self._padding.to(far.dtype)
        near = query @ own_keys.transpose(-1, -2)
        width = far.shape[-1]
        weights = torch.cat([self._apart(far, rows), near], dim=-1)
        weights = weights.softmax(-1, dtype=torch.float32).to(value.dtype)
        out = weights[..., width:] @ own_values
        out += self._apart(self._together(weights[..., :width]) @ prompt_values, rows)
        return out.reshape(rows, 1, heads, size)

    def advance(self) -> None:
        """The token that was fed belongs to the rows from now on."""
        self._length += 1

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows only, ascending; prompts without a row are forgotten."""
        for layer in self._keys:
            self._keys[layer] = self._keys[layer].index_select(0, rows)
            self._values[layer] = self._values[layer].index_select(0, rows)
        self._arrange(self._groups[rows])

    def _arrange(self, groups: Tensor) -> None:
        """Rows as a grid of prompts by slots; a slot without a row repeats the first row."""
        self._groups = groups
        prompts, counts = torch.unique_consecutive(groups, return_counts=True)
        self._shape = (len(prompts), int(counts.max()))
        starts = counts.cumsum(0) - counts
        slots = torch.arange(self._shape[1], device=groups.device)
        grid = torch.where(slots < counts[:, None], starts[:, None] + slots, 0)
        full = bool((counts == self._shape[1]).all())
        self._grid = None if full else grid.flatten()
        place = torch.repeat_interleave(torch.arange(len(prompts), device=groups.device), counts)
        self._places = place * self._shape[1] + (
            torch.arange(len(groups), device=groups.device) - starts[place]
        )
        self._some = None if len(prompts) == len(self._prompts.lengths) else prompts
        self._selected: dict[int, tuple[Tensor, Tensor]] = {}
        real = self._prompts.real if self._some is None else self._prompts.real[prompts]
        self._padding = None
        if not bool(real.all()):
            hidden = torch.zeros(real.shape, device=real.device).masked_fill_(~real, float("-inf"))
            self._padding = hidden[:, None, None, :]

    def _of_prompts(self, layer: int) -> tuple[Tensor, Tensor]:
        keys, values = self._prompts.keys[layer], self._prompts.values[layer]
        if self._some is None:
            return keys, values
        if layer not in self._selected:
            self._selected[layer] = (
                keys.index_select(0, self._some),
                values.index_select(0, self._some),
            )
        return self._selected[layer]

    def _together(self, rows: Tensor) -> Tensor:
        """(R, kv_heads, n, X) by row to (P, kv_heads, slots * n, X) by prompt."""
        grid = rows if self._grid is None else rows.index_select(0, self._grid)
        return grid.unflatten(0, self._shape).transpose(1, 2).flatten(2, 3)

    def _apart(self, prompts: Tensor, rows: int) -> Tensor:
        """The inverse of `_together`."""
        slots = self._shape[1]
        grid = prompts.unflatten(2, (slots, -1)).transpose(1, 2).flatten(0, 1)
        return grid if self._grid is None else grid.index_select(0, self._places)
