"""Exactly once: through lost answers, restarts and kill -9, on a real chain."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from core import events
from core.chain import codec
from core.chain.coordinator import WalletCoordinator
from core.chain.ledger import LedgerStore
from core.chain.outbox import Outbox
from core.chain.services import SwarmServices
from core.errors import RefusedError, TransientError
from core.home import REPO_ROOT
from tests.conftest import wait_until

Connect = Callable[..., WalletCoordinator]
MakeOutbox = Callable[..., Outbox]


class Flaky:
    """The real coordinator behind a bad line: fails before a call, or loses the answer after."""

    def __init__(self, real: WalletCoordinator, seed: int, rate: float) -> None:
        self._real = real
        self._random = random.Random(seed)
        self._rate = rate

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._real, name)
        if not callable(method):
            return method

        def call(*arguments: Any) -> Any:
            if self._random.random() < self._rate:
                raise TransientError("line down before the call", "chance")
            result = method(*arguments)
            if self._random.random() < self._rate:
                raise TransientError("answer lost", "chance")
            return result

        return call


def chain_events(swarm: SwarmServices, name: str) -> list[dict[str, Any]]:
    found = swarm.evm.logs(0, swarm.evm.height(), [swarm.client.address], [[codec.topic(name)]])
    return [codec.decode_event(name, entry.topics, entry.data) for entry in found]


@pytest.fixture
def seen() -> list[events.Event]:
    return []


@pytest.fixture
def outbox(tmp_path: Path, seen: list[events.Event]) -> Iterator[MakeOutbox]:
    made: list[Outbox] = []

    def make(coordinator: Any, peer: str = "peer", db: str = "node.db") -> Outbox:
        factory = coordinator if callable(coordinator) else lambda: coordinator
        made.append(Outbox(tmp_path / db, factory, seen.append, peer))
        made[-1].start()
        return made[-1]

    yield make
    for each in made:
        each.close()


def told(seen: Sequence[events.Event], kind: str) -> list[str]:
    return [e.status for e in seen if isinstance(e, events.SubmissionChanged) and e.kind == kind]


def test_a_round_reaches_the_chain_and_is_told(
    swarm: SwarmServices, connect: Connect, outbox: MakeOutbox, seen: list[events.Event]
) -> None:
    node = connect()
    box = outbox(node)
    assert not box.has_round(0, 0)
    box.record_round(0, 0, -4, -0.5, ["peer", "friend"])
    box.record_round(0, 0, 99, 1.0, ["thief"])  # the first record counts
    assert box.has_round(0, 0)
    assert box.flush(10)
    assert node.has_reward(0, 0, "peer")
    assert node.votes(0, "peer") == ["peer", "friend"]
    wait_until(lambda: any(isinstance(e, events.CountersRead) for e in seen))
    (counted,) = [e for e in seen if isinstance(e, events.CountersRead)]
    assert (counted.participation, counted.wins, counted.total_reward) == (1, 1, -4)
    for kind in ("register", "reward", "winner"):
        assert told(seen, kind) == ["pending", "sent", "confirmed", "credited"]
    assert all(row.tx_hash.startswith("0x") for row in box.rows())
    totals = box.totals()
    assert (totals.rounds, totals.reward, totals.confirmed, totals.pending) == (1, -4, 3, 0)


def test_nobody_to_vote_for_sends_no_vote(
    swarm: SwarmServices, connect: Connect, outbox: MakeOutbox
) -> None:
    node = connect()
    box = outbox(node)
    box.record_round(0, 0, 1, 0.1, [])
    assert box.flush(10)
    assert node.counters("peer")["participation"] == 0


def test_a_bad_line_costs_time_and_nothing_else(
    swarm: SwarmServices, connect: Connect, outbox: MakeOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.chain.outbox.FIRST_PAUSE_S", 0.005)
    monkeypatch.setattr("core.chain.outbox.LONGEST_PAUSE_S", 0.02)
    node = connect()
    box = outbox(Flaky(node, seed=4, rate=0.25))
    sent = {}
    for number in range(12):
        wait_until(lambda n=number: node.round_and_stage()[0] >= n, 30)
        sent[number] = number * 5 - 20
        box.record_round(number, 0, sent[number], 0.0, [f"w{number}"])
    assert box.flush(30)
    assert {e["roundNumber"]: e["reward"] for e in chain_events(swarm, "RewardSubmitted")} == sent
    assert len(chain_events(swarm, "RewardSubmitted")) == 12
    assert Counter(e["roundNumber"] for e in chain_events(swarm, "WinnerSubmitted")) == Counter(
        range(12)
    )
    assert box.totals().reward == node.counters("peer")["total_reward"]
    assert box.totals().failed == 0


def test_rounds_recorded_while_the_chain_is_away_are_sent_later(
    swarm: SwarmServices,
    connect: Connect,
    outbox: MakeOutbox,
    seen: list[events.Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("core.chain.outbox.FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr("core.chain.outbox.LONGEST_PAUSE_S", 0.05)
    node = connect()
    box = outbox(node)
    assert not box.flush(0.0)
    wait_until(lambda: node.owner_of("peer"))
    box.swarm()
    swarm.clock.close()
    swarm.devnet.close()
    for number in range(3):
        box.record_round(number, 0, 1, 0.0, [])
    wait_until(lambda: any(isinstance(e, events.Incident) for e in seen))
    assert not box.flush(0.1)
    assert box.totals().pending == 3
    (incident,) = [e for e in seen if isinstance(e, events.Incident)]  # told once, not per try
    assert "cannot be reached" in incident.what
    box.close()
    assert len([e for e in seen if isinstance(e, events.Incident)]) == 1


def test_an_identity_of_another_account_is_an_incident_and_loses_nothing(
    swarm: SwarmServices, connect: Connect, outbox: MakeOutbox, seen: list[events.Event]
) -> None:
    connect("somebody").register("peer")
    node = connect("me")
    box = outbox(node)
    box.record_round(0, 0, 1, 0.1, ["peer"])
    wait_until(lambda: any(isinstance(e, events.Incident) for e in seen))
    incident = next(e for e in seen if isinstance(e, events.Incident))
    assert "belongs to account" in incident.what
    assert node.account in incident.why
    assert "identity" in incident.next_step
    assert told(seen, "register")[-1] == "failed"
    assert box.totals().pending == 2
    assert chain_events(swarm, "RewardSubmitted") == []


def test_a_peer_registered_by_this_account_before_is_fine(
    swarm: SwarmServices, connect: Connect, outbox: MakeOutbox
) -> None:
    node = connect()
    node.register("peer")
    node.submit_reward(0, 0, 8, "peer")
    box = outbox(node)
    box.record_round(0, 0, 8, 0.1, ["peer"])
    assert box.flush(10)
    assert len(chain_events(swarm, "RewardSubmitted")) == 1


def test_what_the_contract_refuses_for_good_is_final_with_its_reason(
    swarm: SwarmServices, connect: Connect, outbox: MakeOutbox, seen: list[events.Event]
) -> None:
    box = outbox(connect())
    box.record_round(0, 0, 1, 0.1, ["a", "a"])
    assert box.flush(10)
    rows = {row.kind: row for row in box.rows()}
    assert (rows["winner"].status, rows["winner"].code) == ("failed", "InvalidVote")
    assert "twice" in rows["winner"].error
    assert rows["reward"].status in ("confirmed", "credited")
    assert "InvalidVote" in {e.code for e in seen if isinstance(e, events.Incident)}


def test_a_round_that_the_coordinator_has_not_reached_is_kept_until_it_has(
    swarm: SwarmServices, connect: Connect, outbox: MakeOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.chain.sender.FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr("core.chain.sender.LONGEST_PAUSE_S", 0.05)
    box = outbox(connect())
    box.record_round(2, 0, 7, 0.1, ["peer"])
    wait_until(lambda: any(row.failures > 2 for row in box.rows()))
    early = {row.kind: row for row in box.rows() if row.round == 2}
    assert {row.code for row in early.values()} == {"InvalidRoundNumber"}
    assert "at round 0" in early["reward"].error
    assert not any(row.attempts for row in early.values()), "nothing is burnt on a sure refusal"
    for _ in range(2):
        swarm.client.send("updateStageAndRound")
    assert box.flush(10)
    assert chain_events(swarm, "RewardSubmitted")[0]["reward"] == 7


def test_another_swarm_has_its_own_rounds(
    swarm: SwarmServices, connect: Connect, outbox: MakeOutbox, tmp_path: Path
) -> None:
    box = outbox(connect())
    box.record_round(0, 0, 1, 0.1, [])
    assert box.flush(10)
    box.close()
    second = SwarmServices(tmp_path / "second", 0, 60.0)
    found = second.start()
    try:
        from core.chain.account import load_or_create

        wallet = load_or_create(tmp_path / "accounts" / "node")
        other = outbox(WalletCoordinator(found.rpc_url, found.contract, wallet))
        assert not other.has_round(0, 0)
        other.record_round(0, 0, 2, 0.1, [])
        assert other.flush(10)
        assert other.totals().reward == 2
        assert chain_events(second, "RewardSubmitted")[0]["reward"] == 2
        assert len(other.rows()) == 4
        other.close()
    finally:
        second.close()


def test_a_coordinator_that_cannot_be_made_yet_is_waited_for(
    swarm: SwarmServices, connect: Connect, outbox: MakeOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.chain.outbox.FIRST_PAUSE_S", 0.005)
    tries = []

    def factory() -> WalletCoordinator:
        tries.append(1)
        if len(tries) < 3:
            raise TransientError("not up", "chance")
        if len(tries) < 5:
            raise RefusedError("wrong chain", "chance", code="WrongChain")
        return connect()

    box = outbox(factory)
    wait_until(lambda: box.totals().confirmed == 1)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_kill_at_random_moments_loses_nothing_and_repeats_nothing(
    swarm: SwarmServices, tmp_path: Path
) -> None:
    home = tmp_path / "node"
    home.mkdir()
    rounds, chance = 40, random.Random(7)
    arguments = [sys.executable, "-m", "tests.chain.outbox_writer", str(home), swarm.devnet.url]
    arguments += [swarm.client.contract, str(rounds)]
    recorded: list[int] = []
    kills = 0
    while True:
        child = subprocess.Popen(
            arguments,
            cwd=REPO_ROOT,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(REPO_ROOT)},
        )
        assert child.stdout is not None
        if kills < 3:
            for _ in range(chance.randint(1, 6)):
                recorded += numbers(child.stdout.readline())
            time.sleep(chance.uniform(0, 0.08))  # any moment between two rounds
            child.kill()
            kills += 1
        rest = child.stdout.read()
        recorded += numbers(rest)
        child.wait(30)
        if b"flushed" in rest:
            assert b"not flushed" not in rest
            break
    assert kills == 3
    assert recorded == sorted(set(recorded)), "a round was recorded twice"
    store = LedgerStore(home / "node.db")
    ledger = {row.round: row.reward for row in store.ledger()}
    assert set(recorded) <= set(ledger) == set(range(rounds))
    on_chain = chain_events(swarm, "RewardSubmitted")
    assert {e["roundNumber"]: e["reward"] for e in on_chain} == ledger
    assert len(on_chain) == rounds
    votes = chain_events(swarm, "WinnerSubmitted")
    assert Counter(e["roundNumber"] for e in votes) == Counter(range(rounds))
    assert {row.status for row in store.rows()} == {"credited"}
    assert len(chain_events(swarm, "PeerRegistered")) == 1
    assert swarm.client.read("getTotalRewards", ["peer"])[0] == (sum(ledger.values()),)
    store.close()


def numbers(output: bytes) -> list[int]:
    return [int(each.split()[1]) for each in output.splitlines() if each.startswith(b"recorded")]
