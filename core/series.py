"""A bounded series of numbers: the newest point by point, older ones in ever coarser buckets.

A bucket keeps min, max, mean, how many numbers and how many gaps, so a spike of one round a month
ago is still on the chart. When a level of buckets is full, its older half merges in pairs into the
next level: after N points there are some `LEVEL * log2(N / FRESH)` buckets, the newest `FRESH / 2`
points are exact, and the older half of a run still has at least `LEVEL / 4` buckets. (The layout
is that of an exponential histogram: Datar et al., Maintaining Stream Statistics over Sliding
Windows, 2002.)

Values are immutable: `append` gives a new series that shares the older levels with the old one.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from operator import add
from typing import NamedTuple

FRESH = 512
"""Newest points kept one by one, at most."""
LEVEL = 512
"""Buckets of one level, at most."""
GAP = math.inf
"""How a point without a number is kept: unlike NaN it equals itself."""


class Bucket(NamedTuple):
    """Neighbouring points. `first` and `last` are positions (rounds), the rest are values.

    n: points with a number; gaps: those without (a skipped step, a NaN). With n = 0 the values
    mean nothing: low is inf, high is -inf.
    """

    first: float
    last: float
    low: float
    high: float
    mean: float
    n: int
    gaps: int = 0


class Columns(NamedTuple):
    """Buckets as columns of equal length, oldest first; never changed in place.

    `first` and `last` ascend. An empty bucket has low = inf and high = -inf, so that min and max
    over any slice are right.
    """

    first: array[float]
    last: array[float]
    low: array[float]
    high: array[float]
    mean: array[float]
    n: array[float]
    gaps: array[float]

    @property
    def size(self) -> int:
        return len(self.first)

    def row(self, i: int) -> Bucket:
        first, last, low, high, mean, n, gaps = (column[i] for column in self)
        return Bucket(first, last, low, high, mean, int(n), int(gaps))

    def part(self, start: int, stop: int) -> Columns:
        return Columns(*(column[start:stop] for column in self))

    def inside(self, first: float, last: float) -> tuple[int, int]:
        """[start, stop) of the buckets that touch the positions from `first` to `last`."""
        start, stop = bisect_left(self.last, first), bisect_right(self.first, last)
        return start, max(start, stop)

    def merged(self, start: int, stop: int) -> Bucket:
        """One bucket of a slice that is not empty."""
        n = sum(self.n[start:stop])
        low, high = min(self.low[start:stop]), max(self.high[start:stop])
        mean = 0.0
        if n:
            pairs = zip(self.mean[start:stop], self.n[start:stop], strict=True)
            # Shares, not sums: a sum of numbers near 1e308 would overflow.
            mean = min(max(math.fsum(m * (k / n) for m, k in pairs), low), high)
        gaps = int(sum(self.gaps[start:stop]))
        return Bucket(self.first[start], self.last[stop - 1], low, high, mean, int(n), gaps)


def columns(buckets: Iterable[Bucket]) -> Columns:
    rows = list(buckets)
    return Columns(*(array("d", column) for column in zip(*rows, strict=True))) if rows else NONE


def of_points(x: array[float], y: array[float]) -> Columns:
    """Each point a bucket of its own."""
    if GAP not in y:
        ones, zeros = array("d", (1.0,)) * len(x), array("d", (0.0,)) * len(x)
        return Columns(x, x, y, y, y, ones, zeros)
    high = array("d", (-GAP if v == GAP else v for v in y))
    mean = array("d", (0.0 if v == GAP else v for v in y))
    n = array("d", (float(v != GAP) for v in y))
    return Columns(x, x, y, high, mean, n, array("d", (1.0 - k for k in n)))


def join(parts: Iterable[Columns]) -> Columns:
    rows = [part for part in parts if part.size]
    if len(rows) == 1:
        return rows[0]
    out = tuple(array("d") for _ in Columns._fields)
    for part in rows:
        for column, more in zip(out, part, strict=True):
            column.extend(more)
    return Columns(*out)


def halved(old: Columns) -> Columns:
    """Neighbours merged in pairs; an even number of buckets."""
    low = array("d", map(min, old.low[::2], old.low[1::2]))
    high = array("d", map(max, old.high[::2], old.high[1::2]))
    n = array("d", map(add, old.n[::2], old.n[1::2]))
    gaps = array("d", map(add, old.gaps[::2], old.gaps[1::2]))
    means = map(_mean, old.mean[::2], old.mean[1::2], old.n[1::2], n, low, high)
    return Columns(old.first[::2], old.last[1::2], low, high, array("d", means), n, gaps)


def _mean(a: float, b: float, many_b: float, n: float, low: float, high: float) -> float:
    if not n:
        return 0.0
    share = many_b / n
    return min(max(a * (1 - share) + b * share, low), high)


def _no_numbers() -> array[float]:
    return array("d")


NONE = Columns(*(_no_numbers() for _ in Columns._fields))


@dataclass(frozen=True)
class Series:
    """x, y: the newest points. levels: older buckets, the finest and newest level first.

    count: points with a number that were ever appended; gaps: those without. last: the newest
    number, or None.
    """

    x: array[float] = field(default_factory=_no_numbers)
    y: array[float] = field(default_factory=_no_numbers)
    levels: tuple[Columns, ...] = ()
    count: int = 0
    gaps: int = 0
    last: float | None = None

    def append(self, x: float, value: float) -> Series:
        """With one more point, or one more gap where `value` is not a finite number.

        Positions do not descend: a point that lies before the newest one begins the series anew,
        for then the swarm was made anew and counts its rounds from the start. A position that is
        no finite number adds nothing.
        """
        if not math.isfinite(x):
            return self
        if x < self.newest:
            return Series().append(x, value)
        number = math.isfinite(value)
        xs = self.x + array("d", (x,))
        ys = self.y + array("d", (value if number else GAP,))
        levels = self.levels
        if len(xs) >= FRESH:
            half = FRESH // 2
            levels = _push(levels, halved(of_points(xs[:half], ys[:half])))
            xs, ys = xs[half:], ys[half:]
        count, gaps = self.count + number, self.gaps + (not number)
        return Series(xs, ys, levels, count, gaps, value if number else self.last)

    def extend(self, bucket: Bucket) -> Series:
        """With a whole bucket that was merged elsewhere; as `append`, older than what follows."""
        if not (math.isfinite(bucket.first) and math.isfinite(bucket.last)):
            return self
        if bucket.first < self.newest:
            return Series().extend(bucket)
        levels = self.levels
        if len(self.x) % 2:
            levels = _push(levels, of_points(self.x[:1], self.y[:1]))
        odd = len(self.x) % 2
        if len(self.x) > odd:
            levels = _push(levels, halved(of_points(self.x[odd:], self.y[odd:])))
        levels = _push(levels, columns((bucket,)))
        last = bucket.mean if bucket.n else self.last
        count, gaps = self.count + bucket.n, self.gaps + bucket.gaps
        return Series(levels=levels, count=count, gaps=gaps, last=last)

    @property
    def newest(self) -> float:
        """The newest position; -inf for an empty series."""
        if self.x:
            return self.x[-1]
        return next((level.last[-1] for level in self.levels if level.size), -math.inf)

    @property
    def oldest(self) -> float:
        """The first position; inf for an empty series."""
        levels = (level.first[0] for level in reversed(self.levels) if level.size)
        return next(levels, self.x[0] if self.x else math.inf)

    @cached_property
    def columns(self) -> Columns:
        """All buckets, oldest first."""
        return join((*reversed(self.levels), of_points(self.x, self.y)))

    @property
    def buckets(self) -> tuple[Bucket, ...]:
        return tuple(self.columns.row(i) for i in range(self.columns.size))

    def points(self, width: int, first: float = -math.inf, last: float = math.inf) -> list[Bucket]:
        """At most `width` buckets of the positions from `first` to `last`, oldest first."""
        start, stop = self.columns.inside(first, last)
        if width < 1 or start == stop:
            return []
        step = math.ceil((stop - start) / width)
        return [self.columns.merged(at, min(at + step, stop)) for at in range(start, stop, step)]


EMPTY = Series()


def _push(levels: tuple[Columns, ...], new: Columns) -> tuple[Columns, ...]:
    """`new` behind the first level; a level that is full hands its older half on, merged."""
    out: list[Columns] = []
    rest = levels
    while True:
        level = join((rest[0], new)) if rest and rest[0].size else new
        rest = rest[1:]
        if level.size < LEVEL:
            return (*out, level, *rest)
        half = level.size // 4 * 2
        out.append(level.part(half, level.size))
        new = halved(level.part(0, half))
