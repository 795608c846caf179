"""A small internet of network namespaces, for tests that need machines, routers and cut cables.

Every machine is a namespace with one cable to a switch; a machine behind a router is seen by the
others at the router's address only. Threads inherit the namespace of whoever starts them, so a
`NetLink` that is started `inside` a machine keeps its sidecar there. Needs root, `ip` and, for
routers, `nft`; whoever lacks them skips.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNET = 0x40000000
_numbers = itertools.count(1)


def lacking(*, router: bool = False) -> str:
    """Why there can be no lab here, or ""."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "network namespaces need root"
    for tool in ("ip", *(["nft"] if router else [])):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    probe = subprocess.run(["ip", "netns", "add", _probe := f"wl{os.getpid()}p"], check=False)
    if probe.returncode != 0:
        return "this kernel gives no network namespaces"
    _run("ip", "netns", "del", _probe)
    return ""


class Lab:
    """Namespaces with names of their own, all removed by `close`."""

    def __init__(self) -> None:
        self._prefix = f"wl{os.getpid() % 100_000}x{next(_numbers)}"
        self._made: list[str] = []
        self._add("sw")
        self._ip("sw", "link", "add", "br0", "type", "bridge")
        self._ip("sw", "link", "set", "br0", "up")

    def machine(self, name: str, address: str) -> None:
        """A machine at `address`/24 on the switch."""
        self._add(name)
        self._cable(name, "sw", name)
        self._ip("sw", "link", "set", name, "master", "br0", "up")
        self._ip(name, "addr", "add", f"{address}/24", "dev", "eth0")
        self._ip(name, "link", "set", "eth0", "up")
        self._ip(name, "route", "add", "224.0.0.0/4", "dev", "eth0")

    def behind_router(self, name: str, address: str, router: str, outside: str) -> None:
        """A machine at the private `address`, behind a router at `outside` that translates."""
        self.machine(router, outside)
        self._add(name)
        self._cable(name, router, "lan0")
        inner = address.rpartition(".")[0] + ".1"
        self._ip(name, "addr", "add", f"{address}/24", "dev", "eth0")
        self._ip(router, "addr", "add", f"{inner}/24", "dev", "lan0")
        self._ip(name, "link", "set", "eth0", "up")
        self._ip(router, "link", "set", "lan0", "up")
        self._ip(name, "route", "add", "default", "via", inner)
        forward = "echo 1 > /proc/sys/net/ipv4/ip_forward"
        _run("ip", "netns", "exec", self._ns(router), "sh", "-c", forward)
        for rule in (
            "add table ip nat",
            "add chain ip nat out { type nat hook postrouting priority 100 ; }",
            'add rule ip nat out oifname "eth0" masquerade',
        ):
            _run("ip", "netns", "exec", self._ns(router), "nft", rule)

    def cut(self, name: str) -> None:
        """Pull a machine's cable out of the switch."""
        self._ip("sw", "link", "set", name, "down")

    def mend(self, name: str) -> None:
        self._ip("sw", "link", "set", name, "up")

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """Be on that machine; threads and processes started meanwhile stay there."""
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/var/run/netns/{self._ns(name)}", os.O_RDONLY)
        try:
            _enter(there)
            try:
                yield
            finally:
                _enter(here)
        finally:
            os.close(here)
            os.close(there)

    def command(self, name: str, *command: str) -> list[str]:
        """A command line that runs on that machine."""
        return ["ip", "netns", "exec", self._ns(name), *command]

    def pids(self, name: str) -> list[int]:
        """Processes that run on that machine."""
        line = ("ip", "netns", "pids", self._ns(name))
        found = subprocess.run(line, check=True, capture_output=True, text=True, timeout=10)
        return [int(pid) for pid in found.stdout.split()]

    def close(self) -> None:
        for name in reversed(self._made):
            if Path(f"/var/run/netns/{self._ns(name)}").exists():
                _run("ip", "netns", "del", self._ns(name))

    def _cable(self, name: str, other: str, socket: str) -> None:
        """From `eth0` of one machine to `socket` of another."""
        end = ("peer", "name", socket, "netns", self._ns(other))
        self._ip(name, "link", "add", "eth0", "type", "veth", *end)

    def _add(self, name: str) -> None:
        _run("ip", "netns", "add", self._ns(name))
        self._made.append(name)
        self._ip(name, "link", "set", "lo", "up")

    def _ns(self, name: str) -> str:
        return f"{self._prefix}{name}"

    def _ip(self, name: str, *arguments: str) -> None:
        _run("ip", "-n", self._ns(name), *arguments)


def _enter(handle: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(handle, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=10)
