"""Padded tensors from lists of token ids, and their prefill. Padding never shifts a position.

Prompts are padded on the left, so that every completion begins in the same column; completions on
the right. Position ids count real tokens only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Prompts:
    """ids, mask, positions: (P, L), left-padded. lengths: (P,), real tokens."""

    ids: Tensor
    mask: Tensor
    positions: Tensor
    lengths: Tensor


def pad_prompts(prompts: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> Prompts:
    """ValueError for an empty prompt: its first completion token would have no predecessor."""
    if not prompts or not all(prompts):
        raise ValueError("a prompt has no tokens")
    width = max(map(len, prompts))
    ids = torch.tensor([[pad_id] * (width - len(p)) + list(p) for p in prompts], device=device)
    lengths = torch.tensor([len(p) for p in prompts], device=device)
    columns = torch.arange(width, device=device)
    mask = (columns >= width - lengths[:, None]).long()
    positions = (columns - (width - lengths[:, None])).clamp(min=0)
    return Prompts(ids, mask, positions, lengths)


def pad_right(
    rows: Sequence[Sequence[float]], value: float, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """(B, T) with T the longest row, at least 1."""
    width = max(1, max(map(len, rows)))
    padded = [[*row, *([value] * (width - len(row)))] for row in rows]
    return torch.tensor(padded, dtype=dtype, device=device)


def prefill(model: Any, padded: Prompts, cache: Any) -> Tensor:
    """Logits (B, 1, V) of the token after each prompt; `cache` holds the prompts afterwards.

    Sampler and trainer both begin here, so that their log-probabilities agree.
    """
    logits: Tensor = model(
        input_ids=padded.ids,
        attention_mask=padded.mask,
        position_ids=padded.positions,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    ).logits
    return logits
