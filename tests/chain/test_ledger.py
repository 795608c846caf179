"""The two tables against a model of them: rounds once, swarms and peers apart, statuses final."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from core.chain import ledger_reads as reads
from core.chain.ledger import LedgerStore
from core.chain.ledger_rows import LedgerRow
from core.errors import StorageError
from core.protocols import Receipt

SWARMS = st.sampled_from(["1:0xa", "1:0xb"])
PEERS = st.sampled_from(["p", "q"])
ROUNDS = st.integers(0, 6)


class LedgerMachine(RuleBasedStateMachine):
    """Records, sends, confirms, fails and reopens at random; a dictionary knows what must be."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._path = Path(self._folder.name) / "node.db"
        self.store = LedgerStore(self._path)
        self.rounds: dict[tuple[str, str, int], tuple[int, tuple[str, ...]]] = {}
        self.rows: dict[tuple[str, str, str, int], str] = {}

    def teardown(self) -> None:
        self.store.close()
        self._folder.cleanup()

    @rule(
        swarm=SWARMS,
        peer=PEERS,
        number=ROUNDS,
        reward=st.integers(-(2**40), 2**40),
        winners=st.lists(st.sampled_from("xyz"), unique=True, max_size=3),
    )
    def record(self, swarm: str, peer: str, number: int, reward: int, winners: list[str]) -> None:
        row = LedgerRow(swarm, peer, number, 0, reward, reward / 8, winners, float(number))
        made = self.store.record_round(row)
        key = (swarm, peer, number)
        if key in self.rounds:
            assert made == []
            return
        self.rounds[key] = (reward, tuple(winners))
        assert [each.kind for each in made] == ["reward", "winner"][: 1 + bool(winners)]
        for each in made:
            self.rows[(swarm, peer, each.kind, number)] = "pending"
            assert each.status == "pending"

    @rule(swarm=SWARMS, peer=PEERS)
    def register(self, swarm: str, peer: str) -> None:
        row, fresh = self.store.ensure_registration(swarm, peer)
        assert fresh == ((swarm, peer, "register", -1) not in self.rows)
        self.rows.setdefault((swarm, peer, "register", -1), row.status)

    @rule(swarm=SWARMS, peer=PEERS, step=st.sampled_from(["send", "confirm", "fail", "put off"]))
    def move(self, swarm: str, peer: str, step: str) -> None:
        due = self.store.due(swarm, peer)
        if not due:
            return
        if step == "send":
            row = self.store.sending(due[0])
            self.store.sent_as(row, f"0x{row.attempts}")
            row = self.store.row(row.id)
            assert (row.attempts, row.tx_hash) == (due[0].attempts + 1, f"0x{row.attempts}")
            assert row.hashes[-1] == row.tx_hash
        elif step == "confirm":
            row = self.store.confirm(due[0], Receipt("0x1", 7, 2**70, 2**70))
            assert (row.tx_hash, row.block, row.failures) == ("0x1", 7, 0)
        elif step == "fail":
            row = self.store.fail(due[0], "why", "code")
            assert (row.error, row.code) == ("why", "code")
        else:
            row = self.store.put_off(due[0], "pending", 5e9, "later")
            assert row.id not in {each.id for each in self.store.due(swarm, peer, 4e9)}
            assert row.id in {each.id for each in self.store.due(swarm, peer, 6e9)}
        self.rows[(swarm, peer, row.kind, row.round)] = row.status

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = LedgerStore(self._path)

    @invariant()
    def tables_are_what_they_must_be(self) -> None:
        assert {
            (r.swarm, r.peer_id, r.round): (r.reward, tuple(r.winners)) for r in self.store.ledger()
        } == self.rounds
        assert {
            (r.swarm, r.peer_id, r.kind, r.round): r.status for r in self.store.rows()
        } == self.rows
        for swarm in ("1:0xa", "1:0xb"):
            for peer in ("p", "q"):
                self._check(swarm, peer)

    def _check(self, swarm: str, peer: str) -> None:
        mine = {k: v for k, v in self.rows.items() if k[:2] == (swarm, peer)}
        due = self.store.due(swarm, peer)
        still = {k for k, v in mine.items() if v in ("pending", "sent")}
        assert {(r.swarm, r.peer_id, r.kind, r.round) for r in due} == still
        rewards = [r.round for r in due if r.kind == "reward"]
        if rewards:
            assert (due[0].kind, due[0].round) == ("reward", max(rewards))
        totals = self.store.totals(swarm, peer)
        sums = [v[0] for k, v in self.rounds.items() if k[:2] == (swarm, peer)]
        assert (totals.rounds, totals.reward) == (len(sums), sum(sums))
        assert totals.pending == len(still)
        assert totals.confirmed + totals.failed == len(mine) - len(still)
        sent = [v[0] for k, v in self.rounds.items() if (*k[:2], "reward", k[2]) in still]
        assert sum(totals.value.get(each, 0) for each in ("pending", "sent")) == sum(sent)


LedgerMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
TestLedger = LedgerMachine.TestCase


def test_a_damaged_or_missing_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.db").write_bytes(b"junk" * 5000)
    with pytest.raises(StorageError, match=r"bad\.db"):
        LedgerStore(tmp_path / "bad.db")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        LedgerStore(tmp_path / "file" / "node.db")


def test_it_shares_the_file_with_another_writer(tmp_path: Path) -> None:
    store = LedgerStore(tmp_path / "node.db")
    other = sqlite3.connect(tmp_path / "node.db")
    other.execute("CREATE TABLE journal (x)")
    other.execute("INSERT INTO journal VALUES (1)")
    other.commit()
    store.record_round(LedgerRow("s", "p", 1, 0, 1, 1.0, ["p"], 0.0))
    assert store.has_round("s", "p", 1, 0)
    assert other.execute("SELECT COUNT(*) FROM ledger").fetchone() == (1,)
    assert store.ask(reads.latest_swarm, "p") == "s"
    assert store.ask(reads.latest_swarm, "q") == ""
    other.close()
    store.close()
