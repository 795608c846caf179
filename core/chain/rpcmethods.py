"""The Ethereum JSON-RPC methods that the devnet answers, over an `Evm`. No HTTP here.

Parameters come from anybody on this machine: every one is checked and bounded before use. Answers
have the shapes of the Ethereum execution API specification.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from eth.abc import BlockAPI, SignedTransactionAPI
from eth_tester.backends.pyevm.serializers import (
    serialize_block,
    serialize_transaction,
    serialize_transaction_receipt,
)

from core.chain.chainstore import LogEntry
from core.chain.evm import Evm, Reverted
from core.chain.intake import MAX_TRANSACTION_BYTES, Rejected

MAX_LOGS = 10_000
MAX_LIST = 64
_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
_TAGS = {"latest": None, "pending": None, "safe": None, "finalized": None, "earliest": 0}


class RpcFault(Exception):
    """An error answer. code: JSON-RPC's; data: hex of a revert, or None."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


class RpcMethods:
    """`answer(method, params)` for every method known here. Thread-safe, as `Evm` is."""

    def __init__(
        self, evm: Evm, extra: dict[str, Callable[[list[Any]], Any]] | None = None
    ) -> None:
        self._evm = evm
        self._table: dict[str, Callable[[list[Any]], Any]] = {
            "web3_clientVersion": lambda p: "waggle-devnet",
            "net_version": lambda p: str(evm.chain_id),
            "eth_chainId": lambda p: hex(evm.chain_id),
            "eth_syncing": lambda p: False,
            "eth_accounts": lambda p: [],
            "eth_blockNumber": lambda p: hex(evm.height()),
            "eth_gasPrice": lambda p: hex(evm.base_fee()),
            "eth_maxPriorityFeePerGas": lambda p: "0x0",
            "eth_feeHistory": self._fee_history,
            "eth_getBalance": lambda p: hex(evm.balance(_address(p, 0), self._number(p, 1))),
            "eth_getTransactionCount": lambda p: hex(evm.nonce(_address(p, 0), self._number(p, 1))),
            "eth_getCode": lambda p: _hex(evm.code(_address(p, 0), self._number(p, 1))),
            "eth_getStorageAt": self._storage_at,
            "eth_call": self._call,
            "eth_estimateGas": self._estimate,
            "eth_sendRawTransaction": self._send,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getTransactionByHash": self._transaction,
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getBlockByHash": self._block_by_hash,
            "eth_getLogs": self._logs,
            "waggle_fund": self._fund,
            **(extra or {}),
        }

    def answer(self, method: str, params: list[Any]) -> Any:
        """The result. Raises RpcFault with the code that Ethereum clients expect."""
        handler = self._table.get(method)
        if handler is None:
            raise RpcFault(-32601, f"the method {method[:64]} does not exist")
        try:
            return handler(params)
        except Reverted as error:
            raise RpcFault(3, str(error), _hex(error.data)) from error
        except Rejected as error:
            raise RpcFault(-32000, str(error)) from error
        except LookupError as error:
            raise RpcFault(-32001, str(error.args[0])) from error

    def _number(self, params: list[Any], index: int) -> int | None:
        """A block parameter; None is the newest."""
        tag = params[index] if index < len(params) else "latest"
        if isinstance(tag, dict):
            tag = tag.get("blockNumber", tag.get("blockHash"))
        if isinstance(tag, str) and tag in _TAGS:
            return _TAGS[tag]
        if isinstance(tag, str) and len(tag) == 66:
            return int(self._evm.block_by_hash(_bytes(tag, 32)).number)
        return _quantity(tag)

    def _fee_history(self, params: list[Any]) -> Any:
        count = min(_quantity(_at(params, 0)), 64)
        last = self._number(params, 1)
        head = self._evm.header(last)
        first = max(0, head.block_number - count + 1)
        headers = [self._evm.header(n) for n in range(first, head.block_number + 1)]
        fees = [hex(h.base_fee_per_gas or 0) for h in headers]
        return {
            "oldestBlock": hex(first),
            "baseFeePerGas": [*fees, fees[-1]],
            "gasUsedRatio": [h.gas_used / h.gas_limit for h in headers],
            "reward": [["0x0"] * len(_listed(params, 2)) for _ in headers],
        }

    def _storage_at(self, params: list[Any]) -> str:
        slot = _quantity(_at(params, 1))
        value = self._evm.storage(_address(params, 0), slot, self._number(params, 2))
        return _hex(value.to_bytes(32, "big"))

    def _message(self, params: list[Any]) -> dict[str, Any]:
        given = _at(params, 0)
        if not isinstance(given, dict):
            raise RpcFault(-32602, "the first parameter must be a transaction object")
        text = given.get("input", given.get("data", "0x")) or "0x"
        return {
            "to": _bytes(given["to"], 20) if given.get("to") else b"",
            "data": _bytes(text, limit=MAX_TRANSACTION_BYTES),
            "sender": _bytes(given["from"], 20) if given.get("from") else bytes(20),
            "value": _quantity(given.get("value", "0x0")),
        }

    def _call(self, params: list[Any]) -> str:
        message = self._message(params)
        if not message["to"]:
            raise RpcFault(-32602, "eth_call needs a `to` here")
        return _hex(self._evm.call(**message, number=self._number(params, 1)))

    def _estimate(self, params: list[Any]) -> str:
        return hex(self._evm.estimate(**self._message(params)))

    def _send(self, params: list[Any]) -> str:
        return _hex(self._evm.submit(_bytes(_at(params, 0), limit=MAX_TRANSACTION_BYTES)))

    def _fund(self, params: list[Any]) -> str | None:
        sent = self._evm.fund(_address(params, 0))
        return None if sent is None else _hex(sent)

    def _found(self, params: list[Any]) -> tuple[BlockAPI, SignedTransactionAPI, int] | None:
        tx_hash = _bytes(_at(params, 0), 32)
        try:
            return self._evm.find_transaction(tx_hash)
        except LookupError:
            return None  # not mined (yet) is an answer, not an error

    def _receipt(self, params: list[Any]) -> Any:
        found = self._found(params)
        if found is None:
            return None
        block, transaction, index = found
        receipts = self._evm.receipts(block)
        shown = serialize_transaction_receipt(block, receipts, transaction, index, False, None)
        shown.pop("state_root")
        bloom = receipts[index].bloom
        return {**_camel(shown), "logsBloom": _hex(bloom.to_bytes(256, "big"))}

    def _transaction(self, params: list[Any]) -> Any:
        found = self._found(params)
        return None if found is None else _camel(serialize_transaction(*found, False))

    def _block_by_number(self, params: list[Any]) -> Any:
        try:
            block = self._evm.block(self._number(params, 0))
        except LookupError:
            return None
        return _shown_block(block, params)

    def _block_by_hash(self, params: list[Any]) -> Any:
        try:
            block = self._evm.block_by_hash(_bytes(_at(params, 0), 32))
        except LookupError:
            return None
        return _shown_block(block, params)

    def _logs(self, params: list[Any]) -> Any:
        query = _at(params, 0)
        if not isinstance(query, dict):
            raise RpcFault(-32602, "the first parameter must be a filter object")
        head = self._evm.height()
        if "blockHash" in query:
            first = last = int(self._evm.block_by_hash(_bytes(query["blockHash"], 32)).number)
        else:
            bounds = [query.get("fromBlock", "latest"), query.get("toBlock", "latest")]
            first, last = (
                head if n is None else n for n in (self._number(bounds, 0), self._number(bounds, 1))
            )
        addresses = [_bytes(each, 20) for each in _any_of(query.get("address"))]
        topics = [[_bytes(t, 32) for t in _any_of(each)] for each in _any_of(query.get("topics"))]
        found = self._evm.logs(first, last, addresses, topics[:4], MAX_LOGS + 1)
        if len(found) > MAX_LOGS:
            raise RpcFault(-32005, f"more than {MAX_LOGS} logs: ask for fewer blocks")
        hashes = {entry.block: self._evm.header(entry.block).hash for entry in found}
        return [_shown_log(entry, hashes[entry.block]) for entry in found]


