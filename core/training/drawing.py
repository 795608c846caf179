"""From logits to the distribution that tokens are drawn from, and the draw itself.

Temperature, then top-k, top-p and min-p. Sampler and trainer share it: what is trained is the
log-probability under the very distribution that was sampled. Knows no model.
"""

from __future__ import annotations

import torch
from torch import Tensor

from core.schema import SamplingSection

IMPOSSIBLE = -1e30
"""The score of a token that is filtered out: finite, so that 0 times it is 0."""
_LEAST_BLOCK, _MOST_BLOCK = 32, 1024


def filters(sampling: SamplingSection) -> bool:
    """Whether some tokens are left out at all."""
    return bool(sampling.top_k) or sampling.top_p < 1.0 or sampling.min_p > 0.0


def scores(logits: Tensor, sampling: SamplingSection, keep: Tensor | None = None) -> Tensor:
    """Unnormalised log-probabilities (B, V), float32; `logits` may be overwritten.

    keep: (B,) tokens that stay, whatever the filters say: they were drawn, and a filter's edge
    moves with rounding. Temperature 0 leaves the logits unscaled: only their order matters then.
    """
    out = logits.float()
    if sampling.temperature > 0 and sampling.temperature != 1.0:
        out = out.div_(sampling.temperature)
    if not filters(sampling):
        return out
    kept = None if keep is None else out.gather(1, keep[:, None])
    if 0 < sampling.top_k < out.shape[-1]:
        least = out.topk(sampling.top_k, dim=-1).values[:, -1:]
        out = out.masked_fill(out < least, IMPOSSIBLE)
    if sampling.top_p < 1.0:
        ordered, order = out.sort(dim=-1, descending=True)
        shares = ordered.softmax(-1)
        before = shares.cumsum(-1) - shares
        dropped = torch.zeros_like(out, dtype=torch.bool)
        dropped.scatter_(1, order, before >= sampling.top_p)
        out = out.masked_fill(dropped, IMPOSSIBLE)
    if sampling.min_p > 0.0:
        shares = out.softmax(-1)
        least = shares.amax(-1, keepdim=True) * sampling.min_p
        out = out.masked_fill(shares < least, IMPOSSIBLE)
    if keep is not None and kept is not None:
        out = out.scatter(1, keep[:, None], kept)
    return out


def draw(scores: Tensor, chances: Tensor) -> tuple[Tensor, Tensor]:
    """One token per row by the inverse of the cumulative distribution, and its log-probability.

    scores: (B, V), not normalised, overwritten. chances: (B,), uniform in [0, 1). The sum over the
    vocabulary is taken in blocks: first the block is found, then the token in it. A token of
    probability 0 is never drawn, since the sum does not grow there.
    """
    rows, vocabulary = scores.shape
    weights = scores.sub_(scores.amax(-1, keepdim=True)).exp_()
    size = _block(vocabulary)
    blocks = weights.view(rows, vocabulary // size, size)
    precision = _precision(scores.device)
    sums = blocks.sum(-1, dtype=precision if size == 1 else None).to(precision).cumsum(-1)
    total = sums[:, -1:]
    target = chances[:, None] * total
    block = _first_above(sums, target)
    before = torch.where(block > 0, sums.gather(1, (block - 1).clamp_(min=0)), 0.0)
    inside = blocks.gather(1, block[:, :, None].expand(-1, -1, size))[:, 0]
    within = inside.cumsum(-1, dtype=precision)
    # Rounding may put the target a hair behind the block's last weight: then its last token.
    place = _first_above(within, (target - before).minimum(within[:, -1:] * (1 - 1e-7)))
    chosen = block * size + place
    chance = inside.gather(1, place).to(precision) / total
    return chosen[:, 0], chance.log()[:, 0].float()


def greedy(scores: Tensor) -> tuple[Tensor, Tensor]:
    """The likeliest token of each row, and its log-probability."""
    best, chosen = scores.max(-1)
    return chosen, best - scores.logsumexp(-1)


def _first_above(sums: Tensor, target: Tensor) -> Tensor:
    """(B, 1): the first place of each ascending row whose sum is greater than the target."""
    return torch.searchsorted(sums, target, right=True).clamp_(max=sums.shape[-1] - 1)


def _block(vocabulary: int) -> int:
    """A divisor of the vocabulary's size near its square root, or 1 when there is none."""
    for size in range(_MOST_BLOCK, _LEAST_BLOCK - 1, -1):
        if vocabulary % size == 0 and size * size <= 8 * vocabulary:
            return size
    return 1


def _precision(device: torch.device) -> torch.dtype:
    """Of sums over the vocabulary: double, but Apple's GPUs have none."""
    return torch.float32 if device.type == "mps" else torch.float64
