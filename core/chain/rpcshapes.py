"""Blocks, transactions, receipts and logs in the shapes of the Ethereum execution API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eth.abc import BlockAPI, SignedTransactionAPI
from eth_tester.backends.pyevm.serializers import (
    serialize_block,
    serialize_transaction,
    serialize_transaction_receipt,
)

from core.chain.chainreader import LogEntry

_RENAMED = {"coinbase": "miner", "sha3_uncles": "sha3Uncles"}


def shown_hex(data: bytes) -> str:
    return "0x" + data.hex()


def shown_block(block: BlockAPI, full: bool) -> dict[str, Any]:
    shown = _camel(serialize_block(block, False, False))
    shown["logsBloom"] = shown_hex(block.header.bloom.to_bytes(256, "big"))
    shown["extraData"] = shown_hex(block.header.extra_data)
    if full:
        shown["transactions"] = [
            shown_transaction(each, block, index) for index, each in enumerate(block.transactions)
        ]
    return shown


def shown_transaction(
    transaction: SignedTransactionAPI, block: BlockAPI | None, index: int
) -> dict[str, Any]:
    """block: None for one that waits for its turn."""
    shown = _camel(serialize_transaction(block, transaction, index, block is None))
    shown["input"] = shown.pop("data")
    shown["to"] = shown["to"] if transaction.to else None
    if "accessList" in shown:
        shown["accessList"] = [
            {
                "address": shown_hex(address),
                "storageKeys": [shown_hex(slot.to_bytes(32, "big")) for slot in slots],
            }
            for address, slots in transaction.access_list
        ]
    return shown


def shown_receipt(block: BlockAPI, receipts: Sequence[Any], index: int) -> dict[str, Any]:
    transaction = block.transactions[index]
    raw = serialize_transaction_receipt(block, receipts, transaction, index, False, None)
    raw.pop("state_root")
    shown = _camel(raw)
    for each in shown["logs"]:
        del each["type"]  # eth-tester's own
        each["removed"] = False
    shown["to"] = shown["to"] if transaction.to else None
    shown["logsBloom"] = shown_hex(receipts[index].bloom.to_bytes(256, "big"))
    return shown


def shown_log(entry: LogEntry, block_hash: bytes) -> dict[str, Any]:
    return {
        "address": shown_hex(entry.address),
        "topics": [shown_hex(topic) for topic in entry.topics],
        "data": shown_hex(entry.data),
        "blockNumber": hex(entry.block),
        "blockHash": shown_hex(block_hash),
        "transactionHash": shown_hex(entry.tx_hash),
        "transactionIndex": "0x0",
        "logIndex": hex(entry.position),
        "removed": False,
    }


def _camel(value: Any) -> Any:
    """eth-tester's snake_case dictionaries of bytes and integers as JSON-RPC shows them."""
    if isinstance(value, dict):
        return {_name(key): _camel(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_camel(item) for item in value]
    if isinstance(value, bytes):
        return shown_hex(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return hex(value)
    return value


def _name(key: str) -> str:
    if key in _RENAMED:
        return _RENAMED[key]
    head, *rest = key.split("_")
    return head + "".join(part.capitalize() for part in rest)
