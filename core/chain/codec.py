"""Calls to the coordinator as bytes, and answers back: the ABI of the committed artifact.

Functions are named in full, `name(types)`, where the contract has an overload. Encoding follows
the Solidity ABI specification (eth_abi).
"""

from __future__ import annotations

from functools import cache
from typing import Any

from eth_abi import decode as abi_decode
from eth_abi import encode as abi_encode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak

from core.chain.contract import artifact
from core.errors import TransientError

NO_ACCOUNT = "0x" + "00" * 20
MAX_BYTES = 64 * 1024
"""Of an answer: the texts of a list may lie one over another, so a long one could unfold to
gigabytes."""


class Malformed(TransientError):
    """An answer that the ABI does not allow."""


@cache
def _functions() -> dict[str, tuple[bytes, list[str], list[str]]]:
    """Full signature, and the bare name where it is unique -> (selector, inputs, outputs)."""
    table: dict[str, tuple[bytes, list[str], list[str]]] = {}
    bare: dict[str, list[str]] = {}
    for entry in artifact()["abi"]:
        if entry["type"] == "function":
            inputs = [each["type"] for each in entry["inputs"]]
            signature = f"{entry['name']}({','.join(inputs)})"
            outputs = [each["type"] for each in entry["outputs"]]
            table[signature] = (keccak(text=signature)[:4], inputs, outputs)
            bare.setdefault(entry["name"], []).append(signature)
    table.update({name: table[all_[0]] for name, all_ in bare.items() if len(all_) == 1})
    return table


def encode(function: str, *arguments: Any) -> bytes:
    """Call data. KeyError when the contract has no such function, or has it twice."""
    selector, inputs, _ = _functions()[function]
    return selector + abi_encode(inputs, arguments)


def decode(function: str, data: bytes) -> tuple[Any, ...]:
    """What the function returned. Malformed when the bytes are not that."""
    _, _, outputs = _functions()[function]
    try:
        if len(data) > MAX_BYTES:
            raise ValueError(f"it has {len(data)} bytes")
        return tuple(abi_decode(outputs, data))
    except (DecodingError, OverflowError, ValueError) as error:
        raise Malformed(
            f"The chain gave a malformed answer to {function.split('(')[0]}",
            str(error)[:200],
            "Check chain.rpc_url and chain.contract",
        ) from error


@cache
def topic(event: str) -> bytes:
    """Topic 0 of an event of the contract, by name."""
    (entry,) = (e for e in artifact()["abi"] if e["type"] == "event" and e["name"] == event)
    types = ",".join(each["type"] for each in entry["inputs"])
    return bytes(keccak(text=f"{event}({types})"))


def decode_event(event: str, topics: tuple[bytes, ...], data: bytes) -> dict[str, Any]:
    """An event's fields by name, from its topics and data."""
    (entry,) = (e for e in artifact()["abi"] if e["type"] == "event" and e["name"] == event)
    indexed = [each for each in entry["inputs"] if each["indexed"]]
    plain = [each for each in entry["inputs"] if not each["indexed"]]
    fields = dict(
        zip((e["name"] for e in plain), abi_decode([e["type"] for e in plain], data), strict=True)
    )
    for each, value in zip(indexed, topics[1:], strict=True):
        fields[each["name"]] = abi_decode([each["type"]], value)[0]
    return fields
