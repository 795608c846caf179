"""A real chain for every test of this room: no test here talks to anything but an EVM."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from core.chain import codec
from core.chain.account import Wallet, load_or_create
from core.chain.chainclient import ChainClient
from core.chain.contract.refusals import selectors
from core.chain.coordinator import WalletCoordinator
from core.chain.evm import Evm, Reverted
from core.chain.host import Services
from core.chain.login_routes import Routes, Served
from core.chain.login_server import LoginServer
from core.chain.members import Member, Members
from core.chain.services import SwarmServices


class Actor:
    """Somebody with an account who uses the contract, straight on the EVM."""

    def __init__(self, evm: Evm, contract: bytes, wallet: Wallet) -> None:
        self._evm = evm
        self._contract = contract
        self._wallet = wallet
        self.address = wallet.address
        self._sender = bytes.fromhex(wallet.address[2:])
        evm.fund(self._sender)

    def read(self, function: str, *arguments: Any) -> Any:
        """A view; its only result, or all of them."""
        data = codec.encode(function, *arguments)
        found = codec.decode(function, self._evm.call(self._contract, data, self._sender))
        return found[0] if len(found) == 1 else found

    def send(self, function: str, *arguments: Any) -> list[tuple[str, dict[str, Any]]]:
        """Mine a transaction; its events by name. Reverted, by error name, as `Refused`."""
        return self.send_data(codec.encode(function, *arguments))

    def send_data(self, data: bytes) -> list[tuple[str, dict[str, Any]]]:
        try:
            self._evm.call(self._contract, data, self._sender)
        except Reverted as error:
            raise Refused(selectors().get(error.data, error.data.hex())) from error
        tx_hash = self._evm.submit(
            self._wallet.sign(
                {
                    "chainId": self._evm.chain_id,
                    "nonce": self._evm.nonce(self._sender),
                    "to": self._contract,
                    "value": 0,
                    "gas": 3_000_000,
                    "maxFeePerGas": 2 * self._evm.base_fee() + 1,
                    "maxPriorityFeePerGas": 0,
                    "data": "0x" + data.hex(),
                }
            )
        )
        block, _, _ = self._evm.find_transaction(tx_hash)
        (receipt,) = self._evm.receipts(block)
        assert receipt.state_root == b"\x01", "the transaction failed where the call did not"
        names = {codec.topic(name): name for name in EVENTS}
        height = self._evm.height()
        return [
            (names[log.topics[0]], codec.decode_event(names[log.topics[0]], log.topics, log.data))
            for log in self._evm.logs(height, height, [self._contract])
        ]


EVENTS = (
    "StageAdvanced",
    "RoundAdvanced",
    "PeerRegistered",
    "BootnodesAdded",
    "BootnodeRemoved",
    "AllBootnodesCleared",
    "WinnerSubmitted",
    "RewardSubmitted",
    "CumulativeRewardsUpdated",
    "RoleGranted",
    "RoleRevoked",
)


class Refused(Exception):
    """The contract said no; the message is the error's name."""


@pytest.fixture
def evm(tmp_path: Path) -> Iterator[Evm]:
    chain = Evm(tmp_path)
    yield chain
    chain.close()


@pytest.fixture
def actors(evm: Evm, tmp_path: Path) -> Callable[[], Actor]:
    """Makes actors on a fresh contract; the first one is its owner."""
    owner = Wallet(b"\x07" * 32, tmp_path)
    client = ChainClient(evm, owner)
    made: list[Actor] = []

    def make() -> Actor:
        wallet = Wallet(bytes(Account.create().key), tmp_path) if made else owner
        made.append(Actor(evm, client.address, wallet))
        return made[-1]

    return make


@pytest.fixture
def owner(actors: Callable[[], Actor]) -> Actor:
    return actors()


@pytest.fixture
def alice(owner: Actor, actors: Callable[[], Actor]) -> Actor:
    return actors()


@pytest.fixture
def bob(owner: Actor, actors: Callable[[], Actor]) -> Actor:
    return actors()


@pytest.fixture
def swarm(tmp_path: Path) -> Iterator[SwarmServices]:
    """Devnet, contract and clock in this process, over real HTTP; rounds time out after 60 s."""
    services = SwarmServices(tmp_path / "services", 0, 60.0)
    services.start()
    yield services
    services.close()


@pytest.fixture
def connect(swarm: SwarmServices, tmp_path: Path) -> Iterator[Callable[..., WalletCoordinator]]:
    """Makes coordinators on `swarm`, one account per name."""
    made: list[WalletCoordinator] = []

    def make(name: str = "node", services: Services | None = None) -> WalletCoordinator:
        url = services.rpc_url if services else swarm.devnet.url
        wallet = load_or_create(tmp_path / "accounts" / name)
        made.append(WalletCoordinator(url, swarm.client.contract, wallet))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def members(tmp_path: Path) -> Members:
    return Members(tmp_path / "members", tmp_path / "account")


@pytest.fixture
def served() -> list[Served]:
    return []


@pytest.fixture
def proxy(swarm: SwarmServices, members: Members, served: list[Served]) -> Iterator[LoginServer]:
    """A login proxy for `swarm`; each member's coordinator is made once."""
    made: dict[str, WalletCoordinator] = {}

    def connect(member: Member) -> WalletCoordinator:
        if member.name not in made:
            wallet = load_or_create(member.account)
            made[member.name] = WalletCoordinator(swarm.devnet.url, swarm.client.contract, wallet)
        return made[member.name]

    server = LoginServer(Routes(members, connect, 60.0, served.append), port=0)
    server.start()
    yield server
    server.close()
    for each in made.values():
        each.close()
