"""Addresses that a person types, and where a service listens for them."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import addresses
from core.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("192.168.1.20", "192.168.1.20"),
        (" 10.0.0.1 ", "10.0.0.1"),
        ("localhost", "127.0.0.1"),
        ("Swarm.Example.", "swarm.example"),
        ("my-node", "my-node"),
    ],
)
def test_one_spelling_each(text: str, wanted: str) -> None:
    assert addresses.parse(text) == wanted


@pytest.mark.parametrize(
    "text",
    ["", "0.0.0.0", "300.1.1.1", "1.2.3", "::1", "[::1]", "http://a", "a:80", "224.0.0.1", "a b"],
)
def test_what_is_no_address_of_a_machine_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        addresses.parse(text)


@given(st.text(max_size=300))
def test_what_is_accepted_fits_into_a_url_and_a_multiaddr(text: str) -> None:
    try:
        host = addresses.parse(text)
    except ConfigError:
        return
    assert set(host) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-")


def test_where_to_listen() -> None:
    assert addresses.listening("127.0.0.1") == ("127.0.0.1",)
    assert addresses.listening("127.0.0.2") == ("127.0.0.1", "127.0.0.2")
    assert addresses.listening("203.0.113.9") == ("0.0.0.0",), "a router's, not this machine's"
    assert addresses.listening("swarm.example") == ("0.0.0.0",)


def test_a_taken_port_is_passed_over() -> None:
    with socket.create_server(("127.0.0.2", 0)) as server:
        port = server.getsockname()[1]
        assert addresses.free_port(("127.0.0.1", "127.0.0.2"), port) > port
        assert not addresses.can_bind("127.0.0.2", port)
    assert addresses.can_bind("127.0.0.2", port)
    assert not addresses.can_bind("203.0.113.9", 0)
