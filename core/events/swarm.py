"""What is heard of others, and of the clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from core.events.base import Event


@dataclass(frozen=True, kw_only=True)
class PeerSeen(Event):
    """A peer's record for a round was read. groups: offered; used: admitted.

    reward_mean: over the admitted groups, as scored here. claimed: what the peer says it is.
    """

    peer_id: str
    name: str
    groups: int = 0
    used: int = 0
    reward_mean: float | None = None
    claimed: float | None = None
    latency_ms: float | None = None
    signed: bool = True


@dataclass(frozen=True, kw_only=True)
class PeerQuarantined(Event):
    """A peer is left alone until `until` (Unix seconds), for the times-th time.

    reason: of the strike that did it, as in GroupRejected. signed: False for an unsigned peer,
    whose account is apart from that of the same peer id's signed contributions.
    """

    peer_id: str
    name: str
    reason: str
    until: float
    strikes: float
    times: int
    signed: bool = True


@dataclass(frozen=True, kw_only=True)
class PeerReleased(Event):
    """A quarantine is over: the peer's next contribution is looked at again."""

    peer_id: str
    signed: bool = True


@dataclass(frozen=True, kw_only=True)
class LeaderboardRead(Event):
    """The swarm's leaderboard as it now follows from the coordinator's events.

    leaders: the first ranks, each as `core.swarm.leaderboard.to_row` makes it. me: the same for
    this node, {} when it has no rank. total: peers with a rank. block: the newest one counted;
    behind: blocks that are still to be read.
    """

    block: int
    behind: int
    total: int
    leaders: list[dict[str, Any]] = field(default_factory=list)
    me: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class GossipHeard(Event):
    """What was answered in this round, by peers whose groups were admitted and by this node.

    messages: as `core.swarm.gossip.message` makes them, at most `core.swarm.gossip.MAX_PER_ROUND`.
    """

    stage: int = 0
    messages: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class ClockMoved(Event):
    stage: int = 0
    deadline: float | None = None
