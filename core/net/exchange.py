"""Publishing my rollout groups and gathering those of others, over signed records and streams.

A publish hands the payload to the sidecar and signs a record of it; a gather watches the directory
of its round, fetches what new peers have, and checks signature, freshness, digest and bounds
before anything is handed on. Nothing is admitted here: whether a group is what it says is for the
admission to find out. One peer costs at most its own time and bytes. Nobody else being there is a
normal state, and costs a lonely node next to no time.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from core.errors import ConfigError, TransientError
from core.net import messages, records, wire
from core.net.hunt import CALL_TIMEOUT_S, Budget, Hunt
from core.net.identity import Identity
from core.net.link import NetLink
from core.net.peers import PeerBook
from core.protocols import Avoid, Gathered, PeerRecord, nobody
from core.rollouts import RolloutGroup

RECORD_LIFE_S = 3_600.0
LATE_S = 2.0
"""How late a peer is taken to be that came after I had stopped waiting."""
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
        budget: Budget | None = None,
        on_twin: Callable[[records.Record], None] = lambda record: None,
    ) -> None:
        """on_twin: told of a record in my name, signed with my key, that I did not publish."""
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
        self._budget = budget or Budget()
        self._on_twin = on_twin
        self._own: deque[str] = deque(maxlen=16)
        """Digests of what I published last."""
        self._since = time.time()
        self._last: tuple[int, int, int] | None = None
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
        self._own.append(record.digest)
        self._link.publish(records.encode(record, self._identity), payload, CALL_TIMEOUT_S)

    # --- theirs -------------------------------------------------------------------------------

    def gather(
        self,
        round: int,
        stage: int,
        *,
        want: int,
        timeout_s: float,
        stop: threading.Event,
        avoid: Avoid = nobody,
    ) -> list[Gathered]:
        """See `core.protocols.Exchange.gather`."""
        if self._last is not None and self._last[:2] != (round, stage):
            self._note_late(*self._last)
        self._last = (round, stage, want)
        hunt = Hunt(
            *(self._link, self._swarm, round, stage, self.peer_id, self._limits, self._budget),
            avoid=lambda peer_id: avoid(peer_id, True),
        )
        active = self.book.active(round)
        active.pop(self.peer_id, None)
        hunt.run(active, want=want, timeout_s=timeout_s, stop=stop)
        self._look_for_twin(hunt.mine)
        for got in hunt.seen.values():
            self.book.saw(got.record, got.lag_s, got.latency_ms)
        if not stop.is_set():
            for peer_id in hunt.missed - set(hunt.seen):
                self.book.missed(peer_id)
        if time.monotonic() - self._saved > SAVE_EVERY_S:
            self._saved = time.monotonic()
            self.book.save()
        return hunt.gathered()

    def _look_for_twin(self, mine: Sequence[records.Record]) -> None:
        """What an earlier run of this node published is mine as well, hence the look at when."""
        for record in mine:
            if record.digest not in self._own and record.issued > self._since + 1.0:
                self._on_twin(record)
                return

    def _note_late(self, round: int, stage: int, want: int) -> None:
        """Peers whose record came after I had stopped waiting are active after all."""
        if not self._link.status.peers:
            return
        try:
            answer = self._link.call(messages.ReadDirectory(round, stage, want), CALL_TIMEOUT_S)
        except TransientError:
            return  # the network part is away, and the gather that follows will say so
        seen = self.book.active(round)
        for value in answer.records:
            record = records.decode(value)
            if record.peer_id not in seen and record.peer_id != self.peer_id:
                self.book.saw(record, lag_s=LATE_S)

    def peers(self) -> list[PeerRecord]:
        return [r for r in self.book.recent() if r.peer_id != self.peer_id]

    def close(self) -> None:
        self.book.save()
