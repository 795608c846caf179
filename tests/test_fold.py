from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import bounded, events, fold, fold_rewards, fold_rollouts, fold_series, fold_swarm
from core.state import NodeState
from tests.event_strategies import any_event


def finished(round: int, **changes: Any) -> events.RoundFinished:
    values: dict[str, Any] = {
        "round": round,
        "time": 1000.0 + round,
        "reward_mean": 0.25,
        "swarm_reward_mean": 0.3,
        "loss": 0.1,
        "seconds": 1.5,
        "wait_s": 0.1,
        "own_groups": 16,
        "foreign_groups": 0,
        "rejected_groups": 0,
        "peers": 0,
        "tokens_per_s": 900.0,
        "rss_mib": 700.0,
        "metrics": {"entropy": 0.8},
    }
    return events.RoundFinished(**{**values, **changes})


def submission(round: int, status: str, **changes: Any) -> events.SubmissionChanged:
    return events.SubmissionChanged(round=round, kind="reward", status=status, **changes)


def started(**changes: Any) -> events.NodeStarted:
    values: dict[str, Any] = {
        "version": "0",
        "pid": 1,
        "profile": "solo",
        "home": "/h",
        "peer_id": "Qm1",
        "name": "calm otter",
        "model": "waggle-tiny",
        "swarm": "waggle",
    }
    return events.NodeStarted(**{**values, **changes})


def test_a_round_fills_series_and_totals() -> None:
    state = fold.replay([started(), finished(1), finished(2, loss=None)])
    assert state.running
    assert state.ledger.trained == 2
    assert state.series_of("reward/own").count == 2
    assert state.series_of("loss").count == 1
    assert state.series_of("entropy").last == 0.8
    assert state.last_round is not None
    assert state.last_round.round == 2
    assert state.updated == max(1002.0, state.node.time if state.node else 0)


def test_what_is_missing_in_a_round_is_a_gap_where_it_was_expected() -> None:
    rare = {"entropy": 0.8, "reward_mean/spell": 0.5, "out_of_memory_retries": 1.0}
    state = fold.replay(
        [
            finished(1, metrics=rare),
            finished(2, metrics={"entropy": float("nan")}),
            finished(3, loss=None, metrics={}),
            finished(4),
        ]
    )
    gaps = {name: state.series_of(name).gaps for name in ("entropy", "loss", *rare)}
    assert gaps == {"entropy": 2, "loss": 1, "reward_mean/spell": 0, "out_of_memory_retries": 0}
    assert [bucket.n for bucket in state.series_of("entropy").buckets] == [1, 0, 0, 1]


def loaded(checkpoint_round: int | None) -> events.ModelLoaded:
    return events.ModelLoaded(
        model="m",
        parameters=1,
        dtype="float32",
        device="cpu",
        threads=1,
        seconds=1.0,
        checkpoint_round=checkpoint_round,
    )


def test_charts_go_on_with_a_checkpoint_and_begin_anew_with_fresh_weights() -> None:
    trained = [started(), loaded(None), finished(1), finished(2)]
    resumed = fold.replay([*trained, started(), loaded(2), finished(3)])
    assert resumed.series_of("loss").count == 3
    fresh = fold.replay([*trained, started(), loaded(None), finished(3)])
    assert fresh.series_of("loss").count == 1
    assert fresh.ledger.trained == 3


def test_a_submission_counts_once_whatever_it_went_through() -> None:
    state = fold.replay(
        [
            submission(1, "pending", value="7"),
            submission(1, "sent", tx_hash="0x1"),
            submission(1, "confirmed"),
            submission(1, "confirmed"),
            submission(1, "sent"),
            submission(2, "pending", value="3"),
            submission(3, "failed", error="RoundNumberInvalid"),
        ]
    )
    ledger = state.ledger
    assert ledger.confirmed == {"reward": 1}
    assert ledger.failed == {"reward": 1}
    assert [s.round for s in ledger.pending] == [2]
    assert ledger.submitted == 3
    assert ledger.settled[0].value == "7"
    assert ledger.last_error == "RoundNumberInvalid"


def test_a_confirmed_submission_is_credited_or_taken_back() -> None:
    confirmed = [submission(n, "confirmed", value="7", block=9, time=5.0) for n in (1, 2, 3)]
    ledger = fold.replay([*confirmed, submission(1, "credited", time=9.0)]).ledger
    assert ledger.confirmed == {"reward": 3}, "counted when it was confirmed"
    assert [(s.round, s.status) for s in ledger.settled][-1] == (1, "credited")
    assert (ledger.settled[-1].changed, ledger.settled[-1].since) == (9.0, 5.0)
    back = submission(2, "pending", code="Reorganised", error="The chain went back")
    ledger = fold.replay([*confirmed, back]).ledger
    assert ledger.confirmed == {"reward": 2}
    assert [(s.round, s.value) for s in ledger.pending] == [(2, "7")]
    ledger = fold.replay([*confirmed, back, submission(2, "confirmed")]).ledger
    assert (ledger.confirmed, ledger.pending) == ({"reward": 3}, ())


