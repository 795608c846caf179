"""What every update rule has in common, and the plainest of them: AdamW.

A rule owns the state of one weight and says how a gradient changes it, a piece at a time, so that
no temporary is larger than a piece. It knows neither clipping, nor schedules, nor other weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import torch
from torch import Tensor
from torch.optim.adamw import adamw

State = dict[str, Tensor]
Change = Callable[[Tensor, int, int], None]
"""change(piece, start, stop): updates weight[start:stop], given flat, in place."""

PIECE = 1 << 19
"""Elements worked on at once on a CPU: fits caches, and threads seldom wait for one another."""

GPU_PIECE = 1 << 24
"""The same elsewhere, where starting a kernel costs more than memory traffic."""

BETAS = (0.9, 0.999)
EPS = 1e-8


class Rule(Protocol):
    name: str
    """Names the rule's tensors in a checkpoint."""

    def start(self, weight: Tensor) -> State:
        """The state before the first step: `step`, a scalar on the CPU, and the rule's own."""

    def plan(self, gradient: Tensor, state: State, rate: float) -> Change:
        """Count a step; what it does to the weight. May use up `gradient` (float32 or 16-bit)."""


def pieces(tensor: Tensor) -> Iterator[tuple[int, int]]:
    """Bounds of the pieces of a flattened tensor, in order."""
    size = PIECE if tensor.device.type == "cpu" else GPU_PIECE
    for start in range(0, tensor.numel(), size):
        yield start, min(start + size, tensor.numel())


def norms(tensor: Tensor) -> list[Tensor]:
    """The 2-norms of the pieces, float32 scalars: float32 sums over a whole embedding drift."""
    flat = tensor.view(-1)
    return [torch.linalg.vector_norm(flat[a:b].float()) for a, b in pieces(flat)]


def total_norm(parts: list[Tensor]) -> float:
    """The 2-norm of everything, from the 2-norms of its parts."""
    if not parts:
        return 0.0
    return float(torch.linalg.vector_norm(torch.stack(parts).cpu().double()))


class AdamW:
    """Adam with decoupled weight decay (Loshchilov & Hutter, 1711.05101), torch's fused kernel."""

    name = "adam"

    def __init__(self, weight_decay: float) -> None:
        self._decay = weight_decay

    def start(self, weight: Tensor) -> State:
        """Two float32 moments: 8 bytes per weight."""
        return {
            "step": torch.tensor(0.0),
            "exp_avg": torch.zeros_like(weight, dtype=torch.float32),
            "exp_avg_sq": torch.zeros_like(weight, dtype=torch.float32),
        }

    def plan(self, gradient: Tensor, state: State, rate: float) -> Change:
        before = state["step"].clone()
        state["step"] += 1
        flat, mean, square = (t.view(-1) for t in (gradient, state["exp_avg"], state["exp_avg_sq"]))

        def change(piece: Tensor, start: int, stop: int) -> None:
            adamw(
                [piece],
                [flat[start:stop].float()],
                [mean[start:stop]],
                [square[start:stop]],
                [],
                [before.to(piece.device, copy=True)],
                fused=True,
                amsgrad=False,
                beta1=BETAS[0],
                beta2=BETAS[1],
                lr=rate,
                weight_decay=self._decay,
                eps=EPS,
                maximize=False,
            )

        return change
