"""The verdict: machine, swarm and training, and which of several troubles is told."""

from __future__ import annotations

import pytest

from core import events, fold
from core.health import verdict
from tests.health_support import (
    NOW,
    crash,
    machine,
    moved,
    net,
    rounds,
    told_doctor,
    trained,
    up,
)
from tests.test_fold import finished, started, submission

LONG = NOW - 5000
BOOTNODES = [{"maddr": "/ip4/10.0.0.9/tcp/1", "outcome": "connected"}]
CASES = [
    # --- machine
    ("disk nearly full", [*up(), *rounds(2), machine(free_gb=0.4)], "degraded", "0.4 GB free"),
    (
        "disk too small for the next checkpoint",
        [
            *up(),
            *rounds(2),
            events.CheckpointSaved(path="p", size_bytes=4 * 10**9, seconds=1, time=NOW - 9),
            machine(free_gb=5),
        ],
        "degraded",
        "a checkpoint takes 4.0",
    ),
    ("disk with room", [*up(), *rounds(2), machine(free_gb=5)], "healthy", "Round 2"),
    (
        "memory nearly full",
        [*up(), *rounds(2, metrics={"peak_rss_mib": 7900.0}), machine(limit=8000)],
        "degraded",
        "rounds take up to 7.7 of 7.8 GiB",
    ),
    (
        "memory of a small container",
        [*up(), *rounds(2), machine(memory=800, limit=900)],
        "degraded",
        "memory is nearly full",
    ),
    (
        "a peak of the life before",
        [
            *up(at=NOW - 900),
            *rounds(2, metrics={"peak_rss_mib": 7900.0}),
            started(time=NOW - 4),
            finished(3, time=NOW - 3),
            machine(limit=8000),
        ],
        "healthy",
        "Round 3",
    ),
    (
        "out of memory",
        [*up(), *rounds(2, metrics={"out_of_memory_retries": 1.0})],
        "degraded",
        "done in smaller pieces",
    ),
    # --- others
    ("clock ahead", trained(net(skew_s=42.0, skew_peers=3)), "degraded", "42 s ahead of 3 other"),
    ("clock near enough", trained(net(skew_s=2.0, skew_peers=3)), "healthy", "Round 6"),
    ("clock nobody has compared", trained(net(skew_s=42.0)), "healthy", "Round 6"),
    (
        "behind",
        trained(*moved(6, 9, 12)),
        "degraded",
        "it played 6 rounds while this node trained 2",
    ),
    ("one long round", trained(*moved(6, 20)), "healthy", "Round 6"),
    ("caught up", trained(*moved(6, 9, 12, 13)), "healthy", "Round 6"),
    (
        "away, not behind",
        trained(*moved(6), events.Resumed(time=NOW - 7), *moved(40, 41)),
        "healthy",
        "Round 6",
    ),
    (
        "no chain, not behind",
        trained(
            *moved(6, 9),
            events.Incident(code="clock_unreachable", what="Gone", time=NOW - 7),
            *moved(12),
        ),
        "healthy",
        "Round 6",
    ),
    (
        "overdue",
        [
            started(time=NOW - 900),
            events.RoundStarted(round=6, time=NOW - 290, deadline=NOW - 200),
            events.PhaseChanged(phase="sample", time=NOW - 290),
        ],
        "degraded",
        "round 6 was over 3 min ago, and this node still trains it",
    ),
    (
        "no peers",
        [*up(at=LONG), *rounds(2), net(bootnodes=BOOTNODES)],
        "degraded",
        "No peers: no other node has been there for 83 min",
    ),
    (
        "peers that share nothing",
        [*up(at=LONG), *rounds(2), net(bootnodes=BOOTNODES, peers=2)],
        "degraded",
        "though 2 nodes are connected",
    ),
    ("a swarm of one", [*up(at=LONG), *rounds(2), net()], "healthy", "Round 2"),
    (
        "peers a moment ago",
        [
            *up(at=LONG),
            *rounds(2),
            events.PeerSeen(peer_id="QmA", name="a", time=NOW - 60),
            net(bootnodes=BOOTNODES),
        ],
        "healthy",
        "Round 2",
    ),
    (
        "wants nobody's",
        [
            started(time=LONG, settings={"game.foreign_groups": 0}),
            *rounds(2),
            net(bootnodes=BOOTNODES),
        ],
        "healthy",
        "Round 2",
    ),
    # --- life
    (
        "crashes in a row",
        [
            started(time=NOW - 900),
            *(event for at in (800, 700, 600) for event in crash(NOW - at)),
            finished(6, time=NOW - 5),
        ],
        "degraded",
        "ended 3 times within 13 min unasked: It broke (3 times): rust",
    ),
    (
        "crashes of long ago",
        [started(time=1), *crash(10), *crash(20), *crash(30), *up(), finished(6, time=NOW - 5)],
        "healthy",
        "Round 6",
    ),
    (
        "the loop hangs while the network talks",
        [
            started(time=0),
            *[finished(n, time=NOW - 2000 + n) for n in range(3)],
            events.PhaseChanged(phase="update", time=NOW - 1500),
            net(peers=3),
            events.LogLine(level="info", source="net", text="hello", time=NOW - 1),
        ],
        "degraded",
        "Nothing has happened for 25 min in phase update",
    ),
    (
        "a first round that takes long",
        [
            started(time=NOW - 1500),
            events.RoundStarted(round=1, time=NOW - 1300),
            events.PhaseChanged(phase="sample", time=NOW - 1300),
        ],
        "healthy",
        "Training round 1",
    ),
    # --- counts
    (
        "the outbox grows",
        trained(
            submission(1, "confirmed", time=NOW - 400),
            *(submission(n, "pending", time=NOW - 300 + n) for n in range(2, 30)),
        ),
        "degraded",
        "The outbox grows: 28 submissions wait",
    ),
    (
        "many on their way, and they get through",
        trained(
            *(submission(n, "pending", time=NOW - 300 + n) for n in range(2, 30)),
            submission(1, "confirmed", time=NOW - 100),
        ),
        "healthy",
        "Round 6",
    ),
    # --- learns
    (
        "a gradient that is no number",
        trained(events.StepSkipped(round=6, reason="non_finite", time=NOW - 4)),
        "degraded",
        "No step for 1 round: loss or gradient is not a number",
    ),
    (
        "a loss that is no number",
        up(finished(6, time=NOW - 5, loss=float("nan"))),
        "degraded",
        "loss or gradient is not a number",
    ),
    (
        "a step after a NaN",
        trained(
            events.StepSkipped(round=6, reason="non_finite", time=NOW - 6),
            events.StepTrained(
                round=7, step=1, loss=0.1, grad_norm=1, groups=1, foreign_groups=0, seconds=1
            ),
            finished(7, time=NOW - 3),
        ),
        "healthy",
        "Round 7",
    ),
    ("learns", told_doctor(), "healthy", "Round 10"),
    (
        "entropy collapse",
        told_doctor(entropy=0.02, frac_reward_zero_std=0.7, solved_none=0.5),
        "degraded",
        "The entropy has collapsed to 0.02 nats",
    ),
    (
        "low entropy of what is solved",
        told_doctor(entropy=0.02, frac_reward_zero_std=0.7, solved_none=0.0, solved_all=0.7),
        "healthy",
        "Round 10",
    ),
    (
        "no signal at all",
        told_doctor(frac_reward_zero_std=0.97, solved_none=0.97, solved_all=0.0),
        "degraded",
        "97 % of this node's groups teach nothing, in 97 % none is right",
    ),
    (
        "sampler and trainer disagree",
        told_doctor(logprob_gap_mean=0.6),
        "degraded",
        "disagree by 0.600 nats",
    ),
    (
        "importance weights out of range",
        told_doctor(importance_capped=0.2),
        "degraded",
        "20 % of the importance weights are cut off",
    ),
    ("the policy jumps", told_doctor(approx_kl=0.4), "degraded", "moves by 0.40 nats in one round"),
    (
        "slow",
        [*up(), *rounds(40, seconds=1.5), *rounds(14, first=41, seconds=4.5, tokens_per_s=280.0)],
        "degraded",
        "Rounds take 4.5 s, 3.0 times as long as they did: it samples at 31 % of its usual speed",
    ),
    (
        "slow because answers grow",
        [
            *up(),
            *rounds(40, metrics={"completion_length_mean": 10.0}),
            *rounds(14, first=41, seconds=4.5, metrics={"completion_length_mean": 30.0}),
        ],
        "degraded",
        "the answers are 3.0 times as long",
    ),
    ("slow once", [*up(), *rounds(40), finished(41, time=NOW - 4, seconds=9)], "healthy", "Round"),
    (
        "slow for half a minute",
        [*up(), *rounds(40), *rounds(6, first=41, seconds=4.5)],
        "healthy",
        "R",
    ),
    ("too young to be slow", [*up(), *rounds(9), *rounds(5, first=10, seconds=9)], "healthy", "R"),
]


@pytest.mark.parametrize(("name", "history", "level", "part"), CASES, ids=[c[0] for c in CASES])
def test_the_verdict(name: str, history: list[events.Event], level: str, part: str) -> None:
    told = verdict(fold.replay(history), NOW)
    assert (told.level, part in told.reason) == (level, True), told
    assert told.next_step
