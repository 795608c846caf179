"""Keeps the events table inside its limits: what may go from an old journal, and in which order.

First the details of old rounds go (tasks, groups, peers, rollouts, ...), and of events that each
replace the one before, all but the newest. When that is not enough, every second of the old
`RoundFinished` and settled submissions goes too. What they counted, and what they told of each
peer, is kept in one `HistoryThinned` row with id 0, in front of all others, so that a replay still
has the node's totals right.
"""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import dataclass, replace

from core import events, fold_swarm
from core.fold import replay

SPARED = ("round_finished", "node_started", "history_thinned")
COUNTED = ("peer_seen", "group_admitted", "group_rejected")
"""What of the details is added up."""
REPLACED = {"leaderboard_read": 1, "gossip_heard": 3}
"""Events of which only so many, the newest, mean anything."""


@dataclass(frozen=True)
class Limits:
    """max_rows, max_bytes: of the events table. keep_rounds: newest rounds never touched."""

    max_rows: int = 20_000
    max_bytes: int = 64 * 2**20
    keep_rounds: int = 500


def thin(connection: sqlite3.Connection, limits: Limits) -> bool:
    """Bring the table to about three quarters of its limits, in one transaction. Whether it ran."""
    if not _too_large(connection, limits, 1.0):
        return False
    with connection:
        border, few = _border(connection, limits)
        settled = "name = 'submission_changed' AND json_extract(json, '$.status') IN (?, ?)"
        held = "name = 'peer_quarantined' AND json_extract(json, '$.until') > ?"
        kept = [*SPARED, *_replace(connection)]
        marks = ",".join("?" * len(kept))
        _add_up(connection, border)
        connection.execute(
            f"DELETE FROM events WHERE id > 0 AND id < ? AND name NOT IN ({marks})"
            f" AND NOT ({settled}) AND NOT ({held})",
            (border, *kept, "confirmed", "failed", time.time()),
        )
        for _ in range(12):
            if not _too_large(connection, limits, 0.75) or not _halve(connection, border, few):
                break
    return True


def _too_large(connection: sqlite3.Connection, limits: Limits, share: float) -> bool:
    rows, size = connection.execute("SELECT COUNT(*), SUM(LENGTH(json)) FROM events").fetchone()
    return rows > limits.max_rows * share or (size or 0) > limits.max_bytes * share


def _border(connection: sqlite3.Connection, limits: Limits) -> tuple[int, bool]:
    """The id from which on everything stays: where the newest `keep_rounds` rounds begin.

    And whether there are fewer rounds than that, so that none of them may go.
    """
    found = connection.execute(
        "SELECT id FROM events WHERE name = 'round_finished' ORDER BY id DESC LIMIT 1 OFFSET ?",
        (limits.keep_rounds,),
    ).fetchone()
    if found:
        return int(found[0]) + 1, False
    # Few rounds but many rows: something else is noisy, so the older half of it may go.
    (middle,) = connection.execute(
        "SELECT id FROM events ORDER BY id LIMIT 1 OFFSET (SELECT COUNT(*) / 2 FROM events)"
    ).fetchone()
    return int(middle), True


def _replace(connection: sqlite3.Connection) -> list[str]:
    """Drop what a newer event has replaced; the names of these events, whose newest stay."""
    for name, many in REPLACED.items():
        connection.execute(
            "DELETE FROM events WHERE name = ? AND id NOT IN"
            " (SELECT id FROM events WHERE name = ? ORDER BY id DESC LIMIT ?)",
            (name, name, many),
        )
    return list(REPLACED)


def _add_up(connection: sqlite3.Connection, border: int) -> None:
    """Count what the details in front of the border tell of peers, before they go."""
    marks = ",".join("?" * len(COUNTED))
    rows = connection.execute(
        f"SELECT json FROM events WHERE id > 0 AND id < ? AND name IN ({marks}) ORDER BY id",
        (border, *COUNTED),
    )
    found = [event for (text,) in rows if (event := events.from_dict(json.loads(text)))]
    if not found:
        return
    old = _thinned(connection)
    counts, peers = fold_swarm.summary(replay([old, *found]))
    _keep(connection, replace(old, counts={**old.counts, **counts}, peers=peers))


def _halve(connection: sqlite3.Connection, border: int, spare_rounds: bool) -> bool:
    """Drop every second row in front of the border and count what it stood for."""
    rows = connection.execute(
        "SELECT id, name, json FROM events WHERE id > 0 AND id < ? AND name != ? ORDER BY id",
        (border, "round_finished" if spare_rounds else ""),
    ).fetchall()
    gone = [row for name in {row[1] for row in rows} for row in _of(rows, name)[1::2]]
    if not gone:
        return False
    thinned = _thinned(connection)
    counts = dict(thinned.counts)
    for _, name, text in gone:
        key = _counts_as(name, text)
        if key:
            counts[key] = counts.get(key, 0) + 1
    connection.executemany("DELETE FROM events WHERE id = ?", [(row_id,) for row_id, _, _ in gone])
    _keep(connection, replace(thinned, counts=counts))
    return True


def _of(rows: list[tuple[int, str, str]], name: str) -> list[tuple[int, str, str]]:
    return [row for row in rows if row[1] == name]


def _thinned(connection: sqlite3.Connection) -> events.HistoryThinned:
    found = connection.execute("SELECT json FROM events WHERE id = 0").fetchone()
    event = events.from_dict(json.loads(found[0])) if found else None
    return event if isinstance(event, events.HistoryThinned) else events.HistoryThinned()


def _keep(connection: sqlite3.Connection, event: events.HistoryThinned) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO events (id, time, round, name, json) VALUES (0, ?, NULL, ?, ?)",
        (time.time(), event.NAME, events.to_json(replace(event, time=time.time()))),
    )


def _counts_as(name: str, text: str) -> str:
    if name == "round_finished":
        return "rounds"
    if name != "submission_changed":
        return ""
    data = json.loads(text)
    return f"{data.get('kind')}/{data.get('status')}"
