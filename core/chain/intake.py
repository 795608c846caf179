"""What the devnet lets into a block: a signed transaction's bytes, decoded, and checked in words.

The words are those of other Ethereum nodes, because clients look for them.
"""

from __future__ import annotations

import rlp
from eth.abc import SignedTransactionAPI, VirtualMachineAPI
from eth.exceptions import UnrecognizedTransactionType, VMError
from eth_keys.exceptions import BadSignature
from eth_utils import ValidationError

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


def decoded(raw: bytes, vm: VirtualMachineAPI, chain_id: int) -> SignedTransactionAPI:
    """The transaction, fit to be applied to the state of `vm` next. Raises Rejected."""
    if len(raw) > MAX_TRANSACTION_BYTES:
        raise Rejected("transaction too large")
    if raw[:1] in (b"\x03", b"\x04"):
        raise Rejected("transaction type not supported")
    try:
        transaction = vm.get_transaction_builder().decode(raw)
        sender = transaction.sender
    except _MALFORMED as error:
        raise Rejected(f"malformed transaction: {error}") from error
    given = getattr(transaction, "chain_id", None)
    if given not in (None, chain_id):
        raise Rejected(f"invalid chain id: have {given}, want {chain_id}")
    expected = vm.state.get_nonce(sender)
    if transaction.nonce != expected:
        word = "low" if transaction.nonce < expected else "high"
        raise Rejected(f"nonce too {word}: next nonce {expected}, tx nonce {transaction.nonce}")
    price = getattr(transaction, "max_fee_per_gas", None)
    if price is None:
        price = transaction.gas_price
    if vm.state.get_balance(sender) < transaction.value + transaction.gas * price:
        raise Rejected("insufficient funds for gas * price + value")
    return transaction
