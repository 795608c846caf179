"""The records that this node keeps for the swarm: who may pin what, how long, and who makes room.

A record is kept only when its own peer brought it, over a connection that proves who that is:
nobody can replay, roll back or hold up the record of another. A newer one of a peer replaces its
older one of the same round and stage. Everything has a bound: records of one peer, records in all,
and the time until one is forgotten unless its peer brings it again. When it is full, rounds far
from mine make room first, so that records of far future rounds never displace those in use; within
a round a secret order decides, which nobody can aim at. Pure but for its clock; knows neither
hivemind nor sockets.
"""

from __future__ import annotations

import random
import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b

from core.net import asking, records, shards
from core.net.refused import Refused

HOLD_S = 120.0
"""How long a record is kept after its peer brought it last; peers bring it again well before."""
MAX_RECORDS = 2_048
MAX_BYTES = 2 * 2**20
MAX_PER_PEER = 6
"""Of one peer, in all rounds and stages: its last two records, and some from before."""
WINDOW = 2
"""Rounds this close to mine are in use."""
MAX_ASKS_PER_S = 50
"""Of one peer; an honest one asks a few times a second."""
_SWEEP_EVERY_S = 5.0


@dataclass(frozen=True)
class _Pin:
    value: bytes
    tag: bytes
    point: int
    round: int
    stage: int
    peer_id: str
    issued: float
    until: float
    rank: bytes
    """Secret order; the lowest stay."""


@dataclass
class Board:
    """Of one swarm. clock: Unix seconds."""

    swarm: str
    clock: Callable[[], float] = time.time
    round: int | None = None
    """The latest round that this node itself published or read."""
    refused: Refused = field(default_factory=Refused)
    _pins: dict[tuple[int, int, str], _Pin] = field(default_factory=dict)
    _of_peer: dict[str, OrderedDict[tuple[int, int, str], None]] = field(default_factory=dict)
    _bytes: int = 0
    _swept: float = 0.0
    _asks: Counter[str] = field(default_factory=Counter)
    _second: int = 0
    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    def __len__(self) -> int:
        return len(self._pins)

    def answer(self, data: bytes, peer_id: str) -> bytes:
        """The answer to the question of that peer; ValueError when it is none, or one too many."""
        self._count(peer_id)
        ask = asking.decode_ask(data)
        if isinstance(ask, asking.Keep):
            return b"\1" if self.pin(ask.record, peer_id) else b"\0"
        found = self.look(ask.round, ask.stage, ask.shard)
        fresh = [value for value in found if asking.tag(value) not in ask.known]
        return asking.encode_records(random.sample(fresh, min(len(fresh), asking.MAX_ANSWER)))

    def pin(self, value: bytes, peer_id: str) -> bool:
        """Keep a record that `peer_id` brought; False when it is not its own, not good, or old."""
        now = self.clock()
        self._sweep(now)
        try:
            record = records.decode(value)
            reason = "identity" if record.peer_id != peer_id else ""
            reason = reason or records.misplaced(record, self.swarm, record.round, record.stage)
        except ValueError:
            reason = "signature"
        if reason:
            self.refused.note(peer_id, reason)
            return False
        try:
            records.check_fresh(record, now)
        except ValueError:
            self.refused.note(peer_id, "stale")
            return False
        key = (record.round, record.stage, peer_id)
        old = self._pins.get(key)
        if old is not None and old.value != value and old.issued >= record.issued:
            return False
        rank = blake2b(peer_id.encode(), key=self._secret, digest_size=8).digest()
        pin = _Pin(
            value,
            asking.tag(value),
            shards.point(self.swarm, record.round, record.stage, peer_id),
            *(record.round, record.stage, peer_id, record.issued),
            min(record.expires, now + HOLD_S),
            rank,
        )
        return self._room_for(key, pin)

    def look(self, round: int, stage: int, shard: shards.Shard) -> list[bytes]:
        """The records of one round and stage that belong into a shard."""
        self._sweep(self.clock())
        return [
            pin.value
            for pin in self._pins.values()
            if (pin.round, pin.stage) == (round, stage) and pin.point in shard
        ]

    def _count(self, peer_id: str) -> None:
        second = int(self.clock())
        if second != self._second:
            self._second = second
            self._asks.clear()
        self._asks[peer_id] += 1
        if self._asks[peer_id] > MAX_ASKS_PER_S:
            raise ValueError("too many questions")

    def _room_for(self, key: tuple[int, int, str], pin: _Pin) -> bool:
        self._take_down(key)
        self._put_up(key, pin)
        mine = self._of_peer[pin.peer_id]
        if len(mine) > MAX_PER_PEER:
            self._take_down(next(iter(mine)))
        while len(self._pins) > MAX_RECORDS or self._bytes > MAX_BYTES:
            self._take_down(max(self._pins, key=self._dispensable))
        return key in self._pins

    def _dispensable(self, key: tuple[int, int, str]) -> tuple[int, bytes]:
        """The larger, the sooner a record makes room."""
        pin = self._pins[key]
        away = 0 if self.round is None else max(0, abs(pin.round - self.round) - WINDOW)
        return away, pin.rank

    def _put_up(self, key: tuple[int, int, str], pin: _Pin) -> None:
        self._pins[key] = pin
        self._bytes += len(pin.value)
        self._of_peer.setdefault(pin.peer_id, OrderedDict())[key] = None

    def _take_down(self, key: tuple[int, int, str]) -> None:
        pin = self._pins.pop(key, None)
        if pin is None:
            return
        self._bytes -= len(pin.value)
        of_peer = self._of_peer[pin.peer_id]
        del of_peer[key]
        if not of_peer:
            del self._of_peer[pin.peer_id]

    def _sweep(self, now: float) -> None:
        """Forget what nobody brought again. A clock set back makes that late, never wrong."""
        if abs(now - self._swept) < _SWEEP_EVERY_S:
            return
        self._swept = now
        for key in [key for key, pin in self._pins.items() if pin.until <= now]:
            self._take_down(key)
