"""Whom this node is connected to: greets bootnodes and known peers for as long as it takes.

Listens first and dials later: whoever does not answer is asked again in the background and is never
a reason to fail. Knows addresses and the routing table, not what is stored in the DHT.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress

from hivemind.dht.node import DHTNode
from hivemind.p2p.p2p_daemon import P2P
from hivemind.p2p.p2p_daemon_bindings.datastructures import PeerID
from hivemind.utils.multiaddr import Multiaddr

from core.net.chores import NET_ERRORS, Chores
from core.net.contacts import MAX_CONTACTS, Contacts

GREET_TIMEOUT_S = 5.0
LOOK_AROUND_S = 2.0
log = logging.getLogger(__name__)


class Connections:
    """The connections of one opened DHT. contacts: how to reach whom; kept by the caller."""

    def __init__(self, node: DHTNode, p2p: P2P, contacts: Contacts, chores: Chores) -> None:
        self.contacts = contacts
        self.peer_id = str(p2p.peer_id)
        self._node, self._p2p, self._chores = node, p2p, chores
        self._wake = asyncio.Event()

    @property
    def peers(self) -> list[str]:
        """Peer ids in the routing table."""
        return [str(p) for p in self._node.protocol.routing_table.peer_id_to_uid]

    def add_bootnodes(self, maddrs: list[str]) -> None:
        for maddr in maddrs:
            self.contacts.add_bootnode(maddr)
        self._wake.set()

    async def stay(self) -> None:
        """Greet every known peer that is not in the routing table; each at its own pace."""
        known: set[str] = set()
        while True:
            self._wake.clear()
            try:
                await self._learn_addresses()
                if (table := set(self.peers)) - known:
                    search = self._node.find_nearest_nodes([self._node.node_id])
                    await asyncio.wait_for(search, GREET_TIMEOUT_S)
                known = table
            except NET_ERRORS as error:
                log.info("looking around failed: %r", error)
            for peer_id in self.contacts.due({*self.peers, self.peer_id}, time.monotonic()):
                self._chores.spawn(self._greet(peer_id), "greeting")
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LOOK_AROUND_S)

    async def _learn_addresses(self) -> None:
        """Where connected peers are, so that they can be found again after a restart of mine."""
        connected = await asyncio.wait_for(self._p2p.list_peers(), GREET_TIMEOUT_S)
        table = set(self.peers)
        for info in connected[:MAX_CONTACTS]:
            if str(info.peer_id) in table and str(info.peer_id) not in self.contacts:
                for address in info.addrs[:2]:
                    self.contacts.add(f"{address}/p2p/{info.peer_id}")

    async def _greet(self, peer_id: str) -> None:
        """Connect and ping, so that each has the other in its routing table."""
        peer, outcome = PeerID.from_base58(peer_id), "connected"
        try:
            await self.connect(peer, self.contacts.addresses(peer_id))
            ping = self._node.protocol.call_ping(peer, validate=False, strict=False)
            if await asyncio.wait_for(ping, GREET_TIMEOUT_S) is None:
                outcome = "reached, but it does not answer as a node of this kind"
            self._wake.set()
        except NET_ERRORS as error:
            outcome = f"not reached: {str(error)[:200] or type(error).__name__}"
        self.contacts.greeted(peer_id, outcome)

    async def connect(self, peer: PeerID, addresses: list[str]) -> None:
        maddrs = [Multiaddr(a) for a in addresses]
        await asyncio.wait_for(self._p2p._client.connect(peer, maddrs), GREET_TIMEOUT_S)


def parses(maddr: str) -> bool:
    """Whether the network layer understands a multiaddr."""
    try:
        Multiaddr(maddr)
    except Exception as error:  # noqa: BLE001  (its parser raises errors of six unrelated kinds)
        log.info("not a multiaddr: %.150s (%r)", maddr, error)
        return False
    return True
