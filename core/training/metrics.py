"""What the metrics of an update are called, what they mean, and how they are computed.

Names follow TRL 1.16, prime-rl and verl. Every number that an engine reports stands here with its
one definition; all functions are pure. Shares are in [0, 1], log-probabilities in nats. It knows
tensors and lists, no model and no optimiser; torch is loaded by what needs it, so that whoever
only shows definitions does not pay for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.texts import _

if TYPE_CHECKING:
    from torch import Tensor

METRICS: dict[str, str] = {
    # learning
    "reward_mean": _("Mean reward of all completions that the step saw, local and foreign."),
    "reward_std": _("Standard deviation of those rewards."),
    "reward_mean_local": _("Mean reward of the completions sampled here."),
    "reward_mean_foreign": _("Mean reward of the completions of other peers."),
    # signal
    "frac_reward_zero_std": _(
        "Share of groups whose rewards are all equal: nothing to learn there."
    ),
    "solved_none": _("Share of groups in which no completion earned the full reward."),
    "solved_some": _("Share of groups in which some, but not all, completions earned it."),
    "solved_all": _("Share of groups in which every completion earned it."),
    "frac_reward_zero_std_local": _(
        "The same of the groups sampled here: foreign ones never lack a"
        " signal, since only those with one are admitted."
    ),
    "solved_none_local": _(
        "Share of the groups sampled here in which none earned the full reward."
    ),
    "solved_all_local": _("Share of the groups sampled here in which every completion earned it."),
    # policy
    "entropy": _("Mean entropy of the policy in nats per trained token."),
    "kl": _("Mean KL divergence to the starting model (k3) per trained token; only with beta > 0."),
    "approx_kl": _(
        "Mean KL divergence (k3) of the policy from the one that this round began with."
    ),
    "clip_ratio_low": _("Share of trained tokens that the lower bound of the ratio cut."),
    "clip_ratio_high": _(
        "Share of trained tokens that the upper bound of the ratio, or delta, cut."
    ),
    # mismatch of sampler and trainer, over trained tokens that were sampled here
    "logprob_gap_mean": _("Mean |sampler - trainer| log-probability per token, in nats."),
    "logprob_gap_max": _("Largest of these gaps."),
    "mismatch_kl": _("Mean KL divergence (k3) of the trainer's distribution from the sampler's."),
    "importance_weight_min": _("Smallest importance weight of a token, as used: after the cap."),
    "importance_weight_mean": _("Mean importance weight of a token, as used."),
    "importance_weight_max": _("Largest importance weight of a token, as used."),
    "importance_capped": _("Share of tokens whose importance weight the cap cut off."),
    # optimiser
    "grad_norm": _("Norm of the gradient before clipping."),
    "learning_rate": _("Learning rate of this step."),
    "update_ratio": _(
        "Norm of the step's change of the trained weights over their norm before it."
    ),
    "weights_changed": _("Share of the trained weights that are another number after the step."),
    "optimizer_steps": _("Optimiser steps taken in this round."),
    "skipped_steps": _("Steps of this round not taken, because the gradient was not finite."),
    # length
    "completion_length_mean": _("Mean length of the completions in tokens."),
    "completion_length_max": _("Longest completion in tokens."),
    "terminated_length_mean": _("Mean length of the completions that the cap did not cut off."),
    "truncated_fraction": _("Share of completions that the token cap cut off."),
    "eos_rate": _("Share of completions that the model ended by itself."),
    # whose tokens
    "foreign_token_share": _("Share of the trained tokens that come from other peers."),
    "foreign_weight_mean": _("Mean weight of foreign completions in the loss."),
    "trained_tokens": _("Completion tokens that had a part in the gradient."),
    # speed and size
    "tokens_per_s": _("Completion tokens sampled per second, in the latest sampling."),
    "trained_tokens_per_s": _("Trained completion tokens per second of this update."),
    "seconds_sample": _("Seconds of the latest sampling."),
    "seconds_update": _("Seconds of this update."),
    "threads": _("CPU threads of the trainer."),
    "micro_batches": _("Forward and backward passes of one optimiser step."),
    "out_of_memory_retries": _(
        "Times the micro-batch was halved in this round to fit into memory."
    ),
    "rss_mib": _("Resident memory of the process after the update, in MiB."),
    "peak_rss_mib": _("Largest resident memory of the process so far, in MiB."),
    "peak_vram_mib": _("Largest GPU memory that tensors took so far, in MiB."),
    "estimated_peak_mib": _("What the memory plan expected that peak to be, in MiB."),
}
"""Name to definition."""

FAMILIES: dict[str, str] = {
    "reward_mean/": _("Mean reward of the completions of one dataset, local and foreign: {name}."),
    "seconds/": _("Seconds of one part of sampling or updating: {name}."),
}
"""Prefix to definition of names that end in something only known while running."""

FULL_REWARD = 1.0 - 1e-6
MAX_GAP = 20.0
"""Differences of log-probabilities count as no more than this in a KL, so that it stays finite."""


def definition(name: str) -> str:
    """What a metric means; KeyError for a name that has no definition."""
    for prefix, text in FAMILIES.items():
        if name.startswith(prefix) and name != prefix:
            return text.format(name=name.removeprefix(prefix))
    return METRICS[name]


def reward_metrics(
    groups: Sequence[Sequence[float]], foreign: Sequence[bool], datasets: Sequence[str] = ()
) -> dict[str, float]:
    """Reward figures of scored groups. `foreign`: whose each group is; `datasets`: of its task."""
    flat = [reward for group in groups for reward in group]
    if not flat:
        return {}
    spread = sum((reward - _mean(flat)) ** 2 for reward in flat) / max(1, len(flat) - 1)
    shares = _signal(groups)
    out = {
        "reward_mean": _mean(flat),
        "reward_std": spread**0.5,
        **shares,
        "solved_some": max(0.0, 1.0 - shares["solved_none"] - shares["solved_all"]),
    }
    if local := [group for group, f in zip(groups, foreign, strict=True) if not f]:
        out |= {f"{name}_local": share for name, share in _signal(local).items()}
    for name, whose in (("reward_mean_local", False), ("reward_mean_foreign", True)):
        part = [r for g, f in zip(groups, foreign, strict=True) if f is whose for r in g]
        if part:
            out[name] = _mean(part)
    by_dataset: dict[str, list[float]] = {}
    for group, dataset in zip(groups, datasets, strict=bool(datasets)):
        by_dataset.setdefault(dataset, []).extend(group)
    return out | {f"reward_mean/{name}": _mean(by_dataset[name]) for name in sorted(by_dataset)}


def _signal(groups: Sequence[Sequence[float]]) -> dict[str, float]:
    """Shares of groups, at least one, that teach nothing, and that nobody or everybody solved."""
    solved = [sum(reward >= FULL_REWARD for reward in group) for group in groups]
    n = len(groups)
    return {
        "frac_reward_zero_std": sum(max(g) - min(g) <= 1e-6 for g in groups) / n,
        "solved_none": sum(k == 0 for k in solved) / n,
        "solved_all": sum(k == len(g) for k, g in zip(solved, groups, strict=True)) / n,
    }


def length_metrics(lengths: Sequence[int], finished: Sequence[bool]) -> dict[str, float]:
    """Length figures of completions, in tokens with EOS."""
    if not lengths:
        return {}
    ended = [length for length, done in zip(lengths, finished, strict=True) if done]
    out = {
        "completion_length_mean": _mean(lengths),
        "completion_length_max": float(max(lengths)),
        "truncated_fraction": 1.0 - len(ended) / len(lengths),
        "eos_rate": len(ended) / len(lengths),
    }
    if ended:
        out["terminated_length_mean"] = _mean(ended)
    return out


class TokenLog:
    """What was seen of every trained token, collected over the micro-batches of an update.

    Holds flat float32 copies on the CPU, four bytes a token and name, so that means, least and
    greatest values are those of the whole update whatever its micro-batches were.
    """

    def __init__(self) -> None:
        self._parts: dict[str, list[Tensor]] = {}

    def add(self, mask: Tensor, **values: Tensor) -> None:
        """Keep `values`, each (B, T), where the mask (B, T) is not 0."""
        for name, value in values.items():
            self._parts.setdefault(name, []).append(value.detach()[mask > 0].float().cpu())

    def __contains__(self, name: str) -> bool:
        return name in self._parts

    def __getitem__(self, name: str) -> Tensor:
        """All tokens so far, (tokens,); KeyError when nothing was kept under that name."""
        import torch

        return torch.cat(self._parts[name])


def policy_metrics(
    *,
    entropy: Tensor,
    logps: Tensor,
    old_logps: Tensor,
    clipped_low: Tensor,
    clipped_high: Tensor,
    kl: Tensor | None = None,
) -> dict[str, float]:
    """Figures of the policy over trained tokens, each (tokens,). kl: to the starting model."""
    if not logps.numel():
        return {}
    out = {
        "entropy": float(entropy.mean()),
        "approx_kl": float(_k3(logps - old_logps).mean()),
        "clip_ratio_low": float(clipped_low.mean()),
        "clip_ratio_high": float(clipped_high.mean()),
    }
    if kl is not None:
        out["kl"] = float(kl.mean())
    return out


def mismatch_metrics(
    trainer_logps: Tensor, sampler_logps: Tensor, cap: float = 0.0
) -> dict[str, float]:
    """How far the trainer's log-probs are from the sampler's, each (tokens,).

    trainer_logps: those of the policy that sampled, before the round's first step. sampler_logps:
    NaN where not known (foreign completions, truncated distributions); those tokens do not count.
    cap: of the importance weights; 0 when none are used.
    """
    from core.training.grpo import importance_weights

    known = ~sampler_logps.isnan()
    trainer, sampler = trainer_logps[known], sampler_logps[known]
    if not trainer.numel():
        return {}
    gap = trainer - sampler
    out = {
        "logprob_gap_mean": float(gap.abs().mean()),
        "logprob_gap_max": float(gap.abs().max()),
        "mismatch_kl": float(_k3(gap).mean()),
    }
    if cap:
        weights = importance_weights(trainer, sampler, known[known], cap)
        out["importance_weight_min"] = float(weights.min())
        out["importance_weight_mean"] = float(weights.mean())
        out["importance_weight_max"] = float(weights.max())
        out["importance_capped"] = float((gap.exp() > cap).float().mean())
    return out


def _k3(log_ratio: Tensor) -> Tensor:
    """Schulman's k3 estimate of KL(q || p) from log(p / q) of samples of q; never negative."""
    bounded = log_ratio.double().clamp(-MAX_GAP, MAX_GAP)
    return bounded.expm1() - bounded


def speed_metrics(
    *, sampled_tokens: int, seconds_sample: float, trained_tokens: int, seconds_update: float
) -> dict[str, float]:
    """Seconds and rates of the latest sampling (none when it took 0 s) and of this update."""
    out = {"seconds_update": seconds_update}
    if seconds_update > 0:
        out["trained_tokens_per_s"] = trained_tokens / seconds_update
    if seconds_sample > 0:
        out["seconds_sample"] = seconds_sample
        out["tokens_per_s"] = sampled_tokens / seconds_sample
    return out


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
