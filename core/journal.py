"""The append-only journal of events: one SQLite table, one writing thread, bounded reads.

Promises: `kill -9` loses at most the events of the last `FLUSH_S` seconds and never damages the
file (WAL); a full disk costs one incident and is waited out with the newest events kept in memory;
the table never outgrows its limits, and thinning it never removes a `RoundFinished` of the last
`KEEP_ROUNDS` nor makes a total wrong. Metric events are not journalled. It knows nothing of what
events mean but the few names that thinning spares.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from core import events
from core.errors import StorageError
from core.thinning import Limits, thin

FLUSH_S = 0.25
RETRY_S = 3.0
MAX_WAITING = 20_000
"""Events kept in memory while the disk refuses; then the oldest go."""
THIN_EVERY = 2_000
"""Rows written between two looks at the limits."""
READ_LIMIT = 10_000

SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time REAL NOT NULL,
    round INTEGER,
    name TEXT NOT NULL,
    json TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS events_name ON events (name, id);
"""

logger = logging.getLogger(__name__)


class Journal:
    """`start` and `close` frame the writing; reading needs neither and works beside a writer."""

    def __init__(
        self, db_path: Path, bus: events.EventBus | None = None, limits: Limits | None = None
    ) -> None:
        self.path = db_path
        self._bus = bus
        self._limits = limits or Limits()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._waiting: deque[events.Event] = deque()
        self._since_thinned = THIN_EVERY
        self._failing = False
        self.lost = 0
        """Events that were never written because the disk refused for too long."""

    # --- writing ------------------------------------------------------------------------------

    def start(self) -> None:
        """Subscribe and begin to write. StorageError when the file cannot be used."""
        if self._bus is None:
            raise ValueError("a journal without a bus only reads")
        with _told(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path.touch(mode=0o600)
            self._connect().close()
        self._subscription = self._bus.subscribe()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what is left and stop. Returns after `timeout_s` even when the disk hangs."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        next_try = 0.0
        while True:
            last = self._stop.is_set()
            self._take()
            if self._waiting and (last or time.monotonic() >= next_try):
                try:
                    connection = connection or self._connect()
                    self._write(connection)
                    self._recovered()
                except (sqlite3.Error, OSError) as error:
                    if connection is not None:
                        connection.close()
                        connection = None
                    next_try = time.monotonic() + RETRY_S
                    self._failed(error)
            if last:
                break
            # Emitters must not be slowed by a wake-up each: look, then wait for the next batch.
            self._stop.wait(FLUSH_S)
        if connection is not None:
            connection.close()

    def _take(self) -> None:
        for event in self._subscription.drain():
            if not event.METRIC:
                self._waiting.append(event)
        while len(self._waiting) > MAX_WAITING:
            self._waiting.popleft()
            self.lost += 1

    def _write(self, connection: sqlite3.Connection) -> None:
        batch = list(self._waiting)
        rows = [(e.time, _small(e.round), e.NAME, events.to_json(e)) for e in batch]
        with connection:
            connection.executemany(
                "INSERT INTO events (time, round, name, json) VALUES (?, ?, ?, ?)", rows
            )
        for _ in batch:
            self._waiting.popleft()
        self._since_thinned += len(batch)
        if self._since_thinned >= THIN_EVERY:
            thin(connection, self._limits)
            self._since_thinned = 0

    def _failed(self, error: Exception) -> None:
        if self._failing or self._bus is None:
            return
        self._failing = True
        logger.warning("the journal cannot be written: %s", error)
        self._bus.emit(
            events.Incident(
                code="journal_unwritable",
                what=f"The journal {self.path} cannot be written",
                why=str(error),
                next_step="Free some disk space; the node goes on and writes it down later",
            )
        )
        self._bus.emit(
            events.ServiceChanged(service="journal", status="degraded", detail=str(error))
        )

    def _recovered(self) -> None:
        if self._failing and self._bus is not None:
            self._failing = False
            detail = f"{self.lost} events were lost" if self.lost else "nothing was lost"
            self._bus.emit(events.ServiceChanged(service="journal", status="up", detail=detail))

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=5.0)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.executescript(SCHEMA)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    # --- reading ------------------------------------------------------------------------------

    def read(
        self,
        after_id: int = -1,
        limit: int = READ_LIMIT,
        names: Sequence[str] | None = None,
    ) -> list[tuple[int, events.Event]]:
        """At most `limit` events with a larger id, oldest first; [] when there is no journal.

        Rows that this version cannot read are left out. StorageError.
        """
        if not self.path.exists():
            return []
        limit = max(0, min(limit, READ_LIMIT))
        clause = f" AND name IN ({','.join('?' * len(names))})" if names is not None else ""
        query = f"SELECT id, json FROM events WHERE id > ?{clause} ORDER BY id LIMIT ?"
        with _told(self.path):
            rows = self._query(query, (after_id, *(names or ()), limit))
        return [(row_id, event) for row_id, text in rows if (event := _decode(text)) is not None]

    def tail(self, limit: int, names: Sequence[str]) -> list[events.Event]:
        """The newest `limit` events of these names, oldest first. StorageError."""
        if not self.path.exists():
            return []
        marks = ",".join("?" * len(names))
        query = f"SELECT id, json FROM events WHERE name IN ({marks}) ORDER BY id DESC LIMIT ?"
        with _told(self.path):
            rows = self._query(query, (*names, min(limit, READ_LIMIT)))
        found = [_decode(text) for _, text in reversed(rows)]
        return [event for event in found if event is not None]

    def time_of_round(self, number: int) -> float | None:
        """When a round ended, or, if it is under way, began; Unix seconds. StorageError."""
        if not self.path.exists():
            return None
        query = "SELECT id, json FROM events WHERE name = ? AND round = ? ORDER BY id DESC LIMIT 1"
        for name in ("round_finished", "round_started"):
            with _told(self.path):
                rows = self._query(query, (name, _small(number)))
            if rows and (event := _decode(rows[0][1])) is not None:
                return event.time
        return None

    def events(self) -> Iterator[events.Event]:
        """The whole journal, oldest first, in bounded reads: food for `core.fold.replay`."""
        after = -1
        while True:
            ids = self._page(after)
            if not ids:
                return
            for row_id, text in ids:
                after = row_id
                event = _decode(text)
                if event is not None:
                    yield event

    def export(self, out: TextIO) -> int:
        """One JSON object a line, as `run --json` prints them; how many."""
        count = 0
        for event in self.events():
            out.write(events.to_json(event) + "\n")
            count += 1
        return count

    def _page(self, after: int) -> list[tuple[int, str]]:
        if not self.path.exists():
            return []
        query = "SELECT id, json FROM events WHERE id > ? ORDER BY id LIMIT ?"
        with _told(self.path):
            return self._query(query, (after, READ_LIMIT))

    def _query(self, query: str, values: tuple[object, ...]) -> list[tuple[int, str]]:
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0
        )
        try:
            return connection.execute(query, values).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise
        finally:
            connection.close()


class _told:
    """Turn what SQLite says in the block into a StorageError that names the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, (sqlite3.Error, OSError)):
            return
        damaged = "not a database" in str(error) or "malformed" in str(error)
        step = (
            "Move the file away to start a new one; keep it, your ledger is in it"
            if damaged
            else "Check disk space and permissions, then start again"
        )
        raise StorageError(f"Cannot use the journal {self._path}", str(error), step) from error


def _small(round: int | None) -> int | None:
    """SQLite's integers have 64 bits; a foreign coordinator's may have 256."""
    return round if round is None or abs(round) < 2**63 else None


def _decode(text: str) -> events.Event | None:
    try:
        data = json.loads(text)
    except ValueError:
        return None
    return events.from_dict(data) if isinstance(data, dict) else None
