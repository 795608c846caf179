"""This node in the DHT: one libp2p daemon with one hivemind `DHTNode` on it, opened and watched.

Runs in the sidecar's one asyncio loop. What it is good for is in its parts: `directory` (records),
`connections` (who is reached) and `rollouts` (payloads of others).
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hivemind.dht.node import DHTNode
from hivemind.dht.routing import DHTID
from hivemind.p2p.p2p_daemon import P2P
from hivemind.utils.multiaddr import Multiaddr

from core.net import daemon, hello
from core.net.acquaintance import Acquaintance, Findings
from core.net.board import Board
from core.net.chores import NET_ERRORS, Chores
from core.net.connections import Connections, parses
from core.net.contacts import Contacts
from core.net.directory import Directory
from core.net.fetching import Fetching
from core.net.genrl_dht import GenrlDht
from core.net.hello import Greeter
from core.net.reach import order, tcp_port
from core.net.serving import PROTOCOL, Shelf
from core.net.storage import RoundStorage, ValueValidator
from core.net.unsigned import Unsigned
from core.net.weight import outgrown

REPLICAS = 5
GRACE_S = 0.5
PATIENCE_S = 30.0
"""A daemon is not given up earlier than this for not dialling."""
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
        self,
        options: Options,
        folder: daemon.SocketFolder,
        shelf: Shelf,
        board: Board,
        findings: Findings | None = None,
    ) -> None:
        self.options = options
        self.maddrs: list[str] = []
        self._folder, self._shelf, self._board = folder, shelf, board
        self.contacts = Contacts(parses)
        self._chores = Chores()
        self._findings = findings or Findings()
        self._greeter = Greeter()
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
            await asyncio.wait_for(
                self._p2p.add_binary_stream_handler(hello.PROTOCOL, self._greeter.handle), 10
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
        port = 0 if options.daemon.client_mode else max(map(tcp_port, self.maddrs), default=0)
        self.connections = Connections(
            self._node,
            self._p2p,
            self.contacts,
            self._chores,
            Acquaintance(self._p2p, self._findings, port),
            self.directory.reached,
        )
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
            wait_timeout=daemon.CALL_TIMEOUT_S,
            cache_locally=False,
            cache_nearest=0,
            cache_on_store=False,
            cache_size=1,
            reuse_get_requests=False,
            record_validator=ValueValidator(self._unsigned),
            ensure_bootstrap_success=False,
            strict=False,
            blacklist_time=1.0,
            backoff_rate=1.0,  # or a network cut would outlast itself by minutes
            client_mode=self.options.daemon.client_mode,
        )

    @property
    def daemon_pid(self) -> int:
        return self._daemon.process.pid

    async def ended(self) -> str:
        """Return why the daemon can no longer be used, once that is so."""
        limit_mib = self.options.daemon.max_memory_mib
        watches = [
            asyncio.ensure_future(self._daemon.died()),
            asyncio.ensure_future(self._hung()),
            asyncio.ensure_future(self._held_back()),
            asyncio.ensure_future(self._deaf()),
            asyncio.ensure_future(outgrown("the libp2p daemon", self.daemon_pid, limit_mib)),
        ]
        try:
            done, _ = await asyncio.wait(watches, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for watch in watches:
                watch.cancel()

    async def _held_back(self) -> str:
        await asyncio.sleep(PATIENCE_S)
        await self.connections.held_back.wait()
        return "a node is back that the libp2p daemon still refuses to dial"

    async def _hung(self) -> str:
        silent = 0
        while silent < daemon.MISSES:
            await asyncio.sleep(0 if silent else daemon.LOOK_EVERY_S)
            try:
                await asyncio.wait_for(self._read_maddrs(), daemon.CALL_TIMEOUT_S)
                silent = 0
            except NET_ERRORS as error:
                silent += 1
                log.warning("the libp2p daemon does not answer: %r", error)
        return "the libp2p daemon no longer answers"

    async def _deaf(self) -> str:
        """hivemind's reader of calls and answers can end by itself, for example over an answer to
        a call that was just given up; after that, no call would ever be answered."""
        await asyncio.wait({self._p2p._client.control._read_task})
        await asyncio.sleep(GRACE_S)  # a dead daemon closes the connection, too: let that be told
        return "the connection to the libp2p daemon broke"

    async def close(self) -> None:
        await self._chores.end()
        with suppress(*NET_ERRORS):  # it may be dead or hung
            await asyncio.wait_for(self._p2p.shutdown(), 1)
        await self._daemon.stop(grace_s=1.0)

    @property
    def peers(self) -> list[str]:
        """Peer ids in the routing table."""
        return self.connections.peers

    async def _read_maddrs(self) -> None:
        """Where this node can be reached, the addresses that serve most others first."""
        try:
            seen = [str(m) for m in await self._p2p.get_visible_maddrs(latest=True)]
        except ValueError:
            seen = []  # behind a NAT, or a client
        me = str(self._p2p.peer_id)
        relayed = [f"{relay}/p2p-circuit/p2p/{me}" for relay in self.options.daemon.relays]
        self.maddrs = order(list(dict.fromkeys([*seen, *relayed])))


def _key_id(key: str) -> bytes:
    return DHTID.generate(source=key).to_bytes()
