"""What is told to who returns: two looks and the journal's starts and ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import away, events
from core.fold import replay
from core.home import Home
from core.journal import Journal
from core.state import NodeState
from tests.tui.support import START, begin, history, keep, now_of, round_events


def state_of(rounds: int) -> NodeState:
    return replay(history(rounds))


def started(time: float) -> events.Event:
    return begin(time)[0]


def stopped(time: float) -> events.Event:
    return events.NodeStopped(time=time, reason="asked")


def test_the_difference_of_two_looks() -> None:
    then = away.look(state_of(30), now_of(30))
    told = away.between(then, state_of(90), (), now_of(90))
    assert told.rounds == 60
    assert told.votes == 60
    assert told.wins == 20
    assert told.credited == 0  # the same counter in both
    assert told.reward_before is not None
    assert told.reward_now is not None
    assert told.reward_now > told.reward_before
    assert told.seconds == pytest.approx(240)


def test_short_absences_and_idle_ones_are_not_worth_a_card() -> None:
    state = state_of(30)
    then = away.look(state, now_of(30))
    assert not away.between(then, state, (), now_of(30) + 10 * away.AWAY_S).worth_telling
    assert not away.between(then, state_of(31), (), now_of(31)).worth_telling
    assert away.between(then, state_of(31), (), now_of(31) + away.AWAY_S).worth_telling


def test_counters_of_another_swarm_are_not_subtracted() -> None:
    then = replace(away.look(state_of(30), now_of(30)), swarm="1:0xabc")
    told = away.between(then, state_of(60), (), now_of(60))
    assert (told.credited, told.votes, told.wins) == (None, None, None)
    assert told.rounds == 30


@pytest.mark.parametrize(
    ("lives", "restarts", "crashes"),
    [
        ([], 0, 0),
        ([started(1), stopped(2)], 0, 0),
        ([started(1)], 0, 1),
        ([started(1), stopped(20), started(21), stopped(30)], 1, 0),
        ([started(1), started(21), started(22), stopped(30)], 2, 2),
        ([started(1), started(21)], 1, 2),
    ],
)
def test_starts_and_crashes(lives: list[events.Event], restarts: int, crashes: int) -> None:
    told = away.between(away.Look(10), NodeState(), lives, 100)
    assert (told.restarts, told.crashes) == (restarts, crashes)


def test_a_crash_is_told_however_soon_somebody_looks() -> None:
    told = away.between(away.Look(10), NodeState(), [started(1)], 12)
    assert told.worth_telling
    assert not away.between(away.Look(10), NodeState(), [started(1), stopped(11)], 12).worth_telling


@pytest.mark.parametrize(
    ("past", "told"),
    [([], False), ([started(1)], True), ([started(1), stopped(2)], False)],
)
def test_a_node_knows_that_it_ended_unasked(
    home: Home, past: list[events.Event], told: bool
) -> None:
    keep(home, past)
    assert (away.ended_unasked(Journal(home.db, events.EventBus())) is not None) == told


def test_incidents_since_then_newest_first() -> None:
    def incident(code: str, time: float, level: str = "warning") -> events.Event:
        return events.Incident(time=time, code=code, what=code, why="", next_step="", level=level)

    state = replay(
        [
            incident("old", 5),
            incident("again", 6),
            incident("one", 11),
            incident("again", 12),
            incident("note", 13, "info"),
            incident("two", 14),
        ]
    )
    told = away.between(away.Look(10), state, (), 100)
    assert [line.code for line in told.incidents] == ["two", "again", "one"]


@given(
    st.builds(
        away.Look,
        st.floats(0, 1e12),
        st.integers(0, 10**9),
        st.none() | st.floats(-10, 10),
        st.text(max_size=50),
        st.none() | st.integers(-(2**255), 2**255),
        st.none() | st.integers(0, 2**63),
        st.none() | st.integers(0, 2**63),
    )
)
def test_a_look_survives_its_file(
    tmp_path_factory: pytest.TempPathFactory, seen: away.Look
) -> None:
    path = tmp_path_factory.getbasetemp() / "look.json"
    away.save(path, seen)
    assert away.load(path) == seen


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{",
        b'{"time": "now", "trained": 3}',
        b'{"time": NaN, "trained": 3}',
        b'{"time": true, "trained": 3}',
        b'{"time": 1e999, "trained": 3}',
        b'{"time": 1.0, "trained": 2.5}',
        b'{"time": 1' + b"0" * 400 + b', "trained": 3}',
        b'{"time": 1, "trained": 3}' + b" " * 5000,
        b"[" * 3000,
    ],
)
def test_a_file_that_makes_no_sense_is_no_look(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "look.json"
    path.write_bytes(text)
    assert away.load(path) is None


def test_a_disk_that_refuses_is_borne(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    away.remember(tmp_path / "file" / "look.json", NodeState(), START)


def test_the_recent_reward_is_a_mean_of_rounds() -> None:
    state = replay([e for n in range(1, 41) for e in round_events(n, START + 4 * n)])
    seen = away.look(state, START).reward
    rewards = [
        e.reward_mean
        for n in range(21, 41)
        for e in round_events(n, START)
        if isinstance(e, events.RoundFinished)
    ]
    assert seen == pytest.approx(sum(rewards) / 20)
