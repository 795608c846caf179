"""The signed directory record of one contribution: what travels in the DHT, and nothing more.

A record says: *this peer has rollouts for this round and stage of this swarm; their payload has
this digest and size; here is where to fetch it*. Its value is msgpack `[body, signature]`, the body
a msgpack array in fixed order, the signature RSA-PSS-SHA256 by the peer key over a domain prefix
and the body. The peer id is the hash of the public key inside, so nobody can speak for another
peer. Pure: bytes in, dataclass out; no network, no clock of its own.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgpack

from core.net.identity import MAX_PUBLIC_KEY_BYTES, Identity, peer_id_of, verify

VERSION = 2
MAX_RECORD_BYTES = 2_048
MAX_MADDRS = 4
MAX_MADDR_CHARS = 128
MAX_PAYLOAD_BYTES = 32 * 2**20
MAX_GROUPS = 65_536
MAX_LIFETIME_S = 7_200.0
CLOCK_SKEW_S = 120.0
"""How far another node's clock may be ahead of mine before its records are refused: a minute is
common on machines without NTP, and harmless, since a record says of which round it is."""

_DOMAIN = b"waggle/record/2\0"
_SWARM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MADDR = re.compile(r"(/[A-Za-z0-9._:-]{1,96})+")
_PEER_ID = re.compile(r"[1-9A-HJ-NP-Za-km-z]{40,64}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Record:
    """One peer's word about one round. `issued` and `expires` are Unix seconds by its clock.

    digest: hex SHA-256 of the payload of `size_bytes` bytes with `groups` groups. reward_mean is
    a claim. maddrs: where the peer says it can be reached, at most MAX_MADDRS.
    """

    swarm: str
    peer_id: str
    round: int
    stage: int
    digest: str
    size_bytes: int
    groups: int
    reward_mean: float
    maddrs: tuple[str, ...]
    issued: float
    expires: float
    public_key_bytes: bytes


def encode(record: Record, identity: Identity) -> bytes:
    """Sign and pack; ValueError when a field is out of bounds or the identity is another's."""
    _check(record)
    if record.peer_id != identity.peer_id:
        raise ValueError("a record can be signed only by its own peer")
    body = _pack(record)
    value: bytes = msgpack.packb([body, identity.sign(_DOMAIN + body)], use_bin_type=True)
    if len(value) > MAX_RECORD_BYTES:
        raise ValueError(f"record of {len(value)} bytes is larger than {MAX_RECORD_BYTES}")
    return value


@lru_cache(maxsize=2_048)
def decode(value: bytes) -> Record:
    """A record whose bounds, peer id and signature hold; ValueError for anything else.

    Freshness is not looked at: see `check_fresh`.
    """
    if len(value) > MAX_RECORD_BYTES:
        raise ValueError(f"record of {len(value)} bytes is larger than {MAX_RECORD_BYTES}")
    outer = _unpack(value)
    if type(outer) is not list or len(outer) != 2:
        raise ValueError("not a record")
    body, signature = outer
    if type(body) is not bytes or type(signature) is not bytes:
        raise ValueError("not a record")
    record = _parse(_unpack(body))
    if _pack(record) != body:
        raise ValueError("record is not in its only spelling")
    if not verify(record.public_key_bytes, signature, _DOMAIN + body):
        raise ValueError("signature does not hold")
    return record


def check_fresh(record: Record, now: float) -> None:
    """ValueError when the record has expired, or comes from a clock too far from `now`."""
    if record.issued > now + CLOCK_SKEW_S:
        ahead = round(record.issued - now)
        raise ValueError(f"record is {ahead} s from the future: one of the two clocks is wrong")
    if record.expires <= now:
        raise ValueError("record has expired")


def misplaced(record: Record, swarm: str, round: int, stage: int) -> str:
    """Why the record does not belong among those of this swarm, round and stage; "" if it does."""
    if record.swarm != swarm:
        return "identity"
    return "" if (record.round, record.stage) == (round, stage) else "round"


