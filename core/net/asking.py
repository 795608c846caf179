"""The two questions that nodes ask about the directory, as bounded bytes; protocol `/1`.

`[0, record]`: keep my record; answered with one byte, 1 or 0.
`[1, round, stage, at, bits, known]`: which records of this shard do you keep, other than those I
know; answered with `[record, ...]`. `known` is a string of record tags, TAG_BYTES each, so that a
reader who asks several nodes, again and again, is told each record about once. Pure; nothing here
believes what it reads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import msgpack

from core.net.records import MAX_RECORD_BYTES
from core.net.shards import ID_BITS, ID_BYTES, Shard

PROTOCOL = "waggle/directory/1"
TAG_BYTES = 8
MAX_KNOWN = 256
MAX_ANSWER = 32
MAX_ASK_BYTES = 4_096
MAX_ANSWER_BYTES = MAX_ANSWER * (MAX_RECORD_BYTES + 3) + 3
_KEEP, _LOOK = 0, 1


@dataclass(frozen=True)
class Keep:
    """Keep my record."""

    record: bytes


@dataclass(frozen=True)
class Look:
    """Which records of one round, stage and shard do you keep? known: tags of those I have."""

    round: int
    stage: int
    shard: Shard
    known: frozenset[bytes]


def tag(record: bytes) -> bytes:
    """A short name of a record; two records with one tag only hide one another from a reader."""
    return hashlib.sha256(record).digest()[:TAG_BYTES]


def encode_keep(record: bytes) -> bytes:
    return _pack([_KEEP, record])


def encode_look(round: int, stage: int, shard: Shard, known: Collection[bytes]) -> bytes:
    tags = b"".join(list(known)[:MAX_KNOWN])
    at = shard.at.to_bytes(ID_BYTES, "big")
    return _pack([_LOOK, round, stage, at, shard.bits, tags])


def decode_ask(data: bytes) -> Keep | Look:
    """ValueError for what is none."""
    if len(data) > MAX_ASK_BYTES:
        raise ValueError("a question is too long")
    fields = _unpack(data, max_array_len=6, max_bin_len=MAX_RECORD_BYTES)
    kinds = [type(field) for field in fields]
    if kinds == [int, bytes] and fields[0] == _KEEP:
        return Keep(fields[1])
    if kinds != [int, int, int, bytes, int, bytes] or fields[0] != _LOOK:
        raise ValueError("not a question")
    _, round, stage, at, bits, tags = fields
    if not (round >= 0 <= stage and len(at) == ID_BYTES and 0 <= bits <= ID_BITS):
        raise ValueError("a number in a question is out of bounds")
    if len(tags) % TAG_BYTES:
        raise ValueError("the known tags are malformed")
    known = frozenset(tags[n : n + TAG_BYTES] for n in range(0, len(tags), TAG_BYTES))
    return Look(round, stage, Shard(int.from_bytes(at, "big"), bits), known)


def encode_records(records: Sequence[bytes]) -> bytes:
    """The answer to a `Look`."""
    return _pack(list(records[:MAX_ANSWER]))


def decode_records(data: bytes) -> list[bytes]:
    """What may be records, not yet looked into; ValueError when the answer is malformed."""
    if len(data) > MAX_ANSWER_BYTES:
        raise ValueError(f"an answer of {len(data)} bytes is larger than {MAX_ANSWER_BYTES}")
    fields = _unpack(data, max_array_len=MAX_ANSWER, max_bin_len=MAX_RECORD_BYTES)
    if not all(type(field) is bytes for field in fields):
        raise ValueError("something else where a record belongs")
    return fields


def _pack(fields: list[Any]) -> bytes:
    packed: bytes = msgpack.packb(fields, use_bin_type=True)
    return packed


def _unpack(data: bytes, max_array_len: int, max_bin_len: int) -> list[Any]:
    try:
        fields = msgpack.unpackb(
            data,
            max_array_len=max_array_len,
            max_bin_len=max_bin_len,
            max_str_len=0,
            max_map_len=0,
            max_ext_len=0,
        )
    except (ValueError, msgpack.UnpackException, RecursionError) as error:
        raise ValueError("not msgpack of a question or an answer") from error
    if type(fields) is not list:
        raise ValueError("not a question or an answer")
    return fields
