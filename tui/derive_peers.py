"""The peers screen's views: everybody of the leaderboard and everybody met, in one order. Pure.

The state holds the first hundred ranks; the ranks behind them come from the leaderboard's file,
which somebody else reads. What changes by the second (when a peer was seen, what was refused) is
looked up when a row is drawn, so that ten thousand rows need no new table for one peer's news.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from core.gate.fates import sorted_out
from core.gate.quarantine import account, owner
from core.net.names import animal_name
from core.state import Leaderboard, NodeState, Peer, Quarantine
from core.swarm.leaderboard import Board, Entry, Leader
from tui.text import whole


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
    kept: Sequence[Leader],
    board: Leaderboard | None,
    peers: Iterable[str],
    me: str,
    before: Mapping[str, PeerRow] | None = None,
) -> tuple[PeerRow, ...]:
    """Everybody, by rank, and behind them those without one as they were met.

    kept: the leaderboard of the file, older than `board`, which knows the first ranks and this
    node's. peers: accounts that were met. before: the rows of last time by account; those that say
    the same are taken over, since ten thousand new ones would keep the collector busy.
    """
    old, leaders = before or {}, () if board is None else board.leaders
    mine = None if board is None else board.me
    fresh = {each.entry.peer_id for each in leaders}
    rows = [_row(each.rank, each, old) for each in leaders]
    if mine is not None and mine.entry.peer_id not in fresh:
        fresh.add(mine.entry.peer_id)
    else:
        mine = None
    for each in kept if board is not None else ():
        if mine is not None and len(rows) + 1 >= mine.rank:
            rows.append(_row(len(rows) + 1, mine, old))
            mine = None
        if each.entry.peer_id not in fresh:
            rows.append(_row(len(rows) + 1, each, old))
    if mine is not None:  # the ranks between are not saved yet
        rows.append(_row(mine.rank, mine, old))
    known = {row.account for row in rows}
    others = [name for name in (me, *peers) if name and name not in known]
    rows += [_unranked(name, old) for name in dict.fromkeys(others)]
    return tuple(rows)


def _row(rank: int, leader: Leader, old: Mapping[str, PeerRow]) -> PeerRow:
    found, entry = old.get(leader.entry.peer_id), leader.entry
    if found is not None and found.rank == rank and found.entry is entry:
        return found
    return _made(entry.peer_id, True, rank, entry)


def _unranked(name: str, old: Mapping[str, PeerRow]) -> PeerRow:
    found = old.get(name)
    return found if found is not None and found.rank is None else _made(*owner(name), None, None)


def _made(peer_id: str, signed: bool, rank: int | None, entry: Entry | None) -> PeerRow:
    name = animal_name(peer_id)
    text = f"{name} {peer_id}".lower()
    return PeerRow(account(peer_id, signed), peer_id, name, signed, rank, entry, text)


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
    "refused": _met(lambda peer: peer.fates.refused),
    "spare": _met(lambda peer: peer.fates.spare),
    "missed": _met(lambda peer: peer.fates.missed),
    "id": lambda row, state: row.peer_id,
}
"""What each column is sorted by. seen: how long ago, so the newest is the smallest."""


def arranged(rows: Sequence[PeerRow], order: Order, state: NodeState) -> tuple[PeerRow, ...]:
    """Those that match, in order; rows without a value come last, whichever way it goes."""
    found = rows
    if wanted := " ".join(order.find.replace("_", " ").lower().split()):
        found = [row for row in rows if wanted in row.text]
    value = SORTS[order.column]
    # Numbers are sorted, not pairs: ten thousand tuples would wake the collector at every key.
    worth = [value(row, state) for row in found]
    having = [n for n, each in enumerate(worth) if each is not None]
    having.sort(key=worth.__getitem__, reverse=order.falling)
    without = [n for n, each in enumerate(worth) if each is None]
    return tuple(found[n] for n in (*having, *without))


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
        HeldRow(name, each, whole(each.until - now) // 5 * 5)
        for name, each in state.quarantine.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.held.until, row.account)))


def left_out(state: NodeState) -> tuple[tuple[str, tuple[tuple[str, int], ...]], ...]:
    """Rejections of all peers by fate: (fate, ((reason, count), ...)), gravest first."""
    return tuple((name, tuple(found)) for name, found in sorted_out(state.rejected).items())


@dataclass(frozen=True)
class HeadView:
    """The line above. peers: everybody known; ranked: those with a rank, None before the
    leaderboard was read; met: those of whom something came; shown: rows that match."""

    peers: int
    ranked: int | None
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
    missing = 0 if board is None else max(0, board.total - many)
    return HeadView(
        peers=len(rows) + missing,
        ranked=None if board is None else board.total,
        met=len(state.peers) - (own in state.peers),
        shown=shown,
        find=order.find,
        column=order.column,
        falling=order.falling,
        behind=0 if board is None else board.behind,
        missing=missing,
        problem=problem,
    )
