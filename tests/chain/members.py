"""A member of a swarm without the training: the real chain room of a node, on a home of its own.

Account, coordinator, outbox, ledger and their threads are those of a node; what is missing is the
model, so a round is trained at once and is worth what the test says.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import core
from core import events
from core.chain import codec
from core.chain.account import Wallet, load_or_create
from core.chain.chainclient import ChainClient
from core.chain.devnet import Devnet
from core.chain.evm import Evm
from core.chain.outbox import OutboxRow
from core.chain.rpc import Rpc
from core.chain.rpcmethods import RpcMethods
from core.chain_room import ChainRoom
from core.fold import fold
from core.health import Verdict, verdict
from core.home import Home
from core.schema import Config
from core.state import NodeState
from tests.chain.anvil import MISSING, Anvil
from tests.chain.audit import Written, differences, read_node
from tests.conftest import wait_until

CALL_TIMEOUT_S = 1.0
SETTLED = "credited"
CHAINS = ["devnet", pytest.param("anvil", marks=pytest.mark.skipif(bool(MISSING), reason=MISSING))]
"""For `parametrize`: what `own_chain` makes."""


class OwnDevnet:
    """A devnet and its contract in this process, whose clock only the test moves."""

    def __init__(self, folder: Path, port: int = 0, owner: bytes = b"\x07" * 32) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.evm = Evm(folder)
        self._owner = Wallet(owner, folder)
        self._client = ChainClient(self.evm, self._owner)
        self._devnet = Devnet(RpcMethods(self.evm), port)
        self._devnet.start()
        self.port = self._devnet.port
        self.url = self._devnet.url
        self.contract = self._client.contract
        self.rpc = Rpc(self.url, 30.0)

    def signed(self, function: str, *arguments: Any) -> str:
        """The hex of a transaction of the owner to the contract, not sent."""
        transaction = {
            "chainId": self.evm.chain_id,
            "nonce": self.rpc.quantity("eth_getTransactionCount", self._owner.address, "latest"),
            "to": self.contract,
            "value": 0,
            "gas": 500_000,
            "maxFeePerGas": 2 * self.evm.base_fee() + 1,
            "maxPriorityFeePerGas": 0,
            "data": "0x" + codec.encode(function, *arguments).hex(),
        }
        return "0x" + self._owner.sign(transaction).hex()

    def advance(self) -> None:
        self._client.send("updateStageAndRound")

    def close(self) -> None:
        self.rpc.close()
        self._devnet.close()
        self.evm.close()


@contextmanager
def own_chain(kind: str, folder: Path, *options: str) -> Iterator[OwnDevnet | Anvil]:
    """A chain with a fresh contract. options: of anvil."""
    chain = OwnDevnet(folder) if kind == "devnet" else Anvil(folder, *options)
    try:
        if isinstance(chain, Anvil):
            chain.deploy()
        yield chain
    finally:
        chain.close()


class Member:
    """One node's chain room. `open` and `close` may follow one another, as a node's starts do."""

    def __init__(self, folder: Path, url: str, contract: str, peer: str, **chain: Any) -> None:
        """chain: settings of the section `chain`, over those of a hurried test."""
        self.home = Home(folder)
        self.home.create()
        self.peer = peer
        self.emitted: list[events.Event] = []
        settings = {
            "rpc_url": url,
            "contract": contract,
            "call_timeout_s": CALL_TIMEOUT_S,
            "confirmations": 1,  # these chains grow only when somebody sends
            **chain,
        }
        config = Config()
        self.config = dataclasses.replace(
            config, chain=dataclasses.replace(config.chain, **settings)
        )
        self.room: ChainRoom | None = None

    def __enter__(self) -> Member:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> Member:
        self.room = ChainRoom(self.config, self.home, self.peer, self.emitted.append)
        self.room.start()
        self.room.ledger.start()
        self._started()
        return self

    def close(self) -> None:
        if self.room is not None:
            self.room.close()
            self.room = None

    @property
    def account(self) -> str:
        assert self.room is not None
        return self.room.coordinator().account

    def train(self, number: int, reward: int, winners: tuple[str, ...] = ("somebody",)) -> None:
        assert self.room is not None
        self.room.ledger.record_round(number, 0, reward, 0.5, winners)
        self._finished(number)

    def rows(self) -> list[OutboxRow]:
        assert self.room is not None
        return self.room.ledger.rows()

    def written(self, swarm: str = "") -> Written:
        return read_node(self.home.db, swarm)

    def all_settled(self, status: str = SETTLED) -> bool:
        rows = self.rows()
        return bool(rows) and all(row.status == status for row in rows)

    def is_done(self) -> bool:
        """Nothing is on its way any more: all of it is credited, or refused for good."""
        return bool(self.rows()) and all(r.status in (SETTLED, "failed") for r in self.rows())

    def incidents(self) -> list[events.Incident]:
        return [each for each in list(self.emitted) if isinstance(each, events.Incident)]

    def incident(self, code: str, timeout_s: float = 10.0) -> events.Incident:
        """The first one with this code, waited for."""
        return wait_until(
            lambda: next((each for each in self.incidents() if each.code == code), None), timeout_s
        )

    def _started(self) -> None:
        """As a node says it, for the verdict."""
        self.emitted.append(
            events.NodeStarted(
                version=core.__version__,
                pid=0,
                profile="join",
                home=str(self.home.path),
                peer_id=self.peer,
                name=self.peer,
                model="none",
                swarm="waggle",
            )
        )

    def _finished(self, number: int) -> None:
        self.emitted.append(
            events.RoundFinished(
                round=number,
                reward_mean=0.5,
                swarm_reward_mean=0.5,
                loss=None,
                seconds=0.1,
                wait_s=0.0,
                own_groups=1,
                foreign_groups=0,
                rejected_groups=0,
                peers=0,
                tokens_per_s=0.0,
                rss_mib=0.0,
            )
        )

    def verdict(self) -> Verdict:
        """What `waggle status` says of a node to which all this happened."""
        state = NodeState()
        for each in list(self.emitted):
            state = fold(state, each)
        return verdict(state, time.time(), True)


def fund(chain: OwnDevnet | Anvil, *members: Member) -> None:
    """A devnet's faucet pays by itself. Before a member opens: an empty account is an incident."""
    for member in members:
        if isinstance(chain, Anvil):
            chain.give(load_or_create(member.home.account).address)


