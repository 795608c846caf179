"""The unsigned values that a node keeps for the GenRL nodes of its swarm, and no others.

Anybody can write such a value in anybody's name, so there is little to keep and no reason to keep
it long: values that GenRL nodes can read, under a peer id, under the keys of the rounds around the
one that is played, for as long as the original lets them live, and so much per round. None of this
applies in a swarm that does not speak GenRL: there this file is not asked. Signed records lie
elsewhere and are not in its reach. Works on bytes; hivemind's hash of a key is handed in.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import msgpack

from core.net import genrl
from core.net.genrl_messages import MAX_VALUE_BYTES, MAX_VALUES

AROUND = (-1, 0, 1)
"""Rounds that are kept, seen from the one that is played: some nodes are a little late or early."""
MAX_ROUND_BYTES = 512 * 1024
"""Per round. With three rounds, what a new peer is handed stays under the 4 MiB of one message."""
MAX_ROUND_VALUES = 512
CLOCK_SKEW_S = 60.0
MAX_VERSIONS = 3
MAX_ANSWER_BYTES = 8 * 2**20
_SUBKEY_BYTES = 96
_DICTIONARY = 0x50


@dataclass(frozen=True)
class Entry:
    """One subkey of one replica's answer. expires: Unix seconds."""

    peer_id: str
    value: bytes
    expires: float


class Unsigned:
    """Which keys hold unsigned values now. key_id_of: from a round's key to its DHT id.

    round: the one that is played, -1 before the first.
    """

    def __init__(self, key_id_of: Callable[[str], bytes]) -> None:
        self._key_id_of = key_id_of
        self._keys: frozenset[bytes] = frozenset()
        self.round = -1

    def move_to(self, round: int) -> frozenset[bytes]:
        """This round is played now. The ids of the keys that are no longer kept."""
        before, self.round = self._keys, round
        near = (round + step for step in AROUND)
        self._keys = frozenset(self._key_id_of(genrl.round_key(r)) for r in near if r >= 0)
        return before - self._keys

    def owns(self, key_id: bytes) -> bool:
        """Whether that key belongs to a round around the one that is played."""
        return key_id in self._keys

    def admissible(
        self, key_id: bytes, subkey: bytes, value: bytes, expires: float, now: float
    ) -> bool:
        """Whether to keep `value` (as it lies in the DHT) under that key and subkey."""
        if not (self.owns(key_id) and len(subkey) <= _SUBKEY_BYTES):
            return False
        if not (math.isfinite(expires) and expires <= now + genrl.LIFE_S + CLOCK_SKEW_S):
            return False
        inner = _inner(value)
        if not inner or not genrl.is_peer_id(_text(subkey)):
            return False
        try:
            genrl.decode(inner)
        except ValueError:
            return False
        return True


def parse_dictionary(raw: bytes) -> list[Entry]:
    """The plausible entries of a dictionary reply; never raises.

    An entry of the wrong type or size is left out; a reply that is no dictionary gives nothing.
    """
    try:
        code, body = msgpack.unpackb(raw, ext_hook=lambda code, data: (code, data))
        if code != _DICTIONARY:
            return []
        _maxsize, _latest, items = msgpack.unpackb(
            body, ext_hook=_refuse, max_array_len=4 * MAX_VALUES, max_map_len=0, raw=False
        )
        found = [(item[0], item[1], item[2]) for item in items]
    except (ValueError, TypeError, IndexError, KeyError, msgpack.UnpackException):
        return []
    return [
        Entry(peer_id, inner, float(expires))
        for peer_id, value, expires in found
        if genrl.is_peer_id(peer_id)
        and type(expires) in (int, float)
        and math.isfinite(expires)
        and (inner := _inner(value))
    ]


def pick(
    replies: Sequence[Sequence[Entry]], me: str, now: float, rng: random.Random
) -> list[tuple[str, bytes]]:
    """Per peer but me the different values that replicas hold, longest life first; bounded.

    All of them, because anybody may have written the one that looks newest: the first that can be
    read counts, so a broken one hides nothing. Where there are more peers than fit, each replica
    has an equal say in who is in, so that one that makes peers up crowds out nobody else's.
    """
    by_peer: dict[str, dict[bytes, float]] = {}
    lists: list[list[str]] = []
    for reply in replies:
        living = [e for e in reply if e.peer_id != me and e.expires > now]
        for entry in living:
            values = by_peer.setdefault(entry.peer_id, {})
            values[entry.value] = max(entry.expires, values.get(entry.value, 0.0))
        names = sorted({e.peer_id for e in living})
        lists.append(rng.sample(names, len(names)))
    turns = (name for turn in zip_longest(*lists) for name in turn if name is not None)
    found: list[tuple[str, bytes]] = []
    size = 0
    for name in dict.fromkeys(turns):
        values = by_peer[name]
        for value in sorted(values, key=lambda v: -values[v])[:MAX_VERSIONS]:
            size += len(value)
            if size > MAX_ANSWER_BYTES or len(found) >= MAX_VALUES:
                return found
            found.append((name, value))
    return found


def _inner(value: Any) -> bytes:
    """The byte string inside a stored value (msgpack), or b"" when it is another thing."""
    if type(value) is not bytes or len(value) > MAX_VALUE_BYTES + 8:
        return b""
    inner = _unpacked(value)
    return inner if type(inner) is bytes and len(inner) <= MAX_VALUE_BYTES else b""


def _text(subkey: bytes) -> str:
    text = _unpacked(subkey)
    return text if type(text) is str and msgpack.packb(text) == subkey else ""


def _unpacked(data: bytes) -> Any:
    try:
        return msgpack.unpackb(data, ext_hook=_refuse, max_array_len=0, max_map_len=0, raw=False)
    except (ValueError, msgpack.UnpackException):
        return None


def _refuse(code: int, data: bytes) -> Any:
    raise ValueError("an extension where none belongs")
