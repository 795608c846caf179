"""How often each address may ask: a bucket of tokens that fills at a steady rate."""

from __future__ import annotations

import threading
import time

MAX_ADDRESSES = 4096
"""Remembered at once; the one that has been quiet for longest is forgotten first."""


class RateLimit:
    """Safe to use from several threads."""

    def __init__(self, per_s: float, burst: float) -> None:
        """per_s: in the long run; burst: at once, after a pause."""
        self._per_s = per_s
        self._burst = burst
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def allows(self, address: str, cost: float = 1.0) -> bool:
        """Whether it may ask now; what is refused costs nothing."""
        now = time.monotonic()
        with self._lock:
            tokens, since = self._buckets.pop(address, (self._burst, now))
            tokens = min(self._burst, tokens + (now - since) * self._per_s)
            allowed = tokens >= cost
            self._buckets[address] = (tokens - cost if allowed else tokens, now)
            while len(self._buckets) > MAX_ADDRESSES:
                del self._buckets[next(iter(self._buckets))]
        return allowed
