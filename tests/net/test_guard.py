"""The guard: hivemind's own decoder with its limits, and replies taken apart without trust."""

from __future__ import annotations

import subprocess
import sys
import time

import msgpack
from hypothesis import given
from hypothesis import strategies as st

from core.net import guard, records
from core.net.identity import load_or_create

DEEP = """
import msgpack
from core.net import lean
assert lean.install()
from hivemind.dht.storage import DictionaryDHTValue
from hivemind.utils.serializer import MSGPackSerializer
from core.net.guard import bound_nesting
bound_nesting(MSGPackSerializer)
data = b"\\xc0"
for _ in range(3000):
    data = msgpack.packb(msgpack.ExtType(0x40, b"\\x91" + data))
for _ in range(2):
    try:
        MSGPackSerializer.loads(data)
    except ValueError as error:
        print(error)
value = DictionaryDHTValue()
value.store("a", b"x", 2e9)
again = MSGPackSerializer.loads(MSGPackSerializer.dumps((1, (2, value))))
print(again[1][1].data["a"].value)
import sys
print(getattr(sys.modules["torch"], "__file__", None))
"""


def dictionary(entries: list[tuple[object, object]]) -> bytes:
    body = msgpack.packb([None, 2e9, [[k, msgpack.packb(v), 2e9] for k, v in entries]])
    return msgpack.packb(msgpack.ExtType(0x50, body))


def test_deep_nesting_is_refused_and_shallow_is_read():
    out = subprocess.run(
        [sys.executable, "-c", DEEP], capture_output=True, text=True, timeout=60, check=True
    )
    assert out.stdout.splitlines() == ["value is nested too deeply"] * 2 + ["b'x'", "None"]


def test_a_dictionary_is_taken_apart_entry_by_entry():
    reply = dictionary([("a", b"1"), ("b", [b"2"]), (3, b"3"), ("d", "text"), ("e", b"5")])
    assert guard.parse_dictionary(reply) == [("a", b"1"), ("e", b"5")]
    assert guard.parse_dictionary(dictionary([("a", b"x" * 5000)])) == []


@given(st.binary(max_size=300))
def test_noise_in_a_reply_is_nothing(data):
    guard.parse_dictionary(data)
    guard.parse_dictionary(msgpack.packb(msgpack.ExtType(0x50, data)))
    guard.parse_dictionary(dictionary([("a", data)]))


def test_only_signed_records_under_their_own_key_are_kept(tmp_path):
    who = load_or_create(tmp_path / "swarm.pem")
    now = time.time()
    record = records.Record(
        swarm="waggle",
        peer_id=who.peer_id,
        round=5,
        stage=0,
        digest="ab" * 32,
        size_bytes=1,
        groups=1,
        reward_mean=0.0,
        maddrs=(),
        issued=now,
        expires=now + 600,
        public_key_bytes=who.public_key_bytes,
    )
    value = msgpack.packb(records.encode(record, who))
    key, subkey = records.directory_key("waggle", 5, 0), msgpack.packb(who.peer_id)

    def keeps(
        swarm="waggle", key=key, subkey=subkey, value=value, expires=now + 60, at=now
    ) -> bool:
        return guard.admissible(swarm, key, lambda k: k, subkey, value, expires, at)

    assert keeps()
    assert not keeps(swarm="other")
    assert not keeps(key=records.directory_key("waggle", 6, 0))
    assert not keeps(subkey=msgpack.packb(who.peer_id + "x"))
    assert not keeps(subkey=msgpack.packb(None))
    assert not keeps(value=msgpack.packb("text"))
    assert not keeps(value=value[:-1] + b"\0")
    for expires in (float("inf"), float("nan"), now + 1e6, now + 599 + guard.HORIZON_S):
        assert not keeps(expires=expires)
    picked = guard.pick("waggle", 5, 0, [(who.peer_id, records.encode(record, who))], now)
    assert list(picked) == [who.peer_id]
    assert guard.pick("waggle", 6, 0, [(who.peer_id, records.encode(record, who))], now) == {}
    assert guard.pick("waggle", 5, 0, [("QmOther", records.encode(record, who))], now) == {}
