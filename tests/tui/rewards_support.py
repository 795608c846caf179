"""A ledger of any length for the rewards screen: a real `node.db`, and what the node says of it."""

from __future__ import annotations

import json

from core import events
from core.chain import figures, line
from core.chain.ledger import LedgerStore
from core.chain.ledger_rows import LedgerRow
from core.chain.policy import Policy
from core.errors import TransientError
from core.home import Home
from tests.tui.support import ACCOUNT, ME, OTHERS, START

SWARM = "31337:0x5FbDB2315678afecb367f032d93F642f64180aa3:1a2b3c4d"
NOW = START + 4 * 245
FAILED = (7, 231)
"""Rounds whose reward was refused."""


def fill(home: Home, rounds: int, now: float = NOW) -> None:
    """Round 1 to `rounds`: all credited but the last eight, which are on their way."""
    home.create()
    store = LedgerStore(home.db, keep_rounds=10**9)
    with store.transaction() as db:
        for number in range(1, rounds + 1):
            left, time = rounds - number, now - 4 * (rounds - number)
            status = "credited" if left > 7 else "confirmed" if left > 3 else "sent"
            status = "pending" if left < 2 else "failed" if number in FAILED else status
            refused = ("RewardRefused: the round is over", "RewardRefused")
            error, code = refused if status == "failed" else ("", "")
            mined = status in ("credited", "confirmed")
            ids = []
            for kind, value in (("reward", str(number % 9)), ("winner", next(iter(OTHERS)))):
                tx = f"0x{(number * 2 + (kind == 'winner')) * 7919:064x}"
                tx = "" if status == "pending" else tx
                row = (
                    *(SWARM, ME, kind, number, 0, value, status, tx),
                    *((error, code) if kind == "reward" else ("", "")),
                    *(int(status != "pending"), time, time + 1, tx, 0, 0.0),
                    *((number + 40, 61_234, 91_851_000_000_000) if mined else (0, 0, 0)),
                )
                ids.append(
                    db.execute(
                        "INSERT INTO outbox (swarm, peer_id, kind, round, stage, value, status,"
                        " tx_hash, error, code, attempts, created, updated, hashes, failures,"
                        " next_try, block, gas_used, fee_wei)"
                        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                        row,
                    ).lastrowid
                )
            winners = json.dumps(list(OTHERS)[:1])
            db.execute(
                "INSERT INTO ledger VALUES (?,?,?,?,?,?,?,?,?,?)",
                (SWARM, ME, number, 0, number % 9, number % 9 / 16, winners, time, 0, ids[0]),
            )
    store.close()


def train(home: Home, number: int, time: float = NOW) -> None:
    """One more round, on top of the ledger."""
    store = LedgerStore(home.db)
    store.record_round(LedgerRow(SWARM, ME, number, 0, 5, 0.3, list(OTHERS)[:1], time))
    store.close()


def told(home: Home, trouble: bool = False, owner: str = ACCOUNT) -> list[events.Event]:
    """What the node says of this ledger, by its own functions."""
    store = LedgerStore(home.db)
    error = TransientError(
        "The chain cannot be reached", "connection refused", "Check chain.rpc_url"
    )
    obstacle = line.Line(NOW - 90, NOW + 20, 6, "ChainDown", error.what, error.why, error.next_step)
    line.save(store, ME, obstacle if trouble else line.Line())
    counted = figures.counted(store, SWARM, ME, Policy(), obstacle if trouble else line.Line())
    totals = store.totals(SWARM, ME)
    store.close()
    at = {"time": NOW, "swarm": SWARM, "peer_id": ME}
    mine = sum(totals.value.get(status, 0) for status in ("confirmed", "credited"))
    votes = totals.count("confirmed", "credited", kind="winner")
    kept = {**vars(counted), "time": NOW, "account": ACCOUNT, "owner": owner}
    return [
        events.RewardsCounted(**kept),
        events.CountersRead(
            **at,
            participation=votes,
            wins=61,
            total_reward=mine - 7,
            balance_wei=5 * 10**17,
            round_cost_wei=18 * 10**13,
            counted_reward=mine,
            counted_votes=votes,
        ),
    ]
