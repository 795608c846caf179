"""The book of strikes: bounded, forgiving with time, never one peer's for another, never unfair."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.gate import quarantine
from core.gate.admission import REASONS
from core.gate.quarantine import (
    CREDIT,
    LAPSE,
    LONGEST_S,
    MAX_PEERS,
    WEIGHTS,
    Book,
    Policy,
    Standing,
    book_in,
    is_held,
    release,
    strikes_now,
)

POLICY = Policy(limit=3.0, half_life_s=1000.0, quarantine_s=100.0)
MALICE = sorted(reason for reason, weight in WEIGHTS.items() if weight >= 0.5)
HARMLESS = sorted(set(REASONS) - set(WEIGHTS))
LAPSES = sorted(reason for reason, weight in WEIGHTS.items() if weight == LAPSE)
TIMES = st.floats(0, 1e10, allow_nan=False)
STANDINGS = st.builds(
    Standing,
    strikes=st.floats(0, 100),
    at=TIMES,
    held=st.booleans(),
    until=TIMES,
    times=st.integers(0, 100),
)
REASON = st.sampled_from(sorted(REASONS)) | st.text(max_size=8)


def play(steps: Sequence[tuple[str, Sequence[str]]], pause_s: float, policy: Policy = POLICY):
    """The book after one contribution a step, by (account, reasons), and who was ever held."""
    book: Book = {}
    held, now = set(), 0.0
    for name, reasons in steps:
        now += pause_s
        book, _ = release(book, now)
        book, caught = book_in(book, name, reasons, now, policy)
        if caught:
            held.add(name)
    return book, held


def test_every_weighed_reason_is_one_of_admission() -> None:
    assert set(WEIGHTS) < set(REASONS)
    assert {"no_signal", "quota", "stale", "quarantine", "exchange"} <= set(HARMLESS)


@pytest.mark.parametrize("reason", MALICE)
def test_who_goes_on_is_held_and_for_longer_each_time(reason: str) -> None:
    book: Book = {}
    now, lengths = 0.0, []
    while len(lengths) < 14:
        now += 10
        book, due = release(book, now)
        assert not due or due == ("x",)
        book, caught = book_in(book, "x", [reason], now, POLICY)
        if caught:
            assert is_held(book, "x")
            lengths.append(book["x"].until - now)
    assert lengths[0] == 100.0
    assert all(b == min(2 * a, LONGEST_S) for a, b in pairwise(lengths))
    assert lengths[-1] == LONGEST_S


def test_after_a_quiet_day_the_first_time_counts_as_the_first_again() -> None:
    book, _ = book_in({}, "x", ["schema"], 0, Policy(limit=1, quarantine_s=100))
    assert (book["x"].until, book["x"].times) == (100, 1)
    book, due = release(book, 100.0)
    assert due == ("x",)
    assert not is_held(book, "x")
    again, _ = book_in(book, "x", ["schema"], 500.0, Policy(limit=1, quarantine_s=100))
    assert again["x"].times == 2
    later, _ = book_in(book, "x", ["schema"], 200.0 + LONGEST_S, Policy(limit=1, quarantine_s=100))
    assert (later["x"].times, later["x"].until) == (1, 300.0 + LONGEST_S)


def test_a_limit_of_nought_holds_nobody() -> None:
    book, held = play([("x", ["schema"])] * 500, 1.0, Policy(limit=0))
    assert (book, held) == ({}, set())


@given(STANDINGS, TIMES, TIMES)
def test_strikes_only_ever_decay(standing: Standing, a: float, b: float) -> None:
    early, late = sorted((a, b))
    before, after = (strikes_now(standing, t, POLICY) for t in (early, late))
    assert 0 <= after <= before <= standing.strikes
    half = strikes_now(standing, standing.at + POLICY.half_life_s, POLICY)
    assert math.isclose(half, standing.strikes / 2, rel_tol=1e-6)


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.lists(REASON, max_size=4)), max_size=80),
    st.floats(0, 5000),
)
def test_one_peers_strikes_never_touch_another(
    steps: list[tuple[str, list[str]]], pause_s: float
) -> None:
    together, held = play(steps, pause_s)
    for name in "abcd":
        # alone, at the same times: the others' steps are there as those of nobody
        alone, alone_held = play(
            [step if step[0] == name else ("nobody", ["quota"]) for step in steps], pause_s
        )
        assert (name in held) == (name in alone_held)
        if name in together and name in alone:
            assert together[name] == alone[name]


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(LAPSES)), max_size=300), TIMES)
def test_an_honest_peer_that_fails_now_and_then_is_never_held(
    rounds: list[tuple[bool, str]], pause_s: float
) -> None:
    """At most every third contribution fails, in the worst order; harmless reasons do not count."""
    steps = []
    for fails, how in rounds:
        steps += [("x", [how])] if fails else [("x", ["no_signal", "quota"])]
        steps += [("x", ["stale"]), ("x", [])] if fails else []
    book, held = play(steps, pause_s % 100)
    assert not held
    assert all(each.strikes <= LAPSE + CREDIT for each in book.values())


def test_who_never_delivers_is_left_alone_in_the_end() -> None:
    """A peer that announces and never gives costs a timeout each round; not for ever."""
    _, held = play([("x", ["timeout"])] * 20, 10.0)
    assert held == {"x"}


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.integers(0, 5000), REASON), max_size=60),
    st.integers(0, MAX_PEERS),
    st.floats(-1e5, 1e5),
)
def test_the_book_is_bounded_and_never_raises(
    steps: list[tuple[int, str]], crowd: int, jump_s: float
) -> None:
    book: Book = {f"crowd-{n}": Standing(1.0, at=float(n)) for n in range(crowd)}
    now = 1e9
    for number, reason in steps:
        now += jump_s
        book, _ = release(book, now)
        book, _ = book_in(book, f"p{number}", [reason], now, POLICY)
        assert len(book) <= MAX_PEERS
        for each in book.values():
            assert 0 <= each.strikes < 100
            assert each.times < 100


def test_a_crowd_of_new_names_does_not_wash_out_who_is_held() -> None:
    book: Book = {}
    for _ in range(3):
        book, caught = book_in(book, "villain", ["schema"], 0.0, POLICY)
    assert caught
    for n in range(2 * MAX_PEERS):
        book, _ = book_in(book, f"sybil-{n}", ["schema"], 1.0, POLICY)
    assert len(book) == MAX_PEERS
    assert is_held(book, "villain")


def test_a_clock_that_is_put_back_frees_rather_than_locks_up_for_ever() -> None:
    book: Book = {"x": Standing(5.0, at=2e9, held=True, until=2e9 + 600, times=1)}
    book, due = release(book, 1e9)
    assert due == ("x",)
    assert strikes_now(book["x"], 1e9, POLICY) == 5.0


def test_unsigned_contributions_have_an_account_of_their_own() -> None:
    name = quarantine.account("QmA", signed=False)
    assert name != quarantine.account("QmA", signed=True) == "QmA"
    assert quarantine.owner(name) == ("QmA", False)
    assert quarantine.owner("QmA") == ("QmA", True)
