"""The payload codec: round trips, and nothing but ValueError for anything else."""

from __future__ import annotations

import math

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.net import wire
from core.rollouts import Rollout, RolloutGroup, TaskId

rollouts = st.builds(
    Rollout,
    text=st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    logprobs=st.lists(st.floats(-1e6, 0.0, width=32), max_size=12).map(tuple),
    finished=st.booleans(),
)
tasks = st.builds(
    TaskId,
    dataset=st.sampled_from(["chain_sum", "leg_counting", "gcd"]),
    seed=st.integers(0, 2**40),
    index=st.integers(0, 2**40),
)
groups = st.lists(
    st.builds(
        RolloutGroup,
        task=tasks,
        peer_id=st.just("QmPeer"),
        round=st.just(3),
        rollouts=st.lists(rollouts, min_size=1, max_size=4).map(tuple),
    ),
    max_size=5,
    unique_by=lambda g: g.task,
)


def read(data: bytes, **limits: int) -> tuple[RolloutGroup, ...]:
    return wire.decode(data, peer_id="QmPeer", round=3, limits=wire.Limits(**limits))


@given(groups)
def test_round_trip(items):
    assert read(wire.encode(items)) == tuple(items)


@given(groups)
def test_token_ids_and_rewards_do_not_travel(items):
    import dataclasses

    rich = [
        dataclasses.replace(
            g,
            rollouts=tuple(
                dataclasses.replace(r, token_ids=(1, 2), reward=1.0) for r in g.rollouts
            ),
        )
        for g in items
    ]
    assert read(wire.encode(rich)) == tuple(items)


@given(st.binary(max_size=400))
def test_noise_is_a_value_error(data):
    try:
        read(data)
    except ValueError:
        return
    assert data in (wire.encode([]), msgpack.packb([True, []]), msgpack.packb([1.0, []]))


@given(groups, st.data())
def test_a_changed_byte_is_a_value_error_or_a_bounded_group(items, data):
    payload = bytearray(wire.encode(items))
    payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        out = read(bytes(payload))
    except ValueError:
        return
    for rollout in (r for g in out for r in g.rollouts):
        assert all(math.isfinite(x) for x in rollout.logprobs)
        assert rollout.reward is None
        assert rollout.token_ids == ()


def test_limits_are_kept():
    rollout = Rollout("four", logprobs=(-1.0, -2.0))
    items = [RolloutGroup(TaskId("gcd", 1, n), "QmPeer", 3, (rollout, rollout)) for n in range(3)]
    data = wire.encode(items)
    assert read(data) == tuple(items)
    for limits in (
        {"max_bytes": len(data) - 1},
        {"max_groups": 2},
        {"max_rollouts": 1},
        {"max_tokens": 1},
    ):
        with pytest.raises(ValueError, match=r"."):
            read(data, **limits)
    with pytest.raises(ValueError, match=r"."):
        read(
            wire.encode([RolloutGroup(TaskId("gcd", 1, 1), "", 0, (Rollout("x" * 300),))]),
            max_text_bytes=200,
        )


@pytest.mark.parametrize("bad", [math.nan, -math.inf])
def test_a_log_prob_that_is_no_number_is_never_sent(bad):
    group = RolloutGroup(TaskId("gcd", 1, 1), "", 0, (Rollout("x", logprobs=(bad,)),))
    with pytest.raises(ValueError, match="log-prob"):
        wire.encode([group])


def test_a_task_twice_is_refused():
    group = RolloutGroup(TaskId("gcd", 1, 1), "QmPeer", 3, (Rollout("x"),))
    with pytest.raises(ValueError, match="twice"):
        read(wire.encode([group, group]))


def test_as_many_groups_as_fit():
    items = [
        RolloutGroup(TaskId("gcd", 1, n), "QmPeer", 3, (Rollout("y" * 500),)) for n in range(40)
    ]
    payload, count = wire.encode_within(items, wire.Limits(max_bytes=5000))
    assert 7 <= count <= 9
    assert read(payload) == tuple(items[:count])
    assert wire.encode_within(items, wire.Limits(max_bytes=10))[1] == 0
