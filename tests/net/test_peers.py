"""The peer book: bounded, persistent, and never a reason not to start."""

from __future__ import annotations

import time

import pytest

from core.net.peers import MAX_PEERS, MAX_SAVED, PeerBook
from core.net.records import Record


def record(n: int, round: int = 5) -> Record:
    return Record(
        swarm="waggle",
        peer_id=f"QmPeer{n}",
        round=round,
        stage=0,
        digest="",
        size_bytes=1,
        groups=1,
        reward_mean=0.5,
        maddrs=(f"/ip4/10.0.0.1/tcp/{n + 1}",),
        issued=time.time(),
        expires=time.time() + 60,
        public_key_bytes=b"",
    )


def test_active_means_seen_in_the_last_rounds_and_not_missed():
    book = PeerBook()
    book.saw(record(1, round=5), lag_s=1.0, latency_ms=3.0)
    book.saw(record(2, round=1), lag_s=1.0)
    assert list(book.active(6)) == ["QmPeer1"]
    assert book.active(20) == {}
    book.missed("QmPeer1")
    assert book.active(6) == {}
    book.saw(record(1, round=6), lag_s=0.0)
    assert book.active(6)["QmPeer1"].lag_s == 0.5
    assert book.active(6)["QmPeer1"].record.latency_ms == 3.0
    assert {r.peer_id for r in book.recent()} == {"QmPeer1", "QmPeer2"}


def test_it_is_bounded_and_survives_a_restart(tmp_path):
    path = tmp_path / "peers.json"
    book = PeerBook(path)
    for n in range(MAX_PEERS + 10):
        book.saw(record(n), lag_s=0.0)
    assert len(book.recent()) == MAX_PEERS
    book.save()
    again = PeerBook(path)
    assert len(again.contacts()) == MAX_SAVED
    assert again.contacts()[-1] == f"/ip4/10.0.0.1/tcp/{MAX_PEERS + 10}/p2p/QmPeer{MAX_PEERS + 9}"
    assert again.recent() == []
    again.save()
    assert PeerBook(path).contacts() == again.contacts()


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b'{"contacts": 3}', b'{"contacts": [3]}', b"\xff", b" " * 300_000],
)
def test_a_damaged_book_is_an_empty_book(tmp_path, data):
    path = tmp_path / "peers.json"
    path.write_bytes(data)
    assert PeerBook(path).contacts() == []
