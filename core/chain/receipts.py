"""A transaction's receipt, checked before it is believed: it must be of this very transaction."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from core.errors import TransientError
from core.protocols import Receipt

_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,32}")


@dataclass(frozen=True)
class Mined:
    """ok: it did not revert."""

    receipt: Receipt
    ok: bool


class Untrue(TransientError):
    """A receipt that cannot be: the RPC lies, or mixes things up."""


def mined(raw: Any, tx_hash: str, account: str, target: str, shown: str) -> Mined | None:
    """From the result of eth_getTransactionReceipt; None while there is none.

    Untrue when it is of another transaction, of another sender, or to another contract.
    """
    if not isinstance(raw, dict) or raw.get("blockNumber") is None:
        return None
    for name, wanted, words in (
        ("transactionHash", tx_hash, "it is of transaction"),
        ("from", account, "its sender is"),
        ("to", target, "it went to"),
    ):
        told = raw.get(name)
        if not isinstance(told, str) or told.lower() != wanted.lower():
            raise _untrue(shown, tx_hash, f"{words} {str(told)[:66]}")
    status = raw.get("status")
    if status not in ("0x0", "0x1"):
        raise _untrue(shown, tx_hash, "it does not say whether the transaction succeeded")
    block, gas = _quantity(raw, "blockNumber"), _quantity(raw, "gasUsed")
    if block is None or gas is None:
        raise _untrue(shown, tx_hash, "its block or its gas is no number")
    # On an OP-stack chain a part is paid for the data on the layer below.
    fee = gas * (_quantity(raw, "effectiveGasPrice") or 0) + (_quantity(raw, "l1Fee") or 0)
    return Mined(Receipt(tx_hash, block, gas, fee), status == "0x1")


def _quantity(raw: dict[str, Any], name: str) -> int | None:
    value = raw.get(name)
    return int(value, 16) if isinstance(value, str) and _QUANTITY.fullmatch(value) else None


def _untrue(shown: str, tx_hash: str, why: str) -> Untrue:
    return Untrue(
        f"The chain at {shown} gave a receipt for {tx_hash} that cannot be true",
        why,
        "Take another RPC in chain.rpc_url; the node asks again and believes no such receipt",
    )
