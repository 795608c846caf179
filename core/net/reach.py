"""Whether other nodes can dial this one: what those asked to dial back found. Pure.

A node behind a NAT dials out and is found by nobody. So it asks peers that it is connected to for a
fresh connection to its own port, at the address from which they see it.
"""

from __future__ import annotations

import ipaddress
import re
from collections import OrderedDict
from dataclasses import dataclass

FRESH_S = 900.0
MAX_PEERS = 32


@dataclass(frozen=True)
class Reach:
    """verdict: `unknown`, `reachable` or `unreachable`. by: peers that said so. why: of a failure.

    seen_as: the address from which peers see this node, "" when unknown.
    """

    verdict: str = "unknown"
    by: int = 0
    why: str = ""
    seen_as: str = ""


class Dialled:
    """The latest word of each peer that was asked to dial back, the oldest making room."""

    def __init__(self) -> None:
        self._told: OrderedDict[str, tuple[float, str, str]] = OrderedDict()

    def heard(self, peer_id: str, seen_as: str, why: str, now: float) -> None:
        """why: empty when the peer got through. now: on a clock that never jumps."""
        self._told.pop(peer_id, None)
        self._told[peer_id] = (now, seen_as, why)
        while len(self._told) > MAX_PEERS:
            self._told.popitem(last=False)

    def reach(self, now: float) -> Reach:
        """One peer that got through proves more than many that did not."""
        fresh = [told for told in self._told.values() if now - told[0] <= FRESH_S]
        good = [seen_as for _, seen_as, why in fresh if not why]
        if good:
            return Reach("reachable", len(good), seen_as=good[-1])
        if fresh:
            return Reach("unreachable", len(fresh), fresh[-1][2], fresh[-1][1])
        return Reach()


def order(maddrs: list[str]) -> list[str]:
    """The same multiaddrs, those that most others can use first: public, relayed, private, mine."""
    return sorted(maddrs, key=_rank)


def _rank(maddr: str) -> int:
    if "/p2p-circuit" in maddr:
        return 1
    parts = maddr.split("/")
    if len(parts) < 3 or parts[1] not in ("ip4", "ip6"):
        return 0  # a name, which somebody chose to announce
    try:
        address = ipaddress.ip_address(parts[2])
    except ValueError:
        return 4
    return 3 if address.is_loopback else 2 if address.is_private or address.is_link_local else 0


def tcp_port(maddr: str) -> int:
    """The TCP port of a multiaddr that can be dialled directly, or 0."""
    found = re.match(r"/(?:ip4|ip6|dns|dns4|dns6)/[^/]+/tcp/(\d{1,5})(?:/p2p/[^/]+)?$", maddr)
    return int(found[1]) if found else 0


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
