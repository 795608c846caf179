"""Signed transactions whose nonce is not yet due: kept until the ones before them have come.

As on other nodes, a client may send several at once, in any order. What was accepted here is on
disk, like a block; it enters the chain when its turn comes, unless its sender can no longer pay or
it became too old. It knows nonces and fees, nothing of execution.
"""

from __future__ import annotations

import time

from eth.abc import SignedTransactionAPI

from core.chain.chainstore import ChainStore
from core.chain.intake import Rejected, decoded, fees

PER_ACCOUNT = 16
IN_ALL = 1024
MAX_BYTES = 8 * 2**20
LIFETIME_S = 3 * 3600.0
"""geth's. Only room for newer ones makes a transaction leave before."""
BUMP_PERCENT = 10
"""How much more a replacement must offer, tip and cap: geth's rule."""


class TxPool:
    """The caller serialises access."""

    def __init__(self, store: ChainStore) -> None:
        self._store = store
        self._waiting: dict[bytes, dict[int, SignedTransactionAPI]] = {}
        self._by_hash: dict[bytes, tuple[SignedTransactionAPI, int, float]] = {}
        for tx_hash, raw, at in store.queued():
            try:
                self._hold(decoded(raw), len(raw), at)
            except Rejected:  # rules became stricter since
                store.dequeue(tx_hash)

    def senders(self) -> list[bytes]:
        return list(self._waiting)

    def find(self, tx_hash: bytes) -> SignedTransactionAPI | None:
        found = self._by_hash.get(tx_hash)
        return found[0] if found else None

    def due(self, sender: bytes, nonce: int) -> SignedTransactionAPI | None:
        return self._waiting.get(sender, {}).get(nonce)

    def add(self, transaction: SignedTransactionAPI, raw: bytes, next_nonce: int) -> None:
        """Keep it, durably. Raises Rejected in geth's words."""
        if transaction.hash in self._by_hash:
            raise Rejected("already known")
        mine = self._waiting.get(transaction.sender, {})
        before = mine.get(transaction.nonce)
        old: list[bytes] = [before.hash] if before is not None else []
        if before is not None:
            had, offered = fees(before), fees(transaction)
            if any(100 * o < (100 + BUMP_PERCENT) * h for h, o in zip(had, offered, strict=True)):
                raise Rejected("replacement transaction underpriced")
        elif len(mine) >= PER_ACCOUNT:
            raise Rejected(
                f"nonce too high: next nonce {next_nonce}, tx nonce {transaction.nonce}; "
                f"{PER_ACCOUNT} transactions of this account wait already"
            )
        now = time.time()
        if len(self._by_hash) >= IN_ALL or self._bytes() + len(raw) > MAX_BYTES:
            old += [h for h, (_, _, at) in self._by_hash.items() if now - at > LIFETIME_S]
            if not old:
                raise Rejected("txpool is full")
        self._store.queue(transaction.hash, raw, now, old)
        for each in old:
            self._forget(each)
        self._hold(transaction, len(raw), now)

    def mined(self, transaction: SignedTransactionAPI) -> None:
        """It is in a block, which the store holds: it waits no more."""
        if transaction.hash in self._by_hash:
            self._forget(transaction.hash)

    def drop(self, transaction: SignedTransactionAPI) -> None:
        """Its turn came and it could not enter a block."""
        self._store.dequeue(transaction.hash)
        self._forget(transaction.hash)

    def _bytes(self) -> int:
        return sum(size for _, size, _ in self._by_hash.values())

    def _hold(self, transaction: SignedTransactionAPI, size: int, at: float) -> None:
        self._waiting.setdefault(transaction.sender, {})[transaction.nonce] = transaction
        self._by_hash[transaction.hash] = (transaction, size, at)

    def _forget(self, tx_hash: bytes) -> None:
        transaction, _, _ = self._by_hash.pop(tx_hash)
        mine = self._waiting[transaction.sender]
        if mine.get(transaction.nonce) is transaction:
            del mine[transaction.nonce]
        if not mine:
            del self._waiting[transaction.sender]
