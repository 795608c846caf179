"""Opening a hosted swarm to others: what changes, what is told, what stays."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from core import addresses, config
from core.errors import ConfigError
from core.home import Home
from core.swarm import hosting

PEER = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"


def plan(home: Home, address: str | None, *sets: str, profile: str | None = None) -> Any:
    return hosting.plan(config.load(profile, home, env={}, sets=sets), home, address)


def opened(home: Home, address: str, profile: str = "solo") -> hosting.Opening:
    effective = config.load(profile, home, env={})
    opening = hosting.plan(effective, home, address)
    hosting.save(opening, effective, home)
    return opening


def test_loopback_cannot_invite_anybody(home: Home) -> None:
    with pytest.raises(ConfigError, match="this machine only") as caught:
        plan(home, None)
    assert "--host" in caught.value.next_step
    for address in addresses.own():
        assert address in caught.value.next_step


def test_an_address_is_written_once_and_holds(home: Home) -> None:
    first = opened(home, "127.0.0.2", "trio")
    after = config.load(None, home, env={})
    assert after.profile == "trio"
    assert after.config.chain.devnet_host == "127.0.0.2"
    assert after.config.net.listen == f"/ip4/127.0.0.2/tcp/{first.net_port}"
    assert first.rpc_url == f"http://127.0.0.2:{after.config.chain.devnet_port}"
    assert first.bootnode(PEER) == f"/ip4/127.0.0.2/tcp/{first.net_port}/p2p/{PEER}"
    for again in ("127.0.0.2", None):
        second = plan(home, again)
        assert not second.changes
        assert (second.rpc_url, second.net_port) == (first.rpc_url, first.net_port)


def test_what_was_configured_stays(home: Home) -> None:
    config.save_user_config(home, {"profile": "solo", "log": {"level": "debug"}})
    opened(home, "127.0.0.1")
    assert config.load(None, home, env={}).config.log.level == "debug"


def test_a_routers_address_or_a_name_listens_everywhere_and_says_so(home: Home) -> None:
    for address, kind in (("203.0.113.9", "ip4"), ("swarm.example", "dns4")):
        opening = plan(home, address)
        port = opening.net_port
        assert opening.changes["net.listen"] == f"/ip4/0.0.0.0/tcp/{port}"
        assert opening.changes["net.announce"] == [f"/{kind}/{address}/tcp/{port}"]
        told = "\n".join(hosting.told(opening))
        assert "every address" in told
        assert "no password" in told
        assert str(port) in told
        assert str(opening.devnet_port) in told


def test_moving_to_another_address_keeps_the_ports(home: Home) -> None:
    first = opened(home, "203.0.113.9")
    second = plan(home, "127.0.0.2")
    assert (second.net_port, second.devnet_port) == (first.net_port, first.devnet_port)
    assert second.changes["net.announce"] == []


def test_taken_ports_are_passed_over(home: Home) -> None:
    with (
        socket.create_server(("127.0.0.2", 0)) as one,
        pytest.MonkeyPatch.context() as patch,
    ):
        taken = one.getsockname()[1]
        patch.setattr(hosting, "NET_PORT", taken)
        patch.setattr(hosting, "DEVNET_PORT", taken)
        opening = plan(home, "127.0.0.2")
    assert opening.net_port > taken
    assert opening.devnet_port > taken
    assert opening.devnet_port != opening.net_port


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        (("swarm.host=false",), "hosts no swarm"),
        (("chain.rpc_url=http://127.0.0.1:1",), "hosts no swarm"),
        (("net.enabled=false",), "Nobody can join"),
        (("chain.enabled=false",), "Nobody can join"),
        (("net.listen=/ip6/::1/tcp/0",), "net.listen"),
    ],
)
def test_what_cannot_be_opened_says_why(home: Home, sets: tuple[str, ...], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        plan(home, "127.0.0.2", *sets)


def test_further_nodes_here_are_reached_as_well(home: Home) -> None:
    opening = opened(home, "203.0.113.9", "trio")
    chosen = config.load(None, home, env={}).config
    given = hosting.for_siblings(chosen)
    assert given["net.listen"] == "/ip4/0.0.0.0/tcp/0"
    assert given["game.groups"] == chosen.game.groups
    assert hosting.own_maddr(chosen, PEER) == [f"/ip4/127.0.0.1/tcp/{opening.net_port}/p2p/{PEER}"]
    closed = config.load("trio", env={}).config
    assert "net.listen" not in hosting.for_siblings(closed)
    assert hosting.own_maddr(closed, PEER) == []
