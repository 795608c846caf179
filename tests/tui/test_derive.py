"""Events folded into a state, and the state into views."""

from __future__ import annotations

from core import events
from core.fold import replay
from core.state import NodeState
from tests.tui.support import ACCOUNT, START, begin, history, now_of
from tui import derive


def test_headline_before_there_is_a_node() -> None:
    view = derive.headline(NodeState(), START, "Starting the node")
    assert (view.level, view.reason) == ("starting", "Starting the node")


def test_headline_of_a_training_node_is_healthy() -> None:
    assert derive.headline(replay(history(5)), now_of(5)).level == "healthy"


def test_round_view_counts_progress_and_time() -> None:
    view = derive.round_view(replay(history(5)), now_of(5))
    assert (view.round, view.phase, view.done, view.total) == (6, "sample", 40, 64)
    assert view.fraction == 40 / 64
    assert view.elapsed_s == 1
    assert view.next_in_s == 108
    assert (view.trained, view.submitted, view.confirmed) == (5, 5, 4)


def test_fraction_by_time_never_claims_to_be_done() -> None:
    state = replay([*begin(), events.PhaseChanged(time=START, phase="update", expected_s=2.0)])
    assert derive.round_view(state, START + 1).fraction == 0.5
    assert derive.round_view(state, START + 60).fraction == 0.99


def test_a_starting_node_says_what_it_waits_for() -> None:
    view = derive.round_view(replay(begin()[:3]), START + 1)
    assert view.detail == "services: starting; model: waggle-tiny"


def test_charts_have_at_most_as_many_points_as_columns() -> None:
    state = replay(history(300))
    for width in (10, 40, 120):
        for view in (derive.loss_chart(state, width), derive.reward_chart(state, width)):
            assert view.lines
            assert all(0 < len(line.x) <= width for line in view.lines)
            assert all(line.x[0] == 1 and line.x[-1] == 300 for line in view.lines)


def test_a_swarm_of_one_has_no_swarm_line() -> None:
    assert len(derive.reward_chart(replay(history(5, peers=False)), 40).lines) == 1
    assert len(derive.reward_chart(replay(history(5)), 40).lines) == 2


def test_empty_charts() -> None:
    assert derive.loss_chart(NodeState(), 40).empty


def test_peers_are_this_node_and_the_others_in_a_steady_order() -> None:
    state = replay(history(3))
    view = derive.peers_view(state, now_of(3))
    assert [row.name for row in view.rows] == [
        "calm golden badger",
        "quick amber otter",
        "shy marble heron",
    ]
    assert view.rows[0].me
    assert view.rows[1].used == 12


def test_thousands_of_peers_are_cut_and_counted() -> None:
    seen = [events.PeerSeen(time=START, peer_id=f"Qm{n}", name=f"n{n}") for n in range(1500)]
    view = derive.peers_view(replay([*begin(), *seen]), START + 5)
    assert len(view.rows) == derive.MAX_PEER_ROWS + 1
    assert view.hidden == 1500 - derive.MAX_PEER_ROWS


def test_ledger_shows_rounds_newest_first_with_their_status() -> None:
    view = derive.ledger_view(replay(history(5)))
    assert [row.round for row in view.rows] == [5, 4, 3, 2, 1]
    assert (view.rows[0].reward, view.rows[1].reward) == ("sent", "confirmed")
    assert (view.trained, view.submitted, view.confirmed, view.queue) == (5, 5, 4, 1)
    assert (view.participation, view.wins, view.total_reward) == (5, 1, 41)


def test_status_line() -> None:
    state = replay(history(2))
    view = derive.status_view(state, ACCOUNT, 1.5, START)
    assert (view.model, view.name, view.queue) == ("waggle-tiny", "calm golden badger", 1)
    assert view.backup == "no backup"
    made = events.IdentityBackedUp(time=START, made=START)
    for age_s, told in ((0, "backup today"), (-60, "backup today"), (260_000, "backup 3 d old")):
        view = derive.status_view(replay([made], state), ACCOUNT, 1.5, START + age_s)
        assert view.backup == told
