"""What the node does now, how long that took, and how long it usually takes."""

from __future__ import annotations

import time
from collections.abc import Callable

from core import events


class Phases:
    """Announces phases and keeps a running mean of the seconds of each. Worker thread only."""

    def __init__(self, emit: Callable[[events.Event], None]) -> None:
        self._emit = emit
        self._usual: dict[str, float] = {}

    def enter(self, phase: str, detail: str = "", round: int | None = None) -> None:
        self._emit(
            events.PhaseChanged(
                round=round, phase=phase, detail=detail, expected_s=self._usual.get(phase)
            )
        )

    def timed(self, phase: str, round: int) -> Timed:
        """Announce the phase; used in a `with`, measure it."""
        self.enter(phase, round=round)
        return Timed(lambda seconds: self._learn(phase, seconds))

    def _learn(self, phase: str, seconds: float) -> None:
        self._usual[phase] = 0.8 * self._usual.get(phase, seconds) + 0.2 * seconds


class Timed:
    """Seconds of a block, there also when the block raised."""

    def __init__(self, done: Callable[[float], None]) -> None:
        self.seconds = 0.0
        self._done = done

    def __enter__(self) -> Timed:
        self._started = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._started
        self._done(self.seconds)
