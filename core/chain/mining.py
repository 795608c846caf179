"""One transaction into one block, all of it or nothing: executed, sealed and on disk.

It knows py-evm's mining and the store; who may send what, and when, is decided before.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from eth.abc import BlockHeaderAPI, SignedTransactionAPI
from eth.exceptions import VMError
from eth_utils import ValidationError
from trie.exceptions import MissingTrieNode

from core.chain.chainreader import LogEntry, unusable
from core.chain.chainstore import ChainStore, NewBlock
from core.chain.genesis import DevnetChain
from core.chain.intake import Rejected, check_funds
from core.chain.metered import TooLong, at_most

TRANSACTION_S = 2.0
"""Processor time that a transaction may take: nobody else's is mined meanwhile."""


def mine(
    chain: DevnetChain, store: ChainStore, transaction: SignedTransactionAPI
) -> BlockHeaderAPI:
    """The header of the new block. Rejected when the transaction cannot enter it, StorageError
    when the disk refuses; either leaves the chain as it was.

    transaction: its nonce is the sender's next one.
    """
    before = chain.header
    try:
        balance = chain.get_vm().state.get_balance(transaction.sender)
        check_funds(transaction, balance, int(before.base_fee_per_gas or 0))
        parent = chain.get_canonical_head()
        chain.set_header_timestamp(max(int(time.time()), parent.timestamp + 1))
        with at_most(TRANSACTION_S):
            result, receipts, _ = chain.mine_all(
                [transaction], mix_hash=os.urandom(32), blob_gas_used=0
            )
        block = result.imported_block
        logs = _log_entries(block.number, transaction.hash, receipts[0].logs)
        keys = _state_keys(block.header, store)
        store.commit(NewBlock(block.number, logs, keys, transaction.hash))
        return block.header
    except BaseException as error:
        store.rollback()
        chain.header = before
        if isinstance(error, TooLong):
            raise Rejected("the transaction takes too long for this chain") from error
        if isinstance(error, (ValidationError, VMError)):
            raise Rejected(str(error)) from error
        if isinstance(error, MissingTrieNode):
            raise unusable(store.path, ValueError("the newest state is not whole")) from error
        raise


def _log_entries(number: int, tx_hash: bytes, logs: Sequence[Any]) -> list[LogEntry]:
    return [
        LogEntry(
            number,
            position,
            tx_hash,
            log.address,
            tuple(topic.to_bytes(32, "big") for topic in log.topics),
            log.data,
        )
        for position, log in enumerate(logs)
    ]


def _state_keys(header: BlockHeaderAPI, store: ChainStore) -> set[bytes]:
    """Of the keys that the block staged, those that are nodes of its state."""
    others = {
        header.hash,
        header.transaction_root,
        header.receipt_root,
        header.uncles_hash,
        header.withdrawals_root,
    }
    return {key for key in store.staged() if len(key) == 32 and key not in others}
