"""The peer book: who was seen, when, in which round, how fast, and where to reach them next time.

Bounded in memory and in its JSON file. The file is a convenience, not a record: it gives the next
start peers to knock at and to expect, so a damaged one costs no more than that. What a peer says
about itself is taken from its signed records only. What its contributions were worth is not in
here but in `core.state`.
"""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core import boundedjson
from core.errors import StorageError
from core.home import atomic_write
from core.net.names import animal_name
from core.net.records import MAX_MADDRS, Record, is_maddr, is_peer_id
from core.protocols import PeerRecord

MAX_PEERS = 4_096
MAX_CONTACTS = 128
"""Peers whose addresses a start is given: the newest."""
MAX_FILE_BYTES = 8 * 2**20
VERSION = 2
RECENT_S = 900.0
ACTIVE_ROUNDS = 3
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Peer:
    """One peer as remembered here. lag_s: how long after my own its contribution usually comes.

    missed: gathers in a row that ended without it; back to 0 when it is seen.
    """

    record: PeerRecord
    maddrs: tuple[str, ...]
    lag_s: float = 0.0
    missed: int = 0


def describe(record: Record, seen: float, latency_ms: float | None = None) -> PeerRecord:
    """The record as the other rooms see it."""
    return PeerRecord(
        peer_id=record.peer_id,
        name=animal_name(record.peer_id),
        round=record.round,
        stage=record.stage,
        digest=record.digest,
        size_bytes=record.size_bytes,
        groups=record.groups,
        reward_mean=record.reward_mean,
        seen=seen,
        latency_ms=latency_ms,
    )


def unannounced(peer_id: str, round: int, stage: int, now: float) -> PeerRecord:
    """A peer of which there is no good record."""
    return PeerRecord(peer_id, animal_name(peer_id), round, stage, "", 0, 0, 0.0, now)


class PeerBook:
    """Thread-safe. The peer seen longest ago makes room for a new one."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._peers = _load(path) if path is not None else OrderedDict[str, Peer]()

    def saw(self, record: Record, lag_s: float, latency_ms: float | None = None) -> None:
        """Note a peer's good record."""
        with self._lock:
            old = self._peers.pop(record.peer_id, None)
            if old is not None:
                lag_s = 0.5 * old.lag_s + 0.5 * lag_s
                latency_ms = old.record.latency_ms if latency_ms is None else latency_ms
            told = describe(record, time.time(), latency_ms)
            self._peers[record.peer_id] = Peer(told, record.maddrs, lag_s)
            while len(self._peers) > MAX_PEERS:
                self._peers.popitem(last=False)

    def missed(self, peer_id: str) -> None:
        """Note that a whole gather ended without this peer."""
        with self._lock:
            if peer_id in self._peers:
                peer = self._peers[peer_id]
                self._peers[peer_id] = replace(peer, missed=peer.missed + 1)

    def active(self, round: int) -> dict[str, Peer]:
        """Peers that contributed in one of the last rounds and were not missed since."""
        since = time.time() - RECENT_S
        with self._lock:
            return {
                peer_id: peer
                for peer_id, peer in self._peers.items()
                if not peer.missed
                and peer.record.seen >= since
                and round - ACTIVE_ROUNDS <= peer.record.round <= round
            }

    def recent(self) -> list[PeerRecord]:
        """The latest record of every peer seen in the last RECENT_S seconds, newest first."""
        since = time.time() - RECENT_S
        with self._lock:
            found = [p.record for p in self._peers.values() if p.record.seen >= since]
        return sorted(found, key=lambda r: r.seen, reverse=True)

    def contacts(self) -> list[str]:
        """Multiaddrs, peer id included, of the peers met last, the latest last."""
        with self._lock:
            met = sorted(self._peers.values(), key=lambda peer: peer.record.seen)
        newest = [peer for peer in met if peer.maddrs][-MAX_CONTACTS:]
        return [f"{m}/p2p/{peer.record.peer_id}" for peer in newest for m in peer.maddrs]

    def save(self) -> None:
        """Write it down; a disk that refuses costs the next start a few acquaintances."""
        if self._path is None:
            return
        with self._lock:
            rows = [_to_row(peer) for peer in self._peers.values()]
        data = {"version": VERSION, "saved": time.time(), "peers": rows}
        try:
            atomic_write(self._path, json.dumps(data).encode())
        except StorageError as error:
            log.warning("the peer book was not saved: %s", error)


def _load(path: Path) -> OrderedDict[str, Peer]:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ValueError("it is too large")
        data = boundedjson.decode(path.read_bytes())
        if data["version"] != VERSION:
            raise ValueError("it is of another version")
        found = [_from_row(row) for row in data["peers"][-MAX_PEERS:]]
    except FileNotFoundError:
        return OrderedDict()
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("the peer book %s cannot be read (%r); starting with an empty one", path, error)
        return OrderedDict()
    return OrderedDict((peer.record.peer_id, peer) for peer in found)


def _to_row(peer: Peer) -> dict[str, Any]:
    record = peer.record
    return {
        "peer_id": record.peer_id,
        "seen": record.seen,
        "round": record.round,
        "stage": record.stage,
        "reward_mean": record.reward_mean,
        "latency_ms": record.latency_ms,
        "lag_s": peer.lag_s,
        "missed": peer.missed,
        "maddrs": peer.maddrs,
    }


def _from_row(row: dict[str, Any]) -> Peer:
    """ValueError, KeyError or TypeError for what `_to_row` does not make."""
    maddrs, peer_id = row["maddrs"], row["peer_id"]
    if not is_peer_id(peer_id) or not all(is_maddr(m) for m in maddrs):
        raise ValueError("a peer without a peer id, or with an address that is none")
    latency_ms = row["latency_ms"]
    numbers = [row["seen"], row["reward_mean"], row["lag_s"], latency_ms or 0.0]
    whole = [row["round"], row["stage"], row["missed"]]
    if not all(isinstance(n, (int, float)) and math.isfinite(n) for n in numbers):
        raise ValueError("a number that is none")
    if not all(type(n) is int for n in whole):
        raise ValueError("a number that is not whole")
    record = PeerRecord(
        peer_id=peer_id,
        name=animal_name(peer_id),
        round=row["round"],
        stage=row["stage"],
        digest="",
        size_bytes=0,
        groups=0,
        reward_mean=row["reward_mean"],
        seen=row["seen"],
        latency_ms=latency_ms,
    )
    return Peer(record, tuple(maddrs[:MAX_MADDRS]), row["lag_s"], row["missed"])
