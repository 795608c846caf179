"""The peer book: who was seen, when, in which round, how fast, and where to reach them next time.

Bounded in memory and in its JSON file. The file is a convenience, not a record: it only gives the
next start more peers to knock at, so a damaged one is put aside by starting empty. What a peer
says about itself is taken from its signed records only.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import StorageError
from core.home import atomic_write
from core.net.names import animal_name
from core.net.records import Record, is_maddr
from core.protocols import PeerRecord

MAX_PEERS = 1_024
MAX_SAVED = 64
MAX_FILE_BYTES = 256 * 1024
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
        self._peers: OrderedDict[str, Peer] = OrderedDict()
        self._saved = _load(path) if path is not None else {}

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
        """Multiaddrs, peer id included, of peers met lately or before, the latest last."""
        with self._lock:
            now = {p: (peer.record.seen, peer.maddrs) for p, peer in self._peers.items()}
        merged = {**self._saved, **now}
        newest = sorted(merged.items(), key=lambda item: item[1][0])[-MAX_SAVED:]
        return [f"{m}/p2p/{peer_id}" for peer_id, (_, maddrs) in newest for m in maddrs]

    def save(self) -> None:
        """Write the contacts; a disk that refuses costs the next start a few addresses."""
        if self._path is None:
            return
        data = {"version": 1, "contacts": self.contacts(), "saved": time.time()}
        try:
            atomic_write(self._path, json.dumps(data, indent=1).encode())
        except StorageError as error:
            log.warning("the peer book was not saved: %s", error)


def _load(path: Path) -> dict[str, tuple[float, tuple[str, ...]]]:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ValueError("it is too large")
        data = json.loads(path.read_bytes())
        contacts = [c for c in data["contacts"] if is_maddr(c.rsplit("/p2p/", 1)[0])]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("the peer book %s cannot be read (%r); starting with an empty one", path, error)
        return {}
    found: dict[str, tuple[float, tuple[str, ...]]] = {}
    for position, contact in enumerate(contacts[-4 * MAX_SAVED :]):
        address, _, peer_id = contact.rpartition("/p2p/")
        if address and peer_id:
            earlier = found.get(peer_id, (0.0, ()))[1]
            found[peer_id] = (float(position), (*earlier, address)[-4:])
    return found
