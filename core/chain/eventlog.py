"""Reading the coordinator's events, a bounded piece at a time: `eth_getLogs` over ranges of blocks.

Public RPCs limit the blocks, the results or the seconds of a query, each in its own words. So a
query that is refused is asked again over half as many blocks, and the span grows again while it
goes well. Knows blocks and the contract's events; keeps no cursor and no result.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any

from eth_abi.exceptions import DecodingError

from core.chain import codec
from core.chain.rpc import Caller, RpcError
from core.errors import RefusedError, TransientError
from core.protocols import ChainEvent

MAX_SPAN = 10_000
"""Blocks of one query, at most."""
MAX_EVENTS = 20_000
"""A reading ends after the query that brought it beyond this."""
MAX_DATA_CHARS = 64 * 1024
LONG_CHAIN = 50_000
"""Only on a longer chain is it worth to look for the block in which the contract was deployed."""
_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,16}")


class EventLog:
    """The events of one contract. Used from one thread."""

    def __init__(self, rpc: Caller, contract: str, span: int = MAX_SPAN) -> None:
        """span: blocks of the first query."""
        self._rpc = rpc
        self._contract = contract
        self.span = max(1, min(span, MAX_SPAN))

    def head(self) -> int:
        """The number of the newest block. TransientError."""
        try:
            return self._rpc.quantity("eth_blockNumber")
        except RpcError as error:
            raise self._odd(error) from error

    def hash_of(self, block: int) -> str:
        """The hash of a block; "" when the chain has no such block. TransientError."""
        try:
            found = self._rpc.call("eth_getBlockByNumber", hex(block), False)
        except RpcError as error:
            raise self._odd(error) from error
        value = found.get("hash") if isinstance(found, dict) else None
        return value[:80].lower() if isinstance(value, str) else ""

    def first_block(self, head: int, long_chain: int = LONG_CHAIN) -> int:
        """A block before which the contract has no events: 0, or where its code appeared.

        Only an RPC that keeps old states can tell the latter. TransientError.
        """
        if head < long_chain:
            return 0
        low, high = 0, head
        while low < high:
            middle = (low + high) // 2
            try:
                there = self._rpc.data("eth_getCode", self._contract, hex(middle))
            except RpcError:
                return 0
            low, high = (low, middle) if there else (middle + 1, high)
        return low

    def read(
        self, first: int, last: int, names: Sequence[str], deadline: float
    ) -> tuple[list[ChainEvent], int]:
        """The named events of blocks `first` to the returned block, which is at most `last`.

        It ends early, with whole queries, after `deadline` (of `time.monotonic`) or MAX_EVENTS.
        TransientError when the chain is out of reach, RefusedError when it does not even tell of
        a single block.
        """
        topics = {"0x" + codec.topic(name).hex(): name for name in names}
        found: list[ChainEvent] = []
        done = first - 1
        while done < last and len(found) < MAX_EVENTS:
            to = min(last, done + self.span)
            try:
                found += self._query(done + 1, to, topics)
            except RpcError as error:
                if to == done + 1:
                    raise RefusedError(*self._words(error), code="NoLogs") from error
                self.span = max(1, (to - done) // 2)
            except TransientError:
                # Too much for the answer's size or time limit, or out of reach: the next reading
                # asks for less, and this one does not wait for several deadlines in a row.
                self.span = max(1, (to - done) // 4)
                raise
            else:
                done = to
                self.span = min(MAX_SPAN, self.span * 2)
            if time.monotonic() > deadline:
                break
        return found, done

    def _query(self, first: int, last: int, topics: dict[str, str]) -> list[ChainEvent]:
        answer = self._rpc.call(
            "eth_getLogs",
            {
                "address": self._contract,
                "fromBlock": hex(first),
                "toBlock": hex(last),
                "topics": [list(topics)],
            },
        )
        if not isinstance(answer, list):
            raise TransientError(
                f"The chain at {self._rpc.shown} cannot be read",
                "its answer to eth_getLogs is not a list",
                "Check chain.rpc_url",
            )
        events = (_event(entry, topics) for entry in answer)
        good = [event for event in events if event is not None and first <= event.block <= last]
        return sorted(good, key=lambda event: (event.block, event.position))

    def _odd(self, error: RpcError) -> TransientError:
        return TransientError(*self._words(error))

    def _words(self, error: RpcError) -> tuple[str, str, str]:
        return (
            f"The chain at {self._rpc.shown} does not tell the coordinator's events",
            error.message or f"code {error.code}",
            "The leaderboard waits until it does; everything else goes on. Another chain.rpc_url "
            "may tell them",
        )


def _event(entry: Any, topics: dict[str, str]) -> ChainEvent | None:
    """A log as an event; None for one that was removed or does not fit the ABI."""
    if not isinstance(entry, dict) or entry.get("removed") is True:
        return None
    given = entry.get("topics")
    if not isinstance(given, list) or not 0 < len(given) <= 4:
        return None
    numbers = [_matching(entry.get(key), _QUANTITY) for key in ("blockNumber", "logIndex")]
    texts = [_matching(text, _HEX) for text in (*given, entry.get("data"))]
    name = topics.get(texts[0].lower())
    if name is None or not all(numbers) or not all(texts):
        return None
    *indexed, data = (bytes.fromhex(text[2:]) for text in texts)
    try:
        fields = codec.decode_event(name, tuple(indexed), data)
    except (DecodingError, ValueError, OverflowError):
        return None
    return ChainEvent(int(numbers[0], 16), int(numbers[1], 16), name, fields)


def _matching(text: Any, pattern: re.Pattern[str]) -> str:
    """The text, or "" when it is none of the pattern, or too long."""
    good = isinstance(text, str) and len(text) <= MAX_DATA_CHARS and pattern.fullmatch(text)
    return text if good else ""
