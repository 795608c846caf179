"""What this node has earned and what of it is still to be sent: tables `ledger` and `outbox`.

A round's ledger row and its outbox rows are committed in one transaction, with a full sync, before
anybody may send anything. Rows belong to a swarm (chain id and contract) and a peer id, so that
round 7 of one swarm is never taken for round 7 of another. It knows SQLite; it sends nothing.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.errors import StorageError
from core.home import storage_errors

NO_ROUND = -1
"""The round of a `register` row: registration belongs to no round."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS ledger (
    swarm TEXT NOT NULL, peer_id TEXT NOT NULL, round INTEGER NOT NULL, stage INTEGER NOT NULL,
    reward INTEGER NOT NULL, reward_mean REAL NOT NULL, winners TEXT NOT NULL, time REAL NOT NULL,
    PRIMARY KEY (swarm, peer_id, round, stage));
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    swarm TEXT NOT NULL, peer_id TEXT NOT NULL, kind TEXT NOT NULL,
    round INTEGER NOT NULL, stage INTEGER NOT NULL, value TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'pending', tx_hash TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '', code TEXT NOT NULL DEFAULT '',
    attempts INTEGER NOT NULL DEFAULT 0, created REAL NOT NULL, updated REAL NOT NULL,
    UNIQUE (swarm, peer_id, kind, round, stage));
