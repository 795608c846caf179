"""The coordinator's bootnodes on a real devnet: handed on, published by the host, kept right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from core import events
from core.chain.account import load_or_create
from core.chain.coordinator import WalletCoordinator
from core.chain.services import SwarmServices
from core.errors import RefusedError, TransientError
from core.swarm.bootnodes import Bootnodes
from core.swarm.chain_watch import ChainWatch
from tests.conftest import wait_until

ME, OTHER, THIRD = ("Qm" + letter * 44 for letter in "abc")
Connect = Callable[..., WalletCoordinator]


def at(port: int, peer: str, host: str = "192.0.2.1") -> str:
    return f"/ip4/{host}/tcp/{port}/p2p/{peer}"


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[SwarmServices]:
    """A swarm whose host's account lies in tmp_path/host."""
    services = SwarmServices(tmp_path / "swarm", 0, 60.0, manager=tmp_path / "host")
    services.start()
    yield services
    services.close()


def coordinator_of(services: SwarmServices, folder: Path) -> WalletCoordinator:
    wallet = load_or_create(folder)
    return WalletCoordinator(services.devnet.url, services.client.contract, wallet)


class Host:
    """A `Bootnodes` with what it was told and what it handed on."""

    def __init__(self, *, publishes: bool = True) -> None:
        self.addresses: Sequence[str] = ()
        self.learnt: list[list[str]] = []
        self.told: list[events.Event] = []
        self.part = Bootnodes(
            ME,
            lambda maddrs: self.learnt.append(list(maddrs)),
            lambda: self.addresses,
            self.told.append,
            publishes=publishes,
        )


def test_the_list_is_handed_on_when_it_changes(hosted: SwarmServices, tmp_path: Path) -> None:
    joiner, reader = Host(publishes=False), coordinator_of(hosted, tmp_path / "joiner")
    assert joiner.part.look(reader)
    assert joiner.learnt == []
    hosted.client.send(
        "addBootnodes", [at(1, OTHER), "rubbish \x1b[2J", at(2, ME), at(3, THIRD)], gas=3_000_000
    )
    assert joiner.part.look(reader)
    assert joiner.part.look(reader)
    assert joiner.learnt == [[at(1, OTHER), at(3, THIRD)]]
    hosted.client.send("removeBootnode", 0)
    joiner.part.look(reader)
    assert joiner.learnt[1:] == [[at(3, THIRD)]]
    assert not joiner.told
    reader.close()


def test_the_host_publishes_itself_once_and_replaces_what_is_stale(
    hosted: SwarmServices, tmp_path: Path
) -> None:
    host, coordinator = Host(), coordinator_of(hosted, tmp_path / "host")
    assert not host.part.look(coordinator), "its address is not known yet"
    host.addresses = [at(7, ME, "127.0.0.1"), at(7, ME)]
    assert host.part.look(coordinator)
    assert coordinator.bootnodes() == [at(7, ME)]
    height = hosted.evm.height()
    assert host.part.look(coordinator)
    assert hosted.evm.height() == height, "what is right is left as it is"
    hosted.client.send("addBootnodes", [at(1, OTHER), at(5, ME), at(3, THIRD)], gas=3_000_000)
    host.addresses = [at(8, ME)]
    assert host.part.look(coordinator)
    assert sorted(coordinator.bootnodes()) == sorted([at(8, ME), at(1, OTHER), at(3, THIRD)])
    assert not host.told
    coordinator.close()


def test_the_role_outlives_a_restart_and_is_given_once(tmp_path: Path) -> None:
    heights = []
    for port in (4, 5):
        services = SwarmServices(tmp_path / "swarm", 0, 60.0, manager=tmp_path / "host")
        services.start()
        heights.append(services.evm.height())
        host, coordinator = Host(), coordinator_of(services, tmp_path / "host")
        host.addresses = [at(port, ME)]
        assert host.part.look(coordinator)
        assert coordinator.bootnodes() == [at(port, ME)]
        heights.append(services.evm.height())
        coordinator.close()
        services.close()
    assert heights[1] == heights[2]


def test_without_the_role_it_is_told_once_and_left(hosted: SwarmServices, tmp_path: Path) -> None:
    stranger, coordinator = Host(), coordinator_of(hosted, tmp_path / "stranger")
    stranger.addresses = [at(7, ME)]
    for _ in range(3):
        assert stranger.part.look(coordinator)
    assert coordinator.bootnodes() == []
    (told,) = stranger.told
    assert isinstance(told, events.Incident)
    assert told.code == "bootnode_refused"
    coordinator.close()


def test_a_full_list_is_no_error(hosted: SwarmServices, tmp_path: Path) -> None:
    for first in (0, 32):
        full = [at(first + n + 1, OTHER) for n in range(32)]
        hosted.client.send("addBootnodes", full, gas=20_000_000)
    host, coordinator = Host(), coordinator_of(hosted, tmp_path / "host")
    host.addresses = [at(7, ME)]
    assert host.part.look(coordinator)
    assert len(host.learnt[0]) == 64
    assert not host.told
    coordinator.close()


def test_the_watch_does_both_and_survives_a_chain_that_comes_late(
    hosted: SwarmServices, tmp_path: Path
) -> None:
    told: list[events.Event] = []
    coordinator = coordinator_of(hosted, tmp_path / "host")
    late = [TransientError("not yet"), TransientError("not yet")]

    def connect() -> WalletCoordinator:
        if late:
            raise late.pop()
        return coordinator

    watch = ChainWatch(connect, tmp_path / "board.json", ME, told.append)
    host = Host()
    host.addresses = [at(7, ME)]
    watch.bootnodes = host.part
    watch.start()
    wait_until(lambda: coordinator.bootnodes() == [at(7, ME)])
    wait_until(lambda: any(isinstance(e, events.LeaderboardRead) for e in told))
    coordinator.register(ME)
    coordinator.submit_reward(0, 0, 3, ME)
    watch.close(last_look=True)
    newest = [e for e in told if isinstance(e, events.LeaderboardRead)][-1]
    assert newest.me["total_reward"] == 3
    assert not [e for e in told if isinstance(e, events.Incident)]
    coordinator.close()


def test_a_chain_that_keeps_its_events_to_itself_is_told_once(
    hosted: SwarmServices, tmp_path: Path
) -> None:
    told: list[events.Event] = []
    coordinator = coordinator_of(hosted, tmp_path / "host")

    def refuses(*_: object) -> None:
        raise RefusedError("The chain tells no events", "it has a limit", code="NoLogs")

    coordinator.log.read = refuses  # type: ignore[method-assign,assignment]
    watch = ChainWatch(lambda: coordinator, tmp_path / "board.json", ME, told.append)
    for _ in range(3):
        assert not watch._try(watch._look_at_board)
    (incident,) = told
    assert isinstance(incident, events.Incident)
    assert (incident.code, incident.why) == ("NoLogs", "it has a limit")
    coordinator.close()
