"""Two nodes' chain and net rooms, wired as `core/node.py` does: the chain's address is enough."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core import events
from core.chain_room import ChainRoom
from core.home import Home
from core.net.identity import load_or_create
from core.net_room import NetRoom
from core.schema import ChainSection, Config, SwarmSection
from tests.conftest import wait_until


class Rooms:
    """Chain and net of one node, without a model."""

    def __init__(self, folder: Path, config: Config) -> None:
        self.home = Home(folder)
        self.home.create()
        self.told: list[events.Event] = []
        identity = load_or_create(self.home.identity)
        self.peer_id = identity.peer_id
        self.chain = ChainRoom(config, self.home, identity.peer_id, self.told.append)
        self.net = NetRoom(config, self.home, identity, self.told.append)
        self.chain.start()
        self.chain.ledger.start()
        self.net.start()
        self.chain.share_bootnodes(self.net.learn_bootnodes, self.net.current_addresses)

    def close(self) -> None:
        self.net.close()
        self.chain.close()


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Callable[[str, Config], Rooms]]:
    made: list[Rooms] = []

    def make(name: str, config: Config) -> Rooms:
        made.append(Rooms(tmp_path / name, config))
        return made[-1]

    yield make
    for each in reversed(made):
        each.close()


def test_a_node_finds_the_swarm_through_the_coordinator_alone(
    rooms: Callable[[str, Config], Rooms],
) -> None:
    host = rooms("host", Config(swarm=SwarmSection(host=True)))
    rpc_url, contract = host.chain.address(threading.Event())
    wait_until(lambda: host.chain.coordinator().bootnodes(), 30)
    plain = Config()
    section = replace(ChainSection(), rpc_url=rpc_url, contract=contract)
    joiner = rooms("joiner", replace(plain, chain=section))
    assert plain.net.bootnodes == []
    wait_until(lambda: joiner.net._link.status.peers > 0, 30)
    wait_until(lambda: host.net._link.status.peers > 0, 10)
    (listed,) = joiner.chain.coordinator().bootnodes()
    assert listed.endswith(host.peer_id)
    assert not [e for e in (*host.told, *joiner.told) if isinstance(e, events.Incident)]
