"""Finding logs over JSON-RPC: a query at a time, or a filter that remembers what it has told.

Queries are bounded; an answer that would be too large names the range of blocks that fits, so a
client can page through any chain. Filters cost memory, so they are few and end when nobody asks.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from core.chain.chainreader import LogEntry, TooMuch
from core.chain.evm import Evm
from core.chain.limits import Caller
from core.chain.rpcparams import RpcFault, any_of, as_bytes, at
from core.chain.rpcshapes import shown_hex, shown_log

MAX_LOGS = 10_000
FILTERS, FILTERS_PER_ADDRESS = 512, 32
FILTER_LIFE_S = 300.0
"""geth's: a filter that nobody asked for so long is gone."""

BlockNumber = Callable[[Any], int | None]
"""Reads a block parameter; None is the newest block."""


@dataclass(frozen=True)
class LogQuery:
    """first, last: blocks; None for a last block that moves with the chain."""

    first: int
    last: int | None
    addresses: tuple[bytes, ...]
    topics: tuple[tuple[bytes, ...], ...]


@dataclass(frozen=True)
class _Filter:
    """query: None for a filter that tells new blocks. following: the block that is told next."""

    owner: str
    query: LogQuery | None
    following: int
    used_at: float


class RpcLogs:
    """Thread-safe."""

    def __init__(self, evm: Evm, number: BlockNumber) -> None:
        self._evm = evm
        self._number = number
        self._lock = threading.Lock()
        self._filters: dict[str, _Filter] = {}

    def get(self, params: list[Any]) -> list[dict[str, Any]]:
        """For eth_getLogs."""
        return self._told(self._query(at(params, 0)))

    def new_filter(self, params: list[Any], caller: Caller) -> str:
        query = self._query(at(params, 0))
        return self._keep(caller, query, max(query.first, self._evm.height() + 1))

    def new_block_filter(self, params: list[Any], caller: Caller) -> str:
        return self._keep(caller, None, self._evm.height() + 1)

    def changes(self, params: list[Any]) -> list[Any]:
        """What came since the last time: logs, or hashes of blocks."""
        name, found = self._find(params)
        head = self._evm.height()
        if found.query is None:
            last = min(head, found.following + MAX_LOGS - 1)
            numbers = range(found.following, last + 1)
            hashes = self._evm.block_hashes(numbers)
            told: list[Any] = [shown_hex(hashes[number]) for number in numbers]
        else:
            last = head if found.query.last is None else min(head, found.query.last)
            told = []
            if found.following <= last:
                told, last = self._whole(replace(found.query, first=found.following), last)
        with self._lock:
            if name in self._filters:
                following = max(found.following, last + 1)
                self._filters[name] = replace(found, following=following)
        return told

    def filter_logs(self, params: list[Any]) -> list[dict[str, Any]]:
        """All that a filter finds, told before or not."""
        _, found = self._find(params)
        if found.query is None:
            raise RpcFault(-32000, "filter not found")
        return self._told(found.query)

    def uninstall(self, params: list[Any]) -> bool:
        with self._lock:
            return self._filters.pop(str(at(params, 0)), None) is not None

    # --- filters ------------------------------------------------------------------------------

    def _keep(self, caller: Caller, query: LogQuery | None, following: int) -> str:
        now = time.monotonic()
        with self._lock:
            old = [n for n, f in self._filters.items() if now - f.used_at > FILTER_LIFE_S]
            for name in old:
                del self._filters[name]
            owned = sum(f.owner == caller.address for f in self._filters.values())
            if len(self._filters) >= FILTERS or owned >= FILTERS_PER_ADDRESS:
                raise RpcFault(-32005, "too many filters: uninstall some, or use eth_getLogs")
            name = "0x" + secrets.token_hex(16)
            self._filters[name] = _Filter(caller.address, query, following, now)
            return name

    def _find(self, params: list[Any]) -> tuple[str, _Filter]:
        name, now = str(at(params, 0)), time.monotonic()
        with self._lock:
            found = self._filters.get(name)
            if found is None or now - found.used_at > FILTER_LIFE_S:
                raise RpcFault(-32000, "filter not found")
            self._filters[name] = found = replace(found, used_at=now)
            return name, found

    # --- queries ------------------------------------------------------------------------------

    def _query(self, given: Any) -> LogQuery:
        if not isinstance(given, dict):
            raise RpcFault(-32602, "the first parameter must be a filter object")
        addresses = tuple(as_bytes(each, 20) for each in any_of(given.get("address")))
        topics = tuple(
            tuple(as_bytes(t, 32) for t in any_of(each)) for each in any_of(given.get("topics"))
        )
        if len(topics) > 4:
            raise RpcFault(-32000, "exceed max topics")
        if given.get("blockHash") is not None:
            number = int(self._evm.block_by_hash(as_bytes(given["blockHash"], 32)).number)
            return LogQuery(number, number, addresses, topics)
        first = self._number(given.get("fromBlock") or "latest")
        last = self._number(given.get("toBlock") or "latest")
        if first is not None and last is not None and first > last:
            raise RpcFault(-32000, "invalid block range params")
        return LogQuery(self._evm.height() if first is None else first, last, addresses, topics)

    def _entries(self, query: LogQuery, last: int) -> list[LogEntry]:
        return self._evm.logs(query.first, last, query.addresses, query.topics, MAX_LOGS)

    def _told(self, query: LogQuery) -> list[dict[str, Any]]:
        head = self._evm.height()
        last = head if query.last is None else min(head, query.last)
        try:
            return self._shown(self._entries(query, last))
        except TooMuch as error:
            raise _narrower(error, query.first) from error

    def _whole(self, query: LogQuery, last: int) -> tuple[list[dict[str, Any]], int]:
        """(logs, the block up to which they are all)."""
        try:
            return self._shown(self._entries(query, last)), last
        except TooMuch as error:
            if error.last is None:
                raise _narrower(error, query.first) from error
            return self._shown(self._entries(query, error.last)), error.last

    def _shown(self, entries: list[LogEntry]) -> list[dict[str, Any]]:
        hashes = self._evm.block_hashes(sorted({entry.block for entry in entries}))
        return [shown_log(entry, hashes[entry.block]) for entry in entries]


def _narrower(error: TooMuch, first: int) -> RpcFault:
    """In the words by which clients page through logs (Infura's, whom others followed)."""
    if error.last is None:
        return RpcFault(-32005, f"{error}. Ask for fewer addresses or topics")
    span = {"from": hex(first), "to": hex(error.last)}
    told = f"{error}. Try with this block range [{span['from']}, {span['to']}]"
    return RpcFault(-32005, told, span)
