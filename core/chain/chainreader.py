"""Reading the devnet's file beside its writer: keys and logs as they were last committed.

A connection of its own, which cannot write. In SQLite's WAL mode it neither waits for the writer
nor holds it up. One user at a time.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eth.db.backends.base import BaseDB

from core.errors import StorageError

TOPICS = ("topic0", "topic1", "topic2", "topic3")
LOGS_DEADLINE_S = 2.0
MAX_LOGS_BYTES = 8 * 2**20
HASH_BYTES = 32
CACHED, CACHED_BYTES = 8192, 32_768
"""Entries of each generation, and the largest that is kept: some 10 MiB in all, as they are."""
_LOOK_EVERY_STEPS = 20_000
"""SQLite's virtual machine: about a millisecond between two looks at the clock."""


@dataclass(frozen=True)
class LogEntry:
    """One EVM log. position: its index within the block; topics: 32 bytes each, at most four."""

    block: int
    position: int
    tx_hash: bytes
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


class TooMuch(Exception):
    """A query for logs that finds too many, or takes too long. last: the highest block up to
    which the answer would be whole, or None when not even the first block is."""

    def __init__(self, why: str, last: int | None) -> None:
        super().__init__(why)
        self.last = last


class NodeCache:
    """Values whose key is their hash: they never change, so all connections may share them.

    Without it a transaction asks SQLite dozens of times, and each time gives the interpreter away
    to whoever computes meanwhile. Two generations: what was not used while the younger one filled
    is forgotten.
    """

    def __init__(self) -> None:
        self._young: dict[bytes, bytes] = {}
        self._old: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        value = self._young.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: bytes, value: bytes) -> None:
        """Of any key; only a hash is kept."""
        if len(key) == HASH_BYTES and len(value) <= CACHED_BYTES:
            if len(self._young) >= CACHED:
                self._old, self._young = self._young, {}
            self._young[key] = value

    def clear(self) -> None:
        self._young, self._old = {}, {}


class ChainReader(BaseDB):
    """A py-evm database that only reads. StorageError when the file cannot be read."""

    def __init__(self, path: Path, cache: NodeCache) -> None:
        self._path = path
        self._cache = cache
        try:
            self._db = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=10.0
            )
            self._db.execute("PRAGMA query_only=ON")
        except sqlite3.Error as error:
            raise unusable(path, error) from error

    def __getitem__(self, key: bytes) -> bytes:
        cached = self._cache.get(key)
        if cached is not None:
            return cached
        try:
            row = self._db.execute("SELECT value FROM kv WHERE key = ?", (key,)).fetchone()
        except sqlite3.Error as error:
            raise unusable(self._path, error) from error
        if row is None:
            raise KeyError(key)
        value = bytes(row[0])
        self._cache.put(key, value)
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        raise TypeError("this database is only read")

    def __delitem__(self, key: bytes) -> None:
        raise TypeError("this database is only read")

    def _exists(self, key: bytes) -> bool:
        try:
            self[key]
        except KeyError:
            return False
        return True

    def find_logs(
        self,
        first: int,
        last: int,
        addresses: Sequence[bytes],
        topics: Sequence[Sequence[bytes]],
        limit: int,
    ) -> list[LogEntry]:
        """Logs of blocks first..last, oldest first. TooMuch when there are more than `limit`, or
        8 MiB of data, or when it takes longer than two seconds.

        addresses: any of these, all when empty. topics: by position, any of these, empty for all.
        """
        terms, values = ["block BETWEEN ? AND ?"], [first, last]
        for column, any_of in [("address", addresses), *zip(TOPICS, topics, strict=False)]:
            if any_of:
                terms.append(f"{column} IN ({','.join('?' * len(any_of))})")
                values.extend(any_of)  # type: ignore[arg-type]
        sql = f"SELECT * FROM logs WHERE {' AND '.join(terms)} ORDER BY block, position LIMIT ?"
        deadline = time.monotonic() + LOGS_DEADLINE_S
        found: list[LogEntry] = []
        size = 0
        self._db.set_progress_handler(lambda: time.monotonic() > deadline, _LOOK_EVERY_STEPS)
        try:
            for r in self._db.execute(sql, (*values, limit + 1)):
                size += len(r[8])
                if len(found) == limit or size > MAX_LOGS_BYTES:
                    raise TooMuch(_too_many(limit, size), _whole_until(first, int(r[0])))
                topics_ = tuple(t for t in r[4:8] if t is not None)
                found.append(LogEntry(r[0], r[1], r[2], r[3], topics_, r[8]))
        except sqlite3.Error as error:
            if time.monotonic() > deadline:
                until = _whole_until(first, found[-1].block if found else (first + last) // 2)
                raise TooMuch("query took too long", until) from error
            raise unusable(self._path, error) from error
        finally:
            self._db.set_progress_handler(None, 0)
        return found

    def block_hashes(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """The hash of each canonical block. KeyError when one is missing."""
        from eth.db.schema import SchemaV1
        from rlp import decode

        lookup = SchemaV1.make_block_number_to_hash_lookup_key
        return {n: decode(self[lookup(n)]) for n in numbers}  # type: ignore[arg-type]

    def state_keys(self, block: int) -> list[bytes]:
        """State nodes that were written last by a block up to `block`."""
        return self._keys("state BETWEEN 1 AND ?", block)

    def history_keys(self, block: int) -> list[bytes]:
        """What only the blocks up to `block` need: their headers, transactions and receipts."""
        return self._keys("state BETWEEN ? AND -1", -block)

    def _keys(self, term: str, value: int) -> list[bytes]:
        try:
            found = self._db.execute(f"SELECT key FROM kv WHERE {term}", (value,))
            return [bytes(row[0]) for row in found]
        except sqlite3.Error as error:
            raise unusable(self._path, error) from error

    def close(self) -> None:
        self._db.close()


def unusable(path: Path, error: Exception) -> StorageError:
    return StorageError(
        f"The devnet cannot use {path}",
        str(error) or type(error).__name__,
        "Free disk space or repair the permissions; if the file is damaged, restore it from a "
        "backup or move it away: the swarm hosted here then starts again at round 0",
    )


def _too_many(limit: int, size: int) -> str:
    if size > MAX_LOGS_BYTES:
        return f"query returned more than {MAX_LOGS_BYTES >> 20} MiB"
    return f"query returned more than {limit} results"


def _whole_until(first: int, block: int) -> int | None:
    """The block before `block`, which is the one that was not read to its end."""
    return block - 1 if block > first else None
