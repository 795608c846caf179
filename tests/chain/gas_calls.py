"""What the calls of a swarm cost in gas: the same calls on any coordinator, ours or the original.

Each is a transaction in a block of its own on a real chain, so that every slot is cold, as it is
for nodes. Nothing is assumed of the coordinator but its ABI of version 0.4.2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_tester.utils.address import generate_contract_address

from core.chain import codec
from core.chain.account import Wallet
from core.chain.contract import SUBMIT_REWARD
from core.chain.evm import Evm

BOOTNODE = "/ip4/38.101.215.13/tcp/30002/p2p/QmQ2gEXoPJg6iMBSUFWGzAabS2VhnzuS782Y637hGjfsRJ"
GAS = 8_000_000


def real(name: str) -> str:
    """A peer id of the length that they have."""
    return "Qm" + hashlib.sha256(name.encode()).hexdigest()[:44]


def short(name: str) -> str:
    """No peer id: a name as in the original's tests, of a third of a slot."""
    return f"Qm{name}"


@dataclass(frozen=True)
class Step:
    """One call by an account (0 is the owner). label: what it is measured as, "" for not at all."""

    label: str
    who: int
    function: str
    arguments: tuple[Any, ...]


class Meter:
    """Sends transactions on a chain and tells the gas that each used."""

    def __init__(self, evm: Evm, folder: Path) -> None:
        self._evm = evm
        self._wallets = [Wallet(bytes([number + 1]) * 32, folder) for number in range(7)]
        self.senders = [bytes.fromhex(wallet.address[2:]) for wallet in self._wallets]
        for sender in self.senders:
            evm.fund(sender)

    def deploy(self, code: bytes) -> tuple[bytes, int]:
        """By the owner: (address, gas)."""
        address = generate_contract_address(self.senders[0], self._evm.nonce(self.senders[0]))
        return bytes(address), self.gas(0, b"", code)

    def gas(self, who: int, to: bytes, data: bytes) -> int:
        """AssertionError when the transaction fails."""
        tx_hash = self._evm.submit(
            self._wallets[who].sign(
                {
                    "chainId": self._evm.chain_id,
                    "nonce": self._evm.nonce(self.senders[who]),
                    "value": 0,
                    "data": "0x" + data.hex(),
                    "gas": GAS,
                    "maxFeePerGas": 2 * self._evm.base_fee() + 1,
                    "maxPriorityFeePerGas": 0,
                    **({"to": to} if to else {}),
                }
            )
        )
        block, _, _ = self._evm.find_transaction(tx_hash)
        (receipt,) = self._evm.receipts(block)
        assert receipt.state_root == b"\x01", data[:4].hex()
        return int(receipt.gas_used)

    def measure(self, contract: bytes, steps: Iterator[Step]) -> dict[str, int]:
        """Label -> gas, of a coordinator that nobody has used yet."""
        found: dict[str, int] = {}
        for step in steps:
            used = self.gas(step.who, contract, codec.encode(step.function, *step.arguments))
            if step.label:
                found[step.label] = used
        return found


def a_swarms_life(stages: int, name: Any = real) -> Iterator[Step]:
    """Six accounts register, submit and vote in three rounds. stages: of a round."""
    peers = [name(f"peer {n}") for n in range(7)]
    lists = [[name(f"list {k} {n}") for n in range(8)] for k in range(3)]

    def vote(label: str, who: int, round_number: int, *winners: str) -> Step:
        return Step(label, who, "submitWinners", (round_number, list(winners), peers[who]))

    def reward(label: str, who: int, round_number: int) -> Step:
        return Step(label, who, SUBMIT_REWARD, (round_number, 0, 7, peers[who]))

    def move_on(label: str) -> Iterator[Step]:
        for stage in range(stages):
            yield Step("" if stage else label, 0, "updateStageAndRound", ())

    yield Step("registerPeer, first of the swarm", 1, "registerPeer", (peers[1],))
    for who in range(2, 6):
        label = "registerPeer, first of an account" if who == 2 else ""
        yield Step(label, who, "registerPeer", (peers[who],))
    yield Step("registerPeer, another of an account", 2, "registerPeer", (peers[6],))
    yield reward("submitReward, first of the swarm", 1, 0)
    yield reward("submitReward, a peer's first", 2, 0)
    yield Step("submitReward, an account's second peer", 2, SUBMIT_REWARD, (0, 0, 7, peers[6]))
    yield vote("submitWinners 1, first of the swarm", 1, 0, peers[2])
    yield vote("submitWinners 1, a voter's first", 2, 0, peers[1])
    yield vote("submitWinners 2, a voter's first", 3, 0, peers[1], peers[4])
    yield vote("submitWinners 8, never heard of", 4, 0, *lists[0])
    yield from move_on("updateStageAndRound, first")
    yield reward("submitReward, first of a round", 1, 1)
    yield reward("submitReward, again", 2, 1)
    yield vote("submitWinners 1, first of a round", 1, 1, peers[2])
    yield vote("submitWinners 1, again", 2, 1, peers[2])
    yield vote("submitWinners 2, again", 3, 1, peers[1], peers[4])
    yield vote("submitWinners 8, again", 4, 1, *lists[0])
    yield vote("submitWinners 1, never heard of", 5, 1, lists[1][0])
    yield vote("submitWinners 2, never heard of", 5, 0, lists[1][1], lists[1][2])
    yield from move_on("updateStageAndRound, again")
    yield reward("submitReward, for a past round", 3, 1)
    yield vote("submitWinners 1, of itself", 4, 2, peers[4])
    yield Step("addBootnodes 1, first", 0, "addBootnodes", ([BOOTNODE],))
    yield Step("addBootnodes 2", 0, "addBootnodes", ([BOOTNODE] * 2,))
    yield Step("removeBootnode, not the last", 0, "removeBootnode", (0,))
    yield Step("removeBootnode, the last", 0, "removeBootnode", (1,))
    yield Step("clearBootnodes", 0, "clearBootnodes", ())
    yield Step("grantRole", 0, "grantRole", (bytes(32), "0x" + "11" * 20))
    yield Step("revokeRole", 0, "revokeRole", (bytes(32), "0x" + "11" * 20))


def a_first_vote(winners: int, name: Any = real) -> Iterator[Step]:
    """The very first vote of a swarm, for peers that it has never heard of."""
    yield Step("", 1, "registerPeer", (name("voter"),))
    named = [name(f"winner {n}") for n in range(winners)]
    label = f"submitWinners {winners}, first and never heard of"
    yield Step(label, 1, "submitWinners", (0, named, name("voter")))
