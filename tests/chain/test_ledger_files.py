"""Files of earlier versions, files that grow for years, and how long a look takes in either."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path

from core.chain import ledger_reads as reads
from core.chain import origins
from core.chain.ledger import LedgerStore
from core.chain.ledger_rows import LedgerRow
from core.chain.policy import Policy
from core.protocols import Receipt

FIRST_VERSION = """
CREATE TABLE ledger (
    swarm TEXT NOT NULL, peer_id TEXT NOT NULL, round INTEGER NOT NULL, stage INTEGER NOT NULL,
    reward INTEGER NOT NULL, reward_mean REAL NOT NULL, winners TEXT NOT NULL, time REAL NOT NULL,
    PRIMARY KEY (swarm, peer_id, round, stage));
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    swarm TEXT NOT NULL, peer_id TEXT NOT NULL, kind TEXT NOT NULL,
    round INTEGER NOT NULL, stage INTEGER NOT NULL, value TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'pending', tx_hash TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '', code TEXT NOT NULL DEFAULT '',
    attempts INTEGER NOT NULL DEFAULT 0, created REAL NOT NULL, updated REAL NOT NULL,
    UNIQUE (swarm, peer_id, kind, round, stage));
CREATE INDEX outbox_open ON outbox (swarm, peer_id, status);
"""
"""As `waggle` made it before a submission had a receipt."""


def first_version(path: Path, rounds: int) -> None:
    with sqlite3.connect(path) as db:
        db.executescript(FIRST_VERSION)
        insert = (
            "INSERT INTO outbox (swarm, peer_id, kind, round, stage, value, status, tx_hash,"
            " attempts, created, updated) VALUES ('s','p',?,?,0,?,?,?,1,?,?)"
        )
        db.execute(insert, ("register", -1, "p", "confirmed", "0xr", 1.0, 1.0))
        for n in range(rounds):
            status = "pending" if n == rounds - 1 else "failed" if n == 0 else "confirmed"
            row = ("s", "p", n, 0, n * 2, 0.5, json.dumps(["w"]), float(n))
            db.execute("INSERT INTO ledger VALUES (?,?,?,?,?,?,?,?)", row)
            for kind, value in (("reward", str(n * 2)), ("winner", "w")):
                db.execute(insert, (kind, n, value, status, f"0x{n}", float(n), float(n)))
    db.close()


def test_a_file_of_the_first_version_keeps_every_row_and_submits_none_again(
    tmp_path: Path,
) -> None:
    first_version(tmp_path / "node.db", 5)
    for _ in range(2):  # a second start finds nothing to do
        store = LedgerStore(tmp_path / "node.db")
        totals = store.totals("s", "p")
        assert (totals.rounds, totals.reward, totals.waiting) == (5, 20, 0)
        assert (totals.credited, totals.failed, totals.pending) == (7, 2, 2)
        assert store.gather("s", "p", Policy()) == []
        assert {row.round for row in store.due("s", "p")} == {4}
        rewards = {row.round: row for row in store.rows() if row.kind == "reward"}
        assert rewards[1].hashes == ("0x1",)
        assert {row.round: row.submission for row in store.ledger()} == {
            n: row.id for n, row in rewards.items()
        }
        store.close()


def test_a_file_of_the_first_version_goes_on(tmp_path: Path) -> None:
    first_version(tmp_path / "node.db", 3)
    store = LedgerStore(tmp_path / "node.db")
    assert store.record_round(LedgerRow("s", "p", 2, 0, 9, 0.5, ["w"])) == []
    made = store.record_round(LedgerRow("s", "p", 3, 0, 9, 0.5, ["w"]))
    assert [row.kind for row in made] == ["reward", "winner"]
    assert not store.ensure_registration("s", "p")[1]
    store.close()


def many(store: LedgerStore, rounds: int) -> None:
    """As many rounds, none of them sent, in one transaction."""
    with store.transaction() as db:
        db.executemany(
            "INSERT INTO ledger VALUES ('s','p',?,0,3,0.5,'[\"w\"]',?,1,?)",
            [(n, float(n), 2 * n + 1) for n in range(rounds)],
        )
        db.executemany(
            "INSERT INTO outbox (id, swarm, peer_id, kind, round, stage, value, created, updated)"
            " VALUES (?,'s','p',?,?,0,?,?,?)",
            [
                (2 * n + 1 + i, kind, n, value, float(n), float(n))
                for n in range(rounds)
                for i, (kind, value) in enumerate((("reward", "4"), ("winner", "w")))
            ],
        )


def test_ten_thousand_submissions_that_wait_cost_a_look_nothing(tmp_path: Path) -> None:
    store = LedgerStore(tmp_path / "node.db")
    many(store, 5_000)
    began = time.perf_counter()
    for _ in range(100):
        (first, *_) = store.due("s", "p", 1e12, limit=1)
        store.ask(reads.next_try, "s", "p")
        store.ask(reads.waiting, "s", "p")
    look_ms = (time.perf_counter() - began) * 10
    assert (first.kind, first.round) == ("reward", 4_999)
    began = time.perf_counter()
    totals = store.totals("s", "p")
    totals_ms = (time.perf_counter() - began) * 1000
    assert (totals.pending, totals.value["pending"]) == (10_000, 20_000)
    # Measured 0.1 and 9 ms; far more would be a scan where an index was meant.
    assert look_ms < 5
    assert totals_ms < 250
    store.close()


def test_every_question_of_the_sender_uses_an_index(tmp_path: Path) -> None:
    store = LedgerStore(tmp_path / "node.db")
    asked: list[str] = []
    with store.transaction() as db:
        db.set_trace_callback(asked.append)
    store.due("s", "p", 1.0)
    store.ask(reads.confirmed, "s", "p", 0, 10)
    store.ask(reads.newest_credited, "s", "p", 10)
    store.ask(reads.next_try, "s", "p")
    store.ask(reads.waiting, "s", "p")
    with store.transaction() as db:
        db.set_trace_callback(None)
        for query in [each for each in asked if each.startswith("SELECT")]:
            plan = " ".join(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {query}"))
            assert "INDEX" in plan, (query, plan)
            assert "SCAN" not in plan, (query, plan)
            assert "TEMP B-TREE" not in plan, (query, plan)
    store.close()


def test_old_rounds_go_and_what_they_added_up_to_stays(tmp_path: Path) -> None:
    store = LedgerStore(tmp_path / "node.db", keep_rounds=100)
    policy = Policy(2, 0, 1)
    for n in range(1_100):
        for row in store.record_round(LedgerRow("s", "p", n, 0, n % 5, 0.5, ["w"]), policy):
            if row.round > 50 or row.kind == "winner":  # some never got through
                store.credit(store.confirm(row, Receipt("0x1", n, 7, 11)))
    kept = [row.round for row in store.ledger(5000)]
    assert len(kept) < 700, "512 rounds are recorded between two looks"
    assert set(range(50)) <= set(kept), "what is still to be sent stays"
    assert set(range(1000, 1_100)) <= set(kept)
    totals = store.totals("s", "p")
    assert totals.rounds == 1_100
    assert totals.bonus == 880
    assert totals.reward == sum(n % 5 + (n % 5 > 0) for n in range(1_100))
    assert sum(totals.value.values()) == totals.reward
    assert (totals.count("credited", kind="winner"), totals.gas_used) == (550, 7 * (550 + 525))
    assert totals.fee_wei == 11 * (550 + 525)
    assert store.has_round("s", "p", 100, 0), "a round that went is still known"
    assert store.record_round(LedgerRow("s", "p", 100, 0, 9, 0.5, ["w"])) == []
    for row in store.ledger(5000):
        assert row.submission is None or store.row(row.submission), "its submission stays, too"
    store.close()


def test_a_chain_made_anew_begins_with_an_empty_ledger_and_the_old_one_keeps_its_own(
    tmp_path: Path,
) -> None:
    """Same owner, same chain id, same contract address: only the first block differs."""
    store, old, new = LedgerStore(tmp_path / "node.db"), "0x" + "a" * 64, "0x" + "b" * 64
    store.record_round(LedgerRow("s", "p", 0, 0, 7, 0.5, ["w"]))
    assert origins.meet(store, "s", "") == "", "nobody knows its first block"
    assert origins.meet(store, "s", old) == ""
    assert origins.meet(store, "s", old) == ""
    assert store.has_round("s", "p", 0, 0)
    lost = origins.meet(store, "s", new)
    assert not store.has_round("s", "p", 0, 0), "its round 0 is another round"
    assert store.totals(lost, "p").pending == 2
    store.record_round(LedgerRow("s", "p", 0, 0, 9, 0.5, ["w"]))
    assert {row.value for row in store.due("s", "p") if row.kind == "reward"} == {"9"}
    other = origins.meet(store, "s", old)  # the owner brought the old chain back
    assert store.totals("s", "p").reward == 7
    assert store.totals(other, "p").reward == 9
    assert other != lost
    store.close()
