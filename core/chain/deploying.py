"""Puts a SwarmCoordinator of one's own onto any EVM chain; a second start finds the first one.

The transaction is noted on disk before it is out, as all of this account's are: whoever is
interrupted and asks again gets the same contract, and pays once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import rlp
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from core.chain import fees, inflight
from core.chain.account import Wallet
from core.chain.contract import deployment
from core.chain.fees import Bounds
from core.chain.inflight import Attempt, InFlight
from core.chain.quoting import DEVNET, ether
from core.chain.rpc import Rpc, RpcError, Unreachable
from core.chain.trust import check_chain_id
from core.errors import RefusedError, TransientError
from core.schema import ChainSection

PATIENCE_S = 300.0
POLL_S = 1.0
LOST_AFTER_S = 10.0
MOST_GAS = 20_000_000


@dataclass(frozen=True)
class Deployed:
    """fee_wei: 0 where the chain does not tell what a gas cost."""

    contract: str
    chain_id: int
    tx_hash: str
    block: int
    gas_used: int
    fee_wei: int


def deploy(
    rpc_url: str,
    wallet: Wallet,
    settings: ChainSection,
    on_sent: Callable[[str, str], None],
    again: bool = False,
    patience_s: float = PATIENCE_S,
) -> Deployed:
    """The coordinator of this account, mined. rpc_url: one address.

    on_sent: told the transaction's hash and the contract's address as soon as it is out. again:
    make another one where one was made lately. ConfigError, TransientError, RefusedError,
    StorageError.
    """
    rpc = Rpc(rpc_url, settings.call_timeout_s)
    try:
        told, block = rpc.batch([("eth_chainId", []), ("eth_getBlockByNumber", ["0x1", False])])
        chain_id = rpc.as_quantity("eth_chainId", told)
        check_chain_id(rpc.shown, chain_id, settings.chain_id)
        first = str(block.get("hash", "")) if isinstance(block, dict) else ""
        store = InFlight(wallet.state_dir, chain_id, first.lower())
        data = deployment(wallet.address)
        with wallet.nonce_lock(3 * settings.call_timeout_s):
            rows = store.of(inflight.key_of("", data))
            if again:
                rows = [row for row in rows if not row.block]
            fresh = None if rows else _sent(rpc, wallet, store, settings, chain_id, data)
            row = fresh or rows[-1]
        contract = address_at(wallet.address, row.nonce)
        on_sent(row.tx_hash, contract)
        seen = _awaited(rpc, store, row, patience_s, in_doubt=fresh is None)
        if not rpc.data("eth_getCode", contract, "latest"):
            raise TransientError(
                f"The chain at {rpc.shown} contradicts itself",
                f"it says that {contract} was deployed, and has no code there",
                "Ask again, or through another RPC",
            )
    except RpcError as error:
        raise rpc.told(error) from error
    finally:
        rpc.close()
    gas = int(seen["gasUsed"], 16)
    fee = gas * int(seen.get("effectiveGasPrice") or "0x0", 16)
    return Deployed(contract, chain_id, seen["transactionHash"], _block(seen), gas, fee)


def address_at(account: str, nonce: int) -> str:
    """The address of a contract that an account deploys with its transaction of that number."""
    parts = [bytes.fromhex(account[2:]), nonce]
    return str(to_checksum_address(keccak(rlp.encode(parts))[12:]))


def _sent(
    rpc: Rpc,
    wallet: Wallet,
    store: InFlight,
    settings: ChainSection,
    chain_id: int,
    data: bytes,
) -> Attempt:
    account = wallet.address
    if rpc.call("web3_clientVersion") == DEVNET:
        rpc.call("waggle_fund", account)
    found = rpc.batch(
        [
            ("eth_estimateGas", [{"from": account, "data": "0x" + data.hex()}]),
            ("eth_getBalance", [account, "latest"]),
            ("eth_getTransactionCount", [account, "pending"]),
            *fees.QUESTIONS,
        ]
    )
    gas = _gas(rpc, found[0])
    balance = rpc.as_quantity("eth_getBalance", found[1])
    nonce = rpc.as_quantity("eth_getTransactionCount", found[2])
    now = fees.market(*found[3:])
    if now is None:
        raise rpc.senseless("it does not tell what a gas costs")
    fee = fees.offer(now, Bounds.of(settings))
    if balance < gas * fee.per_gas:
        raise TransientError(
            f"Account {account} cannot pay for the contract",
            f"its balance on chain {chain_id} is {ether(balance)}; it takes up to"
            f" {ether(gas * fee.per_gas)}",
            f"Send some ether to {account}, or lower chain.max_fee_gwei and wait",
        )
    transaction = {"chainId": chain_id, "nonce": nonce, "value": 0, "data": "0x" + data.hex()}
    raw = wallet.sign({**transaction, "gas": gas, **fee.fields()})
    tx_hash = "0x" + bytes(keccak(raw)).hex()
    key = inflight.key_of("", data)
    row = Attempt(tx_hash, nonce, key, raw, "", data, gas, fee, inflight.now())
    store.add(row)
    try:
        rpc.call("eth_sendRawTransaction", "0x" + raw.hex())
    except RpcError as error:
        if error.trouble.kind != "known":
            store.forget([row])
            raise
    return row


def _gas(rpc: Rpc, estimate: Any) -> int:
    if isinstance(estimate, RpcError) and estimate.trouble.kind == "old_evm":
        raise RefusedError(
            f"The chain at {rpc.shown} cannot run the coordinator",
            estimate.message,
            "Its EVM must know the Cancun upgrade; take another chain",
            code="Reverted",
        )
    gas = rpc.as_quantity("eth_estimateGas", estimate)
    if gas > MOST_GAS:
        raise rpc.senseless(f"it asks for {gas} gas to deploy the coordinator")
    return gas + gas // 10


def _awaited(
    rpc: Rpc, store: InFlight, row: Attempt, patience_s: float, in_doubt: bool
) -> dict[str, Any]:
    """The receipt. The transaction is handed over again while the chain does not know it."""
    deadline = time.monotonic() + patience_s
    resent = time.monotonic() - (2 * LOST_AFTER_S if in_doubt else 0.0)
    pause = 0.02
    while True:
        try:
            for each in store.at(row.nonce) or [row]:
                seen = rpc.call("eth_getTransactionReceipt", each.tx_hash)
                if isinstance(seen, dict) and seen.get("blockNumber") is not None:
                    return _judged(store, each, seen)
            known = rpc.call("eth_getTransactionByHash", row.tx_hash)
            if known is None and time.monotonic() - resent > LOST_AFTER_S:
                resent = time.monotonic()
                rpc.call("eth_sendRawTransaction", "0x" + row.raw.hex())
        except Unreachable:
            if time.monotonic() > deadline:
                raise
        if time.monotonic() > deadline:
            raise TransientError(
                f"Transaction {row.tx_hash} is not mined yet",
                f"waited {patience_s:.0f} s for it",
                "Give the same command again: it waits for this one and sends no other",
            )
        time.sleep(pause)
        pause = min(POLL_S, pause * 1.5)


def _judged(store: InFlight, row: Attempt, seen: dict[str, Any]) -> dict[str, Any]:
    if seen.get("status") != "0x1":
        store.forget(store.at(row.nonce))
        raise RefusedError(
            f"Transaction {row.tx_hash} failed",
            "the chain did not accept the coordinator's code",
            "Its EVM must know the Cancun upgrade; take another chain",
            code="Reverted",
        )
    store.mined(row.tx_hash, _block(seen))
    return seen


def _block(seen: dict[str, Any]) -> int:
    return int(seen["blockNumber"], 16)
