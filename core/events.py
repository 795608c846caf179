"""The vocabulary of what happens: one frozen dataclass per event, and the bus that carries them.

Whoever does something *emits*; nobody is called back. `EventBus.emit` is an append to bounded
deques (microseconds, never blocks on disk or screen). Readers `drain` their own deque. When a deque
is full its oldest metric event goes first and is counted. What counts as a record (ledger,
outbox, checkpoints) is committed elsewhere *before* its event is emitted, so a lost event loses
no money.

Every field is JSON: str, int, float, bool, None, or lists and dicts of these. No field may hold a
secret. Text from peers and models travels as it is: whoever shows it escapes it.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import threading
import time as _time
from collections import deque
from dataclasses import dataclass, field
from functools import cache
from types import UnionType
from typing import Any, ClassVar, Union, get_args, get_origin, get_type_hints


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base of all events. `time` is Unix seconds. `round` is the coordinator's, or None."""

    NAME: ClassVar[str] = "event"
    METRIC: ClassVar[bool] = False
    """Droppable under pressure and not written to the journal: only the present needs it."""
    time: float = field(default_factory=_time.time)
    round: int | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.NAME = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        EVENT_TYPES[cls.NAME] = cls


EVENT_TYPES: dict[str, type[Event]] = {}


# --- life of a node ---------------------------------------------------------------------------


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


# --- a round ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class RoundStarted(Event):
    stage: int = 0
    tasks: list[str] = field(default_factory=list)
    deadline: float | None = None
    """Unix seconds when the clock will move on without the slow ones; None when unknown."""


@dataclass(frozen=True, kw_only=True)
class PhaseChanged(Event):
    """What the node does now.

    phase: `sample`, `publish`, `gather`, `admit`, `update`, `account`, `save`, `eval`, `wait` or
    `paused`. expected_s: how long it usually takes here, or None. detail: why, when waiting.
    """

    METRIC: ClassVar[bool] = True
    phase: str
    detail: str = ""
    expected_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class PhaseProgress(Event):
    METRIC: ClassVar[bool] = True
    phase: str
    done: int
    total: int


