"""The fold's part about others: peers, quarantine, leaderboard, gossip. Pure; see `core.fold`.

Peers are kept by the name of their account (`core.gate.quarantine.account`), so that what somebody
sends unsigned in a peer's name never shows as that peer's doing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from core import events
from core.bounded import MAX_KEY, cut, put
from core.gate import quarantine
from core.state import Leaderboard, NodeState, Peer, Quarantine
from core.swarm import gossip, leaderboard
from core.swarm.leaderboard import Leader

MAX_PEERS = 2000
MAX_LEADERS = 100
MAX_REASONS = 32
"""Reject reasons kept, in all and of one peer."""
MAX_DETAIL = 200
MAX_GROUPS = 1_000_000
"""Of one contribution; what an old journal may say beyond that is nonsense."""


def _account(peer_id: str, signed: bool) -> str:
    return quarantine.account(peer_id[: MAX_KEY - len(quarantine.UNSIGNED)], signed)


def _known(state: NodeState, peer_id: str, signed: bool, now: float) -> tuple[str, Peer]:
    name = _account(peer_id, signed)
    old = state.peers.get(name)
    return name, old or Peer(peer_id[:MAX_KEY], first_seen=now, signed=signed)


def _peer_seen(state: NodeState, event: events.PeerSeen) -> NodeState:
    account, old = _known(state, event.peer_id, event.signed, event.time)
    used = min(max(0, event.used), MAX_GROUPS)
    mean = old.reward_mean
    if event.reward_mean is not None and used:
        # The mean over all groups that were ever admitted: a good round does not hide the others.
        mean = ((mean or 0.0) * old.used + event.reward_mean * used) / (old.used + used)
    peer = replace(
        old,
        name=cut(event.name, 120) or old.name,
        last_seen=event.time,
        last_round=event.round if event.round is not None else old.last_round,
        reward_mean=mean,
        claimed_mean=old.claimed_mean if event.claimed is None else event.claimed,
        groups=old.groups + min(max(0, event.groups), MAX_GROUPS),
        used=old.used + used,
        last_admitted=event.time if used else old.last_admitted,
        latency_ms=old.latency_ms if event.latency_ms is None else event.latency_ms,
    )
    return replace(state, peers=put(state.peers, account, peer, MAX_PEERS))


def _group_admitted(state: NodeState, event: events.GroupAdmitted) -> NodeState:
    return replace(state, admitted=state.admitted + 1)


def _group_rejected(state: NodeState, event: events.GroupRejected) -> NodeState:
    reason = cut(event.reason, 40)
    counts = put(state.rejected, reason, state.rejected.get(reason, 0) + 1, MAX_REASONS)
    account, old = _known(state, event.peer_id, event.signed, event.time)
    peer = replace(
        old,
        last_seen=max(old.last_seen, event.time),
        reasons=put(old.reasons, reason, old.reasons.get(reason, 0) + 1, MAX_REASONS),
        details=put(old.details, reason, cut(event.detail, MAX_DETAIL), MAX_REASONS),
        last_rejected=event.time,
    )
    peers = put(state.peers, account, peer, MAX_PEERS)
    return replace(state, rejected=counts, peers=peers)


def _peer_quarantined(state: NodeState, event: events.PeerQuarantined) -> NodeState:
    row = Quarantine(
        event.peer_id[:MAX_KEY],
        cut(event.name, 120),
        cut(event.reason, 40),
        event.time,
        event.until,
        event.times,
        event.signed,
    )
    account = _account(event.peer_id, event.signed)
    return replace(state, quarantine=put(state.quarantine, account, row, MAX_PEERS))


def _peer_released(state: NodeState, event: events.PeerReleased) -> NodeState:
    account = _account(event.peer_id, event.signed)
    return replace(state, quarantine={k: v for k, v in state.quarantine.items() if k != account})


def _leaderboard_read(state: NodeState, event: events.LeaderboardRead) -> NodeState:
    """A row that makes no sense is left out; an old journal may hold anything."""
    leaders = [leader for row in event.leaders[:MAX_LEADERS] if (leader := _leader(row))]
    board = Leaderboard(
        tuple(leaders), _leader(event.me), event.total, event.block, event.behind, event.time
    )
    return replace(state, leaderboard=board)


def _leader(row: Any) -> Leader | None:
    try:
        return leaderboard.from_row(row)
    except ValueError:
        return None


def _gossip_heard(state: NodeState, event: events.GossipHeard) -> NodeState:
    return replace(state, gossip=gossip.hear(state.gossip, event))


# --- a history that was thinned ---------------------------------------------------------------


def summary(state: NodeState) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """What `thinned` brings back: counts over all peers, and the peers as JSON."""
    counts = {f"groups/{reason}": number for reason, number in state.rejected.items()}
    return {**counts, "admitted": state.admitted}, [asdict(peer) for peer in state.peers.values()]


def thinned(state: NodeState, event: events.HistoryThinned) -> NodeState:
    """The state with the peers and counts of rows that left the journal."""
    rejected: dict[str, int] = {}
    for name, count in event.counts.items():
        kind, _, reason = str(name).partition("/")
        if kind == "groups" and reason and type(count) is int and len(rejected) < MAX_REASONS:
            rejected[cut(reason, 40)] = count
    admitted = event.counts.get("admitted", 0)
    peers = {}
    for row in event.peers[:MAX_PEERS]:
        if (peer := _peer(row)) is not None:
            peers[_account(peer.peer_id, peer.signed)] = peer
    return replace(
        state,
        peers=peers,
        rejected=rejected,
        admitted=admitted if type(admitted) is int else 0,
    )


_PEER_FIELDS = {spec.name: spec.default for spec in fields(Peer)}


def _peer(row: Any) -> Peer | None:
    """A peer from its JSON; None when it is none of this version."""
    if not isinstance(row, dict) or not set(row) <= set(_PEER_FIELDS):
        return None
    texts = [row.get("peer_id"), row.get("name", "")]
    maps = [row.get("reasons", {}), row.get("details", {})]
    numbers = [row.get(key, 0) for key in ("groups", "used")]
    others = [v for k, v in row.items() if k not in ("peer_id", "name", "reasons", "details")]
    sound = (
        all(isinstance(text, str) and len(text) <= MAX_KEY for text in texts)
        and all(isinstance(each, dict) and len(each) <= MAX_REASONS for each in maps)
        and all(type(count) is int for count in [*numbers, *maps[0].values()])
        and all(isinstance(text, str) and len(text) <= MAX_DETAIL for text in maps[1].values())
        and all(value is None or isinstance(value, (int, float)) for value in others)
    )
    return Peer(**row) if sound else None


HANDLERS: Mapping[type[events.Event], Callable[[NodeState, Any], NodeState]] = {
    events.PeerSeen: _peer_seen,
    events.GroupAdmitted: _group_admitted,
    events.GroupRejected: _group_rejected,
    events.PeerQuarantined: _peer_quarantined,
    events.PeerReleased: _peer_released,
    events.LeaderboardRead: _leaderboard_read,
    events.GossipHeard: _gossip_heard,
}
