"""Addresses of this machine: which ones it has, where to listen for them, which ports are free.

IPv4 and names; it asks the kernel by binding, and sends nothing.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence

from core.errors import ConfigError

LOOPBACK = "127.0.0.1"
EVERY = "0.0.0.0"
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9-]{1,63})*")


def parse(text: str) -> str:
    """An address that others can use, in one spelling. ConfigError for anything else."""
    host = text.strip().rstrip(".").lower()
    if host == "localhost":
        return LOOPBACK
    try:
        found = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        numeric = re.fullmatch(r"[\d.]+", host) is not None
        if len(host) <= 253 and _NAME.fullmatch(host) and not numeric:
            return host
        raise ConfigError(
            f"{text[:80]!r} is not an address of a machine",
            "",
            "Give an IPv4 address such as 192.168.1.20, or a name; no port and no http://",
        ) from None
    if found.version == 6:
        raise ConfigError(
            f"{text[:80]} is an IPv6 address",
            "a swarm is hosted at an IPv4 address or a name",
            "Give one of these",
        )
    if found.is_unspecified or found.is_multicast or str(found) == "255.255.255.255":
        raise ConfigError(
            f"{found} is not an address that others can reach",
            "it names no machine",
            "Give the address of this machine in their network: see `ip address`",
        )
    return str(found)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_number(host: str) -> bool:
    """Whether it is an IPv4 address, and not a name."""
    return re.fullmatch(r"[\d.]+", host) is not None


def listening(public: str) -> tuple[str, ...]:
    """Where a service listens so that this machine and whoever uses `public` reach it.

    Loopback and that address; or every address, when `public` is a name or belongs to a router
    that forwards to this machine.
    """
    if public == LOOPBACK:
        return (LOOPBACK,)
    if is_number(public) and can_bind(public, 0):
        return (LOOPBACK, public)
    return (EVERY,)


def can_bind(host: str, port: int) -> bool:
    """Whether a TCP server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError):
            return False
    return True


def free_port(hosts: Sequence[str], wanted: int, besides: int = 0) -> int:
    """`wanted`, or else the first port above it that is free on all `hosts`; never `besides`.

    ConfigError when there is none.
    """
    for port in range(wanted, min(wanted + 200, 65_536)):
        if port != besides and all(can_bind(host, port) for host in hosts):
            return port
    raise ConfigError(
        f"No port from {wanted} to {wanted + 199} is free at {' and '.join(hosts)}",
        "",
        "Free one, or set net.listen and chain.devnet_port by hand",
    )


def own() -> list[str]:
    """The IPv4 addresses of this machine, other than loopback."""
    import psutil

    found = [
        entry.address
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family == socket.AF_INET and not is_loopback(entry.address)
    ]
    return list(dict.fromkeys(found))
