"""Meeting strangers: their hellos, who could dial whom, what the local network announces."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.net import hello, lan, relaying
from core.net.listening import parse
from core.net.reach import Dialled, Reach, order

PEER = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"


class Ends:
    """A writer whose bytes go nowhere, or into the reader of the other side."""

    def __init__(self, other: asyncio.StreamReader | None = None) -> None:
        self.other, self.closed = other, False

    def write(self, data: bytes) -> None:
        if self.other is not None:
            self.other.feed_data(data)

    async def drain(self) -> None:
        return

    def close(self) -> None:
        self.closed = True


def heard(data: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return reader


def frame(*fields: object) -> bytes:
    body = msgpack.packb(list(fields))
    return bytes([len(body)]) + body


def test_a_node_that_listens_is_dialled_back_and_one_that_does_not_is_told_why():
    async def play() -> list[hello.Hello]:
        async def libp2p(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"\x13/multistream/1.0.0\n")

        async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        servers = [await asyncio.start_server(each, "127.0.0.1", 0) for each in (libp2p, web)]
        ports = [server.sockets[0].getsockname()[1] for server in servers]
        greeter, out = hello.Greeter(), []
        for number, port in enumerate([0, *ports, 9]):
            theirs, mine = asyncio.StreamReader(), asyncio.StreamReader()
            stream = SimpleNamespace(peer_id=f"peer-{number}", addr="/ip4/127.0.0.1/tcp/555")
            serving = asyncio.create_task(greeter.handle(stream, theirs, Ends(mine)))
            out.append(await hello.ask(mine, Ends(theirs), port))
            theirs.feed_eof()
            await serving
        for server in servers:
            server.close()
        return out

    unasked, reached, other, refused = asyncio.run(play())
    assert unasked.why == reached.why == ""
    assert {h.seen_as for h in (unasked, reached)} == {"127.0.0.1"}
    assert other.why == "something else answers there"
    assert "refused" in refused.why


def test_nobody_is_made_to_knock_often_or_through_a_relay():
    async def play() -> list[str]:
        greeter = hello.Greeter()
        first = await greeter._dial("peer", "127.0.0.1", 9)
        again = await greeter._dial("peer", "127.0.0.1", 9)
        return [first, again, await greeter._dial("other", hello._host("/p2p/Qm/p2p-circuit"), 9)]

    first, again, relayed = asyncio.run(play())
    assert "refused" in first
    assert again == "asked too often"
    assert "relay" in relayed


_parts = st.one_of(
    st.none(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.text(max_size=20), st.binary()
)


@given(
    st.binary(max_size=300) | st.lists(_parts, max_size=5).map(lambda parts: frame(*parts)[:256])
)
def test_no_answer_breaks_the_asker(data: bytes):
    async def ask() -> hello.Hello:
        return await hello.ask(heard(data), Ends(), 4001)

    try:
        told = asyncio.run(ask())
    except (ValueError, EOFError):
        return
    assert told.why.isprintable()
    assert len(told.why) <= hello.MAX_WHY_CHARS
    assert len(told.seen_as) <= hello.MAX_HOST_CHARS


@pytest.mark.parametrize(
    "answer",
    [
        frame(1.0, "fe80::1%" + "x" * 80, ""),
        frame(1.0, "fe80::1%\x1b[2J", ""),
        frame(2.0**60, "1.2.3.4", ""),
        frame(float("nan"), "1.2.3.4", ""),
        frame(1, "1.2.3.4", ""),
        frame(1.0, "localhost", ""),
        frame(1.0, "1.2.3.4", "x" * 101),
        frame(1.0, "1.2.3.4"),
    ],
)
def test_an_odd_answer_is_refused(answer: bytes):
    async def ask() -> hello.Hello:
        return await hello.ask(heard(answer), Ends(), 0)

    with pytest.raises(ValueError, match=r"not|bounds|IPv4"):
        asyncio.run(ask())


@given(st.binary(max_size=300))
def test_no_question_breaks_the_greeter(data: bytes):
    async def play() -> Ends:
        ends = Ends()
        stream = SimpleNamespace(peer_id="peer", addr="/ip4/127.0.0.1/tcp/555")
        await hello.Greeter().handle(stream, heard(data), ends)
        return ends

    assert asyncio.run(play()).closed


def test_one_peer_that_got_through_outweighs_many_that_did_not():
    dialled = Dialled()
    assert dialled.reach(0.0) == Reach()
    for n in range(5):
        dialled.heard(f"blocked-{n}", "203.0.113.9", "no answer", now=10.0)
    assert dialled.reach(20.0) == Reach("unreachable", 5, "no answer", "203.0.113.9")
    dialled.heard("open", "203.0.113.9", "", now=20.0)
    assert dialled.reach(30.0) == Reach("reachable", 1, seen_as="203.0.113.9")
    assert dialled.reach(30.0 + 900) == Reach()


def test_addresses_that_serve_most_come_first():
    public, private = "/ip4/9.9.9.9/tcp/1/p2p/Q", "/ip4/192.168.1.2/tcp/1/p2p/Q"
    relayed, mine = "/ip4/1.1.1.1/tcp/1/p2p/R/p2p-circuit/p2p/Q", "/ip4/127.0.0.1/tcp/1/p2p/Q"
    named = "/dns4/node.example/tcp/1/p2p/Q"
    assert order([mine, private, relayed, public, named])[-3:] == [relayed, private, mine]


def test_relays_are_asked_of_nodes_that_are_dialled_directly():
    maddrs = [
        f"/ip4/10.0.0.1/udp/1/quic-v1/p2p/{PEER}",
        f"/ip4/10.0.0.1/tcp/1/p2p/{PEER}",
        f"/ip4/10.0.0.1/tcp/2/p2p/{PEER}",
        f"/ip4/10.0.0.2/tcp/1/p2p/{PEER}/p2p-circuit/p2p/QmOther",
    ]
    assert relaying.candidates(maddrs) == (maddrs[1],)
    listen = parse("/ip4/0.0.0.0/tcp/0")
    assert relaying.Relaying("always", False, listen, maddrs).relays == (maddrs[1],)
    assert relaying.Relaying("auto", True, listen, maddrs).relays == (maddrs[1],)
    assert relaying.Relaying("auto", False, listen, maddrs).relays == ()
    assert relaying.Relaying("off", True, listen, maddrs).relays == ()


@pytest.mark.parametrize(
    ("properties", "port", "addresses"),
    [
        ({b"swarm": b"another"}, 1, ["10.0.0.1"]),
        ({}, 1, ["10.0.0.1"]),
        ({b"swarm": None}, 1, ["10.0.0.1"]),
        ({b"swarm": b"mine"}, 0, ["10.0.0.1"]),
        ({b"swarm": b"mine"}, None, ["10.0.0.1"]),
        ({b"swarm": b"mine"}, 70_000, ["10.0.0.1"]),
        ({b"swarm": b"mine"}, 1, ["8.8.8.8", "127.0.0.1", "224.0.0.251", "0.0.0.0", "::1", "x"]),
        ({b"swarm": b"mine"}, 1, []),
    ],
)
def test_an_odd_announcement_is_not_believed(properties, port, addresses):
    assert lan.believable("mine", PEER, properties, port, addresses) == []


def test_a_good_announcement_gives_few_addresses():
    addresses = [f"192.168.0.{n}" for n in range(1, 200)]
    found = lan.believable("mine", PEER, {b"swarm": b"mine"}, 4001, addresses)
    assert found == [f"/ip4/192.168.0.{n}/tcp/4001/p2p/{PEER}" for n in range(1, 5)]
    assert lan.believable("mine", "../etc", {b"swarm": b"mine"}, 4001, addresses) == []
