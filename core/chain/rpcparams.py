"""Reading JSON-RPC parameters, which come from anybody: every one is checked and bounded first."""

from __future__ import annotations

import re
from typing import Any

from core.chain.chainview import CALL_GAS, Message
from core.chain.intake import MAX_TRANSACTION_BYTES

MAX_LIST = 64
_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")


class RpcFault(Exception):
    """An error answer. code: JSON-RPC's; data: what goes with it, such as the hex of a revert.

    retry_after_s: when the same call may be answered, for a caller who asked too often.
    """

    def __init__(
        self, code: int, message: str, data: Any = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.data = data
        self.retry_after_s = retry_after_s


def at(params: list[Any], index: int) -> Any:
    if index >= len(params):
        raise RpcFault(-32602, f"missing value for required argument {index}")
    return params[index]


def maybe(params: list[Any], index: int) -> Any:
    return params[index] if index < len(params) else None


def any_of(value: Any) -> list[Any]:
    """A list, a single item as a list of one, nothing as an empty list."""
    items = [] if value is None else value if isinstance(value, list) else [value]
    if len(items) > MAX_LIST:
        raise RpcFault(-32602, f"a list has more than {MAX_LIST} entries")
    return items


def as_bytes(text: Any, size: int | None = None, limit: int = 1024) -> bytes:
    if not isinstance(text, str) or len(text) > 2 * limit + 2 or not _HEX.fullmatch(text):
        raise RpcFault(-32602, "a parameter is not 0x-prefixed hex data, or is too long")
    data = bytes.fromhex(text[2:])
    if size is not None and len(data) != size:
        raise RpcFault(-32602, f"a parameter must be {size} bytes, not {len(data)}")
    return data


def address(params: list[Any], index: int) -> bytes:
    return as_bytes(at(params, index), 20)


def quantity(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
        return value
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise RpcFault(-32602, "a parameter is not a hex quantity")
    return int(value, 16)


def message(params: list[Any], limit_s: float) -> Message:
    """The call object that is the first parameter. Fees and nonce in it play no role here."""
    given = at(params, 0)
    if not isinstance(given, dict):
        raise RpcFault(-32602, "the first parameter must be a transaction object")
    text = given.get("input", given.get("data", "0x")) or "0x"
    return Message(
        to=as_bytes(given["to"], 20) if given.get("to") else b"",
        data=as_bytes(text, limit=MAX_TRANSACTION_BYTES),
        sender=as_bytes(given["from"], 20) if given.get("from") else bytes(20),
        value=quantity(given.get("value") or "0x0"),
        gas=min(CALL_GAS, quantity(given.get("gas") or hex(CALL_GAS))),
        limit_s=limit_s,
    )
