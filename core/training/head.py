"""The LM head by hand: log-probabilities of given tokens, and their gradient, in small chunks.

The logits of a round would be the largest tensor of all (tokens x vocabulary), so they exist for
one chunk at a time, and are turned in place into their own gradient. The weight's gradient is added
up where it belongs, without a second tensor of that size. Knows nothing of sequences or losses.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from core.schema import SamplingSection
from core.training import drawing

CHUNK_CELLS = 1 << 25
"""Most logits at a time: 128 MiB in float32."""
_BLOCK_CELLS = 1 << 21
"""Of these, so many are worked on at a time, which keeps temporaries small."""


@dataclass(frozen=True)
class Chunk:
    """n tokens. logps: (n,) nats. entropy: (n,) nats, of the whole distribution.

    probabilities: (n, V), for `backward`, which overwrites them; empty when not wanted.
    """

    hidden: Tensor
    targets: Tensor
    logps: Tensor
    entropy: Tensor
    probabilities: Tensor


def chunk_rows(vocabulary: int) -> int:
    """How many tokens fit into one chunk."""
    return max(1, CHUNK_CELLS // vocabulary)


@torch.no_grad()
def forward(
    head: torch.nn.Linear,
    hidden: Tensor,
    targets: Tensor,
    sampling: SamplingSection,
    *,
    keep: bool = True,
) -> Chunk:
    """Score `targets` (n,) after `hidden` (n, H), under the distribution that is sampled from.

    keep: hold on to the probabilities for `backward`.
    """
    scores = drawing.scores(
        torch.nn.functional.linear(hidden, head.weight, head.bias), sampling, keep=targets
    )
    chosen = scores.gather(1, targets[:, None])[:, 0]
    entropies, totals = [], []
    for block in scores.split(max(1, _BLOCK_CELLS // scores.shape[1])):
        total = block.logsumexp(-1)
        probabilities = (block - total[:, None]).exp_()
        entropies.append(total - torch.linalg.vecdot(probabilities, block))
        totals.append(total)
        if keep:
            block.copy_(probabilities)
    logps = chosen - torch.cat(totals)
    return Chunk(hidden, targets, logps, torch.cat(entropies), scores if keep else scores[:0])


@torch.no_grad()
def backward(
    head: torch.nn.Linear,
    chunk: Chunk,
    slope: Tensor,
    temperature: float,
    half: Tensor | None = None,
) -> Tensor:
    """The gradient (n, H) of the hidden states; that of the head is added up in `grad`.

    half: the head's weight in bfloat16, to multiply with instead.

    slope: (n,), the loss's derivative by each log-probability. The derivative of a log-probability
    by the scores is one at the chosen token, less the probabilities.
    """
    if temperature > 0:
        slope = slope / temperature
    gradient = chunk.probabilities.mul_(-slope[:, None])
    gradient.scatter_add_(1, chunk.targets[:, None], slope[:, None].to(gradient.dtype))
    gradient = gradient.to(head.weight.dtype)
    if head.weight.requires_grad:
        if head.weight.grad is None:
            head.weight.grad = torch.zeros_like(head.weight)
        # Never in bfloat16: its product would need a tensor of that size, which costs more time.
        head.weight.grad.addmm_(gradient.t(), chunk.hidden)
    if head.bias is not None and head.bias.requires_grad:
        bias = gradient.sum(0)
        head.bias.grad = bias if head.bias.grad is None else head.bias.grad + bias
    if half is not None:
        return (gradient.bfloat16() @ half).to(chunk.hidden.dtype)
    return gradient @ head.weight
