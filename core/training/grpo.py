"""Group-relative policy optimisation as pure functions: advantages, weights and losses.

GRPO (DeepSeekMath, arXiv 2402.03300), DAPO's token-level loss and asymmetric clip (2503.14476),
Dr. GRPO's constant normaliser (2503.20783), GSPO's ratio of whole sequences (2507.18071), CISPO's
clipped weight (MiniMax-M1, 2506.13585) and INTELLECT-2's two-sided clip (2505.07291), equal to
TRL 1.16's `loss_type` of the same names (`gspo` is its `grpo` at the sequence level).
Tensors in, tensors out: no model, no tokenizer, no configuration.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.errors import ConfigError

STD_FLOOR = 1e-4
"""Added to the standard deviation that advantages are divided by, as TRL does."""
NO_SPREAD = 1e-6
"""Rewards of a group closer together than this count as equal: their rounding is not a signal."""
MAX_LOG_RATIO = 80.0
"""exp of it is still finite in float32; past it 0 * inf would make a clipped gradient NaN."""


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


def importance_weights(
    trainer_logps: Tensor, sampler_logps: Tensor, mask: Tensor, cap: float
) -> Tensor:
    """Truncated importance weights of tokens, (B, T) in [0, cap], without gradient.

    min(exp(trainer - sampler), cap): corrects for a sampler that computes the same policy with
    other rounding (int8, bfloat16), as FlashRL's TIS and TRL's `token_truncate` do. Padded places,
    and tokens whose sampler log-prob is not known (NaN), count as computed alike: min(1, cap).
    trainer_logps: those of the policy before the round's first step. cap: positive.
    """
    if not cap > 0:
        raise ValueError(f"cap must be positive: {cap}")
    with torch.no_grad():
        gap = torch.where(mask > 0, trainer_logps - sampler_logps, torch.zeros_like(trainer_logps))
        return torch.exp(gap.nan_to_num(nan=0.0)).clamp(max=cap)


def check_clip(loss_type: str, epsilon_high: float) -> None:
    """Raise ConfigError for a clip that makes no sense with this loss.

    In `cispo`, as in TRL, epsilon_high is not the distance from 1 but the greatest ratio itself.
    """
    if loss_type == "cispo" and epsilon_high < 1.0:
        raise ConfigError(
            f"training.epsilon_high of {epsilon_high:g} does not fit training.loss_type cispo",
            "with cispo it is the greatest ratio itself, so that every weight would be cut below 1",
            "Set training.epsilon_high to 5, or to another number of at least 1",
        )


@dataclass(frozen=True)
class Loss:
    """loss: scalar with gradient. clipped_low, clipped_high, kl: (B, T), without gradient.

    clipped_low, clipped_high: 1 where that bound of the ratio stops the token's gradient; in
    `cispo`, where nothing stops, clipped_high says where the weight is cut off.
    """

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
    delta: float = 0.0,
    importance: Tensor | None = None,
) -> Loss:
    """The share of some rows in the loss of a batch: shares of all micro-batches add up to it.

    logps, old_logps, ref_logps, importance, mask: (B, T); what stands where the mask is 0 does not
    matter. advantage: (B,). `old_logps` are those of the policy that sampled; pass
    `logps.detach()` for a ratio of exactly 1. epsilon_high: the ratio's upper bound is 1 + it, but
    in `cispo` it is that bound itself. delta: bound of the ratio for negative advantages too, 0 is
    none; without effect in `cispo`. importance: weights of the policy term, not of the KL term.
    The gradient is that with respect to `logps` alone.
    """
    inside = mask > 0
    logps, old_logps = _only(logps, inside), _only(old_logps, inside)
    log_ratio = logps - old_logps
    if loss_type == "gspo":
        length = mask.sum(-1, keepdim=True).clamp(min=1.0)
        log_ratio = (log_ratio.sum(-1, keepdim=True) / length).expand_as(logps)
    ratio = torch.exp(log_ratio.clamp(max=MAX_LOG_RATIO))
    weight = advantage[:, None]
    if loss_type == "cispo":
        per_token = -ratio.clamp(max=epsilon_high).detach() * weight * logps
    else:
        clipped = ratio.clamp(1 - epsilon_low, 1 + epsilon_high)
        bounded = ratio.clamp(max=delta) if delta else ratio
        per_token = -torch.minimum(bounded * weight, clipped * weight)
    if importance is not None:
        per_token = per_token * _only(importance.detach(), inside)
    kl = torch.zeros_like(logps)
    if beta:
        if ref_logps is None:
            raise ValueError("beta needs the reference model's log-probabilities")
        gap = _only(ref_logps, inside) - logps
        # The k3 estimator, times the ratio: only so is its *gradient* that of the reverse KL
        # (DeepSeek-V3.2, arXiv 2512.02556), on-policy too, where the ratio's value is 1.
        kl = (torch.exp(gap) - gap - 1) * ratio
        per_token = per_token + beta * kl
    with torch.no_grad():
        low, high = _clipped(ratio, weight, loss_type, epsilon_low, epsilon_high, delta)
        low, high = (low & inside).to(logps.dtype), (high & inside).to(logps.dtype)
    return Loss(_reduce(per_token, mask, normaliser, loss_type), low, high, kl.detach())


def _only(values: Tensor, inside: Tensor) -> Tensor:
    """`where`, not a product: a padded place must not turn 0 * inf into NaN."""
    return torch.where(inside, values, torch.zeros_like(values))


def _clipped(
    ratio: Tensor,
    weight: Tensor,
    loss_type: str,
    epsilon_low: float,
    epsilon_high: float,
    delta: float,
) -> tuple[Tensor, Tensor]:
    if loss_type == "cispo":
        return torch.zeros_like(ratio, dtype=torch.bool), (ratio > epsilon_high) & (weight != 0)
    top = 1 + epsilon_high
    low = (ratio < 1 - epsilon_low) & (weight < 0)
    high = (ratio > (min(top, delta) if delta else top)) & (weight > 0)
    if delta:
        high = high | (ratio > max(top, delta)) & (weight < 0)
    return low, high


def _reduce(per_token: Tensor, mask: Tensor, normaliser: Normaliser, loss_type: str) -> Tensor:
    per_token = per_token * mask
    if loss_type in ("grpo", "gspo"):
        return (per_token.sum(-1) / mask.sum(-1).clamp(min=1.0)).sum() / normaliser.rows
    if loss_type in ("dapo", "cispo"):
        return per_token.sum() / max(1, normaliser.tokens)
    if loss_type == "dr_grpo":
        return per_token.sum() / (normaliser.rows * normaliser.max_new_tokens)
    raise ValueError(f"unknown loss_type: {loss_type!r}")
