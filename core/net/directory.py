"""The directory: brings my signed records to the nodes that keep them, finds those of others.

Asks only a few nodes of a shard at a time, others at each poll, and puts together what they say: a
node that lies, hangs or leaves out can neither hide nor forge what another tells. Every record is
verified here before it counts. Knows records and nodes; not what a record's payload holds.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, field

from hivemind.dht.node import DHTNode
from hivemind.p2p.p2p_daemon import P2P
from hivemind.p2p.p2p_daemon_bindings.datastructures import PeerID
from hivemind.p2p.p2p_daemon_bindings.utils import P2PHandlerError

from core.net import asking, records, shards
from core.net.around import Around
from core.net.board import Board
from core.net.chores import NET_ERRORS, Chores
from core.net.contacts import Contacts

ASK_AT_ONCE = 3
ASK_TIMEOUT_S = 1.5
POLL_WAIT_S = 0.25
"""A poll waits this long for its answers; what comes later counts for the next one."""
MOST_TRIES = 12
REFRESH_S = 30.0
MAX_FOUND = 256
READINGS = 3
log = logging.getLogger(__name__)


@dataclass
class _Reading:
    """What is known of one round and stage. at: around which point this node looks."""

    at: int = field(default_factory=lambda: random.getrandbits(shards.ID_BITS))
    wider: int = 0
    found: dict[str, tuple[records.Record, bytes]] = field(default_factory=dict)
    asked: Counter[PeerID] = field(default_factory=Counter)
    asking: set[PeerID] = field(default_factory=set)


@dataclass(frozen=True)
class Found:
    """Good records, and the shard that was looked at."""

    records: tuple[bytes, ...]
    shard: shards.Shard


class Directory:
    """Of one swarm, over one opened DHT. `open` it, then use it."""

    def __init__(
        self, node: DHTNode, p2p: P2P, board: Board, contacts: Contacts, chores: Chores
    ) -> None:
        self._node, self._p2p, self._board = node, p2p, board
        self._contacts, self._chores = contacts, chores
        self._peer_id = str(p2p.peer_id)
        self._around = Around(node)
        self._mine: deque[bytes] = deque(maxlen=2)
        self._readings: OrderedDict[tuple[int, int], _Reading] = OrderedDict()

    async def open(self) -> None:
        """From now on, answer what others ask."""
        await self._p2p._client.add_unary_handler(asking.PROTOCOL, self._answer)

    async def _answer(self, data: bytes, peer: PeerID) -> bytes:
        return self._board.answer(data, str(peer))

    def refused(self) -> tuple[tuple[str, str], ...]:
        """Who brought or told records that are none since this was last asked, and why."""
        return self._board.refused.drain()

    def reached(self, peer: PeerID) -> None:
        """A node was just greeted anew: whatever it failed before a cut no longer counts."""
        self._around.answered(peer)

    # --- mine ---------------------------------------------------------------------------------

    async def publish(self, value: bytes) -> None:
        """Bring my signed record to where it belongs, and again while it is among my last two."""
        self._board.round = records.decode(value).round
        self._mine.append(value)
        task = self._chores.spawn(self._bring(value), "bring")
        await asyncio.wait({task}, timeout=POLL_WAIT_S)

    async def refresh(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            for value in list(self._mine):
                if records.decode(value).expires > time.time():
                    await self._bring(value)

    async def _bring(self, value: bytes) -> None:
        """To the nodes nearest to its point that I know, then to those that a lookup finds."""
        record = records.decode(value)
        at = shards.point(record.swarm, record.round, record.stage, record.peer_id)
        self._board.pin(value, self._peer_id)
        told: dict[PeerID, bool] = {}
        await self._bring_near(at, value, told)
        await self._around.look_further(at)
        await self._bring_near(at, value, told)

    async def _bring_near(self, at: int, value: bytes, told: dict[PeerID, bool]) -> None:
        """Until the COPIES nearest nodes that answer have it, or enough were tried."""
        while len(told) < MOST_TRIES:
            near = [peer for _, peer in self._around.nearest(at) if told.get(peer, True)]
            fresh = [peer for peer in near[: shards.COPIES] if peer not in told]
            if not fresh:
                return
            asks = (self._ask(peer, asking.encode_keep(value)) for peer in fresh)
            answers = await asyncio.gather(*asks)
            told.update({p: a == b"\1" for p, a in zip(fresh, answers, strict=True)})

    # --- theirs -------------------------------------------------------------------------------

    async def read(self, round: int, stage: int, want: int) -> Found:
        """What is found so far for a round, of a part of the swarm with `want` peers and some more.

        Call it again and again: each time, other nodes are asked. want: 0 is everybody.
        """
        reading = self._readings.get((round, stage))
        if reading is None:
            reading = self._readings[round, stage] = _Reading()
            self._board.round = round
            self._chores.spawn(self._around.look_further(reading.at), "lookup")
            while len(self._readings) > READINGS:
                self._readings.popitem(last=False)
        near = self._around.nearest(reading.at)
        ids = [int(self._node.node_id), *(uid for uid, _ in near)]
        narrow = shards.shard_around(reading.at, ids, shards.least_nodes(want))
        shard = shards.wider(narrow, reading.wider)
        keepers = [peer for uid, peer in near if uid in shard]
        self._take(reading, round, stage, self._board.look(round, stage, shard), self._peer_id)
        chosen = self._whom_to_ask(reading, keepers)
        asks = {
            self._chores.spawn(self._look(peer, reading, round, stage, shard), "look")
            for peer in chosen
        }
        if asks:
            await asyncio.wait(asks, timeout=POLL_WAIT_S)
        found = [value for record, value in reading.found.values() if self._inside(record, shard)]
        if len(found) < want and not shard.whole and all(reading.asked[p] > 1 for p in keepers):
            reading.wider += 1
        return Found(tuple(found), shard)

    def _whom_to_ask(self, reading: _Reading, keepers: list[PeerID]) -> list[PeerID]:
        """Those asked least often, at random among them, and nobody who still owes an answer."""
        free = [peer for peer in keepers if peer not in reading.asking]
        random.shuffle(free)
        free.sort(key=lambda peer: reading.asked[peer])
        return free[:ASK_AT_ONCE]

    async def _look(
        self, peer: PeerID, reading: _Reading, round: int, stage: int, shard: shards.Shard
    ) -> None:
        known = [asking.tag(value) for _, value in reading.found.values()]
        reading.asking.add(peer)
        try:
            answer = await self._ask(peer, asking.encode_look(round, stage, shard, known))
            reading.asked[peer] += 1
            if answer is not None:
                self._take(reading, round, stage, asking.decode_records(answer), str(peer))
        except ValueError as error:
            log.info("%s answers nonsense: %s", peer, error)
            self._board.refused.note(str(peer), "malformed")
            self._around.failed(peer)
        finally:
            reading.asking.discard(peer)

    def _take(
        self, reading: _Reading, round: int, stage: int, values: list[bytes], teller: str
    ) -> None:
        """Keep what is a good record of that round and newer than what is known of its peer."""
        for value in values:
            try:
                record = records.decode(value)
                reason = records.misplaced(record, self._board.swarm, round, stage)
            except ValueError as error:
                log.info("%s told a record that is none: %s", teller, error)
                reason = "signature"
            if reason:
                self._board.refused.note(teller, reason)
                continue
            if record.expires <= time.time():
                continue
            old = reading.found.get(record.peer_id)
            if old is None and len(reading.found) >= MAX_FOUND:
                continue
            if old is None or old[0].issued < record.issued:
                reading.found[record.peer_id] = (record, value)
                for maddr in record.maddrs if record.peer_id != self._peer_id else ():
                    self._contacts.add(f"{maddr}/p2p/{record.peer_id}")

    @staticmethod
    def _inside(record: records.Record, shard: shards.Shard) -> bool:
        return shards.point(record.swarm, record.round, record.stage, record.peer_id) in shard

    # --- one node -----------------------------------------------------------------------------

    async def _ask(self, peer: PeerID, question: bytes) -> bytes | None:
        """The node's answer; None when there is none, and then it is passed over for a while."""
        call = self._p2p._client.call_unary_handler(peer, asking.PROTOCOL, question)
        try:
            answer = await asyncio.wait_for(call, ASK_TIMEOUT_S)
        except P2PHandlerError as error:
            log.info("%s refuses: %.200r", peer, error)
            self._around.failed(peer)
            return None
        except NET_ERRORS as error:
            log.info("%s does not answer: %.200r", peer, error)
            self._around.failed(peer)
            await self._node.protocol.update_routing_table(None, peer, responded=False)
            return None
        self._around.answered(peer)
        return answer
