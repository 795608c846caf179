"""A bounded series of numbers: past N points, neighbours merge into buckets.

A bucket keeps min, max, mean and how many, so a spike of one round a month ago is still on the
chart, and a month-long run draws as fast as a minute-long one. Values are immutable; `append`
gives a new series that shares the old one's buckets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

MAX_BUCKETS = 1024


class Bucket(NamedTuple):
    """Neighbouring points. `first` and `last` are positions (rounds), the rest are values."""

    first: float
    last: float
    low: float
    high: float
    mean: float
    n: int
    """How many."""
    latest: float
    """The newest value in it."""


@dataclass(frozen=True)
class Series:
    """`closed` buckets hold `per_bucket` points each, `open` the newest ones."""

    closed: tuple[Bucket, ...] = ()
    open: Bucket | None = None
    per_bucket: int = 1

    def append(self, x: float, value: float) -> Series:
        """With one more point; unchanged when x or value is not a finite number."""
        if not (math.isfinite(x) and math.isfinite(value)):
            return self
        point = Bucket(x, x, value, value, value, 1, value)
        grown = point if self.open is None else merge(self.open, point)
        if grown.n < self.per_bucket:
            return Series(self.closed, grown, self.per_bucket)
        closed = (*self.closed, grown)
        if len(closed) < MAX_BUCKETS:
            return Series(closed, None, self.per_bucket)
        return Series(_pairs(closed), None, self.per_bucket * 2)

    @property
    def buckets(self) -> tuple[Bucket, ...]:
        return self.closed if self.open is None else (*self.closed, self.open)

    @property
    def count(self) -> int:
        """Points ever appended."""
        return sum(bucket.n for bucket in self.buckets)

    @property
    def last(self) -> float | None:
        """The newest value, or None when there is none."""
        newest = self.open or (self.closed[-1] if self.closed else None)
        return None if newest is None else newest.latest

    def points(self, width: int, first: float = -math.inf, last: float = math.inf) -> list[Bucket]:
        """At most `width` buckets of the positions from `first` to `last`, oldest first."""
        inside = [b for b in self.buckets if b.last >= first and b.first <= last]
        if width < 1 or not inside:
            return []
        step = math.ceil(len(inside) / width)
        return [_merged(inside[i : i + step]) for i in range(0, len(inside), step)]


EMPTY = Series()


def merge(a: Bucket, b: Bucket) -> Bucket:
    """`a` is the older one."""
    n = a.n + b.n
    low, high = min(a.low, b.low), max(a.high, b.high)
    mean = min(max(a.mean + (b.mean - a.mean) * (b.n / n), low), high)
    return Bucket(a.first, b.last, low, high, mean, n, b.latest)


def _merged(buckets: list[Bucket]) -> Bucket:
    out = buckets[0]
    for bucket in buckets[1:]:
        out = merge(out, bucket)
    return out


def _pairs(buckets: tuple[Bucket, ...]) -> tuple[Bucket, ...]:
    pairs = zip(buckets[::2], buckets[1::2], strict=True)  # MAX_BUCKETS is even
    return tuple(merge(a, b) for a, b in pairs)
