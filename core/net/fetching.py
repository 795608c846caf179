"""Fetching one peer's payload over a libp2p stream: bounded in time and bytes, digest-checked."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress

from hivemind.p2p.p2p_daemon import P2P
from hivemind.p2p.p2p_daemon_bindings.datastructures import PeerID
from hivemind.p2p.p2p_daemon_bindings.utils import P2PDaemonError

from core.net import records
from core.net.chores import NET_ERRORS
from core.net.connections import Connections
from core.net.serving import PROTOCOL, request

log = logging.getLogger(__name__)


class Fetching:
    """Over one opened DHT's daemon."""

    def __init__(self, p2p: P2P, connections: Connections) -> None:
        self._p2p, self._connections = p2p, connections

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
            await self._connections.connect(
                peer, self._connections.contacts.addresses(record.peer_id)
            )
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
