"""Directory records: what is signed comes back; what is not exactly that is refused."""

from __future__ import annotations

import dataclasses

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.net import identity, records


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ids")
    return [identity.load_or_create(folder / f"{n}.pem") for n in range(2)]


def make(who: identity.Identity, **changes: object) -> records.Record:
    fields: dict[str, object] = {
        "swarm": "waggle",
        "peer_id": who.peer_id,
        "round": 7,
        "stage": 0,
        "digest": "ab" * 32,
        "size_bytes": 1234,
        "groups": 16,
        "reward_mean": 0.25,
        "maddrs": ("/ip4/127.0.0.1/tcp/4001",),
        "issued": 1000.0,
        "expires": 1600.0,
        "public_key_bytes": who.public_key_bytes,
    }
    return records.Record(**{**fields, **changes})  # type: ignore[arg-type]


@given(
    round=st.integers(0, 2**53),
    stage=st.integers(0, 2**31),
    size_bytes=st.integers(0, records.MAX_PAYLOAD_BYTES),
    groups=st.integers(0, records.MAX_GROUPS),
    reward_mean=st.floats(-1e6, 1e6),
    digest=st.binary(min_size=32, max_size=32).map(bytes.hex),
    maddrs=st.lists(
        st.sampled_from(["/ip4/10.0.0.1/tcp/1", "/dns4/a.example/udp/9/quic-v1"]), max_size=4
    ).map(tuple),
    issued=st.floats(0, 1e10),
    life=st.floats(1, 7000),
)
def test_round_trip(pair, issued, life, **fields):
    record = make(pair[0], issued=issued, expires=issued + life, **fields)
    value = records.encode(record, pair[0])
    assert len(value) <= records.MAX_RECORD_BYTES
    assert records.decode(value) == record


@given(st.binary(max_size=3000))
def test_noise_is_refused(data):
    with pytest.raises(ValueError, match=r"."):
        records.decode(data)


@given(st.data())
def test_one_changed_byte_is_refused(pair, data):
    value = bytearray(records.encode(make(pair[0]), pair[0]))
    at = data.draw(st.integers(0, len(value) - 1))
    value[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError, match=r"."):
        records.decode(bytes(value))


def test_nobody_speaks_for_another(pair):
    mine, other = pair
    with pytest.raises(ValueError, match="own peer"):
        records.encode(make(mine), other)
    forged = dataclasses.replace(make(mine), public_key_bytes=other.public_key_bytes)
    with pytest.raises(ValueError, match="peer id"):
        records.encode(forged, other)
    body = records._pack(make(mine))
    value = msgpack.packb([body, other.sign(records._DOMAIN + body)])
    with pytest.raises(ValueError, match="signature"):
        records.decode(value)


def test_a_signature_for_something_else_is_refused(pair):
    body = records._pack(make(pair[0]))
    with pytest.raises(ValueError, match="signature"):
        records.decode(msgpack.packb([body, pair[0].sign(body)]))


def test_a_second_spelling_is_refused(pair):
    who = pair[0]
    body = records._pack(make(who))
    at = body.index(b"\x07")
    longer = body[:at] + b"\xcc\x07" + body[at + 1 :]
    with pytest.raises(ValueError, match="spelling"):
        records.decode(msgpack.packb([longer, who.sign(records._DOMAIN + longer)]))


@pytest.mark.parametrize(
    "changes",
    [
        {"expires": float("inf")},
        {"expires": 1000.0 + records.MAX_LIFETIME_S + 1},
        {"expires": 900.0},
        {"issued": float("nan")},
        {"reward_mean": float("nan")},
        {"reward_mean": 1},
        {"round": -1},
        {"round": True},
        {"size_bytes": 2**40},
        {"maddrs": ("/ip4/1.2.3.4/tcp/1",) * 5},
        {"maddrs": ("no multiaddr",)},
        {"maddrs": ("/ip4/1.2.3.4\n/tcp/1",)},
        {"swarm": ""},
        {"swarm": "a/b"},
        {"peer_id": "QmNobody"},
        {"digest": "ff"},
    ],
)
def test_fields_out_of_bounds_are_refused(pair, changes):
    with pytest.raises(ValueError, match=r"."):
        records.encode(make(pair[0], **changes), pair[0])


def test_deep_nesting_is_refused():
    with pytest.raises(ValueError, match="msgpack"):
        records.decode(b"\x91" * 2000 + b"\xc0")


def test_freshness(pair):
    record = make(pair[0])
    records.check_fresh(record, 1000.0)
    with pytest.raises(ValueError, match="expired"):
        records.check_fresh(record, 1600.0)
    with pytest.raises(ValueError, match="clock"):
        records.check_fresh(record, 1000.0 - records.CLOCK_SKEW_S - 1)
