"""Rounds as a report shows them: each with the reward that carries it and its vote; a page."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from core.chain import ledger_reads as reads
from core.chain.ledger_rows import LedgerRow, OutboxRow

MAX_PAGE = 10_000
NEWEST_FIRST = "ORDER BY round DESC, stage DESC"
TROUBLED = ("status = 'failed'", "status IN ('pending', 'sent') AND error != ''")


@dataclass(frozen=True)
class Round:
    """A trained round. reward: the submission that carries it, None while it waits for one. vote:
    for the winners of this round, None where there was none."""

    row: LedgerRow
    reward: OutboxRow | None
    vote: OutboxRow | None

    @property
    def status(self) -> str:
        return self.reward.status if self.reward is not None else "waiting"


def newest(
    db: sqlite3.Connection,
    swarm: str,
    peer_id: str,
    limit: int,
    failed: bool = False,
    offset: int = 0,
) -> list[Round]:
    """The newest rounds, newest first. failed: of those with a submission in trouble only.

    offset: so many rounds are left out at the front.
    """
    where, values = _of(swarm, peer_id, failed)
    page = (min(limit, MAX_PAGE), offset)
    # The keys alone are counted off: whole rows would be read from the file only to be dropped.
    keys = f"SELECT rowid FROM ledger WHERE {where} {NEWEST_FIRST} LIMIT ? OFFSET ?"
    rows = reads.ledger(db, f"rowid IN ({keys}) {NEWEST_FIRST}", (*values, *page))
    return _rounds(db, rows)


def count(db: sqlite3.Connection, swarm: str, peer_id: str, failed: bool = False) -> int:
    """How many rounds `newest` can give."""
    where, values = _of(swarm, peer_id, failed)
    return int(db.execute(f"SELECT COUNT(*) FROM ledger WHERE {where}", values).fetchone()[0])


def place(
    db: sqlite3.Connection, swarm: str, peer_id: str, round: int, stage: int, failed: bool = False
) -> int:
    """The offset of the first round in `newest` that is not newer than this one."""
    where, values = _of(swarm, peer_id, failed)
    found = db.execute(
        f"SELECT COUNT(*) FROM ledger WHERE {where} AND (round, stage) > (?, ?)",
        (*values, round, stage),
    )
    return int(found.fetchone()[0])


def _of(swarm: str, peer_id: str, failed: bool) -> tuple[str, tuple[str, ...]]:
    """Condition and its values. Failed rounds are few, and found through the few submissions in
    trouble: a plus keeps SQLite from an index that would lead it through all others."""
    mine = "swarm = ? AND peer_id = ?"
    if not failed:
        return mine, (swarm, peer_id)
    outbox = " UNION ALL ".join(
        f"SELECT {{0}} FROM outbox WHERE {mine} AND {trouble}{{1}}" for trouble in TROUBLED
    )
    votes = outbox.format("round", " AND +kind = 'winner'")
    where = (
        f"+swarm = ? AND +peer_id = ? AND rowid IN (SELECT rowid FROM ledger WHERE submission IN"
        f" ({outbox.format('id', '')}) UNION SELECT rowid FROM ledger WHERE {mine} AND round IN"
        f" ({votes}))"
    )
    return where, (swarm, peer_id) * 6


def one(db: sqlite3.Connection, swarm: str, peer_id: str, number: int) -> list[Round]:
    """The stages of one round; empty when it was not trained here, or is pruned."""
    where = "swarm = ? AND peer_id = ? AND round = ? ORDER BY stage"
    return _rounds(db, reads.ledger(db, where, (swarm, peer_id, number)))


def registration(db: sqlite3.Connection, swarm: str, peer_id: str) -> OutboxRow | None:
    where = "swarm = ? AND peer_id = ? AND kind = 'register'"
    found = reads.outbox(db, where, (swarm, peer_id))
    return found[0] if found else None


def still_open(db: sqlite3.Connection, swarm: str, peer_id: str, limit: int) -> list[OutboxRow]:
    return reads.due(db, swarm, peer_id, None, limit)


def _rounds(db: sqlite3.Connection, rows: list[LedgerRow]) -> list[Round]:
    """Rounds of one peer in one swarm, with their submissions: two questions, not two a row."""
    if not rows:
        return []
    carriers = {row.submission for row in rows if row.submission is not None}
    carried = {row.id: row for row in _those(db, "id", carriers, "1", ())}
    mine = (rows[0].swarm, rows[0].peer_id)
    where = "swarm = ? AND peer_id = ? AND kind = 'winner'"
    found = _those(db, "round", {row.round for row in rows}, where, mine)
    votes = {(row.round, row.stage): row for row in found}
    return [
        Round(
            row,
            None if row.submission is None else carried.get(row.submission),
            votes.get((row.round, row.stage)),
        )
        for row in rows
    ]


def _those(
    db: sqlite3.Connection, column: str, among: set[int], where: str, values: tuple[str, ...]
) -> list[OutboxRow]:
    marks = ",".join("?" * len(among))
    return reads.outbox(db, f"{where} AND {column} IN ({marks})", (*values, *sorted(among)))
