"""A whole EVM chain in this process: py-evm, one transaction a block, durable.

Every accepted transaction is on disk before `submit` returns, in a block or, when its nonce is not
yet due, in the queue; opening the same folder again continues the same chain: blocks, receipts,
state. It knows nothing of JSON-RPC nor of what contracts mean. For a swarm on one machine or LAN:
there is no consensus here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from eth.abc import BlockAPI, BlockHeaderAPI, SignedTransactionAPI
from eth.exceptions import PyEVMError
from eth_account import Account
from rlp.exceptions import RLPException
from trie.exceptions import MissingTrieNode

from core.chain.chainreader import LogEntry, unusable
from core.chain.chainstore import ChainStore
from core.chain.chainview import Message, Reverted, Views
from core.chain.genesis import CHAIN_ID, ETHER, FAUCET, FAUCET_KEY, begin, chain_over
from core.chain.intake import Rejected, check_gas, check_nonce, decoded
from core.chain.mining import mine
from core.chain.sweep import sweep_history, sweep_states
from core.chain.turnstile import Turnstile
from core.chain.txpool import TxPool

__all__ = ["Evm", "Message", "Reverted"]

KEEP_STATES = 128
"""Calls on the state of this many past blocks can be answered, as on an ordinary full node."""
KEEP_HISTORY = 100_000
"""Headers, transactions and receipts of this many past blocks; logs are kept for ever."""
FAUCET_GIFT = 1000 * ETHER
FAUCET_ENOUGH = 100 * ETHER


class Evm:
    """The chain. Every method may be called from any thread. Writing takes one lock, for
    milliseconds; reading takes none."""

    def __init__(self, folder: Path) -> None:
        """StorageError when the folder's chain cannot be used."""
        self._store = ChainStore(folder / "chain.db")
        try:
            if self._store.is_empty():
                begin(self._store)
                self._store.commit()
            self._chain = chain_over(self._store)
            self._head = self._chain.get_canonical_head()
            self._chain.get_block_by_header(self._head).get_receipts(self._chain.chaindb)
            self._chain.get_vm().state.get_balance(FAUCET)
            self._pool = TxPool(self._store)
        except BaseException as error:
            self._store.close()
            if isinstance(error, (PyEVMError, RLPException, MissingTrieNode, KeyError)):
                why = ValueError("its newest block is not whole")
                raise unusable(self._store.path, why) from error
            raise
        self._following = self._chain.header
        self._views = Views(self._store.path, self._store.cache)
        self._lock = threading.RLock()
        self._turnstile = Turnstile()
        self._grown = threading.Condition(self._lock)
        self.closing = threading.Event()
        self.chain_id = CHAIN_ID
        for sender in self._pool.senders():
            self._promote(sender)

    def close(self) -> None:
        self.closing.set()
        with self._lock:
            self._views.close()
            self._store.close()

    # --- reading ------------------------------------------------------------------------------

    def height(self) -> int:
        return self._head.block_number

    def base_fee(self) -> int:
        """Wei per gas that the newest block charged."""
        return int(self._head.base_fee_per_gas or 0)

    def base_fee_after(self, number: int) -> int:
        """What the block after `number` charged, or will."""
        follows = self._following
        if number + 1 < follows.block_number:
            follows = self.header(number + 1)
        return int(follows.base_fee_per_gas or 0)

    def wait_growth(self, height: int, timeout_s: float) -> int:
        """Block until the chain is higher than `height`, at most `timeout_s`; the height now."""
        with self._grown:
            self._grown.wait_for(lambda: self.height() > height, timeout_s)
            return self.height()

    def header(self, number: int | None = None) -> BlockHeaderAPI:
        """The newest header, or that of a block; LookupError when there is no such block."""
        head = self._head
        if number is None or number == head.block_number:
            return head
        with self._views.one() as view:
            return view.header(number)

    def block(self, number: int | None = None) -> BlockAPI:
        header = self.header(number)
        with self._views.one() as view:
            return view.block(header)

    def block_by_hash(self, block_hash: bytes) -> BlockAPI:
        with self._views.one() as view:
            return view.block_by_hash(block_hash)

    def find_transaction(self, tx_hash: bytes) -> tuple[BlockAPI, SignedTransactionAPI, int]:
        """(block, transaction, its index); LookupError when it is not in a block."""
        with self._views.one() as view:
            return view.find_transaction(tx_hash)

    def waiting(self, tx_hash: bytes) -> SignedTransactionAPI | None:
        """A transaction whose nonce is not yet due."""
        with self._lock:
            return self._pool.find(tx_hash)

    def receipts(self, block: BlockAPI) -> Sequence[Any]:
        with self._views.one() as view:
            return view.receipts(block)

    def nonce(self, account: bytes, number: int | None = None) -> int:
        return self._state(number, lambda state: state.get_nonce(account))

    def balance(self, account: bytes, number: int | None = None) -> int:
        return self._state(number, lambda state: state.get_balance(account))

    def code(self, account: bytes, number: int | None = None) -> bytes:
        return self._state(number, lambda state: state.get_code(account))

    def storage(self, account: bytes, slot: int, number: int | None = None) -> int:
        return self._state(number, lambda state: state.get_storage(account, slot))

    def _state(self, number: int | None, read: Callable[[Any], Any]) -> Any:
        header = self.header(number)
        with self._views.one() as view:
            return view.state(header, read)

    def logs(
        self,
        first: int,
        last: int,
        addresses: Sequence[bytes] = (),
        topics: Sequence[Sequence[bytes]] = (),
        limit: int = 10_000,
    ) -> list[LogEntry]:
        """Oldest first. Raises TooMuch when there are more than `limit`."""
        with self._views.one() as view:
            return view.reader.find_logs(first, last, addresses, topics, limit)

    def block_hashes(self, numbers: Sequence[int]) -> dict[int, bytes]:
        with self._views.one() as view:
            return view.reader.block_hashes(numbers)

    def call(
        self,
        to: bytes,
        data: bytes,
        sender: bytes = bytes(20),
        *,
        number: int | None = None,
    ) -> bytes:
        """Run `to` with `data` and forget the effects; what it returns. Raises Reverted."""
        return self.run(Message(to, data, sender), number)

    def run(self, message: Message, number: int | None = None) -> bytes:
        """A call with all that can be said about it. Raises Reverted, TooLong, LookupError."""
        header = self.header(number)
        with self._views.one() as view:
            return view.run(message, header).output

    def estimate(self, message: Message, number: int | None = None) -> int:
        """Gas that a transaction needs, with a quarter to spare. Raises Reverted, TooLong."""
        header, data = self.header(number), message.data
        with self._views.one() as view:
            used = view.run(message, header)
        zeros = data.count(0)
        tokens = zeros + 4 * (len(data) - zeros)
        deploy = 0 if message.to else 32_000 + 200 * len(used.output) + 2 * len(data) // 32
        needed = 21_000 + 4 * tokens + deploy + used.get_gas_used()
        # EIP-7623: calldata has a floor price.
        return max(needed * 5 // 4, 21_000 + 10 * tokens)

    # --- writing ------------------------------------------------------------------------------

    def submit(self, raw: bytes) -> bytes:
        """Mine a signed transaction, or queue one whose nonce is not yet due, and have it on disk;
        its hash. Raises Rejected.

        A transaction that reverts is mined as well, with status 0, as on every chain.
        """
        transaction = decoded(raw)
        if transaction.sender == FAUCET:  # its key is no secret: nobody may spend its ether
            raise Rejected("the faucet gives by waggle_fund only")
        check_gas(transaction, self._head.gas_limit)
        with self._turnstile, self._lock:
            expected = self._chain.get_vm().state.get_nonce(transaction.sender)
            check_nonce(transaction, expected)
            if transaction.nonce > expected:
                self._pool.add(transaction, raw, expected)
                return transaction.hash
            self._mine(transaction)
        self._promote(transaction.sender)
        return transaction.hash

    def _promote(self, sender: bytes) -> None:
        """Mine what waited for the sender's nonce, letting others in between."""
        while True:
            with self._turnstile, self._lock:
                nonce = self._chain.get_vm().state.get_nonce(sender)  # type: ignore[arg-type]
                due = self._pool.due(sender, nonce)
                if due is None:
                    return
                try:
                    self._mine(due)
                except Rejected:
                    self._pool.drop(due)

    def _mine(self, transaction: SignedTransactionAPI) -> None:
        self._head = mine(self._chain, self._store, transaction)
        self._following = self._chain.header
        self._pool.mined(transaction)
        self._grown.notify_all()

    def sweep(self, keep_blocks: int = KEEP_STATES, keep_history: int = KEEP_HISTORY) -> int:
        """Delete the state nodes that only blocks older than `keep_blocks` need, and the headers,
        transactions and receipts of blocks older than `keep_history`; how many rows.

        Whatever is asked, a block whose state is kept stays whole, and the newest one as well. Run
        it in a thread of its own: it takes its time. It ends early once `close` was called.
        """
        head = self.height()
        state, history = head - keep_blocks, head - max(keep_history, keep_blocks + 1)
        dropped = 0
        with self._views.one() as view:
            if state >= 1:
                dropped += sweep_states(view, self._store, self._lock, self.closing, state)
            if history >= 1:
                dropped += sweep_history(view, self._store, self._lock, self.closing, history)
        return dropped

    def unswept(self) -> int:
        """Blocks since the last sweep."""
        with self._lock:
            return self.height() - self._store.swept

    def fund(self, account: bytes) -> bytes | None:
        """Give an account ether from the faucet; None when it has enough already."""
        with self._turnstile, self._lock:
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
            gift = decoded(bytes(signed.raw_transaction))
            self._mine(gift)
            return gift.hash
