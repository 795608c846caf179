"""What happens to the node itself: starts, services, the network, incidents, log lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from core.events.base import Event


@dataclass(frozen=True, kw_only=True)
class NodeStarted(Event):
    """The node process is up, before anything heavy is loaded."""

    version: str
    pid: int
    profile: str
    home: str
    peer_id: str
    name: str
    model: str
    swarm: str
    account: str = ""
    restarts: int = 0
    backed_up: float | None = None
    """Unix seconds of the last backup of the peer identity that is known of."""
    settings: dict[str, float | str] = field(default_factory=dict)
    """Those that say how it trains, as `core.grpo_settings` names them."""


@dataclass(frozen=True, kw_only=True)
class MachineRead(Event):
    """What this machine still gives the node: read after a round, at most twice a minute.

    disk_free_bytes: where the home is. memory_mib: of the node's process now; memory_limit_mib:
    what it could hold in all, by the machine, its control groups and --max-ram. account: that of
    this home, "" where nobody submits with it; account_kept: Unix seconds of the last copy of its
    key that is known of.
    """

    disk_free_bytes: int
    memory_mib: float
    memory_limit_mib: float
    account: str = ""
    account_kept: float | None = None


@dataclass(frozen=True, kw_only=True)
class IdentityBackedUp(Event):
    """A backup of the peer identity was made, at `made` (Unix seconds), while the node runs."""

    made: float


@dataclass(frozen=True, kw_only=True)
class NodeStopped(Event):
    reason: str = "asked"


@dataclass(frozen=True, kw_only=True)
class ServiceChanged(Event):
    """A part of the node went `starting`, `up`, `degraded` or `down`.

    service: `model`, `net`, `chain`, `scorer`, `services` or `node-2`, `node-3` of a trio.
    """

    service: str
    status: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class NetChanged(Event):
    """How this node stands in the network; when that changes, and every few minutes meanwhile.

    bootnodes: each `maddr`, `outcome` (`waiting`, `connected`, `failed`, `invalid`), `why`,
    `tries`, `next_at` (Unix seconds), `latency_ms`. reach: `unknown`, `reachable`, `unreachable`.
    relays: nodes that relay to this one. skew_s: this clock minus that of `skew_peers` others.
    lan: nodes found on the local network. restarts: of the sidecar and its daemon. note: a port
    that was taken.
    """

    status: str
    maddrs: list[str] = field(default_factory=list)
    peers: int = 0
    bootnodes: list[dict[str, Any]] = field(default_factory=list)
    reach: str = "unknown"
    reach_words: str = ""
    relays: int = 0
    skew_s: float = 0.0
    skew_peers: int = 0
    lan: int = 0
    restarts: int = 0
    rss_mib: float = 0.0
    daemon_rss_mib: float = 0.0
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class ModelLoaded(Event):
    """recipe: how it is trained, in words. machine: what was measured to pay here, in words.

    estimated_peak_mib: of the memory plan; the metrics tell the measured one beside it.
    """

    model: str
    parameters: int
    dtype: str
    device: str
    threads: int
    seconds: float
    checkpoint_round: int | None = None
    recipe: str = ""
    estimated_peak_mib: float | None = None
    machine: str = ""


@dataclass(frozen=True, kw_only=True)
class Paused(Event):
    pass


@dataclass(frozen=True, kw_only=True)
class Resumed(Event):
    pass


@dataclass(frozen=True, kw_only=True)
class Incident(Event):
    """Something failed and the node goes on. `code` is stable, the rest is for a person."""

    code: str
    what: str
    why: str = ""
    next_step: str = ""
    level: str = "warning"


@dataclass(frozen=True, kw_only=True)
class LogLine(Event):
    """One line of any log. level: debug, info, warning, error."""

    METRIC: ClassVar[bool] = True
    level: str
    source: str
    text: str
