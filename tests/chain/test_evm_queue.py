"""Transactions whose nonce is not yet due: kept on disk, released in order, bounded."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.chain import txpool
from core.chain.account import Wallet
from core.chain.evm import Evm
from core.chain.genesis import ETHER
from core.chain.intake import Rejected
from core.chain.rpcmethods import RpcMethods

PRICE = 10**10


class Sender:
    def __init__(self, evm: Evm, folder: Path, key: int = 9) -> None:
        self.evm = evm
        self._wallet = Wallet(bytes([key]) * 32, folder)
        self.address = bytes.fromhex(self._wallet.address[2:])
        evm.fund(self.address)

    def signed(self, nonce: int, **changes: Any) -> bytes:
        return self._wallet.sign(
            {
                "chainId": self.evm.chain_id,
                "nonce": nonce,
                "to": "0x" + "11" * 20,
                "value": 1,
                "gas": 21_000,
                "maxFeePerGas": PRICE,
                "maxPriorityFeePerGas": 100,
                **changes,
            }
        )

    def send(self, nonce: int, **changes: Any) -> bytes:
        return self.evm.submit(self.signed(nonce, **changes))

    def nonce(self) -> int:
        return self.evm.nonce(self.address)


@pytest.fixture
def sender(evm: Evm, tmp_path: Path) -> Sender:
    return Sender(evm, tmp_path)


def test_the_missing_one_releases_those_that_wait(evm: Evm, sender: Sender) -> None:
    later = [sender.send(nonce) for nonce in (2, 3, 1)]
    height = evm.height()
    methods = RpcMethods(evm)
    shown = methods.answer("eth_getTransactionByHash", ["0x" + later[0].hex()])
    assert (shown["blockNumber"], shown["nonce"]) == (None, "0x2")
    assert methods.answer("eth_getTransactionReceipt", ["0x" + later[0].hex()]) is None
    assert sender.nonce() == 0
    sender.send(0)
    assert (sender.nonce(), evm.height()) == (4, height + 4)
    for tx_hash, block in zip(later, (height + 3, height + 4, height + 2), strict=True):
        assert evm.find_transaction(tx_hash)[0].number == block
        assert evm.waiting(tx_hash) is None


def test_what_waits_outlives_the_process(tmp_path: Path) -> None:
    evm = Evm(tmp_path)
    sender = Sender(evm, tmp_path)
    waiting = sender.send(1)
    evm.close()
    evm = Evm(tmp_path)
    sender.evm = evm
    assert evm.waiting(waiting) is not None
    # A process that ends between a block and what the block released.
    evm._promote = lambda sender: None  # type: ignore[method-assign]
    sender.send(0)
    assert sender.nonce() == 1
    evm.close()
    evm = sender.evm = Evm(tmp_path)
    assert sender.nonce() == 2
    assert evm.find_transaction(waiting)
    assert evm._store.queued() == []
    evm.close()


def test_the_words_of_geth(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    sender.send(5)
    with pytest.raises(Rejected, match=r"^already known$"):
        sender.send(5)
    for offer in ({"maxPriorityFeePerGas": 105}, {"maxFeePerGas": 2 * PRICE}, {"value": 3}):
        with pytest.raises(Rejected, match=r"^replacement transaction underpriced$"):
            sender.send(5, **{"value": 2, **offer})
    better = sender.send(5, value=7, maxFeePerGas=PRICE * 11 // 10, maxPriorityFeePerGas=110)
    for nonce in (*range(1, 5), *range(6, txpool.PER_ACCOUNT + 1)):
        sender.send(nonce)
    with pytest.raises(Rejected, match=r"^nonce too high: next nonce 0, tx nonce 40"):
        sender.send(40)
    sender.send(0)
    assert sender.nonce() == txpool.PER_ACCOUNT + 1
    assert sender.evm.find_transaction(better)[1].value == 7
    with pytest.raises(Rejected, match=r"^nonce too low: next nonce 17, tx nonce 5$"):
        sender.send(5)


def test_a_full_queue_makes_room_for_nobody_but_by_age(
    evm: Evm, sender: Sender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(txpool, "IN_ALL", 3)
    old = [sender.send(nonce) for nonce in (1, 2, 3)]
    other = Sender(evm, tmp_path, 10)
    with pytest.raises(Rejected, match=r"^txpool is full$"):
        other.send(1)
    monkeypatch.setattr(txpool, "LIFETIME_S", 0.0)
    other.send(1)
    assert [evm.waiting(each) for each in old] == [None] * 3
    assert len(evm._store.queued()) == 1


def test_one_that_cannot_pay_when_its_turn_comes_leaves(evm: Evm, sender: Sender) -> None:
    poor = sender.send(1, value=900 * ETHER)
    last = sender.send(2)
    sender.send(0, value=500 * ETHER)
    assert sender.nonce() == 1
    assert evm.waiting(poor) is None
    assert evm.waiting(last) is not None
    sender.send(1)
    assert sender.nonce() == 3


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_any_order_ends_in_the_same_state(tmp_path_factory: Any, seed: int) -> None:
    folder = tmp_path_factory.mktemp("order")
    evm = Evm(folder)
    senders = [Sender(evm, folder, key) for key in (3, 4)]
    todo = [(sender, nonce) for sender in senders for nonce in range(6)]
    random.Random(seed).shuffle(todo)
    for sender, nonce in todo:
        sender.send(nonce, maxPriorityFeePerGas=0)
    assert [sender.nonce() for sender in senders] == [6, 6]
    assert evm.balance(b"\x11" * 20) == 12
    assert evm._store.queued() == []
    evm.close()
