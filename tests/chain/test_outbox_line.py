"""What stands between outbox and coordinator: pauses that survive restarts, who may submit, gas."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core import events
from core.chain import line, sender, settle
from core.chain.outbox import Outbox
from core.errors import RefusedError, TransientError
from tests.chain.outbox_model import OTHER, Chain, Line

MakeBox = Callable[..., Outbox]


@pytest.fixture
def seen() -> list[events.Event]:
    return []


@pytest.fixture
def coordinator() -> Line:
    return Line(Chain())


@pytest.fixture
def box(tmp_path: Path, coordinator: Line, seen: list[events.Event]) -> MakeBox:
    """Each call is a new process on the same home; the old one is gone."""
    made: list[Outbox] = []

    def make(**options: Any) -> Outbox:
        for each in made:
            each.store.close()
        made[:] = [
            Outbox(tmp_path / "node.db", lambda: coordinator, seen.append, "peer", **options)
        ]
        return made[0]

    return make


def status(box: Outbox) -> dict[str, str]:
    return {row.kind: row.status for row in box.rows()}


def newest(seen: list[events.Event]) -> events.RewardsCounted:
    return [each for each in seen if isinstance(each, events.RewardsCounted)][-1]


def troubles(seen: list[events.Event]) -> list[str]:
    return [each.code for each in seen if isinstance(each, events.Incident)]


def test_a_pause_survives_a_restart_and_is_told(
    box: MakeBox, coordinator: Line, seen: list[events.Event]
) -> None:
    first = box()
    first.record_round(0, 0, 5, 0.5, ["w"])
    for _ in range(6):
        coordinator.script = ["down"]
        first.standing.line = replace(first.standing.line, next_try=0.0)  # time went by
        first.turn()
    assert first.standing.line.failures == 6
    again = box()
    coordinator.script = []
    left = again.turn()
    assert left > 4, "a node that restarts in a loop does not hammer the chain"
    assert coordinator.chain.made == 0
    assert not again.flush(0.05)
    again.standing.line = replace(again.standing.line, next_try=time.time() + 10**6)
    again.turn()  # the clock was set back: nobody waits for eleven days
    assert status(again) == {"register": "credited", "reward": "credited", "winner": "credited"}
    assert line.load(again.store, "peer").is_open()
    assert newest(seen).obstacle == ""


def test_a_line_that_is_dead_is_asked_less_and_less_and_a_shaky_one_is_not() -> None:
    dead = shaky = line.Line()
    for number in range(12):
        dead = line.failed(dead, TransientError("It is dead"), 0.25, 30.0)
        shaky = line.failed(shaky, TransientError(f"Trouble {number}"), 0.25, 30.0, heard=True)
    assert dead.next_try - time.time() > 15
    assert shaky.next_try - time.time() < 1
    assert dead.failures == 12


def test_the_same_trouble_is_told_once(
    box: MakeBox, coordinator: Line, seen: list[events.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.chain.outbox.FIRST_PAUSE_S", 0.0)
    node = box()
    for _ in range(5):
        coordinator.script = ["down"]
        node.turn()
    assert troubles(seen) == ["chain_unreachable"]


def test_a_reader_sends_nothing_and_keeps_everything(
    box: MakeBox, coordinator: Line, seen: list[events.Event]
) -> None:
    coordinator.can_submit, coordinator.kind = False, "read-only"
    node = box()
    node.record_round(0, 0, 5, 0.5, ["w"])
    node.turn()
    assert coordinator.chain.made == 0
    assert status(node) == {"reward": "pending", "winner": "pending"}
    told = newest(seen)
    assert (told.code, told.coordinator) == ("ReadOnly", "read-only")
    assert "wallet or login" in told.next_step
    assert troubles(seen) == [], "somebody chose that"
    assert any(isinstance(each, events.CountersRead) for each in seen), "it reads all the same"
    began = time.monotonic()
    assert not node.flush(30)
    assert time.monotonic() - began < 5, "the end of a node does not wait for what cannot be"
    coordinator.can_submit, coordinator.kind = True, "wallet"
    again = box()
    again.standing.line = line.Line()
    again.turn()
    assert coordinator.chain.state()[("reward", 0, 0, "peer")].value == 5


def test_a_peer_of_another_account_burns_nothing_and_heals(
    box: MakeBox, coordinator: Line, seen: list[events.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.chain.outbox.FIRST_PAUSE_S", 0.0)
    coordinator.chain.mine(coordinator.chain.make("register", ("peer",), "", by=OTHER))
    node = box()
    node.record_round(0, 0, 5, 0.5, ["w"])
    for _ in range(4):
        node.turn()
    assert coordinator.chain.made == 1
    assert status(node) == {"register": "failed", "reward": "pending", "winner": "pending"}
    assert troubles(seen) == ["InvalidVoterPeerId"]
    assert (newest(seen).owner, newest(seen).account) == (OTHER, coordinator.account)
    coordinator.account = OTHER  # the account folder was restored
    monkeypatch.setattr("tests.chain.outbox_model.ME", OTHER)
    monkeypatch.setattr(
        coordinator.chain, "make", lambda *a, by=OTHER: Chain.make(coordinator.chain, *a, by=by)
    )
    node.turn()
    assert set(status(node).values()) == {"credited"}


def test_a_refusal_that_nobody_can_name_counts_only_after_hours(
    box: MakeBox, coordinator: Line, seen: list[events.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "FIRST_PAUSE_S", 0.0)
    node = box()
    node.turn()
    node.record_round(0, 0, 5, 0.5, [])
    refusal = RefusedError("It reverted", "with no reason", code="Reverted")

    def refuse(*_: object) -> None:
        raise refusal

    monkeypatch.setattr(coordinator, "submit_reward", refuse)
    node.turn()
    (row,) = [each for each in node.rows() if each.kind == "reward"]
    assert (row.status, row.code, row.attempts) == ("failed", "Reverted", sender.MAX_DOUBTS + 1)
    pauses = [line.pause_s(n + 1, 1.0, sender.LONGEST_PAUSE_S) for n in range(sender.MAX_DOUBTS)]
    assert sum(pauses) > 3600


def test_when_gas_runs_out_its_figures_are_read(
    box: MakeBox, coordinator: Line, seen: list[events.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.chain.outbox.COUNTERS_EVERY_S", 0.0)
    node = box()
    node.turn()
    seen.clear()
    node.record_round(0, 0, 5, 0.5, [])
    node._counters_due = True

    def broke(*_: object) -> None:
        raise TransientError("The account cannot pay", "its balance is 0", "Send some ether")

    monkeypatch.setattr(coordinator, "submit_reward", broke)
    node.turn()
    assert [each.round_cost_wei for each in seen if isinstance(each, events.CountersRead)]
    told = newest(seen)
    assert (told.obstacle, told.why) == ("The account cannot pay", "its balance is 0")
    assert told.next_try is not None
    assert status(node)["reward"] == "pending"


def test_what_the_coordinator_lost_is_looked_for_at_once(
    box: MakeBox, coordinator: Line, seen: list[events.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older copy of the chain: all of it was credited, and nobody asks for that again."""
    monkeypatch.setattr("core.chain.outbox.COUNTERS_EVERY_S", 0.0)
    node = box()
    for number in range(3):
        coordinator.chain.round = number
        node.record_round(number, 0, 5, 0.5, ["w"])
        node.turn()
    coordinator.chain.reorganise(3, keep=False)
    coordinator.chain.round = 3
    node.record_round(3, 0, 5, 0.5, ["w"])
    node.turn()  # reads counters that are too small
    node.turn()
    node.turn()
    assert "chain_unreachable" in troubles(seen)
    assert {row.status for row in node.rows()} == {"credited"}
    assert sum(key[0] == "reward" for key in coordinator.chain.state()) == 4


