"""Finds nodes of the same swarm on the local network, and is found by them: DNS-SD over mDNS.

A node announces `PEER_ID._waggle._tcp.local.` with its swarm's name and its port, and knocks at
whoever announces the same swarm. Anybody on the network may announce anything: so names, numbers
and addresses are checked, addresses must be local ones, and their count is bounded. What answers
there still has to prove its peer id to libp2p. zeroconf is imported only when this is on.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from typing import Any

from core.net.listening import Address

SERVICE = "_waggle._tcp.local."
MAX_FOUND = 64
MAX_ADDRESSES = 4
MAX_RESOLVING = 8
RESOLVE_TIMEOUT_MS = 2_000
AGAIN_S = 10.0
"""One announcement is looked at no more often than this."""
_PEER_ID = re.compile(r"[1-9A-HJ-NP-Za-km-z]{40,64}")
log = logging.getLogger(__name__)


class Lan:
    """One announcement and one browser. `found`: nodes of the swarm seen on the network."""

    def __init__(self, swarm: str) -> None:
        self._swarm = swarm
        self._zeroconf: Any = None
        self._browser: Any = None
        self._info: Any = None
        self._mine = ""
        self._met: Callable[[str], None] = lambda maddr: None
        self._looked: OrderedDict[str, float] = OrderedDict()
        self._found: OrderedDict[str, None] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def found(self) -> int:
        return len(self._found)

    async def announce(
        self, peer_id: str, listen: Sequence[Address], port: int, met: Callable[[str], None]
    ) -> None:
        """Say where this node listens, and from now on tell `met` of others. Never raises.

        port: over TCP, 0 for a node that cannot be found so. A machine whose network forbids
        multicast goes without.
        """
        self._mine, self._met = peer_id, met
        if not port:
            return
        from zeroconf import Error, InterfaceChoice, IPVersion
        from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

        try:
            if self._zeroconf is None:
                self._zeroconf = AsyncZeroconf(
                    interfaces=InterfaceChoice.All, ip_version=IPVersion.V4Only
                )
            info = AsyncServiceInfo(
                SERVICE,
                f"{peer_id}.{SERVICE}",
                port=port,
                properties={"swarm": self._swarm, "v": "1"},
                parsed_addresses=_local_addresses({a.host for a in listen}),
                server=f"{peer_id}.local.",
            )
            if self._info is None:
                await asyncio.wait_for(self._zeroconf.async_register_service(info), 5)
            else:
                await asyncio.wait_for(self._zeroconf.async_update_service(info), 5)
            self._info = info
            if self._browser is None:
                self._browser = AsyncServiceBrowser(
                    self._zeroconf.zeroconf, SERVICE, handlers=[self._heard]
                )
        except (OSError, Error, asyncio.TimeoutError) as error:
            log.warning("no discovery on the local network: %r", error)

    def _heard(self, zeroconf: Any, service_type: str, name: str, state_change: Any) -> None:
        """Something was announced, changed or withdrawn; look at it, not too often."""
        peer_id, now = name.removesuffix("." + SERVICE), time.monotonic()
        if not _PEER_ID.fullmatch(peer_id) or peer_id == self._mine:
            return
        if now - self._looked.get(peer_id, -AGAIN_S) < AGAIN_S or len(self._tasks) >= MAX_RESOLVING:
            return
        self._looked[peer_id] = now
        self._looked.move_to_end(peer_id)
        while len(self._looked) > 4 * MAX_FOUND:
            self._looked.popitem(last=False)
        task = asyncio.get_running_loop().create_task(self._look(zeroconf, name, peer_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _look(self, zeroconf: Any, name: str, peer_id: str) -> None:
        from zeroconf import Error
        from zeroconf.asyncio import AsyncServiceInfo

        info = AsyncServiceInfo(SERVICE, name)
        try:
            if not await info.async_request(zeroconf, RESOLVE_TIMEOUT_MS):
                return
        except (OSError, Error, ValueError) as error:
            log.info("an announcement on the local network is malformed: %r", error)
            return
        maddrs = believable(
            self._swarm, peer_id, dict(info.properties), info.port, info.parsed_addresses()
        )
        for maddr in maddrs:
            self._met(maddr)
        if maddrs:
            self._found[peer_id] = None
            while len(self._found) > MAX_FOUND:
                self._found.popitem(last=False)

    async def close(self) -> None:
        """Withdraw the announcement; within seconds, whatever the network does."""
        if self._zeroconf is None:
            return
        try:
            if self._browser is not None:
                await asyncio.wait_for(self._browser.async_cancel(), 2)
            await asyncio.wait_for(self._zeroconf.async_close(), 3)
        except (OSError, asyncio.TimeoutError) as error:
            log.info("the announcement was not withdrawn: %r", error)


def believable(
    swarm: str,
    peer_id: str,
    properties: dict[bytes, bytes | None],
    port: int | None,
    addresses: Sequence[str],
) -> list[str]:
    """Multiaddrs of a peer that announces `swarm`; empty for anything odd or not local."""
    if properties.get(b"swarm") != swarm.encode() or not _PEER_ID.fullmatch(peer_id):
        return []
    if type(port) is not int or not 0 < port < 65_536:
        return []
    out = []
    for text in addresses[: 4 * MAX_ADDRESSES]:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            continue
        if address.version == 4 and _is_local(address):
            out.append(f"/ip4/{address}/tcp/{port}/p2p/{peer_id}")
    return out[:MAX_ADDRESSES]


def _is_local(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Of a network without routers to the world; not of this machine itself."""
    local = address.is_private or address.is_link_local
    return local and not (
        address.is_loopback or address.is_multicast or address.is_unspecified or address.is_reserved
    )


def _local_addresses(hosts: Collection[str]) -> list[str]:
    """Of this machine's local IPv4 addresses those it listens on, whatever it announces."""
    import psutil

    own = [each.address for name in psutil.net_if_addrs().values() for each in name]
    local = [a for a in own if ":" not in a and a.count(".") == 3]
    listened = [a for a in local if "0.0.0.0" in hosts or a in hosts]
    return [a for a in listened if _is_local(ipaddress.ip_address(a))][:MAX_ADDRESSES]
