"""Publishing my rollout groups and gathering those of others, over signed records and streams.

A publish hands the payload to the sidecar and signs a record of it; a gather watches the directory
of its round, fetches what new peers have, and checks signature, freshness, digest and bounds
before anything is handed on. Nothing is admitted here: whether a group is what it says is for the
admission to find out. One peer costs at most its own time and bytes. Nobody else being there is a
normal state, and costs a lonely node next to no time.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace

from core.errors import ConfigError, TransientError
from core.net import messages, records, wire
from core.net.identity import Identity
from core.net.link import NetLink
from core.net.peers import Peer, PeerBook, describe
from core.protocols import Gathered, PeerRecord
from core.rollouts import RolloutGroup

GRACE_S = 0.3
"""How long a gather looks for somebody when nobody was seen lately but peers are connected."""
FETCH_TIMEOUT_S = 10.0
CALL_TIMEOUT_S = 4.0
FIRST_POLL_S, SLOWEST_POLL_S = 0.04, 0.5
RECORD_LIFE_S = 3_600.0
MAX_FETCHED_PEERS = 16
SAVE_EVERY_S = 60.0


class StreamExchange:
    """`core.protocols.Exchange` over a `NetLink`. Used from the worker thread."""

    def __init__(
        self,
        link: NetLink,
        identity: Identity,
        swarm: str,
        *,
        book: PeerBook | None = None,
        limits: wire.Limits | None = None,
    ) -> None:
        if not records.is_swarm_name(swarm):
            raise ConfigError(
                f"swarm.name {swarm!r} cannot be used",
                "a swarm's name is 1 to 64 letters, digits, dots, dashes or underscores",
                "Choose another swarm.name",
            )
        self.peer_id = identity.peer_id
        self.book = book or PeerBook()
        self._link, self._identity, self._swarm = link, identity, swarm
        limits = limits or wire.Limits()
        self._limits = replace(limits, max_bytes=min(limits.max_bytes, records.MAX_PAYLOAD_BYTES))
        self._random = random.Random()
        self._last: tuple[int, int] | None = None
        self._saved = time.monotonic()

    # --- mine ---------------------------------------------------------------------------------

    def publish(self, round: int, stage: int, groups: Sequence[RolloutGroup]) -> None:
        """Make my groups available. As many as fit into one contribution; see `wire.Limits`.

        While the network part starts, the contribution waits for it; TransientError when it is
        down.
        """
        try:
            payload, count = wire.encode_within(groups, self._limits)
        except ValueError as error:
            raise TransientError(
                "My rollouts of this round cannot be shared", str(error), "The round goes on alone"
            ) from error
        rewards = [r.reward for g in groups[:count] for r in g.rollouts if r.reward is not None]
        now = time.time()
        hints = [m.rsplit("/p2p/", 1)[0] for m in self._link.status.maddrs]
        record = records.Record(
            swarm=self._swarm,
            peer_id=self.peer_id,
            round=round,
            stage=stage,
            digest=hashlib.sha256(payload).hexdigest(),
            size_bytes=len(payload),
            groups=count,
            reward_mean=float(sum(rewards) / len(rewards)) if rewards else 0.0,
            maddrs=tuple(h for h in hints if records.is_maddr(h))[: records.MAX_MADDRS],
            issued=now,
            expires=now + RECORD_LIFE_S,
            public_key_bytes=self._identity.public_key_bytes,
        )
        self._link.publish(records.encode(record, self._identity), payload, CALL_TIMEOUT_S)

    # --- theirs -------------------------------------------------------------------------------

    def gather(
        self, round: int, stage: int, *, want: int, timeout_s: float, stop: threading.Event
    ) -> list[Gathered]:
        """See `core.protocols.Exchange.gather`."""
        hunt = _Hunt(self._link, self._swarm, round, stage, self.peer_id, self._limits)
        if self._last is not None and self._last != (round, stage):
            self._note_late(*self._last)
        self._last = (round, stage)
        expected = self.book.active(round)
        expected.pop(self.peer_id, None)
        chosen = self._random.sample(sorted(expected), min(len(expected), MAX_FETCHED_PEERS))
        hunt.run(
            {peer_id: expected[peer_id] for peer_id in chosen},
            want=want,
            timeout_s=timeout_s,
            stop=stop,
        )
        for got in hunt.seen.values():
            self.book.saw(got.record, got.lag_s, got.latency_ms)
        if not stop.is_set():
            for peer_id in set(chosen) - set(hunt.seen):
                self.book.missed(peer_id)
        if time.monotonic() - self._saved > SAVE_EVERY_S:
            self._saved = time.monotonic()
            self.book.save()
        return hunt.gathered()

    def _note_late(self, round: int, stage: int) -> None:
        """Peers whose record came after I had stopped waiting are active after all."""
        if not self._link.status.peers:
            return
        try:
            answer = self._link.call(messages.ReadDirectory(round, stage, 0), CALL_TIMEOUT_S)
        except TransientError:
            return  # the network part is away, and the gather that follows will say so
        seen = self.book.active(round)
        for value in answer.records:
            record = records.decode(value)
            if record.peer_id not in seen and record.peer_id != self.peer_id:
                self.book.saw(record, lag_s=2.0)

    def peers(self) -> list[PeerRecord]:
        return [r for r in self.book.recent() if r.peer_id != self.peer_id]

    def close(self) -> None:
        self.book.save()


class _Catch:
    """One peer's record and what became of its payload."""

    def __init__(self, record: records.Record, lag_s: float) -> None:
        self.record, self.lag_s = record, lag_s
        self.latency_ms: float | None = None
        self.future: Future[messages.Fetched] | None = None
        self.groups: tuple[RolloutGroup, ...] = ()
        self.reason = self.error = ""
        self.done = False

    def fail(self, reason: str, error: object) -> None:
        self.reason, self.error, self.done = reason, str(error)[:300], True


