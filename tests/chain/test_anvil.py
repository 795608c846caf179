"""Sending on a chain with a mempool, which anvil is: stuck, dropped, replaced, taken back.

Whatever happens there, what was submitted counts once, and it is always the same transaction or a
dearer one with the same number.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from core.chain.account import Wallet
from core.chain.coordinator import WalletCoordinator
from core.chain.fees import QUESTIONS, Bounds, market, offer
from core.chain.inflight import InFlight
from core.errors import RefusedError, TransientError, WaggleError
from core.protocols import Receipt
from core.schema import ChainSection
from tests.chain.anvil import MISSING, Anvil
from tests.conftest import wait_until

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)
GWEI = 10**9
QUICK = ChainSection(call_timeout_s=5.0, replace_after_s=0.5, max_fee_gwei=100, max_tip_gwei=50)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Anvil]:
    with Anvil(tmp_path_factory.mktemp("anvil")) as chain:
        chain.deploy()
        yield chain


@pytest.fixture
def chain(shared: Anvil) -> Iterator[Anvil]:
    """Mines nothing until `mine`; back to normal afterwards, with an empty mempool."""
    shared.rpc.call("evm_setAutomine", False)
    yield shared
    shared.rpc.call("anvil_dropAllTransactions")
    shared.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
    shared.rpc.call("evm_mine")
    shared.rpc.call("evm_setAutomine", True)


class Node:
    """A coordinator of a new account with ether, and what it does in the background."""

    def __init__(self, chain: Anvil, folder: Path, settings: ChainSection = QUICK) -> None:
        self.chain = chain
        self.wallet = Wallet(bytes(Account.create().key), folder)
        chain.give(self.wallet.address)
        self.peer = f"Qm{self.wallet.address}"
        self.settings = replace(settings)
        self.sent: list[str] = []
        self.coordinator = self.connect()

    def connect(self) -> WalletCoordinator:
        return WalletCoordinator(self.chain.url, self.chain.contract, self.wallet, self.settings)

    @property
    def store(self) -> InFlight:
        rpc = self.coordinator.rpc
        return InFlight(self.wallet.state_dir, rpc.chain_id, rpc.first_block)

    def be_patient(self) -> None:
        """Replace nothing any more."""
        object.__setattr__(self.settings, "replace_after_s", 60.0)

    def registering(self, peer: str = "") -> Later:
        return Later(lambda: self.coordinator.register(peer or self.peer, self.sent.append))

    def known(self, tx_hash: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.chain.rpc.call("eth_getTransactionByHash", tx_hash)
        return found

    def newest(self) -> list[str]:
        return [row.tx_hash for row in self.store.since(0)]

    def nonce(self) -> int:
        return self.chain.rpc.quantity("eth_getTransactionCount", self.wallet.address, "latest")


class Later(threading.Thread):
    """A call in a thread, and its outcome."""

    def __init__(self, work: Callable[[], Receipt]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._found: Receipt | None = None
        self._error: WaggleError | None = None
        self.start()

    def run(self) -> None:
        try:
            self._found = self._work()
        except WaggleError as error:
            self._error = error

    def result(self, timeout_s: float = 30.0) -> Receipt:
        self.join(timeout_s)
        assert not self.is_alive(), "it does not end"
        if self._error is not None:
            raise self._error
        assert self._found is not None
        return self._found


@pytest.fixture
def node(chain: Anvil, tmp_path: Path) -> Iterator[Node]:
    made = Node(chain, tmp_path)
    yield made
    made.coordinator.close()


def mine(chain: Anvil) -> None:
    chain.rpc.call("evm_mine")


def fee_of(transaction: dict[str, Any] | None) -> tuple[int, int]:
    assert transaction is not None
    return int(transaction["maxFeePerGas"], 16), int(transaction["maxPriorityFeePerGas"], 16)


def test_a_stuck_transaction_is_replaced_by_a_dearer_one_with_its_number(
    chain: Anvil, node: Node
) -> None:
    work = node.registering()
    wait_until(lambda: len(node.sent) >= 3)
    mine(chain)
    receipt = work.result()
    rows = node.store.at(0)
    fees = [(row.fee.per_gas, row.fee.tip or 0) for row in rows]
    for (fee, tip), (more, more_tip) in itertools.pairwise(fees):
        assert more >= fee * 1.125
        assert more_tip >= tip * 1.125
    assert [row.tx_hash for row in rows] == node.sent, "each was told, in order"
    assert receipt.tx_hash in node.sent[2:]
    assert fee_of(node.known(receipt.tx_hash)) == fees[node.sent.index(receipt.tx_hash)]
    assert all(node.known(each) is None for each in node.sent if each != receipt.tx_hash)
    assert (receipt.gas_used > 0, receipt.fee_wei > 0, receipt.block > 0) == (True, True, True)
    assert node.nonce() == 1
    assert node.coordinator.owner_of(node.peer) == node.wallet.address


def test_no_more_than_the_bound_is_ever_offered_and_which_to_raise_is_told(
    chain: Anvil, tmp_path: Path
) -> None:
    for bounds, told in (
        (ChainSection(call_timeout_s=0.3, replace_after_s=0.2, max_tip_gwei=1.2), "max_tip_gwei"),
        (ChainSection(call_timeout_s=0.3, replace_after_s=0.2, max_fee_gwei=3.0), "max_fee_gwei"),
        (ChainSection(call_timeout_s=0.3, replace_after_s=0.2, max_replacements=1), "replaced 1"),
    ):
        node = Node(chain, tmp_path / told, bounds)
        with pytest.raises(TransientError, match=told) as caught:
            node.coordinator.register(node.peer, node.sent.append)
        assert "stuck" in caught.value.what
        for row in node.store.at(0):
            assert row.fee.per_gas <= bounds.max_fee_gwei * GWEI
            assert (row.fee.tip or 0) <= bounds.max_tip_gwei * GWEI
        mine(chain)
        assert node.coordinator.register(node.peer).tx_hash in node.sent
        assert node.nonce() == 1
        node.coordinator.close()


def test_a_dropped_transaction_is_sent_again_byte_for_byte(
    chain: Anvil, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.chain.watching.LOST_AFTER_S", 0.2)
    node.be_patient()
    work = node.registering()
    wait_until(lambda: node.sent and node.known(node.sent[0]))
    for _ in range(2):
        chain.rpc.call("anvil_dropTransaction", node.sent[0])
        assert node.known(node.sent[0]) is None
        wait_until(lambda: node.known(node.sent[0]))
    mine(chain)
    assert work.result().tx_hash == node.sent[0]
    assert node.sent == [node.sent[0]]
    assert node.nonce() == 1


def test_what_a_killed_process_sent_is_found_and_not_sent_twice(chain: Anvil, node: Node) -> None:
    """The second coordinator knows nothing but the file; the first one simply is no more."""
    work = node.registering()
    wait_until(lambda: node.sent and node.known(node.sent[0]))
    node.coordinator.close()  # its thread goes away without an answer
    with pytest.raises(TransientError, match="not mined yet"):
        work.result()
    again, seen = node.connect(), []
    other = Later(lambda: again.register(node.peer, seen.append))
    wait_until(lambda: seen)
    assert seen[0] == node.sent[0]
    mine(chain)
    assert other.result().tx_hash in {*seen, *node.sent}
    assert node.nonce() == 1
    # And once more after it was mined: the receipt is found, nothing is sent.
    assert again.register(node.peer).tx_hash == other.result().tx_hash
    assert node.nonce() == 1
    again.close()


def test_a_lost_transaction_below_ours_is_sent_again_first(chain: Anvil, node: Node) -> None:
    """A nonce gap: number 0 is out of the mempool, so number 1 would wait for ever."""
    first = node.registering("Qm-first")
    wait_until(lambda: node.sent and node.known(node.sent[0]))
    node.be_patient()
    chain.rpc.call("anvil_dropTransaction", node.sent[0])
    second = Later(lambda: node.coordinator.register("Qm-second"))
    wait_until(lambda: len(node.store.since(0)) == 2)
    wait_until(lambda: all(node.known(row.tx_hash) for row in node.store.since(0)))
    mine(chain)
    first.result(), second.result()
    assert node.nonce() == 2


def test_a_number_that_nobody_uses_is_filled(
    chain: Anvil, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Number 1 is out and nobody has number 0 any more: it would wait for ever."""
    monkeypatch.setattr("core.chain.watching.LOST_AFTER_S", 0.2)
    work = node.registering()
    wait_until(lambda: node.sent and node.known(node.sent[0]))
    (row,) = node.store.at(0)[:1]
    node.coordinator.close()
    with pytest.raises(TransientError):
        work.result()
    chain.rpc.call("anvil_dropAllTransactions")
    node.store.forget(node.store.at(0))
    repair = node.connect()._sender._tools.repair
    later = repair.signed(row.intent, row.target, row.data, row.gas, row.fee, 1)
    node.store.add(later)
    again = node.connect()
    other = Later(lambda: again.register(node.peer))
    wait_until(lambda: node.store.at(0) and all(map(node.known, node.newest())))
    mine(chain)
    assert other.result().tx_hash in {each.tx_hash for each in node.store.at(1)}
    assert node.nonce() == 2
    again.close()


