"""One look at the devnet's committed chain: blocks, receipts, state, and calls on it.

Reads over a connection of its own, so nobody who asks something waits for a transaction that is
being mined, nor holds it up. One user at a time; `Views` lends them out.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth.abc import BlockAPI, BlockHeaderAPI, ComputationAPI, SignedTransactionAPI
from eth.exceptions import HeaderNotFound, OutOfGas, TransactionNotFound
from eth.exceptions import Revert as EvmRevert
from eth_utils.crypto import keccak
from trie.exceptions import MissingTrieNode

from core.chain.chainreader import ChainReader, NodeCache, unusable
from core.chain.genesis import chain_over
from core.chain.metered import at_most

VIEWS = 8
VIEW_WAIT_S = 10.0
CALL_GAS = 25_000_000
REVERTED = "execution reverted"


class Busy(Exception):
    """Every view is lent out, and stays so."""


class Reverted(Exception):
    """A call that failed in the EVM; `data` is what the contract gave back.

    The message is REVERTED, or another reason when the contract did not choose to fail.
    """

    def __init__(self, data: bytes, reason: str) -> None:
        super().__init__(reason)
        self.data = data


@dataclass(frozen=True)
class Message:
    """What a call runs. to: empty for the creation of a contract from `data`.

    limit_s: processor time that it may take.
    """

    to: bytes
    data: bytes
    sender: bytes = bytes(20)
    value: int = 0
    gas: int = CALL_GAS
    limit_s: float = 5.0


class ChainView:
    """LookupError for what is not on the chain, or not kept; StorageError for a damaged file."""

    def __init__(self, path: Path, cache: NodeCache) -> None:
        self._path = path
        self.reader = ChainReader(path, cache)
        self._chain = chain_over(self.reader)

    def close(self) -> None:
        self.reader.close()

    def head(self) -> BlockHeaderAPI:
        return self._chain.get_canonical_head()

    def header(self, number: int) -> BlockHeaderAPI:
        try:
            return self._chain.get_canonical_block_header_by_number(number)  # type: ignore[arg-type]
        except HeaderNotFound as error:
            known = 0 <= number <= self.head().block_number
            why = "is no longer kept" if known else "does not exist"
            raise LookupError(f"block {number} {why}") from error

    def block(self, header: BlockHeaderAPI) -> BlockAPI:
        try:
            return self._chain.get_block_by_header(header)
        except (KeyError, HeaderNotFound, MissingTrieNode) as error:
            raise LookupError(f"block {header.block_number} is no longer kept") from error

    def block_by_hash(self, block_hash: bytes) -> BlockAPI:
        try:
            return self._chain.get_block_by_hash(block_hash)  # type: ignore[arg-type]
        except (KeyError, HeaderNotFound, MissingTrieNode) as error:
            raise LookupError("there is no such block") from error

    def find_transaction(self, tx_hash: bytes) -> tuple[BlockAPI, SignedTransactionAPI, int]:
        """(block, transaction, its index)."""
        try:
            number, index = self._chain.chaindb.get_transaction_index(tx_hash)  # type: ignore[arg-type]
        except TransactionNotFound as error:
            raise LookupError("there is no such transaction") from error
        block = self.block(self.header(number))
        return block, block.transactions[index], index

    def receipts(self, block: BlockAPI) -> Sequence[Any]:
        try:
            return block.get_receipts(self._chain.chaindb)
        except (KeyError, MissingTrieNode) as error:
            raise LookupError(f"block {block.number} is no longer kept") from error

    def state(self, header: BlockHeaderAPI, read: Callable[[Any], Any]) -> Any:
        """What `read` finds in the state after a block."""
        try:
            return read(self._chain.get_vm(header).state)
        except MissingTrieNode as error:
            raise self._missing(header, error) from error

    def run(self, message: Message, header: BlockHeaderAPI) -> ComputationAPI:
        """Execute on the state after a block. Reverted when it fails, TooLong past its limit."""
        to, data = message.to, message.data
        try:
            vm = self._chain.get_vm(header)
            with at_most(message.limit_s):
                done = vm.execute_bytecode(
                    origin=message.sender,  # type: ignore[arg-type]
                    gas_price=0,
                    gas=min(message.gas, CALL_GAS),
                    # creation: any address without code will do
                    to=to or keccak(message.sender)[:20],  # type: ignore[arg-type]
                    sender=message.sender,  # type: ignore[arg-type]
                    value=message.value,
                    data=data if to else b"",
                    code=vm.state.get_code(to) if to else data,  # type: ignore[arg-type]
                    code_address=to or None,  # type: ignore[arg-type]
                )
        except MissingTrieNode as error:
            raise self._missing(header, error) from error
        if done.is_error:
            raise _reverted(done.error)
        return done

    def _missing(self, header: BlockHeaderAPI, error: Exception) -> Exception:
        """Old states are swept; the newest one can only be missing from a damaged file."""
        if header.block_number < self.head().block_number:
            return LookupError(f"the state of block {header.block_number} is not kept")
        return unusable(self._path, ValueError("the newest state is not whole"))


def _reverted(failure: Exception) -> Reverted:
    """In geth's words. What the contract gave back is there for a revert only."""
    if not isinstance(failure, EvmRevert):
        return Reverted(b"", "out of gas" if isinstance(failure, OutOfGas) else str(failure))
    given = failure.args[0] if failure.args else b""
    return Reverted(given if isinstance(given, bytes) else b"", REVERTED)


class Views:
    """At most eight views of one file, opened as they are needed. Thread-safe."""

    def __init__(self, path: Path, cache: NodeCache) -> None:
        self._path = path
        self._cache = cache
        self._free: queue.LifoQueue[ChainView | None] = queue.LifoQueue()
        for _ in range(VIEWS):
            self._free.put(None)

    @contextmanager
    def one(self) -> Iterator[ChainView]:
        """Busy when none is free within ten seconds."""
        try:
            view = self._free.get(timeout=VIEW_WAIT_S)
        except queue.Empty as error:
            raise Busy from error
        try:
            if view is None:
                view = ChainView(self._path, self._cache)
            yield view
        finally:
            self._free.put(view)

    def close(self) -> None:
        """Ends the views that are free, and waits for those that are not."""
        for _ in range(VIEWS):
            try:
                view = self._free.get(timeout=VIEW_WAIT_S)
            except queue.Empty:
                return  # its user holds it still; it ends with the process
            if view is not None:
                view.close()
