"""What can go wrong with a JSON-RPC call, and by which lot it does: the vocabulary of `FaultyRpc`.

What happens to the n-th call of a method follows from (seed, method, n) alone, so a run can be
repeated however the calls of different threads interleave. It knows the shape of JSON-RPC and, for
`behind`, one error and two functions of the contract.
"""

from __future__ import annotations

import random
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any

from core.chain import codec
from core.chain.contract import SUBMIT_REWARD
from core.chain.contract.refusals import selectors

SEND = "eth_sendRawTransaction"
RECEIPT = "eth_getTransactionReceipt"
BATCH = "batch"
KINDS = {
    "refused": "the connection is reset, and for a moment nobody listens",
    "timeout": "the call never reaches the chain and is never answered",
    "http_500": "an error page",
    "busy": "HTTP status 429",
    "garbage": "an answer that is no JSON-RPC answer",
    "truncated": "the chain did it, the answer breaks off in the middle",
    "dropped": "the chain did it, the connection breaks before the answer",
    "late": "the chain did it, the answer comes after everybody's patience",
    "nonce_too_low": "a transaction is refused with these words and not passed on",
    "underpriced": "a transaction is refused with these words and not passed on",
    "already_known": "the chain took the transaction, the answer is an error",
    "swallowed": "a transaction is accepted with its hash, and never mined",
    "revert": "a call reverts without a reason; a receipt says that its transaction reverted",
    "behind": "a submission is refused as one for a round that is still to come",
}
_ONLY = {
    "nonce_too_low": {SEND},
    "underpriced": {SEND},
    "already_known": {SEND},
    "swallowed": {SEND},
    "revert": {"eth_call", "eth_estimateGas", RECEIPT, BATCH},
    "behind": {"eth_call"},
}
_WORDS = {
    "nonce_too_low": "nonce too low",
    "underpriced": "replacement transaction underpriced",
    "already_known": "already known",
}
_GARBAGE = (
    b"\x00\xff\x16\x03\x01",
    b"<html>Sign in to this network</html>",
    b'{"jsonrpc":"2.0","id":1,"resu',
    b'{"jsonrpc":"2.0","id":1}',
    b'{"jsonrpc":"2.0","id":1,"result":{"a":[1,{"b":null}]}}',
    b"[" * 20_000,
    b'"0x"',
    b"",
)


class Lot:
    """Draws what goes wrong next with the calls of each method.

    one_in: about one call in so many goes wrong; 0 is none but what `queue` says.
    """

    def __init__(self, seed: int, one_in: int, kinds: Sequence[str]) -> None:
        self.one_in = one_in
        self.queue: defaultdict[str, deque[str]] = defaultdict(deque)
        """method -> kinds that come next, whatever is drawn."""
        self._kinds = list(kinds)
        self._seed = seed
        self._luck: dict[str, random.Random] = {}
        self._bags: defaultdict[str, list[str]] = defaultdict(list)

    def draw(self, method: str, calls: list[Any]) -> str:
        """One of KINDS, or empty when nothing goes wrong."""
        if self.queue[method]:
            return self.queue[method].popleft()
        luck = self._of(method)
        if not self.one_in or luck.random() >= 1 / self.one_in:
            return ""
        bag = self._bags[method]
        if not bag:  # every kind comes up before one comes up again
            bag += [kind for kind in self._kinds if method in _ONLY.get(kind, {method})]
            luck.shuffle(bag)
        kind = bag.pop() if bag else ""
        return "revert" if kind == "behind" and not _submits(calls[0]) else kind

    def garbage(self, method: str) -> bytes:
        return self._of(method).choice(_GARBAGE)

    def _of(self, method: str) -> random.Random:
        return self._luck.setdefault(method, random.Random(f"{self._seed}/{method}"))


def _submits(call: dict[str, Any]) -> bool:
    """Whether an eth_call tries a reward or a vote."""
    data = str(call["params"][0].get("data", "")) if call.get("params") else ""
    tries = (codec.encode(SUBMIT_REWARD, 0, 0, 0, ""), codec.encode("submitWinners", 0, [], ""))
    return data[2:10] in {each[:4].hex() for each in tries}


def error(asked: dict[str, Any], kind: str) -> dict[str, Any]:
    """The JSON-RPC error answer to `asked`, for the kinds that are one."""
    if kind in _WORDS:
        told: dict[str, Any] = {"code": -32000, "message": _WORDS[kind]}
    else:
        told = {"code": 3, "message": "execution reverted"}
    if kind == "behind":
        (data,) = (d for d, name in selectors().items() if name == "InvalidRoundNumber")
        told["data"] = "0x" + data.hex()
    return {"jsonrpc": "2.0", "id": asked["id"], "error": told}
