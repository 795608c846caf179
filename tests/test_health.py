"""The verdict: life, services and rewards, and what holds for all of it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import events, fold
from core.health import NOTHING_TO_DO, verdict
from core.state import NodeState
from tests.event_strategies import any_event
from tests.health_support import (
    NOW,
    counted,
    money,
    service,
    trained,
    trouble,
    up,
)
from tests.test_fold import finished, started, submission

CASES = [
    ("nothing ever ran", [], "down", "No node has run here yet"),
    ("started", [started(time=NOW - 5)], "starting", "starting"),
    (
        "starting for long",
        [started(time=NOW - 500), service("model", "starting")],
        "degraded",
        "waiting for model",
    ),
    ("start failed", [started(time=NOW - 5), trouble(NOW - 2)], "degraded", "It broke: rust"),
    ("first round", up(), "healthy", "Training round 6"),
    ("trained", trained(), "healthy", "Round 6 finished in 1.5 s"),
    ("paused", trained(events.Paused(time=NOW)), "paused", "Paused"),
    ("resumed", trained(events.Paused(), events.Resumed(time=NOW)), "healthy", "Round 6"),
    ("stopped", trained(events.NodeStopped(time=NOW)), "down", "was stopped"),
    (
        "failed",
        trained(trouble(NOW - 1), events.NodeStopped(reason="failed", time=NOW)),
        "down",
        "It broke: rust",
    ),
    ("model down", trained(service("model", "down")), "down", "model is down: because"),
    ("net down", trained(service("net", "down")), "degraded", "The network is down: because"),
    ("net mended", trained(service("net", "down"), service("net", "up")), "healthy", "Round 6"),
    (
        "host down",
        trained(service("services", "down")),
        "degraded",
        "host process is down: because",
    ),
    ("child down", trained(service("node-2", "down")), "degraded", "Node-2 is down"),
    ("journal", trained(service("journal", "degraded")), "degraded", "journal is degraded"),
    ("recent error", trained(trouble(NOW - 1)), "degraded", "It broke: rust"),
    ("warning only", trained(trouble(NOW - 1, "warning")), "healthy", "Round 6"),
    ("outlived error", up(trouble(NOW - 10), finished(6, time=NOW - 5)), "healthy", "Round 6"),
    (
        "silence",
        [started(time=0), finished(6, time=NOW - 2000)],
        "degraded",
        "Nothing has happened for 33 min",
    ),
    (
        "waiting for the clock",
        trained(events.PhaseChanged(phase="wait", detail="the others", time=NOW - 100)),
        "healthy",
        "Round 6",
    ),
    (
        "waiting for ever",
        [
            started(time=0),
            finished(6, time=NOW - 2000),
            events.PhaseChanged(phase="wait", detail="the others", time=NOW - 1900),
        ],
        "degraded",
        "Waiting for 32 min: the others",
    ),
    (
        "queue",
        trained(submission(5, "pending", time=NOW - 900)),
        "degraded",
        "A submission has waited up to 15 min for the chain",
    ),
    (
        "a queue that is tried again and again",
        trained(
            *(
                submission(5, "pending", time=NOW - 900 + n, error="It is down.", attempts=n)
                for n in range(0, 890, 30)
            )
        ),
        "degraded",
        "waited up to 15 min for the chain: It is down",
    ),
    (
        "a queue of a swarm that it is not in now",
        trained(submission(5, "pending", time=NOW - 900, swarm="1:0xold"), counted()),
        "healthy",
        "Round 6",
    ),
    (
        "another account",
        trained(counted(owner="0xOther", account="0xMe")),
        "degraded",
        "registered to 0xOther, and its account is 0xMe",
    ),
    ("the same account", trained(counted(owner="0xME", account="0xme")), "healthy", "Round 6"),
    (
        "refused by the line",
        trained(counted(code="WrongChain", obstacle="The chain is another", why="its id is 5")),
        "degraded",
        "Rewards wait here. The chain is another: its id is 5",
    ),
    (
        "login pending",
        trained(counted(obstacle="The login is not activated yet", obstacle_since=NOW - 90)),
        "degraded",
        "The login is not activated yet",
    ),
    (
        "an obstacle of a moment",
        trained(counted(obstacle="The line is down", obstacle_since=NOW - 5)),
        "healthy",
        "Round 6",
    ),
    (
        "an obstacle that is gone",
        trained(counted(obstacle="No", code="WrongChain"), counted()),
        "healthy",
        "Round 6",
    ),
    (
        "read-only, as chosen",
        trained(counted(code="ReadOnly", obstacle="It only reads", waiting=1)),
        "healthy",
        "Round 6",
    ),
    (
        "a twin",
        trained(submission(5, "credited", code="Elsewhere", time=NOW - 9)),
        "degraded",
        "Another machine runs with this peer's key: a submission",
    ),
    (
        "a twin that has ended",
        trained(submission(5, "credited", code="Elsewhere", time=NOW - 900)),
        "healthy",
        "Round 6",
    ),
    (
        "gas low",
        trained(money(10**15, 10**14)),
        "degraded",
        "can pay for 10 more submissions: it has 0.001 ether",
    ),
    ("gas gone", trained(money(1, 10**14)), "degraded", "cannot pay for another submission"),
    ("gas enough", trained(money(10**18, 10**14)), "healthy", "Round 6"),
    ("others pay", trained(money(0, 0)), "healthy", "Round 6"),
    (
        "refused",
        trained(submission(5, "failed", error="WrongRound", time=NOW - 9)),
        "degraded",
        "refused the reward of round 5: WrongRound",
    ),
    (
        "no signal",
        trained(*(events.StepSkipped(round=n, reason="no_signal", time=NOW) for n in range(10))),
        "degraded",
        "No training step for 10 rounds: all answers to a task earn the same",
    ),
    (
        "spoiled weights",
        [
            *trained(*(finished(n, time=NOW - 4, reward_mean=0.3) for n in range(7, 20))),
            *(
                event
                for n in range(20, 32)
                for event in (
                    events.StepSkipped(round=n, reason="no_signal", time=NOW - 3),
                    finished(n, time=NOW - 2, reward_mean=0.0, loss=None),
                )
            ),
        ],
        "degraded",
        "0.30 before and nothing now",
    ),
]


@pytest.mark.parametrize(("name", "history", "level", "part"), CASES, ids=[c[0] for c in CASES])
def test_the_verdict(name: str, history: list[events.Event], level: str, part: str) -> None:
    told = verdict(fold.replay(history), NOW)
    assert (told.level, part in told.reason) == (level, True), told
    assert told.next_step


def test_a_killed_node_is_down() -> None:
    told = verdict(fold.replay(trained()), NOW, alive=False)
    assert told.level == "down"
    assert "without a word" in told.reason


def test_a_chain_of_ones_own_is_not_mended_by_its_address() -> None:
    own = fold.replay(trained(service("services", "up"), service("chain", "down")))
    foreign = fold.replay(trained(service("chain", "down")))
    assert "runs on this machine" in verdict(own, NOW).next_step
    assert "chain.rpc_url" in verdict(foreign, NOW).next_step


def test_an_empty_state_is_down() -> None:
    assert verdict(NodeState(), NOW).level == "down"


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(any_event(), max_size=15), st.floats(0, 1e12), st.booleans())
def test_there_is_always_a_verdict(history: list[events.Event], now: float, alive: bool) -> None:
    told = verdict(fold.replay(history), now, alive)
    assert told.level in ("healthy", "degraded", "down", "starting", "paused")
    assert told.reason
    assert told.next_step


def test_a_key_without_a_backup_is_a_hint_and_no_illness() -> None:
    rounds = [finished(n, time=NOW - 5) for n in range(25)]
    told = verdict(fold.replay(up(*rounds)), NOW)
    assert told.level == "healthy"
    assert "waggle identity backup" in told.next_step
    made = events.IdentityBackedUp(made=NOW - 90, time=NOW - 1)
    assert verdict(fold.replay(up(*rounds, made)), NOW).next_step == NOTHING_TO_DO
    told = verdict(fold.replay(up(*rounds[:3])), NOW)
    assert told.next_step == NOTHING_TO_DO, "nothing to lose yet"
    again = [started(time=NOW - 9, backed_up=NOW - 90), finished(99, time=NOW - 2)]
    assert verdict(fold.replay([*up(*rounds), *again]), NOW).next_step == NOTHING_TO_DO


def test_a_node_that_only_reads_says_so_while_it_is_well() -> None:
    told = verdict(fold.replay(trained(counted(code="ReadOnly", obstacle="x", waiting=3))), NOW)
    assert told.level == "healthy"
    assert "read-only; 3 rounds wait here" in told.next_step
