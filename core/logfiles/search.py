"""Counts the matches of an expression in all log files, in a thread, the newest lines first.

What it keeps is a few numbers for each block, so the matches of a gigabyte cost no memory. A new
expression ends the search for the old one within a block.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from core.logfiles.pattern import Patience, Pattern, TooSlow
from core.logfiles.scan import LEVELS, scan
from core.logfiles.segment import latest
from core.logfiles.timeline import Part, Timeline

TELL_S = 0.2
"""Between two counts of what was found."""
NOTICE_S = 0.02
"""Between two words that more was searched: somebody may wait for the next match."""
WORK_S, REST_S = 0.005, 0.001
TOO_SLOW = "this expression takes too long on these lines; make it simpler"

Counts = tuple[int, ...]
_NONE: Counts = (0,) * len(LEVELS)
_Key = tuple[str, int, int]

logger = logging.getLogger(__name__)


class Found(NamedTuple):
    """counts: matching entries of each level, for each stream. share: searched so far, 0 to 1."""

    counts: dict[str, Counts]
    share: float
    problem: str = ""

    def total(self, least: int, stream: str) -> int:
        """Of levels from `least` on; of all streams for the empty name."""
        chosen = [self.counts.get(stream, _NONE)] if stream else list(self.counts.values())
        return sum(sum(counts[least:]) for counts in chosen)


NOTHING = Found({}, 0.0)


class Search:
    """`ask` as often as there is something new; `block` tells what is known of one."""

    def __init__(self, told: Callable[[], None]) -> None:
        """told: called in the thread of the search when there is news; must be quick."""
        self._told = told
        self._wake = threading.Condition()
        self._pattern: Pattern | None = None
        self._timeline = Timeline(())
        self._known: dict[_Key, tuple[int, Counts]] = {}
        self._asked = 0
        self._ended = False
        self.found = NOTHING
        self._thread = threading.Thread(target=self._run, name="log-search", daemon=True)
        self._thread.start()

    def ask(self, pattern: Pattern | None, timeline: Timeline) -> None:
        """Search this timeline for this; what is known of the same expression is kept."""
        with self._wake:
            if pattern != self._pattern:
                self._known = {}
                self.found = NOTHING
            elif timeline is self._timeline:
                return
            self._pattern, self._timeline = pattern, timeline
            self._asked += 1
            self._wake.notify()

    def close(self, timeout_s: float = 5.0) -> None:
        with self._wake:
            self._ended = True
            self._asked += 1
            self._wake.notify()
        self._thread.join(timeout_s)

    def block(self, stream: str, part: Part) -> Counts | None:
        """Matches in a block by level; None when it was not searched yet."""
        known = self._known.get(_key(stream, part))
        return known[1] if known is not None and known[0] == part.block.size else None

    # --- in the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        done = 0
        while True:
            with self._wake:
                while self._asked == done:
                    self._wake.wait()
                done, pattern, timeline = self._asked, self._pattern, self._timeline
                known = self._known
                if self._ended:
                    return
            if pattern is None or pattern.problem:
                continue
            try:
                self._all(pattern, timeline, known, done)
            except TooSlow:
                self._tell(known, timeline, done, TOO_SLOW)
            except Exception:
                logger.exception("the search of the log ended")
                self._tell(known, timeline, done, "the search failed; the log has the cause")

    def _all(
        self,
        pattern: Pattern,
        timeline: Timeline,
        known: dict[_Key, tuple[int, Counts]],
        asked: int,
    ) -> None:
        told = noticed = rested = time.monotonic()
        patience = Patience()
        for stream, part in _newest_first(timeline):
            if self._asked != asked:
                return
            key = _key(stream, part)
            if key in known and known[key][0] == part.block.size:
                continue
            known[key] = (part.block.size, counted(pattern, part, patience))
            now = time.monotonic()
            if now - told >= TELL_S:
                self._tell(known, timeline, asked)
                told = noticed = time.monotonic()
            elif now - noticed >= NOTICE_S:
                self._told()
                noticed = now
            if now - rested >= WORK_S:
                time.sleep(REST_S)  # whoever waits for the interpreter gets it
                rested = time.monotonic()
        self._tell(known, timeline, asked)

    def _tell(
        self,
        known: dict[_Key, tuple[int, Counts]],
        timeline: Timeline,
        asked: int,
        problem: str = "",
    ) -> None:
        counts: dict[str, Counts] = {}
        searched = size = 0
        for stream, part in _newest_first(timeline):
            size += part.block.size
            found = known.get(_key(stream, part))
            if found is not None and found[0] == part.block.size:
                searched += part.block.size
                before = counts.get(stream, _NONE)
                counts[stream] = tuple(a + b for a, b in zip(before, found[1], strict=True))
        with self._wake:
            if self._asked == asked:
                self.found = Found(counts, searched / size if size else 1.0, problem)
        self._told()


def counted(pattern: Pattern, part: Part, patience: Patience) -> Counts:
    """Matching entries of a block by level."""
    data = part.segment.read(part.block.offset, part.block.size)
    if pattern.absent(data, patience):
        return _NONE
    entries = scan(data, latest())
    hits = pattern.found_in(data, entries, patience)
    found = np.bincount(entries.levels[hits], minlength=len(LEVELS))
    return tuple(found.tolist())


def _newest_first(timeline: Timeline) -> Iterator[tuple[str, Part]]:
    for _, stream, number in reversed(timeline.cuts):
        yield timeline.streams[stream], timeline.parts[stream][number]


def _key(stream: str, part: Part) -> _Key:
    return stream, part.segment.number, part.block.offset
