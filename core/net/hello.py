"""The stream `waggle/hello/1`: two nodes compare clocks, and one may ask to be dialled back.

Request: one byte of length, msgpack `[time, port]`; port 0 asks for no dialling. Answer: one byte
of length, msgpack `[time, host, why]`: the address from which the asker is seen, and why it could
not be dialled there, "" when it could. Only the asker's own address is ever dialled, over TCP, for
as long as it takes to hear that libp2p answers; so nobody can be made to knock at a third one's
door. QUIC cannot be tried so. Knows streams and sockets, not hivemind.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import os
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgpack

PROTOCOL = "waggle/hello/1"
TIMEOUT_S = 4.0
DIAL_TIMEOUT_S = 2.0
MAX_BODY_BYTES = 255
MAX_HOST_CHARS, MAX_WHY_CHARS = 64, 100
MAX_TIME_S = 2.0**39
MAX_STREAMS = 16
DIAL_EVERY_S = 5.0
"""One peer is dialled no more often than this."""
_GREETING = b"\x13/multistream/1.0.0\n"
_BROKEN = (OSError, EOFError, asyncio.TimeoutError, ValueError)


@dataclass(frozen=True)
class Hello:
    """A peer's answer. time: its clock, Unix seconds. seen_as: my address as it sees it.

    why: I could not be dialled; empty when I could, or had not asked.
    """

    time: float
    seen_as: str
    why: str


class Greeter:
    """Answers other nodes' hellos; bounded in streams and in how often it dials."""

    def __init__(self) -> None:
        self._streams = 0
        self._dialled: OrderedDict[str, float] = OrderedDict()

    async def handle(
        self, stream_info: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """One stream; what a peer does wrong ends its stream and nothing else."""
        self._streams += 1
        try:
            if self._streams <= MAX_STREAMS:
                answer = self._answer(str(stream_info.peer_id), str(stream_info.addr), reader)
                body = await asyncio.wait_for(answer, TIMEOUT_S)
                writer.write(bytes([len(body)]) + body)
                await asyncio.wait_for(writer.drain(), TIMEOUT_S)
                await asyncio.wait_for(reader.read(1), TIMEOUT_S)  # let the asker close
        except _BROKEN:
            return  # its own loss
        finally:
            self._streams -= 1
            writer.close()

    async def _answer(self, peer_id: str, maddr: str, reader: asyncio.StreamReader) -> bytes:
        _, port = _numbers(await _body(reader), 2)
        host, why = _host(maddr), ""
        if port:
            why = await self._dial(peer_id, host, int(port))
        body: bytes = msgpack.packb([time.time(), host, why[:MAX_WHY_CHARS]])
        return body

    async def _dial(self, peer_id: str, host: str, port: int) -> str:
        if not host:
            return "we are connected through a relay"
        now = time.monotonic()
        if now - self._dialled.get(peer_id, -DIAL_EVERY_S) < DIAL_EVERY_S:
            return "asked too often"
        self._dialled[peer_id] = now
        self._dialled.move_to_end(peer_id)
        while len(self._dialled) > 256:
            self._dialled.popitem(last=False)
        return await dial(host, port)


async def dial(host: str, port: int) -> str:
    """Whether libp2p answers at a TCP port: "" or why not, in a few words."""
    try:
        opened = asyncio.open_connection(host, port)
        reader, writer = await asyncio.wait_for(opened, DIAL_TIMEOUT_S)
    except asyncio.TimeoutError:
        return "no answer"
    except OSError as error:
        return os.strerror(error.errno).lower() if error.errno else type(error).__name__
    try:
        writer.write(_GREETING)
        heard = await asyncio.wait_for(reader.readexactly(len(_GREETING)), DIAL_TIMEOUT_S)
    except _BROKEN:
        heard = b""
    finally:
        with suppress(OSError):
            writer.close()
    return "" if heard == _GREETING else "something else answers there"


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> Hello:
    """A peer's hello. ValueError for an answer that is none; times out by itself."""
    body = msgpack.packb([time.time(), port])
    writer.write(bytes([len(body)]) + body)
    await writer.drain()
    told = await asyncio.wait_for(_body(reader), TIMEOUT_S + 2 * DIAL_TIMEOUT_S)
    if type(told) is not list or len(told) != 3 or type(told[0]) is not float:
        raise ValueError("not a hello")
    theirs, host, why = told
    if not math.isfinite(theirs) or abs(theirs) > MAX_TIME_S:
        raise ValueError("its clock is out of bounds")
    if type(host) is not str or type(why) is not str or len(why) > MAX_WHY_CHARS:
        raise ValueError("not a hello")
    if len(host) > MAX_HOST_CHARS or "%" in host:  # an IPv6 scope is any text, and not for others
        raise ValueError("not an address")
    if host:
        ipaddress.ip_address(host)
    return Hello(theirs, host, why if why.isprintable() else "it says something unprintable")


async def _body(reader: asyncio.StreamReader) -> Any:
    (size,) = await reader.readexactly(1)
    data = await reader.readexactly(size)
    try:
        return msgpack.unpackb(data, raw=False, max_array_len=3, max_map_len=0, max_ext_len=0)
    except msgpack.UnpackException as error:
        raise ValueError("not msgpack") from error


def _numbers(fields: Any, count: int) -> tuple[float, ...]:
    if type(fields) is not list or len(fields) != count:
        raise ValueError("not a hello")
    if type(fields[0]) is not float or type(fields[1]) is not int:
        raise ValueError("not a hello")
    if not math.isfinite(fields[0]) or not 0 <= fields[1] < 65_536:
        raise ValueError("not a hello")
    return tuple(fields)


def _host(maddr: str) -> str:
    """The address of a peer's connection, "" when a relay stands between."""
    parts = maddr.split("/")
    if "p2p-circuit" in parts or len(parts) < 3 or parts[1] not in ("ip4", "ip6"):
        return ""
    return parts[2]
