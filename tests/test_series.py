from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.series import EMPTY, MAX_BUCKETS

FINITE = st.floats(-1e300, 1e300)


def test_few_points_are_kept_as_they_are() -> None:
    series = EMPTY
    for x in range(10):
        series = series.append(x, x * 2.0)
    assert [(b.first, b.mean) for b in series.points(80)] == [(x, x * 2.0) for x in range(10)]
    assert series.last == 18.0


def test_a_long_series_stays_small_and_keeps_its_spike() -> None:
    series = EMPTY
    for x in range(50_000):
        series = series.append(x, 100.0 if x == 7 else 1.0)
    assert len(series.buckets) <= MAX_BUCKETS
    assert series.count == 50_000
    points = series.points(60)
    assert len(points) <= 60
    assert max(b.high for b in points) == 100.0
    assert sum(b.n for b in points) == 50_000
    assert sum(b.mean * b.n for b in points) / 50_000 == pytest.approx(1.00198)


@settings(max_examples=60, deadline=None)
@given(st.lists(FINITE, max_size=300), st.integers(1, 200))
def test_buckets_bound_what_they_hold(values: list[float], width: int) -> None:
    series = EMPTY
    for x, value in enumerate(values):
        series = series.append(x, value)
    points = series.points(width)
    assert len(points) <= width
    assert sum(b.n for b in points) == len(values)
    assert all(b.low <= b.mean <= b.high and b.first <= b.last for b in points)
    if values:
        assert min(b.low for b in points) == min(values)
        assert max(b.high for b in points) == max(values)
        assert series.last == values[-1]


def test_what_is_not_a_number_adds_nothing() -> None:
    assert EMPTY.append(1, math.nan) is EMPTY
    assert EMPTY.append(1, math.inf) is EMPTY
    assert EMPTY.last is None
    assert EMPTY.points(10) == []


def test_a_window_shows_only_its_positions() -> None:
    series = EMPTY
    for x in range(100):
        series = series.append(x, 1.0)
    points = series.points(10, first=50, last=59)
    assert (points[0].first, points[-1].last) == (50, 59)
