"""The leaderboard of a real chain: followed, restarted, forked, and never told twice."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core import events
from core.chain.account import load_or_create
from core.chain.coordinator import WalletCoordinator
from core.chain.services import SwarmServices
from core.errors import TransientError
from core.swarm import board_reader
from core.swarm.board_reader import BoardReader

Connect = Callable[..., WalletCoordinator]


class Follower:
    """A reader with what it emitted."""

    def __init__(self, path: Path, peer_id: str = "QmAlice") -> None:
        self.told: list[events.LeaderboardRead] = []
        self.reader = BoardReader(path, peer_id, self.told.append)  # type: ignore[arg-type]

    def look(self, coordinator: WalletCoordinator, budget_s: float = 20.0) -> bool:
        return self.reader.look(coordinator, budget_s, final=True)

    @property
    def newest(self) -> events.LeaderboardRead:
        return self.told[-1]

    def counters(self) -> dict[str, tuple[int, int, int]]:
        return {
            row["peer_id"]: (row["participation"], row["wins"], row["total_reward"])
            for row in self.newest.leaders
        }


def play(swarm: SwarmServices, peers: dict[str, WalletCoordinator], rounds: int) -> None:
    """Every peer reports as many points as its name is long and votes for Alice."""
    for _ in range(rounds):
        (number,) = swarm.client.read("currentRound")
        for peer, coordinator in peers.items():
            coordinator.submit_reward(number, 0, len(peer), peer)
            coordinator.submit_winners(number, ["QmAlice"], peer)
        swarm.client.send("updateStageAndRound")


@pytest.fixture
def peers(swarm: SwarmServices, connect: Connect) -> dict[str, WalletCoordinator]:
    swarm.clock.close()
    found = {name: connect(name) for name in ("QmAlice", "QmRobert")}
    for peer, coordinator in found.items():
        coordinator.register(peer)
    return found


def chain_says(peers: dict[str, WalletCoordinator]) -> dict[str, tuple[int, int, int]]:
    found = {}
    for peer, coordinator in peers.items():
        told = coordinator.counters(peer)
        found[peer] = (told["participation"], told["wins"], told["total_reward"])
    return found


def test_it_says_what_the_chain_says(
    swarm: SwarmServices, peers: dict[str, WalletCoordinator], tmp_path: Path
) -> None:
    follower = Follower(tmp_path / "board.json")
    assert follower.look(peers["QmAlice"])
    assert follower.newest.total == 0
    play(swarm, peers, 5)
    assert follower.look(peers["QmAlice"])
    assert follower.counters() == chain_says(peers)
    first, second = follower.newest.leaders
    assert (first["rank"], first["peer_id"]) == (1, "QmRobert")
    assert second == follower.newest.me
    assert second["history"] == tuple((n, 7 * (n + 1)) for n in range(5))
    assert follower.newest.behind == 0
    assert follower.look(peers["QmAlice"])
    assert len(follower.told) == 2, "nothing has changed"


def test_a_restart_goes_on_where_the_last_one_was(
    swarm: SwarmServices, peers: dict[str, WalletCoordinator], tmp_path: Path
) -> None:
    path, coordinator = tmp_path / "board.json", peers["QmAlice"]
    first = Follower(path)
    play(swarm, peers, 6)
    first.look(coordinator)
    first.reader.save()
    asked: list[int] = []
    read = coordinator.log.read

    def spy(first: int, *rest: Any) -> Any:
        asked.append(first)
        return read(first, *rest)

    coordinator.log.read = spy  # type: ignore[method-assign]
    play(swarm, peers, 1)
    again = Follower(path)
    assert again.look(coordinator)
    assert again.counters() == chain_says(peers)
    assert asked == [coordinator.log.head() - 5 - board_reader.DEPTH + 1]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"version":2}', b"[" * 10_000, b"\xff"])
def test_a_damaged_file_costs_only_a_longer_reading(
    swarm: SwarmServices, peers: dict[str, WalletCoordinator], tmp_path: Path, text: bytes
) -> None:
    path = tmp_path / "board.json"
    path.write_bytes(text)
    play(swarm, peers, 1)
    follower = Follower(path)
    assert follower.look(peers["QmAlice"])
    assert follower.counters() == chain_says(peers)


@pytest.mark.parametrize(("depth", "again"), [(1, True), (25, False)])
def test_blocks_that_the_chain_takes_back_do_not_count(
    swarm: SwarmServices,
    peers: dict[str, WalletCoordinator],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    depth: int,
    again: bool,
) -> None:
    """The devnet's folder copied at some block is a fork of it: one goes on, then the other.

    again: the fork goes deeper than what was counted for good, so all is read once more.
    """
    monkeypatch.setattr(board_reader, "DEPTH", depth)
    play(swarm, peers, 2)
    shutil.copytree(tmp_path / "services", tmp_path / "fork", ignore=shutil.ignore_patterns("lock"))
    follower = Follower(tmp_path / "board.json")
    play(swarm, peers, 4)
    follower.look(peers["QmAlice"])
    before = follower.counters()
    fork = SwarmServices(tmp_path / "fork", 0, 3600.0)
    fork.start()
    fork.clock.close()
    there = {
        name: WalletCoordinator(
            fork.devnet.url, fork.client.contract, load_or_create(tmp_path / "there" / name)
        )
        for name in ("QmCarol", "QmDave")
    }
    try:
        for peer, coordinator in there.items():
            coordinator.register(peer)
        play(fork, there, 6)
        assert there["QmCarol"].swarm == peers["QmAlice"].swarm
        follower.look(there["QmCarol"])
        alice = chain_says(dict.fromkeys(peers, there["QmCarol"]))
        assert follower.counters() == chain_says(there) | alice
        assert follower.counters()["QmRobert"] != before["QmRobert"]
        assert ("took back" in caplog.text) is again
        assert follower.reader._next > 1
    finally:
        for coordinator in there.values():
            coordinator.close()
        fork.close()


def test_it_ends_in_time_and_says_how_far_it_is_behind(
    swarm: SwarmServices, peers: dict[str, WalletCoordinator], tmp_path: Path
) -> None:
    play(swarm, peers, 8)
    coordinator = peers["QmAlice"]
    coordinator.log.span = 1
    follower = Follower(tmp_path / "board.json")
    assert not follower.look(coordinator, budget_s=0.0)
    assert follower.newest.behind == coordinator.log.head()
    looks = 1
    while not follower.look(coordinator, budget_s=0.0):
        looks += 1
    assert 2 <= looks < 20
    assert follower.newest.behind == 0
    assert follower.counters() == chain_says(peers)


def test_a_failed_look_changes_nothing(
    swarm: SwarmServices, peers: dict[str, WalletCoordinator], tmp_path: Path
) -> None:
    play(swarm, peers, 3)
    coordinator = peers["QmAlice"]
    follower = Follower(tmp_path / "board.json")
    follower.look(coordinator)
    read = coordinator.log.read

    def fails(*_: Any) -> Any:
        raise TransientError("the chain went away")

    play(swarm, peers, 3)
    coordinator.log.read = fails  # type: ignore[method-assign]
    with pytest.raises(TransientError):
        follower.look(coordinator)
    coordinator.log.read = read  # type: ignore[method-assign]
    assert follower.look(coordinator)
    assert follower.counters() == chain_says(peers)
