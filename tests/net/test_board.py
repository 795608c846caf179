"""The board: only a peer itself brings its record, only forwards in time, and never too much."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.net import asking, board, identity, records, shards

EVERYTHING = shards.Shard(0, 0)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ids")
    return [identity.load_or_create(folder / f"{n}.pem") for n in range(2)]


class Clock:
    now = 10_000.0

    def __call__(self) -> float:
        return self.now


def made(who: identity.Identity, round: int = 7, issued: float = 10_000.0, **changes) -> bytes:
    record = records.Record(
        swarm=changes.get("swarm", "waggle"),
        peer_id=who.peer_id,
        round=round,
        stage=changes.get("stage", 0),
        digest=changes.get("digest", "ab" * 32),
        size_bytes=1,
        groups=1,
        reward_mean=0.0,
        maddrs=(),
        issued=issued,
        expires=issued + changes.get("life", 600.0),
        public_key_bytes=who.public_key_bytes,
    )
    return records.encode(record, who)


def test_a_record_is_kept_for_whoever_signed_it_and_nobody_else(pair):
    me, other = pair
    kept = board.Board("waggle", Clock())
    good = made(me)
    assert not kept.pin(good, other.peer_id)
    assert not kept.pin(made(other), me.peer_id)
    assert not kept.pin(made(me, swarm="elsewhere"), me.peer_id)
    assert not kept.pin(good[:-1] + b"x", me.peer_id)
    assert not kept.pin(made(me, issued=9_000.0), me.peer_id)  # expired
    assert not kept.pin(made(me, issued=11_000.0), me.peer_id)  # from the future
    assert len(kept) == 0
    assert kept.pin(good, me.peer_id)
    assert kept.look(7, 0, EVERYTHING) == [good]
    assert kept.look(7, 1, EVERYTHING) == kept.look(8, 0, EVERYTHING) == []


def test_only_a_newer_record_takes_the_place_of_an_older(pair):
    me = pair[0]
    clock = Clock()
    kept = board.Board("waggle", clock)
    first, second = made(me), made(me, issued=10_001.0, digest="cd" * 32)
    twin = made(me, digest="ef" * 32)
    clock.now = 10_002.0
    assert kept.pin(first, me.peer_id)
    assert not kept.pin(twin, me.peer_id)  # as old, and another
    assert kept.pin(first, me.peer_id)  # brought again
    assert kept.pin(second, me.peer_id)
    assert not kept.pin(first, me.peer_id)
    assert kept.look(7, 0, EVERYTHING) == [second]


def test_what_is_not_brought_again_is_forgotten(pair):
    clock = Clock()
    kept = board.Board("waggle", clock)
    for who, life in zip(pair, (600.0, 60.0), strict=True):
        assert kept.pin(made(who, life=life), who.peer_id)
    clock.now += 61.0
    (left,) = kept.look(7, 0, EVERYTHING)  # the other one has expired
    assert len(kept) == 1
    assert kept.pin(left, pair[0].peer_id)
    clock.now += board.HOLD_S - 1
    assert len(kept.look(7, 0, EVERYTHING)) == 1
    clock.now += 6.0
    assert kept.look(7, 0, EVERYTHING) == []


def _values(kept: board.Board) -> list[bytes]:
    return [pin.value for pin in kept._pins.values()]


def test_one_peer_has_so_many_records_and_its_newest_stay(pair):
    me = pair[0]
    kept = board.Board("waggle", Clock())
    for n in range(board.MAX_PER_PEER + 3):
        assert kept.pin(made(me, round=n), me.peer_id)
    assert len(kept) == board.MAX_PER_PEER
    assert kept.look(2, 0, EVERYTHING) == []
    assert len(kept.look(n, 0, EVERYTHING)) == 1


def test_rounds_far_away_never_displace_those_in_use(monkeypatch, tmp_path):
    """A board full of far future rounds keeps no record of the round that is played from its place,
    and among those of one round nobody knows who has to go."""
    monkeypatch.setattr(board, "MAX_RECORDS", 6)
    everybody = [identity.load_or_create(tmp_path / f"{n}.pem") for n in range(6)]
    kept = board.Board("waggle", Clock(), round=7)
    hostile, honest = everybody[:3], everybody[3:]
    for who in hostile:
        for far in (10**6, 10**6 + 1):
            assert kept.pin(made(who, round=far), who.peer_id)
    assert len(kept) == 6
    for who in honest:
        for near in (6, 7):
            assert kept.pin(made(who, round=near), who.peer_id)
    assert len(kept.look(7, 0, EVERYTHING)) == len(kept.look(6, 0, EVERYTHING)) == 3
    assert not kept.pin(made(hostile[0], round=10**6 + 2), hostile[0].peer_id)
    assert len(kept) == 6
    assert kept._bytes == sum(len(value) for value in _values(kept))


def test_an_answer_holds_what_the_asker_does_not_know(pair):
    kept = board.Board("waggle", Clock())
    values = [made(who) for who in pair]
    for who, value in zip(pair, values, strict=True):
        assert kept.answer(asking.encode_keep(value), who.peer_id) == b"\1"
    assert kept.answer(asking.encode_keep(values[0]), pair[1].peer_id) == b"\0"

    def told(*known: bytes, shard: shards.Shard = EVERYTHING) -> set[bytes]:
        tags = [asking.tag(value) for value in known]
        return set(asking.decode_records(kept.answer(asking.encode_look(7, 0, shard, tags), "Qm")))

    assert told() == set(values)
    assert told(values[0]) == {values[1]}
    assert told(*values) == set()
    place = shards.point("waggle", 7, 0, pair[0].peer_id)
    assert told(shard=shards.Shard(place, 160)) == {values[0]}


def test_one_peer_asks_so_often_and_no_more(pair):
    clock = Clock()
    kept = board.Board("waggle", clock)
    ask = asking.encode_look(1, 0, EVERYTHING, [])
    for _ in range(board.MAX_ASKS_PER_S):
        assert kept.answer(ask, "QmEager") == b"\x90"
    with pytest.raises(ValueError, match=r"too many"):
        kept.answer(ask, "QmEager")
    assert kept.answer(ask, "QmOther") == b"\x90"
    clock.now += 1
    assert kept.answer(ask, "QmEager") == b"\x90"


@given(st.binary(max_size=200))
def test_noise_is_no_question_and_no_answer(data):
    kept = board.Board("waggle", Clock())
    try:
        assert kept.answer(data, "QmAnybody") in (b"\0", b"\x90")
    except ValueError:
        pass
    try:
        asking.decode_records(data)
    except ValueError:
        pass


@given(
    st.integers(0, 2**53),
    st.integers(0, 2**31),
    st.integers(0, 2**160 - 1),
    st.integers(0, 160),
    st.sets(st.binary(min_size=8, max_size=8), max_size=20),
)
def test_questions_come_back_as_they_were_asked(round, stage, at, bits, known):
    shard = shards.Shard(at, bits)
    ask = asking.decode_ask(asking.encode_look(round, stage, shard, known))
    assert ask == asking.Look(round, stage, shard, frozenset(known))
    assert asking.decode_ask(asking.encode_keep(b"x")) == asking.Keep(b"x")


def test_questions_and_answers_out_of_bounds_are_refused():
    for bad in (
        b"\x91" * 3_000 + b"\xc0",
        asking.encode_keep(bytes(records.MAX_RECORD_BYTES + 1)),
        bytes(asking.MAX_ASK_BYTES + 1),
        asking.encode_look(1, 0, EVERYTHING, [b"short"]),
        asking.encode_look(-1, 0, EVERYTHING, []),
    ):
        with pytest.raises(ValueError, match=r"."):
            asking.decode_ask(bad)
    many = [b"x"] * (asking.MAX_ANSWER + 5)
    assert len(asking.decode_records(asking.encode_records(many))) == asking.MAX_ANSWER
    with pytest.raises(ValueError, match=r"."):
        asking.decode_records(b"\xdc\x00\x25" + b"\xc4\x01x" * 37)
    with pytest.raises(ValueError, match=r"larger"):
        asking.decode_records(bytes(asking.MAX_ANSWER_BYTES + 1))
