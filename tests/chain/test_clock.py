"""Rounds end when everybody active is done, or at the deadline for those who are."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.chain.clock import Attendance
from core.chain.coordinator import WalletCoordinator
from core.chain.services import SwarmServices
from tests.conftest import wait_until

Connect = Callable[..., WalletCoordinator]


def test_a_solo_node_is_followed_at_once(swarm: SwarmServices, connect: Connect) -> None:
    node = connect()
    node.register("peer")
    waits = []
    for number in range(5):
        assert node.round_and_stage() == (number, 0)
        node.submit_reward(number, 0, 1, "peer")
        sent = time.monotonic()
        wait_until(lambda n=number: node.round_and_stage()[0] > n, every_s=0.002)
        waits.append(time.monotonic() - sent)
    assert min(waits) < 0.25
    assert swarm.client.read("currentRound") == (5,)


def test_three_nodes_are_all_waited_for(swarm: SwarmServices, connect: Connect) -> None:
    nodes = {name: connect(name) for name in ("a", "b", "c")}
    for name, node in nodes.items():
        node.register(name)
    for number in range(2):
        for name in ("a", "b"):
            nodes[name].submit_reward(number, 0, 1, name)
        assert not swarm.clock.step()
        assert swarm.clock.shown()["done"] == 2
        assert nodes["a"].deadline() > time.time()  # type: ignore[operator]
        nodes["c"].submit_reward(number, 0, 1, "c")
        wait_until(lambda n=number: swarm.client.read("currentRound") == (n + 1,))


def test_at_the_deadline_the_late_are_left_behind_until_they_return(
    tmp_path: Path, connect: Connect
) -> None:
    services = SwarmServices(tmp_path / "own", 0, 0.4)
    found = services.start()
    try:
        urls = [load(tmp_path, found.rpc_url, found.contract, name) for name in ("a", "b")]
        a, b = urls
        a.register("a")
        b.register("b")
        time_over = services.clock.shown()["deadline"]
        a.submit_reward(0, 0, 1, "a")
        wait_until(lambda: a.round_and_stage()[0] == 1)
        assert time_over is None or time.time() >= time_over
        # b is not waited for any more, and a round with nobody done stays.
        a.submit_reward(1, 0, 1, "a")
        wait_until(lambda: a.round_and_stage()[0] == 2)
        wait_until(lambda: services.clock.shown()["deadline"] is None)
        assert a.round_and_stage()[0] == 2
        assert a.deadline() is None
        # whoever is done first after the deadline ends the round
        b.submit_reward(2, 0, 1, "b")
        wait_until(lambda: a.round_and_stage()[0] == 3)
    finally:
        services.close()


def load(folder: Path, url: str, contract: str, name: str) -> WalletCoordinator:
    from core.chain.account import load_or_create

    return WalletCoordinator(url, contract, load_or_create(folder / "accounts" / name))


def test_a_restarted_clock_remembers_who_takes_part(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    services = SwarmServices(folder, 0, 60.0)
    found = services.start()
    nodes = {n: load(tmp_path, found.rpc_url, found.contract, n) for n in ("a", "b")}
    for name, node in nodes.items():
        node.register(name)
    for name, node in nodes.items():
        node.submit_reward(0, 0, 1, name)
    wait_until(lambda: services.client.read("currentRound") == (1,))
    nodes["a"].submit_reward(1, 0, 1, "a")
    services.close()

    services = SwarmServices(folder, 0, 60.0)
    again = services.start()
    try:
        assert again.rpc_url == found.rpc_url
        assert again.contract == found.contract
        assert services.clock.shown() | {"deadline": 0} == {
            "round": 1,
            "stage": 0,
            "deadline": 0,
            "active": 2,
            "done": 1,
        }
        nodes["b"].submit_reward(1, 0, 1, "b")
        wait_until(lambda: services.client.read("currentRound") == (2,))
    finally:
        services.close()


PEERS = st.sampled_from("abcd")


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["register", "reward", "old", "tick"]), PEERS, st.floats(0, 20)),
        max_size=40,
    )
)
def test_no_round_ends_without_somebody_done_and_none_is_stuck(
    steps: list[tuple[str, str, float]],
) -> None:
    now, time_now = Attendance(1, 0, 10.0), 0.0
    for kind, peer, after in steps:
        if kind == "register":
            now.registered(peer)
        elif kind == "reward":
            now.rewarded(peer, now.round, now.stage)
        elif kind == "old":
            now.rewarded(peer, now.round - 1, now.stage)
        time_now += after
        over = now.is_over(time_now)
        assert now.awaited == now.active - now.done
        assert not over or now.done
        if now.done:
            assert now.is_over(now.deadline)
        if over:
            done = set(now.done)
            now = now.following(now.round + 1, 0, time_now, 10.0)
            assert now.active == now.awaited == done
            assert not now.is_over(time_now + 100)


def test_it_waits_while_the_disk_refuses_or_the_role_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("core.chain.clock.FIRST_RETRY_S", 0.02)
    services = SwarmServices(tmp_path / "own", 0, 60.0)
    owner, store = services.client, services.evm._store
    owner.send("registerPeer", "peer")
    (role,) = owner.read("STAGE_MANAGER_ROLE")
    owner.send("submitReward(uint256,uint256,int256,string)", 0, 0, 1, "peer")
    store._db.execute("PRAGMA query_only = ON")
    services.start()
    try:
        wait_until(lambda: "The round clock waits" in caplog.text)
        assert "readonly" in caplog.text
        store._db.execute("PRAGMA query_only = OFF")
        wait_until(lambda: owner.read("currentRound") == (1,))
        owner.send("revokeRole", role, owner._owner.address)
        owner.send("submitReward(uint256,uint256,int256,string)", 1, 0, 1, "peer")
        wait_until(lambda: "OnlyStageManager" in caplog.text or "stage manager" in caplog.text)
        assert owner.read("currentRound") == (1,)
        owner.send("grantRole", role, owner._owner.address)
        wait_until(lambda: owner.read("currentRound") == (2,))
        assert services.failed is None
    finally:
        services.close()


def test_a_restart_knows_who_registered_in_this_round(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    services = SwarmServices(folder, 0, 60.0)
    owner = services.client
    for peer in ("early", "late"):
        owner.send("registerPeer", peer)
    for number in range(3):
        owner.send("submitReward(uint256,uint256,int256,string)", number, 0, 1, "early")
        owner.send("updateStageAndRound")
    owner.send("registerPeer", "new")
    services.close()
    services = SwarmServices(folder, 0, 60.0)
    try:
        assert services.clock._now.active == {"early", "new"}
        assert services.clock._now.awaited == {"early", "new"}
    finally:
        services.close()


def test_a_round_of_very_many_peers_is_not_counted_again_for_each() -> None:
    peers = [str(number) for number in range(20_000)]
    now = Attendance(1, 0, 10.0)
    for peer in peers:
        now.registered(peer)
    began = time.thread_time()
    for peer in peers:
        assert not now.is_over(5.0)
        now.rewarded(peer, 1, 0)
    assert now.is_over(5.0)
    assert time.thread_time() - began < 1.0
    assert len(now.following(2, 0, 20.0, 10.0).awaited) == 20_000
