"""Finished rounds as numbers, and neighbouring ones merged into one event that keeps every spike.

When the journal outgrows its limits (`core/thinning.py`) old rounds are not dropped: two become one
`RoundsMerged`, with min, max, mean and count of every number, and two of these one again.
"""

from __future__ import annotations

import math
from typing import Any

from core import events
from core.series import Bucket, columns

SPARSE = ("skipped_steps", "out_of_memory_retries")
"""Told only when they happen, like every name with a slash: being absent is no gap."""
LIMIT = 1e300
"""A number from here on is none: what is added up must stay finite."""


def round_values(event: events.RoundFinished) -> dict[str, Any]:
    """All numbers of a round by the names of their series; None or not finite: a gap."""
    values: dict[str, Any] = {
        "reward/own": event.reward_mean,
        "reward/swarm": event.swarm_reward_mean,
        "loss": event.loss,
        "seconds": event.seconds,
        "wait_s": event.wait_s,
        "tokens_per_s": event.tokens_per_s,
        "rss_mib": event.rss_mib,
        "peers": event.peers,
        "foreign_groups": event.foreign_groups,
        "rejected_groups": event.rejected_groups,
    }
    values.update((name, v) for name, v in event.metrics.items() if name not in values)
    return values


def expected(name: str) -> bool:
    """Whether a round without this number has a gap there."""
    return "/" not in name and name not in SPARSE


def to_bucket(first: int, last: int, values: Any) -> Bucket | None:
    """The inverse of `from_bucket`; None for what makes no sense."""
    if not isinstance(values, list) or len(values) != 5 or not -(2**63) < first <= last < 2**63:
        return None
    if any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in values):
        return None
    n, gaps, low, high, mean = values
    whole = all(0 <= k < 2**53 and k == int(k) for k in (n, gaps)) and n + gaps > 0
    if not whole or not -LIMIT < low <= mean <= high < LIMIT:
        return None
    if not n:
        low, high, mean = math.inf, -math.inf, 0.0
    return Bucket(
        float(first), float(last), float(low), float(high), float(mean), int(n), int(gaps)
    )


def from_bucket(bucket: Bucket) -> list[float]:
    """[n, gaps, low, high, mean], all finite; the last three are 0 when n is."""
    if not bucket.n:
        return [0, bucket.gaps, 0.0, 0.0, 0.0]
    return [bucket.n, bucket.gaps, bucket.low, bucket.high, bucket.mean]


def of_round(event: events.Event) -> dict[str, Bucket]:
    """What a finished round, or merged ones, tell of each series."""
    out: dict[str, Bucket] = {}
    if isinstance(event, events.RoundsMerged):
        for name, values in event.values.items():
            if bucket := to_bucket(event.first, event.last, values):
                out[name] = bucket
    elif isinstance(event, events.RoundFinished) and event.round is not None:
        x = float(event.round)
        for name, value in round_values(event).items():
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if number and abs(value) < LIMIT:
                out[name] = Bucket(x, x, float(value), float(value), float(value), 1)
            elif value is None or number:
                out[name] = Bucket(x, x, math.inf, -math.inf, 0.0, 0, 1)
    return out


def merge(older: events.Event, newer: events.Event) -> events.RoundsMerged:
    """Two neighbours in the journal, each a RoundFinished or RoundsMerged with a round, as one."""
    parts = [of_round(older), of_round(newer)]
    spans = [span(older), span(newer)]
    values: dict[str, list[float]] = {}
    for name in {**parts[0], **parts[1]}:
        found: list[Bucket] = []
        for part, (first, last, rounds) in zip(parts, spans, strict=True):
            if name in part:
                found.append(part[name])
            elif expected(name):
                found.append(Bucket(first, last, math.inf, -math.inf, 0.0, 0, rounds))
        both = columns(found)
        values[name] = from_bucket(both.merged(0, both.size))
    return events.RoundsMerged(
        time=newer.time,
        round=newer.round,
        first=int(spans[0][0]),
        last=int(spans[1][1]),
        rounds=spans[0][2] + spans[1][2],
        values=values,
    )


def span(event: events.Event) -> tuple[int, int, int]:
    """First and last round of such an event, and how many rounds it stands for."""
    if isinstance(event, events.RoundsMerged):
        return event.first, event.last, event.rounds
    return event.round or 0, event.round or 0, 1
