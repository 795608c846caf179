"""Keeps the ledger small for ever: old rounds that are settled go, what they added up to stays.

A node of four-second rounds would otherwise write a gigabyte in two months. Nothing that is still
to be sent, or that a round which stays is carried by, ever goes.
"""

from __future__ import annotations

import sqlite3

from core.chain import ledger_reads as reads

KEEP_ROUNDS = 20_000
EVERY_ROUNDS = 512
"""Looked at after so many recorded rounds."""


def prune(db: sqlite3.Connection, swarm: str, peer_id: str, keep_rounds: int) -> int:
    """Within the caller's transaction; how many rounds went."""
    mine = (swarm, peer_id)
    border = db.execute(
        "SELECT round FROM ledger WHERE swarm = ? AND peer_id = ?"
        " ORDER BY round DESC LIMIT 1 OFFSET ?",
        (*mine, keep_rounds),
    ).fetchone()
    if border is None:
        return 0
    old = (*mine, border[0])
    settled = "status IN ('credited', 'failed')"
    gone = (
        "swarm = ? AND peer_id = ? AND round <= ? AND submission IN"
        f" (SELECT id FROM outbox WHERE outbox.swarm = ledger.swarm AND {settled})"
    )
    rounds, points, bonus = db.execute(
        "SELECT COUNT(*), COALESCE(SUM(reward), 0), COALESCE(SUM(bonus), 0) FROM ledger"
        f" WHERE {gone}",
        old,
    ).fetchone()
    db.execute(f"DELETE FROM ledger WHERE {gone}", old)
    finished = (
        f"round <= ? AND kind != 'register' AND {settled}"
        " AND NOT EXISTS (SELECT 1 FROM ledger WHERE submission = outbox.id)"
    )
    added = reads.sums_of(db, finished, old)
    db.execute(f"DELETE FROM outbox WHERE swarm = ? AND peer_id = ? AND {finished}", old)
    added |= {"rounds": rounds, "points": points, "bonus": bonus}
    before = reads.sums(db, swarm, peer_id)
    after = {name: before.get(name, 0) + amount for name, amount in added.items()}
    after["pruned_round"] = max(before.get("pruned_round", -1), border[0])
    db.executemany(
        "INSERT OR REPLACE INTO ledger_sums VALUES (?, ?, ?, ?)",
        [(*mine, name, str(amount)) for name, amount in after.items()],
    )
    return int(rounds)
