"""Where a node listens: what can be written, and what becomes of a port that is taken."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from core.net import leash, listening
from core.net.listening import parse
from tests.conftest import wait_until

TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM


@pytest.fixture(params=[TCP, UDP], ids=["tcp", "udp"])
def taken(request: pytest.FixtureRequest) -> Iterator[str]:
    """A multiaddr whose port another program has."""
    with socket.socket(socket.AF_INET, request.param) as other:
        other.bind(("127.0.0.1", 0))
        if request.param == TCP:
            other.listen()
        port = other.getsockname()[1]
        yield f"/ip4/127.0.0.1/{'tcp' if request.param == TCP else 'udp'}/{port}" + (
            "" if request.param == TCP else "/quic-v1"
        )


def test_what_can_be_listened_on():
    both = parse("/ip4/0.0.0.0/tcp/0, /ip6/::/udp/4001/quic-v1")
    assert [str(a) for a in both] == ["/ip4/0.0.0.0/tcp/0", "/ip6/::/udp/4001/quic-v1"]
    assert listening.beyond_loopback(both)
    assert not listening.beyond_loopback(parse("/ip4/127.0.0.1/tcp/0,/ip6/::1/tcp/0/ws"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "0 addresses"),
        (",".join(["/ip4/1.2.3.4/tcp/1"] * 9), "9 addresses"),
        ("/ip4/0.0.0.0/udp/0/quic", "quic-v1"),
        ("/ip4/0.0.0.0/udp/0", "no TCP or QUIC"),
        ("/ip4/0.0.0.0/tcp/0/quic-v1", "no TCP or QUIC"),
        ("/ip4/::1/tcp/0", "no TCP or QUIC"),
        ("/ip4/999.0.0.1/tcp/0", "no TCP or QUIC"),
        ("/ip4/0.0.0.0/tcp/99999", "no TCP or QUIC"),
        ("/dns4/example.org/tcp/1", "no TCP or QUIC"),
    ],
)
def test_what_cannot_be_listened_on_is_told(text: str, why: str):
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert why in str(caught.value)


@given(st.text(max_size=40) | st.from_regex(r"/ip[46]/[0-9.:]{1,9}/(tcp|udp)/[0-9]{1,6}(/\w*)?"))
def test_any_text_is_understood_or_refused(text: str):
    try:
        found = parse(text)
    except ConfigError:
        return
    assert parse(",".join(map(str, found))) == found


def test_a_taken_port_is_seen_and_replaced(taken: str):
    wanted = parse(taken)
    assert "in use" in listening.taken(wanted[0])
    chosen, why = listening.instead(wanted)
    assert taken in why
    assert [a.port for a in chosen] == [0]


def test_a_port_is_taken_up_again_only_when_it_is_free(taken: str):
    wanted = parse("/ip4/127.0.0.1/tcp/0,/ip4/127.0.0.1/udp/0/quic-v1")
    assert listening.as_before(wanted, [f"{taken}/p2p/Qm"]) == wanted
    free = "/ip4/127.0.0.1/tcp/1/p2p/Qx/p2p-circuit/p2p/Qm"
    assert listening.as_before(wanted, [free]) == wanted  # a relay's port is not mine
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    again = listening.as_before(wanted, [f"/ip4/127.0.0.1/tcp/{port}/p2p/Qm"])
    assert [a.port for a in again] == [port, 0]


def test_a_node_whose_port_stays_taken_listens_on_another_and_says_so(make_node, taken: str):
    node = make_node(listen=taken)
    maddrs = node.link.visible_maddrs()
    assert taken not in maddrs[0]
    assert taken in node.link.status.told.note
    wait_until(lambda: "listening on another port" in node.link.status.told.note)


def test_the_kernel_refuses_what_the_watch_would_come_too_late_for():
    eat = "x = bytearray(300 * 2**20); print(len(x))"
    for limit_mib, ends in ((128, False), (0, True)):
        code = f"from core.net import leash; leash.limit({limit_mib}); {eat}"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=30)
        assert (done.returncode == 0) == ends, done.stderr
    assert leash.limit(0) is None