def test_rounds_of_two_swarms_are_not_one() -> None:
    one, other = (submission(7, "confirmed", swarm=swarm) for swarm in ("1:0xa", "1:0xb"))
    assert fold.replay([one, other]).ledger.confirmed == {"reward": 2}
    old = submission(7, "pending")  # from a journal that named no swarm
    ledger = fold.replay([old, one]).ledger
    assert (ledger.confirmed, ledger.pending) == ({"reward": 1}, ())


def test_repeated_incidents_fold_into_one() -> None:
    one = events.Incident(code="clock_unreachable", what="No chain", time=1.0)
    two = events.Incident(code="clock_unreachable", what="No chain", time=9.0)
    state = fold.replay([one, events.Incident(code="other", what="x", time=2.0), two])
    assert [(i.code, i.count, i.first, i.last) for i in state.incidents] == [
        ("other", 1, 2.0, 2.0),
        ("clock_unreachable", 2, 1.0, 9.0),
    ]


def test_peers_add_up_and_the_longest_unseen_go_first() -> None:
    state = NodeState()
    for n in range(fold_swarm.MAX_PEERS + 5):
        state = fold.fold(state, events.PeerSeen(round=1, peer_id=f"Qm{n}", name="x", groups=2))
    state = fold.fold(state, events.PeerSeen(round=2, peer_id="Qm5", name="x", groups=2, used=1))
    assert len(state.peers) == fold_swarm.MAX_PEERS
    assert "Qm4" not in state.peers
    assert list(state.peers)[-1] == "Qm5"
    assert (state.peers["Qm5"].groups, state.peers["Qm5"].used) == (4, 1)


def test_only_the_changed_part_is_a_new_object() -> None:
    before = fold.replay([started(), finished(1)])
    after = fold.fold(before, events.PhaseChanged(phase="sample"))
    assert after.series is before.series
    assert after.peers is before.peers
    assert after.phase is not before.phase


def test_thinned_history_keeps_the_totals() -> None:
    thinned = events.HistoryThinned(counts={"rounds": 900, "reward/confirmed": 890})
    state = fold.replay([thinned, finished(901), submission(901, "confirmed")])
    assert state.ledger.trained == 901
    assert state.ledger.confirmed == {"reward": 891}


def test_a_start_forgets_what_belonged_to_the_last_process() -> None:
    up = events.ServiceChanged(service="net", status="up")
    state = fold.replay([started(), up, events.Paused(), events.NodeStopped(), started()])
    assert state.running
    assert not state.paused
    assert state.services == {}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(any_event(), max_size=40))
def test_no_sequence_of_events_breaks_the_fold_or_its_bounds(history: list[events.Event]) -> None:
    state = fold.replay(history)
    assert len(state.log) <= fold.MAX_LOG_LINES
    assert len(state.incidents) <= fold.MAX_INCIDENTS
    assert len(state.rollouts) <= fold_rollouts.MAX_SHOWN
    assert len(state.ledger.pending) <= fold_rewards.MAX_PENDING
    assert len(state.ledger.settled) <= fold_rewards.MAX_SETTLED
    assert len(state.series) <= fold_series.MAX_SERIES
    assert len({i.code + "\n" + i.what for i in state.incidents}) == len(state.incidents)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(any_event(), max_size=20))
def test_folding_in_two_goes_is_the_same_as_in_one(history: list[events.Event]) -> None:
    half = len(history) // 2
    assert repr(fold.replay(history)) == repr(
        fold.replay(history[half:], fold.replay(history[:half]))
    )


def test_bounds_hold_for_long_histories() -> None:
    state = NodeState()
    for n in range(3000):
        for event in (
            events.LogLine(level="info", source="x", text="y" * 5000),
            events.Incident(code=f"c{n}", what="w"),
            submission(n, "pending"),
            submission(n - 300, "confirmed"),
            finished(n, metrics={f"m{n}": 1.0}),
            events.ServiceChanged(service=f"s{n}", status="up"),
            events.GroupRejected(peer_id="p", task="t", reason=f"r{n}"),
        ):
            state = fold.fold(state, event)
    assert len(state.log) == fold.MAX_LOG_LINES
    assert all(len(line.text) <= bounded.MAX_TEXT for line in state.log)
    assert len(state.incidents) == fold.MAX_INCIDENTS
    assert len(state.series) == fold_series.MAX_SERIES
    assert len(state.services) == fold.MAX_NAMES
    assert len(state.rejected) == len(state.peers["p"].reasons) == fold_swarm.MAX_REASONS
    assert len(state.ledger.pending) <= fold_rewards.MAX_PENDING
