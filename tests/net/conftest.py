"""Real nodes on loopback: identity, sidecar, exchange; everything under the test's own folder."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.net.exchange import StreamExchange
from core.net.identity import Identity, load_or_create
from core.net.link import LinkOptions, NetLink, NetStatus
from core.net.peers import PeerBook
from core.net.records import Record
from core.protocols import Gathered
from core.rollouts import Rollout, RolloutGroup, TaskId


@dataclass
class NetNode:
    """One node's net room, as `core/node.py` builds it."""

    folder: Path
    identity: Identity
    link: NetLink
    exchange: StreamExchange
    history: list[NetStatus]
    twins: list[Record]
    """Records in its name that others published."""

    @property
    def peer_id(self) -> str:
        return self.identity.peer_id

    def gather(self, round: int, want: int = 0, timeout_s: float = 10.0) -> list[Gathered]:
        return self.exchange.gather(
            round, 0, want=want, timeout_s=timeout_s, stop=threading.Event()
        )

    def close(self) -> None:
        self.exchange.close()
        self.link.close()


MakeNode = Callable[..., NetNode]


def make_groups(round: int, count: int = 3, index: int = 0) -> list[RolloutGroup]:
    """Groups with something in them; every round and index other ones."""
    return [
        RolloutGroup(
            task=TaskId("chain_sum", round, index + n),
            peer_id="",
            round=0,
            rollouts=(
                Rollout(f"<answer>{n}</answer>", (1, 2), (-0.5, -1.5), True, 1.0),
                Rollout("é 🐝", (3,), (-2.0,), False, 0.0),
            ),
        )
        for n in range(count)
    ]


def together(nodes: Sequence[NetNode], round: int, **gather: float) -> list[list[Gathered]]:
    """All nodes publish, then gather, side by side, as they do in one round of a swarm."""

    def play(node: NetNode) -> list[Gathered]:
        node.exchange.publish(round, 0, make_groups(round, index=10 * nodes.index(node)))
        return node.gather(round, **gather)  # type: ignore[arg-type]

    with ThreadPoolExecutor(len(nodes)) as pool:
        return list(pool.map(play, nodes))


@pytest.fixture
def make_node(tmp_path: Path) -> Iterator[MakeNode]:
    """A factory of nodes; `bootnodes` are nodes already made."""
    nodes: list[NetNode] = []

    def make(
        *bootnodes: NetNode, name: str = "", swarm: str = "test", listen: str = "", **options: Any
    ) -> NetNode:
        folder = tmp_path / (name or f"node-{len(nodes)}")
        folder.mkdir(exist_ok=True)
        identity = load_or_create(folder / "swarm.pem")
        book = PeerBook(folder / "peers.json")
        history: list[NetStatus] = []
        twins: list[Record] = []
        link = NetLink(
            LinkOptions(
                identity=identity.path,
                swarm=swarm,
                log=folder / "net.log",
                listen=listen or "/ip4/127.0.0.1/tcp/0",
                bootnodes=tuple(m for n in bootnodes for m in n.link.visible_maddrs()),
                **options,
            ),
            on_status=history.append,
            contacts=book.contacts,
        )
        exchange = StreamExchange(link, identity, swarm, book=book, on_twin=twins.append)
        node = NetNode(folder, identity, link, exchange, history, twins)
        nodes.append(node)
        link.start()
        return node

    yield make
    for node in nodes:
        node.close()
