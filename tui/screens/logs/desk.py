"""The log screen without a screen: one thread that answers keys with frames.

Keys are put down as commands and taken in order, however many wait; then one frame is made. The
screen's own thread reads no file, runs no expression and waits for nothing. What cannot be
answered yet, because the search has not come there, is tried again when it has, unless another
key came meanwhile.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from core.home import Home
from core.logfiles.index import LogIndex
from core.logfiles.pages import Filter, Pages, Spot, Unknown
from core.logfiles.pattern import pattern
from core.logfiles.scan import LEVELS
from core.logfiles.search import Search
from core.logfiles.stream import logs_of
from core.logfiles.timeline import Place
from core.texts import _
from tui.screens.logs.frame import Frame
from tui.screens.logs.rounds import spot_of_round, spot_of_time
from tui.screens.logs.rows import Row, moment_of
from tui.screens.logs.window import Window

PACE_S = 0.5
"""Between two frames that nobody asked for at least."""
WAITING_PACE_S = 0.03
"""Between two tries of what could not be answered yet; TRY_SHARE times as long as they take at
least, or they would keep the search from coming there."""
TRY_SHARE = 8

logger = logging.getLogger(__name__)


Command = Callable[["Desk"], None]


class Desk:
    """`do` and `resize` from any thread; everything else in the thread of the desk."""

    def __init__(self, home: Home, told: Callable[[], None], ascii_only: bool = False) -> None:
        """told: called in the desk's thread when `frame` is a new one; must be quick."""
        self.home = home
        self.frame = Frame()
        self._waiting = False
        self._took_s = 0.0
        self._told = told
        self._wake = threading.Condition()
        self._commands: list[Command] = []
        self._news = False
        self._ended = False
        self._pending: Command | None = None
        self._said = ""
        self._made_at = 0.0
        self.index = LogIndex(lambda: logs_of(home))
        self.search = Search(self._notice)
        self.pages = Pages(self.search)
        self.window = Window(self.pages)
        self.window.ascii = ascii_only
        self._before: tuple[Filter, bool, Place | None] | None = None
        """Filter, whether it followed, and the cursor, before a search."""
        self._thread = threading.Thread(target=self._run, name="log-desk", daemon=True)

    def start(self) -> None:
        self.index.start(self._notice)
        self._thread.start()

    def close(self) -> None:
        """Ask all three threads to end, without waiting: they are daemons and hold no state."""
        with self._wake:
            self._ended = True
            self._wake.notify()

    def do(self, command: Command) -> None:
        with self._wake:
            self._said = ""
            self._commands.append(command)
            self._wake.notify()

    def resize(self, width: int, height: int) -> None:
        """Not a command: what was said, and what is waited for, stays."""
        with self._wake:
            self.window.size = (width, height)
            self._news, self._made_at = True, 0.0
            self._wake.notify()

    def _notice(self) -> None:
        with self._wake:
            self._news = True
            self._wake.notify()

    # --- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            commands = self._next()
            if commands is None:
                break
            began = time.monotonic()
            try:
                self._take_news()
                for command in commands or filter(None, [self._pending]):
                    self._run_one(command)
                self._show()
            except Exception:
                # A screen that shows the log must not be what ends; the cause goes to the log.
                logger.exception("the log screen could not do that")
                self._said = _("This did not work; the log has the cause.")
            self._took_s = time.monotonic() - began
        self.index.close()
        self.search.close()

    def _next(self) -> list[Command] | None:
        """Commands as soon as there are any; none when there is only news, at its pace."""
        with self._wake:
            while not self._ended and not self._commands:
                pace = PACE_S
                if self._waiting or not self.frame.rows:
                    pace = min(PACE_S, max(WAITING_PACE_S, TRY_SHARE * self._took_s))
                left = self._made_at + pace - time.monotonic()
                if self._news and left <= 0:
                    break
                self._wake.wait(max(left, 0.001) if self._news else None)
            commands, self._commands, self._news = self._commands, [], False
            return None if self._ended else commands

    def _take_news(self) -> None:
        self.pages.timeline = self.index.timeline
        self.search.ask(self.pages.filter.searched, self.pages.timeline)

    def _run_one(self, command: Command) -> None:
        self._pending = None
        try:
            command(self)
        except Unknown:
            self._pending = command

    def _show(self) -> None:
        waiting = self._pending is not None
        try:
            rows = tuple(self.window.lines())
        except Unknown:
            rows, waiting = (), True
        self._made_at, self._waiting = time.monotonic(), waiting
        frame = self._frame(rows, waiting)
        if frame != self.frame:
            self.frame = frame
            self._told()

    def _frame(self, rows: tuple[Row, ...], waiting: bool) -> Frame:
        pages, window, timeline = self.pages, self.window, self.pages.timeline
        wanted, found = pages.filter, self.search.found
        problem = (wanted.pattern.problem if wanted.pattern else "") or pages.problem
        chosen = window.chosen() if rows else None
        entry = window.entry(chosen) if chosen else None
        total = max(1, self.index.total_bytes)
        indexed = 1.0 if timeline.complete else min(1.0, timeline.size_bytes / total)
        return Frame(
            rows=rows,
            stream_cells=window.look.stream_cells,
            filter=wanted,
            streams=timeline.streams,
            lines=timeline.lines,
            size_bytes=timeline.size_bytes,
            indexed=indexed,
            matches=found.total(wanted.least, wanted.stream),
            searched=found.share * indexed,
            problem=problem or found.problem,
            following=window.following,
            behind=window.behind(),
            waiting=waiting,
            where=moment_of(entry.time) if entry else "",
            file=self._named(chosen.parsed.part.segment.path) if chosen else "",
            round=entry.round if entry else None,
            said=self._said,
        )

    def _named(self, path: Path) -> str:
        """A log file by its path within the home."""
        return str(path.relative_to(self.home.path))

    # --- commands -----------------------------------------------------------------------------

    def say(self, text: str) -> None:
        self._said = text

    def match(self, step: int) -> None:
        """The next match below the cursor, or above it for -1."""
        if self.pages.filter.searched is None:
            self.say(_("Search for something first: /"))
            return
        at = self.window.spot
        spot = self.pages.match(at, step) if at else None
        if spot is None:
            self.say(_("No match further down.") if step > 0 else _("No match further up."))
        else:
            self.window.hold()
            self.window.go(spot, middle=True)

    def level(self, least: int) -> None:
        self._narrow(replace(self.pages.filter, least=max(0, min(least, len(LEVELS) - 1))))

    def next_stream(self, step: int) -> None:
        """One log alone after the other, then all again."""
        timeline = self.pages.timeline
        named = zip(timeline.streams, timeline.parts, strict=True)
        names = ["", *(name for name, parts in named if parts)]
        now = self.pages.filter.stream
        at = names.index(now) if now in names else 0
        self._narrow(replace(self.pages.filter, stream=names[(at + step) % len(names)]))

    def toggle_only(self) -> None:
        self._narrow(replace(self.pages.filter, only=not self.pages.filter.only))

    def toggle_fold(self) -> None:
        self._narrow(replace(self.pages.filter, fold=not self.pages.filter.fold))

    def _narrow(self, wanted: Filter) -> None:
        if wanted != self.pages.filter:
            self.pages.filter = wanted
            self.search.ask(wanted.searched, self.pages.timeline)
        self.window.narrow(wanted)

    # --- searching ----------------------------------------------------------------------------

    def begin_search(self) -> None:
        """Remember what to go back to when the search is given up."""
        self._before = (self.pages.filter, self.window.following, self.window.cursor)

    def preview(self, text: str) -> None:
        """Show the match nearest to where the search began: above it, or else below."""
        wanted = replace(self.pages.filter, pattern=pattern(text))
        if wanted != self.pages.filter:
            self.pages.forgive()
            self.pages.filter = wanted
            self.search.ask(wanted.searched, self.pages.timeline)
        if wanted.searched is None:
            return
        origin = self.window.spot_at(self._before[2] if self._before else None)
        origin = origin or self.pages.last()
        if origin is None:
            return
        spot = self.pages.match(origin, -1, itself=True) or self.pages.match(origin, 1)
        if spot is not None:
            self.window.hold()
            self.window.go(spot, middle=True)

    def cancel_search(self) -> None:
        """As it was before."""
        if self._before is None:
            return
        before, following, cursor = self._before
        self._narrow(before)
        if following:
            self.window.follow()
        elif (spot := self.window.spot_at(cursor)) is not None:
            self.window.go(spot, middle=True)

    def forget_search(self) -> None:
        self.pages.forgive()
        self._narrow(replace(self.pages.filter, pattern=None, only=False))

    # --- going to a moment --------------------------------------------------------------------

    def go_to_time(self, moment: float) -> None:
        self._go(spot_of_time(self.pages, moment))

    def go_to_round(self, round_: int) -> None:
        """Where the log tells of a round; says so when nothing does."""
        self._go(spot_of_round(self.window, self.home, round_))

    def _go(self, found: Spot | str | None) -> None:
        if isinstance(found, str):
            self.say(found)
        elif found is not None:
            self.window.hold()
            self.window.go(found, middle=True)
