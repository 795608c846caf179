"""The directory in the DHT: stores my signed records, reads those of others.

Reads ask every replica by itself, because hivemind's own `get` believes whichever replica answers
worst. Knows records and DHT keys; not who is connected, nor what a record's payload holds.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from typing import Any

from hivemind.dht.node import DHTNode
from hivemind.dht.routing import DHTID
from hivemind.p2p.p2p_daemon_bindings.datastructures import PeerID
from hivemind.proto import dht_pb2
from hivemind.utils.serializer import MSGPackSerializer

from core.net import guard, records
from core.net.chores import NET_ERRORS, Chores
from core.net.contacts import Contacts

STORE_TIMEOUT_S = 12.0
LOOKUP_TIMEOUT_S = 12.0
READ_TIMEOUT_S = 1.0
READ_FROM = 8
DHT_LIFE_S = 120.0
REFRESH_S = 30.0
log = logging.getLogger(__name__)


class Directory:
    """The records of one swarm, over one opened DHT."""

    def __init__(
        self, node: DHTNode, peer_id: str, swarm: str, contacts: Contacts, chores: Chores
    ) -> None:
        self._node, self._peer_id, self._swarm = node, peer_id, swarm
        self._contacts, self._chores = contacts, chores
        self._mine: deque[tuple[bytes, str, bytes]] = deque(maxlen=2)
        self._lookups: OrderedDict[bytes, tuple[float, dict[Any, Any]]] = OrderedDict()

    async def publish(self, key: bytes, value: bytes) -> None:
        """Store my signed record under `key` and keep it alive while it is among my last two."""
        item = (key, self._peer_id, value)
        self._mine.append(item)
        task = self._chores.spawn(self._store(item), "store")
        await asyncio.wait({task}, timeout=0.25)

    async def _store(self, item: tuple[bytes, str, bytes]) -> None:
        key, peer_id, value = item
        expires = min(time.time() + DHT_LIFE_S, records.decode(value).expires)
        store = self._node.store(key, value, expires, subkey=peer_id)
        try:
            await asyncio.wait_for(store, STORE_TIMEOUT_S)
        except NET_ERRORS as error:
            log.info("a record was not stored everywhere: %r", error)

    async def refresh(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            for item in list(self._mine):
                if records.decode(item[2]).expires > time.time():
                    await self._store(item)

    async def read(self, round: int, stage: int) -> dict[str, bytes]:
        """Good records of one round by peer id, mine included if I hold it; from all replicas."""
        key = records.directory_key(self._swarm, round, stage)
        key_id = DHTID.generate(source=key)
        entries = self._held(key_id)
        replies = await asyncio.gather(*(self._ask(p, key_id) for p in self._replicas(key_id)))
        for reply in replies:
            entries.extend(reply)
        found = guard.pick(self._swarm, round, stage, entries, time.time())
        for peer_id, value in found.items():
            for maddr in records.decode(value).maddrs:
                if peer_id != self._peer_id:
                    self._contacts.add(f"{maddr}/p2p/{peer_id}")
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
                self._chores.spawn(self._look_further(key_id), "lookup")
        return [near[n] for n in sorted(near, key=key_id.xor_distance)][:READ_FROM]

    async def _look_further(self, key_id: DHTID) -> None:
        search = self._node.find_nearest_nodes([key_id], k_nearest=READ_FROM, exclude_self=True)
        found = await asyncio.wait_for(search, LOOKUP_TIMEOUT_S)
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
