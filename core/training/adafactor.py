"""Adafactor (Shazeer & Stern, 1804.04235): a second moment kept as one row and one column.

torch's own scales every step by the size of the weight and cannot be told not to, and
transformers' makes several copies of a gradient. This one takes absolute steps, as RL needs them:
the learning rate means what it means for Adam. No momentum, no relative step, no parameter scaling.
"""

from __future__ import annotations

import torch
from torch import Tensor

from core.training.rules import PIECE, Change, State, norms, total_norm

EPS = 1e-30
"""Added to squared gradients, as published: a row that never had a gradient divides by this."""

DECAY = -0.8
"""The second moment forgets with beta2 = 1 - step ** DECAY, so it needs no bias correction."""

CLIP = 1.0
"""An update is scaled down to this root mean square."""


class Adafactor:
    """Matrices keep n + m numbers, vectors as many as they have elements."""

    name = "adafactor"

    def __init__(self, weight_decay: float) -> None:
        self._decay = weight_decay

    def start(self, weight: Tensor) -> State:
        state: State = {"step": torch.tensor(0.0)}
        f32 = torch.float32
        if weight.dim() < 2:
            return state | {"square": weight.new_zeros(weight.shape, dtype=f32)}
        rows, columns = weight.numel() // weight.shape[-1], weight.shape[-1]
        return state | {
            "row": weight.new_zeros(rows, dtype=f32),
            "column": weight.new_zeros(columns, dtype=f32),
        }

    def plan(self, gradient: Tensor, state: State, rate: float) -> Change:
        """Turns `gradient` into the update in place (through one float32 copy when 16-bit)."""
        state["step"] += 1
        new = float(state["step"]) ** DECAY
        update = gradient.float()
        if "square" in state:
            state["square"].lerp_(update.square() + EPS, new)
            update.mul_(state["square"].rsqrt())
        else:
            matrix = update.view(-1, update.shape[-1])
            rows, columns = _mean_squares(matrix)
            state["row"].lerp_(rows + EPS, new)
            state["column"].lerp_(columns + EPS, new)
            # U = G / sqrt(R C / mean(R)), in two multiplications without a matrix R C.
            matrix.mul_((state["row"] / state["row"].mean()).rsqrt().unsqueeze(1))
            matrix.mul_(state["column"].rsqrt())
        flat = update.view(-1)
        root_mean_square = total_norm(norms(flat)) / max(1, flat.numel()) ** 0.5
        shrink = max(1.0, root_mean_square / CLIP)

        def change(piece: Tensor, start: int, stop: int) -> None:
            if self._decay:
                piece.mul_(1.0 - rate * self._decay)
            piece.add_(flat[start:stop], alpha=-rate / shrink)

        return change


def _mean_squares(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Mean squares along each row [n] and each column [m] of [n, m], some rows at a time."""
    rows = torch.empty(matrix.shape[0], device=matrix.device)
    columns = torch.zeros(matrix.shape[1], device=matrix.device)
    at_once = max(1, PIECE // matrix.shape[1])
    for start in range(0, matrix.shape[0], at_once):
        square = matrix[start : start + at_once].square()
        rows[start : start + at_once] = square.mean(1)
        columns += square.sum(0)
    return rows, columns / matrix.shape[0]
