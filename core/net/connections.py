"""Whom this node is connected to: greets bootnodes and known peers for as long as it takes.

Listens first and dials later: whoever does not answer is asked again in the background and is never
a reason to fail. Knows addresses and the routing table, not what is stored in the DHT.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress

from hivemind.dht.node import DHTNode
from hivemind.p2p.p2p_daemon import P2P
from hivemind.p2p.p2p_daemon_bindings.datastructures import PeerID
from hivemind.utils.multiaddr import Multiaddr

from core.net import hello
from core.net.acquaintance import Acquaintance
from core.net.chores import NET_ERRORS, Chores
from core.net.contacts import ANOTHER_PEER, HELD_BACK, MAX_CONTACTS, Contacts, reason
from core.net.reach import is_loopback, tcp_port

GREET_TIMEOUT_S = 4.0
LOOK_AROUND_S = 1.0
CHECK_EVERY_S, MAX_CHECKS = 20.0, 3
"""A peer that is known but not connected is pinged no more often; so many at each look."""
log = logging.getLogger(__name__)


class Connections:
    """The connections of one opened DHT. contacts: how to reach whom; kept by the caller.

    reached: told of every node that was greeted and answered.
    """

    def __init__(
        self,
        node: DHTNode,
        p2p: P2P,
        contacts: Contacts,
        chores: Chores,
        acquaintance: Acquaintance,
        reached: Callable[[PeerID], None],
    ) -> None:
        self.contacts = contacts
        self.peer_id = str(p2p.peer_id)
        self._node, self._p2p, self._chores = node, p2p, chores
        self._acquaintance, self._reached = acquaintance, reached
        self._wake = asyncio.Event()
        self._why: dict[str, str] = {}
        self._checked: dict[str, float] = {}
        self.held_back = asyncio.Event()
        """Set when p2pd, alone since a long cut, still refuses to dial a node that is back."""

    @property
    def peers(self) -> list[str]:
        """Peer ids in the routing table."""
        return [str(p) for p in self._node.protocol.routing_table.peer_id_to_uid]

    def add_bootnodes(self, maddrs: list[str]) -> None:
        for maddr in maddrs:
            self.contacts.add_bootnode(maddr)
        self._wake.set()

    def met(self, maddr: str) -> None:
        """Somebody has announced itself, as on the LAN: greeted at once."""
        if self.contacts.add(maddr):
            self.contacts.retry(maddr.rpartition("/p2p/")[2])
            self._wake.set()

    async def stay(self) -> None:
        """Greet every known peer that is not in the routing table; each at its own pace."""
        known: set[str] = set()
        while True:
            self._wake.clear()
            try:
                await self._look_at_connected()
                if (table := set(self.peers)) - known:
                    search = self._node.find_nearest_nodes([self._node.node_id])
                    await asyncio.wait_for(search, GREET_TIMEOUT_S)
                known = table
            except NET_ERRORS as error:
                log.info("looking around failed: %r", error)
            for peer_id in self.contacts.due({*self.peers, self.peer_id}, time.monotonic()):
                self._chores.spawn(self._greet(peer_id), "greeting")
            if peer_id := self._acquaintance.whom_to_ask(self.peers):
                self._chores.spawn(self._acquaintance.ask(peer_id), "hello")
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LOOK_AROUND_S)

    async def _look_at_connected(self) -> None:
        """Where connected peers are, so that they can be found again after a restart of mine; and
        whether those that are no longer connected still live."""
        connected = await asyncio.wait_for(self._p2p.list_peers(), GREET_TIMEOUT_S)
        table = set(self.peers)
        now, there = time.monotonic(), {str(info.peer_id) for info in connected}
        away = [
            p for p in table - there if now - self._checked.get(p, -CHECK_EVERY_S) >= CHECK_EVERY_S
        ]
        for peer_id in away[:MAX_CHECKS]:
            self._checked[peer_id] = now
            self._chores.spawn(self._check(peer_id), "check")
        self._checked = {p: at for p, at in self._checked.items() if p in table}
        for info in connected[:MAX_CONTACTS]:
            if str(info.peer_id) in table and str(info.peer_id) not in self.contacts:
                for address in info.addrs[:2]:
                    self.contacts.add(f"{address}/p2p/{info.peer_id}")

    async def _check(self, peer_id: str) -> None:
        """hivemind takes a peer that does not answer out of the routing table."""
        ping = self._node.protocol.call_ping(PeerID.from_base58(peer_id))
        with suppress(*NET_ERRORS):
            await asyncio.wait_for(ping, GREET_TIMEOUT_S)

    async def _greet(self, peer_id: str) -> None:
        """Connect and ping, so that each has the other in its routing table."""
        peer, why, latency_ms = PeerID.from_base58(peer_id), "", 0.0
        try:
            await self.connect(peer, self.contacts.addresses(peer_id))
            began = time.monotonic()
            ping = self._node.protocol.call_ping(peer, validate=False, strict=False)
            if await asyncio.wait_for(ping, GREET_TIMEOUT_S) is None:
                why = "reached, but it does not answer as a node of this kind"
                await self._hang_up(peer)
            else:
                self._reached(peer)
            latency_ms = (time.monotonic() - began) * 1000
            self._wake.set()
        except NET_ERRORS as error:
            why = reason(error)
            await self._hang_up(peer)
        if why == HELD_BACK and not self.peers:
            await self._look_past_p2pd(peer_id)
        else:
            self._why[peer_id] = why
        while len(self._why) > MAX_CONTACTS:
            self._why.pop(next(iter(self._why)))
        self.contacts.greeted(peer_id, why, time.monotonic(), time.time(), latency_ms)

    async def _look_past_p2pd(self, peer_id: str) -> None:
        """libp2p waits longer after every failure, up to minutes: too long when the cut is over."""
        if self._why.get(peer_id) == ANOTHER_PEER:
            return
        for address in self.contacts.addresses(peer_id):
            parts = address.split("/")
            if tcp_port(address) and not is_loopback(parts[2]):
                if not await hello.dial(parts[2], int(parts[4])):
                    self.held_back.set()
                return

    async def _hang_up(self, peer: PeerID) -> None:
        """Drop a connection that may be dead, as after a network cut: the next greeting dials anew.

        TCP by itself would go on with it for as long again as the cut was.
        """
        with suppress(*NET_ERRORS):
            await asyncio.wait_for(self._p2p._client.disconnect(peer), GREET_TIMEOUT_S)

    async def connect(self, peer: PeerID, addresses: list[str]) -> None:
        maddrs = [dialable(a) for a in addresses]
        await asyncio.wait_for(self._p2p._client.connect(peer, maddrs), GREET_TIMEOUT_S)


def dialable(maddr: str) -> Multiaddr:
    """A multiaddr as p2pd reads it: hivemind writes a relay's peer id as a CID, Go does not."""
    parsed = Multiaddr(maddr)
    if "/p2p/" not in maddr:
        return parsed
    whole = b""
    for position, piece in enumerate(maddr.split("/p2p/")):
        rest = piece
        if position:
            peer_id, _, rest = piece.partition("/")
            raw = PeerID.from_base58(peer_id).to_bytes()
            whole += b"\xa5\x03" + bytes([len(raw)]) + raw
        if rest:
            whole += Multiaddr("/" + rest.lstrip("/")).to_bytes()
    return Multiaddr(whole)


def parses(maddr: str) -> bool:
    """Whether the network layer understands a multiaddr."""
    try:
        dialable(maddr)
    except Exception as error:  # noqa: BLE001  (its parser raises errors of six unrelated kinds)
        log.info("not a multiaddr: %.150s (%r)", maddr, error)
        return False
    return True
