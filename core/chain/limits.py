"""How much of the devnet each caller may use: calls, transactions, gifts, and time to compute.

This machine is not limited. Every other address has a bucket of calls and a smaller one of
transactions, which fill steadily; what takes long is charged by the processor time it took. One
call of theirs runs at a time, so that a flood of them leaves half of the interpreter to the clock
and to this machine's node. Memory only: a restart forgets it.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from core.addresses import LOOPBACK

BURST_S = 4.0
"""A caller who was quiet may use this many seconds' worth of calls at once."""
TIME_SHARE = 0.25
"""Of one processor, that one address may use over time."""
CALLS_PER_TRANSACTION = 25
TRANSACTIONS_BURST_S = 60.0
GAS_PER_TRANSACTION = 300_000
"""A transaction with more gas counts as several: what fills a disk is gas."""
GIFTS_PER_CALLER = 20
GIFTS_PER_ACCOUNT = 3
DAY_S = 86_400.0
CALLERS = 4096
"""Addresses remembered; the one that was quiet for longest is forgotten first."""
TURN_WAIT_S = 5.0


@dataclass(frozen=True)
class Caller:
    address: str
    is_local: bool


LOCAL = Caller(LOOPBACK, True)


class TooMany(Exception):
    """The caller asked for more than its share; a plain sentence, and when to come back."""

    def __init__(self, why: str, retry_after_s: float) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s


@dataclass
class _Bucket:
    rate: float
    burst: float
    at: float
    tokens: float

    def wait_s(self, now: float) -> float:
        """Seconds until there is a token; 0 when there is one."""
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        return max(0.0, (1.0 - self.tokens) / self.rate)


@dataclass
class _Gifts:
    since: float
    given: int = 0


@dataclass
class _Account:
    """What is known of one address."""

    calls: _Bucket
    transactions: _Bucket
    gifts: _Gifts = field(default_factory=lambda: _Gifts(0.0))


class Limits:
    """Thread-safe. calls_per_s: of each other address; 0 limits nobody."""

    def __init__(self, calls_per_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self._rate = calls_per_s
        self._now = now
        self._lock = threading.Lock()
        self._callers: OrderedDict[str, _Account] = OrderedDict()
        self._gifts: OrderedDict[bytes, _Gifts] = OrderedDict()
        self._turn = threading.Semaphore(1)

    def applies(self, caller: Caller) -> bool:
        return self._rate > 0 and not caller.is_local

    @contextmanager
    def call(self, caller: Caller) -> Iterator[None]:
        """Around one call: waits for the caller's turn, charges what it used. Raises TooMany."""
        if not self.applies(caller):
            yield
            return
        with self._lock:
            wait_s = self._known(caller).calls.wait_s(self._now())
            if wait_s > 0:
                raise TooMany(f"too many calls: {self._rate:g} a second are answered", wait_s)
            self._known(caller).calls.tokens -= 1
        if not self._turn.acquire(timeout=TURN_WAIT_S):
            raise TooMany("the devnet is busy with calls of others", 1.0)
        started = time.thread_time()
        try:
            yield
        finally:
            self._turn.release()
            used = (time.thread_time() - started) * self._rate / TIME_SHARE
            with self._lock:
                self._known(caller).calls.tokens -= max(0.0, used - 1.0)

    def transaction(self, caller: Caller, gas: int) -> None:
        """Charge a transaction. Raises TooMany."""
        if not self.applies(caller):
            return
        with self._lock:
            bucket = self._known(caller).transactions
            wait_s = bucket.wait_s(self._now())
            if wait_s > 0:
                a_minute = 60 * self._rate / CALLS_PER_TRANSACTION
                raise TooMany(f"too many transactions: {a_minute:g} a minute are taken", wait_s)
            bucket.tokens -= max(1.0, gas / GAS_PER_TRANSACTION)

    @contextmanager
    def gift(self, caller: Caller, account: bytes) -> Iterator[Callable[[], None]]:
        """Around the faucet: call what is yielded once it gave. Raises TooMany."""
        if not self.applies(caller):
            yield lambda: None
            return
        with self._lock:
            now = self._now()
            mine = self._known(caller)
            mine.gifts = _today(mine.gifts, now)
            theirs = self._gifts[account] = _today(self._gifts.get(account, _Gifts(now)), now)
            self._gifts.move_to_end(account)
            while len(self._gifts) > CALLERS:
                self._gifts.popitem(last=False)
            for gifts, limit, whom in (
                (mine.gifts, GIFTS_PER_CALLER, "address"),
                (theirs, GIFTS_PER_ACCOUNT, "account"),
            ):
                if gifts.given >= limit:
                    left_s = gifts.since + DAY_S - now
                    raise TooMany(f"the faucet gives {limit} times a day to one {whom}", left_s)

        def gave() -> None:
            with self._lock:
                mine.gifts.given += 1
                theirs.given += 1

        yield gave

    def _known(self, caller: Caller) -> _Account:
        found = self._callers.get(caller.address)
        if found is None:
            now, slow = self._now(), self._rate / CALLS_PER_TRANSACTION
            burst, many = max(1.0, self._rate * BURST_S), max(1.0, slow * TRANSACTIONS_BURST_S)
            found = _Account(_Bucket(self._rate, burst, now, burst), _Bucket(slow, many, now, many))
            self._callers[caller.address] = found
            while len(self._callers) > CALLERS:
                self._callers.popitem(last=False)
        self._callers.move_to_end(caller.address)
        return found


def _today(gifts: _Gifts, now: float) -> _Gifts:
    return gifts if now - gifts.since < DAY_S and gifts.given else _Gifts(now)
