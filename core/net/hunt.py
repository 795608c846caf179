"""One gather: whom to fetch from, whom to wait for, and when there is no reason to go on.

As many peers are fetched as the node wants, no more. Which ones is left to chance: every peer draws
a lot, and the lowest of those that are there are fetched. A peer that was active lately but has not
published yet keeps its place for as long as it usually takes, so that slow peers are trained on as
often as fast ones. When a fetch fails, hangs or brings nonsense, the next lot takes its place.
Knows records and payloads; nothing of what is in a group.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass

from core.errors import TransientError
from core.net import messages, records, shards, wire
from core.net.catch import Catch
from core.net.link import NetLink
from core.net.peers import Peer, describe, unannounced
from core.protocols import Gathered

GRACE_S = 0.3
"""How long a gather looks for somebody when nobody was seen lately but peers are connected."""
USUAL_LAG_S = 0.5
"""How late peers are taken to be while nothing is known of them."""
SLOW_S = 1.5
"""A fetch that takes longer than this no longer keeps another peer from being tried."""
CALL_TIMEOUT_S = 4.0
FIRST_POLL_S, SLOWEST_POLL_S = 0.04, 0.5
TICK_S = 0.05


@dataclass(frozen=True)
class Budget:
    """What one gather may cost. peers: fetched from at most, in all; peer_timeout_s: for each."""

    peers: int = 16
    peer_timeout_s: float = 5.0
    total_bytes: int = 8 * 2**20


def draw(
    here: Collection[str], awaited: Collection[str], places: int, lot: Callable[[str], float]
) -> tuple[list[str], int]:
    """Of those with the lowest lots: whom to fetch now, and how many places others are kept."""
    first = sorted([*here, *awaited], key=lot)[: max(0, places)]
    chosen = [peer_id for peer_id in first if peer_id in here]
    return chosen, len(first) - len(chosen)


class Hunt:
    """The state of one gather. avoid: whether a peer is left alone now, asked once each time."""

    def __init__(
        self,
        link: NetLink,
        swarm: str,
        round: int,
        stage: int,
        me: str,
        limits: wire.Limits,
        budget: Budget,
        avoid: Callable[[str], bool],
    ) -> None:
        self._link, self._swarm, self._me = link, swarm, me
        self._round, self._stage = round, stage
        self._limits, self._budget, self._avoid = limits, budget, avoid
        self._began = time.monotonic()
        self._lots: dict[str, float] = {}
        self._bytes = self._tries = 0
        self._wake = threading.Event()
        self._asking: Future[messages.Records] | None = None
        self._next_poll, self._pause = self._began, FIRST_POLL_S
        self._answers = 0
        self._connected = 0
        self._shard = shards.Shard(0, 0)
        self._refused: set[tuple[str, str]] = set()
        self.seen: dict[str, Catch] = {}
        self.mine: list[records.Record] = []
        """Records in my own name, the newest last; `core.net.exchange` knows which are mine."""
        self.missed: set[str] = set()
        """Peers that were expected, and had not come when their time was over."""

    def run(
        self, active: Mapping[str, Peer], *, want: int, timeout_s: float, stop: threading.Event
    ) -> None:
        """Until `want` peers are fetched, or nobody else is to be had. active: seen lately."""
        self._active = {p: peer for p, peer in active.items() if not self._avoid(p)}
        self._want = min(want, self._budget.peers)
        self._target = self._want or self._budget.peers
        lags = sorted(peer.lag_s for peer in self._active.values())
        self._usual_lag = lags[int(0.9 * (len(lags) - 1))] if lags else USUAL_LAG_S
        deadline = self._began + timeout_s
        while not stop.is_set():
            now = time.monotonic()
            self._read(now, min(CALL_TIMEOUT_S, max(timeout_s, 0.1)))
            self._collect()
            if now >= deadline:
                self.missed |= set(self._awaited(now))
                break
            held = self._fetch(now) if self._answers else 0
            if self._answers and self._over(now, held):
                break
            self._wake.wait(max(0.0, min(TICK_S, deadline - now, self._until_poll(now))))
            self._wake.clear()
        for catch in self.seen.values():
            if catch.fetching:
                catch.fail("timeout", "it did not come in time")

    def gathered(self) -> list[Gathered]:
        """One for every peer that had a record, in random order, so that none is first by name.

        And one for every peer that put records into the directory that are none.
        """
        now = time.time()
        catches = list(self.seen.values())
        random.shuffle(catches)
        good = [
            Gathered(describe(c.record, now, c.latency_ms), c.groups, c.reason, c.error)
            for c in catches
        ]
        why = "it brought or told a record that is none"
        bad = [
            Gathered(unannounced(p, self._round, self._stage, now), reason=reason, error=why)
            for p, reason in self._refused
            if p != self._me
        ]
        return [*good, *bad]

    # --- whom ---------------------------------------------------------------------------------

    def _fetch(self, now: float) -> int:
        """Start what should be fetched now; how many peers are waited for that are not there."""
        free = self._free(now)
        if not self._shard.whole and now - self._began < self._usual_lag:
            return free  # others may be about to publish whom nobody here can know
        here = [p for p, c in self.seen.items() if c.future is None and not c.done]
        chosen, held = draw(here, self._awaited(now), free, self._lot)
        for peer_id in chosen:
            if not self._start(self.seen[peer_id]):
                self._wake.set()  # at once another one
        return held

    def _awaited(self, now: float) -> list[str]:
        """Active peers, of the shard that is looked at, that still have time to come."""
        there = [p for p in self._active if p not in self.seen and self._lies_here(p)]
        late = {p for p in there if now - self._began >= 1.0 + 2.0 * self._active[p].lag_s}
        self.missed |= late
        return [p for p in there if p not in late]

    def _lies_here(self, peer_id: str) -> bool:
        return shards.point(self._swarm, self._round, self._stage, peer_id) in self._shard

    def _lot(self, peer_id: str) -> float:
        return self._lots.setdefault(peer_id, random.random())

    def _free(self, now: float) -> int:
        """How many more peers should be fetched from."""
        busy = (c.fetching and now - c.began < SLOW_S for c in self.seen.values())
        return self._target - self._good() - sum(busy)

    def _good(self) -> int:
        return sum(c.good for c in self.seen.values())

    def _over(self, now: float, held: int) -> bool:
        """Whether waiting longer would bring nothing more."""
        if self._good() >= self._target:
            return True
        if not self._connected and self._link.status.status in ("starting", "down"):
            return True
        if held or any(c.fetching for c in self.seen.values()):
            return False
        if not self._connected:
            return True
        waited = now - self._began
        if self._shard.whole and self._active and self.seen:
            return True
        patience = GRACE_S if self._shard.whole else GRACE_S + 2.0 * self._usual_lag
        return waited >= patience

    # --- directory ----------------------------------------------------------------------------

    def _read(self, now: float, timeout_s: float) -> None:
        """Take in the directory's answer, and ask again when it is time and somebody is missing."""
        if self._asking is not None and (self._asking.done() or now > self._next_poll + timeout_s):
            asking, self._asking = self._asking, None
            self._answers += 1
            self._next_poll, self._pause = now + self._pause, min(1.5 * self._pause, SLOWEST_POLL_S)
            try:
                self._note(asking.result(0), now)
            except (TransientError, FutureTimeoutError):
                self._connected = 0  # the link says so to the person; here nobody is there
        if self._until_poll(now) <= 0:
            ask = messages.ReadDirectory(self._round, self._stage, self._want)
            self._asking = self._link.submit(ask)
            self._asking.add_done_callback(lambda _: self._wake.set())

    def _until_poll(self, now: float) -> float:
        """Seconds until the directory is to be asked; infinite while that is of no use."""
        if self._asking is not None or self._free(now) <= 0:
            return math.inf
        return self._next_poll - now

    def _note(self, answer: messages.Records, now: float) -> None:
        self._connected = answer.peers
        self._refused.update(answer.refused)
        self._shard = shards.Shard(int.from_bytes(answer.shard_at, "big"), answer.shard_bits)
        for value in answer.records:
            record = records.decode(value)
            if record.peer_id == self._me:
                self.mine = [*self.mine[-3:], record]
                continue
            if record.peer_id in self.seen:
                continue
            catch = self.seen[record.peer_id] = Catch(record, value, now - self._began)
            if self._avoid(record.peer_id):
                catch.fail("quarantine", "it is left alone for now")

    # --- payloads -----------------------------------------------------------------------------

    def _start(self, catch: Catch) -> bool:
        """Begin to fetch; False when that is out of the question."""
        record = catch.record
        try:
            records.check_fresh(record, time.time())
        except ValueError as error:
            catch.fail("stale", error)
            return False
        if record.size_bytes > self._limits.max_bytes or record.groups > self._limits.max_groups:
            catch.fail("size", f"{record.size_bytes} bytes, {record.groups} groups")
            return False
        over = self._bytes + record.size_bytes > self._budget.total_bytes
        if over or self._tries >= 2 * self._budget.peers:
            catch.spare()
            return False
        self._tries, self._bytes = self._tries + 1, self._bytes + record.size_bytes
        catch.began = time.monotonic()
        ask = messages.Fetch(catch.value, self._limits.max_bytes, self._budget.peer_timeout_s)
        catch.future = self._link.submit(ask)
        catch.future.add_done_callback(lambda _: self._wake.set())
        return True

    def _collect(self) -> None:
        """Take in the fetches that have ended."""
        for catch in self.seen.values():
            if catch.fetching and catch.future is not None and catch.future.done():
                catch.take(self._limits)
