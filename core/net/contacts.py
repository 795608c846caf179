"""How to reach whom, and whose turn it is to be greeted: the sidecar's address book. Bounded, pure.

Bootnodes are contacts like any other, except that the outcome of the last attempt is kept for the
person who configured them.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Collection

MAX_CONTACTS = 256
MAX_ADDRESSES = 4
MAX_GREETINGS = 16
AGAIN_S = 8.0
"""A peer that was not reached is tried again after this long, four times that when not alone."""
_PEER_ID = re.compile(r"[1-9A-HJ-NP-Za-km-z]{40,64}")


class Contacts:
    """parses: whether the network layer understands a multiaddr."""

    def __init__(self, parses: Callable[[str], bool]) -> None:
        self._parses = parses
        self._addresses: OrderedDict[str, list[str]] = OrderedDict()
        self._next: dict[str, float] = {}
        self.bootnodes: dict[str, str] = {}
        """What became of each bootnode, by multiaddr."""

    def __contains__(self, peer_id: str) -> bool:
        return peer_id in self._addresses

    def add(self, maddr: str) -> bool:
        """Remember a multiaddr that ends in /p2p/PEER_ID; False when it is none."""
        address, _, peer_id = maddr.rpartition("/p2p/")
        if not _PEER_ID.fullmatch(peer_id) or not self._parses(address):
            return False
        known = self._addresses.setdefault(peer_id, [])
        if address not in known:
            known[:] = [*known[1 - MAX_ADDRESSES :], address]
        self._addresses.move_to_end(peer_id)
        while len(self._addresses) > MAX_CONTACTS:
            oldest, _ = self._addresses.popitem(last=False)
            self._next.pop(oldest, None)
        return True

    def add_bootnode(self, maddr: str) -> None:
        """A contact whose fate is of interest; it is due at once."""
        if maddr not in self.bootnodes and len(self.bootnodes) < MAX_CONTACTS:
            good = self.add(maddr)
            self.bootnodes[maddr] = "not tried yet" if good else "error: no multiaddr of a peer"
            self._next.pop(maddr.rpartition("/p2p/")[2], None)

    def addresses(self, peer_id: str) -> list[str]:
        return list(self._addresses.get(peer_id, ()))

    def known_maddrs(self) -> list[str]:
        """Every contact as multiaddrs with peer ids, the latest last."""
        return [f"{a}/p2p/{p}" for p, addresses in self._addresses.items() for a in addresses]

    def due(self, connected: Collection[str], now: float) -> list[str]:
        """Peers to greet now, at most MAX_GREETINGS; none of `connected`, none too often."""
        due = [p for p in self._addresses if p not in connected and self._next.get(p, 0.0) <= now]
        due = due[-MAX_GREETINGS:]
        for peer_id in due:
            self._next[peer_id] = now + AGAIN_S * (4 if len(connected) > 1 else 1)
        return due

    def greeted(self, peer_id: str, outcome: str) -> None:
        """Keep what became of greeting a bootnode."""
        for maddr in self.bootnodes:
            if maddr.endswith("/p2p/" + peer_id):
                self.bootnodes[maddr] = outcome
