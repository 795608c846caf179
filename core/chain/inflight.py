"""The transactions of one account on one chain that are out: durable before they are sent.

Shared by all processes and homes of a user (the file lies in the account's state folder), so that
whoever comes after a crash finds what was sent and waits for it, or sends the very same bytes once
more, instead of signing another one. Mined ones stay for a while: a reorganisation can take their
block away. It knows nonces, bytes and times; it asks no chain and decides nothing.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak

from core.chain.fees import Fee
from core.errors import StorageError
from core.home import set_aside, storage_errors

KEEP_BLOCKS = 256
"""Mined transactions are forgotten when they are this deep."""
MAX_KEPT = 2_000
BUSY_S = 10.0
log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS chain (first_block TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS attempt (
    tx_hash TEXT PRIMARY KEY, nonce INTEGER NOT NULL, intent TEXT NOT NULL, raw BLOB NOT NULL,
    target TEXT NOT NULL, data BLOB NOT NULL, gas INTEGER NOT NULL,
    per_gas TEXT NOT NULL, tip TEXT, sent REAL NOT NULL, block INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS attempt_intent ON attempt (intent);
"""
_COLUMNS = "tx_hash, nonce, intent, raw, target, data, gas, per_gas, tip, sent, block"


@dataclass(frozen=True)
class Attempt:
    """One signed transaction. intent: what it is for; all attempts at one nonce have the same.

    sent: Unix seconds when it was signed. block: where it was mined, 0 while it is not.
    """

    tx_hash: str
    nonce: int
    intent: str
    raw: bytes
    target: str
    data: bytes
    gas: int
    fee: Fee
    sent: float
    block: int = 0

    def __repr__(self) -> str:
        return f"Attempt({self.tx_hash}, nonce {self.nonce})"


class InFlight:
    """The file. Safe to use from several threads and processes. Every method: StorageError."""

    def __init__(self, folder: Path, chain_id: int, first_block: str) -> None:
        """first_block: its hash on the chain as it is now, empty when it is not known; what was
        sent on a chain that has begun anew since is forgotten.

        A damaged file is set aside: the coordinator is asked before anything is sent anyway.
        """
        self._path = folder / f"inflight-{chain_id}.db"
        self._lock = threading.Lock()
        try:
            self._db = self._opened(first_block)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise self._as_storage_error(error) from error
            log.warning("%s is damaged and was set aside: %s", self._path, error)
            set_aside(self._path)
            with self._told():
                self._db = self._opened(first_block)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _opened(self, first: str) -> sqlite3.Connection:
        with storage_errors(self._path):
            self._path.touch(mode=0o600, exist_ok=True)
        db = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, timeout=BUSY_S
        )
        try:
            db.execute("PRAGMA synchronous=FULL")
            db.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
            known = db.execute("SELECT first_block FROM chain").fetchone()
            if known is not None and first and known[0] != first:
                log.warning("the chain began anew: forgetting what was sent on the old one")
                db.execute("DELETE FROM attempt")
            if first and (known is None or known[0] != first):
                db.execute("DELETE FROM chain")
                db.execute("INSERT INTO chain VALUES (?)", (first,))
            db.execute("COMMIT")
        except BaseException:
            db.close()
            raise
        return db

    # --- reading ------------------------------------------------------------------------------

    def of(self, intent: str) -> list[Attempt]:
        """The attempts for one intent, oldest first."""
        return self._read("WHERE intent = ? ORDER BY sent", intent)

    def at(self, nonce: int) -> list[Attempt]:
        """The attempts at one nonce, oldest first."""
        return self._read("WHERE nonce = ? ORDER BY sent", nonce)

    def since(self, nonce: int) -> list[Attempt]:
        """What is to be mined at each nonce from `nonce` on: what was mined there before a
        reorganisation, else the newest attempt."""
        rows = self._read("WHERE nonce >= ? ORDER BY nonce, block > 0, sent", nonce)
        return list({each.nonce: each for each in rows}.values())

    def _read(self, where: str, *values: object) -> list[Attempt]:
        with self._lock, self._told():
            rows = self._db.execute(f"SELECT {_COLUMNS} FROM attempt {where}", values).fetchall()
        return [_attempt(row) for row in rows]

    # --- writing ------------------------------------------------------------------------------

    def add(self, attempt: Attempt) -> None:
        """On disk when it returns; only then may it be sent."""
        fee = (str(attempt.fee.per_gas), None if attempt.fee.tip is None else str(attempt.fee.tip))
        row = (
            *(attempt.tx_hash, attempt.nonce, attempt.intent, attempt.raw, attempt.target),
            *(attempt.data, attempt.gas, *fee, attempt.sent, attempt.block),
        )
        marks = ", ".join("?" * len(row))
        self._write(f"INSERT OR REPLACE INTO attempt ({_COLUMNS}) VALUES ({marks})", row)

    def mined(self, tx_hash: str, block: int) -> None:
        """And forget those that are buried so deep that no reorganisation reaches them."""
        with self._lock, self._told():
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("UPDATE attempt SET block = ? WHERE tx_hash = ?", (block, tx_hash))
            self._db.execute(
                "DELETE FROM attempt WHERE nonce IN"
                " (SELECT nonce FROM attempt WHERE block > 0 AND block < ?)",
                (block - KEEP_BLOCKS,),
            )
            self._db.execute(
                "DELETE FROM attempt WHERE block > 0 AND tx_hash NOT IN"
                " (SELECT tx_hash FROM attempt ORDER BY sent DESC LIMIT ?)",
                (MAX_KEPT,),
            )
            self._db.execute("COMMIT")

    def unmined_again(self, nonce: int) -> None:
        """A reorganisation took its block away."""
        self._write("UPDATE attempt SET block = 0 WHERE nonce = ?", (nonce,))

    def forget(self, attempts: Sequence[Attempt]) -> None:
        """They can never be mined, or were and failed."""
        for each in attempts:
            self._write("DELETE FROM attempt WHERE tx_hash = ?", (each.tx_hash,))

    def _write(self, statement: str, values: Sequence[object]) -> None:
        with self._lock, self._told():
            self._db.execute(statement, tuple(values))

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise self._as_storage_error(error) from error

    def _as_storage_error(self, error: sqlite3.Error) -> StorageError:
        return StorageError(
            f"{self._path} cannot be used",
            str(error),
            "Free some disk space or mend the file's permissions; nothing is sent until then",
        )


def _attempt(row: tuple[Any, ...]) -> Attempt:
    tx_hash, nonce, intent, raw, target, data, gas, per_gas, tip, sent, block = row
    fee = Fee(int(per_gas), None if tip is None else int(tip))
    return Attempt(tx_hash, nonce, intent, raw, target, data, gas, fee, sent, block)


def key_of(contract: str, data: bytes) -> str:
    """The intent of a call: two with the same key do the same."""
    return bytes(keccak(contract.lower().encode() + data)).hex()


def now() -> float:
    """Unix seconds: attempts outlive the process that made them."""
    return time.time()
