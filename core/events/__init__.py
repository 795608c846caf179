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

from core.events.base import EVENT_TYPES, Event, from_dict, to_dict, to_json
from core.events.bus import EventBus, Subscription
from core.events.history import HistoryThinned, RoundsMerged
from core.events.life import (
    IdentityBackedUp,
    Incident,
    LogLine,
    MachineRead,
    ModelLoaded,
    NetChanged,
    NodeStarted,
    NodeStopped,
    Paused,
    Resumed,
    ServiceChanged,
)
from core.events.rewards import CountersRead, RewardsCounted, SubmissionChanged
from core.events.rounds import (
    CheckpointSaved,
    Evaluated,
    GroupAdmitted,
    GroupRejected,
    GroupsSampled,
    PhaseChanged,
    PhaseProgress,
    RolloutShown,
    RoundFinished,
    RoundStarted,
    StepSkipped,
    StepTrained,
)
from core.events.swarm import (
    ClockMoved,
    GossipHeard,
    LeaderboardRead,
    PeerQuarantined,
    PeerReleased,
    PeerSeen,
)

__all__ = [
    "EVENT_TYPES",
    "CheckpointSaved",
    "ClockMoved",
    "CountersRead",
    "Evaluated",
    "Event",
    "EventBus",
    "GossipHeard",
    "GroupAdmitted",
    "GroupRejected",
    "GroupsSampled",
    "HistoryThinned",
    "IdentityBackedUp",
    "Incident",
    "LeaderboardRead",
    "LogLine",
    "MachineRead",
    "ModelLoaded",
    "NetChanged",
    "NodeStarted",
    "NodeStopped",
    "Paused",
    "PeerQuarantined",
    "PeerReleased",
    "PeerSeen",
    "PhaseChanged",
    "PhaseProgress",
    "Resumed",
    "RewardsCounted",
    "RolloutShown",
    "RoundFinished",
    "RoundStarted",
    "RoundsMerged",
    "ServiceChanged",
    "StepSkipped",
    "StepTrained",
    "SubmissionChanged",
    "Subscription",
    "from_dict",
    "to_dict",
    "to_json",
]
