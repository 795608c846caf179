"""One peer in one gather: its record, and what became of the payload that it promises.

A payload counts when it has the digest of the record, is decoded within the limits, and holds as
many groups as the record says. What is in the groups is not looked at.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import Future

from core.net import messages, records, wire
from core.rollouts import RolloutGroup


class Catch:
    """lag_s: how long after the begin of the gather the record was first seen."""

    def __init__(self, record: records.Record, value: bytes, lag_s: float) -> None:
        self.record, self.value, self.lag_s = record, value, lag_s
        self.began = 0.0
        self.future: Future[messages.Fetched] | None = None
        self.latency_ms: float | None = None
        self.groups: tuple[RolloutGroup, ...] = ()
        self.reason = self.error = ""
        self.done = self.good = False

    @property
    def fetching(self) -> bool:
        return self.future is not None and not self.done

    def fail(self, reason: str, error: object) -> None:
        """reason: a code of `core.gate.admission`."""
        self.reason, self.error, self.done = reason, str(error)[:300], True

    def spare(self) -> None:
        """It would cost more than this gather may; that is no fault of the peer."""
        self.done = True

    def take(self, limits: wire.Limits) -> None:
        """Take in the fetch, which has ended."""
        assert self.future is not None
        error = self.future.exception()
        if error is not None:
            self.fail("fetch", error)
            return
        answer = self.future.result()
        if answer.lie:
            self.fail("malformed", answer.lie)
            return
        self.latency_ms = answer.latency_ms
        try:
            self.groups = opened(self.record, answer.payload, limits)
        except ValueError as refusal:
            self.fail("malformed", refusal)
        else:
            self.done = self.good = True


def opened(record: records.Record, payload: bytes, limits: wire.Limits) -> tuple[RolloutGroup, ...]:
    """The groups in the payload of a record; ValueError when it is not what the record says."""
    if hashlib.sha256(payload).hexdigest() != record.digest:
        raise ValueError("the payload is not the one in the record")
    groups = wire.decode(payload, peer_id=record.peer_id, round=record.round, limits=limits)
    if len(groups) != record.groups:
        raise ValueError(f"{len(groups)} groups came, the record says {record.groups}")
    return groups