CREATE INDEX IF NOT EXISTS outbox_open ON outbox (swarm, peer_id, status);
"""
_COLUMNS = (
    "id, swarm, peer_id, kind, round, stage, value, status, tx_hash, error, code, attempts, "
    "created, updated"
)


@dataclass(frozen=True)
class OutboxRow:
    """One submission. kind: `register`, `reward`, `winner`. status: `pending` (committed here),
    `sent` (may be out; ask before sending again), `confirmed`, `failed` (final; `error` says why).

    value: the reward, or the winners' peer ids joined by a comma. Times are Unix seconds.
    """

    id: int
    swarm: str
    peer_id: str
    kind: str
    round: int
    stage: int
    value: str
    status: str
    tx_hash: str
    error: str
    code: str
    attempts: int
    created: float
    updated: float

    @property
    def winners(self) -> list[str]:
        return [each for each in self.value.split(",") if each]


@dataclass(frozen=True)
class LedgerRow:
    """What one round was worth, as recorded here. reward: as submitted, an integer."""

    swarm: str
    peer_id: str
    round: int
    stage: int
    reward: int
    reward_mean: float
    winners: list[str]
    time: float


@dataclass(frozen=True)
class Totals:
    """Sums over the ledger and the outbox of one swarm and peer."""

    rounds: int = 0
    reward: int = 0
    pending: int = 0
    confirmed: int = 0
    failed: int = 0


class LedgerStore:
    """The two tables in `path`. Safe to use from several threads; one connection, one lock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600, exist_ok=True)
        with self._told():
            self._db = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=10.0
            )
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def record_round(self, row: LedgerRow) -> list[OutboxRow]:
        """Commit a round and what is to be sent for it; the outbox rows, durable by now.

        Empty when the round is recorded already: the first record counts. Without winners there is
        no vote: the coordinator would count an empty one again and again.
        """
        key = (row.swarm, row.peer_id, row.round, row.stage)
        due = [("reward", str(row.reward))]
        if row.winners:
            due.append(("winner", ",".join(row.winners)))
        with self._transaction():
            added = self._db.execute(
                "INSERT OR IGNORE INTO ledger VALUES (?,?,?,?,?,?,?,?)",
                (*key, row.reward, row.reward_mean, json.dumps(row.winners), row.time),
            ).rowcount
            if not added:
                return []
            return [self._insert(row.swarm, row.peer_id, kind, *key[2:], v) for kind, v in due]

    def ensure_registration(self, swarm: str, peer_id: str) -> tuple[OutboxRow, bool]:
        """The row of the peer's registration, and whether it is new."""
        with self._transaction():
            found = self._select(
                "swarm = ? AND peer_id = ? AND kind = 'register'", (swarm, peer_id)
            )
            if found:
                return found[0], False
            return self._insert(swarm, peer_id, "register", NO_ROUND, 0, peer_id), True

    def has_round(self, swarm: str, peer_id: str, round: int, stage: int) -> bool:
        with self._lock, self._told():
            cursor = self._db.execute(
                "SELECT 1 FROM ledger WHERE swarm = ? AND peer_id = ? AND round = ? AND stage = ?",
                (swarm, peer_id, round, stage),
            )
            return cursor.fetchone() is not None

    def update(
        self, row: OutboxRow, status: str, *, tx_hash: str = "", error: str = "", code: str = ""
    ) -> OutboxRow:
        """Move a row to `status`; the row as it is now. Sending counts as an attempt."""
        with self._transaction():
            self._db.execute(
                "UPDATE outbox SET status = ?, tx_hash = ?, error = ?, code = ?, "
                "attempts = attempts + ?, updated = ? WHERE id = ?",
                (
                    status,
                    tx_hash or row.tx_hash,
                    error,
                    code,
                    int(status == "sent"),
                    time.time(),
                    row.id,
                ),
            )
            return self._select("id = ?", (row.id,))[0]

    def due(self, swarm: str, peer_id: str, limit: int = 64) -> list[OutboxRow]:
        """What is not final yet, in sending order: the newest round's reward (the clock waits for
        it), then everything else as it came."""
        with self._lock, self._told():
            where = "swarm = ? AND peer_id = ? AND status IN ('pending', 'sent')"
            values = (swarm, peer_id)
            newest = self._select(
                f"{where} AND kind = 'reward' ORDER BY round DESC LIMIT 1", values
            )
            rest = self._select(f"{where} ORDER BY id LIMIT {int(limit)}", values)
        return [*newest, *(row for row in rest if row not in newest)]

    def rows(self, limit: int = 1000) -> list[OutboxRow]:
        """The newest submissions of any swarm, newest first."""
        with self._lock, self._told():
            return self._select(f"1 ORDER BY id DESC LIMIT {int(limit)}", ())

    def ledger(self, limit: int = 1000) -> list[LedgerRow]:
        """The newest rounds of any swarm, newest first."""
        with self._lock, self._told():
            found = self._db.execute(
                "SELECT swarm, peer_id, round, stage, reward, reward_mean, winners, time "
                "FROM ledger ORDER BY time DESC, round DESC LIMIT ?",
                (limit,),
            ).fetchall()
        return [
            LedgerRow(r[0], r[1], r[2], r[3], r[4], r[5], json.loads(r[6]), r[7]) for r in found
        ]

    def totals(self, swarm: str, peer_id: str) -> Totals:
        with self._lock, self._told():
            key = (swarm, peer_id)
            rounds, reward = self._db.execute(
                "SELECT COUNT(*), COALESCE(SUM(reward), 0) FROM ledger "
                "WHERE swarm = ? AND peer_id = ?",
                key,
            ).fetchone()
            counts = dict(
                self._db.execute(
                    "SELECT status, COUNT(*) FROM outbox WHERE swarm = ? AND peer_id = ? "
                    "GROUP BY status",
                    key,
                ).fetchall()
            )
        still = counts.get("pending", 0) + counts.get("sent", 0)
        return Totals(rounds, reward, still, counts.get("confirmed", 0), counts.get("failed", 0))

    def latest_swarm(self, peer_id: str) -> str:
        """The swarm this peer last recorded or registered in; empty when there is none."""
        with self._lock, self._told():
            found = self._db.execute(
                "SELECT swarm FROM outbox WHERE peer_id = ? ORDER BY id DESC LIMIT 1", (peer_id,)
            ).fetchone()
        return str(found[0]) if found else ""

    def _insert(
        self, swarm: str, peer_id: str, kind: str, round: int, stage: int, value: str
    ) -> OutboxRow:
        now = time.time()
        cursor = self._db.execute(
            "INSERT INTO outbox (swarm, peer_id, kind, round, stage, value, created, updated) "
            "VALUES (?,?,?,?,?,?,?,?)",
            (swarm, peer_id, kind, round, stage, value, now, now),
        )
        return self._select("id = ?", (cursor.lastrowid,))[0]

    def _select(self, where: str, values: Sequence[object]) -> list[OutboxRow]:
        found = self._db.execute(f"SELECT {_COLUMNS} FROM outbox WHERE {where}", values)
        return [OutboxRow(*each) for each in found.fetchall()]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock, self._told():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if self._db_is_open() and self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise StorageError(
                f"The ledger in {self._path} cannot be used",
                str(error),
                "Free some disk space and check the permissions; if the file is damaged, restore "
                "it from a backup",
            ) from error

    def _db_is_open(self) -> bool:
        return hasattr(self, "_db")
