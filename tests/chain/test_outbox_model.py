"""Whatever the chain does and wherever the node dies: every round is credited exactly once.

Hypothesis trains rounds, lets the line fail call by call, kills the node between any two steps,
reorganises the chain, and lets a second machine with the same key interfere. At the end the line
is mended, and the ledger must equal the chain.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.chain import ledger_reads as reads
from core.chain import outbox as outbox_module
from core.chain import sender as sender_module
from core.chain.outbox import Outbox
from core.chain.policy import Policy
from core.errors import RefusedError
from tests.chain.outbox_model import FAULTS, Chain, Killed, Line

SCRIPT = st.lists(st.sampled_from(FAULTS), max_size=12)
CONFIRMATIONS = 3
PATIENT: dict[Any, dict[str, float]] = {
    outbox_module: {"FIRST_PAUSE_S": 0.0, "COUNTERS_EVERY_S": 0.0},
    sender_module: {"FIRST_PAUSE_S": 0.0, "MAX_DOUBTS": 10**6},
}
"""No pause, so that a minute of retries fits into a millisecond."""


class OutboxMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self._patches = [patch.multiple(module, **values) for module, values in PATIENT.items()]
        for each in self._patches:
            each.start()
        memory = Path("/dev/shm")
        self._folder = tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)
        self.chain = Chain()
        self.line = Line(self.chain)
        self.trained: dict[int, tuple[int, list[str]]] = {}
        self.strange: set[tuple[Any, ...]] = set()

    @initialize(every=st.integers(1, 3), bonus=st.integers(0, 1))
    def begin(self, every: int, bonus: int) -> None:
        self.policy = Policy(every, 0.0, bonus)
        self.box = self._open()

    def _open(self) -> Outbox:
        path = Path(self._folder.name) / "node.db"
        return Outbox(path, lambda: self.line, self.line.emit, "peer", self.policy, CONFIRMATIONS)

    def _reopen(self) -> None:
        self.box.store.close()
        self.line.script = []
        self.box = self._open()

    # --- what happens -------------------------------------------------------------------------

    @rule(
        reward=st.integers(-5, 20),
        winners=st.lists(st.sampled_from(["peer", "a", "b"]), unique=True, max_size=1),
        script=st.lists(st.sampled_from(["ok", "kill"]), max_size=3),
        ahead=st.integers(0, 2),
    )
    def train(self, reward: int, winners: list[str], script: list[str], ahead: int) -> None:
        """A round, as the worker plays it: asked for, trained, recorded."""
        self.chain.round += ahead
        number = self.chain.round
        if self.box.has_round(number, 0):
            assert number in self.trained
            return
        assert number not in self.trained, "a trained round was forgotten"
        self.line.script = list(script)
        try:
            self.box.record_round(number, 0, reward, reward / 8, winners)
        except Killed:
            self._reopen()
        if self.box.has_round(number, 0):
            self.trained[number] = (reward, winners)
        self.line.script = []

    @rule(turns=st.integers(1, 6), script=SCRIPT)
    def run(self, turns: int, script: list[str]) -> None:
        self.line.script = list(script)
        try:
            for _ in range(turns):
                self.box.turn()
        except Killed:
            self._reopen()
        self.line.script = []

    @rule()
    def restart(self) -> None:
        self._reopen()

    @rule(depth=st.integers(1, CONFIRMATIONS + 2), keep=st.booleans())
    def reorganise(self, depth: int, keep: bool) -> None:
        self.chain.reorganise(depth, keep)
        if depth >= CONFIRMATIONS:  # deeper than was waited for: seen at the next start
            self._reopen()

    @precondition(lambda self: self.chain.pool)
    @rule(position=st.integers(0, 9))
    def mine_late(self, position: int) -> None:
        self.chain.mine(self.chain.pool.pop(position % len(self.chain.pool)))

    @rule(value=st.integers(50, 60))
    def another_machine_submits(self, value: int) -> None:
        """With the same key and account, for the round that this one may be training."""
        tx = self.chain.make("reward", (self.chain.round, 0, "peer"), value)
        if self.chain.refusal(tx, self.chain.state()) is None:
            self.chain.mine(tx)
            self.strange.add(tx.key)

    @rule()
    def others_submit(self) -> None:
        self.chain.blocks.append(None)

    # --- what must hold -----------------------------------------------------------------------

    @invariant()
    def nothing_trained_is_lost_or_invented(self) -> None:
        rows = {row.round: (row.reward, row.winners) for row in self.box.store.ledger()}
        assert rows == self.trained
        totals = self.box.store.totals("1:0xc", "peer")
        carried = sum(totals.value.values())
        assert carried + totals.waiting_reward == totals.reward
        assert totals.failed == 0

    def teardown(self) -> None:
        try:
            if hasattr(self, "box"):
                self._mend_and_compare()
                self.box.store.close()
        finally:
            for each in self._patches:
                each.stop()
            self._folder.cleanup()

    def _mend_and_compare(self) -> None:
        self.chain.round += 10
        self._reopen()
        for _ in range(80):
            self.box.turn()
            self.chain.blocks.append(None)
            if not self.box.store.ask(reads.confirmed, "1:0xc", "peer", 0, 1) and (
                self.box.store.ask(reads.next_try, "1:0xc", "peer") is None
            ):
                break
        submissions = [row for row in self.box.rows() if row.kind != "register"]
        assert {row.status for row in submissions} <= {"credited"}
        state, ledger = self.chain.state(), self.box.store.ledger()
        for row in submissions:
            where = (row.round, 0) if row.kind == "reward" else (row.round,)
            tx = state[(row.kind, *where, "peer")]
            if tx.key in self.strange:
                continue
            if row.kind == "winner":
                assert tx.value == row.winners == self.trained[row.round][1]
                continue
            carried = [each for each in ledger if each.submission == row.id]
            assert tx.value == int(row.value) == sum(e.reward + e.bonus for e in carried)
            assert max(each.round for each in carried) == row.round
        mine = {key for key, tx in state.items() if tx.kind != "register"} - self.strange
        keys = {(r.kind, r.round, *((0,) if r.kind == "reward" else ())) for r in submissions}
        assert {key[:-1] for key in mine} <= keys, "something was submitted that nobody trained"
        assert sum(each.submission is None for each in ledger) < self.policy.every_rounds


OutboxMachine.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestOutboxModel = OutboxMachine.TestCase


def test_the_model_itself_refuses_what_the_contract_does() -> None:
    chain = Chain()
    line = Line(chain)
    line.register("peer")
    assert line.owner_of("peer") == line.account
    receipt = line.submit_reward(0, 0, 5, "peer")
    assert line.receipt(receipt.tx_hash) == receipt
    for act, code in (
        (lambda: line.register("peer"), "PeerIdAlreadyRegistered"),
        (lambda: line.submit_reward(0, 0, 6, "peer"), "RewardAlreadySubmitted"),
        (lambda: line.submit_reward(1, 0, 6, "peer"), "InvalidRoundNumber"),
        (lambda: line.submit_winners(0, ["a"], "stranger"), "InvalidVoterPeerId"),
    ):
        with pytest.raises(RefusedError) as refused:
            act()
        assert refused.value.code == code
    chain.reorganise(1, keep=True)
    assert line.receipt(receipt.tx_hash) is None
    chain.mine(chain.pool.pop())
    assert line.receipt(receipt.tx_hash) == receipt
