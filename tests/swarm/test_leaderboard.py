"""The leaderboard from events: the original's counters, in every order, within bounds."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.protocols import ChainEvent
from core.swarm import board_file, leaderboard
from core.swarm.board_file import Head
from core.swarm.leaderboard import Board, Entry, Leader, from_row, to_row

PEERS = st.sampled_from(["QmA", "QmB", "QmC", "QmD"])
VOTES = st.builds(
    lambda peer, winners, n: ("WinnerSubmitted", vote(peer, winners, n)),
    PEERS,
    st.lists(PEERS, max_size=3, unique=True),
    st.integers(0, 50),
)
REPORTS = st.builds(
    lambda peer, reward, n: ("RewardSubmitted", report(peer, reward, n)),
    PEERS,
    st.integers(-5, 20),
    st.integers(0, 50),
)


def vote(peer: str, winners: list[str], n: int) -> dict[str, Any]:
    return {"account": "0x1", "peerId": peer, "roundNumber": n, "winners": tuple(winners)}


def report(peer: str, reward: int, n: int) -> dict[str, Any]:
    return {"peerId": peer, "roundNumber": n, "stageNumber": 0, "reward": reward}


def chain_of(actions: list[tuple[str, dict[str, Any]]]) -> list[ChainEvent]:
    """The events that the contract emits for these: a report is followed by the peer's sum."""
    sums: dict[str, int] = {}
    out = []
    for block, (name, fields) in enumerate(actions):
        out.append(ChainEvent(block, 0, name, fields))
        if name == "RewardSubmitted":
            peer = fields["peerId"]
            sums[peer] = sums.get(peer, 0) + fields["reward"]
            total = {"peerId": peer, "totalRewards": sums[peer]}
            out.append(ChainEvent(block, 1, "CumulativeRewardsUpdated", total))
    return out


def board_of(events: list[ChainEvent]) -> Board:
    board = Board()
    for event in events:
        board.apply(event)
    return board


@given(st.lists(VOTES | REPORTS, max_size=60))
def test_the_counters_are_those_of_the_original(actions: list[tuple[str, dict[str, Any]]]) -> None:
    votes = [fields for name, fields in actions if name == "WinnerSubmitted"]
    reports = [fields for name, fields in actions if name == "RewardSubmitted"]
    named = {w for v in votes for w in v["winners"]}
    ranked = board_of(chain_of(actions)).ranked()
    assert {e.peer_id for e in ranked} == named | {f["peerId"] for _, f in actions}
    for entry in ranked:
        mine = [r for r in reports if r["peerId"] == entry.peer_id]
        assert entry.participation == sum(v["peerId"] == entry.peer_id for v in votes)
        assert entry.wins == sum(entry.peer_id in v["winners"] for v in votes)
        assert entry.total_reward == sum(r["reward"] for r in mine)
        assert entry.last_reward == (mine[-1]["reward"] if mine else 0)
        assert entry.round == (mine[-1]["roundNumber"] if mine else None)
        assert [y for _, y in entry.history][-1:] == ([entry.total_reward] if mine else [])
        assert len(entry.history) == min(len(mine), leaderboard.MAX_HISTORY)


@given(st.lists(VOTES | REPORTS, max_size=60))
def test_the_order_is_total_and_ties_stay_in_order_of_appearance(
    actions: list[tuple[str, dict[str, Any]]],
) -> None:
    events = chain_of(actions)
    ranked = board_of(events).ranked()
    merits = [entry.merit for entry in ranked]
    assert merits == sorted(merits, reverse=True)
    seen: list[str] = []
    for event in events:
        for peer in (event.fields["peerId"], *event.fields.get("winners", ())):
            if peer not in seen:
                seen.append(peer)
    for one, other in pairwise(ranked):
        if one.merit == other.merit:
            assert seen.index(one.peer_id) < seen.index(other.peer_id)


@given(st.lists(VOTES | REPORTS, max_size=40), st.integers(0, 80))
def test_disk_and_a_copy_change_nothing(
    actions: list[tuple[str, dict[str, Any]]], cut: int
) -> None:
    events = chain_of(actions)
    whole, half = board_of(events), board_of(events[:cut])
    with TemporaryDirectory() as folder:
        path, head = Path(folder) / "board", Head("31337:0xab", 7, "0xcd")
        board_file.write(path, head, half)
        found = board_file.read(path, "31337:0xab")
        assert found is not None
        assert [each.peer_id for each in board_file.entries(path, "")] == [
            each["peer_id"] for each in half.to_json()
        ]
        assert board_file.read(path, "another") is None
    told, kept = found
    assert told == head
    copied = half.copy()
    for event in events[cut:]:
        kept.apply(event)
        copied.apply(event)
    assert kept.ranked() == copied.ranked() == whole.ranked()
    assert half.ranked() == board_of(events[:cut]).ranked()


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=200),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@settings(max_examples=300)
@given(
    st.sampled_from([*leaderboard.EVENTS, "Other"]),
    st.dictionaries(
        st.sampled_from(
            ["peerId", "winners", "reward", "roundNumber", "stageNumber", "totalRewards"]
        ),
        ANYTHING,
    ),
)
def test_fields_that_make_no_sense_count_for_nothing(name: str, fields: dict[str, Any]) -> None:
    board = Board()
    board.apply(ChainEvent(1, 0, name, fields))
    for entry in board.ranked():
        assert 0 < len(entry.peer_id) <= leaderboard.MAX_PEER_ID_CHARS
        assert from_row(json.loads(json.dumps(to_row(Leader(1, "otter", entry))))).entry == entry


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from([*to_row(Leader(1, "x", Entry("Qm")))]), ANYTHING))
def test_a_row_is_a_leader_or_a_value_error(row: dict[str, Any]) -> None:
    try:
        leader = from_row(row)
    except ValueError:
        return
    assert to_row(leader).keys() >= row.keys()


def test_names_that_only_votes_know_make_room_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaderboard, "MAX_PEERS", 100)
    board = Board()
    for n in range(90):
        board.apply(ChainEvent(n, 0, "WinnerSubmitted", vote(f"QmReal{n}", ["QmReal0"], n)))
    for n in range(2000):
        made_up = [f"QmGhost{n}-{k}" for k in range(5)]
        board.apply(ChainEvent(n, 0, "WinnerSubmitted", vote("QmReal1", made_up, n)))
    assert len(board) <= 115
    kept = {entry.peer_id: entry for entry in board.ranked()}
    assert {f"QmReal{n}" for n in range(90)} <= set(kept)
    assert kept["QmReal1"].participation == 2001
    assert kept["QmReal0"].wins == 90
