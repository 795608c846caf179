"""The limits of surprise: arithmetic that a plain second writing must agree with."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.gate.surprise import KEPT, LEAST, USUAL, WIDTHS, Usual, allowance, worst_stretch

NATS = st.lists(st.floats(0, 30, allow_subnormal=False), max_size=60)


@given(NATS, st.integers(1, 40))
def test_the_worst_stretch_is_the_largest_of_all_sums(nats, width):
    worst = worst_stretch(nats, width)
    parts = [nats[i : i + width] for i in range(max(1, len(nats) - width + 1))]
    assert worst.nats == pytest.approx(max(sum(part) for part in parts), abs=1e-9)
    assert sum(nats[worst.start : worst.start + worst.length]) == pytest.approx(
        worst.nats, abs=1e-9
    )
    assert worst.length == min(width, len(nats))


@given(st.lists(NATS, min_size=1, max_size=30), st.floats(0.1, 5), st.randoms())
def test_what_i_write_myself_is_within_my_limits(own, margin, rng: random.Random):
    usual = Usual()
    for nats in own:
        usual.learn(nats, rewarded=True)
    limits = [q + allowance(w, margin) for q, w in zip(usual.quantiles(), WIDTHS, strict=True)]
    rng.shuffle(own)
    for nats in own:
        over = any(
            worst_stretch(nats, width).nats > limit
            for width, limit in zip(WIDTHS, limits, strict=True)
        )
        assert (usual.excess([nats], margin) is not None) == over
    # Of fewer than a hundred, all are usual: the quantile is their largest.
    assert all(usual.excess([nats], margin) is None for nats in own)


@given(NATS, NATS.filter(bool), st.integers(0, 59), st.floats(0, 10))
def test_more_surprise_never_makes_a_completion_plausible(own, nats, place, more):
    usual = Usual()
    usual.learn(own, rewarded=True)
    worse = list(nats)
    worse[place % len(nats)] += more
    if usual.excess([nats], 2.0) is not None:
        assert usual.excess([worse], 2.0) is not None


@given(NATS, st.lists(st.floats(-1e-3, 1e-3), min_size=60, max_size=60))
def test_rounding_moves_it_by_no_more_than_it_moved_the_tokens(nats, noise):
    moved = [nat + more for nat, more in zip(nats, noise, strict=False)]
    for width in WIDTHS:
        gap = abs(worst_stretch(moved, width).nats - worst_stretch(nats, width).nats)
        assert gap <= 1e-3 * width + 1e-9


def test_a_phrase_in_few_of_my_own_does_not_become_usual():
    usual = Usual()
    phrase = [9.0] * 8
    for number in range(KEPT):
        usual.learn(phrase if number % 150 == 0 else [0.5] * 8, rewarded=True)
    which, excess = usual.excess([[0.5] * 8, phrase], 2.0)
    assert which == 1
    assert excess.usual == pytest.approx(4.0)
    assert excess.stretch.nats == pytest.approx(72.0)
    assert excess.limit == pytest.approx(4.0 + allowance(8, 2.0))


def test_rewarded_ones_are_measured_by_rewarded_ones_as_soon_as_there_are_a_few():
    usual = Usual()
    assert usual.excess([[99.0] * 8], 2.0) is None, "nothing is known yet"
    for _ in range(100):
        usual.learn([6.0] * 8, rewarded=False)
    assert usual.excess([[6.0] * 8], 2.0) is None
    for _ in range(LEAST):
        usual.learn([0.1] * 8, rewarded=True)
    assert usual.excess([[6.0] * 8], 2.0) is not None


def test_nan_and_infinity_are_implausible():
    usual = Usual()
    usual.learn([1.0], rewarded=True)
    assert usual.excess([[float("inf")]], 2.0) is not None
    assert usual.excess([[float("nan")] * 3], 2.0) is not None


@given(st.lists(st.floats(0, 100), min_size=1, max_size=200))
def test_the_usual_is_what_the_share_stays_within(worst):
    usual = Usual()
    for nats in worst:
        usual.learn([nats], rewarded=True)
    limit = usual.quantiles()[0]
    assert sum(nats <= limit for nats in worst) >= USUAL * len(worst)
    assert limit in worst
