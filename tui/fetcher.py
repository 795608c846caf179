"""Slow reading for a screen: one thread, one question at a time, the newest wish first.

A wish that waits is forgotten for a newer one, so however fast somebody scrolls, no queue grows.
The thread is a daemon: a disk that hangs keeps nobody from leaving.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from core.errors import WaggleError
from core.incidents import as_bug

Wish = TypeVar("Wish")
Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)


class Fetcher(Generic[Wish, Answer]):
    """`deliver` is called in the thread, with the answer or with what went wrong."""

    def __init__(
        self,
        name: str,
        work: Callable[[Wish], Answer],
        deliver: Callable[[Answer | WaggleError], object],
        finish: Callable[[], object] = lambda: None,
    ) -> None:
        """finish: called in the thread when it ends."""
        self._work = work
        self._deliver = deliver
        self._finish = finish
        self._wishes: list[Wish] = []
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def want(self, wish: Wish) -> None:
        """Ask; returns at once."""
        with self._changed:
            self._wishes = [wish]
            self._changed.notify()
        if not self._thread.is_alive() and not self._closed:
            self._thread.start()

    def close(self) -> None:
        """No more answers. Returns at once; a question under way ends by itself."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _run(self) -> None:
        while (wish := self._next()) is not None:
            try:
                answer: Answer | WaggleError = self._work(wish[0])
            except WaggleError as error:
                answer = error
            except Exception as error:
                # A bug here must be told, not leave a screen that waits for ever.
                logger.exception("reading for the screen failed")
                answer = as_bug(error)
            if not self._closed:
                self._deliver(answer)
        self._finish()

    def _next(self) -> list[Wish] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._wishes or self._closed)
            wishes, self._wishes = self._wishes, []
            return None if self._closed else wishes
