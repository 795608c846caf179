"""The devnet's disk: what py-evm keeps, an index of logs, and queued transactions, in one file.

A block's writes are staged in memory and committed in one SQLite transaction together with its
logs, so that after `kill -9` the file holds whole blocks only. It knows keys, values and logs; it
knows nothing of tries, accounts or contracts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from eth.db.backends.base import BaseDB

from core.chain.chainreader import TOPICS, LogEntry, NodeCache, unusable
from core.home import storage_errors

_SCHEMA = """
CREATE TABLE IF NOT EXISTS kv (
    key BLOB PRIMARY KEY, value BLOB NOT NULL, state INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS kv_by_state ON kv (state) WHERE state > 0;
CREATE INDEX IF NOT EXISTS kv_by_history ON kv (state) WHERE state < 0;
CREATE TABLE IF NOT EXISTS logs (
    block INTEGER NOT NULL, position INTEGER NOT NULL, tx_hash BLOB NOT NULL,
    address BLOB NOT NULL, topic0 BLOB, topic1 BLOB, topic2 BLOB, topic3 BLOB, data BLOB NOT NULL,
    PRIMARY KEY (block, position)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS logs_by_topic ON logs (address, topic0, block);
CREATE TABLE IF NOT EXISTS queued (hash BLOB PRIMARY KEY, raw BLOB NOT NULL, at REAL NOT NULL);
"""
_FOR_EVER = (b"v1:", b"block-number-to-hash:")
"""Keys of py-evm that later blocks, and answers to eth_getLogs, need."""


@dataclass(frozen=True)
class NewBlock:
    """What the store must know of a block whose writes are staged.

    state_keys: the staged keys that are nodes of the state; dequeue: hash of the transaction in it,
    which no longer waits.
    """

    number: int
    logs: Sequence[LogEntry]
    state_keys: Set[bytes]
    dequeue: bytes


class ChainStore(BaseDB):
    """A py-evm database over SQLite. Writes wait in `commit`; `rollback` forgets them.

    The caller serialises access. StorageError when the disk refuses or the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cache = NodeCache()
        self._staged: dict[bytes, bytes | None] = {}
        try:
            with storage_errors(path):
                path.touch(mode=0o600, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
            # SQLite opens what it may not write without a word, and would fail at the first block.
            self._db.execute("DELETE FROM queued WHERE 0")
        except sqlite3.Error as error:
            raise unusable(path, error) from error

    def __getitem__(self, key: bytes) -> bytes:
        if key in self._staged:
            value = self._staged[key]
            if value is None:
                raise KeyError(key)
            return value
        cached = self.cache.get(key)
        if cached is not None:
            return cached
        row = self._query("SELECT value FROM kv WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise KeyError(key)
        value = bytes(row[0])
        self.cache.put(key, value)
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._staged[key] = value

    def __delitem__(self, key: bytes) -> None:
        self[key]
        self._staged[key] = None

    def _exists(self, key: bytes) -> bool:
        try:
            self[key]
        except KeyError:
            return False
        return True

    def is_empty(self) -> bool:
        return self._query("SELECT 1 FROM kv LIMIT 1", ()).fetchone() is None

    def staged(self) -> Set[bytes]:
        return self._staged.keys()

    def commit(self, block: NewBlock | None = None) -> None:
        """Make everything staged, and the block's logs, durable at once, or nothing of it.

        None: the first block, which stays for ever.
        """
        puts = [
            (k, v, 0 if block is None else _age(k, block))
            for k, v in self._staged.items()
            if v is not None
        ]
        statements: list[tuple[str, Iterable[Sequence[object]]]] = [
            ("INSERT OR REPLACE INTO kv VALUES (?, ?, ?)", puts),
            ("DELETE FROM kv WHERE key = ?", [(k,) for k, v in self._staged.items() if v is None]),
        ]
        if block is not None:
            rows = [
                (e.block, e.position, e.tx_hash, e.address, *_padded(e.topics), e.data)
                for e in block.logs
            ]
            statements += [
                ("INSERT INTO logs VALUES (?,?,?,?,?,?,?,?,?)", rows),
                ("DELETE FROM queued WHERE hash = ?", [(block.dequeue,)]),
            ]
        try:
            self._write(statements)
            for key, value, _ in puts:
                self.cache.put(key, value)
        finally:
            self._staged.clear()

    def rollback(self) -> None:
        self._staged.clear()

    # --- transactions whose turn has not come ---------------------------------------------------

    def queued(self) -> list[tuple[bytes, bytes, float]]:
        """(hash, raw transaction, when it came in Unix seconds), oldest first."""
        found = self._query("SELECT hash, raw, at FROM queued ORDER BY at", ())
        return [(bytes(r[0]), bytes(r[1]), float(r[2])) for r in found]

    def queue(self, tx_hash: bytes, raw: bytes, at: float, instead_of: Iterable[bytes]) -> None:
        """Keep one, durably, and forget others."""
        self._write(
            [
                ("DELETE FROM queued WHERE hash = ?", [(each,) for each in instead_of]),
                ("INSERT OR REPLACE INTO queued VALUES (?, ?, ?)", [(tx_hash, raw, at)]),
            ]
        )

    def dequeue(self, tx_hash: bytes) -> None:
        self._write([("DELETE FROM queued WHERE hash = ?", [(tx_hash,)])])

    # --- sweeping -----------------------------------------------------------------------------

    @property
    def swept(self) -> int:
        """Up to which block superseded state was deleted."""
        return int(self._query("PRAGMA user_version", ()).fetchone()[0])

    @swept.setter
    def swept(self, block: int) -> None:
        self._query(f"PRAGMA user_version = {int(block)}", ())

    def drop_state(self, keys: Sequence[bytes], block: int) -> None:
        """Delete state nodes, but none that a block after `block` wrote again."""
        sql = "DELETE FROM kv WHERE key = ? AND state BETWEEN 1 AND ?"
        self._write([(sql, [(k, block) for k in keys])])
        self.cache.clear()

    def drop_history(self, keys: Sequence[bytes], block: int) -> None:
        """Delete what only old blocks need, but nothing that a block after `block` wrote again."""
        sql = "DELETE FROM kv WHERE key = ? AND state BETWEEN ? AND -1"
        self._write([(sql, [(k, -block) for k in keys])])
        self.cache.clear()

    def close(self) -> None:
        self._db.close()

    def _write(self, statements: Iterable[tuple[str, Iterable[Sequence[object]]]]) -> None:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for sql, rows in statements:
                self._db.executemany(sql, rows)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise unusable(self.path, error) from error

    def _query(self, sql: str, values: Sequence[object]) -> sqlite3.Cursor:
        try:
            return self._db.execute(sql, values)
        except sqlite3.Error as error:
            raise unusable(self.path, error) from error


def _age(key: bytes, block: NewBlock) -> int:
    """Column `state`: n for a state node that block n wrote, -n for what only block n needs, 0 for
    what is never deleted."""
    if key in block.state_keys:
        return block.number
    return 0 if key.startswith(_FOR_EVER) else -block.number


def _padded(topics: Sequence[bytes]) -> list[bytes | None]:
    return [topics[i] if i < len(topics) else None for i in range(len(TOPICS))]
