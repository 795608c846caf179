"""A lock that is taken in the order of arrival.

Python's own locks go to whichever thread asks at the right moment: among two hundred senders some
waited ten seconds where three were due.
"""

from __future__ import annotations

import threading
from collections import deque


class Turnstile:
    """A context manager. Not reentrant."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._taken = False

    def __enter__(self) -> None:
        with self._mutex:
            if not self._taken:
                self._taken = True
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        turn.acquire()  # released by whoever leaves, which hands the turnstile on

    def __exit__(self, *_: object) -> None:
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False
