"""The thread that indexes all log files of a node: the newest lines first, then what is added.

It publishes a `Timeline` whenever something is new and says so; readers take the newest one and
never wait. It knows nothing of levels, searches or screens.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from core.logfiles.segment import Segment
from core.logfiles.stream import Stream
from core.logfiles.timeline import MAX_STAMP, Timeline

POLL_S = 0.4
"""Between two looks at the files."""
PUBLISH_S = 0.3
"""Between two timelines while old lines are still being indexed."""
REST_S = 0.001
"""After each chunk, so that whoever waits for the interpreter gets it."""

logger = logging.getLogger(__name__)


class LogIndex:
    """`start` and `close` frame it. files: the present files of each stream, oldest first."""

    def __init__(self, files: Callable[[], dict[str, list[Path]]]) -> None:
        self._files = files
        self._streams: list[Stream] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._told: Callable[[], None] = lambda: None
        self.timeline = Timeline((), looked=False)
        self.total_bytes = 0

    def start(self, told: Callable[[], None]) -> None:
        """told: called in the index's own thread after each new timeline; must be quick."""
        self._told = told
        self._thread = threading.Thread(target=self._run, name="log-index", daemon=True)
        self._thread.start()

    def close(self, timeout_s: float = 5.0) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    @property
    def stopped(self) -> bool:
        return self._stop.is_set()

    def read_all(self) -> Timeline:
        """Index everything there is now, in this thread; for who needs no screen meanwhile."""
        self._look(at_once=False)
        while self._step():
            pass
        self._publish()
        return self.timeline

    def look_again(self) -> bool:
        """Index what was added since, in this thread; whether anything was."""
        changed = self._look(at_once=True)
        if changed:
            self._publish()
        return changed

    def close_files(self) -> None:
        for stream in self._streams:
            stream.close()

    # --- in the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._look(at_once=False)
            for _ in self._streams:  # the end of each, before the first timeline
                self._step()
            self._publish()
            self._fill()
            while not self._stop.wait(POLL_S):
                if self._look(at_once=True):
                    self._publish()
        except Exception:
            # Whatever a file holds, the screen shows what is indexed; the cause is in the log.
            logger.exception("the log files are no longer read")
        finally:
            self.close_files()

    def _fill(self) -> None:
        published = looked = time.monotonic()
        while not self._stop.is_set() and self._step():
            now = time.monotonic()
            if now - looked >= POLL_S:
                looked = now
                self._look(at_once=True)
            if now - published >= PUBLISH_S:
                self._publish()
                published = time.monotonic()
            time.sleep(REST_S)
        self._publish()

    def _look(self, at_once: bool) -> bool:
        """Which files there are, and what was added to them."""
        known = {stream.name: stream for stream in self._streams}
        changed = False
        for name, paths in self._files().items():
            stream = known.pop(name, None)
            if stream is not None:
                changed = stream.update(paths) or changed
                continue
            self._streams.append(Stream(name, paths, at_once))
            changed = True
        for gone in known.values():
            changed = gone.update([]) or changed
        self._streams = [stream for stream in self._streams if stream.segments]
        self._streams.sort(key=lambda stream: stream.name)
        if at_once:
            for stream in self._streams:
                changed = stream.grow() or changed
        self.total_bytes = sum(
            segment.high for stream in self._streams for segment in stream.segments
        )
        return changed

    def _step(self) -> bool:
        """Index a little more of the file that is behind; False when all is indexed."""
        waiting = [
            (_reach(stream), segment)
            for stream in self._streams
            if (segment := stream.incomplete()) is not None
        ]
        if not waiting:
            return False
        max(waiting, key=lambda each: each[0])[1].step_back()
        return True

    def _publish(self) -> None:
        self.timeline = Timeline(self._streams)
        self._told()


def _reach(stream: Stream) -> int:
    """How far back a stream is indexed."""
    newest: Segment | None = next((each for each in stream.segments if each.blocks), None)
    return newest.blocks[0].first if newest is not None else MAX_STAMP
