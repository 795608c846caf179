"""How far behind the terminal is, and whether to draw now or later.

A slow link (SSH over a telephone) takes what is written into its buffers and shows it seconds
later; every frame drawn meanwhile makes the next key's answer later still. So each frame ends with
a question that every terminal since the VT100 answers (DSR 5), and while the answer is overdue
nothing more is drawn. Frames that were left out are not sent later: the next one shows what is true
then. Only drawing waits; the node and its events never do.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from tui.terminal import READY_QUESTION, Tty

LATE_S = 0.25
"""An answer that comes so much later than the quickest one: the link has a queue."""
STUCK_S = 0.1
"""A write that takes so long: the terminal reads more slowly than it is written to."""
LOST_S = 10.0
"""An answer that did not come until then will not: draw, or nothing would be seen for ever."""
DEAF_S = 2.0
"""A terminal that has never answered until then does not know the question."""
MOST_ASKED = 16


class Link:
    """One terminal's line. `behind` is asked by the screen, `answered` told by the input thread."""

    def __init__(self, tty: Tty | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._tty = tty
        self._clock = clock
        self._asked: deque[float] = deque(maxlen=MOST_ASKED)
        self._quickest: float | None = None
        self._deaf = tty is None
        self.echo_s = 0.0
        """How long the last answer took: there, through the terminal, and back."""
        self.left_out = 0
        """Frames that were not drawn because the link was behind."""

    @property
    def waiting(self) -> bool:
        """An answer is due."""
        return bool(self._asked)

    def question(self) -> str:
        """What to write at the end of a frame; empty for a terminal that does not answer."""
        if self._deaf:
            return ""
        self._asked.append(self._clock())
        return READY_QUESTION

    def answered(self) -> None:
        """Input thread: the oldest question has come back."""
        try:
            took = self._clock() - self._asked.popleft()
        except IndexError:  # given up, and answered after all
            return
        self.echo_s = took
        self._quickest = took if self._quickest is None else min(self._quickest, took)

    @property
    def behind(self) -> bool:
        """Whether the terminal has yet to show what it was sent: better draw later."""
        now = self._clock()
        if self._tty is not None and self._tty.stuck_s(now) > STUCK_S:
            return True
        oldest = next(iter(self._asked), None)
        if oldest is None:
            return False
        age = now - oldest
        if self._quickest is None:
            if age > DEAF_S:
                self._deaf = True
                self._asked.clear()
            return False
        if age > LOST_S:
            self._asked.clear()
            return False
        return age > self._quickest + LATE_S

    def renew(self) -> None:
        """Another terminal may be there now (a suspended console goes on): ask anew."""
        self._asked.clear()
        self._quickest = None
        self._deaf = self._tty is None
