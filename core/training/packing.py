"""From rows to one flat, unpadded sequence for the model, and back.

A group's prompt stands once, its completions behind it, each without its last token, which
predicts nothing. What the trainer wants are the hidden states *before* each completion token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.training.layout import PackedLayout, Span
from core.training.rows import Row


@dataclass(frozen=True)
class Packed:
    """ids, positions: (N,), what the model is fed. targets: (M,), every completion token of every
    row, in the order of the rows. before: (M,), the place in 0..N-1 from which each is predicted.
    lengths: tokens of each row, adding up to M.
    """

    ids: Tensor
    positions: Tensor
    layout: PackedLayout
    targets: Tensor
    before: Tensor
    lengths: tuple[int, ...]


def pack(prompts: Sequence[Sequence[int]], rows: Sequence[Row], device: torch.device) -> Packed:
    """Pack rows of which those of one group are neighbours.

    ValueError for an empty prompt or completion: nothing would predict its first token.
    """
    ids: list[int] = []
    positions: list[int] = []
    targets: list[int] = []
    before: list[int] = []
    spans: list[Span] = []
    for group in _groups(rows):
        prompt = prompts[group[0].group]
        if not prompt or not all(row.ids for row in group):
            raise ValueError("a prompt or a completion has no tokens")
        start = len(ids)
        ids += prompt
        positions += range(len(prompt))
        for row in group:
            fed = len(row.ids) - 1
            before += [start + len(prompt) - 1, *range(len(ids), len(ids) + fed)]
            ids += row.ids[:fed]
            positions += range(len(prompt), len(prompt) + fed)
            targets += row.ids
        spans.append(Span(start, len(prompt), tuple(len(row.ids) - 1 for row in group)))
    return Packed(
        torch.tensor(ids, device=device),
        torch.tensor(positions, device=device),
        PackedLayout(spans, device),
        torch.tensor(targets, device=device),
        torch.tensor(before, device=device),
        tuple(len(row.ids) for row in rows),
    )


def packed_tokens(prompt: int, completions: Sequence[int]) -> int:
    """Tokens that a group costs: its prompt once, each completion less its last token."""
    return prompt + sum(completions) - len(completions)


def _groups(rows: Sequence[Row]) -> list[list[Row]]:
    groups: list[list[Row]] = []
    for row in rows:
        if not groups or groups[-1][0].group != row.group:
            groups.append([])
        groups[-1].append(row)
    return groups
