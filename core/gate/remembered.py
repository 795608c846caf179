"""What admission remembers of the past, in memory and in `node.db`: digests and strikes.

The newest DIGESTS groups that were mine or let in, so that a copy is known, and every peer's
account in the quarantine's book. One commit a round, of what is new in it; `kill -9` costs at most
the round in which it came. Without a path nothing outlives the object. Worker thread only.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from pathlib import Path

from core.errors import StorageError
from core.gate.quarantine import MAX_PEERS, Book, Standing, is_held
from core.home import storage_errors

DIGESTS = 20_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS seen_digests (number INTEGER PRIMARY KEY, digest BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS standings (
    account TEXT PRIMARY KEY, strikes REAL NOT NULL, at REAL NOT NULL, held INTEGER NOT NULL,
    until REAL NOT NULL, times INTEGER NOT NULL, reason TEXT NOT NULL);
"""


class Remembered:
    """Two bounded tables. `book` is replaced as a whole by whoever books something in."""

    def __init__(self, path: Path | None = None) -> None:
        """Read what an earlier run has left. StorageError when the file cannot be used."""
        self.book: Book = {}
        self._order: deque[bytes] = deque()
        self._digests: set[bytes] = set()
        self._fresh: deque[bytes] = deque(maxlen=DIGESTS)
        self._written: Book = {}
        self._path = path
        self._db: sqlite3.Connection | None = None
        if path is not None:
            with storage_errors(path):
                path.touch(mode=0o600, exist_ok=True)
            self._read(path)

    def __contains__(self, digest: object) -> bool:
        """Whether this group, by its hex digest, is among those remembered."""
        return isinstance(digest, str) and _short(digest) in self._digests

    def __len__(self) -> int:
        return len(self._digests)

    def holds(self, peer_id: str) -> bool:
        """Whether this peer's signed contributions are left alone now."""
        return is_held(self.book, peer_id)

    def add(self, digest: str) -> None:
        """Remember a group by its hex digest; the oldest makes room."""
        short = _short(digest)
        if short not in self._digests:
            self._fresh.append(short)
            self._keep(short)

    def _keep(self, short: bytes) -> None:
        self._digests.add(short)
        self._order.append(short)
        if len(self._order) > DIGESTS:
            self._digests.discard(self._order.popleft())

    def commit(self) -> None:
        """Write what is new. StorageError when the disk refuses; the next commit tries again."""
        if self._db is None or not (self._fresh or self.book is not self._written):
            return
        try:
            with self._db:
                self._write(self._db)
        except sqlite3.Error as error:
            raise self._told(error) from error
        self._fresh.clear()
        self._written = self.book

    def close(self) -> None:
        """Without a commit."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _write(self, db: sqlite3.Connection) -> None:
        db.executemany(
            "INSERT INTO seen_digests (digest) VALUES (?)", [(each,) for each in self._fresh]
        )
        db.execute(
            "DELETE FROM seen_digests WHERE number <= (SELECT MAX(number) FROM seen_digests) - ?",
            (DIGESTS,),
        )
        gone = [(name,) for name in self._written if name not in self.book]
        db.executemany("DELETE FROM standings WHERE account = ?", gone)
        changed = [
            (name, each.strikes, each.at, each.held, each.until, each.times, each.reason)
            for name, each in self.book.items()
            if self._written.get(name) != each
        ]
        db.executemany("INSERT OR REPLACE INTO standings VALUES (?,?,?,?,?,?,?)", changed)

    def _read(self, path: Path) -> None:
        try:
            self._db = sqlite3.connect(path, timeout=5.0, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute("PRAGMA cache_size=-256")  # KiB; it is read once and then appended to
            self._db.executescript(_SCHEMA)
            rows = self._db.execute(
                "SELECT digest FROM seen_digests ORDER BY number DESC LIMIT ?", (DIGESTS,)
            )
            for (digest,) in reversed(rows.fetchall()):
                self._keep(bytes(digest))
            accounts = self._db.execute(
                "SELECT account, strikes, at, held, until, times, reason FROM standings LIMIT ?",
                (MAX_PEERS,),
            )
            self.book = self._written = {
                name: Standing(strikes, at, bool(held), until, times, reason)
                for name, strikes, at, held, until, times, reason in accounts
            }
        except sqlite3.Error as error:
            self.close()
            raise self._told(error) from error

    def _told(self, error: Exception) -> StorageError:
        return StorageError(
            f"Cannot use {self._path}, which remembers what peers did",
            str(error),
            "Check disk space and permissions; the round goes on without it",
        )


def _short(digest: str) -> bytes:
    """Half of a SHA-256 is plenty to know a copy by, and it is held thousands of times."""
    return bytes.fromhex(digest)[:16]
