from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.series import EMPTY, FRESH, LEVEL, NONE, Bucket, Series

FINITE = st.floats(-1e300, 1e300)
VALUES = st.lists(FINITE | st.sampled_from([math.nan, math.inf, -math.inf]), max_size=400)


def made(values: list[float], start: int = 0) -> Series:
    series = EMPTY
    for x, value in enumerate(values, start):
        series = series.append(x, value)
    return series


def test_few_points_are_kept_as_they_are() -> None:
    series = made([x * 2.0 for x in range(10)])
    assert [(b.first, b.mean) for b in series.points(80)] == [(x, x * 2.0) for x in range(10)]
    assert series.last == 18.0
    assert (series.oldest, series.newest) == (0, 9)


def test_a_long_series_stays_small_and_keeps_its_spike() -> None:
    series = made([100.0 if x == 7 else 1.0 for x in range(50_000)])
    assert series.columns.size <= FRESH + LEVEL * len(series.levels)
    assert len(series.levels) <= math.log2(50_000 / FRESH) + 1
    assert series.count == 50_000
    points = series.points(60)
    assert len(points) <= 60
    assert max(b.high for b in points) == 100.0
    assert sum(b.n for b in points) == 50_000
    assert sum(b.mean * b.n for b in points) / 50_000 == pytest.approx(1.00198)


def test_the_newest_points_stay_exact_and_the_old_half_keeps_its_resolution() -> None:
    series = made([float(x) for x in range(100_000)])
    newest = series.points(1000, first=100_000 - FRESH // 2)
    assert all(bucket.n == 1 for bucket in newest)
    start, stop = series.columns.inside(0, 50_000)
    assert stop - start >= LEVEL // 4


@settings(max_examples=60, deadline=None)
@given(VALUES, st.integers(1, 200), st.integers(0, 3))
def test_nothing_is_lost_whatever_is_merged(values: list[float], width: int, again: int) -> None:
    values = values * (again + 1)
    numbers = [v for v in values if math.isfinite(v)]
    series = made(values)
    points = series.points(width)
    assert len(points) <= width
    assert sum(b.n for b in points) == series.count == len(numbers)
    assert sum(b.gaps for b in points) == series.gaps == len(values) - len(numbers)
    assert all(b.low <= b.mean <= b.high for b in points if b.n)
    assert all(b.first <= b.last for b in points)
    assert all(a.last < b.first for a, b in pairwise(points))
    if numbers:
        assert min(b.low for b in points) == min(numbers)
        assert max(b.high for b in points) == max(numbers)
        assert series.last == numbers[-1]


@settings(max_examples=40, deadline=None)
@given(VALUES, st.integers(1, 900), st.integers(0, 300))
def test_merged_elsewhere_is_as_good_as_merged_here(
    values: list[float], count: int, more: int
) -> None:
    """Buckets that the journal kept, and single points behind them."""
    old, new = made([1.5, -2.0] * count), made(values)
    series = EMPTY
    for bucket in old.points(37):
        series = series.extend(bucket)
    for x in range(more):
        series = series.append(old.newest + 1 + x, 7.0)
    for bucket in new.buckets:
        far = old.newest + 2 + more
        series = series.extend(bucket._replace(first=far + bucket.first, last=far + bucket.last))
    numbers = [v for v in values if math.isfinite(v)]
    assert series.count == 2 * count + more + len(numbers)
    assert sum(b.n for b in series.buckets) == series.count
    assert sum(b.gaps for b in series.buckets) == series.gaps == len(values) - len(numbers)
    everything = [1.5, -2.0, *([7.0] if more else []), *numbers]
    assert min(b.low for b in series.buckets) == min(everything)
    assert max(b.high for b in series.buckets) == max(everything)
    firsts = [b.first for b in series.buckets]
    assert firsts == sorted(firsts)


def test_an_older_version_is_untouched_by_what_comes_later() -> None:
    versions = [EMPTY]
    for x in range(3 * FRESH):
        versions.append(versions[-1].append(x, float(x)))
    for x in (0, 1, FRESH - 1, FRESH, 2 * FRESH + 7):
        assert versions[x].count == x
        assert versions[x].newest == (x - 1 if x else -math.inf)
        assert sum(b.n for b in versions[x].buckets) == x


def test_what_is_not_a_number_is_a_gap() -> None:
    series = made([1.0, math.nan, math.inf, 3.0])
    assert (series.count, series.gaps, series.last) == (2, 2, 3.0)
    assert [b.n for b in series.points(10)] == [1, 0, 0, 1]
    (one,) = series.points(1)
    assert one == Bucket(0, 3, 1.0, 3.0, 2.0, 2, 2)
    assert made([math.nan]).last is None
    assert EMPTY.append(math.nan, 1.0) is EMPTY
    assert EMPTY.columns == NONE
    assert EMPTY.points(10) == []


def test_equal_histories_are_equal_gaps_included() -> None:
    values = [math.nan if x % 7 == 0 else float(x) for x in range(2000)]
    assert made(values) == made(values)
    assert made(values) != made([*values[:-1], math.nan])


def test_a_swarm_that_counts_from_the_start_again_begins_the_series_anew() -> None:
    series = made([1.0, 2.0, 3.0], start=100).append(102, 4.0)
    assert (series.count, series.oldest) == (4, 100)
    anew = series.append(5, 9.0)
    assert (anew.count, anew.oldest, anew.newest) == (1, 5, 5)


def test_a_window_shows_only_its_positions() -> None:
    points = made([1.0] * 100).points(10, first=50, last=59)
    assert (points[0].first, points[-1].last) == (50, 59)


def test_numbers_near_the_limit_do_not_overflow_a_mean() -> None:
    (one,) = made([1e308, 1e308, -1e308, 1e308]).points(1)
    assert one.mean == pytest.approx(5e307)
