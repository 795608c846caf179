"""What the metrics of a step are called and mean. Names follow TRL 1.16 and prime-rl."""

from __future__ import annotations

from collections.abc import Sequence

METRICS: dict[str, str] = {
    "reward_mean": "Mean reward of all completions that the step saw, local and foreign.",
    "reward_std": "Standard deviation of those rewards.",
    "reward_mean_local": "Mean reward of the completions sampled here.",
    "reward_mean_foreign": "Mean reward of the completions of other peers.",
    "frac_reward_zero_std": "Share of groups whose rewards are all equal: nothing to learn there.",
    "solved_none": "Share of groups in which no completion earned the full reward.",
    "solved_some": "Share of groups in which some, but not all, completions earned it.",
    "solved_all": "Share of groups in which every completion earned it.",
    "entropy": "Mean entropy of the policy in nats per trained token.",
    "kl": "Mean KL divergence to the starting model (k3) per trained token; only with beta > 0.",
    "clip_ratio_low": "Share of trained tokens whose ratio was clipped from below.",
    "clip_ratio_high": "Share of trained tokens whose ratio was clipped from above.",
    "grad_norm": "Norm of the gradient before clipping.",
    "learning_rate": "Learning rate of this step.",
    "logprob_gap_mean": "Mean |sampler - trainer| log-probability per token, in nats.",
    "logprob_gap_max": "Largest of these gaps.",
    "completion_length_mean": "Mean length of the completions in tokens.",
    "completion_length_max": "Longest completion in tokens.",
    "truncated_fraction": "Share of completions that the token cap cut off.",
    "eos_rate": "Share of completions that the model ended by itself.",
    "foreign_token_share": "Share of the trained tokens that come from other peers.",
    "foreign_weight_mean": "Mean weight of foreign completions in the loss.",
    "trained_tokens": "Completion tokens that had a part in the gradient.",
    "tokens_per_s": "Completion tokens sampled per second, in the latest sampling.",
    "seconds_sample": "Seconds of the latest sampling.",
    "seconds_update": "Seconds of this update.",
    "rss_mib": "Resident memory of the process after the update, in MiB.",
}

FULL_REWARD = 1.0 - 1e-6


def reward_metrics(groups: Sequence[Sequence[float]], foreign: Sequence[bool]) -> dict[str, float]:
    """Reward figures of scored groups; `foreign` says whose each group is. Shares in [0, 1]."""
    flat = [reward for group in groups for reward in group]
    if not flat:
        return {}
    mean = sum(flat) / len(flat)
    spread = sum((reward - mean) ** 2 for reward in flat) / max(1, len(flat) - 1)
    solved = [sum(reward >= FULL_REWARD for reward in group) for group in groups]
    n = len(groups)
    out = {
        "reward_mean": mean,
        "reward_std": spread**0.5,
        "frac_reward_zero_std": sum(max(g) - min(g) <= 1e-6 for g in groups) / n,
        "solved_none": sum(k == 0 for k in solved) / n,
        "solved_some": sum(0 < k < len(g) for k, g in zip(solved, groups, strict=True)) / n,
        "solved_all": sum(k == len(g) for k, g in zip(solved, groups, strict=True)) / n,
    }
    for name, whose in (("reward_mean_local", False), ("reward_mean_foreign", True)):
        part = [r for g, f in zip(groups, foreign, strict=True) if f is whose for r in g]
        if part:
            out[name] = sum(part) / len(part)
    return out


def length_metrics(lengths: Sequence[int], finished: Sequence[bool]) -> dict[str, float]:
    """Length figures of completions, in tokens with EOS."""
    if not lengths:
        return {}
    ended = sum(finished) / len(finished)
    return {
        "completion_length_mean": sum(lengths) / len(lengths),
        "completion_length_max": float(max(lengths)),
        "truncated_fraction": 1.0 - ended,
        "eos_rate": ended,
    }
