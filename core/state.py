"""NodeState: everything that a console, `status` or the API shows of a node.

Every part is immutable and bounded, so a reader keeps a state as long as it likes, and a pane
needs repainting only when its part `is not` the one it drew. How events become a state is in
`fold.py`; nothing here knows of threads, files or screens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from core import events
from core.gate.fates import Fates, split
from core.series import EMPTY, Series
from core.swarm.leaderboard import Leader


@dataclass(frozen=True)
class Phase:
    """What the node does now. done and total: 0 of 0 when there is no measure."""

    name: str = ""
    detail: str = ""
    since: float = 0.0
    expected_s: float | None = None
    done: int = 0
    total: int = 0


@dataclass(frozen=True)
class Behind:
    """Rounds that the swarm played without this node, since it last was where the swarm is.

    round: the coordinator's newest, as read here; None before the first one. moves: times in a row
    that the clock had gone on by more than one round; missed: rounds that passed meanwhile.
    """

    round: int | None = None
    moves: int = 0
    missed: int = 0


@dataclass(frozen=True)
class Peer:
    """One peer and what became of its contributions, summed over rounds.

    groups: offered. used: of these, admitted. reasons: rejections by code; details: the newest
    detail of each. last_round: of its newest record. reward_mean: over its admitted groups, as
    scored here; claimed_mean: what it said itself of its newest contribution. signed: False for
    what came unsigned in this peer's name, which is counted apart. Times are Unix seconds.
    """

    peer_id: str
    name: str = ""
    first_seen: float = 0.0
    last_seen: float = 0.0
    last_round: int | None = None
    reward_mean: float | None = None
    claimed_mean: float | None = None
    groups: int = 0
    used: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)
    last_admitted: float | None = None
    last_rejected: float | None = None
    latency_ms: float | None = None
    signed: bool = True

    @property
    def rejected(self) -> int:
        return sum(self.reasons.values())

    @property
    def fates(self) -> Fates:
        """Its rejections by what they say of it: most are no fault."""
        return split(self.reasons)


@dataclass(frozen=True)
class Quarantine:
    """Why a peer is left alone, since and until when (Unix seconds), and for which time."""

    peer_id: str
    name: str
    reason: str
    since: float
    until: float
    times: int = 1
    signed: bool = True


@dataclass(frozen=True)
class Leaderboard:
    """As of `read` (Unix seconds) and `block`. behind: blocks not counted yet. me: or None."""

    leaders: tuple[Leader, ...] = ()
    me: Leader | None = None
    total: int = 0
    block: int = 0
    behind: int = 0
    read: float = 0.0


@dataclass(frozen=True)
class Gossip:
    """One message of the feed: what `node` (a name) answered. `id` is the original's.

    asked: characters of the message that are the question; 0 where nobody said.
    """

    id: str
    round: int
    stage: int
    node: str
    node_id: str
    message: str
    asked: int = 0


@dataclass(frozen=True)
class Submission:
    """A row of the outbox. kind, status, value: as in events.SubmissionChanged."""

    round: int | None
    stage: int
    kind: str
    status: str
    value: str = ""
    tx_hash: str = ""
    error: str = ""
    changed: float = 0.0
    since: float = 0.0
    """When it was first told of."""
    code: str = ""
    swarm: str = ""
    attempts: int = 0
    next_try: float = 0.0
    block: int = 0
    gas_used: int = 0
    fee_wei: int = 0


@dataclass(frozen=True)
class Ledger:
    """What counts. The totals cover the node's whole life; the tuples hold the newest rows.

    trained: rounds finished. confirmed, failed: submissions by kind; confirmed ones may be
    credited by now. What the ledger itself adds up to is `NodeState.rewards`.
    """

    trained: int = 0
    confirmed: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)
    pending: tuple[Submission, ...] = ()
    settled: tuple[Submission, ...] = ()
    last_error: str = ""

    @property
    def submitted(self) -> int:
        """Submissions that were committed, whatever became of them."""
        settled = sum(self.confirmed.values()) + sum(self.failed.values())
        return settled + len(self.pending)


@dataclass(frozen=True)
class Service:
    """status: starting, up, degraded or down."""

    status: str
    detail: str = ""
    since: float = 0.0


@dataclass(frozen=True)
class IncidentLine:
    """An incident, repeats folded: `count` times between `first` and `last`."""

    code: str
    what: str
    why: str
    next_step: str
    level: str
    first: float
    last: float
    count: int = 1
    round: int | None = None


@dataclass(frozen=True)
class NodeState:
    """All of it. None or empty: not known (yet)."""

    node: events.NodeStarted | None = None
    model: events.ModelLoaded | None = None
    running: bool = False
    backed_up: float | None = None
    """Unix seconds of the last backup of the peer identity; None when none is known of."""
    stop_reason: str = ""
    paused: bool = False
    crashes: tuple[float, ...] = ()
    """Unix times of the newest starts after an end that nobody had asked for."""
    updated: float = 0.0
    """Unix time of the newest event."""
    worked: float = 0.0
    """Unix time of the newest sign of life of the round loop."""

    round: int | None = None
    stage: int = 0
    deadline: float | None = None
    round_started: float = 0.0
    tasks: int = 0
    phase: Phase = Phase()
    last_round: events.RoundFinished | None = None
    last_skip: events.StepSkipped | None = None
    skips_in_a_row: int = 0
    behind: Behind = Behind()
    step: int = 0

    series: Mapping[str, Series] = field(default_factory=dict)
    """By name: `reward/own`, `reward/swarm`, `loss`, `seconds`, ... and every metric as named."""
    peers: Mapping[str, Peer] = field(default_factory=dict)
    """By the name of their account (`core.gate.quarantine.account`): the peer id, when it signs."""
    rejected: Mapping[str, int] = field(default_factory=dict)
    """Groups of others refused, by reason."""
    quarantine: Mapping[str, Quarantine] = field(default_factory=dict)
    """Peers left alone now, by the name of their account (`core.gate.quarantine.account`)."""
    admitted: int = 0
    leaderboard: Leaderboard | None = None
    gossip: tuple[Gossip, ...] = ()
    """Of the last rounds, newest last."""
    ledger: Ledger = Ledger()
    counters: events.CountersRead | None = None
    rewards: events.RewardsCounted | None = None
    evaluation: events.Evaluated | None = None
    checkpoint: events.CheckpointSaved | None = None
    services: Mapping[str, Service] = field(default_factory=dict)
    net: events.NetChanged | None = None
    machine: events.MachineRead | None = None
    incidents: tuple[IncidentLine, ...] = ()
    """Newest last."""
    log: tuple[events.LogLine, ...] = ()
    rollouts: tuple[events.RolloutShown, ...] = ()
    """Of the last rounds, newest last."""

    def series_of(self, name: str) -> Series:
        """The named series, empty when there is none."""
        return self.series.get(name, EMPTY)
