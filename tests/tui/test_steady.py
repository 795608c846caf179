"""A verdict that hovers is one verdict."""

from __future__ import annotations

import itertools

import pytest

from tui.steady import MENDED, STAYS_S, Steady
from tui.views import Headline

WELL = Headline("healthy", "Round 7 finished in 1.0 s", "Nothing to do")
ILL = Headline("degraded", "The entropy has collapsed", "Set it lower")


def test_what_gets_worse_is_told_at_once_and_what_gets_better_when_it_stays_so() -> None:
    steady = Steady()
    assert steady.tell(WELL, 0) == WELL
    assert steady.tell(ILL, 1) == ILL
    assert steady.tell(WELL, 2) == Headline("degraded", ILL.reason, MENDED)
    assert steady.tell(WELL, 2 + STAYS_S) == WELL
    assert steady.tell(WELL, 3 + STAYS_S) == WELL


def test_a_verdict_that_changes_every_few_seconds_is_shown_as_one() -> None:
    steady = Steady()
    shown = [steady.tell(ILL if at % 9 < 4 else WELL, at).level for at in range(300)]
    assert sum(one != other for one, other in itertools.pairwise(shown)) == 0


@pytest.mark.parametrize("level", ["paused", "down", "starting"])
def test_what_a_person_did_is_told_at_once(level: str) -> None:
    steady, other = Steady(), Headline(level, "because")
    steady.tell(ILL, 0)
    assert steady.tell(other, 1) == other
    assert steady.tell(WELL, 2) == WELL


def test_a_clock_that_was_set_back_holds_nothing_for_longer() -> None:
    steady = Steady()
    steady.tell(ILL, 10_000)
    steady.tell(WELL, 10_001)
    assert steady.tell(WELL, 100).level == "degraded"
    assert steady.tell(WELL, 100 + STAYS_S) == WELL
