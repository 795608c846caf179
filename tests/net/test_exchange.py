"""Two and three real nodes exchange groups; what strangers put in their way costs nothing."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import threading
import time

import pytest

from core.net import messages, records, wire
from core.net.exchange import StreamExchange
from core.net.hunt import Budget
from core.net.identity import load_or_create
from tests.conftest import wait_until
from tests.net.conftest import make_groups, together


def test_a_lonely_node_loses_no_time(make_node):
    node = make_node()
    node.exchange.publish(1, 0, make_groups(1))  # while it starts: kept until it is up
    assert node.gather(1) == []
    node.link.wait_up(20)
    took = []
    for number in range(2, 7):
        began = time.monotonic()
        node.exchange.publish(number, 0, make_groups(number))
        assert node.gather(number, want=8, timeout_s=20) == []
        took.append(time.monotonic() - began)
    assert sorted(took)[2] < 0.1
    assert node.exchange.peers() == []


def test_three_nodes_exchange_in_several_rounds(make_node):
    first = make_node()
    nodes = [first, make_node(first), make_node(first)]
    for node in nodes:
        wait_until(lambda node=node: node.link.status.peers == 2, 20)
    got = together(nodes, 1)
    for number in range(2, 6):
        began = time.monotonic()
        got = together(nodes, number, want=100)
        assert time.monotonic() - began < 5
    for node, gathered in zip(nodes, got, strict=True):
        others = [n for n in nodes if n is not node]
        assert {g.record.peer_id for g in gathered} == {n.peer_id for n in others}
        for g in gathered:
            assert (g.error, g.reason) == ("", "")
            assert g.record.round == 5
            assert g.record.latency_ms is not None
            sender = nodes[[n.peer_id for n in nodes].index(g.record.peer_id)]
            sent = make_groups(5, index=10 * nodes.index(sender))
            assert g.record.reward_mean == 0.5
            assert [x.task for x in g.groups] == [x.task for x in sent]
            assert all(x.peer_id == sender.peer_id and x.round == 5 for x in g.groups)
            assert g.groups[0].rollouts[1].text == "é 🐝"
            assert g.groups[0].digest == sent[0].digest
        assert {p.peer_id for p in node.exchange.peers()} == {n.peer_id for n in others}
    nodes[1].close()
    saved = json.loads((nodes[1].folder / "peers.json").read_text())
    assert first.peer_id in {row["peer_id"] for row in saved["peers"]}


def test_a_slow_peer_is_waited_for_and_a_dead_one_is_not_for_long(make_node):
    first = make_node()
    second = make_node(first)
    wait_until(lambda: first.link.status.peers == second.link.status.peers == 1, 20)
    wait_until(lambda: len(together([first, second], 1)[0]) == 1, 20)
    slow = threading.Timer(0.8, lambda: second.exchange.publish(2, 0, make_groups(2)))
    slow.start()
    first.exchange.publish(2, 0, make_groups(2))
    assert len(first.gather(2)) == 1
    slow.join()
    second.close()
    began = time.monotonic()
    assert first.gather(3, timeout_s=1.0) == []
    assert first.gather(4, timeout_s=5.0) == []
    assert time.monotonic() - began < 3.0


def test_a_late_peer_counts_as_active_again(make_node):
    first = make_node()
    second = make_node(first)
    wait_until(lambda: first.link.status.peers == second.link.status.peers == 1, 20)
    first.exchange.publish(1, 0, make_groups(1))
    assert first.gather(1) == []  # nobody known: a short grace, then on with it
    second.exchange.publish(1, 0, make_groups(1))
    slow = threading.Timer(0.7, lambda: second.exchange.publish(2, 0, make_groups(2)))
    slow.start()
    first.exchange.publish(2, 0, make_groups(2))
    assert len(first.gather(2)) == 1
    slow.join()


def test_hostile_records_cost_only_their_sender(make_node, tmp_path):
    """Unsigned, foreign, lying and oversized records, put in through a sidecar of their own."""
    victim = make_node()
    hostile = make_node(victim)
    honest = make_node(victim)
    for node in (victim, hostile, honest):
        wait_until(lambda node=node: node.link.status.peers == 2, 20)
    stranger = load_or_create(tmp_path / "stranger.pem")
    payload = wire.encode(make_groups(1))
    now = time.time()

    def record(**changes):
        plain = records.Record(
            swarm="test",
            peer_id=hostile.peer_id,
            round=1,
            stage=0,
            digest=hashlib.sha256(payload).hexdigest(),
            size_bytes=len(payload),
            groups=3,
            reward_mean=1.0,
            maddrs=(),
            issued=now,
            expires=now + 600,
            public_key_bytes=hostile.identity.public_key_bytes,
        )
        return dataclasses.replace(plain, **changes)

    good = records.encode(record(), hostile.identity)
    foreign = records.encode(
        record(peer_id=stranger.peer_id, public_key_bytes=stranger.public_key_bytes), stranger
    )
    other_swarm = records.encode(record(swarm="other"), hostile.identity)
    for value in (foreign, other_swarm):  # nobody keeps what is not of who brings it, or not ours
        hostile.link.call(messages.Publish(value, payload), 5)
    with pytest.raises(Exception, match="signature"):
        hostile.link.call(messages.Publish(good[:-1] + b"x", payload), 5)
    honest.exchange.publish(1, 0, make_groups(1, index=50))
    first = wait_until(lambda: [g for g in victim.gather(1) if g.groups], 10)
    assert [(g.record.peer_id, len(g.groups)) for g in first] == [(honest.peer_id, 3)]
    named = {(g.record.peer_id, g.reason) for g in victim.gather(1) if not g.groups}
    assert named <= {(hostile.peer_id, "identity")}  # who brings such a thing, if anybody

    wrong_count = records.encode(record(round=2, groups=9), hostile.identity)
    hostile.link.call(messages.Publish(wrong_count, payload), 5)
    got = {g.record.peer_id: g for g in wait_until(lambda: victim.gather(2, timeout_s=1), 10)}
    assert got[hostile.peer_id].reason == "malformed"
    assert got[hostile.peer_id].groups == ()

    lying = records.encode(record(round=3, digest="00" * 32), hostile.identity)
    hostile.link.call(messages.Publish(lying, payload), 5)
    got = {g.record.peer_id: g for g in wait_until(lambda: victim.gather(3, timeout_s=1), 10)}
    assert got[hostile.peer_id].reason == "malformed"

    large = records.encode(record(round=4, size_bytes=2**25), hostile.identity)
    hostile.link.call(messages.Publish(large, payload), 5)
    got = {g.record.peer_id: g for g in wait_until(lambda: victim.gather(4, timeout_s=1), 10)}
    assert got[hostile.peer_id].reason == "size"


def test_a_stop_ends_a_gather_at_once(make_node):
    first = make_node()
    second = make_node(first)
    wait_until(lambda: first.link.status.peers == second.link.status.peers == 1, 20)
    wait_until(lambda: len(together([first, second], 1)[0]) == 1, 20)
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    began = time.monotonic()
    assert first.exchange.gather(2, 0, want=5, timeout_s=30, stop=stop) == []
    assert time.monotonic() - began < 2


def test_as_many_as_wanted_are_fetched_and_nobody_that_is_left_alone(make_node):
    """Five nodes, two wanted: two are fetched, whoever they are, and the others are seen."""
    first = make_node()
    nodes = [first, *(make_node(first) for _ in range(4))]
    for node in nodes:
        wait_until(lambda node=node: node.link.status.peers == 4, 30)
    held = nodes[1].peer_id
    for node in nodes:
        node.exchange.publish(1, 0, make_groups(1, index=10 * nodes.index(node)))

    def seen_by_all() -> bool:
        return len(first.gather(1, want=2)) == 4

    wait_until(seen_by_all, 20)
    for _ in range(4):
        gathered = first.exchange.gather(
            *(1, 0),
            want=2,
            timeout_s=10,
            stop=threading.Event(),
            avoid=lambda peer_id, signed: peer_id == held,
        )
        fetched = {g.record.peer_id for g in gathered if g.groups}
        assert len(fetched) == 2
        assert held not in fetched
        assert all(g.reason in ("", "quarantine") for g in gathered)
        assert {g.record.peer_id for g in gathered if g.reason} <= {held}


def test_a_gather_ends_at_its_limits(make_node):
    """Bytes of all peers together; and a record that promises more than one peer may send."""
    first = make_node()
    others = [make_node(first) for _ in range(2)]
    for node in others:
        wait_until(lambda node=node: node.link.status.peers == 2, 30)
        node.exchange.publish(1, 0, make_groups(1, index=10 * others.index(node)))
    size = len(wire.encode(make_groups(1)))
    for budget, fetched in (
        (Budget(total_bytes=2 * size + 100), 2),
        (Budget(total_bytes=size + 10), 1),
        (Budget(total_bytes=size // 2), 0),
    ):
        exchange = StreamExchange(first.link, first.identity, "test", budget=budget)

        def gather(exchange=exchange):
            return exchange.gather(1, 0, want=0, timeout_s=10, stop=threading.Event())

        wait_until(lambda gather=gather: len(gather()) == 2, 20)
        assert sum(bool(g.groups) for g in gather()) == fetched
