"""Sending over a line that fails and lies, by processes that are killed: each transaction counts
once, whatever the RPC said about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.chain import codec
from core.chain.account import load_or_create
from core.chain.coordinator import WalletCoordinator
from core.chain.inflight import InFlight
from core.chain.services import SwarmServices
from core.errors import RefusedError, TransientError
from core.protocols import Receipt
from core.schema import ChainSection
from tests.chain.faulty_rpc import FaultyRpc
from tests.chain.rpc_faults import BATCH, SEND
from tests.conftest import wait_until

SETTINGS = ChainSection(call_timeout_s=2.0)


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwarmServices]:
    services = SwarmServices(tmp_path_factory.mktemp("swarm"), 0, 60.0)
    services.start()
    services.clock.close()
    yield services
    services.close()


@pytest.fixture
def line(swarm: SwarmServices) -> Iterator[FaultyRpc]:
    with FaultyRpc(swarm.devnet.url, one_in=0, hang_s=20.0) as made:
        yield made


@pytest.fixture
def node(swarm: SwarmServices, line: FaultyRpc, tmp_path: Path) -> Iterator[WalletCoordinator]:
    wallet = load_or_create(tmp_path / "account")
    made = WalletCoordinator(line.url, swarm.client.contract, wallet, replace(SETTINGS))
    made.register(peer_of(made))
    yield made
    made.close()


def peer_of(node: WalletCoordinator) -> str:
    return f"Qm{node.account}"


def store_of(node: WalletCoordinator) -> InFlight:
    store: InFlight = node._sender._tools.store
    return store


def rewards_on_chain(swarm: SwarmServices, peer: str) -> list[int]:
    found = swarm.evm.logs(
        0, swarm.evm.height(), [swarm.client.address], [[codec.topic("RewardSubmitted")]]
    )
    events = [codec.decode_event("RewardSubmitted", each.topics, each.data) for each in found]
    return [each["reward"] for each in events if each["peerId"] == peer]


def persistently(work: Callable[[], Receipt]) -> tuple[Receipt, list[TransientError]]:
    """As the outbox does: until it works; and what was told on the way."""
    told: list[TransientError] = []

    def once() -> Receipt | None:
        try:
            return work()
        except TransientError as error:
            told.append(error)
            return None

    return wait_until(once, 30), told


@pytest.mark.parametrize(
    "kind",
    ["refused", "http_500", "busy", "garbage", "dropped", "truncated", "nonce_too_low",
     "underpriced", "already_known", "timeout", "late"],
)  # fmt: skip
def test_whatever_happens_to_it_the_reward_is_there_once(
    swarm: SwarmServices, line: FaultyRpc, node: WalletCoordinator, kind: str
) -> None:
    line.next(SEND, kind)
    receipt, _ = persistently(lambda: node.submit_reward(0, 0, 5, peer_of(node)))
    assert rewards_on_chain(swarm, peer_of(node)) == [5]
    assert node.receipt(receipt.tx_hash) == receipt
    assert [row.block for row in store_of(node).since(0)][-1] == receipt.block


@pytest.mark.parametrize("kind", ["refused", "http_500", "garbage", "revert"])
def test_a_line_that_fails_again_and_again_ends_in_the_same_reward(
    swarm: SwarmServices, line: FaultyRpc, node: WalletCoordinator, kind: str
) -> None:
    line.next(BATCH, *[kind] * 7)
    line.next(SEND, "dropped", "http_500")
    _, told = persistently(lambda: node.submit_reward(0, 0, 5, peer_of(node)))
    assert told
    assert all(error.why and error.next_step for error in told)
    assert rewards_on_chain(swarm, peer_of(node)) == [5]


def another(key: str, value: Any) -> Callable[[list[Any], Any], Any]:
    return lambda params, told: {**told, key: value} if isinstance(told, dict) else told


RECEIPTS = {
    "another transaction": ("transactionHash", "0x" + "11" * 32, "it is of transaction"),
    "another sender": ("from", "0x" + "22" * 20, "its sender is"),
    "another contract": ("to", "0x" + "33" * 20, "it went to"),
    "no status": ("status", None, "whether the transaction succeeded"),
    "odd block": ("blockNumber", "banana", "no number"),
}


@pytest.mark.parametrize("lie", RECEIPTS)
def test_a_receipt_that_cannot_be_is_not_believed(
    line: FaultyRpc, node: WalletCoordinator, lie: str
) -> None:
    key, value, why = RECEIPTS[lie]
    line.lies["eth_getTransactionReceipt"] = another(key, value)
    with pytest.raises(TransientError, match="cannot be true") as caught:
        node.submit_reward(0, 0, 5, peer_of(node))
    assert why in caught.value.why
    assert line.url in caught.value.what
    with pytest.raises(TransientError, match="cannot be true"):
        node.receipt(store_of(node).since(0)[-1].tx_hash)
    line.lies.clear()
    assert node.submit_reward(0, 0, 5, peer_of(node)).block > 0
    assert len(line.accepted) == 2, "the registration and one reward"


def test_success_that_the_coordinator_does_not_show_is_not_believed(
    line: FaultyRpc, node: WalletCoordinator
) -> None:
    nothing = "0x" + "00" * 32
    line.lies["eth_call"] = lambda params, told: nothing
    with pytest.raises(TransientError, match="contradicts itself") as caught:
        node.submit_reward(0, 0, 5, peer_of(node))
    assert "does not know of it" in caught.value.why
    line.lies.clear()
    node.submit_reward(0, 0, 5, peer_of(node))
    assert len(line.accepted) == 2


def test_failure_that_is_none_ends_in_what_the_contract_says(
    line: FaultyRpc, node: WalletCoordinator
) -> None:
    line.lies["eth_getTransactionReceipt"] = another("status", "0x0")
    with pytest.raises(RefusedError) as caught:
        node.submit_reward(0, 0, 5, peer_of(node))
    assert caught.value.code == "RewardAlreadySubmitted"
    (tx_hash,) = line.accepted[1:]
    with pytest.raises(RefusedError, match="reverted in block"):
        node.receipt(tx_hash)
    line.lies.clear()
    receipt = node.receipt(tx_hash)
    assert receipt is not None
    assert receipt.tx_hash == tx_hash


def test_a_refusal_is_heard_twice(line: FaultyRpc, node: WalletCoordinator) -> None:
    """One odd answer must not be the end of a reward."""
    line.next("eth_call", "behind")
    with pytest.raises(RefusedError) as caught:
        node.submit_reward(9, 0, 5, peer_of(node))
    assert caught.value.code == "InvalidRoundNumber"
    line.next(BATCH, "revert")
    assert node.submit_reward(0, 0, 5, peer_of(node)).block > 0


@pytest.mark.parametrize(
    ("method", "lie", "what"),
    [
        ("eth_estimateGas", hex(10**9), "too much gas"),
        ("eth_estimateGas", "banana", "cannot be read"),
        ("eth_gasPrice", "banana", ""),
        ("eth_feeHistory", {"reward": 7, "baseFeePerGas": [None]}, ""),
        ("eth_maxPriorityFeePerGas", hex(10**30), ""),
        ("eth_getTransactionCount", hex(0), ""),
        ("eth_getBalance", "0x0", "cannot pay"),
    ],
)
def test_numbers_that_make_no_sense_cost_nothing(
    line: FaultyRpc, node: WalletCoordinator, method: str, lie: Any, what: str
) -> None:
    before = len(line.accepted)
    line.lies["web3_clientVersion"] = lambda params, told: "somebody"
    line.lies[method] = lambda params, told: lie
    if what:
        with pytest.raises(TransientError, match=what) as caught:
            node.submit_reward(0, 0, 5, peer_of(node))
        assert caught.value.next_step
        line.lies.clear()
    persistently(lambda: node.submit_reward(0, 0, 5, peer_of(node)))
    assert len(line.accepted) == before + 1


def test_a_transaction_under_a_number_that_an_rpc_made_up_is_given_up(
    swarm: SwarmServices, line: FaultyRpc, node: WalletCoordinator
) -> None:
    object.__setattr__(node._settings, "call_timeout_s", 0.2)
    line.lies["eth_getTransactionCount"] = lambda params, told: hex(10**6)
    with pytest.raises(TransientError, match="not mined yet"):
        node.submit_reward(0, 0, 5, peer_of(node))
    line.lies.clear()
    _, told = persistently(lambda: node.submit_reward(0, 0, 5, peer_of(node)))
    assert any("can never be mined" in error.what for error in told)
    assert rewards_on_chain(swarm, peer_of(node)) == [5]


def test_a_pending_count_beyond_reason_is_not_believed(
    line: FaultyRpc, node: WalletCoordinator
) -> None:
    line.lies["eth_getTransactionCount"] = lambda params, told: (
        hex(10**6) if params[1] == "pending" else told
    )
    with pytest.raises(TransientError, match="cannot be") as caught:
        node.submit_reward(0, 0, 5, peer_of(node))
    assert caught.value.next_step
    line.lies.clear()
    assert node.submit_reward(0, 0, 5, peer_of(node)).block > 0
