"""The peers screen's views: everybody of the leaderboard and everybody met, in one order. Pure.

The state holds the first hundred ranks; the ranks behind them come from the leaderboard's file,
which somebody else reads. What changes by the second (when a peer was seen, what was refused) is
looked up when a row is drawn, so that ten thousand rows need no new table for one peer's news.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from core.gate.quarantine import account, owner
from core.net.names import animal_name
from core.state import Leaderboard, NodeState, Peer, Quarantine
from core.swarm.leaderboard import Board, Entry, Leader


class PeerRow(NamedTuple):
    """One line. account: the name under which `NodeState.peers` and `quarantine` have it; entry:
    its counters at the coordinator, None when it has none; text: what a search looks in."""

    account: str
    peer_id: str
    name: str
    signed: bool
    rank: int | None
    entry: Entry | None
    text: str


@dataclass(frozen=True)
class Order:
    """Which rows, and in which order. find: a part of a name or of a peer id."""

    column: str = "rank"
    falling: bool = False
    find: str = ""


def ranked(entries: Iterable[Entry]) -> tuple[Leader, ...]:
    """Entries of the file as leaders, best first; without their history, which no row shows and
    which takes ten times the room of all else."""
    bare = [replace(entry, history=()) for entry in entries]
    best_first = Board(bare).ranked()
    return tuple(
        Leader(rank, animal_name(entry.peer_id), entry) for rank, entry in enumerate(best_first, 1)
    )


def roster(
    kept: Sequence[Leader], board: Leaderboard | None, peers: Iterable[str], me: str
) -> tuple[PeerRow, ...]:
    """Everybody, by rank, and behind them those without one as they were met.

    kept: the leaderboard of the file, older than `board`, which knows the first ranks and this
    node's. peers: accounts that were met.
    """
    fresh = {} if board is None else {each.entry.peer_id: each for each in board.leaders}
    mine = None if board is None else board.me
    leaders = list(fresh.values())
    if board is not None:
        own = mine.entry.peer_id if mine is not None else ""
        rest = [each for each in kept if each.entry.peer_id not in fresh]
        rest = [each for each in rest if each.entry.peer_id != own]
        if mine is not None and own not in fresh:
            rest.insert(min(len(rest), max(0, mine.rank - 1 - len(leaders))), mine)
        first = len(leaders) + 1
        leaders += [Leader(n, each.name, each.entry) for n, each in enumerate(rest, first)]
    rows = [_row(each.entry.peer_id, True, each) for each in leaders]
    known = {row.account for row in rows}
    if me and me not in known:
        rows.append(_row(me, True, None))
        known.add(me)
    rows += [_row(*owner(name), None) for name in peers if name not in known]
    return tuple(rows)


def _row(peer_id: str, signed: bool, leader: Leader | None) -> PeerRow:
    name = animal_name(peer_id) if leader is None else leader.name
    return PeerRow(
        account(peer_id, signed),
        peer_id,
        name,
        signed,
        None if leader is None else leader.rank,
        None if leader is None else leader.entry,
        f"{name} {peer_id}".lower(),
    )


# --- order ------------------------------------------------------------------------------------

Value = Callable[[PeerRow, NodeState], Any]


def _counter(name: str) -> Value:
    return lambda row, state: None if row.entry is None else getattr(row.entry, name)


def _met(value: Callable[[Peer], Any]) -> Value:
    def of(row: PeerRow, state: NodeState) -> Any:
        peer = state.peers.get(row.account)
        return None if peer is None else value(peer)

    return of


SORTS: Mapping[str, Value] = {
    "rank": lambda row, state: row.rank,
    "name": lambda row, state: row.name.lower(),
    "reward": _counter("total_reward"),
    "last": _counter("last_reward"),
    "votes": _counter("participation"),
    "wins": _counter("wins"),
    "round": _counter("round"),
    "seen": _met(lambda peer: -peer.last_seen),
    "ms": _met(lambda peer: peer.latency_ms),
    "used": _met(lambda peer: peer.used),
    "refused": _met(lambda peer: peer.rejected),
    "id": lambda row, state: row.peer_id,
}
"""What each column is sorted by. seen: how long ago, so the newest is the smallest."""


def arranged(rows: Sequence[PeerRow], order: Order, state: NodeState) -> tuple[PeerRow, ...]:
    """Those that match, in order; rows without a value come last, whichever way it goes."""
    found = rows
    if wanted := " ".join(order.find.replace("_", " ").lower().split()):
        found = [row for row in rows if wanted in row.text]
    value = SORTS[order.column]
    having: list[tuple[Any, PeerRow]] = []
    without: list[tuple[Any, PeerRow]] = []
    for row in found:
        worth = value(row, state)
        (without if worth is None else having).append((worth, row))
    having.sort(key=lambda pair: pair[0], reverse=order.falling)
    return tuple(row for _, row in (*having, *without))


# --- the other sections -----------------------------------------------------------------------


@dataclass(frozen=True)
class HeldRow:
    """A peer that is left alone. left_s: seconds until its release, in steps of five."""

    account: str
    held: Quarantine
    left_s: int


def held(state: NodeState, now: float) -> tuple[HeldRow, ...]:
    """Those left alone now, who stays longest first."""
    rows = [
        HeldRow(name, each, max(0, int(each.until - now)) // 5 * 5)
        for name, each in state.quarantine.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.held.until, row.account)))


@dataclass(frozen=True)
class HeadView:
    """The line above. shown: rows that match; total: peers of the leaderboard, or None."""

    total: int | None
    met: int
    shown: int
    find: str
    column: str
    falling: bool
    behind: int = 0
    missing: int = 0
    """Ranks that are not in the file yet."""
    problem: str = ""


def head(
    state: NodeState, rows: Sequence[PeerRow], shown: int, order: Order, problem: str
) -> HeadView:
    board = state.leaderboard
    many = sum(row.rank is not None for row in rows)
    own = state.node.peer_id if state.node is not None else ""
    return HeadView(
        total=None if board is None else board.total,
        met=len(state.peers) - (own in state.peers),
        shown=shown,
        find=order.find,
        column=order.column,
        falling=order.falling,
        behind=0 if board is None else board.behind,
        missing=0 if board is None else max(0, board.total - many),
        problem=problem,
    )
