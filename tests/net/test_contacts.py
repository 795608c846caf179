"""The sidecar's address book."""

from __future__ import annotations

from core.net.contacts import AGAIN_S, MAX_CONTACTS, MAX_GREETINGS, Contacts

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
    rest = contacts.due({peer(3)}, 101.0)
    assert len(rest) == 20 - 1 - MAX_GREETINGS
    assert contacts.due({peer(3)}, 102.0) == []
    assert len(contacts.due({peer(3)}, 101.0 + AGAIN_S)) == MAX_GREETINGS


def test_the_fate_of_a_bootnode_is_kept():
    contacts = Contacts(lambda text: text.startswith("/"))
    contacts.add(maddr(1))
    contacts.due(set(), 100.0)
    contacts.add_bootnode(maddr(1))
    contacts.add_bootnode("nonsense")
    assert contacts.due(set(), 100.0) == [peer(1)]
    contacts.greeted(peer(1), "connected")
    assert contacts.bootnodes[maddr(1)] == "connected"
    assert "no multiaddr" in contacts.bootnodes["nonsense"]
