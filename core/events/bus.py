"""The way of an event from whoever emits it to whoever listens: a bounded deque for each."""

from __future__ import annotations

import threading
from collections import deque

from core.events.base import Event


class EventBus:
    """Fans events out to bounded deques, one per subscriber; never blocks on a reader."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rings: list[Subscription] = []

    def subscribe(self, maxlen: int = 20_000) -> Subscription:
        ring = Subscription(maxlen)
        with self._lock:
            self._rings.append(ring)
        return ring

    def emit(self, event: Event) -> None:
        for ring in self._rings:
            ring.put(event)


class Subscription:
    """A bounded deque of events with one reader. `dropped` counts what did not fit."""

    def __init__(self, maxlen: int) -> None:
        self._events: deque[Event] = deque()
        self._maxlen = maxlen
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self.dropped = 0

    def put(self, event: Event) -> None:
        with self._lock:
            if len(self._events) >= self._maxlen:
                self._make_room()
            self._events.append(event)
        self._ready.set()

    def _make_room(self) -> None:
        self.dropped += 1
        for position, old in enumerate(self._events):
            if old.METRIC:
                del self._events[position]
                return
        self._events.popleft()

    def drain(self, limit: int | None = None) -> list[Event]:
        """Up to `limit` events, oldest first; empty when there is nothing new."""
        with self._lock:
            n = len(self._events) if limit is None else min(limit, len(self._events))
            out = [self._events.popleft() for _ in range(n)]
            if not self._events:
                self._ready.clear()
        return out

    def wait(self, timeout_s: float) -> bool:
        """Block until something is there, at most `timeout_s`."""
        return self._ready.wait(timeout_s)
