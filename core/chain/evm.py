"""A whole EVM chain in this process: eth-tester's py-evm backend, one transaction a block, durable.

Every accepted transaction is mined at once and on disk before `submit` returns; opening the same
folder again continues the same chain: blocks, receipts, state. It knows nothing of JSON-RPC nor
of what contracts mean. For a swarm on one machine or LAN: there is no consensus here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from eth.abc import BlockAPI, BlockHeaderAPI, ComputationAPI, SignedTransactionAPI
from eth.exceptions import (
    HeaderNotFound,
    TransactionNotFound,
    VMError,
)
from eth.exceptions import Revert as EvmRevert
from eth_account import Account
from eth_utils import ValidationError
from eth_utils.crypto import keccak
from trie.exceptions import MissingTrieNode

from core.chain.chainstore import ChainStore, LogEntry
from core.chain.genesis import ETHER, FAUCET, FAUCET_KEY, DurableBackend
from core.chain.intake import Rejected, decoded
from core.chain.statesweep import reachable

CALL_GAS = 25_000_000
KEEP_STATES = 128
"""Calls on the state of this many past blocks can be answered, as on an ordinary full node."""
SWEEP_BATCH = 500
FAUCET_GIFT = 1000 * ETHER
FAUCET_ENOUGH = 100 * ETHER


class Reverted(Exception):
    """A call that failed in the EVM; `data` is what the contract gave back."""

    def __init__(self, data: bytes, reason: str) -> None:
        super().__init__(reason)
        self.data = data


class Evm:
    """The chain. Every method may be called from any thread: one lock, taken for milliseconds."""

    def __init__(self, folder: Path) -> None:
        self._store = ChainStore(folder / "chain.db")
        self._backend = DurableBackend(self._store)
        self._chain = self._backend.chain
        self._lock = threading.RLock()
        self.closing = threading.Event()
        self._grown = threading.Condition(self._lock)
        self.chain_id: int = self._chain.chain_id

    def close(self) -> None:
        self.closing.set()
        with self._lock:
            self._store.close()

    # --- reading ------------------------------------------------------------------------------

    def height(self) -> int:
        return self.header().block_number

    def base_fee(self) -> int:
        """Wei per gas that the newest block charged."""
        return int(self.header().base_fee_per_gas or 0)

    def wait_growth(self, height: int, timeout_s: float) -> int:
        """Block until the chain is higher than `height`, at most `timeout_s`; the height now."""
        with self._grown:
            self._grown.wait_for(lambda: self.height() > height, timeout_s)
            return self.height()

    def header(self, number: int | None = None) -> BlockHeaderAPI:
        """The newest header, or that of a block; LookupError when there is no such block."""
        with self._lock:
            head = self._chain.get_canonical_head()
            if number is None or number == head.block_number:
                return head
            try:
                return self._chain.get_canonical_block_header_by_number(number)
            except HeaderNotFound as error:
                raise LookupError(f"there is no block {number}") from error

    def block(self, number: int | None = None) -> BlockAPI:
        with self._lock:
            return self._chain.get_block_by_header(self.header(number))

    def block_by_hash(self, block_hash: bytes) -> BlockAPI:
        with self._lock:
            try:
                return self._chain.get_block_by_hash(block_hash)
            except HeaderNotFound as error:
                raise LookupError("there is no such block") from error

    def find_transaction(self, tx_hash: bytes) -> tuple[BlockAPI, SignedTransactionAPI, int]:
        """(block, transaction, its index); LookupError when the hash is unknown."""
        with self._lock:
            try:
                number, index = self._chain.chaindb.get_transaction_index(tx_hash)
            except TransactionNotFound as error:
                raise LookupError("there is no such transaction") from error
            block = self.block(number)
            return block, block.transactions[index], index

    def receipts(self, block: BlockAPI) -> Sequence[Any]:
        with self._lock:
            return block.get_receipts(self._chain.chaindb)

    def nonce(self, account: bytes, number: int | None = None) -> int:
        return self._state(number, lambda state: state.get_nonce(account))

    def balance(self, account: bytes, number: int | None = None) -> int:
        return self._state(number, lambda state: state.get_balance(account))

    def code(self, account: bytes, number: int | None = None) -> bytes:
        return self._state(number, lambda state: state.get_code(account))

    def storage(self, account: bytes, slot: int, number: int | None = None) -> int:
        return self._state(number, lambda state: state.get_storage(account, slot))

    def _state(self, number: int | None, read: Callable[[Any], Any]) -> Any:
        with self._lock:
            try:
                return read(self._chain.get_vm(self.header(number)).state)
            except MissingTrieNode as error:
                raise LookupError(f"the state of block {number} is not kept") from error

    def logs(
        self,
        first: int,
        last: int,
        addresses: Sequence[bytes] = (),
        topics: Sequence[Sequence[bytes]] = (),
        limit: int = 10_000,
    ) -> list[LogEntry]:
        with self._lock:
            return self._store.find_logs(first, last, addresses, topics, limit)

    def call(
        self,
        to: bytes,
        data: bytes,
        sender: bytes = bytes(20),
        *,
        value: int = 0,
        gas: int = CALL_GAS,
        number: int | None = None,
    ) -> bytes:
        """Run `to` with `data` and forget the effects; what it returns. Raises Reverted."""
        return self._run(to, data, sender, value, gas, number).output

    def estimate(self, to: bytes, data: bytes, sender: bytes, value: int = 0) -> int:
        """Gas that a transaction needs, with a quarter to spare. Raises Reverted."""
        used = self._run(to, data, sender, value, CALL_GAS, None)
        zeros = data.count(0)
        tokens = zeros + 4 * (len(data) - zeros)
        deploy = 0 if to else 32_000 + 200 * len(used.output) + 2 * len(data) // 32
        needed = 21_000 + 4 * tokens + deploy + used.get_gas_used()
        # EIP-7623: calldata has a floor price.
        return max(needed * 5 // 4, 21_000 + 10 * tokens)

    def _run(
        self, to: bytes, data: bytes, sender: bytes, value: int, gas: int, number: int | None
    ) -> ComputationAPI:
        with self._lock:
            vm = self._chain.get_vm(self.header(number))
            code = self.code(to, number) if to else data
            done = vm.execute_bytecode(
                origin=sender,
                gas_price=0,
                gas=min(gas, CALL_GAS),
                to=to or keccak(sender)[:20],  # creation: any address without code will do
                sender=sender,
                value=value,
                data=data if to else b"",
                code=code,
                code_address=to or None,
            )
            self._store.rollback()  # a call leaves no trace, whatever the VM staged
        if done.is_error:
            error = done.error
            given = error.args[0] if isinstance(error, EvmRevert) and error.args else b""
            reason = "execution reverted" if isinstance(error, EvmRevert) else str(error)
            raise Reverted(given if isinstance(given, bytes) else b"", reason)
        return done

    # --- writing ------------------------------------------------------------------------------

    def submit(self, raw: bytes, *, by_faucet: bool = False) -> bytes:
        """Mine a signed transaction, and have it on disk; its hash. Raises Rejected.

        A transaction that reverts is mined as well, with status 0, as on every chain. by_faucet:
        it is `fund`'s: the faucet's key is no secret, so nobody else may spend its ether.
        """
        with self._lock:
            transaction = decoded(raw, self._chain.get_vm(), self.chain_id)
            if transaction.sender == FAUCET and not by_faucet:
                raise Rejected("the faucet gives by waggle_fund only")
            before = self._chain.header
            try:
                parent = self._chain.get_canonical_head().timestamp
                self._chain.set_header_timestamp(max(int(time.time()), parent + 1))
                self._chain.apply_transaction(transaction)
                self._backend.mine_blocks(1)
                self._store.commit(self._new_logs(transaction.hash), *self._state_keys())
            except (ValidationError, VMError) as error:
                self._store.rollback()
                self._chain.header = before
                raise Rejected(str(error)) from error
            except BaseException:
                self._store.rollback()
                self._chain.header = before
                raise
            self._grown.notify_all()
            return transaction.hash

    def _new_logs(self, tx_hash: bytes) -> list[LogEntry]:
        """Of the block just mined, which holds this one transaction."""
        block = self.block()
        (receipt,) = block.get_receipts(self._chain.chaindb)
        return [
            LogEntry(
                block.number,
                position,
                tx_hash,
                log.address,
                tuple(topic.to_bytes(32, "big") for topic in log.topics),
                log.data,
            )
            for position, log in enumerate(receipt.logs)
        ]

    def _state_keys(self) -> tuple[int, set[bytes]]:
        """The number of the block just mined, and the staged keys that are nodes of its state."""
        header = self._chain.get_canonical_head()
        others = {
            header.hash,
            header.transaction_root,
            header.receipt_root,
            header.uncles_hash,
            header.withdrawals_root,
        }
        keys = {key for key in self._store.staged() if len(key) == 32 and key not in others}
        return int(header.block_number), keys

    def sweep(self, keep_blocks: int = KEEP_STATES) -> int:
        """Delete the state nodes that only blocks older than `keep_blocks` need; how many.

        Blocks, transactions, receipts and logs stay. Slow on purpose, and safe to interrupt: run
        it in a thread of its own. 0 when `close` was called meanwhile.
        """
        number = self.height() - keep_blocks
        if number < 1:
            return 0
        root = self.header(number).state_root
        with self._store.reader() as read:
            needed = reachable(read, root, self.closing.is_set)
        if needed is None:
            return 0
        # What later blocks wrote, or wrote again, has a higher number and is not touched.
        stale = [key for key in self._store.state_keys(number) if key not in needed]
        for start in range(0, len(stale), SWEEP_BATCH):
            if self.closing.is_set():
                return start
            with self._lock:
                self._store.drop_state(stale[start : start + SWEEP_BATCH], number)
            time.sleep(0.005)
        with self._lock:
            self._store.swept = number
        return len(stale)

    def unswept(self) -> int:
        """Blocks since the last sweep."""
        return self.height() - self._store.swept

    def fund(self, account: bytes) -> bytes | None:
        """Give an account ether from the faucet; None when it has enough already."""
        with self._lock:
            if self.balance(account) >= FAUCET_ENOUGH:
                return None
            signed = Account.from_key(FAUCET_KEY).sign_transaction(
                {
                    "chainId": self.chain_id,
                    "nonce": self.nonce(FAUCET),
                    "to": account,
                    "value": FAUCET_GIFT,
                    "gas": 100_000,
                    "maxFeePerGas": 2 * self.base_fee() + 1,
                    "maxPriorityFeePerGas": 0,
                }
            )
            return self.submit(bytes(signed.raw_transaction), by_faucet=True)
