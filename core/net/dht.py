"""This node in the DHT: opens it, keeps it connected, stores my records, reads those of others.

Runs in the sidecar's one asyncio loop, around hivemind's `DHTNode`. Listens first and dials later:
bootnodes that do not answer are asked again in the background, for as long as it takes, and are
never a reason to fail. Reads ask every replica by itself, because hivemind's own `get` believes
whichever replica answers worst.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hivemind.dht.node import DHTNode
from hivemind.dht.routing import DHTID
from hivemind.p2p.p2p_daemon import P2P
from hivemind.p2p.p2p_daemon_bindings.datastructures import PeerID
from hivemind.p2p.p2p_daemon_bindings.utils import P2PDaemonError, P2PHandlerError
from hivemind.proto import dht_pb2
from hivemind.utils.multiaddr import Multiaddr
from hivemind.utils.serializer import MSGPackSerializer

from core.net import daemon, guard, records
from core.net.contacts import MAX_CONTACTS, Contacts
from core.net.serving import PROTOCOL, Shelf, request
from core.net.storage import BoundedStorage, NoCache, RecordValidator

CALL_TIMEOUT_S = 3.0
READ_TIMEOUT_S = 1.0
GREET_TIMEOUT_S = 5.0
LOOK_AROUND_S = 2.0
REPLICAS = 5
READ_FROM = 8
DHT_LIFE_S = 120.0
REFRESH_S = 30.0
HEALTH_EVERY_S = 10.0
NET_ERRORS = (OSError, EOFError, asyncio.TimeoutError, P2PDaemonError, P2PHandlerError, ValueError)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """What a node needs to be one. `contacts`: multiaddrs of peers met before."""

    identity: Path
    swarm: str
    listen: str
    announce: tuple[str, ...] = ()
    bootnodes: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()


class Dht:
    """One running daemon with one DHTNode on it. `open`, use, `close`; not reusable."""

    def __init__(self, options: Options, folder: daemon.SocketFolder, shelf: Shelf) -> None:
        self.options = options
        self.maddrs: list[str] = []
        self._folder, self._shelf = folder, shelf
        self.contacts = Contacts(_parses)
        self._mine: deque[tuple[bytes, str, bytes]] = deque(maxlen=2)
        self._lookups: OrderedDict[bytes, tuple[float, dict[Any, Any]]] = OrderedDict()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._wake = asyncio.Event()
        for maddr in options.contacts:
            self.contacts.add(maddr)
        for maddr in options.bootnodes:
            self.contacts.add_bootnode(maddr)

    # --- life ---------------------------------------------------------------------------------

    async def open(self) -> None:
        """Start the daemon and join with nobody; TransientError or one of NET_ERRORS."""
        options = self.options
        self._daemon = await daemon.start(
            self._folder, options.identity, options.listen, options.announce
        )
        try:
            home = {"_UNIX_SOCKET_PREFIX": f"/unix{self._folder.path}/"}
            p2p_class: Any = type("FolderP2P", (P2P,), home)
            control = Multiaddr(f"/unix{self._daemon.control}")
            self._p2p = await asyncio.wait_for(p2p_class.replicate(control), 10)
            self._node = await asyncio.wait_for(self._make_node(), 10)
            self._node.protocol.storage = BoundedStorage()
            self._node.protocol.cache = NoCache()
            await asyncio.wait_for(
                self._p2p.add_binary_stream_handler(PROTOCOL, self._shelf.handle), 10
            )
            self.peer_id = str(self._p2p.peer_id)
            await self._read_maddrs()
        except BaseException:
            await self._daemon.stop()
            raise
        self._spawn(self._stay_connected(), "bootstrap")
        self._spawn(self._refresh(), "refresh")

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
            record_validator=RecordValidator(self.options.swarm),
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
        while tasks := list(self._tasks):
            for task in tasks:
                task.cancel()
            # again and again: before Python 3.12, wait_for may swallow a cancellation
            await asyncio.wait(tasks, timeout=0.1)
        await self._p2p.shutdown()
        await self._daemon.stop()

    def _spawn(self, work: Any, name: str) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("%s failed: %r", task.get_name(), error)

    # --- connections --------------------------------------------------------------------------

    @property
    def peers(self) -> list[str]:
        """Peer ids in the routing table."""
        return [str(p) for p in self._node.protocol.routing_table.peer_id_to_uid]

    def add_bootnodes(self, maddrs: list[str]) -> None:
        for maddr in maddrs:
            self.contacts.add_bootnode(maddr)
        self._wake.set()

    async def _stay_connected(self) -> None:
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
                self._spawn(self._greet(peer_id), "greeting")
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
            await self._connect(peer, self.contacts.addresses(peer_id))
            ping = self._node.protocol.call_ping(peer, validate=False, strict=False)
            if await asyncio.wait_for(ping, GREET_TIMEOUT_S) is None:
                outcome = "reached, but it does not answer as a node of this kind"
            self._wake.set()
        except NET_ERRORS as error:
            outcome = f"not reached: {str(error)[:200] or type(error).__name__}"
        self.contacts.greeted(peer_id, outcome)

    async def _connect(self, peer: PeerID, addresses: list[str]) -> None:
        maddrs = [Multiaddr(a) for a in addresses]
        await asyncio.wait_for(self._p2p._client.connect(peer, maddrs), GREET_TIMEOUT_S)

    async def _read_maddrs(self) -> None:
        try:
            self.maddrs = [str(m) for m in await self._p2p.get_visible_maddrs(latest=True)]
        except ValueError:
            self.maddrs = []  # behind a NAT without a relay: reachable by nobody, yet alive

    # --- records ------------------------------------------------------------------------------

    async def publish(self, key: bytes, value: bytes) -> None:
        """Store my signed record under `key` and keep it alive while it is among my last two."""
        item = (key, self.peer_id, value)
        self._mine.append(item)
        task = self._spawn(self._store(item), "store")
        await asyncio.wait({task}, timeout=0.25)

    async def _store(self, item: tuple[bytes, str, bytes]) -> None:
        key, peer_id, value = item
        expires = min(time.time() + DHT_LIFE_S, records.decode(value).expires)
        store = self._node.store(key, value, expires, subkey=peer_id)
        try:
            await asyncio.wait_for(store, 4 * CALL_TIMEOUT_S)
        except NET_ERRORS as error:
            log.info("a record was not stored everywhere: %r", error)

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            for item in list(self._mine):
                if records.decode(item[2]).expires > time.time():
                    await self._store(item)

    async def directory(self, round: int, stage: int) -> dict[str, bytes]:
        """Good records of one round by peer id, mine included if I hold it; from all replicas."""
        key = records.directory_key(self.options.swarm, round, stage)
        key_id = DHTID.generate(source=key)
        entries = self._held(key_id)
        replies = await asyncio.gather(*(self._ask(p, key_id) for p in self._replicas(key_id)))
        for reply in replies:
            entries.extend(reply)
        found = guard.pick(self.options.swarm, round, stage, entries, time.time())
        for peer_id, value in found.items():
            for maddr in records.decode(value).maddrs:
                if peer_id != self.peer_id:
                    self.contacts.add(f"{maddr}/p2p/{peer_id}")
        return found

    def _held(self, key_id: DHTID) -> list[tuple[str, bytes]]:
        held = self._node.protocol.storage.get(key_id)
        if held is None:
            return []
        return guard.parse_dictionary(MSGPackSerializer.dumps(held.value))

    def _replicas(self, key_id: DHTID) -> list[PeerID]:
        """The peers likely to hold a key: nearest in my table and, in a large swarm, beyond."""
        table = self._node.protocol.routing_table
        near = dict(table.get_nearest_neighbors(key_id, READ_FROM, exclude=self._node.node_id))
        if len(table.peer_id_to_uid) > READ_FROM:
            looked, beyond = self._lookups.get(key_id.to_bytes(), (0.0, {}))
            near.update(beyond)
            if time.monotonic() - looked > 2.0:
                self._lookups[key_id.to_bytes()] = (time.monotonic(), beyond)
                self._spawn(self._look_further(key_id), "lookup")
        return [near[n] for n in sorted(near, key=key_id.xor_distance)][:READ_FROM]

    async def _look_further(self, key_id: DHTID) -> None:
        search = self._node.find_nearest_nodes([key_id], k_nearest=READ_FROM, exclude_self=True)
        found = await asyncio.wait_for(search, 4 * CALL_TIMEOUT_S)
        self._lookups[key_id.to_bytes()] = (time.monotonic(), found[key_id])
        while len(self._lookups) > 8:
            self._lookups.popitem(last=False)

    async def _ask(self, peer: PeerID, key_id: DHTID) -> list[tuple[str, bytes]]:
        protocol = self._node.protocol
        ask = dht_pb2.FindRequest(keys=[key_id.to_bytes()], peer=protocol.node_info)
        try:
            call = protocol.get_stub(peer).rpc_find(ask, timeout=READ_TIMEOUT_S)
            response = await asyncio.wait_for(call, READ_TIMEOUT_S)
        except NET_ERRORS as error:
            log.info("replica %s does not answer: %r", peer, error)
            await protocol.update_routing_table(None, peer, responded=False)
            return []
        if not response.results or response.results[0].type != dht_pb2.FOUND_DICTIONARY:
            return []
        return guard.parse_dictionary(response.results[0].value)

    # --- rollouts -----------------------------------------------------------------------------

    async def fetch(
        self, record: records.Record, max_bytes: int, timeout_s: float
    ) -> tuple[bytes, float]:
        """The payload of a record from its peer, checked; and the milliseconds until it was here.

        Raises ValueError when the peer has not what its record says, or another of NET_ERRORS.
        """
        if record.size_bytes > max_bytes:
            raise ValueError(f"{record.size_bytes} bytes are more than the {max_bytes} allowed")
        peer = PeerID.from_base58(record.peer_id)
        began = time.monotonic()
        payload = await asyncio.wait_for(self._fetch(peer, record), timeout_s)
        return payload, (time.monotonic() - began) * 1000

    async def _fetch(self, peer: PeerID, record: records.Record) -> bytes:
        with suppress(*NET_ERRORS):  # the daemon may know a better way than the record's hints
            await self._connect(peer, self.contacts.addresses(record.peer_id))
        try:
            return await self._request(peer, record)
        except (OSError, EOFError, P2PDaemonError) as error:
            log.info("asking %s once more: %r", peer, error)
            return await self._request(peer, record)

    async def _request(self, peer: PeerID, record: records.Record) -> bytes:
        _, reader, writer = await self._p2p.call_binary_stream_handler(peer, PROTOCOL)
        try:
            return await request(
                reader, writer, record.round, record.stage, record.digest, record.size_bytes
            )
        finally:
            writer.close()


def _parses(maddr: str) -> bool:
    try:
        Multiaddr(maddr)
    except Exception as error:  # noqa: BLE001  (its parser raises errors of six unrelated kinds)
        log.info("not a multiaddr: %.150s (%r)", maddr, error)
        return False
    return True
