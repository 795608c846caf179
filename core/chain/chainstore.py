"""The devnet's disk: what py-evm keeps, and an index of logs, in one SQLite file.

A block's writes are staged in memory and committed in one transaction together with its logs, so
that after `kill -9` the file holds whole blocks only. It knows keys, values and logs; it knows
nothing of tries, accounts or contracts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from eth.db.backends.base import BaseDB

from core.errors import StorageError
from core.home import storage_errors

_SCHEMA = """
CREATE TABLE IF NOT EXISTS kv (
    key BLOB PRIMARY KEY, value BLOB NOT NULL, state INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS kv_by_state ON kv (state) WHERE state > 0;
CREATE TABLE IF NOT EXISTS logs (
    block INTEGER NOT NULL, position INTEGER NOT NULL, tx_hash BLOB NOT NULL,
    address BLOB NOT NULL, topic0 BLOB, topic1 BLOB, topic2 BLOB, topic3 BLOB, data BLOB NOT NULL,
    PRIMARY KEY (block, position)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS logs_by_topic ON logs (address, topic0, block);
"""
_TOPICS = ("topic0", "topic1", "topic2", "topic3")


@dataclass(frozen=True)
class LogEntry:
    """One EVM log. position: its index within the block; topics: 32 bytes each, at most four."""

    block: int
    position: int
    tx_hash: bytes
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


class ChainStore(BaseDB):
    """A py-evm database over SQLite. Writes wait in `commit`; `rollback` forgets them.

    The caller serialises access. StorageError when the disk refuses or the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._staged: dict[bytes, bytes | None] = {}
        try:
            with storage_errors(path):
                path.touch(mode=0o600, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise self._told(error) from error

    def __getitem__(self, key: bytes) -> bytes:
        if key in self._staged:
            value = self._staged[key]
            if value is None:
                raise KeyError(key)
            return value
        row = self._query("SELECT value FROM kv WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise KeyError(key)
        return bytes(row[0])

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

    def commit(
        self,
        logs: Iterable[LogEntry] = (),
        block: int = 0,
        state_keys: Set[bytes] = frozenset(),
    ) -> None:
        """Make everything staged, and `logs`, durable at once, or nothing of it.

        state_keys: the staged keys that are state nodes, written by block `block`; they may be
        dropped one day, all others are kept for ever.
        """
        puts = [
            (k, v, block if k in state_keys else 0)
            for k, v in self._staged.items()
            if v is not None
        ]
        drops = [(k,) for k, v in self._staged.items() if v is None]
        rows = [
            (e.block, e.position, e.tx_hash, e.address, *_padded(e.topics), e.data) for e in logs
        ]
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT OR REPLACE INTO kv VALUES (?, ?, ?)", puts)
            self._db.executemany("DELETE FROM kv WHERE key = ?", drops)
            self._db.executemany("INSERT INTO logs VALUES (?,?,?,?,?,?,?,?,?)", rows)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise self._told(error) from error
        finally:
            self._staged.clear()

    def rollback(self) -> None:
        self._staged.clear()

    def find_logs(
        self,
        first: int,
        last: int,
        addresses: Sequence[bytes],
        topics: Sequence[Sequence[bytes]],
        limit: int,
    ) -> list[LogEntry]:
        """Logs of blocks first..last, oldest first, at most `limit`.

        addresses: any of these, all when empty. topics: by position, any of these, empty for all.
        """
        terms, values = ["block BETWEEN ? AND ?"], [first, last]
        wanted = [("address", addresses), *zip(_TOPICS, topics, strict=False)]
        for column, any_of in wanted:
            if any_of:
                terms.append(f"{column} IN ({','.join('?' * len(any_of))})")
                values.extend(any_of)  # type: ignore[arg-type]
        rows = self._query(
            f"SELECT * FROM logs WHERE {' AND '.join(terms)} ORDER BY block, position LIMIT ?",
            (*values, limit),
        )
        return [
            LogEntry(r[0], r[1], r[2], r[3], tuple(t for t in r[4:8] if t is not None), r[8])
            for r in rows
        ]

    # --- sweeping -----------------------------------------------------------------------------

    @property
    def swept(self) -> int:
        """Up to which block superseded state was deleted."""
        return int(self._query("PRAGMA user_version", ()).fetchone()[0])

    @swept.setter
    def swept(self, block: int) -> None:
        self._query(f"PRAGMA user_version = {int(block)}", ())

    @contextmanager
    def reader(self) -> Iterator[Callable[[bytes], bytes]]:
        """Reads what is committed, over a connection of its own: no lock is needed."""
        db = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=10.0)

        def read(key: bytes) -> bytes:
            row = db.execute("SELECT value FROM kv WHERE key = ?", (key,)).fetchone()
            if row is None:
                raise KeyError(key)
            return bytes(row[0])

        try:
            yield read
        except (sqlite3.Error, KeyError) as error:
            raise self._told(error) from error
        finally:
            db.close()

    def state_keys(self, block: int) -> list[bytes]:
        """State nodes that were written last by a block up to `block`."""
        db = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=10.0)
        try:
            found = db.execute("SELECT key FROM kv WHERE state BETWEEN 1 AND ?", (block,))
            return [bytes(row[0]) for row in found]
        except sqlite3.Error as error:
            raise self._told(error) from error
        finally:
            db.close()

    def drop_state(self, keys: Sequence[bytes], block: int) -> None:
        """Delete state nodes, but none that a block after `block` wrote again."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "DELETE FROM kv WHERE key = ? AND state BETWEEN 1 AND ?", [(k, block) for k in keys]
            )
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise self._told(error) from error

    def close(self) -> None:
        self._db.close()

    def _query(self, sql: str, values: Sequence[object]) -> sqlite3.Cursor:
        try:
            return self._db.execute(sql, values)
        except sqlite3.Error as error:
            raise self._told(error) from error

    def _told(self, error: Exception) -> StorageError:
        return StorageError(
            f"The devnet cannot use {self._path}",
            str(error),
            "Free disk space or repair the permissions; if the file is damaged, move it away: "
            "the swarm hosted here then starts again at round 0",
        )


def _padded(topics: Sequence[bytes]) -> list[bytes | None]:
    return [topics[i] if i < len(topics) else None for i in range(len(_TOPICS))]
