"""What a person may ask of a running node, and how the worker hears it.

Commands go one way: a screen or a signal handler sets, the worker reads at the next boundary. The
events are checked between tokens, so `stop_now` is quick even in the middle of a round.
"""

from __future__ import annotations

import threading


class Commands:
    """Thread-safe switches; every method returns at once."""

    def __init__(self) -> None:
        self.stop_now = threading.Event()
        """Abandon the round at the next token."""
        self._stop_soon = threading.Event()
        self._paused = threading.Event()
        self._wake = threading.Event()

    def pause(self) -> None:
        """Stay idle from the next round boundary on."""
        self._paused.set()
        self._wake.set()

    def resume(self) -> None:
        self._paused.clear()
        self._wake.set()

    def stop(self, now: bool = False) -> None:
        """End at the round boundary, or at once."""
        self._stop_soon.set()
        if now:
            self.stop_now.set()
        self._wake.set()

    @property
    def paused(self) -> bool:
        return self._paused.is_set()

    @property
    def stopping(self) -> bool:
        return self._stop_soon.is_set()

    def sleep(self, seconds: float) -> None:
        """Wait until something is asked, at most `seconds`."""
        self._wake.wait(seconds)
        self._wake.clear()
