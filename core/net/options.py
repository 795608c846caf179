"""What a link to the sidecar is given, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.net import messages


@dataclass(frozen=True)
class NetStatus:
    """How the network part is: what its sidecar told last, and what is seen from here.

    restarts: of the sidecar, since start; why: of the last one.
    """

    told: messages.Status = messages.Status("starting")
    restarts: int = 0
    why: str = ""

    @property
    def status(self) -> str:
        """`starting`, `up`, `degraded` or `down`."""
        return self.told.status

    @property
    def detail(self) -> str:
        return self.told.detail

    @property
    def maddrs(self) -> tuple[str, ...]:
        """Where this node can be reached, peer id included; the best first."""
        return self.told.maddrs

    @property
    def peers(self) -> int:
        """Nodes in the routing table."""
        return self.told.peers

    @property
    def bootnodes(self) -> tuple[messages.Bootnode, ...]:
        return self.told.bootnodes


@dataclass(frozen=True)
class LinkOptions:
    """What a sidecar is started with. log: file for all that it prints. genrl: `dht.Options`."""

    identity: Path
    swarm: str
    log: Path
    listen: str = "/ip4/127.0.0.1/tcp/0"
    announce: tuple[str, ...] = ()
    bootnodes: tuple[str, ...] = ()
    genrl: bool = False
    client_mode: bool = False
    relay: str = "auto"
    nat_port_map: bool = False
    lan_discovery: bool = False
    max_memory_mib: int = 512
