"""The Ethereum JSON-RPC methods that the devnet answers, over an `Evm`. No HTTP here.

docs/devnet.md lists them. Answers have the shapes of the Ethereum execution API specification,
errors the words and codes of geth, because client libraries look for these.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from eth.abc import BlockAPI
from eth_abi import decode as abi_decode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak

from core.chain.chainview import REVERTED, Busy, Reverted
from core.chain.evm import Evm
from core.chain.intake import MAX_TRANSACTION_BYTES, Rejected, decoded, fees
from core.chain.limits import LOCAL, Caller, Limits, TooMany
from core.chain.metered import TooLong
from core.chain.rpclogs import RpcLogs
from core.chain.rpcparams import RpcFault, address, any_of, as_bytes, at, maybe, message, quantity
from core.chain.rpcshapes import (
    shown_block,
    shown_hex,
    shown_receipt,
    shown_transaction,
)

MAX_FEE_HISTORY = 64
LOCAL_CALL_S, OTHERS_CALL_S = 5.0, 1.0
"""Processor time that one eth_call or eth_estimateGas may take, of this machine and of others."""
_TAGS = {"latest": None, "pending": None, "safe": None, "finalized": None, "earliest": 0}
_ERROR, _PANIC = keccak(text="Error(string)")[:4], keccak(text="Panic(uint256)")[:4]

Handler = Callable[[list[Any], Caller], Any]


class RpcMethods:
    """`answer(method, params, caller)` for every method known here. Thread-safe, as `Evm` is."""

    def __init__(
        self,
        evm: Evm,
        extra: dict[str, Callable[[list[Any]], Any]] | None = None,
        limits: Limits | None = None,
    ) -> None:
        """extra: methods of others, by name. limits: none for a devnet that is not served."""
        self._evm = evm
        self._limits = limits or Limits(0.0)
        logs = RpcLogs(evm, lambda tag: self._number([tag], 0))
        plain: dict[str, Callable[[list[Any]], Any]] = {
            "web3_clientVersion": lambda p: "waggle-devnet",
            "web3_sha3": lambda p: shown_hex(keccak(as_bytes(at(p, 0), limit=65_536))),
            "net_version": lambda p: str(evm.chain_id),
            "net_listening": lambda p: True,
            "net_peerCount": lambda p: "0x0",
            "eth_chainId": lambda p: hex(evm.chain_id),
            "eth_syncing": lambda p: False,
            "eth_accounts": lambda p: [],
            "eth_blockNumber": lambda p: hex(evm.height()),
            "eth_gasPrice": lambda p: hex(evm.base_fee()),
            "eth_maxPriorityFeePerGas": lambda p: "0x0",
            "eth_blobBaseFee": lambda p: "0x1",
            "eth_feeHistory": self._fee_history,
            "eth_getBalance": lambda p: hex(evm.balance(address(p, 0), self._number(p, 1))),
            "eth_getTransactionCount": lambda p: hex(evm.nonce(address(p, 0), self._number(p, 1))),
            "eth_getCode": lambda p: shown_hex(evm.code(address(p, 0), self._number(p, 1))),
            "eth_getStorageAt": self._storage_at,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getTransactionByHash": self._transaction,
            "eth_getTransactionByBlockNumberAndIndex": lambda p: self._nth(self._numbered(p), p),
            "eth_getTransactionByBlockHashAndIndex": lambda p: self._nth(self._hashed(p), p),
            "eth_getBlockByNumber": lambda p: _block(self._numbered(p), p),
            "eth_getBlockByHash": lambda p: _block(self._hashed(p), p),
            "eth_getBlockTransactionCountByNumber": lambda p: _count(self._numbered(p)),
            "eth_getBlockTransactionCountByHash": lambda p: _count(self._hashed(p)),
            "eth_getBlockReceipts": self._block_receipts,
            "eth_getLogs": logs.get,
            "eth_getFilterChanges": logs.changes,
            "eth_getFilterLogs": logs.filter_logs,
            "eth_uninstallFilter": logs.uninstall,
            **(extra or {}),
        }
        self._table: dict[str, Handler] = {
            "eth_call": self._call,
            "eth_estimateGas": self._estimate,
            "eth_sendRawTransaction": self._send,
            "eth_newFilter": logs.new_filter,
            "eth_newBlockFilter": logs.new_block_filter,
            "waggle_fund": self._fund,
            **{name: _any_caller(handler) for name, handler in plain.items()},
        }

    def names(self) -> list[str]:
        return sorted(self._table)

    def answer(self, method: str, params: list[Any], caller: Caller = LOCAL) -> Any:
        """The result. Raises RpcFault with the code that Ethereum clients expect."""
        try:
            with self._limits.call(caller):
                handler = self._table.get(method)
                if handler is None:
                    told = f"the method {method[:64]} does not exist/is not available"
                    raise RpcFault(-32601, told)
                return handler(params, caller)
        except Reverted as error:
            if str(error) != REVERTED:
                raise RpcFault(-32000, str(error)) from error
            raise RpcFault(3, _reason(error), shown_hex(error.data)) from error
        except Rejected as error:
            raise RpcFault(-32000, str(error)) from error
        except LookupError as error:
            raise RpcFault(-32001, str(error.args[0])) from error
        except TooLong as error:
            raise RpcFault(-32000, "execution aborted (timeout)") from error
        except TooMany as error:
            seconds = max(1, math.ceil(error.retry_after_s))
            told = f"{error}; try again in {seconds} s"
            raise RpcFault(-32005, told, retry_after_s=seconds) from error
        except Busy as error:
            raise RpcFault(-32005, "the devnet is busy; try again", retry_after_s=1) from error

    # --- blocks -------------------------------------------------------------------------------

    def _number(self, params: list[Any], index: int) -> int | None:
        """A block parameter; None is the newest."""
        tag = params[index] if index < len(params) else "latest"
        if isinstance(tag, dict):
            tag = tag.get("blockNumber", tag.get("blockHash"))
        if isinstance(tag, str) and tag in _TAGS:
            return _TAGS[tag]
        if isinstance(tag, str) and len(tag) == 66:
            return int(self._evm.block_by_hash(as_bytes(tag, 32)).number)
        return quantity(tag)

    def _numbered(self, params: list[Any]) -> BlockAPI | None:
        try:
            return self._evm.block(self._number([at(params, 0)], 0))
        except LookupError:
            return None  # not there (yet, or any more) is an answer, not an error

    def _hashed(self, params: list[Any]) -> BlockAPI | None:
        try:
            return self._evm.block_by_hash(as_bytes(at(params, 0), 32))
        except LookupError:
            return None

    def _block_receipts(self, params: list[Any]) -> Any:
        block = self._numbered(params)
        if block is None:
            return None
        receipts = self._evm.receipts(block)
        return [shown_receipt(block, receipts, index) for index in range(len(receipts))]

    def _fee_history(self, params: list[Any]) -> Any:
        count = min(quantity(at(params, 0)), MAX_FEE_HISTORY)
        last = self._evm.header(self._number(params, 1)).block_number
        percentiles = any_of(maybe(params, 2))
        blocks = [self._evm.block(n) for n in range(max(0, last - count + 1), last + 1)]
        heads = [block.header for block in blocks]
        base = [hex(head.base_fee_per_gas or 0) for head in heads]
        shown = {
            "oldestBlock": hex(heads[0].block_number if heads else last),
            "baseFeePerGas": [*base, hex(self._evm.base_fee_after(last))],
            "gasUsedRatio": [head.gas_used / head.gas_limit for head in heads],
            "baseFeePerBlobGas": ["0x1"] * (len(heads) + 1),
            "blobGasUsedRatio": [0] * len(heads),
        }
        if percentiles:
            shown["reward"] = [[hex(_tip(block))] * len(percentiles) for block in blocks]
        return shown

    # --- transactions -------------------------------------------------------------------------

    def _transaction(self, params: list[Any]) -> Any:
        tx_hash = as_bytes(at(params, 0), 32)
        try:
            block, transaction, index = self._evm.find_transaction(tx_hash)
        except LookupError:
            waiting = self._evm.waiting(tx_hash)
            return None if waiting is None else shown_transaction(waiting, None, 0)
        return shown_transaction(transaction, block, index)

    def _nth(self, block: BlockAPI | None, params: list[Any]) -> Any:
        index = quantity(at(params, 1))
        if block is None or index >= len(block.transactions):
            return None
        return shown_transaction(block.transactions[index], block, index)

    def _receipt(self, params: list[Any]) -> Any:
        try:
            block, _, index = self._evm.find_transaction(as_bytes(at(params, 0), 32))
        except LookupError:
            return None  # not mined (yet)
        return shown_receipt(block, self._evm.receipts(block), index)

    def _send(self, params: list[Any], caller: Caller) -> str:
        raw = as_bytes(at(params, 0), limit=MAX_TRANSACTION_BYTES)
        self._limits.transaction(caller, decoded(raw).gas)
        return shown_hex(self._evm.submit(raw))

    def _fund(self, params: list[Any], caller: Caller) -> str | None:
        account = address(params, 0)
        with self._limits.gift(caller, account) as gave:
            sent = self._evm.fund(account)
            if sent is None:
                return None
            gave()
        return shown_hex(sent)

    # --- state --------------------------------------------------------------------------------

    def _storage_at(self, params: list[Any]) -> str:
        slot = quantity(at(params, 1))
        value = self._evm.storage(address(params, 0), slot, self._number(params, 2))
        return shown_hex(value.to_bytes(32, "big"))

    def _call(self, params: list[Any], caller: Caller) -> str:
        if maybe(params, 2):
            raise RpcFault(-32602, "state overrides are not supported here")
        given = message(params, LOCAL_CALL_S if caller.is_local else OTHERS_CALL_S)
        return shown_hex(self._evm.run(given, self._number(params, 1)))

    def _estimate(self, params: list[Any], caller: Caller) -> str:
        given = message(params, LOCAL_CALL_S if caller.is_local else OTHERS_CALL_S)
        return hex(self._evm.estimate(given, self._number(params, 1)))


def _any_caller(handler: Callable[[list[Any]], Any]) -> Handler:
    return lambda params, caller: handler(params)


def _block(block: BlockAPI | None, params: list[Any]) -> Any:
    return None if block is None else shown_block(block, maybe(params, 1) is True)


def _count(block: BlockAPI | None) -> str | None:
    return None if block is None else hex(len(block.transactions))


def _tip(block: BlockAPI) -> int:
    """Wei per gas that the block's transaction paid on top of the base fee."""
    if not block.transactions:
        return 0
    tip, cap = fees(block.transactions[0])
    return min(tip, cap - int(block.header.base_fee_per_gas or 0))


def _reason(error: Reverted) -> str:
    """geth's words: a contract's own sentence follows when there is one."""
    try:
        if error.data[:4] == _ERROR:
            return f"{error}: {abi_decode(['string'], error.data[4:])[0][:500]}"
        if error.data[:4] == _PANIC:
            return f"{error}: panic code {abi_decode(['uint256'], error.data[4:])[0]:#x}"
    except (DecodingError, OverflowError, UnicodeDecodeError, ValueError):
        pass  # a contract may give back anything: then the bytes alone are the answer
    return str(error)
