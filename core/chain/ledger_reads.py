"""Questions to the tables of the ledger: for the sender, for totals, for reports. Nothing is
written, and no answer is longer than its limit."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from core.chain.ledger_rows import ELSEWHERE, LedgerRow, OutboxRow, Totals, Waiting

_OUTBOX = (
    "id, swarm, peer_id, kind, round, stage, value, status, tx_hash, error, code, attempts, "
    "created, updated, hashes, failures, next_try, block, gas_used, fee_wei"
)
_LEDGER = "swarm, peer_id, round, stage, reward, reward_mean, winners, time, bonus, submission"
_OPEN = "status IN ('pending', 'sent')"
_MINE = "swarm = ? AND peer_id = ?"
GWEI = 10**9


def outbox(db: sqlite3.Connection, where: str, values: Sequence[object]) -> list[OutboxRow]:
    found = db.execute(f"SELECT {_OUTBOX} FROM outbox WHERE {where}", values)
    names = [column[0] for column in found.description]
    rows = (dict(zip(names, each, strict=True)) for each in found.fetchall())
    return [OutboxRow(**{**each, "hashes": tuple(each["hashes"].split())}) for each in rows]


def ledger(db: sqlite3.Connection, where: str, values: Sequence[object]) -> list[LedgerRow]:
    found = db.execute(f"SELECT {_LEDGER} FROM ledger WHERE {where}", values)
    names = [column[0] for column in found.description]
    rows = (dict(zip(names, each, strict=True)) for each in found.fetchall())
    return [LedgerRow(**{**each, "winners": json.loads(each["winners"])}) for each in rows]


# --- the sender's -----------------------------------------------------------------------------


def due(
    db: sqlite3.Connection, swarm: str, peer_id: str, now: float | None, limit: int
) -> list[OutboxRow]:
    """What may be tried at `now` (None: all that is open), in sending order: the newest round's
    reward (the clock waits for it), then everything else as it came."""
    mine = (swarm, peer_id)
    # The plus keeps SQLite from choosing the index by next_try, and sorting all that waits by id.
    rest = outbox(
        db,
        f"{_MINE} AND {_OPEN} AND +next_try <= ? ORDER BY id LIMIT ?",
        (*mine, 1e300 if now is None else now, limit),
    )
    newest = outbox(
        db, f"{_MINE} AND kind = 'reward' AND {_OPEN} ORDER BY round DESC LIMIT 1", mine
    )
    if now is not None:
        newest = [row for row in newest if row.next_try <= now]
    return [*newest, *(row for row in rest if row not in newest)]


def confirmed(
    db: sqlite3.Connection, swarm: str, peer_id: str, after: int, limit: int
) -> list[OutboxRow]:
    """What is not credited yet, with a larger id than `after`, oldest first."""
    where = f"{_MINE} AND status = 'confirmed' AND id > ? ORDER BY id LIMIT ?"
    return outbox(db, where, (swarm, peer_id, after, limit))


def newest_credited(
    db: sqlite3.Connection, swarm: str, peer_id: str, limit: int
) -> list[OutboxRow]:
    """Of the highest blocks first, which a chain that goes back loses first."""
    where = f"{_MINE} AND status = 'credited' ORDER BY block DESC, id DESC LIMIT ?"
    return outbox(db, where, (swarm, peer_id, limit))


def next_try(db: sqlite3.Connection, swarm: str, peer_id: str) -> float | None:
    """Unix seconds of the earliest attempt at what is open; 0 for at once; None for nothing."""
    found = db.execute(
        f"SELECT MIN(next_try) FROM outbox WHERE {_MINE} AND {_OPEN}", (swarm, peer_id)
    ).fetchone()[0]
    return None if found is None else float(found)


def waiting(db: sqlite3.Connection, swarm: str, peer_id: str) -> Waiting:
    mine = (swarm, peer_id)
    rounds, reward, oldest = db.execute(
        "SELECT COUNT(*), COALESCE(SUM(reward + bonus), 0), COALESCE(MIN(time), 0) FROM ledger"
        f" WHERE {_MINE} AND submission IS NULL",
        mine,
    ).fetchone()
    last = db.execute(
        f"SELECT created FROM outbox WHERE {_MINE} AND kind = 'reward'"
        " ORDER BY round DESC, stage DESC LIMIT 1",
        mine,
    ).fetchone()
    return Waiting(rounds, reward, oldest, None if last is None else float(last[0]))


def has_round(db: sqlite3.Connection, swarm: str, peer_id: str, round: int, stage: int) -> bool:
    """Also for a round whose row was pruned."""
    found = db.execute(
        f"SELECT 1 FROM ledger WHERE {_MINE} AND round = ? AND stage = ?",
        (swarm, peer_id, round, stage),
    ).fetchone()
    return found is not None or round <= sums(db, swarm, peer_id).get("pruned_round", -1)


# --- totals -----------------------------------------------------------------------------------


def sums(db: sqlite3.Connection, swarm: str, peer_id: str) -> dict[str, int]:
    """What pruned rows added up to, by name."""
    found = db.execute(
        f"SELECT name, amount FROM ledger_sums WHERE {_MINE}", (swarm, peer_id)
    ).fetchall()
    return {name: int(amount) for name, amount in found}


def totals(db: sqlite3.Connection, swarm: str, peer_id: str) -> Totals:
    mine = (swarm, peer_id)
    gone = sums(db, swarm, peer_id)
    rounds, points, bonus = db.execute(
        f"SELECT COUNT(*), COALESCE(SUM(reward), 0), COALESCE(SUM(bonus), 0) FROM ledger"
        f" WHERE {_MINE}",
        mine,
    ).fetchone()
    by_kind: dict[str, dict[str, int]] = {}
    value: dict[str, int] = {}
    elsewhere = gone.get("elsewhere", 0)
    gas, fee = gone.get("gas_used", 0), gone.get("fee_wei", 0)
    for kind, status, code, count, worth, gas_used, gwei, wei in _grouped(db, "1", mine):
        by_kind.setdefault(kind, {}).setdefault(status, 0)
        by_kind[kind][status] += count
        if kind == "reward":
            value[status] = value.get(status, 0) + worth
        elsewhere += count if code == ELSEWHERE else 0
        gas += gas_used
        fee += gwei * GWEI + wei
    for name, amount in gone.items():
        kind, _, status = name.partition("/")
        if kind == "value":
            value[status] = value.get(status, 0) + amount
        elif status:
            by_kind.setdefault(kind, {})
            by_kind[kind][status] = by_kind[kind].get(status, 0) + amount
    still = waiting(db, swarm, peer_id)
    bonus += gone.get("bonus", 0)
    return Totals(
        rounds=rounds + gone.get("rounds", 0),
        reward=points + gone.get("points", 0) + bonus,
        bonus=bonus,
        waiting=still.rounds,
        waiting_reward=still.reward,
        by_kind=by_kind,
        value=value,
        elsewhere=elsewhere,
        gas_used=gas,
        fee_wei=fee,
        next_try=next_try(db, swarm, peer_id),
    )


def _grouped(db: sqlite3.Connection, where: str, values: Sequence[object]) -> list[Any]:
    """(kind, status, code if elsewhere, count, reward, gas, gwei, wei) of the rows of `where`.

    Fees are summed in two parts: in one they would leave 64 bits after nine ether.
    """
    return db.execute(
        "SELECT kind, status, CASE code WHEN ? THEN code ELSE '' END AS origin, COUNT(*),"
        " SUM(CASE kind WHEN 'reward' THEN CAST(value AS INTEGER) ELSE 0 END), SUM(gas_used),"
        f" SUM(fee_wei / {GWEI}), SUM(fee_wei % {GWEI})"
        f" FROM outbox WHERE {_MINE} AND {where} GROUP BY kind, status, origin",
        (ELSEWHERE, *values),
    ).fetchall()


def sums_of(db: sqlite3.Connection, where: str, values: Sequence[object]) -> dict[str, int]:
    """What the outbox rows of `where` add up to, named as in `ledger_sums`. values: swarm and peer
    id first."""
    out: dict[str, int] = {}

    def add(name: str, amount: int) -> None:
        out[name] = out.get(name, 0) + amount

    for kind, status, code, count, worth, gas_used, gwei, wei in _grouped(db, where, values):
        add(f"{kind}/{status}", count)
        if kind == "reward":
            add(f"value/{status}", worth)
        add("elsewhere", count if code == ELSEWHERE else 0)
        add("gas_used", gas_used)
        add("fee_wei", gwei * GWEI + wei)
    return out


# --- reports ----------------------------------------------------------------------------------


def owners(db: sqlite3.Connection) -> list[tuple[str, str, int, int]]:
    """(swarm, peer id, rounds, open submissions) of all that ever recorded here, newest first."""
    found = db.execute(
        "SELECT swarm, peer_id, MAX(newest) AS newest, SUM(rounds), SUM(open) FROM ("
        " SELECT swarm, peer_id, MAX(created) AS newest, 0 AS rounds,"
        f" SUM({_OPEN}) AS open FROM outbox GROUP BY swarm, peer_id"
        " UNION ALL SELECT swarm, peer_id, MAX(time), COUNT(*), 0 FROM ledger"
        " GROUP BY swarm, peer_id"
        " UNION ALL SELECT swarm, peer_id, 0, CAST(amount AS INTEGER), 0 FROM ledger_sums"
        " WHERE name = 'rounds') GROUP BY swarm, peer_id ORDER BY newest DESC LIMIT 64"
    ).fetchall()
    return [(swarm, peer_id, rounds, still) for swarm, peer_id, _, rounds, still in found]


def latest_swarm(db: sqlite3.Connection, peer_id: str) -> str:
    """The swarm this peer last recorded or registered in; empty when there is none."""
    found = db.execute(
        "SELECT swarm FROM outbox WHERE peer_id = ? ORDER BY id DESC LIMIT 1", (peer_id,)
    ).fetchone()
    return str(found[0]) if found else ""
