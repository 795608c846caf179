"""GenRL's values in the DHT: puts mine there, reads those of others. Nothing of it is signed.

The original asks one replica and believes it; here every replica near the key is asked by itself,
and what they hold is taken apart peer by peer. Knows keys, lifetimes and replicas; not what a value
says, which the node finds out.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time

from hivemind.dht.node import DHTNode
from hivemind.dht.routing import DHTID
from hivemind.p2p.p2p_daemon_bindings.datastructures import PeerID
from hivemind.proto import dht_pb2
from hivemind.utils.serializer import MSGPackSerializer

from core.net import genrl, unsigned
from core.net.chores import NET_ERRORS, Chores
from core.net.storage import RoundStorage

STORE_TIMEOUT_S = 12.0
LOOKUP_TIMEOUT_S = 4.0
READ_TIMEOUT_S = 3.0
READ_FROM = 8
log = logging.getLogger(__name__)


class GenrlDht:
    """The values of the GenRL nodes of one swarm, over one opened DHT."""

    def __init__(
        self, node: DHTNode, peer_id: str, rules: unsigned.Unsigned, chores: Chores
    ) -> None:
        self._node, self._peer_id, self._rules, self._chores = node, peer_id, rules, chores
        self._random = random.Random()

    async def tell(self, round: int, value: bytes) -> None:
        """Store my value of a round, to live as long as the original's do."""
        self._move_to(round)
        task = self._chores.spawn(self._store(genrl.round_key(round), value), "genrl store")
        await asyncio.wait({task}, timeout=0.25)

    async def hear(self, round: int) -> list[tuple[str, bytes]]:
        """What others said for a round: see `unsigned.pick`. A look back at an earlier one does not
        change which rounds are kept.
        """
        if round > self._rules.round:
            self._move_to(round)
        key_id = DHTID.generate(source=genrl.round_key(round))
        replicas = await self._replicas(key_id)
        replies = await asyncio.gather(*(self._ask(peer, key_id) for peer in replicas))
        held = self._held(key_id)
        return unsigned.pick([held, *replies], self._peer_id, time.time(), self._random)

    def _move_to(self, round: int) -> None:
        storage = self._node.protocol.storage
        assert isinstance(storage, RoundStorage)
        for key_id in self._rules.move_to(round):
            storage.drop(DHTID.from_bytes(key_id))

    async def _store(self, key: str, value: bytes) -> None:
        expires = time.time() + genrl.LIFE_S
        store = self._node.store(
            key, value, expires, subkey=self._peer_id, beam_size=genrl.BEAM_SIZE
        )
        try:
            await asyncio.wait_for(store, STORE_TIMEOUT_S)
        except NET_ERRORS as error:
            log.info("a value for GenRL nodes was not stored everywhere: %r", error)

    def _held(self, key_id: DHTID) -> list[unsigned.Entry]:
        held = self._node.protocol.storage.get(key_id)
        return unsigned.parse_dictionary(MSGPackSerializer.dumps(held.value)) if held else []

    async def _replicas(self, key_id: DHTID) -> list[PeerID]:
        """The peers nearest to a key: in my table, and beyond it where that is not all there is."""
        table = self._node.protocol.routing_table
        near = dict(table.get_nearest_neighbors(key_id, READ_FROM, exclude=self._node.node_id))
        if len(table.peer_id_to_uid) > READ_FROM:
            search = self._node.find_nearest_nodes(
                [key_id], k_nearest=READ_FROM, beam_size=genrl.BEAM_SIZE, exclude_self=True
            )
            try:
                near |= (await asyncio.wait_for(search, LOOKUP_TIMEOUT_S))[key_id]
            except NET_ERRORS as error:
                log.info("no nodes found beyond my table: %r", error)
        return [near[n] for n in sorted(near, key=key_id.xor_distance)][:READ_FROM]

    async def _ask(self, peer: PeerID, key_id: DHTID) -> list[unsigned.Entry]:
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
        return unsigned.parse_dictionary(response.results[0].value)
