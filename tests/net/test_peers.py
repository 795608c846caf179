"""The peer book: bounded, persistent, and never a reason not to start."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.net import peers
from core.net.peers import MAX_CONTACTS, MAX_PEERS, PeerBook
from core.net.records import Record


def peer_id(n: int) -> str:
    return "Qm" + str(n).zfill(44).replace("0", "z")


def record(n: int, round: int = 5) -> Record:
    return Record(
        swarm="waggle",
        peer_id=peer_id(n),
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


def test_active_means_seen_in_the_last_rounds_and_not_missed() -> None:
    book = PeerBook()
    book.saw(record(1, round=5), lag_s=1.0, latency_ms=3.0)
    book.saw(record(2, round=1), lag_s=1.0)
    assert list(book.active(6)) == [peer_id(1)]
    assert book.active(20) == {}
    book.missed(peer_id(1))
    assert book.active(6) == {}
    book.saw(record(1, round=6), lag_s=0.0)
    assert book.active(6)[peer_id(1)].lag_s == 0.5
    assert book.active(6)[peer_id(1)].record.latency_ms == 3.0
    assert {r.peer_id for r in book.recent()} == {peer_id(1), peer_id(2)}


def test_a_restart_still_knows_whom_it_met_when_and_how_fast(tmp_path: Path) -> None:
    path = tmp_path / "peers.json"
    book = PeerBook(path)
    book.saw(record(1, round=8), lag_s=2.0, latency_ms=7.5)
    book.saw(record(2, round=8), lag_s=1.0)
    book.missed(peer_id(2))
    book.save()
    again = PeerBook(path)
    assert list(again.active(9)) == [peer_id(1)], "and expects those who were there"
    assert again.active(9)[peer_id(1)].lag_s == 2.0
    (first, second) = again.recent()
    assert {first.peer_id, second.peer_id} == {peer_id(1), peer_id(2)}
    assert {first.latency_ms, second.latency_ms} == {7.5, None}
    assert again.contacts() == book.contacts()


def test_it_is_bounded_in_memory_and_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "peers.json"
    book = PeerBook(path)
    for n in range(MAX_PEERS + 10):
        book.saw(record(n), lag_s=0.0)
    assert len(book.recent()) == MAX_PEERS
    book.save()
    assert path.stat().st_size < peers.MAX_FILE_BYTES / 4
    again = PeerBook(path)
    assert len(again.recent()) == MAX_PEERS
    assert len(again.contacts()) == MAX_CONTACTS
    last = MAX_PEERS + 9
    assert again.contacts()[-1] == f"/ip4/10.0.0.1/tcp/{last + 1}/p2p/{peer_id(last)}"


ROW = {
    "peer_id": peer_id(1),
    "seen": 5.0,
    "round": 3,
    "stage": 0,
    "reward_mean": 0.5,
    "latency_ms": None,
    "lag_s": 0.5,
    "missed": 0,
    "maddrs": ["/ip4/10.0.0.1/tcp/2"],
}


def spoilt(**change: object) -> bytes:
    return json.dumps({"version": 2, "peers": [{**ROW, **change}]}).encode()


def test_the_row_that_is_spoilt_below_is_good(tmp_path: Path) -> None:
    path = tmp_path / "peers.json"
    path.write_bytes(spoilt())
    assert len(PeerBook(path).contacts()) == 1


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"{", b"[]", b'{"peers": 3}', b"\xff", b" " * 9_000_000, b"[" * 20_000),
        b'{"version": 1, "contacts": []}',
        spoilt(peer_id="Qm/../x"),
        spoilt(maddrs=["/ip4/10.0.0.1/tcp/2\x1b[2J"]),
        spoilt(maddrs=None),
        spoilt(round=None),
        spoilt(round=True),
        spoilt(lag_s="1"),
        spoilt(seen=float("nan")),
    ],
    ids=lambda data: f"{len(data)} bytes",
)
def test_a_damaged_book_is_an_empty_book(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "peers.json"
    path.write_bytes(data)
    assert PeerBook(path).contacts() == []


@given(
    st.lists(
        st.tuples(
            st.integers(0, 40), st.integers(0, 9), st.floats(0, 30), st.none() | st.floats(0)
        ),
        max_size=30,
    )
)
def test_what_is_saved_is_what_is_read(met: list[tuple[int, int, float, float | None]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        book = PeerBook(Path(folder) / "peers.json")
        for n, round, lag_s, latency_ms in met:
            finite = latency_ms if latency_ms is not None and latency_ms < 1e300 else None
            book.saw(record(n, round), lag_s, finite)
        book.save()
        again = PeerBook(Path(folder) / "peers.json")
        assert again.contacts() == book.contacts()
        for round in range(12):
            assert again.active(round).keys() == book.active(round).keys()
