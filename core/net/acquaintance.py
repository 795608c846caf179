"""Gets to know the peers that this node is connected to: whose clock says what, who can dial it.

Asks one peer at a time through the stream of `hello.py`, new ones first and each again only after a
while. What is learnt outlives one daemon and is kept by the caller.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from hivemind.p2p.p2p_daemon import P2P
from hivemind.p2p.p2p_daemon_bindings.datastructures import PeerID

from core.net import hello
from core.net.chores import NET_ERRORS
from core.net.reach import Dialled
from core.net.skew import Clocks

AGAIN_S = 300.0
AT_LEAST_EVERY_S = 0.5
MAX_ASKED = 512
log = logging.getLogger(__name__)


@dataclass
class Findings:
    """What peers have told so far."""

    clocks: Clocks = field(default_factory=Clocks)
    dialled: Dialled = field(default_factory=Dialled)


class Acquaintance:
    """port: mine, over TCP, to be dialled back at; 0 when there is none."""

    def __init__(self, p2p: P2P, findings: Findings, port: int) -> None:
        self._p2p, self._findings, self.port = p2p, findings, port
        self._asked: OrderedDict[str, float] = OrderedDict()
        self._last = 0.0

    def whom_to_ask(self, peers: list[str]) -> str:
        """A peer that was not asked lately, or ""; noted as asked."""
        now = time.monotonic()
        if now - self._last < AT_LEAST_EVERY_S:
            return ""
        due = [p for p in peers if now - self._asked.get(p, -AGAIN_S) >= AGAIN_S]
        if not due:
            return ""
        chosen = random.choice(due)
        self._last = self._asked[chosen] = now
        while len(self._asked) > MAX_ASKED:
            self._asked.popitem(last=False)
        return chosen

    async def ask(self, peer_id: str) -> None:
        """Compare clocks and ask to be dialled; a peer that does not speak this costs nothing."""
        peer = PeerID.from_base58(peer_id)
        try:
            opened = self._p2p.call_binary_stream_handler(peer, hello.PROTOCOL)
            _, reader, writer = await asyncio.wait_for(opened, hello.TIMEOUT_S)
        except NET_ERRORS as error:
            log.info("%s does not say hello: %r", peer_id, error)
            return
        sent = time.time()
        try:
            told = await hello.ask(reader, writer, 0)
            received = time.time()
            self._findings.clocks.heard(peer_id, told.time, sent, received, time.monotonic())
        except NET_ERRORS as error:
            log.info("%s does not say hello: %r", peer_id, error)
            return
        finally:
            writer.close()
        if self.port and told.seen_as:
            await self._be_dialled(peer, peer_id)

    async def _be_dialled(self, peer: PeerID, peer_id: str) -> None:
        """In a stream of its own, because dialling takes time and would blur the clocks."""
        try:
            opened = self._p2p.call_binary_stream_handler(peer, hello.PROTOCOL)
            _, reader, writer = await asyncio.wait_for(opened, hello.TIMEOUT_S)
        except NET_ERRORS as error:
            log.info("%s does not dial back: %r", peer_id, error)
            return
        try:
            told = await hello.ask(reader, writer, self.port)
            dialled = self._findings.dialled
            dialled.heard(peer_id, told.seen_as, told.why, time.monotonic())
        except NET_ERRORS as error:
            log.info("%s does not dial back: %r", peer_id, error)
        finally:
            writer.close()
