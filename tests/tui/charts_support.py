"""Recorded-like rounds with the metrics of an update, for the charts."""

from __future__ import annotations

import math
import random

from core import events
from tests.tui.support import START, begin

SKIPPED = 37
"""Every so many rounds no step is taken: a gap in what the update tells."""


def metrics(n: int, noise: random.Random) -> dict[str, float]:
    return {
        "entropy": 1.2 * math.exp(-n / 200) + 0.1 * noise.random(),
        "kl": 1e-4 * n * noise.random(),
        "approx_kl": 1e-4 * noise.random(),
        "clip_ratio_low": 0.02 * noise.random(),
        "clip_ratio_high": 0.05 * noise.random(),
        "completion_length_mean": 40 + 10 * noise.random(),
        "completion_length_max": 90.0,
        "truncated_fraction": 0.1 * noise.random(),
        "grad_norm": 0.4 + noise.random(),
        "learning_rate": 1e-6,
        "mismatch_kl": 1e-5 * noise.random(),
        "logprob_gap_mean": 1e-3 * noise.random(),
        "logprob_gap_max": 0.1 * noise.random(),
        "frac_reward_zero_std": 0.5 * noise.random(),
        "peak_rss_mib": 900.0 + n,
        "reward_mean/chain_sum": noise.random(),
    }


def finished(n: int, noise: random.Random, better: float = 0.0) -> events.RoundFinished:
    skipped = n % SKIPPED == 5
    return events.RoundFinished(
        time=START + 4 * n,
        round=n,
        reward_mean=0.2 + better + 0.3 * (1 - math.exp(-n / 80)) + 0.05 * noise.random(),
        swarm_reward_mean=0.2 + 0.25 * (1 - math.exp(-n / 80)),
        loss=None if skipped else 0.05 * math.exp(-n / 60) + 0.01 * noise.gauss(0, 1),
        seconds=3.5 + noise.random(),
        wait_s=noise.random(),
        own_groups=8,
        foreign_groups=4,
        rejected_groups=n % 3,
        peers=2,
        tokens_per_s=1200 + 50 * noise.random(),
        rss_mib=800 + 0.3 * n,
        metrics={} if skipped else metrics(n, noise),
    )


def run(first: int, rounds: int, better: float = 0.0, seed: int = 1) -> list[events.Event]:
    """A training run from fresh weights."""
    noise = random.Random(seed)
    body = [finished(n, noise, better) for n in range(first, first + rounds)]
    return [*begin(START + 4 * first - 3), *body]
