"""Rounds as a report shows them: each with the reward that carries it and its vote; a page."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from core.chain import ledger_reads as reads
from core.chain.ledger_rows import LedgerRow, OutboxRow

MAX_PAGE = 10_000
TROUBLED = "(status = 'failed' OR (status IN ('pending', 'sent') AND error != ''))"


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
    db: sqlite3.Connection, swarm: str, peer_id: str, limit: int, failed: bool = False
) -> list[Round]:
    """The newest rounds, newest first. failed: of those with a submission in trouble only."""
    where = "swarm = ? AND peer_id = ?"
    values: tuple[str, ...] = (swarm, peer_id)
    if failed:
        where += (
            f" AND (submission IN (SELECT id FROM outbox WHERE {where} AND {TROUBLED})"
            f" OR round IN (SELECT round FROM outbox WHERE {where} AND kind = 'winner'"
            f" AND {TROUBLED}))"
        )
        values *= 3
    order = "ORDER BY round DESC, stage DESC LIMIT ?"
    rows = reads.ledger(db, f"{where} {order}", (*values, min(limit, MAX_PAGE)))
    return [_round(db, row) for row in rows]


def one(db: sqlite3.Connection, swarm: str, peer_id: str, number: int) -> list[Round]:
    """The stages of one round; empty when it was not trained here, or is pruned."""
    where = "swarm = ? AND peer_id = ? AND round = ? ORDER BY stage"
    return [_round(db, row) for row in reads.ledger(db, where, (swarm, peer_id, number))]


def registration(db: sqlite3.Connection, swarm: str, peer_id: str) -> OutboxRow | None:
    where = "swarm = ? AND peer_id = ? AND kind = 'register'"
    found = reads.outbox(db, where, (swarm, peer_id))
    return found[0] if found else None


def still_open(db: sqlite3.Connection, swarm: str, peer_id: str, limit: int) -> list[OutboxRow]:
    return reads.due(db, swarm, peer_id, None, limit)


def _round(db: sqlite3.Connection, row: LedgerRow) -> Round:
    carried = reads.outbox(db, "id = ?", (row.submission,)) if row.submission is not None else []
    votes = reads.outbox(
        db,
        "swarm = ? AND peer_id = ? AND kind = 'winner' AND round = ? AND stage = ?",
        (row.swarm, row.peer_id, row.round, row.stage),
    )
    return Round(row, carried[0] if carried else None, votes[0] if votes else None)
