"""JSON-RPC 2.0: the bytes of a request or a batch in, the bytes of the answer out.

Size, depth and number are bounded before anything is decoded or computed.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any

from core.chain.limits import LOCAL, Caller
from core.chain.rpcmethods import RpcMethods
from core.chain.rpcparams import RpcFault
from core.errors import StorageError

MAX_BODY_BYTES = 2**20
MAX_BATCH = 100
MAX_ANSWER_BYTES = 16 * 2**20
MAX_BRACKETS = 4000
"""Ten times what a full batch needs. py-evm raises Python's recursion limit to 10,000, at which
`json` overflows the stack of a thread, and the process dies, on a body of `[[[[...`."""


@dataclass(frozen=True)
class Answer:
    """body: JSON. retry_after_s: set when all of it was refused because it came too soon."""

    body: bytes
    retry_after_s: float | None = None


def answer(methods: RpcMethods, body: bytes, caller: Caller = LOCAL) -> Answer:
    """The answer to one request or a batch of them. Raises nothing that a body could cause."""
    try:
        if body.count(b"[") + body.count(b"{") > MAX_BRACKETS:
            raise ValueError("nested too deeply")
        request = json.loads(body)
    except ValueError:
        return Answer(_encoded(_fault(None, RpcFault(-32700, "the body is not JSON"))))
    if not isinstance(request, list):
        told, wait_s = _one(methods, request, caller)
        return Answer(_encoded(told), wait_s)
    if not 0 < len(request) <= MAX_BATCH:
        fault = RpcFault(-32600, f"a batch has 1 to {MAX_BATCH} requests")
        return Answer(_encoded(_fault(None, fault)))
    return _batch(methods, request, caller)


def _batch(methods: RpcMethods, requests: list[Any], caller: Caller) -> Answer:
    parts: list[bytes] = []
    waits: list[float | None] = []
    size = 0
    for each in requests:
        if size > MAX_ANSWER_BYTES:
            number = each.get("id") if isinstance(each, dict) else None
            told = _fault(number, RpcFault(-32003, "response too large"))
        else:
            told, wait_s = _one(methods, each, caller)
            waits.append(wait_s)
        parts.append(_encoded(told))
        size += len(parts[-1])
    refused = [wait_s for wait_s in waits if wait_s is not None]
    all_refused = len(refused) == len(requests)
    return Answer(b"[" + b",".join(parts) + b"]", max(refused) if all_refused else None)


def _one(methods: RpcMethods, request: Any, caller: Caller) -> tuple[dict[str, Any], float | None]:
    """The answer, and how long to wait when it is a refusal for coming too soon."""
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        return _fault(None, RpcFault(-32600, "not a JSON-RPC request")), None
    number, params = request.get("id"), request.get("params", [])
    if not isinstance(params, list):
        return _fault(number, RpcFault(-32602, "params must be a list")), None
    try:
        result = methods.answer(request["method"], params, caller)
    except RpcFault as fault:
        return _fault(number, fault), fault.retry_after_s
    except StorageError as error:
        return _fault(number, RpcFault(-32603, str(error))), None
    except Exception as error:  # a fault of ours: told, and the server goes on
        logging.exception("%s failed", request["method"][:64])
        return _fault(number, RpcFault(-32603, f"internal error: {type(error).__name__}")), None
    return {"jsonrpc": "2.0", "id": number, "result": result}, None


def _fault(number: Any, fault: RpcFault) -> dict[str, Any]:
    error: dict[str, Any] = {"code": fault.code, "message": str(fault)}
    if fault.data is not None:
        error["data"] = fault.data
    return {"jsonrpc": "2.0", "id": number, "error": error}


def _encoded(message: Any) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()
