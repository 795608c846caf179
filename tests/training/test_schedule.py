from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.training.schedule import learning_rate

schedules = st.sampled_from(["constant", "linear", "cosine"])
steps = st.integers(0, 50_000)


def test_the_warm_up_rises_in_equal_strides_and_reaches_the_peak():
    rates = [
        learning_rate(step, peak=6.0, warmup=5, schedule="constant", total=100) for step in range(8)
    ]
    assert rates == pytest.approx([1, 2, 3, 4, 5, 6, 6, 6])


def test_without_warm_up_the_first_step_takes_the_peak():
    assert learning_rate(0, peak=0.5, warmup=0, schedule="linear", total=10) == 0.5


@pytest.mark.parametrize(("schedule", "middle"), [("linear", 0.55), ("cosine", 0.55)])
def test_falling_schedules_meet_half_way_and_end_at_a_tenth(schedule, middle):
    def rate(step: int) -> float:
        return learning_rate(step, peak=1.0, warmup=10, schedule=schedule, total=110)

    assert rate(10) == pytest.approx(1.0)
    assert rate(60) == pytest.approx(middle)
    assert rate(110) == rate(10**6) == pytest.approx(0.1)


def test_the_quarter_of_the_cosine_is_its_own():
    quarter = 0.1 + 0.9 * (1 + math.cos(math.pi / 4)) / 2
    rate = learning_rate(25, peak=2.0, warmup=0, schedule="cosine", total=100)
    assert rate == pytest.approx(2 * quarter)


def test_a_schedule_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="no schedule 'wsd'"):
        learning_rate(0, peak=1.0, warmup=0, schedule="wsd", total=1)


@given(steps, schedules, st.integers(0, 300), st.integers(1, 20_000))
def test_rates_stay_within_the_peak_and_never_rise_after_the_warm_up(step, schedule, warmup, total):
    def rate(at: int) -> float:
        return learning_rate(at, peak=1.0, warmup=warmup, schedule=schedule, total=total)

    assert 0 < rate(step) <= 1.0
    if step >= warmup:
        assert rate(step + 1) <= rate(step)
    if step >= total and schedule != "constant":
        assert rate(step) <= 0.1 + 1e-12
