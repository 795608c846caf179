"""What the devnet lets into a block: a signed transaction's bytes, decoded, and checked in words.

The words are geth's, because client libraries look for them. It knows the rules for one
transaction on the state as it is; what waits for its turn is in `txpool`.
"""

from __future__ import annotations

import rlp
from eth.abc import SignedTransactionAPI
from eth.exceptions import UnrecognizedTransactionType, VMError
from eth_keys.exceptions import BadSignature
from eth_utils import ValidationError
from eth_utils.address import to_checksum_address

from core.chain.genesis import CHAIN_ID
from core.chain.metered import MeteredVM

MAX_TRANSACTION_BYTES = 128 * 1024
_MALFORMED = (
    rlp.exceptions.RLPException,
    UnrecognizedTransactionType,
    ValidationError,
    BadSignature,
    VMError,
    ValueError,
    TypeError,
    IndexError,
)
"""What py-evm raises for bytes that are not a transaction."""


class Rejected(Exception):
    """A transaction that cannot enter a block: malformed, wrong nonce or chain, no funds."""


def decoded(raw: bytes) -> SignedTransactionAPI:
    """The transaction, its signature and whatever does not depend on the state checked.

    Raises Rejected.
    """
    if len(raw) > MAX_TRANSACTION_BYTES:
        raise Rejected(
            f"oversized data: transaction size {len(raw)}, limit {MAX_TRANSACTION_BYTES}"
        )
    if raw[:1] in (b"\x03", b"\x04"):
        raise Rejected("transaction type not supported")
    try:
        transaction = MeteredVM.get_transaction_builder().decode(raw)
        transaction.validate()
        sender = transaction.sender
        intrinsic = transaction.intrinsic_gas
    except _MALFORMED as error:
        raise Rejected(f"malformed transaction: {error}") from error
    given = getattr(transaction, "chain_id", None)
    if given not in (None, CHAIN_ID):
        raise Rejected(f"invalid chain id for signer: have {given} want {CHAIN_ID}")
    if transaction.gas < intrinsic:
        raise Rejected(f"intrinsic gas too low: gas {transaction.gas}, minimum needed {intrinsic}")
    tip, cap = fees(transaction)
    if tip > cap:
        raise Rejected(
            "max priority fee per gas higher than max fee per gas: address "
            f"{to_checksum_address(sender)}, maxPriorityFeePerGas: {tip}, maxFeePerGas: {cap}"
        )
    return transaction


def fees(transaction: SignedTransactionAPI) -> tuple[int, int]:
    """(tip, cap) in wei per gas; the gas price twice for a transaction of the old kinds."""
    cap = getattr(transaction, "max_fee_per_gas", None)
    if cap is None:
        return transaction.gas_price, transaction.gas_price
    return transaction.max_priority_fee_per_gas, cap


def check_gas(transaction: SignedTransactionAPI, block_gas_limit: int) -> None:
    """Raises Rejected for a transaction that may use more than half of a block.

    With more, full blocks would raise the base fee (EIP-1559) until nobody else could pay it, and
    on a chain with a block per transaction nothing would bring it down again.
    """
    cap = block_gas_limit // 2
    if transaction.gas > cap:
        raise Rejected(f"transaction gas limit too high (cap: {cap}, tx: {transaction.gas})")


def check_nonce(transaction: SignedTransactionAPI, expected: int) -> None:
    """Raises Rejected for a nonce that was used."""
    if transaction.nonce < expected:
        raise Rejected(f"nonce too low: next nonce {expected}, tx nonce {transaction.nonce}")


def check_funds(transaction: SignedTransactionAPI, balance: int, base_fee: int) -> None:
    """Raises Rejected when the sender cannot pay, or offers less than the block charges."""
    _, cap = fees(transaction)
    cost = transaction.value + transaction.gas * cap
    if balance < cost:
        raise Rejected(
            f"insufficient funds for gas * price + value: balance {balance}, tx cost {cost}, "
            f"overshot {cost - balance}"
        )
    if cap < base_fee:
        raise Rejected(
            "max fee per gas less than block base fee: address "
            f"{to_checksum_address(transaction.sender)}, maxFeePerGas: {cap}, baseFee: {base_fee}"
        )
