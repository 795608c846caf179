"""Which nodes are nearest to a point of the id space, as far as this node can tell.

Answers at once from hivemind's routing table, and looks further through the DHT in the background.
Only nodes whose id is the hash of their peer id count: an id that can be chosen would let anybody
stand next to any record. A node that failed is passed over for a while. Knows no records.
"""

from __future__ import annotations

import asyncio
import logging
import time
from functools import lru_cache

from hivemind.dht.node import DHTNode
from hivemind.dht.routing import DHTID
from hivemind.p2p.p2p_daemon_bindings.datastructures import PeerID

from core.net.chores import NET_ERRORS

NEAREST = 24
BEAM = 10
LOOKUP_TIMEOUT_S = 12.0
SURE_S = 60.0
"""After a lookup met only nodes already known, the table is taken to be complete for this long."""
PASSED_OVER_S, LONGEST_PASSED_OVER_S = 2.0, 8.0
"""Not longer, or a network cut would outlast itself."""
MAX_REMEMBERED = 4_096
log = logging.getLogger(__name__)


class Around:
    """Over one opened DHT."""

    def __init__(self, node: DHTNode) -> None:
        self._node = node
        self._met: dict[PeerID, DHTID] = {}
        self._failures: dict[PeerID, tuple[int, float]] = {}
        self._sure_until = 0.0

    def nearest(self, at: int, count: int = NEAREST) -> list[tuple[int, PeerID]]:
        """Ids and peers of other nodes, the nearest first; none that failed just now."""
        table = self._node.protocol.routing_table
        near = table.get_nearest_neighbors(DHTID(at), NEAREST, exclude=self._node.node_id)
        known = {peer: uid for uid, peer in [*((u, p) for p, u in self._met.items()), *near]}
        now = time.monotonic()
        good = [
            (int(uid), peer)
            for peer, uid in known.items()
            if uid == node_id_of(peer) and self._failures.get(peer, (0, 0.0))[1] <= now
        ]
        return sorted(good, key=lambda item: item[0] ^ at)[:count]

    async def look_further(self, at: int) -> None:
        """Ask the DHT who else is there, unless lookups have found nobody new lately."""
        table = self._node.protocol.routing_table
        if len(table.peer_id_to_uid) <= 2 or time.monotonic() < self._sure_until:
            return
        before = set(table.peer_id_to_uid) | set(self._met)
        search = self._node.find_nearest_nodes(
            [DHTID(at)], k_nearest=BEAM, beam_size=BEAM, exclude_self=True
        )
        try:
            found = (await asyncio.wait_for(search, LOOKUP_TIMEOUT_S))[DHTID(at)]
        except NET_ERRORS as error:
            log.info("a lookup failed: %r", error)
            return
        if not set(found.values()) - before:
            self._sure_until = time.monotonic() + SURE_S
        self._met = {peer: uid for uid, peer in found.items()} | self._met
        for peer in list(self._met)[4 * BEAM :]:
            del self._met[peer]

    def failed(self, peer: PeerID) -> None:
        """Pass a node over for a while, longer each time."""
        times, _ = self._failures.pop(peer, (0, 0.0))
        pause = min(PASSED_OVER_S * 2**times, LONGEST_PASSED_OVER_S)
        self._failures[peer] = (min(times + 1, 10), time.monotonic() + pause)
        while len(self._failures) > MAX_REMEMBERED:
            del self._failures[next(iter(self._failures))]

    def answered(self, peer: PeerID) -> None:
        self._failures.pop(peer, None)


@lru_cache(maxsize=4_096)
def node_id_of(peer: PeerID) -> DHTID:
    """The id that a node with that peer id has."""
    return DHTID.generate(source=peer.to_bytes())
