"""The ways by which nodes reach one another: QUIC, relays, routers, the local network, cuts."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from core.errors import TransientError
from tests.conftest import wait_until
from tests.net import lab as labs
from tests.net.conftest import together

EVERYWHERE = "/ip4/0.0.0.0/tcp/0"
QUIC = "/ip4/127.0.0.1/udp/0/quic-v1"


@pytest.fixture
def lab() -> Iterator[labs.Lab]:
    if why := labs.lacking():
        pytest.skip(why)
    made = labs.Lab()
    yield made
    made.close()


def exchanged(nodes, round: int, timeout_s: float = 30.0) -> float:
    """Seconds until every node has in one round got the rollouts of all the others."""
    began = time.monotonic()
    rounds = iter(range(round, round + 1_000))

    def complete() -> bool:
        try:
            got = together(nodes, next(rounds), timeout_s=2.0)
        except TransientError:  # as in a node, whose round then goes on alone
            return False
        return all(sum(not g.error for g in each) == len(nodes) - 1 for each in got)

    wait_until(complete, timeout_s)
    return time.monotonic() - began


def test_two_nodes_exchange_over_quic_alone(make_node):
    first = make_node(listen=QUIC)
    second = make_node(first, listen=QUIC)
    assert all("/quic-v1" in m and "/tcp/" not in m for m in first.link.visible_maddrs())
    exchanged([first, second], 1)


def test_a_client_listens_nowhere_and_exchanges_all_the_same(make_node):
    first = make_node()
    client = make_node(first, client_mode=True)
    wait_until(lambda: client.link.status.peers == 1, 20)
    exchanged([first, client], 1)
    assert first.link.status.peers == 0  # nobody looks for records at a client
    assert not [m for m in client.link.status.maddrs if "/p2p-circuit" not in m]


def test_a_node_behind_a_router_is_reached_through_a_relay(lab, make_node):
    if why := labs.lacking(router=True):
        pytest.skip(why)
    lab.machine("boot", "10.77.0.2")
    lab.machine("far", "10.77.0.3")
    lab.behind_router("home", "192.168.7.2", "router", "10.77.0.9")
    with lab.inside("boot"):
        boot = make_node(listen=EVERYWHERE)
    boot.link.visible_maddrs()
    with lab.inside("home"):
        home = make_node(boot, listen=EVERYWHERE)
    told = wait_until(lambda: home.link.status.told.relays and home.link.status.told, 30)
    assert (told.reach, told.seen_as, told.relays) == ("unreachable", "10.77.0.9", 1)
    wait_until(lambda: home.link.status.status == "up", 20)
    assert "/p2p-circuit/" in home.link.visible_maddrs()[0]
    with lab.inside("far"):
        far = make_node(boot, listen=EVERYWHERE)
    exchanged([boot, home, far], 1, 60)


def test_nodes_of_one_swarm_find_each_other_on_the_local_network(lab, make_node):
    nodes = []
    for number, swarm in ((2, "test"), (3, "test"), (4, "another")):
        lab.machine(f"m{number}", f"192.168.9.{number}")
        with lab.inside(f"m{number}"):
            nodes.append(make_node(listen=EVERYWHERE, lan_discovery=True, swarm=swarm))
    first, second, stranger = nodes
    wait_until(lambda: first.link.status.peers == second.link.status.peers == 1, 30)
    assert first.link.status.told.lan == 1
    exchanged([first, second], 1)
    assert stranger.link.status.peers == stranger.link.status.told.lan == 0


@pytest.mark.slow
def test_a_cut_network_is_outlived(lab, make_node):
    lab.machine("one", "10.77.0.2")
    lab.machine("two", "10.77.0.3")
    with lab.inside("one"):
        first = make_node(listen=EVERYWHERE)
    first.link.visible_maddrs()
    with lab.inside("two"):
        second = make_node(first, listen=EVERYWHERE)
    exchanged([first, second], 1)
    lab.cut("two")
    deadline = time.monotonic() + 8.0
    while time.monotonic() < deadline:  # rounds go on, alone
        assert together([first, second], 500, timeout_s=1.0) is not None
    lab.mend("two")
    assert exchanged([first, second], 1_000, 20) < 15