def _pack(record: Record) -> bytes:
    fields = [
        VERSION,
        record.swarm,
        record.round,
        record.stage,
        bytes.fromhex(record.digest),
        record.size_bytes,
        record.groups,
        record.reward_mean,
        list(record.maddrs),
        record.issued,
        record.expires,
        record.public_key_bytes,
    ]
    body: bytes = msgpack.packb(fields, use_bin_type=True)
    return body


def _unpack(data: bytes) -> Any:
    try:
        return msgpack.unpackb(
            data,
            raw=False,
            use_list=True,
            max_array_len=16,
            max_map_len=0,
            max_ext_len=0,
        )
    except (ValueError, msgpack.UnpackException, RecursionError) as error:
        raise ValueError("not msgpack of a record") from error


def _parse(fields: Any) -> Record:
    if type(fields) is not list or len(fields) != 12 or fields[0] != VERSION:
        raise ValueError(f"not a record of version {VERSION}")
    digest, maddrs, key = fields[4], fields[8], fields[11]
    if type(digest) is not bytes or type(maddrs) is not list:
        raise ValueError("a field of the record has the wrong type")
    if type(key) is not bytes or len(key) > MAX_PUBLIC_KEY_BYTES:
        raise ValueError("the public key in the record is malformed")
    record = Record(
        swarm=fields[1],
        peer_id=peer_id_of(key),
        round=fields[2],
        stage=fields[3],
        digest=digest.hex(),
        size_bytes=fields[5],
        groups=fields[6],
        reward_mean=fields[7],
        maddrs=tuple(maddrs),
        issued=fields[9],
        expires=fields[10],
        public_key_bytes=key,
    )
    _check(record)
    return record


def _check(record: Record) -> None:
    """ValueError unless every field has its type and stays in its bounds."""
    for text, pattern in (
        (record.swarm, _SWARM),
        (record.peer_id, _PEER_ID),
        (record.digest, _DIGEST),
    ):
        if type(text) is not str or not pattern.fullmatch(text):
            raise ValueError("a name in the record is malformed")
    for number, high in (
        (record.round, 2**53),
        (record.stage, 2**31),
        (record.size_bytes, MAX_PAYLOAD_BYTES),
        (record.groups, MAX_GROUPS),
    ):
        if type(number) is not int or not 0 <= number <= high:
            raise ValueError("a number in the record is out of bounds")
    for value, bound in (
        (record.reward_mean, 1e6),
        (record.issued, 2.0**40),
        (record.expires, 2.0**40),
    ):
        if type(value) is not float or not math.isfinite(value) or abs(value) > bound:
            raise ValueError("a number in the record is out of bounds")
    if not 0 < record.expires - record.issued <= MAX_LIFETIME_S:
        raise ValueError("the record's lifetime is out of bounds")
    if len(record.maddrs) > MAX_MADDRS or not all(is_maddr(a) for a in record.maddrs):
        raise ValueError("an address in the record is malformed")
    key = record.public_key_bytes
    if type(key) is not bytes or len(key) > MAX_PUBLIC_KEY_BYTES:
        raise ValueError("the public key in the record is malformed")
    if peer_id_of(key) != record.peer_id:
        raise ValueError("the peer id is not that of the public key")


def is_swarm_name(text: str) -> bool:
    """Whether a swarm may be called that: 1 to 64 letters, digits, dots, dashes, underscores."""
    return bool(_SWARM.fullmatch(text))


def is_maddr(text: object) -> bool:
    """Whether `text` looks like a multiaddr of bounded length; the daemon parses it for real."""
    return type(text) is str and len(text) <= MAX_MADDR_CHARS and bool(_MADDR.fullmatch(text))


def is_peer_maddr(text: str) -> bool:
    """Whether `text` looks like a multiaddr that ends in a peer id."""
    address, found, peer_id = text.rpartition("/p2p/")
    return bool(found) and is_maddr(address) and is_peer_id(peer_id)


def is_peer_id(text: object) -> bool:
    return type(text) is str and bool(_PEER_ID.fullmatch(text))
