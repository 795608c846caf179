"""The sidecar's address book."""

from __future__ import annotations

from itertools import pairwise

from core.net.contacts import (
    HELD_BACK,
    LONGEST_PAUSE_ALONE_S,
    MAX_CONTACTS,
    MAX_GREETINGS,
    Contacts,
    reason,
)
from core.net.messages import Bootnode

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def peer(n: int) -> str:
    return "Qm" + "".join(ALPHABET[n // 58**k % 58] for k in range(3)).rjust(44, "1")


def maddr(n: int, port: int = 1) -> str:
    return f"/ip4/10.0.0.1/tcp/{port}/p2p/{peer(n)}"


def test_only_addresses_of_peers_are_kept_and_few_of_each():
    contacts = Contacts(lambda text: "bad" not in text)
    for text in ("", "nonsense", "/ip4/1.2.3.4/tcp/1", "/bad/p2p/" + peer(1), "/ip4/x/p2p/short"):
        assert not contacts.add(text)
    for port in range(10):
        assert contacts.add(maddr(1, port))
    assert contacts.addresses(peer(1)) == [f"/ip4/10.0.0.1/tcp/{port}" for port in range(6, 10)]
    for n in range(2, MAX_CONTACTS + 10):
        contacts.add(maddr(n))
    assert peer(1) not in contacts
    assert len(contacts.known_maddrs()) == MAX_CONTACTS


def test_greetings_are_few_and_not_too_often():
    contacts = Contacts(lambda text: True)
    for n in range(20):
        contacts.add(maddr(n))
    first = contacts.due({peer(3)}, 100.0)
    assert len(first) == MAX_GREETINGS
    rest = contacts.due({peer(3)}, 100.5)
    assert len(rest) == 20 - 1 - MAX_GREETINGS
    assert contacts.due({peer(3)}, 100.9) == []
    assert len(contacts.due({peer(3)}, 101.0)) == MAX_GREETINGS


def times_greeted(company: set[str], until: float) -> list[float]:
    contacts = Contacts(lambda text: True)
    contacts.add(maddr(1))
    moments = [n / 10 for n in range(int(until * 10))]
    return [now for now in moments if contacts.due(company, now)]


def test_the_pause_doubles_and_stays_short_for_a_node_that_is_alone():
    alone = times_greeted({peer(9)}, 60)
    assert alone[:5] == [0, 1, 3, 7, 15]
    assert {round(b - a, 1) for a, b in pairwise(alone[3:])} == {LONGEST_PAUSE_ALONE_S}
    assert len(times_greeted({peer(8), peer(9)}, 600)) < 16


def test_the_fate_of_a_bootnode_is_kept():
    contacts = Contacts(lambda text: text.startswith("/"))
    contacts.add(maddr(1))
    contacts.due(set(), 100.0)
    contacts.add_bootnode(maddr(1))
    contacts.add_bootnode("nonsense")
    assert contacts.due(set(), 100.0) == [peer(1)]
    contacts.greeted(peer(1), "connection refused", 100.0, 5000.0, 0.0)
    refused, invalid = contacts.bootnodes
    assert (refused.outcome, refused.why, refused.tries) == ("failed", "connection refused", 1)
    assert refused.next_at == 5001.0
    assert (invalid.maddr, invalid.outcome) == ("nonsense", "invalid")
    contacts.greeted(peer(1), HELD_BACK, 100.0, 5000.0, 0.0)
    assert contacts.bootnodes[0].why == "connection refused"
    contacts.greeted(peer(1), "", 101.0, 5001.0, 3.5)
    assert contacts.bootnodes[0] == Bootnode(maddr(1), "connected", latency_ms=3.5)


def test_reasons_are_a_few_words():
    told = (
        "failed to dial Qm1: all dials failed\n  * [/ip4/127.0.0.1/tcp/9] dial tcp4 127.0.0.1:9: "
    )
    assert reason(OSError(told + "connect: connection refused")) == "connection refused"
    assert reason(TimeoutError()) == "no answer"
    assert len(reason(OSError("x" * 900))) == 160