class _Hunt:
    """The state of one gather."""

    def __init__(
        self, link: NetLink, swarm: str, round: int, stage: int, me: str, limits: wire.Limits
    ) -> None:
        self._link, self._swarm, self._me, self._limits = link, swarm, me, limits
        self._round, self._stage = round, stage
        self._began = time.monotonic()
        self._random = random.Random()
        self._known = False
        self.seen: dict[str, _Catch] = {}

    def run(
        self, expected: dict[str, Peer], *, want: int, timeout_s: float, stop: threading.Event
    ) -> None:
        """Poll and fetch until there is no reason to wait any longer."""
        deadline = self._began + timeout_s
        self._known = bool(expected)
        lag = max((p.lag_s for p in expected.values()), default=0.0)
        fair = min(timeout_s, 1.0 + 2.0 * lag)
        poll = FIRST_POLL_S
        while not stop.is_set():
            reachable = self._poll(expected, min(CALL_TIMEOUT_S, max(timeout_s, 0.1)))
            while not stop.wait(0.005) and self._fetching():
                if self._collect() or time.monotonic() > deadline:
                    break
            self._collect()
            now = time.monotonic()
            groups = sum(len(c.groups) for c in self.seen.values())
            waiting = [p for p in expected if p not in self.seen]
            if now >= deadline or self._enough(groups, want, bool(waiting), now, fair):
                break
            if not reachable and self._link.status.status in ("starting", "down"):
                break
            lonely = not expected and not self._fetching()
            if lonely and (not reachable or now - self._began >= GRACE_S):
                break
            if not self._fetching():
                stop.wait(min(poll, deadline - now))
                poll = min(poll * 1.5, SLOWEST_POLL_S)
        for catch in self.seen.values():
            if not catch.done:
                catch.fail("timeout", "it did not come in time")

    def _enough(self, groups: int, want: int, waiting: bool, now: float, fair: float) -> bool:
        if self._fetching():
            return False
        if not waiting and self.seen and (self._known or now - self._began >= GRACE_S):
            return True
        return groups >= want > 0 and now - self._began >= fair

    def gathered(self) -> list[Gathered]:
        """One for every peer that had a record, in random order, so that none is first by name."""
        now = time.time()
        catches = list(self.seen.values())
        self._random.shuffle(catches)
        return [
            Gathered(describe(c.record, now, c.latency_ms), c.groups, c.reason, c.error)
            for c in catches
        ]

    def _fetching(self) -> bool:
        return any(not c.done for c in self.seen.values())

    def _poll(self, expected: dict[str, Peer], timeout_s: float) -> bool:
        """Read the directory and start to fetch what is new; whether any peer is connected."""
        try:
            answer = self._link.call(messages.ReadDirectory(self._round, self._stage, 0), timeout_s)
        except TransientError:
            return False  # the link says so to the person; here it is the same as nobody there
        fresh = []
        for value in answer.records:
            record = records.decode(value)
            if record.peer_id != self._me and record.peer_id not in self.seen:
                fresh.append((record, value))
        self._random.shuffle(fresh)
        fresh.sort(key=lambda item: item[0].peer_id not in expected)
        for record, value in fresh[: max(0, MAX_FETCHED_PEERS - len(self.seen))]:
            self._start(record, value)
        return bool(answer.peers)

    def _start(self, record: records.Record, value: bytes) -> None:
        catch = _Catch(record, time.monotonic() - self._began)
        self.seen[record.peer_id] = catch
        try:
            records.check_fresh(record, time.time())
        except ValueError as error:
            catch.fail("stale", error)
            return
        if record.size_bytes > self._limits.max_bytes or record.groups > self._limits.max_groups:
            catch.fail("size", f"{record.size_bytes} bytes, {record.groups} groups")
            return
        ask = messages.Fetch(value, self._limits.max_bytes, FETCH_TIMEOUT_S)
        catch.future = self._link.submit(ask)

    def _collect(self) -> bool:
        """Take in the fetches that have ended; whether there was one."""
        ended = [c for c in self.seen.values() if not c.done and c.future and c.future.done()]
        for catch in ended:
            assert catch.future is not None
            error = catch.future.exception()
            if error is not None:
                catch.fail("fetch", error)
                continue
            answer = catch.future.result()
            catch.latency_ms = answer.latency_ms
            try:
                catch.groups = self._open(catch.record, answer.payload)
                catch.done = True
            except ValueError as refusal:
                catch.fail("malformed", refusal)
        return bool(ended)

    def _open(self, record: records.Record, payload: bytes) -> tuple[RolloutGroup, ...]:
        if hashlib.sha256(payload).hexdigest() != record.digest:
            raise ValueError("the payload is not the one in the record")
        groups = wire.decode(
            payload, peer_id=record.peer_id, round=record.round, limits=self._limits
        )
        if len(groups) != record.groups:
            raise ValueError(f"{len(groups)} groups came, the record says {record.groups}")
        return groups
