"""This node in the DHT: one libp2p daemon with one hivemind `DHTNode` on it, opened and watched.

Runs in the sidecar's one asyncio loop. What it is good for is in its parts: `directory` (records),
`connections` (who is reached) and `rollouts` (payloads of others).
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from hivemind.dht.node import DHTNode
from hivemind.dht.routing import DHTID
from hivemind.p2p.p2p_daemon import P2P
from hivemind.utils.multiaddr import Multiaddr

from core.net import daemon
from core.net.board import Board
from core.net.chores import NET_ERRORS, Chores
from core.net.connections import Connections, parses
from core.net.contacts import Contacts
from core.net.directory import Directory
from core.net.fetching import Fetching
from core.net.genrl_dht import GenrlDht
from core.net.serving import PROTOCOL, Shelf
from core.net.storage import RoundStorage, ValueValidator
from core.net.unsigned import Unsigned

CALL_TIMEOUT_S = 3.0
REPLICAS = 5
HEALTH_EVERY_S = 10.0
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """What a node needs to be one. `daemon`: how its p2pd is started. `contacts`: multiaddrs of
    peers met before.

    genrl: GenRL nodes are in the swarm, so their unsigned values are kept and read, too.
    """

    daemon: daemon.DaemonOptions
    swarm: str
    bootnodes: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()
    genrl: bool = False


class Dht:
    """One running daemon with one DHTNode on it. `open`, use, `close`; not reusable."""

    def __init__(
        self, options: Options, folder: daemon.SocketFolder, shelf: Shelf, board: Board
    ) -> None:
        self.options = options
        self.maddrs: list[str] = []
        self._folder, self._shelf, self._board = folder, shelf, board
        self.contacts = Contacts(parses)
        self._chores = Chores()
        self._unsigned = Unsigned(_key_id) if options.genrl else None
        for maddr in options.contacts:
            self.contacts.add(maddr)
        for maddr in options.bootnodes:
            self.contacts.add_bootnode(maddr)

    # --- life ---------------------------------------------------------------------------------

    async def open(self) -> None:
        """Start the daemon and join with nobody; TransientError or one of NET_ERRORS."""
        options = self.options
        self._daemon = await daemon.start(self._folder, options.daemon)
        try:
            home = {"_UNIX_SOCKET_PREFIX": f"/unix{self._folder.path}/"}
            p2p_class: Any = type("FolderP2P", (P2P,), home)
            control = Multiaddr(f"/unix{self._daemon.control}")
            self._p2p = await asyncio.wait_for(p2p_class.replicate(control), 10)
            self._node = await asyncio.wait_for(self._make_node(), 10)
            self._node.protocol.storage = RoundStorage(self._unsigned)
            self._node.protocol.cache = RoundStorage()  # nothing is read through it
            await asyncio.wait_for(
                self._p2p.add_binary_stream_handler(PROTOCOL, self._shelf.handle), 10
            )
            self.directory = Directory(
                self._node, self._p2p, self._board, self.contacts, self._chores
            )
            await asyncio.wait_for(self.directory.open(), 10)
            await self._read_maddrs()
        except BaseException:
            await self._daemon.stop()
            raise
        self.peer_id = str(self._p2p.peer_id)
        self.connections = Connections(self._node, self._p2p, self.contacts, self._chores)
        self.genrl = (
            GenrlDht(self._node, self.peer_id, self._unsigned, self._chores)
            if self._unsigned
            else None
        )
        self.rollouts = Fetching(self._p2p, self.connections)
        self._chores.spawn(self.connections.stay(), "bootstrap")
        self._chores.spawn(self.directory.refresh(), "refresh")

    async def _make_node(self) -> DHTNode:
        return await DHTNode.create(
            p2p=self._p2p,
            node_id=DHTID.generate(source=self._p2p.peer_id.to_bytes()),
            num_replicas=REPLICAS,
            wait_timeout=CALL_TIMEOUT_S,
            cache_locally=False,
            cache_nearest=0,
            cache_on_store=False,
            cache_size=1,
            reuse_get_requests=False,
            record_validator=ValueValidator(self._unsigned),
            ensure_bootstrap_success=False,
            strict=False,
        )

    async def died(self) -> str:
        """Return why the daemon can no longer be used, once that is so."""
        ended = asyncio.ensure_future(self._daemon.process.wait())
        silent = 0
        try:
            while silent < 3:
                done, _ = await asyncio.wait({ended}, timeout=HEALTH_EVERY_S)
                if done:
                    return f"the libp2p daemon ended with status {ended.result()}"
                try:
                    await asyncio.wait_for(self._read_maddrs(), CALL_TIMEOUT_S)
                    silent = 0
                except NET_ERRORS as error:
                    silent += 1
                    log.warning("the libp2p daemon does not answer: %r", error)
            return "the libp2p daemon no longer answers"
        finally:
            ended.cancel()

    async def close(self) -> None:
        await self._chores.end()
        await self._p2p.shutdown()
        await self._daemon.stop()

    @property
    def peers(self) -> list[str]:
        """Peer ids in the routing table."""
        return self.connections.peers

    async def _read_maddrs(self) -> None:
        try:
            self.maddrs = [str(m) for m in await self._p2p.get_visible_maddrs(latest=True)]
        except ValueError:
            self.maddrs = []  # behind a NAT without a relay: reachable by nobody, yet alive


def _key_id(key: str) -> bytes:
    return DHTID.generate(source=key).to_bytes()
