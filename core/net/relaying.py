"""Whether other nodes must relay to this one, and which: decided from what peers found by dialling.

A node that nobody can dial is told to p2pd as private, with a few nodes to reserve a place at; that
needs a new p2pd, so it is done once, and again only when all of those relays are gone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.net.listening import Address, beyond_loopback

if TYPE_CHECKING:
    from core.net.acquaintance import Findings
    from core.net.dht import Dht

MAX_RELAYS = 4
LOOK_EVERY_S = 1.0
ENOUGH = 3
"""So many peers have to have failed, or all that there are."""
WITHOUT_S = 30.0
"""Relays that have all been away for this long are given up for others."""


class Relaying:
    """relays: multiaddrs of nodes that relay to this one; empty for a node that can be dialled.

    wish: `auto`, `always` or `off`, as net.relay has it.
    """

    def __init__(
        self, wish: str, client_mode: bool, listen: Sequence[Address], bootnodes: Sequence[str]
    ) -> None:
        self._allowed = wish != "off"
        self._at_once = self._allowed and (wish == "always" or client_mode)
        self.relays = candidates(bootnodes) if self._at_once else ()
        self._beyond = beyond_loopback(listen)

    async def change(self, dht: Dht, findings: Findings) -> str:
        """Return why p2pd has to be started again, once `relays` are others than it has."""
        since = time.monotonic()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            now = time.monotonic()
            table = set(dht.peers)
            if not self._allowed or not self._needed(findings, len(table), now):
                continue
            if any(relay.rpartition("/p2p/")[2] in table for relay in self.relays):
                since = now
            known = dht.contacts.known_maddrs()
            others = candidates([m for m in known if m.rpartition("/p2p/")[2] in table])
            if not others or set(others) == set(self.relays):
                continue
            if not self.relays or now - since > WITHOUT_S:
                self.relays = others
                count = len(others)
                return f"nobody can dial this node, so {count} other(s) will relay to it"

    def _needed(self, findings: Findings, peers: int, now: float) -> bool:
        """Where there are several peers, no single one's word is enough."""
        if self.relays or self._at_once:
            return True
        reach = findings.dialled.reach(now)
        enough = reach.by >= min(ENOUGH, max(1, peers))
        return self._beyond and reach.verdict == "unreachable" and enough


def candidates(maddrs: Sequence[str]) -> tuple[str, ...]:
    """Nodes to ask for relaying: those that are dialled directly over TCP, one address each."""
    chosen: dict[str, str] = {}
    for maddr in maddrs:
        address, _, peer_id = maddr.rpartition("/p2p/")
        if peer_id and "/tcp/" in address and "/p2p-circuit" not in address:
            chosen.setdefault(peer_id, maddr)
    return tuple(list(chosen.values())[:MAX_RELAYS])
