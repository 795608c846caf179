"""What this node has earned and what of it is still to be sent: tables `ledger` and `outbox`.

A round's ledger row, and the submission that carries it when one is due, are committed in one
transaction, with a full sync, before anybody may send anything. Rows belong to a swarm (chain id
and contract) and a peer id, so that round 7 of one swarm is never taken for round 7 of another. It
knows SQLite; it sends nothing.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from core.chain import ledger_reads as reads
from core.chain import pruning
from core.chain.ledger_rows import NO_ROUND, LedgerRow, OutboxRow, Totals
from core.chain.ledger_schema import prepare
from core.chain.policy import Policy
from core.errors import StorageError
from core.home import storage_errors
from core.protocols import Receipt

MAX_INTEGER = 2**63 - 1
"""SQLite's integers have 64 bits; what a foreign chain says may have 256."""
MAX_GAS = 2**40
"""Far above any block's limit, and so small that sums of it stay within 64 bits."""
MAX_HASHES = 8
MAX_ERROR = 2000
EVERY_ROUND = Policy()

Given = ParamSpec("Given")
Answer = TypeVar("Answer")


class LedgerStore:
    """The two tables in `path`. Safe to use from several threads; one connection, one lock."""

    def __init__(self, path: Path, keep_rounds: int = pruning.KEEP_ROUNDS) -> None:
        """keep_rounds: newest rounds kept row by row; older ones only in the totals."""
        self._path = path
        self._keep_rounds = keep_rounds
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
            prepare(self._db)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    # --- rounds -------------------------------------------------------------------------------

    def record_round(self, row: LedgerRow, policy: Policy = EVERY_ROUND) -> list[OutboxRow]:
        """Commit a round, and what the policy wants sent now; these outbox rows, durable by now.

        Empty when the policy waits, and when the round is recorded already: the first record
        counts. Without winners there is no vote: the coordinator would count an empty one again
        and again.
        """
        with self.transaction() as db:
            if reads.has_round(db, row.swarm, row.peer_id, row.round, row.stage):
                return []
            added = db.execute(
                "INSERT INTO ledger VALUES (?,?,?,?,?,?,?,?,?,?)",
                (
                    *(row.swarm, row.peer_id, row.round, row.stage),
                    *(row.reward, row.reward_mean, json.dumps(row.winners), row.time),
                    *(policy.bonus_for(row.reward), None),
                ),
            )
            made = self._gather(db, row.swarm, row.peer_id, policy, time.time())
            if (added.lastrowid or 0) % pruning.EVERY_ROUNDS == 0:
                pruning.prune(db, row.swarm, row.peer_id, self._keep_rounds)
            return made

    def gather(
        self, swarm: str, peer_id: str, policy: Policy, now: float | None = None
    ) -> list[OutboxRow]:
        """Commit the submission of the rounds that wait, if the policy wants it by now."""
        with self.transaction() as db:
            return self._gather(db, swarm, peer_id, policy, time.time() if now is None else now)

    def _gather(
        self, db: sqlite3.Connection, swarm: str, peer_id: str, policy: Policy, now: float
    ) -> list[OutboxRow]:
        """One reward, the sum, for the newest waiting round; one vote, for the newest of them in
        which somebody won. Each round names the reward that carries it."""
        mine = (swarm, peer_id)
        still = reads.waiting(db, *mine)
        if not policy.is_due(still.rounds, still.since, now):
            return []
        where = "swarm = ? AND peer_id = ? AND submission IS NULL"
        newest_first = "ORDER BY round DESC, stage DESC LIMIT 1"
        (newest,) = reads.ledger(db, f"{where} {newest_first}", mine)
        made = [self._insert(db, newest, "reward", str(still.reward), now)]
        for won in reads.ledger(db, f"{where} AND winners != '[]' {newest_first}", mine):
            vote = (*mine, won.round)
            if not reads.outbox(
                db, "swarm = ? AND peer_id = ? AND kind = 'winner' AND round = ?", vote
            ):
                made.append(self._insert(db, won, "winner", ",".join(won.winners), now))
        db.execute(f"UPDATE ledger SET submission = ? WHERE {where}", (made[0].id, *mine))
        return made

    def ensure_registration(self, swarm: str, peer_id: str) -> tuple[OutboxRow, bool]:
        """The row of the peer's registration, and whether it is new."""
        with self.transaction() as db:
            found = reads.outbox(
                db, "swarm = ? AND peer_id = ? AND kind = 'register'", (swarm, peer_id)
            )
            if found:
                return found[0], False
            whose = LedgerRow(swarm, peer_id, NO_ROUND, 0, 0, 0.0)
            return self._insert(db, whose, "register", peer_id, time.time()), True

    # --- submissions --------------------------------------------------------------------------

    def sending(self, row: OutboxRow) -> OutboxRow:
        """About to be sent, once more."""
        return self._set(row, status="sent", attempts=row.attempts + 1)

    def sent_as(self, row: OutboxRow, tx_hash: str) -> None:
        """A transaction of the row is out."""
        with self.transaction() as db:
            (now,) = reads.outbox(db, "id = ?", (row.id,))
            hashes = [each for each in now.hashes if each != tx_hash] + [tx_hash]
            db.execute(
                "UPDATE outbox SET hashes = ?, tx_hash = ? WHERE id = ?",
                (" ".join(hashes[-MAX_HASHES:]), tx_hash, row.id),
            )

    def confirm(self, row: OutboxRow, receipt: Receipt, code: str = "") -> OutboxRow:
        """The coordinator has it. code: `Elsewhere` when this node never sent it."""
        return self._set(
            row,
            status="confirmed",
            tx_hash=receipt.tx_hash or row.tx_hash,
            block=min(receipt.block, MAX_INTEGER),
            gas_used=min(receipt.gas_used, MAX_GAS),
            fee_wei=min(receipt.fee_wei, MAX_INTEGER),
            **{"error": "", "code": code, "failures": 0, "next_try": 0.0},
        )

    def credit(self, row: OutboxRow) -> OutboxRow:
        """It is so deep in the chain that it stays."""
        return self._set(row, status="credited")

    def put_off(
        self, row: OutboxRow, status: str, next_try: float, error: str, code: str = ""
    ) -> OutboxRow:
        """Not now: `pending` or `sent`, to be tried at `next_try` (Unix seconds)."""
        failures = row.failures + 1 if row.code == code else 1
        return self._set(
            row,
            **{"status": status, "next_try": next_try, "failures": failures},
            **{"error": error[:MAX_ERROR], "code": code},
        )

    def take_back(self, row: OutboxRow, error: str, code: str) -> OutboxRow:
        """A confirmed one vanished from the chain. It may be mined again, so its hashes stay."""
        return self._set(
            row,
            **{"status": "pending", "failures": 0, "next_try": 0.0},
            **{"error": error[:MAX_ERROR], "code": code},
            **{"block": 0, "gas_used": 0, "fee_wei": 0},
        )

    def fail(self, row: OutboxRow, error: str, code: str) -> OutboxRow:
        """A final no."""
        return self._set(row, status="failed", error=error[:MAX_ERROR], code=code)

    def _set(self, row: OutboxRow, **columns: Any) -> OutboxRow:
        """The row as it is now."""
        names = ", ".join(f"{name} = ?" for name in columns)
        with self.transaction() as db:
            db.execute(
                f"UPDATE outbox SET {names}, updated = ? WHERE id = ?",
                (*columns.values(), time.time(), row.id),
            )
            return reads.outbox(db, "id = ?", (row.id,))[0]

    # --- reading ------------------------------------------------------------------------------

    def ask(
        self,
        question: Callable[Concatenate[sqlite3.Connection, Given], Answer],
        *args: Given.args,
        **kwargs: Given.kwargs,
    ) -> Answer:
        """A question of `ledger_reads`, or another one that only reads."""
        with self._lock, self._told():
            return question(self._db, *args, **kwargs)

    def has_round(self, swarm: str, peer_id: str, round: int, stage: int) -> bool:
        return self.ask(reads.has_round, swarm, peer_id, round, stage)

    def due(
        self, swarm: str, peer_id: str, now: float | None = None, limit: int = 64
    ) -> list[OutboxRow]:
        return self.ask(reads.due, swarm, peer_id, now, limit)

    def row(self, row_id: int) -> OutboxRow:
        """The row with this id, which must exist, as it is now."""
        return self.ask(reads.outbox, "id = ?", (row_id,))[0]

    def rows(self, limit: int = 1000) -> list[OutboxRow]:
        """The newest submissions of any swarm, newest first."""
        return self.ask(reads.outbox, "1 ORDER BY id DESC LIMIT ?", (limit,))

    def ledger(self, limit: int = 1000) -> list[LedgerRow]:
        """The newest rounds of any swarm, newest first."""
        return self.ask(reads.ledger, "1 ORDER BY time DESC, round DESC LIMIT ?", (limit,))

    def totals(self, swarm: str, peer_id: str) -> Totals:
        return self.ask(reads.totals, swarm, peer_id)

    # --- the file -----------------------------------------------------------------------------

    def _insert(
        self, db: sqlite3.Connection, row: LedgerRow, kind: str, value: str, now: float
    ) -> OutboxRow:
        cursor = db.execute(
            "INSERT INTO outbox (swarm, peer_id, kind, round, stage, value, created, updated) "
            "VALUES (?,?,?,?,?,?,?,?)",
            (row.swarm, row.peer_id, kind, row.round, row.stage, value, now, now),
        )
        return reads.outbox(db, "id = ?", (cursor.lastrowid,))[0]

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing, durable when it ends. StorageError."""
        with self._lock, self._told():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
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
