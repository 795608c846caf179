"""Keeps the events table inside its limits: what may go from an old journal, and in which order.

First the details of old rounds go (tasks, groups, peers, rollouts, ...), and of events that each
replace the one before, all but the newest. When that is not enough, old rounds of one training run
merge in pairs (`core/merged_rounds.py`), and every second settled submission goes. What they
counted, and what they told of each peer, is kept in one `HistoryThinned` row with id 0, in front of
all others, so that a replay still has the node's totals right, and its charts every spike.
"""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import dataclass, replace

from core import events, fold_swarm
from core.fold import replay
from core.fold_rollouts import MAX_SHOWN
from core.merged_rounds import merge, span

STARTS = ("node_started", "model_loaded")
"""Where one training run ends and the next begins."""
MANY_STARTS = 200
"""Fewer of each are all kept."""
ROUNDS = ("round_finished", "rounds_merged")
Row = tuple[int, str, str]
SPARED = (*ROUNDS, *STARTS, "history_thinned")
COUNTED = ("peer_seen", "group_admitted", "group_rejected")
"""What of the details is added up."""
REPLACED = {
    "leaderboard_read": 1,
    "gossip_heard": 3,
    "rewards_counted": 1,
    "machine_read": 1,
    "rollout_shown": MAX_SHOWN,
}
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
    """Make one row of two in front of the border, and count what went. Whether anything did."""
    rows = connection.execute(
        "SELECT id, name, json FROM events WHERE id > 0 AND id < ? ORDER BY id", (border,)
    ).fetchall()
    pairs = [] if spare_rounds else _neighbours(rows)
    gone = [older for older, _, _ in pairs]
    for name in {row[1] for row in rows} - {*ROUNDS}:
        named = _of(rows, name)
        if name not in STARTS or len(named) > MANY_STARTS:
            gone += named[1::2]
    if not gone:
        return False
    thinned = _thinned(connection)
    counts = dict(thinned.counts)
    for _, name, text in (*gone, *(newer for _, newer, _ in pairs)):
        key = _counts_as(name, text)
        if key:
            counts[key] = counts.get(key, 0) + 1
    connection.executemany("DELETE FROM events WHERE id = ?", [(row_id,) for row_id, _, _ in gone])
    connection.executemany(
        "UPDATE events SET name = ?, json = ? WHERE id = ?",
        [(events.RoundsMerged.NAME, text, newer[0]) for _, newer, text in pairs],
    )
    _keep(connection, replace(thinned, counts=counts))
    return True


def _neighbours(rows: list[Row]) -> list[tuple[Row, Row, str]]:
    """Pairs of rounds, older first, each with what replaces it.

    No start of a node stands between them, nor a swarm that counts from the start again.
    """
    pairs = []
    waiting: tuple[Row, events.Event] | None = None
    for row in rows:
        if row[1] in STARTS:
            waiting = None
        event = events.from_dict(json.loads(row[2])) if row[1] in ROUNDS else None
        # A row of another version, or of a round without a usable number, stays as it is.
        if event is None or event.round is None or abs(event.round) >= 2**63:
            continue
        if waiting is None or span(waiting[1])[1] > span(event)[0]:
            waiting = (row, event)
        else:
            pairs.append((waiting[0], row, events.to_json(merge(waiting[1], event))))
            waiting = None
    return pairs


def _of(rows: list[Row], name: str) -> list[Row]:
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
