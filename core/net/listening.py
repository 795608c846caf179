"""Where a node listens: the multiaddrs of `net.listen`, and whether their ports can be had.

p2pd would not tell: it listens with SO_REUSEPORT, so that two nodes come up on one port, and it
drops a transport that it does not know. So both are found out before it starts. Knows sockets, not
p2pd.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from core.errors import ConfigError

MAX_ADDRESSES = 8
_ADDRESS = re.compile(r"/(ip4|ip6)/([0-9a-fA-F.:]+)/(tcp|udp)/(\d{1,5})(/quic-v1|/ws|)")
_HOW = "Write it like /ip4/0.0.0.0/tcp/0 or /ip4/0.0.0.0/udp/0/quic-v1, commas between several"


@dataclass(frozen=True)
class Address:
    """One listening address. port 0: the system chooses. tail: "", "/ws" or "/quic-v1"."""

    family: str
    host: str
    transport: str
    port: int
    tail: str = ""

    def __str__(self) -> str:
        return f"/{self.family}/{self.host}/{self.transport}/{self.port}{self.tail}"

    @property
    def loopback(self) -> bool:
        return ipaddress.ip_address(self.host).is_loopback


def parse(text: str) -> tuple[Address, ...]:
    """The addresses of a setting; ConfigError for one that p2pd could not listen on."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not 1 <= len(parts) <= MAX_ADDRESSES:
        raise ConfigError("net.listen cannot be used", f"it has {len(parts)} addresses", _HOW)
    return tuple(_parse_one(part) for part in parts)


def _parse_one(text: str) -> Address:
    why = "it is no TCP or QUIC multiaddr"
    found = _ADDRESS.fullmatch(text)
    if text.endswith("/quic"):
        why = "the old /quic is no longer spoken, /quic-v1 is"
    elif found is not None:
        address = Address(found[1], found[2], found[3], int(found[4]), found[5])
        fits = (address.transport == "udp") == (address.tail == "/quic-v1")
        if _family(address.host) == address.family and address.port < 65_536 and fits:
            return address
    raise ConfigError(f"net.listen {text!r} cannot be used", why, _HOW)


def _family(host: str) -> str:
    try:
        return f"ip{ipaddress.ip_address(host).version}"
    except ValueError:
        return ""


def beyond_loopback(addresses: Iterable[Address]) -> bool:
    """Whether another machine could reach one of them."""
    return not all(address.loopback for address in addresses)


def taken(address: Address) -> str:
    """Why the fixed port of an address cannot be had; empty when it can, or when it is 0."""
    if not address.port:
        return ""
    family = socket.AF_INET if address.family == "ip4" else socket.AF_INET6
    stream = address.transport == "tcp"
    with socket.socket(family, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM) as probe:
        if stream:  # else the dead connections of a node just ended would count as taken
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            return f"{address}: {error.strerror or error}"
    return ""


def as_before(wanted: Sequence[Address], before: Iterable[str]) -> tuple[Address, ...]:
    """`wanted` with each port 0 replaced by the one that `before` (multiaddrs) show was chosen.

    A node that comes back on its old port is found again by those who knew it. A port that somebody
    else has taken meanwhile stays 0.
    """
    chosen: dict[tuple[str, str, str], int] = {}
    for maddr in before:
        found = _ADDRESS.match(maddr)
        if found is not None and "/p2p-circuit" not in maddr:
            chosen.setdefault((found[1], found[3], found[5]), int(found[4]))
    out = []
    for address in wanted:
        port = chosen.get((address.family, address.transport, address.tail), 0)
        again = replace(address, port=port)
        out.append(again if not address.port and not taken(again) else address)
    return tuple(out)


def instead(wanted: Sequence[Address]) -> tuple[tuple[Address, ...], str]:
    """`wanted` with each taken port replaced by one that the system chooses, and why; or ""."""
    reasons = [taken(address) for address in wanted]
    out = tuple(
        replace(address, port=0) if reason else address
        for address, reason in zip(wanted, reasons, strict=True)
    )
    return out, "; ".join(filter(None, reasons))
