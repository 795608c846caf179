"""What stands between the DHT and what strangers put into it.

hivemind decodes nested msgpack extensions recursively without a bound, and its stock `get` lets one
malformed value spoil a whole key. So nesting is bounded before anything is decoded, replies are
taken apart here one subkey at a time, and a value is kept only when it is a signed record of this
swarm under its own key and subkey. Works on bytes; hivemind's classes are handed in.
"""

from __future__ import annotations

import math
from typing import Any

import msgpack

from core.net import records

MAX_NESTING = 8
HORIZON_S = 240.0
"""A value may claim to live this long from now. It is refreshed while it is of use."""
MAX_SUBKEYS = 4_096
_DICTIONARY = 0x50
"""hivemind's msgpack extension code of a dictionary value."""


def bound_nesting(serializer: Any, limit: int = MAX_NESTING) -> None:
    """Make `MSGPackSerializer.loads` raise ValueError past `limit` nested extensions.

    Every level costs a decoder on the C stack; a record of one kilobyte could end the process.
    """
    decode = serializer._decode_ext_types.__func__
    depth = 0

    def bounded(cls: Any, code: int, data: bytes) -> Any:
        nonlocal depth
        if depth >= limit:
            raise ValueError("value is nested too deeply")
        depth += 1
        try:
            return decode(cls, code, data)
        finally:
            depth -= 1

    serializer._decode_ext_types = classmethod(bounded)


def parse_dictionary(raw: bytes) -> list[tuple[str, bytes]]:
    """(subkey, record bytes) of each plausible entry of a dictionary reply; never raises.

    An entry of the wrong type or size is left out; a reply that is no dictionary gives nothing.
    """
    try:
        code, body = msgpack.unpackb(raw, ext_hook=lambda code, data: (code, data))
        if code != _DICTIONARY:
            return []
        _maxsize, _latest, items = msgpack.unpackb(
            body, ext_hook=_refuse, max_array_len=MAX_SUBKEYS, max_map_len=0, raw=False
        )
        entries = [(item[0], _record_bytes(item[1])) for item in items]
    except (ValueError, TypeError, IndexError, KeyError, msgpack.UnpackException):
        return []
    return [(subkey, value) for subkey, value in entries if type(subkey) is str and value]


def admissible(
    swarm: str,
    key_id: bytes,
    key_id_of: Any,
    subkey: bytes,
    value: bytes,
    expires: float,
    now: float,
) -> bool:
    """Whether a node of `swarm` keeps `value` (as it lies in the DHT) under that key and subkey.

    key_id_of: from a directory key to the bytes of its DHT id.
    """
    if not (math.isfinite(expires) and expires <= now + HORIZON_S + records.CLOCK_SKEW_S):
        return False
    if len(value) > records.MAX_RECORD_BYTES + 8 or len(subkey) > 96:
        return False
    record = _record(_record_bytes(value))
    if record is None or record.swarm != swarm or expires > record.expires:
        return False
    if subkey != msgpack.packb(record.peer_id):
        return False
    return bool(key_id == key_id_of(records.directory_key(swarm, record.round, record.stage)))


def pick(
    swarm: str, round: int, stage: int, entries: list[tuple[str, bytes]], now: float
) -> dict[str, bytes]:
    """The newest good record of every peer among what replicas answered."""
    best: dict[str, tuple[float, bytes]] = {}
    for subkey, value in entries:
        record = _record(value)
        if record is None or record.peer_id != subkey or record.expires <= now:
            continue
        if (record.swarm, record.round, record.stage) != (swarm, round, stage):
            continue
        if subkey not in best or best[subkey][0] < record.issued:
            best[subkey] = (record.issued, value)
    return {peer_id: value for peer_id, (_, value) in best.items()}


def _record(value: bytes) -> records.Record | None:
    try:
        return records.decode(value)
    except ValueError:
        return None


def _record_bytes(value: Any) -> bytes:
    """The byte string inside a stored value (msgpack), or b"" when it is another thing."""
    if type(value) is not bytes or len(value) > records.MAX_RECORD_BYTES + 8:
        return b""
    try:
        inner = msgpack.unpackb(value, ext_hook=_refuse, max_array_len=0, max_map_len=0)
    except (ValueError, msgpack.UnpackException):
        return b""
    return inner if type(inner) is bytes else b""


def _refuse(code: int, data: bytes) -> Any:
    raise ValueError("an extension where none belongs")
