"""How to reach whom, and whose turn it is to be greeted: the sidecar's address book. Bounded, pure.

Whoever does not answer is asked again after a pause that doubles: up to 8 s for a node that is
alone, so that it is back soon after its network is, up to a minute for one that has company.
Bootnodes are contacts like any other, except that what became of them is kept for the person who
configured them.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import replace

from core.net.messages import Bootnode

MAX_CONTACTS = 256
MAX_ADDRESSES = 4
MAX_GREETINGS = 16
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_ALONE_S, LONGEST_PAUSE_S = 8.0, 60.0
_PEER_ID = re.compile(r"[1-9A-HJ-NP-Za-km-z]{40,64}")
ANOTHER_PEER = "another peer answers there"
HELD_BACK = "libp2p holds back for a while"
"""After a failure p2pd refuses to dial the same address for seconds, so this is never the cause."""
_REASONS = (
    ("connection refused", "connection refused"),
    ("no route to host", "no route to host"),
    ("network is unreachable", "the network is unreachable"),
    ("peer id mismatch", ANOTHER_PEER),
    ("i/o timeout", "no answer"),
    ("deadline exceeded", "no answer"),
    ("TimeoutError", "no answer"),
    ("no such host", "its name is not known"),
    ("no transport for protocol", "this node does not speak that protocol"),
    ("dial backoff", HELD_BACK),
    ("NO_RESERVATION", "it is no longer known to its relay"),
)


class Contacts:
    """parses: whether the network layer understands a multiaddr."""

    def __init__(self, parses: Callable[[str], bool]) -> None:
        self._parses = parses
        self._addresses: OrderedDict[str, list[str]] = OrderedDict()
        self._next: dict[str, float] = {}
        self._tries: dict[str, int] = {}
        self._bootnodes: dict[str, Bootnode] = {}

    def __contains__(self, peer_id: str) -> bool:
        return peer_id in self._addresses

    @property
    def bootnodes(self) -> list[Bootnode]:
        return list(self._bootnodes.values())

    def add(self, maddr: str) -> bool:
        """Remember a multiaddr that ends in /p2p/PEER_ID; False when it is none."""
        address, _, peer_id = maddr.rpartition("/p2p/")
        if not address or not _PEER_ID.fullmatch(peer_id) or not self._parses(address):
            return False
        known = self._addresses.setdefault(peer_id, [])
        if address not in known:
            known[:] = [*known[1 - MAX_ADDRESSES :], address]
        self._addresses.move_to_end(peer_id)
        while len(self._addresses) > MAX_CONTACTS:
            oldest, _ = self._addresses.popitem(last=False)
            self._next.pop(oldest, None)
            self._tries.pop(oldest, None)
        return True

    def add_bootnode(self, maddr: str) -> None:
        """A contact whose fate is of interest; it is due at once."""
        if maddr in self._bootnodes or len(self._bootnodes) >= MAX_CONTACTS:
            return
        if self.add(maddr):
            self._bootnodes[maddr] = Bootnode(maddr)
        else:
            self._bootnodes[maddr] = Bootnode(maddr, "invalid", "it is no multiaddr of a peer")
        self.retry(maddr.rpartition("/p2p/")[2])

    def retry(self, peer_id: str) -> None:
        """Something is new about a peer: it is due at once."""
        self._next.pop(peer_id, None)
        self._tries.pop(peer_id, None)

    def addresses(self, peer_id: str) -> list[str]:
        return list(self._addresses.get(peer_id, ()))

    def known_maddrs(self) -> list[str]:
        """Every contact as multiaddrs with peer ids, the latest last."""
        return [f"{a}/p2p/{p}" for p, addresses in self._addresses.items() for a in addresses]

    def due(self, connected: Collection[str], now: float) -> list[str]:
        """Peers to greet now, at most MAX_GREETINGS; none of `connected`, none too often.

        connected: peer ids, this node's own among them. now: on a clock that never jumps.
        """
        due = [p for p in self._addresses if p not in connected and self._next.get(p, 0.0) <= now]
        due = due[-MAX_GREETINGS:]
        longest = LONGEST_PAUSE_S if len(connected) > 1 else LONGEST_PAUSE_ALONE_S
        for peer_id in due:
            tries = self._tries.get(peer_id, 0)
            self._tries[peer_id] = tries + 1
            self._next[peer_id] = now + min(FIRST_PAUSE_S * 2.0 ** min(tries, 10), longest)
        return due

    def greeted(self, peer_id: str, why: str, now: float, wall: float, latency_ms: float) -> None:
        """Keep what became of greeting a peer. why: empty when it answered.

        now: as in `due`; wall: the same moment in Unix seconds.
        """
        if not why:
            self._tries.pop(peer_id, None)
        for maddr, bootnode in self._bootnodes.items():
            if not maddr.endswith("/p2p/" + peer_id):
                continue
            if why:
                next_at = wall + max(0.0, self._next.get(peer_id, now) - now)
                tries = bootnode.tries + 1
                why = bootnode.why if why == HELD_BACK and bootnode.why else why
                told = replace(bootnode, outcome="failed", why=why, tries=tries, next_at=next_at)
            else:
                told = Bootnode(maddr, "connected", latency_ms=latency_ms)
            self._bootnodes[maddr] = told


def reason(error: object) -> str:
    """Why a peer was not reached, in a few words, from what libp2p says."""
    text = str(error) or type(error).__name__
    lines = [line for line in text.split("\n") if line.strip().startswith("* [")]
    outside = [line for line in lines if "/127.0.0.1/" not in line and "/::1/" not in line]
    text = "\n".join(outside) or text  # its loopback addresses lead to this machine, not there
    for phrase, words in _REASONS:
        if phrase in text:
            return words
    return " ".join(text.split())[-160:]
