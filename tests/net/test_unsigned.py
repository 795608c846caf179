"""The rules for unsigned values: pure, bounded, and indifferent to whatever comes in."""

from __future__ import annotations

import hashlib
import math
import random

import msgpack
from hypothesis import given
from hypothesis import strategies as st

from core.net import unsigned
from core.net.genrl_messages import MAX_VALUE_BYTES, MAX_VALUES
from core.net.unsigned import Entry, Unsigned

ME = "QmMeMeMeMeMeMeMeMeMeMeMeMeMeMeMeMeMeMeMeMeMeMe"
PEER = "QmPeerPeerPeerPeerPeerPeerPeerPeerPeerPeerPeer"
GOOD = msgpack.packb(b"\x80")  # nobody's groups: the smallest value that can be read
NOW = 1e9


def key_id(key: str) -> bytes:
    return hashlib.sha1(msgpack.packb(key)).digest()


def rules(round: int = 7) -> Unsigned:
    made = Unsigned(key_id)
    made.move_to(round)
    return made


def dictionary(entries: list[tuple[object, object, object]]) -> bytes:
    body = msgpack.packb([None, 2e9, [list(entry) for entry in entries]])
    return msgpack.packb(msgpack.ExtType(0x50, body))


def test_only_the_rounds_around_the_one_that_is_played_are_kept() -> None:
    made = Unsigned(key_id)
    assert not made.owns(key_id("0"))
    assert made.move_to(0) == frozenset()
    assert [r for r in range(9) if made.owns(key_id(str(r)))] == [0, 1]
    assert made.move_to(2) == {key_id("0")}
    assert [r for r in range(9) if made.owns(key_id(str(r)))] == [1, 2, 3]
    assert not made.owns(key_id("-1"))


def test_a_good_value_is_kept() -> None:
    assert rules().admissible(key_id("7"), msgpack.packb(PEER), GOOD, NOW + 600, NOW)


@given(
    key=st.sampled_from(["7", "5", "waggle/1/test/7/0"]) | st.text(max_size=9),
    subkey=st.sampled_from([msgpack.packb(PEER), msgpack.packb("x")]) | st.binary(max_size=99),
    value=st.sampled_from([GOOD, b"\xc1", msgpack.packb(b"\xc1")]) | st.binary(max_size=99),
    life_s=st.sampled_from([600.0, 661.0, math.inf, math.nan]) | st.floats(),
)
def test_whatever_is_kept_is_within_every_bound(
    key: str, subkey: bytes, value: bytes, life_s: float
) -> None:
    if rules().admissible(key_id(key), subkey, value, NOW + life_s, NOW):
        assert key in ("6", "7", "8")
        assert unsigned.genrl.is_peer_id(msgpack.unpackb(subkey))
        assert unsigned.genrl.decode(msgpack.unpackb(value)) == ()
        assert life_s <= 660


def test_a_reply_is_taken_apart_entry_by_entry() -> None:
    reply = dictionary(
        [
            (PEER, msgpack.packb(b"one"), NOW),
            (PEER, msgpack.packb("text"), NOW),
            ("no peer", msgpack.packb(b"two"), NOW),
            (3, msgpack.packb(b"three"), NOW),
            (ME, b"\xc1", NOW),
            (ME, msgpack.packb(b"x" * (MAX_VALUE_BYTES + 1)), NOW),
            (ME, msgpack.packb(b"four"), math.nan),
            (ME, msgpack.packb(b"five"), 5),
        ]
    )
    assert unsigned.parse_dictionary(reply) == [Entry(PEER, b"one", NOW), Entry(ME, b"five", 5.0)]


@given(st.binary(max_size=300))
def test_noise_in_a_reply_is_nothing(data: bytes) -> None:
    unsigned.parse_dictionary(data)
    unsigned.parse_dictionary(msgpack.packb(msgpack.ExtType(0x50, data)))
    assert unsigned.parse_dictionary(msgpack.packb(msgpack.ExtType(0x51, data))) == []


peers = st.sampled_from([ME, *(f"{PEER[:-1]}{c}" for c in "ABCDEF")])
entries = st.builds(Entry, peers, st.binary(min_size=1, max_size=4), st.floats(NOW - 5, NOW + 5))


@given(st.lists(st.lists(entries, max_size=20), max_size=5), st.randoms())
def test_every_peer_is_read_for_itself(replies: list[list[Entry]], rng: random.Random) -> None:
    picked = unsigned.pick(replies, ME, NOW, rng)
    found = [entry for reply in replies for entry in reply]
    living = [e for e in found if e.expires > NOW and e.peer_id != ME]
    assert {peer for peer, _ in picked} == {e.peer_id for e in living}
    assert len(set(picked)) == len(picked)
    for peer in {e.peer_id for e in living}:
        values = [value for p, value in picked if p == peer]
        assert 1 <= len(values) <= unsigned.MAX_VERSIONS
        newest = max((e for e in living if e.peer_id == peer), key=lambda e: e.expires)
        same = {e.value for e in living if e.peer_id == peer and e.expires == newest.expires}
        assert values[0] in same


def test_an_answer_stays_within_the_size_of_its_message() -> None:
    letters = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    names = [PEER[:-2] + a + b for a in letters for b in letters]
    rng = random.Random(1)
    many = [Entry(n, b"x", NOW + 1) for n in names]
    small = unsigned.pick([many, [Entry(ME[:-1] + "x", b"x", NOW + 1)]], "", NOW, rng)
    assert len(small) == MAX_VALUES
    assert (ME[:-1] + "x", b"x") in small, "made up peers crowd out nobody of another replica"
    large = unsigned.pick(
        [[Entry(n, b"x" * MAX_VALUE_BYTES, NOW + 1) for n in names]], ME, NOW, rng
    )
    assert sum(len(value) for _, value in large) <= unsigned.MAX_ANSWER_BYTES
    assert len(large) == unsigned.MAX_ANSWER_BYTES // MAX_VALUE_BYTES