def _shown_block(block: BlockAPI, params: list[Any]) -> dict[str, Any]:
    full = len(params) > 1 and params[1] is True
    shown = _camel(serialize_block(block, full, False))
    shown["logsBloom"] = _hex(block.header.bloom.to_bytes(256, "big"))
    return shown


def _shown_log(entry: LogEntry, block_hash: bytes) -> dict[str, Any]:
    return {
        "address": _hex(entry.address),
        "topics": [_hex(topic) for topic in entry.topics],
        "data": _hex(entry.data),
        "blockNumber": hex(entry.block),
        "blockHash": _hex(block_hash),
        "transactionHash": _hex(entry.tx_hash),
        "transactionIndex": "0x0",
        "logIndex": hex(entry.position),
        "removed": False,
    }


_RENAMED = {"coinbase": "miner", "sha3_uncles": "sha3Uncles"}


def _camel(value: Any) -> Any:
    """eth-tester's snake_case dictionaries of bytes and integers as JSON-RPC shows them."""
    if isinstance(value, dict):
        shown = {_name(key): _camel(item) for key, item in value.items()}
        if "topics" in value:  # a log: its type is not part of the specification
            shown.pop("type", None)
            shown["removed"] = False
        elif "nonce" in value and "data" in value:  # a transaction
            shown["input"] = shown.pop("data")
            shown["to"] = shown["to"] if value["to"] else None
        elif "cumulative_gas_used" in value:
            shown["to"] = shown["to"] if value["to"] else None
        return shown
    if isinstance(value, (list, tuple)):
        return [_camel(item) for item in value]
    if isinstance(value, bytes):
        return _hex(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return hex(value)
    return value


def _name(key: str) -> str:
    if key in _RENAMED:
        return _RENAMED[key]
    head, *rest = key.split("_")
    return head + "".join(part.capitalize() for part in rest)


# --- reading parameters -----------------------------------------------------------------------


def _at(params: list[Any], index: int) -> Any:
    if index >= len(params):
        raise RpcFault(-32602, f"parameter {index + 1} is missing")
    return params[index]


def _any_of(value: Any) -> list[Any]:
    items = [] if value is None else value if isinstance(value, list) else [value]
    if len(items) > MAX_LIST:
        raise RpcFault(-32602, f"a list has more than {MAX_LIST} entries")
    return items


def _listed(params: list[Any], index: int) -> list[Any]:
    return _any_of(params[index] if index < len(params) else None)


def _bytes(text: Any, size: int | None = None, limit: int = 1024) -> bytes:
    if not isinstance(text, str) or len(text) > 2 * limit + 2 or not _HEX.fullmatch(text):
        raise RpcFault(-32602, "a parameter is not 0x-prefixed hex data, or is too long")
    data = bytes.fromhex(text[2:])
    if size is not None and len(data) != size:
        raise RpcFault(-32602, f"a parameter must be {size} bytes, not {len(data)}")
    return data


def _address(params: list[Any], index: int) -> bytes:
    return _bytes(_at(params, index), 20)


def _quantity(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
        return value
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise RpcFault(-32602, "a parameter is not a hex quantity")
    return int(value, 16)


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
