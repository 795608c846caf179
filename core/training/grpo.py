"""Group-relative policy optimisation as pure functions: advantages, weights and losses.

GRPO (DeepSeekMath, arXiv 2402.03300), DAPO's token-level loss and asymmetric clip (2503.14476) and
Dr. GRPO's constant normaliser (2503.20783), equal to TRL 1.16's `loss_type` of the same names.
Tensors in, tensors out: no model, no tokenizer, no configuration.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

STD_FLOOR = 1e-4
"""Added to the standard deviation that advantages are divided by, as TRL does."""
NO_SPREAD = 1e-6
"""Rewards of a group closer together than this count as equal: their rounding is not a signal."""


def advantages(groups: Sequence[Sequence[float]], scale: str) -> list[Tensor]:
    """Advantage of each completion of each group, float32.

    Reward minus the group's mean, divided by the standard deviation (Bessel-corrected) of the
    `group`, of the whole `batch`, or by nothing (`none`). A group without spread gets zeros.
    """
    rewards = [torch.tensor(list(group), dtype=torch.float32) for group in groups]
    everything = torch.cat(rewards) if rewards else torch.zeros(0)
    batch_std = everything.std() if everything.numel() > 1 else torch.zeros(())
    result = []
    for reward in rewards:
        if reward.numel() < 2 or float(reward.max() - reward.min()) <= NO_SPREAD:
            result.append(torch.zeros_like(reward))
            continue
        centred = reward - reward.mean()
        if scale == "group":
            centred = centred / (reward.std() + STD_FLOOR)
        elif scale == "batch":
            centred = centred / (batch_std + STD_FLOOR)
        elif scale != "none":
            raise ValueError(f"unknown scale_rewards: {scale!r}")
        result.append(centred)
    return result


def foreign_weight(advantage: float, local_mean: float, claimed: Sequence[float]) -> float:
    """Weight of a peer's completion in the loss, in [0, 1].

    A push towards it (advantage >= 0) counts fully. A push away from it counts as much as the
    local policy would still write it: exp(mean log-probability here - mean claimed by the peer),
    truncated to [0, 1] (TOPR, arXiv 2503.14286), and not at all when the peer claimed none, or
    nonsense: the gradient of a negative that is unlikely here is unbounded.
    local_mean: mean log-probability in nats per token under the local policy.
    """
    if advantage >= 0:
        return 1.0
    if not claimed or not all(math.isfinite(value) and value <= 1e-4 for value in claimed):
        return 0.0
    return math.exp(min(0.0, local_mean - sum(claimed) / len(claimed)))


@dataclass(frozen=True)
class Normaliser:
    """What the sum over a whole batch is divided by, known before its first micro-batch.

    rows: completions in the batch, masked ones and those without signal included.
    tokens: completion tokens that are not masked. max_new_tokens: the cap of a completion.
    """

    rows: int
    tokens: int
    max_new_tokens: int


@dataclass(frozen=True)
class Loss:
    """loss: scalar with gradient. clipped_low, clipped_high, kl: (B, T), without gradient."""

    loss: Tensor
    clipped_low: Tensor
    clipped_high: Tensor
    kl: Tensor


def policy_loss(
    logps: Tensor,
    old_logps: Tensor,
    advantage: Tensor,
    mask: Tensor,
    normaliser: Normaliser,
    *,
    loss_type: str,
    epsilon_low: float,
    epsilon_high: float,
    beta: float = 0.0,
    ref_logps: Tensor | None = None,
) -> Loss:
    """The share of some rows in the loss of a batch: shares of all micro-batches add up to it.

    logps, old_logps, ref_logps, mask: (B, T). advantage: (B,). `old_logps` are those of the policy
    that sampled; pass `logps.detach()` for a ratio of exactly 1.
    """
    ratio = torch.exp(logps - old_logps)
    weight = advantage[:, None]
    clipped = ratio.clamp(1 - epsilon_low, 1 + epsilon_high)
    per_token = -torch.minimum(ratio * weight, clipped * weight)
    kl = torch.zeros_like(logps)
    if beta:
        if ref_logps is None:
            raise ValueError("beta needs the reference model's log-probabilities")
        gap = ref_logps - logps
        # The k3 estimator, times the ratio: only so is its *gradient* that of the reverse KL
        # (DeepSeek-V3.2, arXiv 2512.02556), on-policy too, where the ratio's value is 1.
        kl = (torch.exp(gap) - gap - 1) * ratio
        per_token = per_token + beta * kl
    with torch.no_grad():
        low = ((ratio < 1 - epsilon_low) & (weight < 0)).to(logps.dtype)
        high = ((ratio > 1 + epsilon_high) & (weight > 0)).to(logps.dtype)
    return Loss(_reduce(per_token, mask, normaliser, loss_type), low, high, kl.detach())


def _reduce(per_token: Tensor, mask: Tensor, normaliser: Normaliser, loss_type: str) -> Tensor:
    # `where`, not a product: a padded place must not turn 0 * inf into NaN.
    per_token = torch.where(mask > 0, per_token * mask, torch.zeros_like(per_token))
    if loss_type == "grpo":
        return (per_token.sum(-1) / mask.sum(-1).clamp(min=1.0)).sum() / normaliser.rows
    if loss_type == "dapo":
        return per_token.sum() / max(1, normaliser.tokens)
    if loss_type == "dr_grpo":
        return per_token.sum() / (normaliser.rows * normaliser.max_new_tokens)
    raise ValueError(f"unknown loss_type: {loss_type!r}")
