"""The tables of the ledger in `node.db`, and how files of earlier versions get to them.

`ledger` holds a row for each trained round, `outbox` one for each submission, `ledger_sums` what
pruned rows added up to, `outbox_line` why the sender waits and until when, `swarm_origin` the first
block of each swarm's chain. The file is shared with
the journal; nothing else here is known of it.
"""

from __future__ import annotations

import sqlite3

_TABLES = (
    """CREATE TABLE IF NOT EXISTS ledger (
    swarm TEXT NOT NULL, peer_id TEXT NOT NULL, round INTEGER NOT NULL, stage INTEGER NOT NULL,
    reward INTEGER NOT NULL, reward_mean REAL NOT NULL, winners TEXT NOT NULL, time REAL NOT NULL,
    PRIMARY KEY (swarm, peer_id, round, stage))""",
    """CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    swarm TEXT NOT NULL, peer_id TEXT NOT NULL, kind TEXT NOT NULL,
    round INTEGER NOT NULL, stage INTEGER NOT NULL, value TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'pending', tx_hash TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '', code TEXT NOT NULL DEFAULT '',
    attempts INTEGER NOT NULL DEFAULT 0, created REAL NOT NULL, updated REAL NOT NULL,
    UNIQUE (swarm, peer_id, kind, round, stage))""",
    """CREATE TABLE IF NOT EXISTS ledger_sums (
    swarm TEXT NOT NULL, peer_id TEXT NOT NULL, name TEXT NOT NULL, amount TEXT NOT NULL,
    PRIMARY KEY (swarm, peer_id, name))""",
    """CREATE TABLE IF NOT EXISTS swarm_origin (
    swarm TEXT PRIMARY KEY, first_block TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS outbox_line (
    peer_id TEXT PRIMARY KEY, since REAL NOT NULL, next_try REAL NOT NULL,
    failures INTEGER NOT NULL, code TEXT NOT NULL, what TEXT NOT NULL, why TEXT NOT NULL,
    next_step TEXT NOT NULL)""",
)
_LATER = {
    "ledger": {"bonus": "INTEGER NOT NULL DEFAULT 0", "submission": "INTEGER"},
    "outbox": {
        "hashes": "TEXT NOT NULL DEFAULT ''",
        "failures": "INTEGER NOT NULL DEFAULT 0",
        "next_try": "REAL NOT NULL DEFAULT 0",
        "block": "INTEGER NOT NULL DEFAULT 0",
        "gas_used": "INTEGER NOT NULL DEFAULT 0",
        "fee_wei": "INTEGER NOT NULL DEFAULT 0",
    },
}
"""Columns that the first version of the tables did not have."""

_INDEXES = (
    # Each serves one question that is asked every few seconds, whatever has piled up.
    "CREATE INDEX IF NOT EXISTS ledger_waiting ON ledger (swarm, peer_id, round)"
    " WHERE submission IS NULL",
    "CREATE INDEX IF NOT EXISTS ledger_submission ON ledger (submission)",
    "CREATE INDEX IF NOT EXISTS outbox_due ON outbox (swarm, peer_id, id)"
    " WHERE status IN ('pending', 'sent')",
    "CREATE INDEX IF NOT EXISTS outbox_next_try ON outbox (swarm, peer_id, next_try)"
    " WHERE status IN ('pending', 'sent')",
    "CREATE INDEX IF NOT EXISTS outbox_newest ON outbox (swarm, peer_id, kind, round)"
    " WHERE status IN ('pending', 'sent')",
    "CREATE INDEX IF NOT EXISTS outbox_confirmed ON outbox (swarm, peer_id, id)"
    " WHERE status = 'confirmed'",
    "CREATE INDEX IF NOT EXISTS outbox_failed ON outbox (swarm, peer_id, id)"
    " WHERE status = 'failed'",
    "CREATE INDEX IF NOT EXISTS outbox_credited ON outbox (swarm, peer_id, block, id)"
    " WHERE status = 'credited'",
    "DROP INDEX IF EXISTS outbox_open",
)


def prepare(db: sqlite3.Connection) -> None:
    """Make the tables, or bring those of an earlier version up to date, keeping every row.

    In one transaction: a crash in between leaves the file as it was.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        for table in _TABLES:
            db.execute(table)
        fresh = {table: _add_columns(db, table) for table in _LATER}
        if fresh["ledger"]:
            _name_submissions(db)
        if fresh["outbox"]:
            _take_over_outbox(db)
        for index in _INDEXES:
            db.execute(index)
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _add_columns(db: sqlite3.Connection, table: str) -> bool:
    known = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
    missing = {name: kind for name, kind in _LATER[table].items() if name not in known}
    for name, kind in missing.items():
        db.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")
    return bool(missing)


def _name_submissions(db: sqlite3.Connection) -> None:
    """Every round had a submission of its own; one without would be submitted again."""
    db.execute(
        "UPDATE ledger SET submission = (SELECT id FROM outbox o WHERE o.kind = 'reward'"
        " AND o.swarm = ledger.swarm AND o.peer_id = ledger.peer_id"
        " AND o.round = ledger.round AND o.stage = ledger.stage)"
    )


def _take_over_outbox(db: sqlite3.Connection) -> None:
    """Confirmed rows are from a run that is over, and deep by now."""
    db.execute("UPDATE outbox SET status = 'credited' WHERE status = 'confirmed'")
    db.execute("UPDATE outbox SET hashes = tx_hash WHERE tx_hash != ''")