def play(chain: OwnDevnet | Anvil, members: Sequence[Member], rounds: range) -> None:
    """Every member trains every round, and the clock waits for nobody's reward."""
    for number in rounds:
        for member in members:
            member.train(number, reward_of(member.peer, number))
        chain.advance()


def reward_of(peer: str, number: int) -> int:
    """Some are negative: a reward is a signed number."""
    return 3 * number - 7 + len(peer)


def settle(members: Sequence[Member], timeout_s: float = 30.0) -> None:
    """Wait until everything is credited; AssertionError, with what is not, at the deadline."""
    try:
        wait_until(lambda: all(member.all_settled() for member in members), timeout_s)
    except AssertionError:
        left = [row for member in members for row in member.rows() if row.status != SETTLED]
        told = [str(each) for member in members for each in member.incidents()]
        raise AssertionError(f"not credited: {left[:6]}; told: {told[-4:]}") from None


def check(chain: OwnDevnet | Anvil, members: Sequence[Member], swarm: str = "") -> None:
    """Ledgers and chain are the same; AssertionError says where they are not."""
    assert (
        differences(chain.rpc, chain.contract, [m.written(swarm) for m in members], SETTLED) == []
    )


def explained(incident: events.Incident, *words: str) -> None:
    """A sentence with a cause and a next step, in which these words are."""
    told = f"{incident.what} {incident.why} {incident.next_step}"
    assert incident.next_step, f"no next step: {told}"
    assert "\n" not in told
    assert "Traceback" not in told
    for word in words:
        assert word in told, f"{word!r} is not said: {told}"