def test_a_number_taken_by_another_wallet_is_noticed(chain: Anvil, node: Node) -> None:
    work = node.registering()
    wait_until(lambda: node.sent and node.known(node.sent[0]))
    other = {
        "chainId": 31337, "nonce": 0, "to": node.wallet.address, "value": 0, "gas": 21_000,
        "maxFeePerGas": 90 * GWEI, "maxPriorityFeePerGas": 49 * GWEI,
    }  # fmt: skip
    for tx_hash in node.sent:
        chain.rpc.call("anvil_dropTransaction", tx_hash)
    chain.rpc.call("eth_sendRawTransaction", "0x" + node.wallet.sign(other).hex())
    mine(chain)
    with pytest.raises(TransientError, match="took the place") as caught:
        work.result()
    assert "another wallet" in caught.value.next_step
    again = node.registering()
    wait_until(lambda: node.store.at(1))
    mine(chain)
    assert again.result().block > 0
    assert node.nonce() == 2


def test_a_foreign_transaction_in_the_pool_is_passed_by(chain: Anvil, node: Node) -> None:
    other = {
        "chainId": 31337, "nonce": 0, "to": node.wallet.address, "value": 0, "gas": 21_000,
        "maxFeePerGas": 9 * GWEI, "maxPriorityFeePerGas": GWEI,
    }  # fmt: skip
    chain.rpc.call("eth_sendRawTransaction", "0x" + node.wallet.sign(other).hex())
    work = node.registering()
    wait_until(lambda: node.sent)
    mine(chain)
    work.result()
    assert node.nonce() == 2