def test_an_impossible_round_is_refused_and_harms_nothing(box: MakeBox) -> None:
    node = box()
    for number in (2**62, 2**256, -1):
        assert not node.has_round(number, 0) or number < 0
    with pytest.raises(RefusedError, match="cannot be recorded"):
        node.record_round(2**256, 0, 5, 0.5, ["w"])
    assert node.rows() == []


def test_the_last_look_tells_what_the_last_round_came_to(
    box: MakeBox, coordinator: Line, seen: list[events.Event]
) -> None:
    node = box()
    node.start()
    node.record_round(0, 0, 5, 0.5, ["w"])
    assert node.flush(10)
    node.close()
    read = [each for each in seen if isinstance(each, events.CountersRead)][-1]
    assert (read.total_reward, read.counted_reward, read.participation) == (5, 5, 1)
    assert newest(seen).rewards["credited"] == 1


def test_a_chain_that_stands_still_is_final_after_a_while(
    box: MakeBox, coordinator: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A devnet makes a block only when somebody sends: the last rewards would wait for ever."""
    made = box(confirmations=3)
    now = 0.0
    monkeypatch.setattr(made._settlement, "_clock", lambda: now)
    monkeypatch.setattr("core.chain.outbox.COUNTERS_EVERY_S", 0.0)
    made.record_round(0, 0, 5, 0.5, ["a"])
    for _ in range(4):
        made.turn()
    assert status(made)["winner"] == "confirmed"
    now = settle.STILL_S - 1
    made.turn()
    assert status(made)["winner"] == "confirmed"
    now = settle.STILL_S
    made.turn()
    assert set(status(made).values()) == {"credited"}
