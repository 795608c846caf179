"""`waggle rewards`: from trained to credited, beside what the coordinator says, on a real chain."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core import cli, events
from core.chain.account import load_or_create
from core.chain.coordinator import WalletCoordinator
from core.chain.ledger import EVERY_ROUND, LedgerStore
from core.chain.ledger_rows import LedgerRow, Totals
from core.chain.outbox import Outbox
from core.chain.policy import Policy
from core.chain.services import SwarmServices
from core.home import Home
from core.journal import Journal
from core.rewards_words import reward_difference, rounds_left, vote_difference
from tests.conftest import wait_until
from tests.test_fold import started

PEER = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"


class Node:
    """Home, journal and outbox of a node, on a swarm hosted in the same home."""

    def __init__(self, home: Home, policy: Policy = EVERY_ROUND) -> None:
        self.home = home
        self.services = SwarmServices(home.services, 0, 3600.0)
        found = self.services.start()
        wallet = load_or_create(home.account)
        self.chain = WalletCoordinator(found.rpc_url, found.contract, wallet)
        self.where = [
            *("--home", str(home.path), "--set", f"chain.rpc_url={found.rpc_url}"),
            *("--set", f"chain.contract={found.contract}"),
        ]
        self.bus = events.EventBus()
        self.journal = Journal(home.db, self.bus)
        self.journal.start()
        self.bus.emit(started(peer_id=PEER, account=wallet.address))
        self.box = Outbox(home.db, lambda: self.chain, self.bus.emit, PEER, policy)

    def train(self, number: int, reward: int, winners: list[str]) -> None:
        while self.chain.round_and_stage()[0] < number:
            self.services.client.send("updateStageAndRound")
        assert not self.box.has_round(number, 0)
        self.box.record_round(number, 0, reward, reward / 64, winners)

    def close(self) -> None:
        self.box.close()
        self.journal.close()
        self.chain.close()
        self.services.close()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


@pytest.fixture
def node(home: Home) -> Iterator[Callable[..., Node]]:
    made: list[Node] = []

    def make(**options: Any) -> Node:
        made.append(Node(home, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(home: Home, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str, where: list[str] | None = None) -> tuple[int, str]:
        capsys.readouterr()
        status = cli.main(["rewards", *arguments, *(where or ["--home", str(home.path)])])
        return status, capsys.readouterr().out

    return call


def test_nothing_yet_is_no_error(run: Run) -> None:
    status, told = run()
    assert (status, "Nothing is recorded here yet" in told) == (0, True)
    status, told = run("--json")
    assert (status, json.loads(told)) == (0, {"trained": 0, "rounds": []})


def test_from_trained_to_credited_beside_the_coordinator(
    node: Callable[..., Node], run: Run
) -> None:
    mine = node(policy=Policy(2, 0, 1))
    mine.box.start()
    for number, reward in enumerate([5, -2, 7]):
        mine.train(number, reward, [PEER if number == 1 else "QmOther"])
    wait_until(lambda: mine.box.totals().credited == 3)
    wait_until(lambda: latest(mine.home, events.CountersRead.NAME, "counted_votes") == 1)
    wait_until(lambda: latest(mine.home, events.RewardsCounted.NAME, "waiting") == 1)
    status, told = run()
    assert status == 0
    lines: dict[str, list[str]] = {}
    for line in told.splitlines():
        lines.setdefault(line.split()[0] if line.strip() else "", line.split())
    assert lines["trained"][:3] == ["trained", "3", "12"]
    assert lines["waiting"][:3] == ["waiting", "1", "8"]
    assert lines["credited"][:4] == ["credited", "1", "1", "4"]
    assert lines["wins"][:3] == ["wins", "-", "1"]
    assert "-8: a round not handed over yet" in told
    assert f"registered to {mine.chain.account}" in told
    assert "every 2 rounds, +1 for a round that earned something" in told
    assert "ether spent for" in told
    assert "with round 1" in told
    for counter in ("reward", "participation", "wins"):
        assert any(line.startswith(f"{counter} ") and "peer" in line for line in told.splitlines())
    assert max(map(len, told.splitlines())) <= 80
    assert told.isascii()

    status, told = run("--json")
    facts = json.loads(told)
    assert (facts["trained"], facts["reward"], facts["bonus"]) == (3, 12, 2)
    assert facts["coordinator"]["total_reward"] == 4
    explained = sum(step["amount"] for step in facts["difference"]["reward"])
    assert facts["reward"] + explained == facts["coordinator"]["total_reward"]
    assert facts["identity"]["ok"] is True
    assert facts["gas"]["rounds_left"] > 1000
    newest, carried = facts["rounds"][0], facts["rounds"][1]
    assert (newest["round"], newest["status"], newest["submission"]) == (2, "waiting", None)
    assert (carried["signal"], carried["bonus"], carried["status"]) == (-2, 0, "credited")
    assert carried["submission"]["value"] == "4"
    assert carried["submission"]["gas_used"] > 50_000
    assert carried["submission"]["fee_wei"] > 0
    assert carried["winners"] == [PEER]

    status, told = run("--round", "0")
    assert status == 0
    assert "earned         5 and 1 for taking part" in told
    assert carried["submission"]["tx_hash"] in told
    assert f"block {carried['submission']['block']}" in told
    assert max(map(len, told.splitlines())) <= 80
    assert "Round 77 is not in the ledger" in run("--round", "77")[1]
    assert "No round failed" in run("--failed")[1]
    assert len(json.loads(run("--json", "--limit", "1")[1])["rounds"]) == 1


def latest(home: Home, name: str, field: str) -> Any:
    """A field of the newest event of a name in the journal; None when there is none."""
    return next((getattr(event, field) for event in Journal(home.db).tail(1, [name])), None)


def test_check_asks_the_coordinator_now(node: Callable[..., Node], run: Run) -> None:
    mine = node()
    mine.train(0, 3, ["QmOther"])  # the outbox does not run: nothing of it is sent
    mine.chain.register(PEER)
    mine.chain.submit_reward(0, 0, 9, PEER)  # as another machine with the same key would
    assert "the coordinator was not asked yet" in run()[1]
    status, told = run("--check", where=mine.where)
    assert status == 0, told
    assert f"registered to {mine.chain.account}" in told
    assert "1 of 2 open submissions are there already" in told
    facts = json.loads(run("--check", "--json", where=mine.where)[1])
    assert facts["check"]["open_there"] == [{"kind": "reward", "round": 0}]
    assert facts["coordinator"]["total_reward"] == 9
    explained = sum(step["amount"] for step in facts["difference"]["reward"])
    assert facts["reward"] + explained == 9
    mine.services.devnet.close()
    status, told = run("--check", where=mine.where)
    assert status == 1
    assert "not asked" in told
    assert "worth" in told, "the rest is told nevertheless"


def test_a_peer_of_another_account_is_told_with_a_next_step(
    node: Callable[..., Node], run: Run, tmp_path: Path
) -> None:
    mine = node()
    rpc_url = f"{mine.services.devnet.url}"
    stranger = WalletCoordinator(rpc_url, mine.chain.contract, load_or_create(tmp_path / "other"))
    stranger.register(PEER)
    stranger.close()
    mine.box.start()
    mine.train(0, 3, ["QmOther"])
    wait_until(lambda: mine.box.store.totals(mine.chain.swarm, PEER).count("failed") == 1)
    assert mine.box.flush(30) is False
    status, told = run("--check", where=mine.where)
    assert status == 1
    assert f"WRONG: registered to {stranger.account}" in " ".join(told.split())
    assert "nothing it trains is counted" in " ".join(told.split())
    facts = json.loads(run("--check", "--json", where=mine.where)[1])
    assert facts["identity"]["ok"] is False
    assert facts["stages"]["pending"] == {"rewards": 1, "votes": 1, "value": 3}
    assert facts["obstacle"]["code"] == "InvalidVoterPeerId"
    assert "Restore the account folder" in facts["obstacle"]["next_step"]
    assert facts["gas"]["gas_used"] == 0, "nothing was burnt"


def test_rows_of_a_lost_swarm_stay_and_are_explained(home: Home, run: Run) -> None:
    store = LedgerStore(home.db)
    store.record_round(LedgerRow("1:0xold", PEER, 5, 0, 3, 0.5, ["w"], time.time() - 99))
    time.sleep(0.01)
    store.record_round(LedgerRow("1:0xnew", PEER, 0, 0, 1, 0.5, ["w"]))
    store.close()
    told = " ".join(run()[1].split())
    assert "2 submissions are for another swarm, 1:0xold: kept" in told
    facts = json.loads(run("--json")[1])
    assert facts["swarm"] == "1:0xnew"
    assert facts["other_swarms"] == [{"swarm": "1:0xold", "peer_id": PEER, "rounds": 1, "open": 2}]


READ = events.CountersRead(participation=0, wins=0, total_reward=0)
TOTALS = Totals(
    rounds=10,
    reward=100,
    waiting=2,
    waiting_reward=7,
    by_kind={
        "reward": {"pending": 1, "credited": 5, "confirmed": 1, "failed": 1},
        "winner": {"pending": 1, "credited": 5, "failed": 2},
    },
    value={"pending": 10, "credited": 60, "confirmed": 15, "failed": 8},
)


@pytest.mark.parametrize(
    ("read", "elsewhere", "told"),
    [
        (replace(READ, total_reward=75, counted_reward=75), 0, ""),
        (replace(READ, total_reward=60, counted_reward=60), 0, "since the coordinator was asked"),
        (replace(READ, total_reward=90, counted_reward=75), 0, "before this ledger began"),
        (replace(READ, total_reward=71, counted_reward=75), 2, "another machine with this key"),
        (replace(READ, total_reward=71, counted_reward=75), 0, "has lost some"),
    ],
)
def test_every_difference_is_explained_to_the_last_point(
    read: events.CountersRead, elsewhere: int, told: str
) -> None:
    totals = replace(TOTALS, elsewhere=elsewhere)
    parts = reward_difference(totals, read)
    assert totals.reward + sum(amount for amount, _ in parts) == read.total_reward
    assert not told or told in parts[-1][1]
    assert {
        "2 rounds not handed over yet",
        "a submission not confirmed yet",
        "a submission refused",
    } <= {why for _, why in parts}
    votes = vote_difference(totals, replace(read, participation=5, counted_votes=4))
    assert totals.count(*totals.by_kind["winner"], kind="winner") + sum(a for a, _ in votes) == 5


def test_how_long_the_balance_lasts() -> None:
    assert rounds_left(None) is None
    assert rounds_left(READ) is None, "others pay"
    assert rounds_left(replace(READ, balance_wei=1000, round_cost_wei=300)) == 3
    assert rounds_left(replace(READ, balance_wei=-5, round_cost_wei=300)) == 0