@pytest.mark.parametrize("way", ["reorg", "revert", "rollback"])
def test_what_a_reorganisation_took_back_is_sent_again_exactly_once(
    chain: Anvil, node: Node, way: str
) -> None:
    chain.rpc.call("evm_setAutomine", True)
    node.coordinator.register(node.peer)
    snapshot = chain.rpc.call("evm_snapshot")
    receipt = node.coordinator.submit_reward(0, 0, 7, node.peer)
    assert node.coordinator.receipt(receipt.tx_hash) == receipt
    chain.rpc.call("evm_setAutomine", False)
    if way == "reorg":
        chain.rpc.call("anvil_reorg", 1, [])
    elif way == "revert":
        assert chain.rpc.call("evm_revert", snapshot)
    else:
        chain.rpc.call("anvil_rollback", 1)
    chain.rpc.call("anvil_dropAllTransactions")
    assert node.coordinator.receipt(receipt.tx_hash) is None
    wait_until(lambda: not node.coordinator.has_reward(0, 0, node.peer))
    again = Later(lambda: node.coordinator.submit_reward(0, 0, 7, node.peer, node.sent.append))
    wait_until(lambda: node.sent and node.known(node.sent[0]))
    assert node.sent[0] == receipt.tx_hash, "the very same transaction"
    mine(chain)
    final = again.result()
    assert final.tx_hash in {receipt.tx_hash, *node.sent}
    assert node.coordinator.counters(node.peer)["total_reward"] == 7
    assert node.nonce() == 2
    events, _ = node.coordinator.log.read(
        0, node.coordinator.head(), ["RewardSubmitted"], float("inf")
    )
    mine_only = [each for each in events if each.fields["peerId"] == node.peer]
    assert len(mine_only) == 1


def test_a_transaction_that_fails_when_it_is_mined_is_explained(chain: Anvil, node: Node) -> None:
    """Somebody else is faster: the estimate was right, and the block says no."""
    rival = Node(chain, node.wallet.folder / "rival")
    work = node.registering("Qm-contested")
    wait_until(lambda: node.sent)
    mined = Later(lambda: rival.coordinator.register("Qm-contested", rival.sent.append))
    wait_until(lambda: rival.sent)
    mine(chain)
    outcomes = []
    for each in (work, mined):
        try:
            outcomes.append(each.result().tx_hash)
        except RefusedError as error:
            outcomes.append(error.code)
    assert outcomes.count("PeerIdAlreadyRegistered") == 1
    rival.coordinator.close()


def test_the_offer_follows_the_chain(chain: Anvil, tmp_path: Path) -> None:
    chain.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(60 * GWEI))
    mine(chain)
    dear = Node(chain, tmp_path / "dear", ChainSection(max_fee_gwei=40))
    with pytest.raises(TransientError, match="too expensive") as caught:
        dear.coordinator.register(dear.peer)
    assert "max_fee_gwei" in caught.value.next_step
    able = Node(chain, tmp_path / "able")
    work = able.registering()
    wait_until(lambda: able.sent)
    fee, tip = fee_of(able.known(able.sent[0]))
    assert 50 * GWEI <= fee <= 100 * GWEI
    assert 0 < tip <= 50 * GWEI
    mine(chain)
    work.result()
    for each in (dear, able):
        each.coordinator.close()


def test_a_chain_without_a_base_fee(tmp_path: Path) -> None:
    with Anvil(tmp_path, "--hardfork", "berlin") as chain:
        # The contract needs a newer EVM, so only the offer and the transaction are looked at.
        wallet = Wallet(bytes(Account.create().key), tmp_path)
        chain.give(wallet.address)
        now = market(*chain.rpc.batch(QUESTIONS))
        assert now is not None
        assert now.base is None
        fee = offer(now, Bounds.of(QUICK))
        assert fee.tip is None
        transaction = {"chainId": 31337, "nonce": 0, "to": wallet.address, "value": 0,
                       "gas": 30_000, **fee.fields()}  # fmt: skip
        tx_hash = chain.rpc.call("eth_sendRawTransaction", "0x" + wallet.sign(transaction).hex())
        assert wait_until(lambda: chain.rpc.call("eth_getTransactionReceipt", tx_hash))
