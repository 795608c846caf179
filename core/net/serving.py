"""The rollout stream `waggle/rollouts/1`: one bounded request, one bounded answer.

Request: two bytes of length, msgpack `[round, stage, digest]`. Answer: one status byte, four bytes
of length, the payload. Each side has a deadline and a size for everything it reads. A node serves
what it published in its last few rounds and nothing else. Knows streams, not hivemind.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import Counter, OrderedDict
from typing import Any

import msgpack

PROTOCOL = "waggle/rollouts/1"
KEEP = 6
MAX_STREAMS = 64
MAX_STREAMS_PER_PEER = 4
REQUEST_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 60.0
LINGER_S = 3.0
MAX_REQUEST_BYTES = 256
_OK, _UNKNOWN, _BUSY = b"\0", b"\1", b"\2"
_BROKEN = (OSError, EOFError, asyncio.TimeoutError, ValueError)
log = logging.getLogger(__name__)


class NotAsAnnounced(ValueError):
    """The peer offers another payload than the one that its own record promises."""


class Shelf:
    """My payloads of the last KEEP rounds and stages, and the handler that gives them out."""

    def __init__(self) -> None:
        self._payloads: OrderedDict[tuple[int, int, str], bytes] = OrderedDict()
        self._streams: Counter[str] = Counter()

    def put(self, round: int, stage: int, digest: str, payload: bytes) -> None:
        self._payloads[round, stage, digest] = payload
        while len(self._payloads) > KEEP:
            self._payloads.popitem(last=False)

    async def handle(
        self, stream_info: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer one stream; what a peer does wrong ends its stream and nothing else."""
        peer = str(stream_info.peer_id)
        self._streams[peer] += 1
        try:
            busy = self._streams[peer] > MAX_STREAMS_PER_PEER or self._streams.total() > MAX_STREAMS
            await self._answer(reader, writer, busy)
        except _BROKEN as error:
            log.debug("stream of %s ended: %r", peer, error)
        finally:
            self._streams[peer] -= 1
            if not self._streams[peer]:
                del self._streams[peer]
            writer.close()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, busy: bool
    ) -> None:
        wanted = await asyncio.wait_for(_read_request(reader), REQUEST_TIMEOUT_S)
        payload = self._payloads.get(wanted)
        if busy or payload is None:
            writer.write((_BUSY if busy else _UNKNOWN) + bytes(4))
        else:
            writer.write(_OK + len(payload).to_bytes(4, "big"))
            writer.write(payload)
        await asyncio.wait_for(writer.drain(), ANSWER_TIMEOUT_S)
        # closing first could overtake the answer inside the daemon: let the asker close
        await asyncio.wait_for(reader.read(1), LINGER_S)


async def request(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    round: int,
    stage: int,
    digest: str,
    size_bytes: int,
) -> bytes:
    """Ask for one payload and check it; NotAsAnnounced when it is another than promised.

    Another ValueError when the peer is busy or no longer has it.
    """
    body = msgpack.packb([round, stage, digest], use_bin_type=True)
    writer.write(len(body).to_bytes(2, "big") + body)
    await writer.drain()
    status = await reader.readexactly(1)
    size = int.from_bytes(await reader.readexactly(4), "big")
    if status == _BUSY:
        raise ValueError("the peer is busy")
    if status != _OK:
        raise ValueError("the peer no longer has it")
    if size != size_bytes:
        raise NotAsAnnounced(f"the peer offers {size} bytes, its record says {size_bytes}")
    payload = await reader.readexactly(size)
    if hashlib.sha256(payload).hexdigest() != digest:
        raise NotAsAnnounced("the payload is not the one in the record")
    return payload


async def _read_request(reader: asyncio.StreamReader) -> tuple[int, int, str]:
    size = int.from_bytes(await reader.readexactly(2), "big")
    if size > MAX_REQUEST_BYTES:
        raise ValueError("request is too long")
    fields = msgpack.unpackb(
        await reader.readexactly(size), max_array_len=3, max_map_len=0, max_ext_len=0
    )
    if type(fields) is not list or [type(f) for f in fields] != [int, int, str]:
        raise ValueError("not a request")
    return fields[0], fields[1], fields[2]