@dataclass(frozen=True, kw_only=True)
class GroupsSampled(Event):
    """My own rollouts of this round, scored. Rewards are means over completions.

    drawn_with: the sampling settings, and `rollout_format`, that of the weights meanwhile.
    """

    groups: int
    completions: int
    tokens: int
    seconds: float
    tokens_per_s: float
    reward_mean: float
    truncated: float
    drawn_with: dict[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RolloutShown(Event):
    """One group of this round with its best and worst completion, for the screens.

    Texts are excerpts: what a round shows is bounded by `core.showing.ROUND_BYTES`. name: of a
    peer. outcome: `trained`, `no_signal` (mine, left out of the step), `spare` (admitted, but the
    draw took others), or the reason of a rejection, with its detail; "" of earlier versions.
    best_reward, worst_reward: None where nothing was scored. rewards: of all completions, in
    order. chars: of the whole text; tokens: where they are known; finished: ended by the model.
    """

    task: str
    peer_id: str
    question: str
    answer: str
    best: str
    best_reward: float | None
    worst: str
    worst_reward: float | None
    name: str = ""
    signed: bool = True
    outcome: str = ""
    detail: str = ""
    rewards: list[float] = field(default_factory=list)
    completions: int = 0
    best_advantage: float | None = None
    worst_advantage: float | None = None
    best_chars: int = 0
    worst_chars: int = 0
    best_tokens: int | None = None
    worst_tokens: int | None = None
    best_finished: bool = True
    worst_finished: bool = True


@dataclass(frozen=True, kw_only=True)
class GroupAdmitted(Event):
    peer_id: str
    task: str
    reward_mean: float


@dataclass(frozen=True, kw_only=True)
class GroupRejected(Event):
    """reason: a stable code, for example `schedule`, `signature`, `size`, `no_signal`."""

    peer_id: str
    task: str
    reason: str
    detail: str = ""
    signed: bool = True


@dataclass(frozen=True, kw_only=True)
class StepTrained(Event):
    """One optimiser step. `metrics` carries the names of `core/training/metrics.py`."""

    step: int
    loss: float
    grad_norm: float
    groups: int
    foreign_groups: int
    seconds: float
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class StepSkipped(Event):
    """No optimiser step this round. reason: `no_signal`, `non_finite`, ..."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Evaluated(Event):
    """Held-out evaluation on seeds that no training ever sees."""

    pass_at_1: float
    greedy_pass_at_1: float
    tasks: int
    samples: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class CheckpointSaved(Event):
    path: str
    size_bytes: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class RoundFinished(Event):
    """The round as trained here. loss is None when the step was skipped.

    reward_mean: mean reward of my own completions. swarm_reward_mean: over mine and the admitted
    foreign ones. seconds: whole round, waiting excluded; wait_s: waiting for peers and the clock.
    """

    stage: int = 0
    reward_mean: float
    swarm_reward_mean: float
    loss: float | None
    seconds: float
    wait_s: float
    own_groups: int
    foreign_groups: int
    rejected_groups: int
    peers: int
    tokens_per_s: float
    rss_mib: float
    metrics: dict[str, float] = field(default_factory=dict)


# --- the swarm --------------------------------------------------------------------------------


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


# --- what counts ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class SubmissionChanged(Event):
    """A row of the outbox. kind: `register`, `reward` or `winner`.

    status: `pending` (committed here), `sent` (transaction out), `confirmed` (the coordinator has
    it), `credited` (so deep in the chain that it stays), `failed` (final no, `error` says why). An
    open status with a code takes a confirmed row back. value: the reward, or the winners' peer ids
    joined by a comma. swarm: chain and contract. next_try: Unix seconds, 0 for at once. block,
    gas_used, fee_wei: of the receipt, 0 where unknown. Committed to the ledger before it is
    emitted.
    """

    kind: str
    stage: int = 0
    status: str
    value: str = ""
    tx_hash: str = ""
    error: str = ""
    code: str = ""
    swarm: str = ""
    attempts: int = 0
    next_try: float = 0.0
    block: int = 0
    gas_used: int = 0
    fee_wei: int = 0


@dataclass(frozen=True, kw_only=True)
class CountersRead(Event):
    """The coordinator's own figures for this peer, read back from it.

    round_cost_wei: what a round's transactions cost now; 0 with balance_wei where others pay.
    counted_reward, counted_votes: what of this node's ledger was confirmed at that moment.
    """

    participation: int
    wins: int
    total_reward: int
    balance_wei: int = 0
    round_cost_wei: int = 0
    swarm: str = ""
    peer_id: str = ""
    counted_reward: int = 0
    counted_votes: int = 0


@dataclass(frozen=True, kw_only=True)
class RewardsCounted(Event):
    """What the ledger adds up to for this peer in this swarm, and what stands in its way.

    trained: rounds; reward: what they earned; waiting, waiting_reward: of these, not handed to the
    outbox yet, which happens at next_submission (Unix seconds) if not before. rewards, votes:
    submissions by status; value: rewards by status. elsewhere: made by another machine.
    next_try: of the next attempt at what is due. obstacle, why, next_step, code: why nothing is
    sent, since obstacle_since; empty when nothing stands in the way. owner: the account that the
    coordinator has for this peer, "" for none.
    """

    swarm: str = ""
    peer_id: str = ""
    account: str = ""
    owner: str = ""
    coordinator: str = ""
    policy: str = ""
    trained: int = 0
    reward: int = 0
    waiting: int = 0
    waiting_reward: int = 0
    rewards: dict[str, int] = field(default_factory=dict)
    votes: dict[str, int] = field(default_factory=dict)
    value: dict[str, int] = field(default_factory=dict)
    elsewhere: int = 0
    gas_used: int = 0
    fee_wei: int = 0
    next_try: float | None = None
    next_submission: float | None = None
    obstacle: str = ""
    why: str = ""
    next_step: str = ""
    code: str = ""
    obstacle_since: float = 0.0


# --- the journal ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class HistoryThinned(Event):
    """Old rows left the journal; what they counted, so that totals stay true.

    counts: `rounds`, submissions as `KIND/confirmed` and `KIND/failed`, and `admitted` and
    `groups/REASON` of `core.fold_swarm`. peers: as they were known then. Cumulative: the newest
    one includes those before it.
    """

    counts: dict[str, int] = field(default_factory=dict)
    peers: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class RoundsMerged(Event):
    """Old rounds of the journal in one row: from `first` to `last`, `rounds` of them finished.

    values: by name of the series, [numbers, gaps, min, max, mean] over these rounds. How it is
    made: `core.merged_rounds`. `HistoryThinned` counts the rounds.
    """

    first: int
    last: int
    rounds: int
    values: dict[str, list[float]] = field(default_factory=dict)


# --- codec ------------------------------------------------------------------------------------


def to_dict(event: Event) -> dict[str, Any]:
    """`{"event": NAME, "time": ..., "round": ..., ...}`: the line of `run --json`."""
    head = {"event": event.NAME, "time": event.time, "round": event.round}
    return {**head, **{k: v for k, v in dataclasses.asdict(event).items() if k not in head}}


def to_json(event: Event) -> str:
    """`to_dict` as one line of strict JSON. A number that is not finite becomes null."""
    try:
        return json.dumps(to_dict(event), allow_nan=False, default=str)
    except ValueError:
        return json.dumps(_finite(to_dict(event)), allow_nan=False, default=str)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def from_dict(data: dict[str, Any]) -> Event | None:
    """The inverse of `to_dict`. None for an unknown event or one whose fields do not fit their
    types.

    Unknown fields are ignored, so that a journal written by a newer Waggle can be read.
    """
    cls = EVENT_TYPES.get(str(data.get("event")))
    if cls is None:
        return None
    kinds = _field_types(cls.NAME)
    known = {name: value for name, value in data.items() if name in kinds}
    if not all(isinstance(value, kinds[name]) for name, value in known.items()):
        return None
    try:
        return cls(**known)
    except TypeError:
        return None  # a field without a default is missing


@cache
def _field_types(name: str) -> dict[str, tuple[type, ...]]:
    """The types that each field of the named event may have once it went through JSON."""
    cls = EVENT_TYPES[name]
    hints = get_type_hints(cls)
    out = {}
    for spec in dataclasses.fields(cls):
        members = get_args(hints[spec.name]) if _is_union(hints[spec.name]) else (hints[spec.name],)
        kinds = {get_origin(member) or member for member in members}
        out[spec.name] = tuple(kinds | {int} if float in kinds else kinds)
    return out


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, UnionType)


class EventBus:
    """Fans events out to bounded deques, one per subscriber; never blocks on a reader."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rings: list[Subscription] = []

    def subscribe(self, maxlen: int = 20_000) -> Subscription:
        ring = Subscription(maxlen)
        with self._lock:
            self._rings.append(ring)
        return ring

    def emit(self, event: Event) -> None:
        for ring in self._rings:
            ring.put(event)


class Subscription:
    """A bounded deque of events with one reader. `dropped` counts what did not fit."""

    def __init__(self, maxlen: int) -> None:
        self._events: deque[Event] = deque()
        self._maxlen = maxlen
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self.dropped = 0

    def put(self, event: Event) -> None:
        with self._lock:
            if len(self._events) >= self._maxlen:
                self._make_room()
            self._events.append(event)
        self._ready.set()

    def _make_room(self) -> None:
        self.dropped += 1
        for position, old in enumerate(self._events):
            if old.METRIC:
                del self._events[position]
                return
        self._events.popleft()

    def drain(self, limit: int | None = None) -> list[Event]:
        """Up to `limit` events, oldest first; empty when there is nothing new."""
        with self._lock:
            n = len(self._events) if limit is None else min(limit, len(self._events))
            out = [self._events.popleft() for _ in range(n)]
            if not self._events:
                self._ready.clear()
        return out

    def wait(self, timeout_s: float) -> bool:
        """Block until something is there, at most `timeout_s`."""
        return self._ready.wait(timeout_s)
